import type { SNSEvent, SNSMessage } from "aws-lambda";
import { greet } from "./greeting.ts";
import { count, logger, observed } from "./observability.ts";
import { parseJson } from "./request.ts";

/** Handles a notification. */
function take(notification: SNSMessage): void {
  const request = parseJson(notification.Message, "message");
  greet(request);
  count("Greetings");
  logger.info("greeted", { message_id: notification.MessageId, language: request.language });
}

/** What Lambda calls: takes one notification; what it throws has Lambda try again, and keep it in the end. */
export const handler = observed(async (event: SNSEvent): Promise<void> => {
  for (const { Sns } of event.Records) {
    try {
      take(Sns);
    } catch (error) {
      count("FailedEvents");
      logger.error("failed", { error, message_id: Sns.MessageId });
      throw error;
    }
  }
});

import { BatchProcessor, EventType, processPartialResponse } from "@aws-lambda-powertools/batch";
import type { SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import { greet } from "./greeting.ts";
import { count, logger, observed } from "./observability.ts";
import { parseJson } from "./request.ts";

const processor = new BatchProcessor(EventType.SQS);

/** Handles a message; what is thrown has it come again, and no other. */
async function take(record: SQSRecord): Promise<void> {
  try {
    const request = parseJson(record.body, "body");
    greet(request);
    count("Greetings");
    logger.info("greeted", { message_id: record.messageId, language: request.language });
  } catch (error) {
    count("FailedMessages");
    logger.error("failed", { error, message_id: record.messageId });
    throw error;
  }
}

/** What Lambda calls: returns the messages of a batch that failed, or throws if all have. */
export const handler = observed(
  async (event: SQSEvent, context): Promise<SQSBatchResponse> =>
    processPartialResponse(event, take, processor, { context }),
);

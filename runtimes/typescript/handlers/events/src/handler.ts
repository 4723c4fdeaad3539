import type { EventBridgeEvent } from "aws-lambda";
import { greet } from "./greeting.ts";
import { count, logger, observed } from "./observability.ts";
import { parse } from "./request.ts";

/** What Lambda calls: takes an event of EventBridge; if it throws, Lambda tries again, then keeps it. */
export const handler = observed(async (event: EventBridgeEvent<string, unknown>): Promise<void> => {
  try {
    const request = parse(event.detail, "detail");
    greet(request);
    count("Greetings");
    logger.info("greeted", { event_id: event.id, language: request.language });
  } catch (error) {
    count("FailedEvents");
    logger.error("failed", { error, event_id: event.id });
    throw error;
  }
});

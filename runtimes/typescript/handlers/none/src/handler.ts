import { greet } from "./greeting.ts";
import { count, logger, observed } from "./observability.ts";
import { BadRequestError, parse } from "./request.ts";

/** What Lambda calls: answers an event with {"message": GREETING}, or throws BadRequestError. */
export const handler = observed(async (event: unknown): Promise<{ message: string }> => {
  try {
    const request = parse(event, "event");
    const message = greet(request);
    count("Greetings");
    logger.info("greeted", { language: request.language });
    return { message };
  } catch (error) {
    if (error instanceof BadRequestError) count("BadEvents");
    throw error;
  }
});

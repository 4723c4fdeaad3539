import { type GreetingRequest, greet } from "./greeting.ts";
import { count, logger, observed } from "./observability.ts";
import { BadRequestError, parse } from "./request.ts";

/** What deployment/trigger.tf has the schedule give. */
interface Due {
  schedule?: unknown;
  time?: unknown;
}

/** Returns the request in an event, and the time that it was scheduled for, or throws BadRequestError. */
export function parseDue(event: Due): [GreetingRequest, Date] {
  const request = parse(event, "event");
  const time = new Date(typeof event.time === "string" ? event.time : Number.NaN);
  if (Number.isNaN(time.getTime())) {
    throw new BadRequestError("time: must be a time, such as 2030-01-31T06:00:00Z");
  }
  return [request, time];
}

/** What Lambda calls. An event may come again: what is done is done for its time, not for now. */
export const handler = observed(async (event: Due): Promise<void> => {
  try {
    const [request, time] = parseDue(event);
    greet(request);
    count("Greetings");
    logger.info("greeted", { schedule: event.schedule, scheduled_time: time.toISOString() });
  } catch (error) {
    count("FailedEvents");
    logger.error("failed", { error, schedule: event.schedule });
    throw error;
  }
});

import type { KinesisStreamBatchResponse, KinesisStreamEvent, KinesisStreamRecord } from "aws-lambda";
import { greet } from "./greeting.ts";
import { count, logger, observed } from "./observability.ts";
import { parseJson } from "./request.ts";

/** Handles a record; what is thrown has it come again, with all behind it. */
function take(record: KinesisStreamRecord): void {
  const request = parseJson(Buffer.from(record.kinesis.data, "base64").toString(), "data");
  greet(request);
  count("Greetings");
  logger.info("greeted", { event_id: record.eventID, language: request.language });
}

/**
 * What Lambda calls: handles a batch up to the first record that fails; returns that, or throws if it is the
 * very first. Powertools' processor would go on behind it, out of order.
 */
export const handler = observed(async (event: KinesisStreamEvent): Promise<KinesisStreamBatchResponse> => {
  for (const record of event.Records) {
    try {
      take(record);
    } catch (error) {
      count("FailedRecords");
      logger.error("failed", { error, event_id: record.eventID });
      if (record === event.Records[0]) throw error; // so that the function's alarms see it
      return { batchItemFailures: [{ itemIdentifier: record.kinesis.sequenceNumber }] };
    }
  }
  return { batchItemFailures: [] };
});

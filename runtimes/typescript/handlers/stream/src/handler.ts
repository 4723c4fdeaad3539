import { unmarshall } from "@aws-sdk/util-dynamodb";
import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from "aws-lambda";
import { greet } from "./greeting.ts";
import { count, logger, observed } from "./observability.ts";
import { parse } from "./request.ts";

type Item = Parameters<typeof unmarshall>[0];

/** Handles a change; what is thrown has it come again, with all behind it. */
function take(record: DynamoDBRecord): void {
  if (record.eventName === "REMOVE") {
    count("Removals"); // there is nobody to greet any more
    return;
  }
  const request = parse(unmarshall(record.dynamodb?.NewImage as Item, { wrapNumbers: true }), "item");
  greet(request);
  count("Greetings");
  logger.info("greeted", {
    event_id: record.eventID,
    keys: record.dynamodb?.Keys,
    language: request.language,
  });
}

/**
 * What Lambda calls: handles a batch up to the first record that fails; returns that, or throws if it is the
 * very first. Powertools' processor would go on behind it, out of order.
 */
export const handler = observed(async (event: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> => {
  for (const record of event.Records) {
    try {
      take(record);
    } catch (error) {
      count("FailedRecords");
      logger.error("failed", { error, event_id: record.eventID, keys: record.dynamodb?.Keys });
      if (record === event.Records[0]) throw error; // so that the function's alarms see it
      return { batchItemFailures: [{ itemIdentifier: record.dynamodb?.SequenceNumber ?? "" }] };
    }
  }
  return { batchItemFailures: [] };
});

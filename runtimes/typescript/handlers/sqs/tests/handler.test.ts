import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SQSEvent, SQSRecord } from "aws-lambda";
import { handler } from "../src/handler.ts";
import { context, logged, sample } from "./invocation.ts";

/** Returns an event with messages, whose identifiers are their places. */
function batch(...bodies: string[]): SQSEvent {
  const [record] = sample<SQSEvent>("greeting.json").Records as [SQSRecord];
  return { Records: bodies.map((body, place) => ({ ...record, messageId: String(place), body })) };
}

describe("handler", () => {
  for (const name of ["check.json", "greeting.json"]) {
    test(`of the good messages in ${name} none comes again`, async () => {
      assert.deepEqual(await handler(sample(name), context), { batchItemFailures: [] });
    });
  }

  test("of a batch with good and bad messages the bad ones alone come again", async () => {
    const event = sample<SQSEvent>("batch.json");

    const answer = await handler(event, context);

    assert.deepEqual(answer, { batchItemFailures: [{ itemIdentifier: event.Records[1]?.messageId }] });
  });

  test("where all messages fail the invocation does", async () => {
    await assert.rejects(handler(sample("bad.json"), context), { name: "FullBatchFailureError" });
  });

  test("what is handled and what fails is logged and counted", async () => {
    const lines = await logged(() => handler(batch('{"name": "Ada"}', "{}"), context));
    const [first, second, metrics] = lines;

    assert.equal(first?.message, "greeted");
    assert.equal(first?.function_request_id, "5c8f1d3e");
    assert.deepEqual([second?.message, second?.message_id], ["failed", "1"]);
    assert.deepEqual([metrics?.Greetings, metrics?.FailedMessages], [1, 1]);
  });

  test("what fails in a batch that fails is counted too", async () => {
    const lines = await logged(() => handler(batch("{}", "[]"), context));

    assert.deepEqual(lines.at(-1)?.FailedMessages, [1, 1]);
  });

  test("names are not logged", async () => {
    const event = batch('{"name": "Ada"}', '{"name": "Ada", "language": 1}');

    assert.doesNotMatch(JSON.stringify(await logged(() => handler(event, context))), /Ada/);
  });
});

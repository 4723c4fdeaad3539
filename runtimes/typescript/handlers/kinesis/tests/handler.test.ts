import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { KinesisStreamEvent, KinesisStreamRecord } from "aws-lambda";
import { handler } from "../src/handler.ts";
import { context, logged, sample } from "./invocation.ts";

/** Returns an event with records, whose identifiers are their places. */
function batch(...texts: string[]): KinesisStreamEvent {
  const [record] = sample<KinesisStreamEvent>("greeting.json").Records as [KinesisStreamRecord];
  return {
    Records: texts.map((text, place) => ({
      ...record,
      eventID: String(place),
      kinesis: {
        ...record.kinesis,
        sequenceNumber: String(place),
        data: Buffer.from(text).toString("base64"),
      },
    })),
  };
}

describe("handler", () => {
  for (const name of ["check.json", "greeting.json"]) {
    test(`of the good records in ${name} none comes again`, async () => {
      assert.deepEqual(await handler(sample(name), context), { batchItemFailures: [] });
    });
  }

  test("a batch comes again from its first record that fails", async () => {
    const event = sample<KinesisStreamEvent>("batch.json");

    const answer = await handler(event, context);

    assert.deepEqual(answer.batchItemFailures, [
      { itemIdentifier: event.Records[1]?.kinesis.sequenceNumber },
    ]);
  });

  test("where the very first record fails the invocation does", async () => {
    await assert.rejects(handler(sample("bad.json"), context), {
      name: "BadRequestError",
      message: /^name: /,
    });
    assert.equal((await logged(() => handler(sample("bad.json"), context))).at(-1)?.FailedRecords, 1);
  });

  test("what is handled and what fails is logged and counted, and nothing behind that is handled", async () => {
    const event = batch('{"name": "Ada"}', "Ada", '{"name": "Grace"}');
    const [first, second, metrics, ...more] = await logged(() => handler(event, context));

    assert.deepEqual([first?.message, first?.event_id], ["greeted", "0"]);
    assert.equal(first?.function_request_id, "5c8f1d3e");
    assert.deepEqual([second?.message, second?.event_id], ["failed", "1"]);
    assert.deepEqual([metrics?.Greetings, metrics?.FailedRecords], [1, 1]);
    assert.deepEqual(more, []);
  });

  test("names are not logged", async () => {
    const event = batch('{"name": "Ada"}', '{"name": "Ada", "language": "tlh"}');

    assert.doesNotMatch(JSON.stringify(await logged(() => handler(event, context))), /Ada/);
  });
});

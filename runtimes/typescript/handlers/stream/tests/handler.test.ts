import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { AttributeValue, DynamoDBRecord, DynamoDBStreamEvent } from "aws-lambda";
import { handler } from "../src/handler.ts";
import { context, logged, sample } from "./invocation.ts";

/** Returns an event with new items, whose identifiers are their places. */
function batch(...items: Record<string, AttributeValue>[]): DynamoDBStreamEvent {
  const [record] = sample<DynamoDBStreamEvent>("greeting.json").Records as [DynamoDBRecord];
  return {
    Records: items.map((item, place) => ({
      ...record,
      eventID: String(place),
      dynamodb: { ...record.dynamodb, SequenceNumber: String(place), NewImage: item },
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
    const event = sample<DynamoDBStreamEvent>("batch.json");

    const answer = await handler(event, context);

    assert.deepEqual(answer.batchItemFailures, [
      { itemIdentifier: event.Records[1]?.dynamodb?.SequenceNumber },
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
    const event = batch({ name: { S: "Ada" } }, { name: { N: "1" } }, { name: { S: "Grace" } });
    const [first, second, metrics, ...more] = await logged(() => handler(event, context));

    assert.deepEqual([first?.message, first?.event_id], ["greeted", "0"]);
    assert.equal(first?.function_request_id, "5c8f1d3e");
    assert.deepEqual([second?.message, second?.event_id], ["failed", "1"]);
    assert.deepEqual([metrics?.Greetings, metrics?.FailedRecords], [1, 1]);
    assert.deepEqual(more, []);
  });

  test("an item that is removed is counted and greets nobody", async () => {
    const [record] = batch({}).Records as [DynamoDBRecord];
    const removal: DynamoDBRecord = { ...record, eventName: "REMOVE" };

    const lines = await logged(() => handler({ Records: [removal] }, context));

    assert.deepEqual(
      lines.map((line) => line.Removals),
      [1],
    );
  });

  test("an item may have a number that JavaScript cannot hold", async () => {
    const [line] = await logged(() =>
      handler(batch({ name: { S: "Ada" }, id: { N: "12345678901234567890" } }), context),
    );

    assert.equal(line?.message, "greeted");
  });

  test("names are not logged", async () => {
    const event = batch({ name: { S: "Ada" } }, { name: { S: "Ada" }, language: { S: "tlh" } });

    assert.doesNotMatch(JSON.stringify(await logged(() => handler(event, context))), /Ada/);
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SNSEvent, SNSEventRecord } from "aws-lambda";
import { handler } from "../src/handler.ts";
import { context, logged, sample } from "./invocation.ts";

/** Returns an event with a message. */
function notification(message: string): SNSEvent {
  const [record] = sample<SNSEvent>("greeting.json").Records as [SNSEventRecord];
  return { Records: [{ ...record, Sns: { ...record.Sns, MessageId: "95df01b4", Message: message } }] };
}

describe("handler", () => {
  for (const name of ["check.json", "greeting.json"]) {
    test(`the good notification in ${name} is handled`, async () => {
      assert.equal((await logged(() => handler(sample(name), context)))[0]?.message, "greeted");
    });
  }

  test("a bad notification fails", async () => {
    await assert.rejects(handler(sample("bad.json"), context), {
      name: "BadRequestError",
      message: /^name: /,
    });
  });

  test("what is handled is logged and counted", async () => {
    const [line, metrics] = await logged(() => handler(notification('{"name": "Ada"}'), context));

    assert.deepEqual([line?.message, line?.message_id], ["greeted", "95df01b4"]);
    assert.equal(line?.function_request_id, "5c8f1d3e");
    assert.equal(metrics?.Greetings, 1);
  });

  test("what fails is logged and counted", async () => {
    const [line, metrics] = await logged(() => handler(notification("{}"), context));

    assert.deepEqual([line?.message, line?.message_id], ["failed", "95df01b4"]);
    assert.equal(metrics?.FailedEvents, 1);
  });

  test("names are not logged", async () => {
    for (const message of ['{"name": "Ada"}', '{"name": "Ada", "language": 1}']) {
      assert.doesNotMatch(JSON.stringify(await logged(() => handler(notification(message), context))), /Ada/);
    }
  });
});

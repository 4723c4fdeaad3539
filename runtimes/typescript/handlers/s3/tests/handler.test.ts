import assert from "node:assert/strict";
import { afterEach, describe, mock, test } from "node:test";
import type { S3ObjectCreatedNotificationEvent } from "aws-lambda";
import { handler, s3 } from "../src/handler.ts";
import { context, logged, sample } from "./invocation.ts";

type Event = S3ObjectCreatedNotificationEvent & { content: string };

const good = sample<Event>("greeting.json");
const bad = sample<Event>("bad.json");

/** Has S3 hold a text as every object, or fail; returns what it was asked for. */
function holds(content: string | Error): object[] {
  const asked: object[] = [];
  mock.method(s3, "send", async ({ input }: { input: object }) => {
    asked.push(input);
    if (content instanceof Error) throw content;
    return { Body: { transformToString: async () => content } };
  });
  return asked;
}

describe("handler", () => {
  afterEach(() => mock.restoreAll());

  test("the version of the event is read, handled, logged and counted", async () => {
    const asked = holds(good.content);
    const { key, "version-id": version } = good.detail.object;

    const [line, metrics] = await logged(() => handler(good, context));

    assert.deepEqual(asked, [{ Bucket: good.detail.bucket.name, Key: key, VersionId: version }]);
    assert.deepEqual([line?.message, line?.key, line?.version], ["greeted", key, version]);
    assert.equal(line?.function_request_id, "5c8f1d3e");
    assert.equal(metrics?.Greetings, 1);
  });

  test("an empty object is not read", async () => {
    const asked = holds(new Error("read"));

    const [line, metrics] = await logged(() => handler(sample("check.json"), context));

    assert.deepEqual([line?.message, line?.key], ["empty", "deployment/"]);
    assert.equal(metrics?.EmptyObjects, 1);
    assert.deepEqual(asked, []);
  });

  test("a bad object fails, is logged by its key and counted", async () => {
    holds(bad.content);
    await assert.rejects(handler(bad, context), { name: "BadRequestError", message: /^name: / });

    const [line, metrics] = await logged(() => handler(bad, context));

    assert.deepEqual([line?.message, line?.key], ["failed", "bad.json"]);
    assert.equal(metrics?.FailedEvents, 1);
  });

  test("an object that cannot be read fails", async () => {
    holds(new Error("no connection"));

    await assert.rejects(handler(good, context), { message: "no connection" });
  });

  test("names are not logged", async () => {
    for (const content of [good.content, '{"name": "Ada", "language": 1}']) {
      holds(content);
      assert.doesNotMatch(JSON.stringify(await logged(() => handler(good, context))), /Ada/);
      mock.restoreAll();
    }
  });
});

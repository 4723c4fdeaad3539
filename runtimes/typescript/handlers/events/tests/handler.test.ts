import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { EventBridgeEvent } from "aws-lambda";
import { handler } from "../src/handler.ts";
import { context, logged, sample } from "./invocation.ts";

type Event = EventBridgeEvent<string, unknown>;

describe("handler", () => {
  for (const name of ["check.json", "greeting.json"]) {
    test(`the good event in ${name} is handled, logged by its id and counted`, async () => {
      const event = sample<Event>(name);

      const [line, metrics] = await logged(() => handler(event, context));

      assert.deepEqual([line?.message, line?.event_id], ["greeted", event.id]);
      assert.equal(line?.function_request_id, "5c8f1d3e");
      assert.equal(metrics?.Greetings, 1);
    });
  }

  test("a bad event fails, is logged by its id and counted", async () => {
    const event = sample<Event>("bad.json");
    await assert.rejects(handler(event, context), { name: "BadRequestError", message: /^name: / });

    const [line, metrics] = await logged(() => handler(event, context));

    assert.deepEqual([line?.message, line?.event_id], ["failed", event.id]);
    assert.equal(metrics?.FailedEvents, 1);
  });

  test("names are not logged", async () => {
    const event = sample<Event>("greeting.json");
    const bad = { ...event, detail: { name: "Ada", language: 1 } };
    const lines = [await logged(() => handler(event, context)), await logged(() => handler(bad, context))];

    assert.doesNotMatch(JSON.stringify(lines), /Ada/);
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { handler, parseDue } from "../src/handler.ts";
import { context, logged, sample } from "./invocation.ts";

const time = "2025-08-01T06:00:00Z";

describe("handler", () => {
  for (const name of ["check.json", "greeting.json"]) {
    test(`the good event in ${name} is handled`, async () => {
      assert.equal((await logged(() => handler(sample(name), context)))[0]?.message, "greeted");
    });
  }

  test("a bad event fails", async () => {
    await assert.rejects(handler(sample("bad.json"), context), {
      name: "BadRequestError",
      message: /^name: /,
    });
  });

  for (const bad of [undefined, 1, "<aws.scheduler.scheduled-time>"]) {
    test(`${bad} is refused as a time`, () => {
      assert.throws(() => parseDue({ name: "Ada", time: bad } as object), { message: /^time: / });
    });
  }

  test("what is handled is logged, for its own time however often it comes, and counted", async () => {
    for (const _ of [1, 2]) {
      const [line, metrics] = await logged(() => handler(sample("greeting.json"), context));

      assert.equal(line?.schedule, sample<{ schedule: string }>("greeting.json").schedule);
      assert.equal(line?.scheduled_time, "2025-08-01T06:00:00.000Z");
      assert.equal(line?.function_request_id, "5c8f1d3e");
      assert.equal(metrics?.Greetings, 1);
    }
  });

  test("what fails is logged and counted", async () => {
    const [line, metrics] = await logged(() => handler(sample("bad.json"), context));

    assert.equal(line?.message, "failed");
    assert.equal(line?.schedule, sample<{ schedule: string }>("bad.json").schedule);
    assert.equal(metrics?.FailedEvents, 1);
  });

  test("names are not logged", async () => {
    for (const event of [
      { name: "Ada", time },
      { name: "Ada", time: 1 },
    ]) {
      assert.doesNotMatch(JSON.stringify(await logged(() => handler(event, context))), /Ada/);
    }
  });
});

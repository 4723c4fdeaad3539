import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { handler } from "../src/handler.ts";
import { context, logged, sample } from "./invocation.ts";

describe("handler", () => {
  test("an event is answered with a greeting", async () => {
    assert.deepEqual(await handler(sample("greeting.json"), context), { message: "Hola, Ada!" });
  });

  for (const file of readdirSync("events")) {
    test(`${file} is answered`, async () => {
      assert.ok((await handler(sample(file), context)).message);
    });
  }

  test("a bad event fails and is counted", async () => {
    await assert.rejects(handler({ name: "" }, context), { name: "BadRequestError", message: /^name: / });

    const lines = await logged(() => handler({}, context));
    assert.deepEqual(
      lines.map((line) => line.BadEvents),
      [1],
    );
  });

  test("an invocation is logged in one line and counted in another", async () => {
    const [line, metrics] = await logged(() => handler({ name: "Ada" }, context));

    assert.equal(line?.message, "greeted");
    assert.equal(line?.function_request_id, "5c8f1d3e");
    assert.equal(line?.service, "tests");
    assert.equal(metrics?.Greetings, 1);
  });

  test("names are not logged", async () => {
    assert.doesNotMatch(JSON.stringify(await logged(() => handler({ name: "Ada" }, context))), /Ada/);
  });
});

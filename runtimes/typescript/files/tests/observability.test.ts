import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { count, observed } from "../src/observability.ts";
import { context, logged } from "./invocation.ts";

describe("observed", () => {
  test("what was counted is written even if the invocation fails", async () => {
    const failing = observed(async () => {
      count("Tries", 2);
      throw new Error("failed");
    });

    await assert.rejects(failing({}, context), { message: "failed" });
    assert.equal((await logged(() => failing({}, context)))[0]?.Tries, 2);
  });

  test("an invocation that counts nothing writes nothing", async () => {
    assert.deepEqual(await logged(() => observed(async () => {})({}, context)), []);
  });
});

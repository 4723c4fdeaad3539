import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { greet } from "../src/greeting.ts";

describe("greet", () => {
  test("a greeting is in the language asked for", () => {
    assert.equal(greet({ name: "Ada", language: "de" }), "Hallo, Ada!");
    assert.equal(greet({ name: "Ada", language: "fr" }), "Bonjour, Ada!");
  });
});

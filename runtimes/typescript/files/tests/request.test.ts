import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BadRequestError, parse, parseJson } from "../src/request.ts";

describe("parse", () => {
  test("a greeting is in English unless asked otherwise", () => {
    assert.deepEqual(parse({ name: "Ada" }, "event"), { name: "Ada", language: "en" });
    assert.deepEqual(parse({ name: "Ada", language: "es" }, "event"), { name: "Ada", language: "es" });
  });

  for (const [value, field] of [
    [null, "event"],
    [[], "event"],
    [{}, "name"],
    [{ name: " " }, "name"],
    [{ name: 1 }, "name"],
    [{ name: "Ada", language: "tlh" }, "language"],
    [{ name: "Ada", language: ["en"] }, "language"],
    [{ name: "Ada", language: "toString" }, "language"],
  ] as const) {
    test(`${JSON.stringify(value)} is refused by the field at fault`, () => {
      assert.throws(() => parse(value, "event"), { name: "BadRequestError", message: RegExp(`^${field}: `) });
    });
  }

  test("what is no JSON is refused", () => {
    assert.throws(() => parseJson("Ada", "body"), new BadRequestError("body: must be JSON"));
    assert.deepEqual(parseJson('{"name": "Ada"}', "body"), { name: "Ada", language: "en" });
  });
});

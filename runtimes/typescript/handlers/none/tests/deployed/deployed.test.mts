import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { aws, name } from "./aws.mts";

describe("the function as it is deployed, called as whoever else calls it", () => {
  test("a call is answered with a greeting", () => {
    const folder = mkdtempSync(join(tmpdir(), "deployed-"));
    const [event, answer] = [join(folder, "event"), join(folder, "answer")];
    writeFileSync(event, JSON.stringify({ name: "deployment", language: "es" }));

    aws(
      "lambda",
      "invoke",
      `--function-name=${name}`,
      "--qualifier=live",
      `--payload=fileb://${event}`,
      answer,
    );

    assert.deepEqual(JSON.parse(readFileSync(answer, "utf-8")), { message: "Hola, deployment!" });
  });
});

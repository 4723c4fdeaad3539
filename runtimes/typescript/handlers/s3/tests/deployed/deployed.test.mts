import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { account, aws, environment, name } from "./aws.mts";
import { logged } from "./logged.mts";

/** Returns whether the bucket is one that the environment names. A sandbox has its own all the same. */
function belongsToTheOrganization(): boolean {
  const variables = `deployment/environments/${environment || "-"}.tfvars`;
  return existsSync(variables) && /^bucket\s*=/m.test(readFileSync(variables, "utf-8"));
}

describe("the function as it is deployed, with its own bucket", () => {
  const skip = belongsToTheOrganization() && "what is put there, others see, too";

  test("an object is handled", { skip }, async () => {
    const body = join(mkdtempSync(join(tmpdir(), "deployed-")), "body");
    writeFileSync(body, JSON.stringify({ name: "deployment" }));

    // The key is the one place where the verifier may put any.
    const put = aws<{ VersionId: string }>(
      ...["s3api", "put-object", `--bucket=${name}-${account}`, "--key=deployment/greeting.json"],
      `--body=${body}`,
    );

    assert.equal(await logged(put.VersionId), "greeted");
  });
});

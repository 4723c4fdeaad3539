import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { aws, name } from "./aws.mts";
import { logged } from "./logged.mts";

describe("the function as it is deployed, with its table", () => {
  test("a new item is handled", async () => {
    const key = { id: { S: `deployment-${randomUUID()}` } };
    const item = JSON.stringify({ ...key, name: { S: "deployment" } });

    aws("dynamodb", "put-item", `--table-name=${name}`, `--item=${item}`);

    try {
      assert.equal(await logged(key.id.S), "greeted");
    } finally {
      aws("dynamodb", "delete-item", `--table-name=${name}`, `--key=${JSON.stringify(key)}`);
    }
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { aws, name } from "./aws.mts";
import { logged } from "./logged.mts";

describe("the function as it is deployed, with its stream", () => {
  test("a record is handled", async () => {
    // Versions of the command line interface differ in how they take bytes, but for a whole input.
    const Data = Buffer.from(JSON.stringify({ name: "deployment" })).toString("base64");
    const record = { StreamName: name, PartitionKey: "deployment", Data };
    const put = aws<{ ShardId: string; SequenceNumber: string }>(
      ...["kinesis", "put-record", `--cli-input-json=${JSON.stringify(record)}`],
    );

    assert.equal(await logged(`${put.ShardId}:${put.SequenceNumber}`), "greeted");
  });
});

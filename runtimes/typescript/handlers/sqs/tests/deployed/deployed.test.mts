import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { account, aws, name, region } from "./aws.mts";
import { logged } from "./logged.mts";

describe("the function as it is deployed, with its queue", () => {
  test("a message is handled", async () => {
    const sent = aws<{ MessageId: string }>(
      ...["sqs", "send-message", `--queue-url=https://sqs.${region}.amazonaws.com/${account}/${name}`],
      `--message-body=${JSON.stringify({ name: "deployment" })}`,
    );

    assert.equal(await logged(sent.MessageId), "greeted");
  });
});

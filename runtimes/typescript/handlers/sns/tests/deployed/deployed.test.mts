import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { account, aws, name, region } from "./aws.mts";
import { logged } from "./logged.mts";

describe("the function as it is deployed, with its topic", () => {
  test("a notification is handled", async () => {
    const sent = aws<{ MessageId: string }>(
      ...["sns", "publish", `--topic-arn=arn:aws:sns:${region}:${account}:${name}`],
      `--message=${JSON.stringify({ name: "deployment" })}`,
    );

    assert.equal(await logged(sent.MessageId), "greeted");
  });
});

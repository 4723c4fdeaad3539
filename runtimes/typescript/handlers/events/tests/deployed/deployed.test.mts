import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { aws, name } from "./aws.mts";
import { logged } from "./logged.mts";

describe("the function as it is deployed, with its rule", () => {
  test("an event is handled", async () => {
    const detail = JSON.stringify({ name: "deployment" });
    const event = { Source: name, DetailType: "Greeting requested", Detail: detail };

    const put = aws<{ Entries: [{ EventId: string }] }>(
      ...["events", "put-events", `--entries=${JSON.stringify([event])}`],
    );

    assert.equal(await logged(put.Entries[0].EventId), "greeted");
  });
});

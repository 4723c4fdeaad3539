import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { aws, name } from "./aws.mts";
import { logged } from "./logged.mts";

interface Schedule {
  FlexibleTimeWindow: object;
  KmsKeyArn: string;
  Target: object;
}

describe("the function as it is deployed, with its schedule", () => {
  test("it is invoked as by its schedule", async () => {
    // By one of the same group, target, role and key, but for once and a minute from now; it then goes.
    const own = aws<Schedule>("scheduler", "get-schedule", `--group-name=${name}`, `--name=${name}`);
    const event = { schedule: "<aws.scheduler.schedule-arn>", time: "<aws.scheduler.scheduled-time>" };
    const schedule = {
      GroupName: name,
      Name: `deployment-${randomUUID()}`,
      ScheduleExpression: `at(${new Date(Date.now() + 60_000).toISOString().slice(0, 19)})`,
      ActionAfterCompletion: "DELETE",
      FlexibleTimeWindow: own.FlexibleTimeWindow,
      KmsKeyArn: own.KmsKeyArn,
      Target: { ...own.Target, Input: JSON.stringify({ ...event, name: "deployment" }) },
    };

    aws("scheduler", "create-schedule", `--cli-input-json=${JSON.stringify(schedule)}`);

    assert.equal(await logged(schedule.Name), "greeted");
  });
});

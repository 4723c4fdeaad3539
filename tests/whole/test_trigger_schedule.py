"""A function that a schedule invokes: whatever is due is handled or kept, whatever happens."""

import io
import json
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cli import conclude
from screen import Screen
from tests.lives import Life, live, settle
from tests.worlds import LONE, REGION, Rehearsed, World
from triggers.schedule.trigger import Trigger

NAME = "hello-schedule"


@pytest.fixture
def world(scheduled: Rehearsed, tmp_path: Path) -> Iterator[World]:
    with scheduled.world.fork() as accounts:
        yield World(scheduled, accounts, tmp_path)


@pytest.fixture
def schedule(world: World) -> Trigger:
    """The trigger where it is deployed."""
    return Trigger(partial(world.client, environment=LONE), NAME, LONE["id"], REGION)


@pytest.fixture(scope="module")
def life(scheduled: Rehearsed, tmp_path_factory: pytest.TempPathFactory) -> Life:
    edits = (
        ("trigger.tf", "= 3600", "= 1800"),
        ("trigger.tf", 'sid       = "KeepFailures"', 'sid       = "KeepWhatFailed"'),
        ("asynchronous.tf", "6 * 60 * 60", "60 * 60"),
        ("failures.tf", "14 * 24", "13 * 24"),
        ("versions.tf", ", environment = var.environment", ""),
    )
    return live(scheduled, tmp_path_factory.mktemp("life"), "schedule", *edits)


def logged(world: World) -> list[dict[str, Any]]:
    """Return what the function has logged that it has handled."""
    pages = world.client("logs", LONE).get_paginator("filter_log_events")
    lines = [
        json.loads(event["message"])
        for page in pages.paginate(logGroupName=f"/aws/lambda/{NAME}")
        for event in page["events"]
    ]
    return [line for line in lines if line.get("message") == "greeted"]


def times_of(world: World, schedule: str) -> list[datetime]:
    """Return the times for which a schedule has had the function do something."""
    return [
        datetime.fromisoformat(line["scheduled_time"])
        for line in logged(world)
        if line["schedule"] == schedule
    ]


def test_a_rehearsal_tells_what_became_of_a_good_and_of_a_bad_event(
    scheduled: Rehearsed, tmp_path: Path
) -> None:
    ends = {"greeting": "handled", "bad": f"in {NAME}-failures after 3 tries"}
    rows = [("dev", *end) for end in ends.items()]

    assert scheduled.result.problem == ""
    assert scheduled.result.sent == rows
    assert scheduled.result.denied == []
    with redirect_stdout(io.StringIO()) as screen:
        conclude(scheduled.result, Screen(), tmp_path / "page.html")
    assert screen.getvalue().count(ends["bad"]) == 1


def test_nothing_that_is_done_for_it_is_denied_and_nothing_is_left_of_it(life: Life) -> None:
    assert life.denied == []
    assert life.left == []


def test_nothing_is_granted_for_it_that_it_does_not_use(life: Life) -> None:
    assert len(life.granted) > 20
    assert life.unused == set()


def test_the_function_is_invoked_at_each_time_of_its_schedule(world: World) -> None:
    schedules = world.client("scheduler", LONE)
    own = schedules.get_schedule(GroupName=NAME, Name=NAME)
    assert (own["ScheduleExpression"], own["ScheduleExpressionTimezone"]) == ("cron(0 6 * * ? *)", "UTC")
    before = times_of(world, own["Arn"])

    settings = ("FlexibleTimeWindow", "GroupName", "KmsKeyArn", "Name", "Target")
    schedules.update_schedule(
        **{name: own[name] for name in settings}, ScheduleExpression="cron(0/5 * * * ? *)"
    )

    deadline = time.monotonic() + 60
    while len(due := times_of(world, own["Arn"])[len(before) :]) < 3:
        assert time.monotonic() < deadline, due
        time.sleep(0.5)
    assert {after - before for before, after in pairwise(sorted(due))} == {timedelta(minutes=5)}


def test_what_scheduler_may_not_invoke_any_more_is_kept_with_the_reason(
    world: World, schedule: Trigger
) -> None:
    iam, role = world.client("iam", LONE), f"{NAME}-scheduler"
    policy = iam.get_role_policy(RoleName=role, PolicyName="scheduler")["PolicyDocument"]
    policy["Statement"] = [each for each in policy["Statement"] if each["Sid"] != "InvokeFunction"]
    iam.put_role_policy(RoleName=role, PolicyName="scheduler", PolicyDocument=json.dumps(policy))

    assert settle(schedule, world, "greeting") == f"in {NAME}-failures without a try"

    kept = schedule.client("sqs").receive_message(
        QueueUrl=schedule.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )["Messages"]
    (told,) = (message["MessageAttributes"] for message in kept if "MessageAttributes" in message)
    assert told["ERROR_CODE"]["StringValue"] == "AccessDeniedException"
    assert told["RETRY_ATTEMPTS"]["StringValue"] == "5"
    alarms = world.client("cloudwatch", LONE).describe_alarms(StateValue="ALARM")["MetricAlarms"]
    assert f"{NAME}-schedule" in {alarm["AlarmName"] for alarm in alarms}


def test_an_event_that_meets_a_throttled_function_waits_for_it(world: World, schedule: Trigger) -> None:
    good = json.loads((world.repository / "events/greeting.json").read_text())
    functions = world.client("lambda", LONE)
    functions.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=1)

    sent = [name for _ in range(5) for name in schedule.send(good)]
    deadline = time.monotonic() + 60
    while not schedule.became(sent):
        assert time.monotonic() < deadline
        time.sleep(0.5)

    handled = [line["schedule"].rpartition("/")[2] for line in logged(world)]
    throttled = [call for call in world.accounts.journal() if call.error == "TooManyRequestsException"]
    print(f"{len(sent)} events due, {len(throttled)} times throttled, {len(handled)} handled in all")
    assert [handled.count(name) for name in sent] == [1] * len(sent)

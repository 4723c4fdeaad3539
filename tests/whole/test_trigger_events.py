"""A function that events of EventBridge invoke: all of it is handled or kept, whatever happens."""

import io
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cli import conclude
from screen import Screen
from tests.lives import Life, live, settle
from tests.worlds import LONE, REGION, Rehearsed, World
from triggers.events.trigger import Trigger

NAME = "hello-events"


@pytest.fixture
def world(evented: Rehearsed, tmp_path: Path) -> Iterator[World]:
    with evented.world.fork() as accounts:
        yield World(evented, accounts, tmp_path)


@pytest.fixture
def rule(world: World) -> Trigger:
    """The trigger where it is deployed."""
    return Trigger(partial(world.client, environment=LONE), NAME, LONE["id"], REGION)


@pytest.fixture(scope="module")
def life(evented: Rehearsed, tmp_path_factory: pytest.TempPathFactory) -> Life:
    edits = (
        ("trigger.tf", '["Greeting requested"]', '["Greeting requested", "Greeting wanted"]'),
        ("rule.tf", "maximum_retry_attempts       = 185", "maximum_retry_attempts       = 100"),
        ("asynchronous.tf", "6 * 60 * 60", "60 * 60"),
        ("failures.tf", "14 * 24", "13 * 24"),
        ("versions.tf", ", environment = var.environment", ""),
    )
    return live(evented, tmp_path_factory.mktemp("life"), "events", *edits)


def logged(world: World, message: str) -> Counter[str]:
    """Return how often the function has logged a message, by event."""
    pages = world.client("logs", LONE).get_paginator("filter_log_events")
    lines = [
        json.loads(event["message"])
        for page in pages.paginate(logGroupName=f"/aws/lambda/{NAME}")
        for event in page["events"]
    ]
    return Counter(line["event_id"] for line in lines if line.get("message") == message)


def test_a_rehearsal_tells_what_became_of_a_good_and_of_a_bad_event(
    evented: Rehearsed, tmp_path: Path
) -> None:
    ends = {"greeting": "handled", "bad": f"in {NAME}-failures after 3 tries"}
    rows = [("dev", *end) for end in ends.items()]

    assert evented.result.problem == ""
    assert evented.result.sent == rows
    assert evented.result.denied == []
    with redirect_stdout(io.StringIO()) as screen:
        conclude(evented.result, Screen(), tmp_path / "page.html")
    assert screen.getvalue().count(ends["bad"]) == 1


def test_nothing_that_is_done_for_it_is_denied_and_nothing_is_left_of_it(life: Life) -> None:
    assert life.denied == []
    assert life.left == []


def test_nothing_is_granted_for_it_that_it_does_not_use(life: Life) -> None:
    assert len(life.granted) > 20
    assert life.unused == set()


def test_an_event_for_which_the_permission_is_lost_is_kept_and_handled_once_that_is_back(
    world: World, rule: Trigger
) -> None:
    functions = world.client("lambda", LONE)
    functions.remove_permission(FunctionName=NAME, Qualifier="live", StatementId="rule")

    assert settle(rule, world, "greeting") == f"in {NAME}-failures without a try"

    (kept,) = [
        json.loads(message["Body"])
        for message in rule.client("sqs").receive_message(
            QueueUrl=rule.url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )["Messages"]
        if "detail" in json.loads(message["Body"])
    ]
    functions.add_permission(
        FunctionName=NAME,
        Qualifier="live",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=f"arn:aws:events:{REGION}:{LONE['id']}:rule/{NAME}",
    )
    before = logged(world, "greeted").total()
    (again,) = rule.send(kept)
    while again not in logged(world, "greeted"):
        time.sleep(0.5)
    assert logged(world, "greeted").total() == before + 1


def test_of_events_that_meet_a_throttled_function_none_is_lost_and_none_handled_twice(
    world: World, rule: Trigger
) -> None:
    good = json.loads((world.repository / "events/greeting.json").read_text())
    functions = world.client("lambda", LONE)
    functions.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=1)

    sent = {identifier for _ in range(10) for identifier in rule.send(good)}
    deadline = time.monotonic() + 60
    while sent - logged(world, "greeted").keys() and time.monotonic() < deadline:
        time.sleep(0.5)

    handled = logged(world, "greeted")
    throttled = [call for call in world.accounts.journal() if call.error == "TooManyRequestsException"]
    print(f"{len(sent)} events sent, {len(throttled)} times throttled, {handled.total()} handled in all")
    assert {handled[identifier] for identifier in sent} == {1}


def test_what_a_failed_event_was_and_what_the_function_raised_is_kept(world: World, rule: Trigger) -> None:
    def kept() -> list[dict[str, Any]]:
        found = rule.client("sqs").receive_message(
            QueueUrl=rule.url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [json.loads(message["Body"]) for message in found["Messages"]]

    (record,) = kept()  # the rehearsal's

    assert record["requestPayload"]["detail"] == {"name": "", "language": "es"}
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responsePayload"]["errorType"] == "BadEventError"
    assert logged(world, "failed")[record["requestPayload"]["id"]] == 3

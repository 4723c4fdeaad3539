"""A function that notifications of a topic invoke: all of them are handled or kept, whatever happens."""

import io
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

import pytest

from rehearsal.cli import conclude
from screen import Screen
from tests.lives import Life, live, settle
from tests.worlds import LONE, REGION, Rehearsed, World
from triggers.sns.trigger import Trigger

NAME = "hello-sns"


@pytest.fixture
def world(notified: Rehearsed, tmp_path: Path) -> Iterator[World]:
    with notified.world.fork() as accounts:
        yield World(notified, accounts, tmp_path)


@pytest.fixture
def topic(world: World) -> Trigger:
    """The trigger where it is deployed."""
    return Trigger(partial(world.client, environment=LONE), NAME, LONE["id"], REGION)


@pytest.fixture(scope="module")
def life(notified: Rehearsed, tmp_path_factory: pytest.TempPathFactory) -> Life:
    redrive = "  redrive_policy = jsonencode("
    edits = (
        ("trigger.tf", "PublishByTLSAlone", "PublishByTLS"),
        (
            "trigger.tf",
            redrive,
            f"  filter_policy = jsonencode({{ kind = [{{ exists = false }}] }})\n{redrive}",
        ),
        ("asynchronous.tf", "6 * 60 * 60", "60 * 60"),
        ("failures.tf", "14 * 24", "13 * 24"),
        ("versions.tf", ", environment = var.environment", ""),
    )
    return live(notified, tmp_path_factory.mktemp("life"), "sns", *edits)


def logged(world: World, message: str) -> Counter[str]:
    """Return how often the function has logged a message, by notification."""
    pages = world.client("logs", LONE).get_paginator("filter_log_events")
    lines = [
        json.loads(event["message"])
        for page in pages.paginate(logGroupName=f"/aws/lambda/{NAME}")
        for event in page["events"]
    ]
    return Counter(line["message_id"] for line in lines if line.get("message") == message)


def test_a_rehearsal_tells_what_became_of_a_good_and_of_a_bad_notification(
    notified: Rehearsed, tmp_path: Path
) -> None:
    ends = {"greeting": "handled", "bad": f"in {NAME}-failures after 3 tries"}
    rows = [("dev", *end) for end in ends.items()]

    assert notified.result.problem == ""
    assert notified.result.sent == rows
    assert notified.result.denied == []
    with redirect_stdout(io.StringIO()) as screen:
        conclude(notified.result, Screen(), tmp_path / "page.html")
    assert screen.getvalue().count(ends["bad"]) == 1


def test_nothing_that_is_done_for_it_is_denied_and_nothing_is_left_of_it(life: Life) -> None:
    assert life.denied == []
    assert life.left == []


def test_nothing_is_granted_for_it_that_it_does_not_use(life: Life) -> None:
    assert len(life.granted) > 20
    assert life.unused == set()


def test_a_notification_for_which_the_permission_is_lost_is_kept_with_what_it_says(
    world: World, topic: Trigger
) -> None:
    functions = world.client("lambda", LONE)
    functions.remove_permission(FunctionName=NAME, Qualifier="live", StatementId="topic")
    before = logged(world, "greeted")

    assert settle(topic, world, "greeting") == f"in {NAME}-failures without a try"

    kept = topic.client("sqs").receive_message(QueueUrl=topic.url, MaxNumberOfMessages=10)["Messages"]
    texts = [json.loads(message["Body"]).get("Message", "{}") for message in kept]
    assert {"name": "Ada", "language": "es"} in map(json.loads, texts)
    assert logged(world, "greeted") == before


def test_of_notifications_that_meet_a_throttled_function_none_is_lost_and_none_handled_twice(
    world: World, topic: Trigger
) -> None:
    good = json.loads((world.repository / "events/greeting.json").read_text())
    functions = world.client("lambda", LONE)
    functions.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=1)

    sent = {identifier for _ in range(10) for identifier in topic.send(good)}
    deadline = time.monotonic() + 60
    while sent - logged(world, "greeted").keys() and time.monotonic() < deadline:
        time.sleep(0.5)

    handled = logged(world, "greeted")
    throttled = [call for call in world.accounts.journal() if call.error == "TooManyRequestsException"]
    print(
        f"{len(sent)} messages published, {len(throttled)} times throttled, {handled.total()} handled in all"
    )
    assert {handled[identifier] for identifier in sent} == {1}

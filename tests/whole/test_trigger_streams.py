"""What streams bring to functions in production: all is handled, in order, or it is told where it failed."""

import json
import re
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import triggers
from tests.lives import Life, live, under_way
from tests.worlds import LONE, REGION, TEMPLATE, TOOL, People, Rehearsed, World

ENOUGH = 60  # seconds
PAGE = (TEMPLATE / "docs/permissions.md").read_text("utf-8")


class Streamed(World):
    """A copy of a world in which records of a stream invoke a function; the stream is that of production."""

    def __init__(self, rehearsed: Rehearsed, accounts: Any, folder: Path) -> None:
        super().__init__(rehearsed, accounts, folder)
        self.kind = self.name.removeprefix("hello-")
        trigger = triggers.named(self.kind)
        assert trigger
        self.trigger: Any = trigger(partial(self.client, environment=LONE), self.name, LONE["id"], REGION)

    def sample(self, event: str) -> Any:
        """Return a sample event of the function."""
        return json.loads((self.repository / "events" / f"{event}.json").read_text())

    def settle(self) -> None:
        """Wait until no record is under way any more."""
        deadline = time.monotonic() + ENOUGH
        while under_way(self):
            assert time.monotonic() < deadline, "records are still under way"
            time.sleep(0.2)

    def told(self) -> list[dict[str, Any]]:
        """Return what is newly told of failures."""
        found: list[dict[str, Any]] = []
        queue = {"QueueUrl": self.trigger.url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 600}
        while messages := self.client("sqs", LONE).receive_message(**queue).get("Messages"):
            found += [json.loads(message["Body"]) for message in messages]
        return found

    def logged(self) -> Iterator[dict[str, Any]]:
        """Yield what the function has logged by itself."""
        pages = self.client("logs", LONE).get_paginator("filter_log_events")
        found = [
            event
            for page in pages.paginate(logGroupName=f"/aws/lambda/{self.name}")
            for event in page["events"]
        ]
        for event in sorted(found, key=lambda event: event["timestamp"]):
            line = json.loads(event["message"])
            if "message" in line:
                yield line

    def handled(self) -> list[str]:
        """Return the records that the function has handled, in that order."""
        return [line["event_id"] for line in self.logged() if line["message"] == "greeted"]


@pytest.fixture
def world(streamed: Rehearsed, tmp_path: Path) -> Iterator[Streamed]:
    with streamed.world.fork() as accounts:
        yield Streamed(streamed, accounts, tmp_path)


def test_a_rehearsal_tells_what_became_of_a_good_and_of_a_bad_record(streamed: Rehearsed) -> None:
    ends = {"greeting": "handled", "bad": f"in {streamed.result.function}-failures after 5 tries"}

    assert streamed.result.problem == ""
    assert streamed.result.sent == [("dev", *end) for end in ends.items()]
    assert streamed.result.denied == []


def test_of_batches_with_bad_records_each_good_one_is_handled_once_in_order_and_each_bad_one_told_of(
    world: Streamed,
) -> None:
    before, batch = len(world.handled()), world.sample("batch")
    world.told()

    for _ in range(5):
        world.trigger.send(batch)
    world.settle()

    handled, told = world.handled()[before:], world.told()
    print(f"5 batches of 2 good records and a bad one: {len(handled)} handled, {len(told)} told of")
    assert len(handled) == len(set(handled)) == 10
    if world.kind == "kinesis":
        assert handled == sorted(handled, key=lambda each: int(each.partition(":")[2]))
    info = "KinesisBatchInfo" if world.kind == "kinesis" else "DDBStreamBatchInfo"
    assert [failure[info]["batchSize"] for failure in told] == [1] * 5
    assert [failure["requestContext"]["approximateInvokeCount"] for failure in told] == [5] * 5


def test_a_throttled_function_loses_no_record(world: Streamed) -> None:
    before, functions = len(world.handled()), world.client("lambda", LONE)
    functions.put_function_concurrency(FunctionName=world.name, ReservedConcurrentExecutions=0)
    world.told()

    for _ in range(3):
        world.trigger.send(world.sample("greeting"))
    time.sleep(2)
    assert under_way(world) == 3

    functions.delete_function_concurrency(FunctionName=world.name)
    world.settle()
    assert len(world.handled()) == before + 3
    assert world.told() == []


def test_going_back_under_load_loses_no_record_and_keeps_their_order(world: Streamed) -> None:
    world.push("src/another.txt", "changed")
    assert world.walk() == []
    before, run, good = len(world.handled()), People(world), world.sample("greeting")
    done, sent = threading.Event(), list[str]()
    world.told()

    def load() -> None:
        while not done.is_set():
            sent.extend(world.trigger.send(good))

    sender = threading.Thread(target=load)
    sender.start()
    run(TOOL, "rollback", "dev", "", "--yes")
    done.set()
    sender.join()
    world.settle()

    handled = world.handled()[before:]
    print(f"{len(sent)} records put as an operator went back, {len(handled)} handled")
    assert len(handled) == len(set(handled)) == len(sent) > 10
    assert world.kind == "stream" or handled == sent
    assert world.told() == []
    assert world.versions() == ["1"]


EDITS = (
    ("records.tf", "default     = 100", "default     = 50"),
    ("records.tf", "10 * 60 * 1000", "20 * 60 * 1000"),
    ("failures.tf", "14 * 24", "13 * 24"),
    ("versions.tf", ", environment = var.environment", ""),
)
OWN_EDITS = {
    "stream": (("trigger.tf", "default     = true", "default     = false"),),
    "kinesis": (
        ("trigger.tf", "default     = 24", "default     = 48"),
        ("trigger.tf", "default     = 1\n", "default     = 2\n"),
    ),
}
THEN = {
    "stream": (),
    "kinesis": (
        ("trigger.tf", "default     = 48", "default     = 24"),
        ("versions.tf", "function = local.function_name", 'function = local.function_name, other = "tag"'),
    ),
}


@pytest.fixture(scope="module")
def life(streamed: Rehearsed, tmp_path_factory: pytest.TempPathFactory) -> Life:
    kind = streamed.result.function.removeprefix("hello-")
    folder = tmp_path_factory.mktemp("life")
    return live(streamed, folder, kind, *EDITS, *OWN_EDITS[kind], then=THEN[kind])


def test_nothing_that_is_done_for_it_is_denied_and_nothing_is_left_of_it(life: Life) -> None:
    assert life.denied == []
    assert life.left == []


def test_what_is_granted_for_it_and_not_used_is_named_with_its_reason(
    streamed: Rehearsed, life: Life
) -> None:
    function = streamed.result.function
    kind = function.removeprefix("hello-")
    rows = re.findall(rf"^\| {kind} \| `([\w-]+)` \| ([\w:, -]+) \| [^|]+ \|$", PAGE, re.MULTILINE)
    called = {
        (role.replace(function, "FUNCTION").replace("acme", "ORG"), action) for role, _, action in life.unused
    }

    assert len(life.granted) > 20
    assert called == {(role, action) for role, actions in rows for action in actions.split(", ")}

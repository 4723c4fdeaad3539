"""What triggers bring to functions in production: all of it is handled or kept, whatever happens."""

import io
import json
import threading
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
from tests.worlds import PROD, QUEUE, REGION, TOOL, People, Rehearsed, World, terraform_of
from triggers.sqs.trigger import Trigger

ENOUGH = 60  # seconds


@pytest.fixture
def world(queued: Rehearsed, tmp_path: Path) -> Iterator[World]:
    with queued.world.fork() as accounts:
        yield World(queued, accounts, tmp_path)


@pytest.fixture
def queue(world: World) -> Trigger:
    """The queue in production."""
    return Trigger(partial(world.client, environment=PROD), QUEUE, PROD["id"], REGION)


def sample(world: World, name: str) -> Any:
    """Return a sample event of the function."""
    return json.loads((world.repository / "events" / f"{name}.json").read_text())


def settle(queue: Trigger) -> None:
    """Wait until nothing is in the queue any more."""
    deadline = time.monotonic() + ENOUGH
    while not queue.became([]):
        assert time.monotonic() < deadline, "messages are still in the queue"
        time.sleep(0.2)


def kept(queue: Trigger) -> set[str]:
    """Return which messages are kept as failed."""
    return {
        message["MessageId"]
        for _ in range(20)
        for message in queue.queues.receive_message(
            QueueUrl=f"{queue.url}-failures", MaxNumberOfMessages=10, VisibilityTimeout=ENOUGH
        ).get("Messages", [])
    }


def logged(world: World) -> Iterator[dict[str, Any]]:
    """Yield what the function in production has logged by itself."""
    pages = world.client("logs", PROD).get_paginator("filter_log_events")
    for page in pages.paginate(logGroupName=f"/aws/lambda/{QUEUE}"):
        for event in page["events"]:
            line = json.loads(event["message"])
            if "message" in line:
                yield line


def test_a_rehearsal_tells_what_became_of_a_good_and_of_a_bad_message(
    queued: Rehearsed, tmp_path: Path
) -> None:
    ends = {"greeting": "handled", "bad": f"in {QUEUE}-failures after 5 tries"}
    rows = [(environment, *end) for environment in ("dev", "stage", "prod") for end in ends.items()]

    assert queued.result.problem == ""
    assert queued.result.sent == rows
    assert queued.result.denied == []
    with redirect_stdout(io.StringIO()) as screen:
        conclude(queued.result, Screen(), tmp_path / "page.html")
    for shown in screen.getvalue(), (tmp_path / "page.html").read_text():
        assert shown.count(ends["bad"]) == 3


def test_a_plan_of_what_runs_is_empty(world: World) -> None:
    deployment = world.deployed(PROD)
    deployer = world.accounts.environment(PROD["id"], REGION, f"{QUEUE}-deployer")
    backend = {"bucket": PROD["state_bucket"], "key": f"functions/{QUEUE}.tfstate", "region": REGION}
    inputs = ["-var=environment=prod", "-var-file=environments/prod.tfvars"]

    terraform_of(
        world, deployment, deployer, "init", *(f"-backend-config={k}={v}" for k, v in backend.items())
    )
    terraform_of(world, deployment, deployer, "plan", "-detailed-exitcode", *inputs)  # 2 if it has changes


def test_of_batches_with_bad_messages_each_good_one_is_handled_once_and_each_bad_one_kept(
    world: World, queue: Trigger
) -> None:
    before, there = Counter(line["message"] for line in logged(world)), kept(queue)
    batch = sample(world, "batch")

    sent = [queue.send(batch) for _ in range(10)]
    settle(queue)

    lines = list(logged(world))
    assert Counter(line["message"] for line in lines)["greeted"] - before["greeted"] == 20
    assert kept(queue) - there == {bad for _, bad, _ in sent}
    tries = Counter(line["message_id"] for line in lines if line["message"] == "failed")
    assert {tries[bad] for _, bad, _ in sent} == {5}


def test_going_back_under_load_loses_no_message(world: World, queue: Trigger) -> None:
    world.send(world.another("changed", file="another.txt"), PROD)
    assert world.walk(PROD) == []
    before, there, run = Counter(line["message"] for line in logged(world)), kept(queue), People(world)
    good, done, sent = sample(world, "greeting"), threading.Event(), list[str]()

    def load() -> None:
        while not done.is_set():
            sent.extend(queue.send(good))

    sender = threading.Thread(target=load)
    sender.start()
    run(TOOL, "rollback", "prod", "", "--yes")
    done.set()
    sender.join()
    settle(queue)

    handled = Counter(line["message"] for line in logged(world))["greeted"] - before["greeted"]
    print(f"{len(sent)} messages sent as an operator went back, {handled} handled")
    assert handled == len(sent) > 10
    assert kept(queue) <= there
    assert world.versions()[2] == "1"


def test_a_function_that_may_not_take_messages_any_more_gets_none_and_loses_none(
    world: World, queue: Trigger
) -> None:
    iam = world.client("iam", PROD)
    policy = iam.get_role_policy(RoleName=QUEUE, PolicyName="trigger")["PolicyDocument"]
    iam.delete_role_policy(RoleName=QUEUE, PolicyName="trigger")
    before = Counter(line["message"] for line in logged(world))

    queue.send(sample(world, "greeting"))
    time.sleep(2)
    assert queue.became([]) == ""

    iam.put_role_policy(RoleName=QUEUE, PolicyName="trigger", PolicyDocument=json.dumps(policy))
    settle(queue)
    assert Counter(line["message"] for line in logged(world))["greeted"] == before["greeted"] + 1

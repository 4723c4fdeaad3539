"""Events that are put into the trigger of a sandbox."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from emulator.accounts import EmulatedAccounts
from rehearsal import people
from tests.conftest import Bake
from tests.worlds import DEV, FACTS, NAME, REGION, TOOL


class Desk:
    """A developer's, in a repository of a function that a trigger invokes."""

    def __init__(self, repository: Path, world: EmulatedAccounts, home: Path) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.repository = repository
        self.variables = own | people.environment(world, FACTS, home) | {"HOME": str(home)}

    def send(self, file: str) -> subprocess.CompletedProcess[str]:
        """Send the event in a file to the sandbox of Ada."""
        command = ["make", f"TOOL={TOOL}", "send", "NAME=ada", f"EVENT=events/{file}.json"]
        return subprocess.run(
            command, cwd=self.repository, env=self.variables, capture_output=True, text=True, check=False
        )


@pytest.fixture
def queued(bake: Bake, organization: EmulatedAccounts, tmp_path: Path) -> Desk:
    return Desk(bake(trigger="sqs"), organization, tmp_path)


def test_the_messages_of_an_event_are_sent_to_the_queue_of_the_sandbox(
    queued: Desk, organization: EmulatedAccounts
) -> None:
    queues = organization.client("sqs", DEV["id"], REGION)
    url = queues.create_queue(QueueName=f"{NAME}--sandbox-ada")["QueueUrl"]
    event = json.loads((queued.repository / "events/batch.json").read_text())
    event["Records"][0]["messageAttributes"] = {"from": {"stringValue": "Ada", "dataType": "String"}}
    (queued.repository / "events/mine.json").write_text(json.dumps(event))

    done = queued.send("mine")

    received = {"QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
    messages = queues.receive_message(**received)["Messages"]
    assert [message["Body"] for message in messages] == [record["body"] for record in event["Records"]]
    assert messages[0]["MessageAttributes"] == {"from": {"StringValue": "Ada", "DataType": "String"}}
    assert [f"sent as {message['MessageId']}" in done.stdout for message in messages] == [True] * 3


@pytest.mark.parametrize("trigger", ["events", "s3", "schedule", "sns", "sqs"])
def test_without_a_sandbox_it_says_how_to_create_one(
    bake: Bake, organization: EmulatedAccounts, tmp_path: Path, trigger: str
) -> None:
    done = Desk(bake(trigger=trigger), organization, tmp_path).send("greeting")

    assert "there is no sandbox ada yet; create it: make sandbox NAME=ada" in done.stderr


def test_where_nothing_invokes_the_function_it_says_how_to_call_it(
    bake: Bake, organization: EmulatedAccounts, tmp_path: Path
) -> None:
    done = Desk(bake(trigger="none"), organization, tmp_path).send("greeting")

    assert f"nothing invokes {NAME} but those who call it: make invoke" in done.stderr
    assert done.returncode != 0

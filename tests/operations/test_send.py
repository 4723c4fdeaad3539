"""Events that are put into the trigger of a sandbox."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

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


def arn_of(streams: Any, **stream: str) -> str:
    """Return the ARN of a stream."""
    return str(streams.describe_stream_summary(**stream)["StreamDescriptionSummary"]["StreamARN"])


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


def test_the_items_of_an_event_are_put_into_the_table_of_the_sandbox_each_by_a_new_key(
    bake: Bake, organization: EmulatedAccounts, tmp_path: Path
) -> None:
    tables = organization.client("dynamodb", DEV["id"], REGION)
    name, attribute = f"{NAME}--sandbox-ada", {"AttributeName": "id"}
    tables.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{**attribute, "KeyType": "HASH"}],
        AttributeDefinitions=[{**attribute, "AttributeType": "S"}],
    )
    desk = Desk(bake(trigger="stream"), organization, tmp_path)

    done = desk.send("greeting").stdout + desk.send("greeting").stdout

    items = tables.scan(TableName=name)["Items"]
    assert [(item["name"], item["language"]) for item in items] == [({"S": "Ada"}, {"S": "es"})] * 2
    assert [f"sent as {item['id']['S']}" in done for item in items] == [True] * 2


def test_the_records_of_an_event_are_put_into_the_stream_of_the_sandbox(
    bake: Bake, organization: EmulatedAccounts, tmp_path: Path
) -> None:
    streams = organization.client("kinesis", DEV["id"], REGION)
    stream = {"StreamName": f"{NAME}--sandbox-ada"}
    streams.create_stream(**stream, ShardCount=1)

    done = Desk(bake(trigger="kinesis"), organization, tmp_path).send("batch")

    shard = {"ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
    iterator = streams.get_shard_iterator(**stream, **shard)["ShardIterator"]
    records = streams.get_records(ShardIterator=iterator, StreamARN=arn_of(streams, **stream))["Records"]
    assert [json.loads(record["Data"])["name"] for record in records] == ["Ada", "", "Grace"]
    sent = [f"sent as {shard['ShardId']}:{record['SequenceNumber']}" for record in records]
    assert [line in done.stdout for line in sent] == [True] * 3


@pytest.mark.parametrize("trigger", ["events", "http", "kinesis", "s3", "schedule", "sns", "sqs", "stream"])
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

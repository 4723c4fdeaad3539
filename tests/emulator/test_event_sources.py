"""What Lambda takes from queues by itself: batches, what of them comes again, and what is kept as failed."""

import io
import json
import time
from typing import Any
from zipfile import ZipFile

import pytest
from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts

ACCOUNT, REGION = "222222222222", "us-east-1"
HERE = f"{REGION}:{ACCOUNT}"
QUEUE, FAILURES = f"arn:aws:sqs:{HERE}:a-queue", f"arn:aws:sqs:{HERE}:failures"
ENOUGH = 20  # seconds
TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
POLLS = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
ANSWER = (
    "return {'batchItemFailures': [{'itemIdentifier': %s} for r in event['Records'] if r['body'] == 'bad']}"
)
NAMES_THE_BAD = ANSWER % "r['messageId']"
RAISES = "raise ValueError"


class Source:
    """A queue, and a function that it invokes."""

    def __init__(self, accounts: EmulatedAccounts, code: str, key: str = "", **attributes: str) -> None:
        """Make them; code: the function's last line. key: by which the queue is encrypted."""
        accounts.ask("pace", minute=0)
        self.accounts = accounts
        self.queues, self.functions, self.iam = (
            accounts.client(service, ACCOUNT, REGION) for service in ("sqs", "lambda", "iam")
        )
        self.queues.create_queue(QueueName="failures")
        redrive = {"deadLetterTargetArn": FAILURES, "maxReceiveCount": 5}
        attributes |= {"KmsMasterKeyId": key} if key else {}
        self.url = self.queues.create_queue(
            QueueName="a-queue", Attributes={"RedrivePolicy": json.dumps(redrive), **attributes}
        )["QueueUrl"]
        self.role = self.iam.create_role(
            RoleName="a-role", AssumeRolePolicyDocument=json.dumps({"Statement": TRUST})
        )["Role"]["Arn"]
        self.allow(*POLLS, "logs:*", "kms:Decrypt")
        package = io.BytesIO()
        with ZipFile(package, "w") as archive:
            lines = "import json\ndef handle(event, context):\n    print(json.dumps(event))\n    "
            archive.writestr("app.py", f"{lines}{code}\n")
        code_of = {"ZipFile": package.getvalue()}
        settings = {"Runtime": "python3.13", "Handler": "app.handle", "Role": self.role, "Publish": True}
        self.functions.create_function(FunctionName="a-function", Code=code_of, **settings)
        self.functions.create_alias(FunctionName="a-function", Name="live", FunctionVersion="1")

    def allow(self, *actions: str) -> None:
        """Let the function's role do actions and nothing else."""
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        self.iam.put_role_policy(RoleName="a-role", PolicyName="p", PolicyDocument=document)

    def map(self, **settings: Any) -> dict[str, Any]:
        """Have the queue invoke the function's alias; return the mapping."""
        settings = {"FunctionResponseTypes": ["ReportBatchItemFailures"], **settings}
        alias = f"arn:aws:lambda:{HERE}:function:a-function:live"
        mapping: dict[str, Any] = self.functions.create_event_source_mapping(
            EventSourceArn=QUEUE, FunctionName=alias, **settings
        )
        return mapping

    def send(self, *bodies: str) -> None:
        """Send messages."""
        for body in bodies:
            self.queues.send_message(QueueUrl=self.url, MessageBody=body)

    def settle(self) -> list[str]:
        """Wait until the queue is empty; return the messages that are kept as failed."""
        deadline = time.monotonic() + ENOUGH
        while self.left():
            assert time.monotonic() < deadline, "messages are still in the queue"
            time.sleep(0.1)
        kept = self.queues.receive_message(
            QueueUrl=self.url.replace("a-queue", "failures"), MaxNumberOfMessages=10
        )
        return sorted(message["Body"] for message in kept.get("Messages", []))

    def left(self) -> int:
        """Return how many messages are in the queue."""
        found = self.queues.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])

    def events(self) -> list[dict[str, Any]]:
        """Return what the function was given."""
        logs = self.accounts.client("logs", ACCOUNT, REGION)
        found = logs.filter_log_events(logGroupName="/aws/lambda/a-function", filterPattern="Records")[
            "events"
        ]
        return [json.loads(event["message"]) for event in found]


def test_of_a_batch_what_failed_comes_again_and_is_kept_after_its_count(accounts: EmulatedAccounts) -> None:
    source = Source(accounts, NAMES_THE_BAD)
    source.send("good", "bad", "good")
    source.map()

    assert source.settle() == ["bad"]
    batches = [[record["body"] for record in event["Records"]] for event in source.events()]
    assert batches == [["good", "bad", "good"], *[["bad"]] * 4]


@pytest.mark.parametrize("code", [RAISES, ANSWER % "'unknown'", ANSWER % "None", "return 1 / 0"])
def test_where_a_batch_fails_all_of_it_comes_again(accounts: EmulatedAccounts, code: str) -> None:
    source = Source(accounts, code)
    source.send("bad", "good")
    source.map()

    assert source.settle() == ["bad", "good"]


@pytest.mark.parametrize("code", ["return None", "return {}", "return {'batchItemFailures': None}"])
def test_a_batch_of_which_nothing_is_said_to_have_failed_is_done(
    accounts: EmulatedAccounts, code: str
) -> None:
    source = Source(accounts, code)
    source.send("bad")
    source.map()

    assert source.settle() == []
    assert len(source.events()) == 1


def test_what_a_function_says_of_single_messages_counts_only_if_the_mapping_says_so(
    accounts: EmulatedAccounts,
) -> None:
    source = Source(accounts, NAMES_THE_BAD)
    source.send("bad")
    source.map(FunctionResponseTypes=[])

    assert source.settle() == []


def test_batches_are_of_the_size_that_the_mapping_says(accounts: EmulatedAccounts) -> None:
    source = Source(accounts, NAMES_THE_BAD)
    source.send(*["good"] * 5)
    source.map(BatchSize=2)

    source.settle()

    assert [len(event["Records"]) for event in source.events()] == [2, 2, 1]


def test_a_message_comes_as_lambda_s_documentation_shows_it(accounts: EmulatedAccounts) -> None:
    source = Source(accounts, NAMES_THE_BAD)
    attributes = {"from": {"DataType": "String", "StringValue": "a test"}}
    source.queues.send_message(QueueUrl=source.url, MessageBody="good", MessageAttributes=attributes)
    source.map()

    source.settle()

    ((record,),) = (event["Records"] for event in source.events())
    assert record["messageAttributes"]["from"]["stringValue"] == "a test"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["md5OfBody"] == "755f85c2723bb39381c7379a604160d8"
    assert (record["eventSource"], record["eventSourceARN"], record["awsRegion"]) == (
        "aws:sqs",
        QUEUE,
        REGION,
    )
    assert {"messageId", "receiptHandle", "body"} <= record.keys()


def test_a_copy_of_a_world_takes_messages_too(accounts: EmulatedAccounts) -> None:
    source = Source(accounts, NAMES_THE_BAD)
    source.map()

    with accounts.fork() as copy:
        source.accounts, source.queues = copy, copy.client("sqs", ACCOUNT, REGION)
        source.send("bad")
        assert source.settle() == ["bad"]


def test_a_mapping_is_of_the_alias_that_it_is_given(accounts: EmulatedAccounts) -> None:
    source = Source(accounts, NAMES_THE_BAD)
    mapping = source.map()
    assert mapping["FunctionArn"].endswith(":function:a-function:live")

    source.functions.update_event_source_mapping(
        UUID=mapping["UUID"], FunctionName="a-function:live", BatchSize=5
    )

    found = source.functions.get_event_source_mapping(UUID=mapping["UUID"])
    assert (found["BatchSize"], found["FunctionArn"]) == (5, mapping["FunctionArn"])


def test_a_queue_that_shows_messages_again_before_a_function_has_ended_is_refused(
    accounts: EmulatedAccounts,
) -> None:
    source = Source(accounts, NAMES_THE_BAD, VisibilityTimeout="2")

    with pytest.raises(ClientError, match="Queue visibility timeout: 2 seconds is less than"):
        source.map()
    assert source.functions.list_event_source_mappings()["EventSourceMappings"] == []


@pytest.mark.parametrize("action", POLLS)
def test_a_function_that_may_not_take_messages_is_refused(accounts: EmulatedAccounts, action: str) -> None:
    source = Source(accounts, NAMES_THE_BAD)
    source.allow(*(each for each in POLLS if each != action))
    accounts.ask("enforce")

    with pytest.raises(ClientError, match=f"does not have permissions to call {action[4:]} on SQS"):
        source.map()


@pytest.mark.parametrize("lost", ["sqs:ReceiveMessage", "sqs:DeleteMessage", "kms:Decrypt"])
def test_messages_are_taken_in_the_function_s_role(accounts: EmulatedAccounts, lost: str) -> None:
    key = accounts.client("kms", ACCOUNT, REGION).create_key()["KeyMetadata"]["Arn"]
    source = Source(accounts, NAMES_THE_BAD, key)
    accounts.ask("enforce")
    source.map()
    source.send("good")
    assert source.settle() == []

    source.allow(*({*POLLS, "logs:*", "kms:Decrypt"} - {lost}))
    source.send("good")

    time.sleep(1)
    denied = {
        c.action for e in accounts.journal() for c in e.checks if c.denied and c.caller.role == source.role
    }
    assert denied == {lost}
    assert source.left() == 1 or lost == "sqs:DeleteMessage"


@pytest.mark.parametrize("lost", ["sqs:SendMessage", "kms:GenerateDataKey", "kms:Decrypt"])
def test_who_sends_to_an_encrypted_queue_needs_its_key(accounts: EmulatedAccounts, lost: str) -> None:
    key = accounts.client("kms", ACCOUNT, REGION).create_key()["KeyMetadata"]["Arn"]
    source = Source(accounts, NAMES_THE_BAD, key)
    accounts.ask("enforce")
    mine = accounts.client("sqs", ACCOUNT, REGION, "a-role")
    needed = {"sqs:SendMessage", "kms:GenerateDataKey", "kms:Decrypt"}

    source.allow(*needed)
    assert mine.send_message(QueueUrl=source.url, MessageBody="good")["MessageId"]
    source.allow(*needed - {lost})
    with pytest.raises(ClientError, match=lost):
        mine.send_message(QueueUrl=source.url, MessageBody="good")


def test_a_queue_says_from_which_queues_it_takes_what_failed(accounts: EmulatedAccounts) -> None:
    source = Source(accounts, NAMES_THE_BAD)
    allowed = json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [QUEUE]})
    failures = source.url.replace("a-queue", "failures")
    source.queues.set_queue_attributes(QueueUrl=failures, Attributes={"RedriveAllowPolicy": allowed})

    found = source.queues.get_queue_attributes(QueueUrl=failures, AttributeNames=["RedriveAllowPolicy"])

    assert found["Attributes"] == {"RedriveAllowPolicy": allowed}


def test_a_redrive_policy_is_told_as_it_was_given(accounts: EmulatedAccounts) -> None:
    source = Source(accounts, NAMES_THE_BAD)
    given = f'{{"deadLetterTargetArn":"{FAILURES}","maxReceiveCount":5}}'

    found = source.queues.get_queue_attributes(QueueUrl=source.url, AttributeNames=["RedrivePolicy"])

    assert found["Attributes"] == {"RedrivePolicy": given}

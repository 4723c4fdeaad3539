"""What Lambda does with events that it takes at once and handles later."""

import io
import json
import time
from collections.abc import Callable
from typing import Any
from zipfile import ZipFile

import pytest
from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts

ACCOUNT, REGION, NAME = "222222222222", "us-east-1", "a-function"
HERE = f"{REGION}:{ACCOUNT}"
LIVE, FAILURES = f"arn:aws:lambda:{HERE}:function:{NAME}:live", f"arn:aws:sqs:{HERE}:failures"
ENOUGH = 20  # seconds
TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
SENDS = ("sqs:SendMessage", "kms:GenerateDataKey", "kms:Decrypt")
RAISES = "raise ValueError(event['name'])"
TAKES_LONG = "time.sleep(1)"


class Target:
    """A function that is invoked asynchronously, and the queue of what it fails to handle."""

    def __init__(self, accounts: EmulatedAccounts, code: str, key: str = "", **settings: Any) -> None:
        """Make them; code: the function's last line. key: by which the queue is encrypted."""
        accounts.ask("pace", minute=0)
        self.accounts = accounts
        self.queues, self.functions, self.iam, self.alarms = (
            accounts.client(service, ACCOUNT, REGION) for service in ("sqs", "lambda", "iam", "cloudwatch")
        )
        encrypted = {"KmsMasterKeyId": key} if key else {}
        self.url = self.queues.create_queue(QueueName="failures", Attributes=encrypted)["QueueUrl"]
        role = self.iam.create_role(
            RoleName="a-role", AssumeRolePolicyDocument=json.dumps({"Statement": TRUST})
        )
        self.role = role["Role"]["Arn"]
        self.allow(*SENDS)
        package = io.BytesIO()
        with ZipFile(package, "w") as archive:
            lines = "import json, time\ndef handle(event, context):\n    print(json.dumps(event))\n    "
            archive.writestr("app.py", f"{lines}{code}\n")
        code_of = {"ZipFile": package.getvalue()}
        of = {"Runtime": "python3.13", "Handler": "app.handle", "Role": self.role, "Publish": True}
        self.functions.create_function(FunctionName=NAME, Code=code_of, **of)
        self.functions.create_alias(FunctionName=NAME, Name="live", FunctionVersion="1")
        accounts.client("logs", ACCOUNT, REGION).create_log_group(logGroupName=f"/aws/lambda/{NAME}")
        self.configure(**settings)

    def allow(self, *actions: str) -> None:
        """Let the function's role do actions, and write its log, and nothing else."""
        statement = {"Effect": "Allow", "Action": ["logs:*", *actions], "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        self.iam.put_role_policy(RoleName="a-role", PolicyName="p", PolicyDocument=document)

    def configure(self, **settings: Any) -> dict[str, Any]:
        """Configure how the alias is invoked asynchronously."""
        settings = {"DestinationConfig": {"OnFailure": {"Destination": FAILURES}}, **settings}
        answer: dict[str, Any] = self.functions.put_function_event_invoke_config(
            FunctionName=NAME, Qualifier="live", **settings
        )
        return answer

    def send(self, **event: str) -> int:
        """Invoke the alias asynchronously; return the status of the answer."""
        answer = self.functions.invoke(
            FunctionName=LIVE, InvocationType="Event", Payload=json.dumps(event).encode()
        )
        return int(answer["StatusCode"])

    def events(self) -> list[dict[str, Any]]:
        """Return the events with which the function has been invoked."""
        logs = self.accounts.client("logs", ACCOUNT, REGION)
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{NAME}")["events"]
        return [json.loads(event["message"]) for event in found if event["message"].startswith("{")]

    def kept(self) -> list[dict[str, Any]]:
        """Return the records of what has failed."""
        found = self.queues.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=0
        ).get("Messages", [])
        return [json.loads(message["Body"]) for message in found]


def wait(until: Callable[[], Any]) -> Any:
    """Wait until something is, and return it."""
    deadline = time.monotonic() + ENOUGH
    while not (found := until()):
        assert time.monotonic() < deadline, "it does not come to be"
        time.sleep(0.25)
    return found


def test_an_event_is_taken_and_handled_later(accounts: EmulatedAccounts) -> None:
    target = Target(accounts, TAKES_LONG)

    assert target.send(name="Ada") == 202
    assert wait(target.events) == [{"name": "Ada"}]
    assert target.kept() == []


def test_an_event_that_fails_each_time_is_kept_with_what_the_function_answered(
    accounts: EmulatedAccounts,
) -> None:
    target = Target(accounts, RAISES)

    target.send(name="Ada")

    (record,) = wait(target.kept)
    assert record["version"] == "1.0"
    assert record["requestContext"] == {
        "requestId": record["requestContext"]["requestId"],
        "functionArn": LIVE,
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
    assert record["requestPayload"] == {"name": "Ada"}
    assert record["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "1",
        "functionError": "Unhandled",
    }
    assert record["responsePayload"]["errorMessage"] == "Ada"
    assert target.events() == [{"name": "Ada"}] * 3


def test_its_tries_wait_for_a_minute_and_for_two(accounts: EmulatedAccounts) -> None:
    target = Target(accounts, RAISES)
    accounts.ask("pace", minute=0.5)

    target.send(name="Ada")

    wait(target.kept)
    first, second, third = [
        call.time for call in accounts.journal() if call.operation == "Invoke" and call.error == "Unhandled"
    ]
    assert second - first >= 0.5
    assert third - second >= 1


@pytest.mark.parametrize(
    ("settings", "condition", "tries"),
    [
        ({"MaximumRetryAttempts": 0}, "RetriesExhausted", 1),
        ({"MaximumRetryAttempts": 1}, "RetriesExhausted", 2),
        ({"MaximumEventAgeInSeconds": 60}, "EventAgeExceeded", 2),
    ],
)
def test_tries_and_age_are_bounded(
    accounts: EmulatedAccounts, settings: dict[str, Any], condition: str, tries: int
) -> None:
    target = Target(accounts, RAISES, **settings)

    target.send(name="Ada")

    (record,) = wait(target.kept)
    assert record["requestContext"]["condition"] == condition
    assert record["requestContext"]["approximateInvokeCount"] == tries


def test_an_event_that_is_throttled_waits_for_its_turn(accounts: EmulatedAccounts) -> None:
    target = Target(accounts, TAKES_LONG)
    accounts.ask("pace", minute=1)
    target.functions.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=1)

    for name in "Ada", "Grace":
        target.send(name=name)

    events = wait(lambda: len(target.events()) == 2 and target.events())
    assert sorted(event["name"] for event in events) == ["Ada", "Grace"]
    throttled = [call for call in accounts.journal() if call.error == "TooManyRequestsException"]
    assert len(throttled) >= 1
    assert target.kept() == []


def test_a_function_without_concurrency_is_not_invoked_and_its_event_kept(accounts: EmulatedAccounts) -> None:
    target = Target(accounts, TAKES_LONG)
    target.functions.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=0)

    with pytest.raises(ClientError, match="TooManyRequestsException"):
        target.functions.invoke(FunctionName=LIVE)
    target.send(name="Ada")

    (record,) = wait(target.kept)
    assert record["requestPayload"] == {"name": "Ada"}
    assert record["requestContext"]["approximateInvokeCount"] == 0


def test_each_try_is_of_the_version_at_which_the_alias_stands_by_then(accounts: EmulatedAccounts) -> None:
    target = Target(accounts, RAISES)
    accounts.ask("pace", minute=0.5)
    target.send(name="Ada")
    wait(target.events)
    good = io.BytesIO()
    with ZipFile(good, "w") as archive:
        archive.writestr("app.py", "def handle(event, context):\n    print('{}')\n")
    target.functions.update_function_code(FunctionName=NAME, ZipFile=good.getvalue())
    time.sleep(0.1)  # while it is changed it cannot be published
    target.functions.publish_version(FunctionName=NAME)
    target.functions.update_alias(FunctionName=NAME, Name="live", FunctionVersion="2")

    wait(lambda: {} in target.events())

    time.sleep(1)
    assert target.kept() == []


@pytest.mark.parametrize("lost", SENDS)
def test_what_failed_is_recorded_in_the_function_s_role(accounts: EmulatedAccounts, lost: str) -> None:
    key = accounts.client("kms", ACCOUNT, REGION).create_key()["KeyMetadata"]["Arn"]
    target = Target(accounts, RAISES, key)
    target.alarms.put_metric_alarm(
        AlarmName="lost",
        Namespace="AWS/Lambda",
        MetricName="DestinationDeliveryFailures",
        Dimensions=[{"Name": "FunctionName", "Value": NAME}],
        Statistic="Sum",
        Period=86400,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    accounts.ask("enforce")
    target.send(name="Ada")
    wait(target.kept)

    accounts.ask("pace", minute=0.1)
    target.allow(*({*SENDS} - {lost}))
    target.send(name="Grace")

    alarm = wait(lambda: target.alarms.describe_alarms(StateValue="ALARM")["MetricAlarms"])
    assert [each["AlarmName"] for each in alarm] == ["lost"]
    assert [record["requestPayload"]["name"] for record in target.kept()] == ["Ada"]
    denied = {check.action for call in accounts.journal() for check in call.checks if check.denied}
    assert denied == {lost}


def test_a_destination_to_which_the_function_may_not_send_is_refused(accounts: EmulatedAccounts) -> None:
    target = Target(accounts, RAISES)
    target.allow()
    accounts.ask("enforce")

    with pytest.raises(ClientError, match=f"does not have permissions to call SendMessage on {FAILURES}"):
        target.configure()


def test_what_is_configured_for_an_alias_is_told_changed_and_removed(accounts: EmulatedAccounts) -> None:
    target = Target(accounts, RAISES, MaximumRetryAttempts=1)

    def told() -> dict[str, Any]:
        found: dict[str, Any] = target.functions.get_function_event_invoke_config(
            FunctionName=NAME, Qualifier="live"
        )
        return found

    assert (told()["FunctionArn"], told()["MaximumRetryAttempts"]) == (LIVE, 1)
    target.configure(MaximumEventAgeInSeconds=60)
    assert told()["MaximumEventAgeInSeconds"] == 60
    assert "MaximumRetryAttempts" not in told()
    target.functions.delete_function_event_invoke_config(FunctionName=NAME, Qualifier="live")
    with pytest.raises(ClientError, match="doesn't have an EventInvokeConfig"):
        told()


def test_what_is_configured_for_one_alias_is_not_for_another(accounts: EmulatedAccounts) -> None:
    target = Target(accounts, RAISES)

    with pytest.raises(ClientError, match=r"function:a-function:\$LATEST doesn't have"):
        target.functions.get_function_event_invoke_config(FunctionName=NAME)


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"FunctionName": f"{NAME}:stable"}, "ResourceNotFoundException"),
        ({"FunctionName": "another"}, "ResourceNotFoundException"),
        ({"FunctionName": NAME, "Payload": b"{"}, "InvalidRequestContentException"),
    ],
)
def test_what_cannot_be_handled_is_refused_at_once(
    accounts: EmulatedAccounts, parameters: dict[str, Any], error: str
) -> None:
    target = Target(accounts, RAISES)

    with pytest.raises(ClientError, match=error):
        target.functions.invoke(InvocationType="Event", **parameters)


def test_a_copy_of_a_world_goes_on_with_what_is_not_done_yet(accounts: EmulatedAccounts) -> None:
    target = Target(accounts, RAISES)
    accounts.ask("pace", minute=1)
    target.send(name="Ada")
    wait(target.events)

    with accounts.fork() as copy:
        target.accounts, target.queues = copy, copy.client("sqs", ACCOUNT, REGION)
        (record,) = wait(target.kept)

    assert record["requestPayload"] == {"name": "Ada"}

"""What EventBridge does with events: whom it gives them to, by whose leave, and where it keeps the others."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts
from tests.emulator.test_asynchronous import ACCOUNT, HERE, LIVE, NAME, REGION, Target, wait

RULE, FAILURES = f"arn:aws:events:{HERE}:rule/a-rule", f"arn:aws:sqs:{HERE}:failures"
SERVICE = "events.amazonaws.com"


class Bus(Target):
    """A function that a rule of the default bus invokes."""

    def __init__(self, accounts: EmulatedAccounts, key: str = "") -> None:
        """Make them; key: by which the queue of failures is encrypted."""
        super().__init__(accounts, "return None", key)
        self.bus = accounts.client("events", ACCOUNT, REGION)
        self.match(source=["a-test"])
        self.bus.put_targets(
            Rule="a-rule", Targets=[{"Id": "f", "Arn": LIVE, "DeadLetterConfig": {"Arn": FAILURES}}]
        )
        self.functions.add_permission(
            FunctionName=NAME,
            Qualifier="live",
            StatementId="rule",
            Action="lambda:InvokeFunction",
            Principal=SERVICE,
            SourceArn=RULE,
        )
        condition = {"ArnEquals": {"aws:SourceArn": RULE}}
        self.let_in(SERVICE, condition)

    def match(self, **pattern: Any) -> None:
        """Have the rule match other events."""
        self.bus.put_rule(Name="a-rule", EventPattern=json.dumps(pattern))

    def let_in(self, service: str, condition: dict[str, Any]) -> None:
        """Let a service send to the queue of failures under a condition, and nobody else."""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sqs:SendMessage",
            "Resource": FAILURES,
            "Condition": condition,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
        self.queues.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": policy})

    def put(self, **changes: Any) -> dict[str, Any]:
        """Put an event; return the answer."""
        entry = {"Source": "a-test", "DetailType": "Test", "Detail": '{"name": "Ada"}', **changes}
        answer: dict[str, Any] = self.bus.put_events(Entries=[entry])
        return answer


def test_an_event_comes_as_eventbridge_s_documentation_shows_it(accounts: EmulatedAccounts) -> None:
    bus = Bus(accounts)
    accounts.ask("enforce")

    answer = bus.put(Resources=["arn:aws:s3:::a-bucket"])

    (event,) = wait(bus.events)
    assert answer["FailedEntryCount"] == 0
    assert event == {
        "version": "0",
        "id": answer["Entries"][0]["EventId"],
        "detail-type": "Test",
        "source": "a-test",
        "account": ACCOUNT,
        "time": event["time"],
        "region": REGION,
        "resources": ["arn:aws:s3:::a-bucket"],
        "detail": {"name": "Ada"},
    }


def test_only_what_matches_is_delivered(accounts: EmulatedAccounts) -> None:
    bus = Bus(accounts)
    bus.match(source=["a-test"], detail={"name": [{"prefix": "G"}]})

    bus.put()
    bus.put(Source="another", Detail='{"name": "Grace"}')
    bus.put(Detail='{"name": "Grace"}')

    assert [event["detail"]["name"] for event in wait(bus.events)] == ["Grace"]


def test_an_event_whose_function_may_not_be_invoked_is_kept(accounts: EmulatedAccounts) -> None:
    bus = Bus(accounts)
    accounts.ask("enforce")
    bus.functions.remove_permission(FunctionName=NAME, Qualifier="live", StatementId="rule")

    identifier = bus.put()["Entries"][0]["EventId"]

    (message,) = bus.queues.receive_message(QueueUrl=bus.url, MessageAttributeNames=["All"])["Messages"]
    told = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert json.loads(message["Body"])["id"] == identifier
    assert (told["RULE_ARN"], told["TARGET_ARN"]) == (RULE, LIVE)
    assert "not authorized to perform: lambda:InvokeFunction" in told["ERROR_MESSAGE"]


@pytest.mark.parametrize("context", ["", f"{FAILURES}-2"])
def test_an_event_that_cannot_be_kept_either_is_lost_and_counted(
    accounts: EmulatedAccounts, context: str
) -> None:
    """Without leave of the queue, or of its key."""
    keys = accounts.client("kms", ACCOUNT, REGION)
    key = keys.create_key()["KeyMetadata"]["Arn"]
    bus = Bus(accounts, key if context else "")
    own = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*"}
    others = {"Principal": {"Service": SERVICE}, "Action": ["kms:Decrypt", "kms:GenerateDataKey"]}

    def of_key(queue: str) -> None:
        condition = {"ArnEquals": {"kms:EncryptionContext:aws:sqs:arn": queue}}
        statements = [
            {"Effect": "Allow", "Resource": "*", **each} for each in (own, {**others, "Condition": condition})
        ]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        keys.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)

    of_key(FAILURES)
    bus.alarms.put_metric_alarm(
        AlarmName="lost",
        Namespace="AWS/Events",
        MetricName="InvocationsFailedToBeSentToDlq",
        Dimensions=[{"Name": "RuleName", "Value": "a-rule"}],
        Statistic="Sum",
        Period=86400,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    accounts.ask("pace", minute=1)
    accounts.ask("enforce")
    bus.functions.remove_permission(FunctionName=NAME, Qualifier="live", StatementId="rule")
    bus.put()
    assert len(bus.kept()) == 1
    assert bus.alarms.describe_alarms(StateValue="ALARM")["MetricAlarms"] == []

    if context:
        of_key(context)
    else:
        bus.let_in(SERVICE, {"ArnEquals": {"aws:SourceArn": f"{RULE}-2"}})
    bus.put()

    (alarm,) = bus.alarms.describe_alarms(StateValue="ALARM")["MetricAlarms"]
    assert alarm["AlarmName"] == "lost"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"Source": ""}, "InvalidArgument"),
        ({"DetailType": ""}, "InvalidArgument"),
        ({"Detail": ""}, "InvalidArgument"),
        ({"Detail": "{"}, "MalformedDetail"),
        ({"Detail": "[]"}, "MalformedDetail"),
    ],
)
def test_an_event_that_lacks_something_is_refused_alone(
    accounts: EmulatedAccounts, changes: dict[str, str], error: str
) -> None:
    answer = Bus(accounts).put(**changes)

    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == error


def test_who_puts_events_may_be_bound_to_their_source(accounts: EmulatedAccounts) -> None:
    bus = Bus(accounts)
    accounts.ask("enforce")
    statement = {
        "Effect": "Allow",
        "Action": "events:PutEvents",
        "Resource": f"arn:aws:events:{HERE}:event-bus/default",
        "Condition": {"StringEquals": {"events:source": "a-test"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    bus.iam.put_role_policy(RoleName="a-role", PolicyName="p", PolicyDocument=document)
    bus.bus = accounts.client("events", ACCOUNT, REGION, "a-role")

    assert bus.put()["FailedEntryCount"] == 0
    with pytest.raises(ClientError, match="events:PutEvents"):
        bus.put(Source="another")


def test_an_object_is_told_of_as_s3_s_documentation_shows_it(accounts: EmulatedAccounts) -> None:
    bus, s3 = Bus(accounts), accounts.client("s3", ACCOUNT, REGION)
    s3.create_bucket(Bucket="a-bucket")
    s3.put_bucket_versioning(Bucket="a-bucket", VersioningConfiguration={"Status": "Enabled"})
    notification: dict[str, Any] = {"EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(Bucket="a-bucket", NotificationConfiguration=notification)
    bus.match(source=["aws.s3"])

    stored = s3.put_object(Bucket="a-bucket", Key="in/ada.json", Body=b"hello")

    (event,) = wait(bus.events)
    assert (event["source"], event["detail-type"]) == ("aws.s3", "Object Created")
    assert event["resources"] == ["arn:aws:s3:::a-bucket"]
    assert event["detail"] == {
        "version": "0",
        "bucket": {"name": "a-bucket"},
        "object": {
            "key": "in/ada.json",
            "size": 5,
            "etag": stored["ETag"].strip('"'),
            "version-id": stored["VersionId"],
            "sequencer": event["detail"]["object"]["sequencer"],
        },
        "request-id": event["detail"]["request-id"],
        "requester": ACCOUNT,
        "source-ip-address": "127.0.0.1",
        "reason": "PutObject",
    }


def test_later_objects_have_later_sequencers_and_those_of_a_bucket_without_versions_have_none(
    accounts: EmulatedAccounts,
) -> None:
    bus, s3 = Bus(accounts), accounts.client("s3", ACCOUNT, REGION)
    s3.create_bucket(Bucket="a-bucket")
    notification: dict[str, Any] = {"EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(Bucket="a-bucket", NotificationConfiguration=notification)
    bus.match(source=["aws.s3"])

    for number in range(2):
        s3.put_object(Bucket="a-bucket", Key="key", Body=b"x" * (number + 1))

    events = wait(lambda: len(bus.events()) == 2 and bus.events())
    objects = sorted((event["detail"]["object"] for event in events), key=lambda each: each["sequencer"])
    assert [each["size"] for each in objects] == [1, 2]
    assert not any("version-id" in each for each in objects)

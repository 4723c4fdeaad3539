"""What SNS does for a function: it hands notifications over to Lambda, and keeps what that does not take."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts
from tests.emulator.invoked import ACCOUNT, ALIAS, FAILURES, HERE, Invoked, eventually

TOPIC, SNS = f"arn:aws:sns:{HERE}:a-topic", "sns.amazonaws.com"


class Subscribed(Invoked):
    """A function that is subscribed to a topic."""

    def __init__(self, accounts: EmulatedAccounts, **attributes: str) -> None:
        """Make the topic, the subscription, and what SNS needs for them; attributes: of the subscription."""
        super().__init__(accounts)
        self.topics = self.client("sns")
        nobody = {"Effect": "Deny", "Principal": "*", "Action": "sns:DeleteTopic", "Resource": TOPIC}
        policy = json.dumps({"Version": "2012-10-17", "Statement": nobody})
        self.topics.create_topic(Name="a-topic", Attributes={"Policy": policy})
        self.let_in(SNS, TOPIC)
        self.let_keep(TOPIC)
        self.topics.subscribe(
            TopicArn=TOPIC,
            Protocol="lambda",
            Endpoint=ALIAS,
            Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": FAILURES}), **attributes},
        )
        accounts.ask("enforce")

    def let_keep(self, source: str, principal: str = SNS) -> None:
        """Let SNS send to the queue for a source, and a service use its key."""
        let = {"Effect": "Allow", "Principal": {"Service": SNS}, "Resource": "*"}
        sends = {**let, "Action": "sqs:SendMessage", "Condition": {"ArnEquals": {"aws:SourceArn": source}}}
        policy = json.dumps({"Version": "2012-10-17", "Statement": sends})
        self.queues.set_queue_attributes(QueueUrl=self.failures, Attributes={"Policy": policy})
        uses = {**let, "Principal": {"Service": principal}, "Action": ["kms:Decrypt", "kms:GenerateDataKey"]}
        account = {**let, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [account, uses]})
        self.keys.put_key_policy(KeyId=self.key, PolicyName="default", Policy=policy)

    def publish(self, message: str = "a message", **said: Any) -> str:
        """Publish a message; return its identifier."""
        return str(self.topics.publish(TopicArn=TOPIC, Message=message, **said)["MessageId"])


def test_a_notification_comes_as_lambda_s_documentation_shows_it(accounts: EmulatedAccounts) -> None:
    subscribed = Subscribed(accounts)

    attributes = {"from": {"DataType": "String", "StringValue": "a test"}}
    identifier = subscribed.publish(Subject="a subject", MessageAttributes=attributes)

    ((record,),) = (event["Records"] for event in eventually(subscribed.events))
    notification = record.pop("Sns")
    subscription = record.pop("EventSubscriptionArn")
    assert record == {"EventSource": "aws:sns", "EventVersion": "1.0"}
    assert subscription.startswith(f"{TOPIC}:")
    assert (notification["MessageId"], notification["TopicArn"]) == (identifier, TOPIC)
    assert (notification["Message"], notification["Subject"]) == ("a message", "a subject")
    assert notification["MessageAttributes"] == {"from": {"Type": "String", "Value": "a test"}}
    assert {"Type", "Timestamp", "Signature", "SignatureVersion", "SigningCertUrl", "UnsubscribeUrl"} < set(
        notification
    )


def test_a_notification_without_a_subject_has_none(accounts: EmulatedAccounts) -> None:
    subscribed = Subscribed(accounts)

    subscribed.publish()

    (event,) = eventually(subscribed.events)
    assert event["Records"][0]["Sns"]["Subject"] is None


def test_a_function_gets_what_its_filter_lets_through(accounts: EmulatedAccounts) -> None:
    subscribed = Subscribed(accounts, FilterPolicy=json.dumps({"kind": ["order"]}))

    for kind in "invoice", "order":
        attributes = {"kind": {"DataType": "String", "StringValue": kind}}
        subscribed.publish(kind, MessageAttributes=attributes)

    events = eventually(subscribed.events)
    assert [event["Records"][0]["Sns"]["Message"] for event in events] == ["order"]


@pytest.mark.parametrize("gone", ["permission", "alias"])
def test_what_sns_may_not_invoke_or_is_not_there_is_kept_at_once(
    accounts: EmulatedAccounts, gone: str
) -> None:
    subscribed = Subscribed(accounts)
    if gone == "alias":
        subscribed.functions.delete_alias(FunctionName="a-function", Name="live")
    else:
        subscribed.functions.remove_permission(FunctionName="a-function", StatementId="it", Qualifier="live")

    identifier = subscribed.publish()

    (message,) = eventually(subscribed.kept)
    assert json.loads(message["Body"])["MessageId"] == identifier
    assert subscribed.events() == []


def test_a_permission_is_for_the_topic_that_it_names(accounts: EmulatedAccounts) -> None:
    subscribed = Subscribed(accounts)
    subscribed.functions.remove_permission(FunctionName="a-function", StatementId="it", Qualifier="live")
    subscribed.let_in(SNS, f"{TOPIC}-2")

    subscribed.publish()

    eventually(subscribed.kept)
    assert subscribed.events() == []


@pytest.mark.parametrize(
    ("source", "principal", "lost"),
    [(f"{TOPIC}-2", SNS, "sqs:SendMessage"), (TOPIC, "events.amazonaws.com", "kms:GenerateDataKey")],
)
def test_what_sns_may_not_even_keep_is_lost_and_counted(
    accounts: EmulatedAccounts, source: str, principal: str, lost: str
) -> None:
    subscribed, alarms = Subscribed(accounts), accounts.client("cloudwatch", ACCOUNT, "us-east-1")
    alarms.put_metric_alarm(
        AlarmName="lost",
        Namespace="AWS/SNS",
        MetricName="NumberOfNotificationsFailedToRedriveToDlq",
        Dimensions=[{"Name": "TopicName", "Value": "a-topic"}],
        Statistic="Sum",
        Period=3600,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    subscribed.functions.remove_permission(FunctionName="a-function", StatementId="it", Qualifier="live")
    subscribed.let_keep(source, principal)

    subscribed.publish()

    eventually(lambda: alarms.describe_alarms(StateValue="ALARM")["MetricAlarms"])
    assert subscribed.kept() == []
    assert lost in subscribed.denied()


def test_who_subscribes_may_be_held_to_an_endpoint(accounts: EmulatedAccounts) -> None:
    subscribed = Subscribed(accounts)
    subscribed.role("maker", "lambda.amazonaws.com", "sns:Subscribe")
    statement = {
        "Effect": "Allow",
        "Action": "sns:Subscribe",
        "Resource": TOPIC,
        "Condition": {"StringEquals": {"sns:Protocol": "lambda", "sns:Endpoint": ALIAS}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    subscribed.iam.put_role_policy(RoleName="maker", PolicyName="p", PolicyDocument=document)
    mine = accounts.client("sns", ACCOUNT, "us-east-1", "maker")

    assert mine.subscribe(TopicArn=TOPIC, Protocol="lambda", Endpoint=ALIAS)["SubscriptionArn"]
    with pytest.raises(ClientError, match="sns:Subscribe"):
        mine.subscribe(TopicArn=TOPIC, Protocol="email", Endpoint="eve@example.com")


def test_a_subscription_counts_as_its_topic(accounts: EmulatedAccounts) -> None:
    subscribed = Subscribed(accounts)
    (subscription,) = subscribed.topics.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"]
    subscribed.role("maker", "lambda.amazonaws.com", "sns:Unsubscribe")
    statement = {"Effect": "Allow", "Action": "sns:Unsubscribe", "Resource": TOPIC}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    subscribed.iam.put_role_policy(RoleName="maker", PolicyName="p", PolicyDocument=document)

    accounts.client("sns", ACCOUNT, "us-east-1", "maker").unsubscribe(
        SubscriptionArn=subscription["SubscriptionArn"]
    )

    assert subscribed.topics.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"] == []

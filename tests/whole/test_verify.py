"""What tests of a deployed function may do with its trigger: what its own test does, and no more."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts
from tests.conftest import alone, in_production
from tests.worlds import LONE, PROD, QUEUE, REGION

QUEUES = f"https://sqs.{REGION}.amazonaws.com/{PROD['id']}/{QUEUE}"
ALERTS = f"arn:aws:sns:{REGION}:{LONE['id']}:acme-alerts"
TO_FAILURES = {"QueueUrl": f"{QUEUES}-failures", "MessageBody": "x"}
EVENT = {"Source": "orders", "DetailType": "Greeting requested", "Detail": "{}"}
BUCKET = f"hello-s3-{LONE['id']}"
TABLE, KEY = {"TableName": "hello-stream"}, {"id": {"S": "1"}}  # not one of a test
ROLE = f"arn:aws:iam::{LONE['id']}:role/lambda-template/functions/hello-schedule"
SCHEDULER = f"{ROLE}-scheduler"
LIVE = f"arn:aws:lambda:{REGION}:{LONE['id']}:function:hello-schedule:live"


def once(name: str, role: str) -> dict[str, Any]:
    """Return a schedule that invokes the function, by its name and role."""
    when = {"ScheduleExpression": "at(2030-01-31T06:00:00)", "FlexibleTimeWindow": {"Mode": "OFF"}}
    target = {"Arn": LIVE, "RoleArn": role, "Input": "{}"}
    return {**when, "GroupName": "hello-schedule", "Name": name, "Target": target}


@pytest.mark.parametrize(
    ("trigger", "service", "operation", "parameters", "action"),
    [
        ("sqs", "sqs", "receive_message", {"QueueUrl": QUEUES}, "sqs:ReceiveMessage"),
        ("sqs", "sqs", "send_message", TO_FAILURES, "sqs:SendMessage"),
        ("sqs", "lambda", "invoke", {"FunctionName": QUEUE, "Qualifier": "live"}, "lambda:InvokeFunction"),
        ("sns", "sns", "publish", {"TopicArn": ALERTS, "Message": "x"}, "sns:Publish"),
        ("events", "events", "put_events", {"Entries": [EVENT]}, "events:PutEvents"),
        ("s3", "s3", "put_object", {"Bucket": BUCKET, "Key": "x", "Body": b"x"}, "s3:PutObject"),
        ("s3", "s3", "get_object", {"Bucket": BUCKET, "Key": "deployment/greeting.json"}, "s3:GetObject"),
        ("stream", "dynamodb", "put_item", {**TABLE, "Item": KEY}, "dynamodb:PutItem"),
        ("stream", "dynamodb", "delete_item", {**TABLE, "Key": KEY}, "dynamodb:DeleteItem"),
        ("stream", "dynamodb", "scan", TABLE, "dynamodb:Scan"),
        ("kinesis", "kinesis", "delete_stream", {"StreamName": "hello-kinesis"}, "kinesis:DeleteStream"),
        ("schedule", "scheduler", "create_schedule", once("x", SCHEDULER), "scheduler:CreateSchedule"),
        ("schedule", "scheduler", "create_schedule", once("deployment-x", ROLE), "iam:PassRole"),
    ],
)  # fmt: skip
def test_a_verifier_may_do_what_its_test_does_and_no_more(  # noqa: PLR0913, PLR0917  of the table
    founded: EmulatedAccounts,
    shared: Path,
    trigger: str,
    service: str,
    operation: str,
    parameters: dict[str, Any],
    action: str,
) -> None:
    if trigger == "sqs":
        made, place = in_production(founded, shared, function_name=QUEUE, trigger=trigger), PROD
    else:
        made, place = alone(founded, shared, trigger), LONE
    verifier = f"{made.result.function}-verifier"
    # Who is not there is denied as well.
    assert made.world.client("iam", place["id"], REGION).get_role(RoleName=verifier)
    client = made.world.client(service, place["id"], REGION, verifier)

    with pytest.raises(ClientError, match=f"not authorized to perform: {action} on"):
        getattr(client, operation)(**parameters)

"""The function as it is deployed, with its queue."""

import json
import os

import boto3
from logged import logged


def test_a_message_is_handled() -> None:
    queues = boto3.client("sqs")
    place = f"{os.environ['ACCOUNT']}/{os.environ['FUNCTION']}"

    sent = queues.send_message(
        QueueUrl=f"https://sqs.{queues.meta.region_name}.amazonaws.com/{place}",
        MessageBody=json.dumps({"name": "deployment"}),
    )

    assert logged(sent["MessageId"]) == "greeted"

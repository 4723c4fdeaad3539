"""The function as it is deployed, with its topic."""

import json
import os

import boto3
from logged import logged


def test_a_notification_is_handled() -> None:
    topics = boto3.client("sns")
    place = f"{topics.meta.region_name}:{os.environ['ACCOUNT']}:{os.environ['FUNCTION']}"

    sent = topics.publish(TopicArn=f"arn:aws:sns:{place}", Message=json.dumps({"name": "deployment"}))

    assert logged(sent["MessageId"]) == "greeted"

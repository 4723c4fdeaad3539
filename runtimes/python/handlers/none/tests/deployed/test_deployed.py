"""The function as it is deployed, called as whoever else calls it."""

import json
import os

import boto3


def test_a_call_is_answered_with_a_greeting() -> None:
    event = {"name": "deployment", "language": "es"}

    answer = boto3.client("lambda").invoke(
        FunctionName=os.environ["FUNCTION"], Qualifier="live", Payload=json.dumps(event)
    )

    assert json.load(answer["Payload"]) == {"message": "Hola, deployment!"}

"""The function as it is deployed, with its rule."""

import json
import os

import boto3
from logged import logged


def test_an_event_is_handled() -> None:
    event = {
        "Source": os.environ["FUNCTION"],
        "DetailType": "Greeting requested",
        "Detail": json.dumps({"name": "deployment"}),
    }

    (put,) = boto3.client("events").put_events(Entries=[event])["Entries"]

    assert logged(put["EventId"]) == "greeted"

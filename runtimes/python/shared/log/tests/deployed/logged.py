"""What the function's log tells of an event."""

import json
import os
import time

import boto3

SECONDS = 240  # that an event gets to be handled and told of
BEGAN = int(time.time()) - 60  # clocks differ


def logged(identifier: str) -> str:
    """Wait for a line of the function's log that names an event, by its identifier; return its message."""
    lines = boto3.client("logs").get_paginator("filter_log_events")
    log, deadline = f"/aws/lambda/{os.environ['FUNCTION']}", time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        found = lines.paginate(logGroupName=log, startTime=BEGAN * 1000, filterPattern=f'"{identifier}"')
        for event in (event for page in found for event in page["events"]):
            return str(json.loads(event["message"])["message"])
        time.sleep(1)
    raise TimeoutError(f"{log} does not tell of {identifier} within {SECONDS} seconds")

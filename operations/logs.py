"""Follow a function's log: a sandbox's, or that of the function itself in an environment."""

import time
from collections.abc import Iterator
from typing import Any

from operations import accounts
from operations.repository import FUNCTION
from operations.sandbox import ENVIRONMENT, sandbox

POLL_SECONDS = 1
BEFORE = 600  # seconds that are shown of what was logged before
LATE = 30  # seconds by which CloudWatch may be late with an event


def follow(logs: Any, function: str, since: float) -> Iterator[str]:
    """Yield what a function logs, as it comes. since: seconds of the epoch."""
    seen: dict[str, float] = {}
    while True:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{function}", startTime=int(since * 1000)
        )
        for event in (event for page in pages for event in page["events"]):
            if event["eventId"] not in seen:
                seen[event["eventId"]] = event["timestamp"] / 1000
                yield event["message"].rstrip()
        since = max(since, max(seen.values(), default=0) - LATE)
        seen = {name: when for name, when in seen.items() if when >= since}
        time.sleep(POLL_SECONDS)


def main(name: str, environment: str) -> None:
    """Print it until the user has seen enough. environment: may be empty; then name is a sandbox's."""
    if environment:
        asking, role, function = accounts.explained(), "reader", FUNCTION
    else:
        mine, environment, role = sandbox(name), ENVIRONMENT["name"], "developer"
        asking, function = mine.used(), mine.full_name
    with asking:
        for line in follow(accounts.client("logs", environment, role), function, time.time() - BEFORE):
            print(line, flush=True)

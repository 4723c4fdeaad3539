"""Follow a function's log: a sandbox's, or that of the function itself in an environment."""

import re
import sys
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from operations import accounts
from operations.records import readable
from operations.repository import FUNCTION
from operations.sandbox import ENVIRONMENT, sandbox

# Seconds between two looks. The account has 5 in a second, for all people and programs that look at any log:
# https://repost.aws/knowledge-center/cloudwatch-logs-throttling
SOONEST, LATEST = 2, 30
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LATE = 30  # seconds by which CloudWatch may be late with an event


class Log:
    """A function's log, from some seconds before now on, by CloudWatch's clock: ours may be wrong."""

    def __init__(self, logs: Any, function: str, before: float, raw: bool = False) -> None:
        """Begin; logs: a client of CloudWatch Logs. raw: whether records are yielded as they are."""
        self.raw = raw
        self.logs, self.group = logs, f"/aws/lambda/{function}"
        self.before, self.since = before, 0.0
        self.seen: dict[str, float] = {}

    def begin(self) -> None:
        """Find out from when on, and so whether there is a log at all."""
        now = int(time.time() * 1000)
        answer = self.logs.filter_log_events(logGroupName=self.group, startTime=now, limit=1)
        clock = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        self.since = clock.timestamp() - self.before

    def news(self) -> Iterator[str]:
        """Yield what was not yielded before; what an error keeps back comes the next time."""
        if not self.since:
            self.begin()
        pages = self.logs.get_paginator("filter_log_events").paginate(
            logGroupName=self.group, startTime=int(self.since * 1000)
        )
        found = [event for page in pages for event in page["events"]]  # of several streams
        for event in sorted(found, key=lambda event: event["timestamp"]):
            if event["eventId"] not in self.seen:
                self.seen[event["eventId"]] = event["timestamp"] / 1000
                message = event["message"].rstrip()
                if said := message if self.raw else readable(message, event["timestamp"]):
                    yield said
        self.since = max(self.since, max(self.seen.values(), default=0) - LATE)
        self.seen = {name: when for name, when in self.seen.items() if when >= self.since}

    def follow(self) -> Iterator[str]:
        """Yield what is logged, as it comes; less often while others look as well."""
        pause = SOONEST
        while True:
            try:
                yield from self.news()
                pause = SOONEST
            except ClientError as error:
                if error.response["Error"]["Code"] != "ThrottlingException":
                    raise
                pause = min(2 * pause, LATEST)
            time.sleep(pause)


def seconds(since: str) -> int:
    """Return a time such as 90s, 10m, 2h or 1d in seconds, or exit."""
    if not re.fullmatch(r"\d+[smhd]", since):
        sys.exit(f"SINCE={since}: give such as SINCE=90s, 10m, 2h or 1d")
    return int(since[:-1]) * UNITS[since[-1]]


def main(name: str, environment: str, since: str, raw: bool) -> None:
    """Print it until the user has seen enough.

    environment: may be empty; then name is a sandbox's. since: how long ago, such as 10m. raw: as JSON.
    """
    before = seconds(since)
    if environment:
        asking, role, function = accounts.explained(), "reader", FUNCTION
    else:
        mine, environment, role = sandbox(name), ENVIRONMENT["name"], "developer"
        asking, function = mine.used(), mine.full_name
    with asking:
        logs = accounts.client("logs", environment, role)
        log = Log(logs, function, before, raw)
        listing = (logs, "describe_log_groups", "logGroups[].logGroupName")
        try:
            log.begin()
            print(f"{log.group} since {since} ago, times in UTC; Ctrl-C ends", file=sys.stderr, flush=True)
            for line in log.follow():
                print(line, flush=True)
        except ClientError as error:
            deployed = role == "reader"  # what is wrong with a sandbox, it says itself
            if deployed and accounts.is_missing(error, log.group, *listing, logGroupNamePrefix=log.group):
                sys.exit(f"{function} has no log in {environment} yet: has it been deployed?")
            raise

"""What becomes of events with which a function is invoked asynchronously, whatever its trigger."""

import functools
import json
from collections.abc import Callable
from typing import Any


class Asynchronous:
    """A function, as its log and the queue of what it failed to handle tell of it."""

    def __init__(self, client: Callable[[str], Any], function: str, account: str, region: str) -> None:
        """Take a function, by its name, where it is; client: returns a client of a service."""
        self.client, self.function, self.account = functools.cache(client), function, account
        self.failures = f"{function}-failures"
        self.url = f"https://sqs.{region}.amazonaws.com/{account}/{self.failures}"

    def became(self, sent: list[str]) -> str:
        """Return what has become of events, empty while any is under way.

        sent: what each is called, in itself and in the line of the log that tells that it is handled.
        """
        kept = self.client("sqs").receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        for body in (message["Body"] for message in kept.get("Messages", [])):
            if any(name in body for name in sent):
                invoked = json.loads(body).get("requestContext", {}).get("approximateInvokeCount")
                return f"in {self.failures} " + (f"after {invoked} tries" if invoked else "without a try")
        handled = [line for line in self.handled() if any(name in line for name in sent)]
        return "handled" if all(any(name in line for line in handled) for name in sent) else ""

    def handled(self) -> list[str]:
        """Return what the function has logged, of invocations that succeeded."""
        pages = self.client("logs").get_paginator("filter_log_events")
        lines = [
            json.loads(event["message"])
            for page in pages.paginate(logGroupName=f"/aws/lambda/{self.function}")
            for event in page["events"]
        ]
        reports = [line["record"] for line in lines if line.get("type") == "platform.report"]
        succeeded = {report["requestId"] for report in reports if report["status"] == "success"}
        return [json.dumps(line) for line in lines if line.get("function_request_id") in succeeded]

"""The queue whose messages invoke a function."""

import json
from collections.abc import Callable
from typing import Any


class Trigger:
    """The queue of a function, and the one in which what fails is kept: deployment/trigger.tf."""

    def __init__(self, client: Callable[[str], Any], function: str, account: str, region: str) -> None:
        """Take a function, by its name, where it is; client: returns a client of a service."""
        self.queues, self.failures = client("sqs"), f"{function}-failures"
        self.url = f"https://sqs.{region}.amazonaws.com/{account}/{function}"

    def send(self, event: Any) -> list[str]:
        """Send the messages of an event; return their identifiers."""
        queues, sent = self.queues, []
        for record in event["Records"]:
            attributes = {
                name: {f"{key[:1].upper()}{key[1:]}": each for key, each in value.items() if each}
                for name, value in record["messageAttributes"].items()
            }
            answer = queues.send_message(
                QueueUrl=self.url, MessageBody=record["body"], MessageAttributes=attributes
            )
            sent.append(str(answer["MessageId"]))
        return sent

    def became(self, sent: list[str]) -> str:
        """Return what has become of messages, empty while the queue holds any."""
        queues = self.queues
        found = queues.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        if int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"]):
            return ""
        kept = queues.receive_message(
            QueueUrl=f"{self.url}-failures", MaxNumberOfMessages=10, VisibilityTimeout=0
        ).get("Messages", [])
        if not {message["MessageId"] for message in kept} & set(sent):
            return "handled"
        return f"in {self.failures} after {json.loads(found['RedrivePolicy'])['maxReceiveCount']} tries"

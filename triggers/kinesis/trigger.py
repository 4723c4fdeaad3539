"""The stream whose records invoke a function."""

import json
from base64 import b64decode
from collections.abc import Callable
from typing import Any


class Trigger:
    """The stream of a function, and the queue that is told what of it failed: deployment/."""

    def __init__(self, client: Callable[[str], Any], function: str, account: str, region: str) -> None:
        """Take a function, by its name, where it is; client: returns a client of a service."""
        self.client, self.stream, self.failures = client, function, f"{function}-failures"
        self.url = f"https://sqs.{region}.amazonaws.com/{account}/{self.failures}"

    def send(self, event: Any) -> list[str]:
        """Put the records of an event; return the identifiers that they have in the function's event."""
        stream, sent = self.client("kinesis"), []
        for record in event["Records"]:
            data = {
                "Data": b64decode(record["kinesis"]["data"]),
                "PartitionKey": record["kinesis"]["partitionKey"],
            }
            answer = stream.put_record(StreamName=self.stream, **data)
            sent.append(f"{answer['ShardId']}:{answer['SequenceNumber']}")
        return sent

    def became(self, sent: list[str]) -> str:
        """Return what has become of records, once none is under way."""
        kept = self.client("sqs").receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        for message in kept.get("Messages", []):
            failure = json.loads(message["Body"])
            batch = failure["KinesisBatchInfo"]
            numbers = range(int(batch["startSequenceNumber"]), int(batch["endSequenceNumber"]) + 1)
            if any(
                each.partition(":")[0] == batch["shardId"] and int(each.partition(":")[2]) in numbers
                for each in sent
            ):
                return f"in {self.failures} after {failure['requestContext']['approximateInvokeCount']} tries"
        return "handled"

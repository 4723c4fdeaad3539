"""The table whose changes invoke a function."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any


class Trigger:
    """The table of a function, and the queue that is told what of its changes failed: deployment/."""

    def __init__(self, client: Callable[[str], Any], function: str, account: str, region: str) -> None:
        """Take a function, by its name, where it is; client: returns a client of a service."""
        self.client, self.table, self.failures = client, function, f"{function}-failures"
        self.url = f"https://sqs.{region}.amazonaws.com/{account}/{self.failures}"

    def send(self, event: Any) -> list[str]:
        """Put the new items of an event, each by a new key, so that it is a change; return the keys."""
        table, sent = self.client("dynamodb"), []
        for record in event["Records"]:
            key = str(uuid.uuid4())
            table.put_item(TableName=self.table, Item={**record["dynamodb"]["NewImage"], "id": {"S": key}})
            sent.append(key)
        return sent

    def became(self, sent: list[str]) -> str:
        """Return what has become of the changes of items, once none is under way."""
        kept = self.client("sqs").receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        for message in kept.get("Messages", []):
            failure = json.loads(message["Body"])
            if set(self.keys(failure["DDBStreamBatchInfo"])) & set(sent):
                return f"in {self.failures} after {failure['requestContext']['approximateInvokeCount']} tries"
        return "handled"

    def keys(self, batch: dict[str, Any]) -> Iterator[str]:
        """Yield the keys of the items of a batch that has failed, which the stream still knows."""
        stream = self.client("dynamodbstreams")
        place = {"StreamArn": batch["streamArn"], "ShardId": batch["shardId"]}
        first = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": batch["startSequenceNumber"]}
        iterator = stream.get_shard_iterator(**place, **first)["ShardIterator"]
        for record in stream.get_records(ShardIterator=iterator, Limit=batch["batchSize"])["Records"]:
            yield record["dynamodb"]["Keys"]["id"]["S"]

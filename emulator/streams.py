"""Streams of tables and of Kinesis: Lambda takes records shard by shard, in order. moto keeps the records.

Records are kept for ever, where AWS deletes them after a day or as long as a stream says.
"""

import json
import time
import uuid
import zlib
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from moto.awslambda.models import EventSourceMapping, lambda_backends
from moto.dynamodb.models import dynamodb_backends
from moto.kinesis.models import kinesis_backends

from emulator import cloudwatch, dynamodb, kinesis, sqs
from emulator.calls import PACE, claims, doc
from emulator.event_sources import LAMBDA, LOOK, SOURCES, Poller, Source, Work, failed


@dataclass(frozen=True)
class Record:
    """A record of a shard: its place there, the key by which it is kept in order, and when it arrived.

    event: returns it as a function gets it.
    """

    number: int
    key: str
    arrived: float
    event: Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Loss:
    """Records of a shard that are given up: why, after how many tries, and how the function last answered."""

    shard: str
    records: list[Record]
    condition: str
    tries: int
    answer: dict[str, Any] | None


@dataclass(frozen=True)
class Shard:
    """A shard: the shards that come before it, and its records."""

    identifier: str
    parents: tuple[str, ...]
    records: list[Record]


class Streams(Source):
    """Streams: what fails in a batch comes again, with all behind it; a queue is told where it is given up.

    batch: what that is called there. milliseconds: whether the times there have any.
    """

    refusal = (
        "Cannot access stream {source}. Please ensure the role can perform the GetRecords, GetShardIterator, "
        "DescribeStream, and ListStreams Actions on your stream in IAM."
    )
    batch: str
    milliseconds: bool

    @abstractmethod
    def shards(self, mapping: EventSourceMapping, source: Any) -> list[Shard]:
        """Return the shards of a stream, parents first."""

    @abstractmethod
    def reads(self, mapping: EventSourceMapping, source: Any) -> list[Any]:
        """Return the actions that reading records takes."""

    def left(self, mapping: EventSourceMapping, source: Any) -> int:
        """Return how many records are left."""
        lanes = (left(mapping, shard).values() for shard in self.shards(mapping, source))
        return sum(len(records) for each in lanes for records in each)

    def work(self, poller: Poller, mapping: EventSourceMapping, source: Any) -> Iterator[Work]:
        """Take a batch of each lane of a shard that has records, once its parents have none left."""
        waiting: set[str] = set()
        for shard in self.shards(mapping, source):
            for lane, records in left(mapping, shard).items():
                if records and not waiting & set(shard.parents):
                    yield lane, partial(self.take, poller, mapping, source, shard.identifier, lane)
                if records:
                    waiting.add(shard.identifier)

    @claims("lambda takes the records of a shard in order", doc("lambda/latest/dg/with-kinesis.html"))
    def take(self, poller: Poller, mapping: EventSourceMapping, source: Any, shard: str, lane: str) -> None:
        """Take a batch to its end, in the function's role; nothing if that may not read."""

        def there() -> list[Record]:
            found = next(each for each in self.shards(mapping, source) if each.identifier == shard)
            return left(mapping, found).get(lane, [])

        until = time.monotonic() + (mapping.max_batch_window or 0) / 60 * PACE["minute"]
        while time.monotonic() < until and len(there()) < mapping.batch_size:
            time.sleep(LOOK)
        with poller.world:
            may = poller.may(mapping, self.reads(mapping, source))
        if may:
            self.handle(poller, mapping, shard, lane, there()[: mapping.batch_size])
        else:
            time.sleep(PACE["minute"])  # it does not look again at once

    @claims(
        "lambda tries the records of a stream again, in halves, and gives up",
        doc("lambda/latest/dg/kinesis-on-failure-destination.html"),
    )
    def handle(
        self, poller: Poller, mapping: EventSourceMapping, shard: str, lane: str, batch: list[Record]
    ) -> None:
        """Have a batch handled or given up, since it is too old or has been tried too often.

        A batch that is split has not used up a try, nor one for which the function could not be invoked.
        """
        answer: dict[str, Any] | None = None
        parts = [(batch, 0)] if batch else []

        def discard(records: list[Record], tries: int, condition: str) -> None:
            self.give_up(poller, mapping, Loss(shard, records, condition, tries, answer))
            pass_by(mapping, lane, records)

        while parts and is_there(mapping):
            batch, tries = parts.pop(0)
            if old := [record for record in batch if is_too_old(mapping, record)]:
                discard(old, tries, "RecordAgeExceeded")
                parts[:0] = [(batch[len(old) :], tries)] if len(old) < len(batch) else []
                continue
            answer = poller.invoke(mapping, {"Records": [record.event() for record in batch]})
            tries += answer is not None
            done, rest = self.parted(mapping, answer, batch)
            pass_by(mapping, lane, done)
            if rest and answer and mapping.bisect_on_error and len(batch) > 1:
                at = len(rest) if done else len(rest) // 2
                parts[:0] = [(part, tries - 1) for part in (rest[:at], rest[at:]) if part]
            elif rest and 0 <= bound(mapping.max_retry_attempts) < tries:
                discard(rest, tries, "RetryAttemptsExhausted")
            elif rest:
                parts.insert(0, (rest, tries))
                time.sleep(LOOK + 2**tries / 60 * PACE["minute"])

    @claims(
        "lambda goes on at the first record of a batch that failed",
        doc("lambda/latest/dg/services-ddb-batchfailurereporting.html"),
    )
    def parted(
        self, mapping: EventSourceMapping, answer: dict[str, Any] | None, batch: list[Record]
    ) -> tuple[list[Record], list[Record]]:
        """Return what of a batch is done, and what comes again: the first that failed and all behind it."""
        failures = failed(mapping, answer, [str(record.number) for record in batch])
        numbers = [record.number for record in batch]
        at = numbers.index(min(map(int, failures))) if failures else len(batch)
        return batch[:at], batch[at:]

    @claims(
        "lambda keeps a record of where a stream has failed",
        doc("lambda/latest/dg/kinesis-on-failure-destination.html"),
    )
    def give_up(self, poller: Poller, mapping: EventSourceMapping, loss: Loss) -> None:
        """Send to the queue of a mapping, if it has one, in the function's role, where records are."""
        queue = (mapping.destination_config or {}).get("OnFailure", {}).get("Destination")
        if not queue:
            return
        first, last, answer = loss.records[0], loss.records[-1], loss.answer
        told: dict[str, Any] = {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": mapping.function_arn,
                "condition": loss.condition,
                "approximateInvokeCount": loss.tries,
            }
        }
        if answer:
            told["responseContext"] = {"statusCode": 200, "executedVersion": answer["ExecutedVersion"]}
            if "FunctionError" in answer:
                told["responseContext"]["functionError"] = answer["FunctionError"]
        told |= {
            "version": "1.0",
            "timestamp": written(time.time(), milliseconds=True),
            self.batch: {
                "shardId": loss.shard,
                "startSequenceNumber": str(first.number),
                "endSequenceNumber": str(last.number),
                "approximateArrivalOfFirstRecord": written(first.arrived, self.milliseconds),
                "approximateArrivalOfLastRecord": written(last.arrived, self.milliseconds),
                "batchSize": len(loss.records),
                "streamArn": mapping.event_source_arn,
            },
        }
        if sqs.send(LAMBDA, queue, json.dumps(told), role=poller.role_of(mapping)):
            region, account, _, invoked = mapping.function_arn.split(":", 6)[3:]
            cloudwatch.count_of_function("DestinationDeliveryFailures", account, region, invoked)


@claims("lambda takes records of a shard side by side", doc("lambda/latest/dg/with-kinesis.html"))
def left(mapping: EventSourceMapping, shard: Shard) -> dict[str, list[Record]]:
    """Return what is left of a shard's records, by the lanes in which batches are handled side by side.

    All records of a key are in one lane.
    """
    positions = mapping.__dict__.setdefault("positions", {})
    lanes = mapping.parallelization_factor or 1
    names = [f"{shard.identifier}, {lane} of {lanes}" for lane in range(lanes)]
    before = [lane for lane in list(positions) if lane.startswith(f"{shard.identifier},")]
    if set(before) != set(names):
        begin = min((positions.pop(lane) for lane in before), default=-1)
        if not before and mapping.starting_position == "LATEST" and not shard.parents:
            begin = max((record.number for record in shard.records), default=-1)
        positions.update(dict.fromkeys(names, begin))
    found: dict[str, list[Record]] = {name: [] for name in names}
    for record in shard.records:
        name = names[zlib.crc32(record.key.encode()) % lanes]
        if record.number > positions[name]:
            found[name].append(record)
    return found


def pass_by(mapping: EventSourceMapping, lane: str, records: list[Record]) -> None:
    """Note that records of a lane need not come again."""
    if records:
        mapping.positions[lane] = records[-1].number  # type: ignore[attr-defined]


def is_there(mapping: EventSourceMapping) -> bool:
    """Return whether a mapping has been neither deleted nor disabled."""
    backend = lambda_backends[mapping.account_id][mapping.region]
    return mapping.enabled and mapping.uuid in backend._event_source_mappings


def bound(limit: int | None) -> int:
    """Return a limit of a mapping, -1 if it has none."""
    return -1 if limit is None else limit


def is_too_old(mapping: EventSourceMapping, record: Record) -> bool:
    """Return whether a record is older than a mapping allows. Nothing ages where a minute lasts no time."""
    oldest, minute = bound(mapping.max_record_age), PACE["minute"]
    return minute > 0 and 0 <= oldest < (time.time() - record.arrived) * 60 / minute


def written(seconds: float, milliseconds: bool) -> str:
    """Return a time as Lambda writes it."""
    there = datetime.fromtimestamp(seconds, UTC)
    return there.isoformat(timespec="milliseconds" if milliseconds else "seconds")[:-6] + "Z"


class Tables(Streams):
    """The streams of tables."""

    actions = (
        *("dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"),
        "dynamodb:ListStreams",
    )
    batch, milliseconds = "DDBStreamBatchInfo", False

    def find(self, mapping: EventSourceMapping) -> Any:
        """Return the table of a mapping's stream."""
        region, account, name = mapping.event_source_arn.split(":", 5)[3:]
        _, name, _, label = name.split("/")
        table = dynamodb_backends[account][region].tables.get(name)
        return table if table and table.latest_stream_label == label else None

    def reads(self, mapping: EventSourceMapping, source: Any) -> list[Any]:
        """Return the actions that reading records takes."""
        return [("dynamodb:GetRecords", mapping.event_source_arn, {}), *dynamodb.to_decrypt(source)]

    def shards(self, mapping: EventSourceMapping, source: Any) -> list[Shard]:
        """Return the only shard that a stream has here."""
        shard, records = source.stream_shard, []
        for each in list(shard.items):
            kept = each.record["dynamodb"]
            arrived = kept["ApproximateCreationDateTime"].replace(tzinfo=UTC).timestamp()
            event = partial(self.event, mapping, each.record, arrived)
            records.append(Record(int(kept["SequenceNumber"]), str(kept["Keys"]), arrived, event))
        return [Shard(shard.id, (), records)]

    @claims("lambda's event of a table's records", doc("lambda/latest/dg/with-ddb.html"))
    def event(self, mapping: EventSourceMapping, kept: dict[str, Any], arrived: float) -> dict[str, Any]:
        """Return a record as Lambda hands it to a function."""
        own = {"awsRegion": mapping.region, "eventVersion": "1.1", "eventSourceARN": mapping.event_source_arn}
        return kept | own | {"dynamodb": kept["dynamodb"] | {"ApproximateCreationDateTime": int(arrived)}}


class KinesisStreams(Streams):
    """Streams of Kinesis."""

    actions = (
        *("kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:DescribeStream"),
        *("kinesis:DescribeStreamSummary", "kinesis:ListShards"),
    )
    batch, milliseconds = "KinesisBatchInfo", True

    def find(self, mapping: EventSourceMapping) -> Any:
        """Return the stream of a mapping."""
        region, account, name = mapping.event_source_arn.split(":", 5)[3:]
        return kinesis_backends[account][region].streams.get(name.partition("/")[2])

    def reads(self, mapping: EventSourceMapping, source: Any) -> list[Any]:
        """Return the actions that reading records takes."""
        return [("kinesis:GetRecords", source.arn, {}), *kinesis.to_use_key(source, "kms:Decrypt")]

    def shards(self, mapping: EventSourceMapping, source: Any) -> list[Shard]:
        """Return a stream's shards."""
        found = []
        for identifier, shard in sorted(source.shards.items()):
            records = []
            for number, each in list(shard.records.items()):
                event = partial(self.event, mapping, identifier, each)
                records.append(Record(number, each.partition_key, each.created_at, event))
            parents = tuple(filter(None, (shard.parent, shard.adjacent_parent)))
            found.append(Shard(identifier, parents, records))
        return found

    @claims("lambda's event of a stream's records", doc("lambda/latest/dg/with-kinesis.html"))
    def event(self, mapping: EventSourceMapping, shard: str, kept: Any) -> dict[str, Any]:
        """Return a record as Lambda hands it to a function."""
        region, account = mapping.function_arn.split(":")[3:5]
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": kept.partition_key,
                "sequenceNumber": str(kept.sequence_number),
                "data": kept.data,
                "approximateArrivalTimestamp": round(kept.created_at, 3),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard}:{kept.sequence_number}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": lambda_backends[account][region].get_function(mapping.function_arn).role,
            "awsRegion": mapping.region,
            "eventSourceARN": mapping.event_source_arn,
        }


SOURCES.update({"dynamodb": Tables(), "kinesis": KinesisStreams()})

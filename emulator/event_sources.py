"""Event source mappings: what Lambda takes from queues by itself and hands to functions. moto keeps them.

Of a mapping one batch is handled at a time, where Lambda begins with five.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from moto.awslambda.models import EventSourceMapping, LambdaBackend, lambda_backends
from moto.core.exceptions import ServiceException
from moto.core.utils import unix_time_millis
from moto.sqs.models import sqs_backends

from emulator import calls
from emulator.calls import MODEL, PACE, AwsError, Call, claims, doc
from emulator.lambda_ import Functions
from emulator.mends import replaces
from emulator.sqs import to_decrypt

LOOK = 0.05  # seconds between two looks into the queues
LAMBDA = "lambda.amazonaws.com"
POLLS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


@replaces(
    LambdaBackend, "create_event_source_mapping", rests=doc("lambda/latest/dg/services-sqs-configure.html")
)
def create_mapping(backend: LambdaBackend, original: Any, spec: dict[str, Any]) -> EventSourceMapping:
    """Refuse a function that may not take messages, or takes longer than they are hidden. AWS does, moto not.

    In AWS's words: https://github.com/aws/aws-cdk/issues/6770
    """
    source, function = spec["EventSourceArn"], backend.get_function(spec["FunctionName"])
    for action in POLLS:
        if calls.act(LAMBDA, backend.account_id, backend.region_name, [(action, source)], role=function.role):
            message = "The provided execution role does not have permissions to call "
            raise AwsError("InvalidParameterValueException", f"{message}{action[4:]} on SQS")
    mapping: EventSourceMapping = original(backend, spec)
    queue = queue_of(mapping)
    if queue.visibility_timeout < function.timeout:
        backend.delete_event_source_mapping(mapping.uuid)
        message = (
            f"Queue visibility timeout: {queue.visibility_timeout} seconds is less than Function timeout: "
        )
        raise AwsError("InvalidParameterValueException", f"{message}{function.timeout} seconds")
    queue.lambda_event_source_mappings.clear()  # moto would run the function itself, by docker
    mapping.function_arn = qualified(mapping.function_arn, spec["FunctionName"])
    return mapping


@replaces(LambdaBackend, "update_event_source_mapping", rests=MODEL)
def update_mapping(backend: LambdaBackend, original: Any, uuid: str, spec: dict[str, Any]) -> Any:
    """Keep the alias of a function that a mapping is given. AWS does, moto takes a version for it."""
    mapping = original(backend, uuid, spec)
    if mapping and "FunctionName" in spec:
        mapping.function_arn = qualified(mapping.function_arn, spec["FunctionName"])
    return mapping


def qualified(arn: str, name: str) -> str:
    """Return a function's ARN with the version or alias that a name of it ends with."""
    return ":".join([*arn.split(":")[:7], *name.rpartition(":function:")[2].split(":")[1:]])


def queue_of(mapping: EventSourceMapping) -> Any:
    """Return the queue of a mapping, None if it has been deleted."""
    region, account, name = mapping.event_source_arn.split(":")[3:6]
    return sqs_backends[account][region].queues.get(name)


def mappings() -> Iterator[EventSourceMapping]:
    """Yield all mappings."""
    for regions in list(lambda_backends.values()):
        for backend in list(regions.values()):
            yield from list(backend._event_source_mappings.values())


class Pollers:
    """What polls the queues of a world."""

    def __init__(self, world: threading.RLock, functions: Functions, record: Callable[..., Any]) -> None:
        """Poll for functions; world: held while moto's state is read or changed. record: keeps a call."""
        self._world, self._functions, self._record = world, functions, record
        self._busy: dict[str, threading.Thread] = {}

    def run(self) -> None:
        """Poll for ever."""
        while True:
            time.sleep(LOOK)
            for mapping in mappings():
                busy, queue = self._busy.get(mapping.uuid), queue_of(mapping)
                if mapping.enabled and queue and queue.messages and not (busy and busy.is_alive()):
                    self._busy[mapping.uuid] = threading.Thread(
                        target=self.take, args=(mapping, queue), daemon=True
                    )
                    self._busy[mapping.uuid].start()

    @claims("lambda takes messages in batches", doc("lambda/latest/dg/with-sqs.html"))
    def take(self, mapping: EventSourceMapping, queue: Any) -> None:
        """Take a batch and hand it to the function; in the function's role, so nothing if that may not."""
        minute = PACE["minute"]
        until = time.monotonic() + (mapping.max_batch_window or 0) / 60 * minute
        while time.monotonic() < until and len(queue.messages) < mapping.batch_size:
            time.sleep(LOOK)
        backend = lambda_backends[queue.account_id][queue.region]
        here = (LAMBDA, queue.account_id, queue.region)
        with self._world:
            role = backend.get_function(mapping.function_arn).role
            receives = [(POLLS[0], queue.queue_arn, {}), *to_decrypt(queue)]
            if calls.act(*here, receives, role=role):
                messages = []
            else:
                messages = hidden(queue, mapping.batch_size, queue.visibility_timeout / 60 * minute)
        if messages:
            failed = self.failures(mapping, messages)
            done = [message for message in messages if message.id not in failed]
            with self._world:
                if done and calls.act(*here, [(POLLS[1], queue.queue_arn)], role=role) is None:
                    for message in done:
                        queue.delete_message(message.receipt_handle)
        else:
            time.sleep(minute)  # it does not look again at once

    @claims(
        "of a batch the messages that failed come again",
        doc("lambda/latest/dg/services-sqs-errorhandling.html"),
    )
    def failures(self, mapping: EventSourceMapping, messages: list[Any]) -> set[Any]:
        """Invoke a function with messages; return which have failed, by what it answers."""
        every = {message.id for message in messages}
        answer = self.invoke(mapping, {"Records": [record_of(m, mapping) for m in messages]})
        if answer is None or "FunctionError" in answer:
            return every
        if "ReportBatchItemFailures" not in (mapping.function_response_types or []):
            return set()
        said = json.loads(answer["Payload"] or b"null") or {}
        named = said.get("batchItemFailures") or [] if isinstance(said, dict) else []
        failed = {each.get("itemIdentifier") if isinstance(each, dict) else None for each in named}
        return failed if failed <= every else every  # one that the batch does not have fails all

    def invoke(self, mapping: EventSourceMapping, event: dict[str, Any]) -> dict[str, Any] | None:
        """Return how a function answers; None if it cannot be invoked."""
        region, account = mapping.function_arn.split(":")[3:5]
        parameters = {"FunctionName": mapping.function_arn, "Payload": json.dumps(event).encode()}
        call = Call("lambda", "Invoke", region, account, LAMBDA, parameters=parameters)
        began, clock, answer, error = time.time(), time.perf_counter(), None, None
        try:
            answer = self._functions.invoke(call, account)
            error = answer.get("FunctionError")
        except ServiceException as refusal:
            error = refusal.code
        self._record(call, 200 if answer else 400, error, began, clock)
        return answer


def hidden(queue: Any, count: int, seconds: float) -> list[Any]:
    """Return messages of a queue as they are received, which hides them for so long."""
    backend = sqs_backends[queue.account_id][queue.region]
    messages: list[Any] = backend.receive_message(queue.name, count, 0, 1, ["All"])
    received = {message.id for message in messages}
    for message in queue._messages:
        if message.id in received:
            message.visible_at = unix_time_millis() + 1000 * seconds
    return messages


@claims("lambda's event of messages", doc("lambda/latest/dg/with-sqs.html"))
def record_of(message: Any, mapping: EventSourceMapping) -> dict[str, Any]:
    """Return a message as Lambda hands it to a function."""
    given = {
        name: {f"{key[:1].lower()}{key[1:]}": each for key, each in value.items()}
        | {"stringListValues": [], "binaryListValues": []}
        for name, value in message.message_attributes.items()
    }
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.approximate_receive_count),
            "SentTimestamp": str(message.sent_timestamp),
            "SenderId": message.sender_id,
            "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
        },
        "messageAttributes": given,
        "md5OfBody": hashlib.md5(message.body.encode()).hexdigest(),  # noqa: S324
        "eventSource": "aws:sqs",
        "eventSourceARN": mapping.event_source_arn,
        "awsRegion": mapping.region,
    }

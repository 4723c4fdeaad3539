"""Event source mappings: what Lambda takes from queues and streams and hands to functions. moto keeps them.

Of a queue one batch is handled at a time, where Lambda begins with five. For streams see streams.py.
"""

import hashlib
import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from typing import Any

from moto.awslambda.models import EventSourceMapping, LambdaBackend, lambda_backends
from moto.core.exceptions import ServiceException
from moto.core.utils import unix_time_millis
from moto.sqs.models import sqs_backends

from emulator import calls
from emulator.calls import MODEL, NOTHING, PACE, AwsError, Call, claims, command, doc
from emulator.lambda_ import Functions
from emulator.mends import replaces
from emulator.sqs import to_decrypt

LOOK = 0.1  # seconds between two looks into the sources
LAMBDA = "lambda.amazonaws.com"

Work = tuple[str, Callable[[], None]]  # of what part of a source, and what to do with that


class Source(ABC):
    """A kind of event source: what Lambda must be able to do with it, and does.

    actions: by which it takes events, in the function's role. refusal: what it says of a mapping without one.
    """

    actions: tuple[str, ...]
    refusal: str

    @abstractmethod
    def find(self, mapping: EventSourceMapping) -> Any:
        """Return what moto knows as a mapping's source, None if it has been deleted."""

    def fault(self, source: Any, function: Any) -> str:
        """Return why a source is refused though the function may take its events, empty if it is not."""
        return ""

    @abstractmethod
    def left(self, mapping: EventSourceMapping, source: Any) -> int:
        """Return how much of a source the function has not handled yet, nor Lambda given up."""

    @abstractmethod
    def work(self, poller: "Poller", mapping: EventSourceMapping, source: Any) -> Iterator[Work]:
        """Yield what there is to do: of each part at most one thing is done at a time."""


SOURCES: dict[str, Source] = {}  # by service


def service_of(arn: str) -> str:
    """Return the service of an ARN."""
    return arn.split(":")[2]


def on(source: str, action: str) -> str:
    """Return the resource on which Lambda does an action with a source."""
    return "*" if action.endswith(":ListStreams") else source


@replaces(
    LambdaBackend,
    "create_event_source_mapping",
    rests=doc("lambda/latest/dg/invocation-eventsourcemapping.html"),
)
def create_mapping(backend: LambdaBackend, original: Any, spec: dict[str, Any]) -> EventSourceMapping:
    """Refuse a source that the function may not take from, or that does not fit it. AWS does, moto not.

    In AWS's words: https://github.com/aws/aws-cdk/issues/6770, https://github.com/aws-amplify/amplify-cli/issues/12965
    """
    arn, function = spec["EventSourceArn"], backend.get_function(spec["FunctionName"])
    kind = SOURCES[service_of(arn)]
    for action in kind.actions:
        asked = [(action, on(arn, action))]
        if calls.act(LAMBDA, backend.account_id, backend.region_name, asked, role=function.role):
            message = kind.refusal.format(action=action.partition(":")[2], source=arn)
            raise AwsError("InvalidParameterValueException", message)
    mapping: EventSourceMapping = original(backend, spec)
    source = kind.find(mapping)
    source.lambda_event_source_mappings.clear()  # moto would run the function itself, by docker
    if fault := kind.fault(source, function):
        backend.delete_event_source_mapping(mapping.uuid)
        raise AwsError("InvalidParameterValueException", fault)
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


def mappings() -> Iterator[EventSourceMapping]:
    """Yield all mappings."""
    for regions in list(lambda_backends.values()):
        for backend in list(regions.values()):
            yield from list(backend._event_source_mappings.values())


@command
@claims("the command under_way", NOTHING)
def under_way(account: str, function: str) -> int:
    """Return how much of its sources a function of an account has not handled yet, nor Lambda given up."""
    found = 0
    for mapping in mappings():
        kind, of = SOURCES[service_of(mapping.event_source_arn)], mapping.function_arn.split(":")
        if (of[4], of[6]) == (account, function) and (source := kind.find(mapping)):
            found += kind.left(mapping, source)
    return found


class Poller:
    """What polls the sources of a world."""

    def __init__(self, world: threading.RLock, functions: Functions, record: Callable[..., Any]) -> None:
        """Poll for functions; world: held while moto's state is read or changed. record: keeps a call."""
        self.world, self._functions, self._record = world, functions, record
        self._busy: dict[tuple[str, str], threading.Thread] = {}

    def run(self) -> None:
        """Poll for ever."""
        while True:
            time.sleep(LOOK)
            for mapping in mappings():
                kind = SOURCES[service_of(mapping.event_source_arn)]
                if mapping.enabled and (source := kind.find(mapping)):
                    for part, do in kind.work(self, mapping, source):
                        self._start((mapping.uuid, part), do)

    def _start(self, part: tuple[str, str], do: Callable[[], None]) -> None:
        busy = self._busy.get(part)
        if not (busy and busy.is_alive()):
            self._busy[part] = threading.Thread(target=do, daemon=True)
            self._busy[part].start()

    def role_of(self, mapping: EventSourceMapping) -> str:
        """Return the role of a mapping's function."""
        region, account = mapping.function_arn.split(":")[3:5]
        return str(lambda_backends[account][region].get_function(mapping.function_arn).role)

    def may(self, mapping: EventSourceMapping, actions: list[Any]) -> bool:
        """Return whether Lambda may do actions in the role of a mapping's function."""
        role = self.role_of(mapping)
        return calls.act(LAMBDA, role.split(":")[4], mapping.region, actions, role=role) is None

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


def failed(mapping: EventSourceMapping, answer: dict[str, Any] | None, batch: Collection[str]) -> set[Any]:
    """Return which of a batch have failed, by their identifiers and by what a function answers."""
    every = set(batch)
    if answer is None or "FunctionError" in answer:
        return every
    if "ReportBatchItemFailures" not in (mapping.function_response_types or []):
        return set()
    said = json.loads(answer["Payload"] or b"null") or {}
    named = said.get("batchItemFailures") or [] if isinstance(said, dict) else []
    found = {each.get("itemIdentifier") if isinstance(each, dict) else None for each in named}
    return found if found <= every else every  # one that the batch does not have fails all


class Queues(Source):
    """Queues: a batch of messages is hidden while the function has it."""

    actions = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    refusal = "The provided execution role does not have permissions to call {action} on SQS"

    def find(self, mapping: EventSourceMapping) -> Any:
        """Return the queue of a mapping."""
        region, account, name = mapping.event_source_arn.split(":")[3:6]
        return sqs_backends[account][region].queues.get(name)

    @claims(
        "lambda refuses a queue that shows messages again before the function has ended",
        doc("lambda/latest/dg/services-sqs-configure.html"),
    )
    def fault(self, source: Any, function: Any) -> str:
        """Refuse a function that takes longer than messages are hidden."""
        seconds = source.visibility_timeout
        longer = f"seconds is less than Function timeout: {function.timeout} seconds"
        return f"Queue visibility timeout: {seconds} {longer}" if seconds < function.timeout else ""

    def left(self, mapping: EventSourceMapping, source: Any) -> int:
        """Return how many messages there are, those that are hidden among them."""
        return len(source._messages)

    def work(self, poller: Poller, mapping: EventSourceMapping, source: Any) -> Iterator[Work]:
        """Take a batch if there are messages."""
        if source.messages:
            yield "", lambda: self.take(poller, mapping, source)

    @claims("lambda takes messages in batches", doc("lambda/latest/dg/with-sqs.html"))
    def take(self, poller: Poller, mapping: EventSourceMapping, queue: Any) -> None:
        """Take a batch and hand it to the function; in the function's role, so nothing if that may not."""
        minute = PACE["minute"]
        until = time.monotonic() + (mapping.max_batch_window or 0) / 60 * minute
        while time.monotonic() < until and len(queue.messages) < mapping.batch_size:
            time.sleep(LOOK)
        receive, delete, _ = self.actions
        with poller.world:
            messages = []
            if poller.may(mapping, [(receive, queue.queue_arn, {}), *to_decrypt(queue)]):
                messages = hidden(queue, mapping.batch_size, queue.visibility_timeout / 60 * minute)
        if messages:
            failures = self.failures(poller, mapping, messages)
            done = [message for message in messages if message.id not in failures]
            with poller.world:
                if done and poller.may(mapping, [(delete, queue.queue_arn)]):
                    for message in done:
                        queue.delete_message(message.receipt_handle)
        else:
            time.sleep(minute)  # it does not look again at once

    @claims(
        "of a batch the messages that failed come again",
        doc("lambda/latest/dg/services-sqs-errorhandling.html"),
    )
    def failures(self, poller: Poller, mapping: EventSourceMapping, messages: list[Any]) -> set[Any]:
        """Invoke a function with messages; return which have failed."""
        answer = poller.invoke(mapping, {"Records": [record_of(m, mapping) for m in messages]})
        return failed(mapping, answer, [message.id for message in messages])


SOURCES["sqs"] = Queues()


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

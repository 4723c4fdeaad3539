"""Asynchronous invocations: Lambda takes an event, invokes later, tries again, and records what has failed.

At most two run at a time, where Lambda scales further. An event comes once, where Lambda may repeat it.
"""

import json
import re
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.core.exceptions import JsonRESTError, ServiceException

from emulator import calls, cloudwatch, sqs
from emulator.calls import MODEL, PACE, AwsError, Call, claims, doc, moment, now, operation
from emulator.lambda_ import Functions, check_event
from emulator.states import check_active

LAMBDA = "lambda.amazonaws.com"
AT_ONCE = 2
RETRIES, OLDEST = 2, 6 * 60 * 60  # and seconds, where no configuration says otherwise
SETTINGS = ("DestinationConfig", "MaximumEventAgeInSeconds", "MaximumRetryAttempts")


def function_of(account: str, region: str, name: str) -> Any:
    """Return a function by its name or an ARN. Raises moto's error if there is none."""
    return lambda_backends[account][region].get_function(name.rpartition(":function:")[2].split(":")[0])


def settings_of(function: Any) -> dict[str, dict[str, Any]]:
    """Return how a function is invoked asynchronously, by the qualifier for which that is configured."""
    kept: dict[str, dict[str, Any]] = vars(function).setdefault("asynchronous", {})
    return kept


def configured(call: Call) -> tuple[Any, str]:
    """Return the function that a call configures, and the qualifier."""
    name = call.parameters["FunctionName"]
    function = function_of(call.account, call.region, name)
    qualifier = call.parameters.get("Qualifier") or name.rpartition(":function:")[2].partition(":")[2]
    if qualifier:
        lambda_backends[call.account][call.region].get_function(function.function_name, qualifier)
    return function, qualifier or "$LATEST"


@operation(
    "lambda",
    "PutFunctionEventInvokeConfig",
    rests=doc("lambda/latest/api/API_PutFunctionEventInvokeConfig.html"),
)
def put_settings(call: Call) -> dict[str, Any]:
    """Configure a qualifier of a function; refuse a queue to which the function may not send.

    In AWS's words: https://github.com/aws-amplify/amplify-js/issues/9869
    """
    function, qualifier = configured(call)
    given = {name: call.parameters[name] for name in SETTINGS if name in call.parameters}
    if queue := queue_of(given):
        sends = [("sqs:SendMessage", queue)]
        if calls.act(LAMBDA, call.account, call.region, sends, role=function.role):
            message = (
                f"The function's execution role does not have permissions to call SendMessage on {queue}"
            )
            raise AwsError("InvalidParameterValueException", message)
    settings_of(function)[qualifier] = {**given, "LastModified": moment(now())}
    return get_settings(call)


@operation(
    "lambda",
    "GetFunctionEventInvokeConfig",
    rests=doc("lambda/latest/api/API_GetFunctionEventInvokeConfig.html"),
)
def get_settings(call: Call) -> dict[str, Any]:
    """Return what is configured for a qualifier of a function."""
    function, qualifier = configured(call)
    arn = f"{function.function_arn}:{qualifier}"
    if qualifier not in settings_of(function):
        message = f"The function {arn} doesn't have an EventInvokeConfig"
        raise AwsError("ResourceNotFoundException", message, 404)
    return {"FunctionArn": arn, **settings_of(function)[qualifier]}


@operation("lambda", "DeleteFunctionEventInvokeConfig", rests=MODEL)
def delete_settings(call: Call) -> dict[str, Any]:
    """Delete what is configured for a qualifier of a function."""
    get_settings(call)
    function, qualifier = configured(call)
    del settings_of(function)[qualifier]
    return {}


def queue_of(settings: dict[str, Any]) -> str:
    """Return the queue that gets a record of each event that has failed, empty if none does."""
    given = settings.get("DestinationConfig", {})
    queue: str = given.get("OnFailure", {}).get("Destination", "")
    if given.get("OnSuccess", {}).get("Destination") or not re.match("arn:aws:sqs:|$", queue):
        raise NotImplementedError(f"records of asynchronous invocations elsewhere than in a queue: {given}")
    return queue


@dataclass
class Event:
    """What Lambda has taken and not done with.

    arn: what it invokes, as it was named; payload: JSON; who: the principal that asked. age: the seconds that
    it has waited. raised, refused: how often the function has, or Lambda could not invoke it.
    """

    identifier: str
    arn: str
    payload: bytes
    who: str
    age: float = 0
    raised: int = 0
    refused: int = 0


EVENTS: dict[str, Event] = {}  # by identifier


class Queue:
    """The events of a world that functions are still to be invoked with."""

    def __init__(self, world: threading.RLock, functions: Functions, record: Callable[..., Any]) -> None:
        """Handle events for functions; world: held while moto's state is read. record: keeps a call."""
        self._world, self._functions, self._record = world, functions, record
        self._places = threading.Semaphore(AT_ONCE)
        for event in list(EVENTS.values()):  # of the world that this one is a copy of
            self._begin(event)

    @claims("lambda answers before it has invoked", doc("lambda/latest/dg/invocation-async.html"))
    def take(self, call: Call, account: str) -> dict[str, Any]:
        """Answer lambda:Invoke of type Event of a function of an account. Raises what is refused at once."""
        said, payload = call.parameters, call.parameters.get("Payload") or b"{}"
        name, _, qualifier = said["FunctionName"].rpartition(":function:")[2].partition(":")
        qualifier = said.get("Qualifier") or qualifier
        with self._world:
            check_active(lambda_backends[account][call.region].get_function(name, qualifier or None))
        check_event(payload)
        arn = f"arn:aws:lambda:{call.region}:{account}:function:{name}:{qualifier}".rstrip(":")
        event = Event(str(uuid.uuid4()), arn, payload, call.principal)
        EVENTS[event.identifier] = event
        self._begin(event)
        return {"StatusCode": 202}

    def ask(
        self, service: str, arn: str, event: Any, *, source: str = "", role: str = ""
    ) -> ServiceException | None:
        """Take an event that a service of AWS has for a function; return why it may not, None if it is taken.

        service: its principal; source and role: as Front.act has them.
        """
        region, account = arn.split(":")[3:5]
        invokes = [("lambda:InvokeFunction", arn)]
        if why := calls.act(service, account, region, invokes, source=source, role=role):
            return AwsError("AccessDeniedException", why, 403)
        parameters = {"FunctionName": arn, "Payload": json.dumps(event).encode()}
        try:
            self.take(Call("lambda", "Invoke", region, account, service, parameters=parameters), account)
        except ServiceException as refusal:
            return refusal
        except JsonRESTError as gone:  # moto's, of a function that is not there
            return AwsError(gone.error_type, gone.message, gone.code)
        return None

    def _begin(self, event: Event) -> None:
        threading.Thread(target=self._handle, args=(event,), daemon=True).start()

    @claims("lambda tries again what failed", doc("lambda/latest/dg/invocation-async-error-handling.html"))
    def _handle(self, event: Event) -> None:
        """Invoke until it is done, or given up; nothing more if the function has been deleted."""
        region, account, _, name, *qualifier = event.arn.split(":")[3:]
        while True:
            answer = self._invoke(event, account, region)
            try:
                with self._world:
                    function = function_of(account, region, name)
                    settings = settings_of(function).get("".join(qualifier) or "$LATEST", {})
            except ServiceException:
                break
            if answer and "FunctionError" not in answer:
                break
            if answer:
                event.raised += 1
                wait = 60.0 * event.raised
            else:
                wait = min(2.0**event.refused, 300)
                event.refused += 1
            condition = ""
            if event.raised > settings.get("MaximumRetryAttempts", RETRIES):
                condition = "RetriesExhausted"
            elif function.reserved_concurrency == 0:
                condition = "ZeroReservedConcurrency"
            elif event.age + wait > settings.get("MaximumEventAgeInSeconds", OLDEST):
                condition = "EventAgeExceeded"
            if condition:
                self._give_up(event, function, settings, condition, answer)
                break
            time.sleep(wait / 60 * PACE["minute"])
            event.age += wait
        EVENTS.pop(event.identifier, None)

    def _invoke(self, event: Event, account: str, region: str) -> dict[str, Any] | None:
        """Return how the function answers; None if it cannot be invoked."""
        parameters = {"FunctionName": event.arn, "Payload": event.payload}
        call = Call("lambda", "Invoke", region, account, event.who, parameters=parameters)
        answer, error = None, None
        with self._places:
            began, clock = time.time(), time.perf_counter()
            try:
                answer = self._functions.invoke(call, account, event.identifier)
                error = answer.get("FunctionError")
            except ServiceException as refusal:
                error = refusal.code
        self._record(call, 200 if answer else 400, error, began, clock)
        return answer

    @claims(
        "lambda keeps a record of what failed", doc("lambda/latest/dg/invocation-async-retain-records.html")
    )
    def _give_up(
        self,
        event: Event,
        function: Any,
        settings: dict[str, Any],
        condition: str,
        answer: dict[str, Any] | None,
    ) -> None:
        """Send a record of an event to the queue that is configured for it, in the function's role."""
        queue, qualifier = queue_of(settings), event.arn.split(":")[7:] or ["$LATEST"]
        if not queue:
            return
        record = {
            "version": "1.0",
            "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
            "requestContext": {
                "requestId": event.identifier,
                "functionArn": ":".join([*event.arn.split(":")[:7], *qualifier]),
                "condition": condition,
                "approximateInvokeCount": event.raised,
            },
            "requestPayload": json.loads(event.payload),
        }
        if answer:
            version, error = answer["ExecutedVersion"], answer["FunctionError"]
            context = {"statusCode": 200, "executedVersion": version, "functionError": error}
            record |= {
                "responseContext": context,
                "responsePayload": json.loads(answer["Payload"] or b"null"),
            }
        region, account, _, name = event.arn.split(":")[3:7]
        with self._world:
            if sqs.send(LAMBDA, queue, json.dumps(record), role=function.role):
                invoked = f"{name}:{qualifier[0]}"
                cloudwatch.count_of_function("DestinationDeliveryFailures", account, region, invoked)

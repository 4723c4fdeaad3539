"""What Lambda's functions and versions are while they are made or changed: not active yet.

https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
While a function is changed, AWS answers invocations with what was there before; here what is new answers.
"""

from typing import Any
from urllib.parse import unquote

from moto.awslambda.models import LambdaFunction, LambdaStorage
from moto.awslambda.responses import LambdaResponse

from emulator.calls import PACE, AwsError, doc, now
from emulator.mends import replaces

PENDING = 0.1  # minutes until what is made or changed is there; AWS takes seconds, and does not say how many
STATES = doc("lambda/latest/dg/functions-states.html")
NOT_NOW = "The operation cannot be performed at this time. "


def soon() -> float:
    """Return when something that begins now will be there."""
    return now() + PENDING * PACE["minute"]


def check_active(function: Any) -> None:
    """Refuse what needs a function or version that is active. Raises AwsError."""
    if now() < function.active_from:
        message = f"{NOT_NOW}The function is currently in the following state: Pending"
        raise AwsError("ResourceConflictException", message, 409)


@replaces(LambdaFunction, "__init__", rests=STATES)
def create_function(function: Any, original: Any, *args: Any, **named: Any) -> None:
    """Begin to make a function. AWS takes a while, in moto it is there."""
    original(function, *args, **named)
    function.active_from, function.updated_from = soon(), 0.0


@replaces(LambdaStorage, "publish_version", rests=STATES)
def publish_version(storage: Any, original: Any, name: str, description: str = "") -> Any:
    """Begin to make a version, if there is anything new. AWS takes a while, in moto it is there."""
    before = list(storage.list_versions_by_function(name))
    version = original(storage, name, description)
    if version not in before:
        version.active_from, version.updated_from = soon(), 0.0
    return version


def change(function: Any, original: Any, *args: Any) -> Any:
    """Begin to change a function. AWS takes a while, in moto it is done."""
    function.updated_from = soon()
    return original(function, *args)


replaces(LambdaFunction, "update_configuration", rests=STATES)(change)
replaces(LambdaFunction, "update_function_code", rests=STATES)(change)


@replaces(LambdaFunction, "get_configuration", rests=STATES)
def get_function(function: Any, original: Any, on_create: bool = False) -> dict[str, Any]:
    """Return a function with its state. AWS has more states than moto's Active."""
    configuration: dict[str, Any] = original(function, on_create)
    if now() < function.active_from:
        configuration |= {"State": "Pending", "StateReasonCode": "Creating"}
        configuration["StateReason"] = "The function is being created."
    if now() < function.updated_from:
        configuration["LastUpdateStatus"] = "InProgress"
    return configuration


def change_what_is_there(response: Any, original: Any) -> Any:
    """Refuse to change or publish a function that is being made or changed. AWS does, moto does not look."""
    function = response.backend.get_function(unquote(response.path.rsplit("/", 2)[-2]))
    check_active(function)
    if now() < function.updated_from:
        message = f"{NOT_NOW}An update is in progress for resource: {function.function_arn}"
        raise AwsError("ResourceConflictException", message, 409)
    return original(response)


for changing in "publish_version", "update_function_code", "update_function_configuration":
    replaces(LambdaResponse, changing, rests=STATES)(change_what_is_there)

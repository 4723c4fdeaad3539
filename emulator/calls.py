"""What all of the emulator shares: a call, what is checked of it, an error, the clock, who answers what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.model import OperationModel

PERSON = "OrganizationAccountAccessRole"  # with which AWS Organizations creates an account: its administrator


@dataclass(frozen=True)
class Caller:
    """Who asks: the ARNs of a role and of its session, or the principal of a service of AWS."""

    role: str = ""
    session: str = ""
    service: str = ""

    @property
    def account(self) -> str:
        """Return the caller's account; a service has none."""
        return self.role.split(":")[4] if self.role else ""


@dataclass(frozen=True)
class Request:
    """What IAM is asked: may this caller do this action on this resource?

    owner: the account of the resource. context: condition keys, in lower case, with their values.
    """

    caller: Caller
    action: str
    resource: str
    owner: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """What was checked for a call. denied: why, in AWS's words, None if it is allowed."""

    caller: Caller
    action: str
    resource: str
    owner: str
    context: dict[str, str]
    denied: str | None

    @property
    def request(self) -> Request:
        """Return what IAM was asked."""
        return Request(self.caller, self.action, self.resource, self.owner, self.context)


@dataclass
class Call:
    """A call in progress. parameters are complete; model is None where botocore knows no such operation."""

    service: str
    operation: str
    region: str
    account: str = ""
    principal: str = ""
    role: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    model: OperationModel | None = None
    protocol: str = ""
    checks: list[Check] = field(default_factory=list)
    note: str | None = None


def owner(call: Call) -> str:
    """Return the account that a call reaches.

    AWS reaches a resource of another account where an ARN names it; moto looks in the caller's account.
    """
    named = {"kms": "KeyId", "lambda": "FunctionName"}.get(call.service, "")
    arn = str(call.parameters.get(named)).split(":")
    return arn[4] if arn[0] == "arn" else call.account


class AwsError(ServiceException):
    """An error that a service answers: its code, its message, and its HTTP status if the model has none."""

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        """Make an error to raise."""
        super().__init__(code, message)
        self.status = status


# Who answers

Operation = Callable[[Call], dict[str, Any]]

OPERATIONS: dict[tuple[str, str], Operation] = {}
COMMANDS: dict[str, Callable[..., Any]] = {}  # by which whoever uses the emulator tells and asks


def operation(service: str, *names: str) -> Callable[[Operation], Operation]:
    """Answer operations of a service with what the decorated function returns for a call."""

    def register(answer: Operation) -> Operation:
        OPERATIONS.update({(service, name): answer for name in names})
        return answer

    return register


def command(does: Callable[..., Any]) -> Callable[..., Any]:
    """Make the decorated function a control command, by its name."""
    COMMANDS[does.__name__] = does
    return does


def act(*given: Any, **named: Any) -> str | None:
    """Judge what a service does by itself; front.py puts its own in the place of this."""


# The clock

PACE = {"minute": 1.0}  # seconds that an emulated minute lasts


def now() -> float:
    """Return the time, in seconds since the epoch."""
    return datetime.now(UTC).timestamp()


def moment(seconds: float) -> datetime:
    """Return a time as AWS's answers have it."""
    return datetime.fromtimestamp(seconds, UTC)


@command
def pace(minute: float) -> None:
    """Let an emulated minute last so many seconds."""
    PACE["minute"] = minute

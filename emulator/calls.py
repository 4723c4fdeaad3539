"""What all of the emulator shares: a call, what is checked of it, an error, the clock, who answers what.

And what it claims of AWS, with what each claim rests on.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

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

    owner: the account of the resource. context: the condition keys, in lower case, of which it is known
    whether AWS sends them, with their values; None if it sends none.
    """

    caller: Caller
    action: str
    resource: str
    owner: str
    context: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """What was checked for a call. denied: why, in AWS's words, None if it is allowed."""

    caller: Caller
    action: str
    resource: str
    owner: str
    context: dict[str, str | None]
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


# What is claimed of AWS


@dataclass(frozen=True)
class Basis:
    """What a claim rests on: of which kind, and its address, its date, or what would settle it."""

    kind: str
    what: str = ""


def doc(address: str) -> Basis:
    """Rest on AWS's documentation."""
    return Basis("documentation", f"https://docs.aws.amazon.com/{address}")


def guess(settled: str) -> Basis:
    """Rest on nothing; settled: what would settle it."""
    return Basis("guess", settled)


def recorded(scenario: str, date: str) -> Basis:
    """Rest on what AWS answered to a scenario of the recorder, on a date."""
    return Basis("recorded from AWS", f"tests/emulator/recorded/{scenario}.json of {date}")


MODEL = Basis("the API's model", "botocore: what an operation takes, answers and raises")
MOTO = Basis("moto", "as moto answers it")
NOTHING = Basis("no claim", "tells or asks what AWS is not said to do")
MISSING = Basis("missing")

CLAIMS: dict[str, Basis] = {}
USED: set[str] = set()
Does = TypeVar("Does", bound=Callable[..., Any])


def use(claim: str, rests: Basis) -> None:
    """Note that something was done as a claim says."""
    CLAIMS.setdefault(claim, rests)
    USED.add(claim)


def claims(claim: str, rests: Basis) -> Callable[[Does], Does]:
    """Mark the decorated function with what it claims of AWS, and what that rests on."""
    CLAIMS[claim] = rests

    def mark(does: Does) -> Does:
        @functools.wraps(does)
        def noted(*args: Any, **kwargs: Any) -> Any:
            USED.add(claim)
            return does(*args, **kwargs)

        return noted  # type: ignore[return-value]

    return mark


# Who answers

Operation = Callable[[Call], dict[str, Any]]

OPERATIONS: dict[tuple[str, str], Operation] = {}
COMMANDS: dict[str, Callable[..., Any]] = {}  # by which whoever uses the emulator tells and asks


def operation(service: str, *names: str, rests: Basis = MISSING) -> Callable[[Operation], Operation]:
    """Answer operations of a service with what the decorated function returns for a call."""

    def register(answer: Operation) -> Operation:
        OPERATIONS.update({(service, name): claims(f"{service}:{name}", rests)(answer) for name in names})
        return answer

    return register


def command(does: Does) -> Does:
    """Make the decorated function a control command, by its name, which says of itself what it claims."""
    CLAIMS.setdefault(f"the command {does.__name__}", MISSING)
    COMMANDS[does.__name__] = does
    return does


# Gives a message to a target of a rule of EventBridge: account, region, target, rule, message; returns why it
# could not.
Deliver = Callable[[str, str, dict[str, Any], Any, str], str | None]

TARGETS: dict[str, Deliver] = {}  # by service


def to(service: str, *, rests: Basis = MISSING) -> Callable[[Deliver], Deliver]:
    """Have EventBridge deliver messages to targets of a service by the decorated function."""

    def register(deliver: Deliver) -> Deliver:
        TARGETS[service] = claims(f"events delivers to {service}", rests)(deliver)
        return deliver

    return register


def act(*given: Any, **named: Any) -> str | None:
    """Judge what a service does by itself; front.py puts its own in the place of this."""


def invoke(*given: Any, **named: Any) -> ServiceException | None:
    """Have Lambda take an event for a function from a service; front.py puts its own in the place of this."""


# The clock

PACE = {"minute": 1.0}  # seconds that an emulated minute lasts


def now() -> float:
    """Return the time, in seconds since the epoch."""
    return datetime.now(UTC).timestamp()


def moment(seconds: float) -> datetime:
    """Return a time as AWS's answers have it."""
    return datetime.fromtimestamp(seconds, UTC)


@command
@claims("the command claimed", NOTHING)
def claimed() -> list[dict[str, Any]]:
    """Return what is claimed of AWS: what it rests on, and whether it has been used."""
    return [{"claim": c, "kind": b.kind, "basis": b.what, "used": c in USED} for c, b in CLAIMS.items()]


@command
@claims("the command pace", NOTHING)
def pace(minute: float) -> None:
    """Let an emulated minute last so many seconds."""
    PACE["minute"] = minute

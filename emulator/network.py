"""What Lambda asks for before it puts a function into a network. moto asks for nothing."""

from collections.abc import Iterator
from typing import Any

from moto.awslambda.models import LambdaFunction

from emulator import calls
from emulator.calls import AwsError, Call, claims, doc
from emulator.judge.checks import Asked
from emulator.mends import replaces

PAGE = doc("lambda/latest/dg/configuration-vpc.html")
OF_ROLE = ("CreateNetworkInterface", "DeleteNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets")
OF_CALLER = ("DescribeSecurityGroups", "DescribeSubnets", "DescribeVpcs")


@claims("whoever puts a function into a network must be able to see that", PAGE)
def asked(call: Call) -> Asked:
    """Yield what is checked of whoever puts a function into a network."""
    if call.parameters.get("VpcConfig", {}).get("SubnetIds"):
        yield from ((f"ec2:{action}", "*", {}) for action in OF_CALLER)


@replaces(LambdaFunction, "__init__", rests=PAGE)
def create(
    function: Any, original: Any, account_id: str, spec: dict[str, Any], *args: Any, **kwargs: Any
) -> None:
    """Refuse a function whose role may not make the interfaces that it needs."""
    original(function, account_id, spec, *args, **kwargs)
    refuse(function, function.role, spec)


@replaces(LambdaFunction, "update_configuration", rests=PAGE)
def update(function: Any, original: Any, changes: dict[str, Any]) -> Any:
    """The same of one that is there."""
    refuse(function, changes.get("Role") or function.role, changes)
    return original(function, changes)


def refuse(function: Any, role: str, spec: dict[str, Any]) -> None:
    """Refuse what asks for a network, if a role may not make the interfaces. Raises AwsError."""
    if not (spec.get("VpcConfig") or {}).get("SubnetIds"):
        return
    for action, resource in needed(function):
        if calls.act(
            "lambda.amazonaws.com", function.account_id, function.region, [(action, resource)], role=role
        ):
            message = "The provided execution role does not have permissions to call "
            raise AwsError("InvalidParameterValueException", f"{message}{action[4:]} on EC2")


def needed(function: Any) -> Iterator[tuple[str, str]]:
    """Yield what a function's role needs, on what."""
    interfaces = f"arn:aws:ec2:{function.region}:{function.account_id}:network-interface/*"
    for action in OF_ROLE:
        yield f"ec2:{action}", "*" if action.startswith("Describe") else interfaces

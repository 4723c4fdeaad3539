"""IAM's policies, evaluated as AWS documents it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html. What this does not
know (an operator, a variable) raises UnknownError: it never passes for allowed.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.calls import Request

Document = Mapping[str, Any]


class UnknownError(Exception):
    """A policy holds what is not known here; the message names it."""


@dataclass(frozen=True)
class Policies:
    """What governs a request: of the caller, of the resource; boundary, resource: None where there is none.

    delegating: whether the resource's policy must at least delegate to the account, as those of KMS keys and
    the trust of roles must.
    """

    identity: list[Document]
    boundary: Document | None = None
    resource: Document | None = None
    delegating: bool = False


def decide(request: Request, policies: Policies) -> str | None:
    """Return why a request is denied, in AWS's words, or None if it is allowed."""
    of_caller = [*policies.identity, *filter(None, [policies.boundary])]
    if any(applies(s, request, "Deny") for document in of_caller for s in statements(document)):
        whose = name(request.caller.role)
        return f"with an explicit deny in an identity-based policy or the boundary of {whose}"
    of_resource = statements(policies.resource or {})
    if any(named(s, request) for s in of_resource if applies(s, request, "Deny")):
        return "with an explicit deny in a resource-based policy"

    grants = {named(s, request) for s in of_resource if applies(s, request, "Allow")}
    foreign = request.caller.account != request.owner
    if "caller" in grants and (request.caller.service or not foreign):
        return None  # what a session itself is given, nothing of its role's limits
    identity = any(applies(s, request, "Allow") for d in policies.identity for s in statements(d))
    bounded = policies.boundary is None or any(
        applies(s, request, "Allow") for s in statements(policies.boundary)
    )
    if (foreign or policies.delegating) and not grants - {None}:
        return f"because no resource-based policy allows the {request.action} action"
    if not identity and (foreign or "role" not in grants):
        missing = "identity-based policy"
    elif not bounded:
        missing = "permissions boundary"
    else:
        return None
    return f"because no {missing} of {name(request.caller.role)} allows the {request.action} action"


def name(arn: str) -> str:
    """Return the name at the end of a role's ARN."""
    return arn.rpartition("/")[2]


def statements(document: Document) -> list[Document]:
    """Return the statements of a policy."""
    return listed(document.get("Statement", []))


def listed(value: Any) -> list[Any]:
    """Return what may be a list or a single thing as a list."""
    return value if isinstance(value, list) else [value]


def parse(text: str | bytes) -> Document:
    """Return a policy from its text."""
    document: Document = json.loads(text)
    return document


def applies(statement: Document, request: Request, effect: str) -> bool:
    """Return whether a statement of an effect speaks of a request, principals aside."""
    if statement["Effect"] != effect:
        return False
    for element, wanted, fold in (("Action", request.action, True), ("Resource", request.resource, False)):
        if element in statement and not any(
            like(p, wanted, request, fold) for p in listed(statement[element])
        ):
            return False
        opposite = statement.get(f"Not{element}", [])
        if any(like(p, wanted, request, fold) for p in listed(opposite)):
            return False
    return all(
        holds(operator, key, listed(values), request)
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def named(statement: Document, request: Request) -> str | None:
    """Return how a resource's policy names the caller: itself, its role, its account, or not."""
    if "NotPrincipal" in statement:
        raise UnknownError("NotPrincipal")
    principals, caller = statement["Principal"], request.caller
    if principals == "*":
        principals = {"AWS": "*"}
    arns = listed(principals.get("AWS", []))
    if caller.service:
        itself = caller.service in listed(principals.get("Service", [])) or "*" in arns
        return "caller" if itself else None
    for how, names in (
        ("caller", [caller.session]),
        ("role", ["*", caller.role]),
        ("account", [caller.account, f"arn:aws:iam::{caller.account}:root"]),
    ):
        if any(each in arns for each in names):
            return how
    return None


def like(pattern: str, text: str, request: Request, fold: bool = False) -> bool:
    """Return whether text matches a pattern with * and ?, and with policy variables."""

    def replace(found: re.Match[str]) -> str:
        if found[1].lower() not in request.context:
            raise UnknownError(found[0])
        return request.context[found[1].lower()]

    filled = re.sub(r"\$\{([^}]+)\}", replace, pattern)
    expression = re.escape(filled).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text, re.DOTALL | (re.IGNORECASE if fold else 0)) is not None


def equal(pattern: str, text: str, request: Request) -> bool:
    """Return whether text is exactly what a policy says."""
    return pattern == text


def arn_like(pattern: str, text: str, request: Request) -> bool:
    """Return whether an ARN matches a pattern, each of its six parts by itself, as documented."""
    patterns, parts = pattern.split(":", 5), text.split(":", 5)
    return len(patterns) == len(parts) and all(map(like, patterns, parts, [request] * len(parts)))


def boolean(pattern: str, text: str, request: Request) -> bool:
    """Return whether text is the truth value that a policy says."""
    return str(pattern).lower() == text.lower()


OPERATORS: dict[str, Callable[[str, str, Request], bool]] = {
    "StringEquals": equal,
    "StringLike": like,
    "ArnEquals": arn_like,  # as documented, the same as ArnLike
    "ArnLike": arn_like,
    "Bool": boolean,
}


def holds(operator: str, key: str, values: Iterable[Any], request: Request) -> bool:
    """Return whether a condition holds. A missing key fails it, unless it is negated or IfExists."""
    known = request.context.get(key.lower())
    if operator == "Null":
        return (known is None) == (str(next(iter(values))).lower() == "true")
    base, exists = operator.removesuffix("IfExists"), operator.endswith("IfExists")
    negated = base.startswith(("StringNot", "ArnNot"))
    compare = OPERATORS.get(base.replace("Not", "", 1) if negated else base)
    if compare is None:
        raise UnknownError(f"the operator {operator}")
    if known is None:
        return exists or negated
    return any(compare(str(value), known, request) for value in values) != negated

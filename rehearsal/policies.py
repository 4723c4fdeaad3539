"""IAM's policies, evaluated as AWS documents it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html. What this does not
know (an operator, a variable) raises UnknownError: it never passes for allowed.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]
Context = Mapping[str, str]


class UnknownError(Exception):
    """A policy holds what is not known here; the message names it."""


@dataclass(frozen=True)
class Request:
    """What IAM is asked: may this role do this action on this resource?

    role, session: the caller's ARNs. owner: the account of the resource. context: condition keys, in lower
    case, with their values.
    """

    role: str
    session: str
    action: str
    resource: str
    owner: str
    context: Context = field(default_factory=dict)

    @property
    def account(self) -> str:
        """Return the caller's account."""
        return self.role.split(":")[4]


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
        return f"with an explicit deny in an identity-based policy or the boundary of {name(request.role)}"
    of_resource = statements(policies.resource or {})
    if any(named(s, request) for s in of_resource if applies(s, request, "Deny")):
        return "with an explicit deny in a resource-based policy"

    grants = {named(s, request) for s in of_resource if applies(s, request, "Allow")} - {None}
    foreign = request.account != request.owner
    identity = any(applies(s, request, "Allow") for d in policies.identity for s in statements(d))
    bounded = policies.boundary is None or any(
        applies(s, request, "Allow") for s in statements(policies.boundary)
    )
    missing = ""
    if (foreign or policies.delegating) and not grants:
        missing = "resource-based policy"
    elif not foreign and "role" in grants:
        pass  # the resource itself names the role
    elif not identity:
        missing = "identity-based policy"
    elif not bounded:
        missing = "permissions boundary"
    if missing == "resource-based policy":
        return f"because no {missing} allows the {request.action} action"
    return (
        f"because no {missing} of {name(request.role)} allows the {request.action} action"
        if missing
        else None
    )


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
    """Return how a statement of a resource's policy names the caller: role, account, or not at all."""
    if "NotPrincipal" in statement:
        raise UnknownError("NotPrincipal")
    principals = statement["Principal"]
    if principals == "*":
        return "role"
    for principal in map(str, listed(principals.get("AWS", []))):
        if principal in ("*", request.role, request.session):
            return "role"
        if principal in (request.account, f"arn:aws:iam::{request.account}:root"):
            return "account"
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


def boolean(pattern: str, text: str, request: Request) -> bool:
    """Return whether text is the truth value that a policy says."""
    return str(pattern).lower() == text.lower()


OPERATORS: dict[str, Callable[[str, str, Request], bool]] = {
    "StringEquals": equal,
    "StringLike": like,
    "ArnEquals": like,  # as documented, the same as ArnLike
    "ArnLike": like,
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

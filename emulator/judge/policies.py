"""IAM's policies, evaluated as AWS documents it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html. What this does not
know (an operator, a condition key) raises UnknownError: it never passes for allowed.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from emulator.calls import Request

Document = Mapping[str, Any]
VARIABLE = re.compile(r"\$\{([^}]*)\}")
FIELD_END = re.compile(r":(?![^{}]*\})")  # a colon that is not within a variable


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
    if any(speaks(s, request, "Deny") and named(s, request) and met(s, request) for s in of_resource):
        return "with an explicit deny in a resource-based policy"

    allowing = [(named(s, request), s) for s in of_resource if speaks(s, request, "Allow")]
    grants = {how for how, s in allowing if how and met(s, request)}
    foreign = request.caller.account != request.owner
    if "caller" in grants and (request.caller.service or not foreign):
        return None  # what a session itself is given, nothing of its role's limits
    identity = any(applies(s, request, "Allow") for d in policies.identity for s in statements(d))
    bounded = policies.boundary is None or any(
        applies(s, request, "Allow") for s in statements(policies.boundary)
    )
    if (foreign or policies.delegating) and not grants:
        return f"because no resource-based policy allows the {request.action} action"
    missing = ["identity-based policy"] if not identity and (foreign or "role" not in grants) else []
    missing += [] if bounded else ["permissions boundary"]
    whose = f"of {name(request.caller.role)} allows the {request.action} action"
    return f"because no {' and no '.join(missing)} {whose}" if missing else None


def mentioned(policies: Policies) -> set[str]:
    """Return the condition keys that policies ask for, in lower case."""
    documents = [*policies.identity, *filter(None, (policies.boundary, policies.resource))]
    found = set()
    for statement in (each for document in documents for each in statements(document)):
        keys = [key for keys in statement.get("Condition", {}).values() for key in keys]
        variables = VARIABLE.findall(json.dumps(statement))
        found |= {key.partition(",")[0].strip().lower() for key in (*keys, *variables)}
    return found


def name(arn: str) -> str:
    """Return the name at the end of a role's ARN."""
    return arn.rpartition("/")[2]


def statements(document: Document) -> list[Document]:
    """Return the statements of a policy; in one of another version than this, variables are mere text."""
    if document.get("Version") != "2012-10-17":
        document = parse(json.dumps(document).replace("${", "${$}{"))
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
    return speaks(statement, request, effect) and met(statement, request)


def speaks(statement: Document, request: Request, effect: str) -> bool:
    """Return whether a statement of an effect speaks of a request, principals and conditions aside."""
    if statement["Effect"] != effect:
        return False
    for element, compare, asked in (
        ("Action", same_action, request.action),
        ("Resource", same, request.resource),
    ):
        if element in statement and not any(compare(p, asked, request) for p in listed(statement[element])):
            return False
        opposite = statement.get(f"Not{element}", [])
        if any(compare(p, asked, request) for p in listed(opposite)):
            return False
    return True


def met(statement: Document, request: Request) -> bool:
    """Return whether all conditions of a statement hold."""
    found = [
        holds(operator, key, listed(values), request)
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    ]
    return all(found)


def named(statement: Document, request: Request) -> str | None:
    """Return how a resource's policy names the caller: itself, its role, its account, or not."""
    if "NotPrincipal" in statement:
        raise UnknownError("NotPrincipal")
    principals, caller = statement["Principal"], request.caller
    if principals == "*":
        principals = {"AWS": "*"}
    arns = listed(principals.get("AWS", []))
    if caller.service:
        others = [*listed(principals.get("Service", [])), *listed(principals.get("Federated", []))]
        itself = caller.service in others or "*" in arns
        return "caller" if itself else None
    for how, names in (
        ("caller", [caller.session]),
        ("role", ["*", caller.role]),
        ("account", [caller.account, f"arn:aws:iam::{caller.account}:root"]),
    ):
        if any(each in arns for each in names):
            return how
    return None


def value_of(key: str, request: Request) -> str | None:
    """Return the value of a condition key, None if AWS sends none with such a request."""
    if key.lower() not in request.context:
        raise UnknownError(f"the condition key {key} of {request.action}")
    return request.context[key.lower()]


def expression(pattern: str, request: Request, *, wild: bool = True) -> str:
    """Return a pattern as a regular expression, its variables filled; wild: whether * and ? stand for others.

    Where a variable has no value, nothing matches.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    texts = VARIABLE.split(pattern)
    for place, text in enumerate(texts):
        texts[place] = re.escape(text)
        if place % 2:
            key, _, default = text.partition(",")
            value = text if text in ("*", "?", "$") else value_of(key.strip(), request)
            value = default.strip().strip("'") if value is None and default else value
            texts[place] = "(?!)" if value is None else re.escape(value)
        elif wild:
            texts[place] = texts[place].replace(r"\*", ".*").replace(r"\?", ".")
    return "".join(texts)


def like(pattern: str, text: str, request: Request) -> bool:
    """Return whether text matches a pattern with * and ?, and with policy variables."""
    return re.fullmatch(expression(pattern, request), text, re.DOTALL) is not None


def same_action(pattern: str, action: str, request: Request) -> bool:
    """Return whether an action is one that a policy means."""
    if not any(sign in pattern for sign in "*?$"):  # nearly all; an expression for each is slow
        return pattern.lower() == action.lower()
    return re.fullmatch(expression(pattern, request), action, re.IGNORECASE) is not None


def same(pattern: str, resource: str, request: Request) -> bool:
    """Return whether a resource is one that a policy means.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html: what an ARN lacks of its six fields
    is whatever it may be.
    """
    fields = FIELD_END.split(pattern, 5)
    if "${" in ":".join(fields[:5]):
        raise UnknownError(f"a variable before the fifth colon of {pattern}")
    missing = 6 - len(fields) if fields[0] == "arn" else 0
    return like(pattern + ":*" * missing, resource, request)


def equal(pattern: str, text: str, request: Request) -> bool:
    """Return whether text is exactly what a policy says."""
    return re.fullmatch(expression(pattern, request, wild=False), text, re.DOTALL) is not None


def arn_like(pattern: str, text: str, request: Request) -> bool:
    """Return whether an ARN matches a pattern, each of its six parts by itself, as documented."""
    patterns, parts = FIELD_END.split(pattern, 5), text.split(":", 5)
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


def holds(operator: str, key: str, values: list[Any], request: Request) -> bool:
    """Return whether a condition holds.

    A missing key fails it, unless it is negated, IfExists or for all values, of which each is a line.
    """
    known = value_of(key, request)
    if operator.startswith("ForAllValues:"):
        of_each = [{**request.context, key.lower(): each} for each in (known or "").splitlines()]
        alone = operator.partition(":")[2]
        return all(holds(alone, key, values, replace(request, context=each)) for each in of_each)
    if operator == "Null":
        return any((known is None) == (str(value).lower() == "true") for value in values)
    base, exists = operator.removesuffix("IfExists"), operator.endswith("IfExists")
    negated = base.startswith(("StringNot", "ArnNot"))
    compare = OPERATORS.get(base.replace("Not", "", 1) if negated else base)
    if compare is None:
        raise UnknownError(f"the operator {operator}")
    if known is None:
        return exists or negated
    return any(compare(str(value), known, request) for value in values) != negated

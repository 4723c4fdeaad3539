"""Each call against the policies that govern it, as IAM would judge it."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from moto.backends import get_backend
from moto.iam.models import iam_backends

from emulator.calls import MISSING, PERSON, AwsError, Basis, Call, Caller, Check, Request, claims, doc
from emulator.judge.checks import AWS, asked, completed, context, foreign, pairs
from emulator.judge.policies import Document, Policies, UnknownError, decide, mentioned, parse

ADMINISTRATOR = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
# With which AWS Organizations creates an account: from the management account alone, which is none of ours.
# https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_accounts_access-cross-account-role.html
FROM_MANAGEMENT = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "900000000009"}}
UNCHECKED = {("sts", "GetCallerIdentity")}  # nobody needs a permission for it
DENIED = {"s3": "AccessDenied", "iam": "AccessDenied", "sts": "AccessDenied", "sns": "AuthorizationError"}

Guarded = tuple[Document | None, str, bool]
Guard = Callable[[str, str], Guarded]
GUARDS: dict[str, Guard] = {}
TAGS: dict[str, tuple[Any, Callable[[Any, str, str], Any]]] = {}  # by ARN: moto's service, and what reads it


@dataclass
class SignedCall(Call):
    """A call, with the condition keys that come with the credentials that have signed it."""

    carried: dict[str, str | None] = field(default_factory=dict)


def guards(service: str, *, rests: Basis = MISSING) -> Callable[[Guard], Guard]:
    """Have the decorated function, given a region and a resource, answer as resource_policy."""

    def register(guard: Guard) -> Guard:
        GUARDS[service] = claims(f"the policies of {service}'s resources", rests)(guard)
        return guard

    return register


def judge(call: SignedCall) -> list[Check]:
    """Return what AWS checks for a call. Raises UnknownError."""
    if call.role is None or (call.service, call.operation) in UNCHECKED:
        return []
    caller = Caller(call.role, call.principal)
    return [
        check(caller, call.region, action, resource, context(call) | call.carried | more)
        for action, resource, more in asked(call)
    ]


def refusal(service: str, denied: Check) -> AwsError:
    """Return the error with which a service refuses a call."""
    who = denied.caller.session or denied.caller.service
    message = f"User: {who} is not authorized to perform: {denied.action} on resource: {denied.resource}"
    return AwsError(DENIED.get(service, "AccessDeniedException"), f"{message} {denied.denied}", 403)


def check(caller: Caller, region: str, action: str, resource: str, told: dict[str, Any]) -> Check:
    """Check an action of a caller in a region; told: condition keys beside those of every request.

    Raises UnknownError.
    """
    if not AWS.actions.action_exists(*action.lower().split(":")):
        raise UnknownError(f"AWS has no action {action}")
    of_resource, where, delegating = resource_policy(region, action, resource)
    owned_by = where or caller.account
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    known = {
        "aws:multifactorauthpresent": None,  # a role's session is not told of it: iam.py
        "aws:principalaccount": caller.account or None,
        "aws:principalarn": caller.role or None,
        "aws:principalisawsservice": "true" if caller.service else "false",
        "aws:principalservicename": caller.service or None,
        "aws:requestedregion": region,
        "aws:resourceaccount": owned_by,
        "aws:securetransport": "true",
        "aws:sourceaccount": None,  # only services of AWS tell for whom they act
        "aws:sourcearn": None,
        "aws:sourceowner": caller.account or None,  # in SNS's default policy
        "aws:username": None,  # roles have none
        "kms:calleraccount": caller.account or None,
        "lambda:sourcefunctionarn": None,  # of what Lambda calls by itself or runs
    }
    identity, boundary = policies_of(caller.role) if caller.role else ([], None)
    policies = Policies(identity or [], boundary, of_resource, delegating)
    keys = mentioned(policies)
    if "lambda:sourcefunctionarn" in mentioned(Policies([], None, of_resource)):
        raise UnknownError("lambda:SourceFunctionArn in a resource's policy, where AWS does not support it")
    known |= told | principal_tags(caller) | resource_tags(action, resource, keys)
    known = completed(action, keys, known)
    if identity is None:
        denied: str | None = f"because there is no role {caller.role.rpartition('/')[2]} in {caller.account}"
    else:
        denied = decide(Request(caller, action, resource, owned_by, known), policies)
    service, name = action.split(":")
    level = AWS.actions.get_action_details(service, name)["accessLevel"]
    if denied is None and "Permissions management" in level and service not in {"iam", *GUARDS}:
        raise UnknownError(f"{action}: the judge reads no policies of {service}'s resources")
    return Check(caller, action, resource, owned_by, known, denied)


@claims(
    "a role's tags are those of its sessions",
    doc("IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principaltag"),
)
def principal_tags(caller: Caller) -> dict[str, str | None]:
    """Return the condition keys of the tags of the caller's role."""
    role = role_of(caller.role) if caller.role else None
    tags = {f"aws:principaltag/{key}".lower(): value for key, value in pairs(role and role.tags).items()}
    return tags | {"aws:principaltag/*": None}


@claims(
    "a resource's tags are told for the actions that AWS lists",
    doc("IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-resourcetag"),
)
def resource_tags(action: str, resource: str, keys: Collection[str]) -> dict[str, str | None]:
    """Return those among condition keys that are of a resource's tags, if they can be read.

    Of a role that is passed they cannot: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html
    says that they must not be relied upon.
    """
    wanted = [key for key in keys if re.match("(aws|iam):resourcetag/", key) and not foreign(action, key)]
    if not wanted or action == "iam:PassRole":
        return {}
    _, _, service, region, account, end = [*resource.split(":", 5), *[""] * 5][:6]
    for pattern, (of_moto, read) in TAGS.items():
        if found := re.fullmatch(pattern, f"{service}:{end}"):
            backend = get_backend(of_moto)[account][region or "aws"]
            kept = read(backend, f"arn:aws:{service}:{region}:{account}:{found[1]}", found[2])
            tags = {key.lower(): value for key, value in pairs(kept).items()}
            return {key: tags.get(key.partition("/")[2]) for key in wanted}
    return {}


def policies_of(role: str) -> tuple[list[Document] | None, Document | None]:
    """Return the policies of a role, None if there is no such role, and its boundary, None if it has none."""
    found = role_of(role)
    if found is None:
        return ([ADMINISTRATOR] if role.endswith(f"/{PERSON}") else None), None
    backend, boundary = iam_backends[role.split(":")[4]]["aws"], found.permissions_boundary_arn
    identity = [parse(text) for text in found.policies.values()]
    identity += [managed(policy) for policy in found.managed_policies.values()]
    return identity, managed(backend.get_policy(boundary)) if boundary else None


def role_of(arn: str) -> Any:
    """Return the role of an ARN, None if there is none of its name."""
    roles, name = iam_backends[arn.split(":")[4]]["aws"].get_roles(), arn.rpartition("/")[2]
    return next((role for role in roles if role.name == name), None)


def managed(policy: Any) -> Document:
    """Return what a managed policy says in its default version."""
    return parse(next(version.document for version in policy.versions if version.is_default))


def resource_policy(region: str, action: str, resource: str) -> Guarded:
    """Return the policy of a resource, the account that owns it, and whether it must at least delegate.

    A policy of a resource is about actions of that resource's own service.
    """
    service, _, account, rest = (resource.split(":", 5)[2:6] + [""] * 4)[:4]
    if service in GUARDS and action.startswith(f"{service}:"):
        return GUARDS[service](region, resource)
    if action not in {"sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"}:
        return None, account, False
    roles = {role.arn: role for role in iam_backends[account]["aws"].get_roles()}
    if resource in roles:
        return parse(roles[resource].assume_role_policy_document), account, True
    return {"Statement": FROM_MANAGEMENT} if rest == f"role/{PERSON}" else None, account, True

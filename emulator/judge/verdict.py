"""Each call against the policies that govern it, as IAM would judge it."""

from collections.abc import Callable
from typing import Any

from moto.iam.models import iam_backends

from emulator.calls import MISSING, PERSON, AwsError, Basis, Call, Caller, Check, Request, claims
from emulator.judge.checks import AWS, asked, completed, context
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


def guards(service: str, *, rests: Basis = MISSING) -> Callable[[Guard], Guard]:
    """Have the decorated function, given a region and a resource, answer as resource_policy."""

    def register(guard: Guard) -> Guard:
        GUARDS[service] = claims(f"the policies of {service}'s resources", rests)(guard)
        return guard

    return register


def judge(call: Call) -> list[Check]:
    """Return what AWS checks for a call. Raises UnknownError."""
    if call.role is None or (call.service, call.operation) in UNCHECKED:
        return []
    caller = Caller(call.role, call.principal)
    return [
        check(caller, call.region, action, resource, context(call) | more)
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
    }
    identity, boundary = policies_of(caller.role) if caller.role else ([], None)
    policies = Policies(identity or [], boundary, of_resource, delegating)
    known = completed(action, mentioned(policies), known | told)
    if identity is None:
        denied: str | None = f"because there is no role {caller.role.rpartition('/')[2]} in {caller.account}"
    else:
        denied = decide(Request(caller, action, resource, owned_by, known), policies)
    service, name = action.split(":")
    level = AWS.actions.get_action_details(service, name)["accessLevel"]
    if denied is None and "Permissions management" in level and service not in {"iam", *GUARDS}:
        raise UnknownError(f"{action}: the judge reads no policies of {service}'s resources")
    return Check(caller, action, resource, owned_by, known, denied)


def policies_of(role: str) -> tuple[list[Document] | None, Document | None]:
    """Return the policies of a role, None if there is no such role, and its boundary, None if it has none."""
    backend, name = iam_backends[role.split(":")[4]]["aws"], role.rpartition("/")[2]
    found = next((known for known in backend.get_roles() if known.name == name), None)
    if found is None:
        return ([ADMINISTRATOR] if name == PERSON else None), None
    boundary = found.permissions_boundary_arn
    identity = [parse(text) for text in found.policies.values()]
    identity += [managed(policy) for policy in found.managed_policies.values()]
    return identity, managed(backend.get_policy(boundary)) if boundary else None


def managed(policy: Any) -> Document:
    """Return what a managed policy says in its default version."""
    return parse(next(version.document for version in policy.versions if version.is_default))


def resource_policy(region: str, action: str, resource: str) -> Guarded:
    """Return the policy of a resource, the account that owns it, and whether it must at least delegate."""
    service, _, account, rest = (resource.split(":", 5)[2:6] + [""] * 4)[:4]
    if service in GUARDS:
        return GUARDS[service](region, resource)
    if action != "sts:AssumeRole":
        return None, account, False
    roles = {role.arn: role for role in iam_backends[account]["aws"].get_roles()}
    if resource in roles:
        return parse(roles[resource].assume_role_policy_document), account, True
    return {"Statement": FROM_MANAGEMENT} if rest == f"role/{PERSON}" else None, account, True

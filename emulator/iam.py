"""IAM and STS: what they check, and the roles that an organization's StackSets make."""

import json
from typing import Any

from moto.iam.models import iam_backends

from emulator.calls import Call, claims, command, doc
from emulator.judge.checks import Asked, derived, reads
from emulator.judge.policies import UnknownError


@reads("iam", rests=doc("service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html"))
def asked(call: Call, action: str) -> Asked:
    """Yield what IAM checks; the boundary of a role is that which it has, or is created with."""
    said = call.parameters
    if call.operation.endswith("OpenIDConnectProvider"):
        host = said.get("Url", "").removeprefix("https://")
        arn = said.get("OpenIDConnectProviderArn") or f"arn:aws:iam::{call.account}:oidc-provider/{host}"
        yield action, arn, {}
        if call.operation.startswith("Create") and said.get("Tags"):
            yield "iam:TagOpenIDConnectProvider", arn, {}
        return
    if "RoleName" not in said:
        yield from derived(call, action)
        return
    roles = {role.name: role for role in iam_backends[call.account]["aws"].get_roles()}
    role = None if call.operation == "CreateRole" else roles.get(said["RoleName"])
    arn = role.arn if role else f"arn:aws:iam::{call.account}:role{said.get('Path', '/')}{said['RoleName']}"
    boundary = said.get("PermissionsBoundary") or (role and role.permissions_boundary_arn)
    told = {"iam:permissionsboundary": boundary, "iam:policyarn": said.get("PolicyArn")}
    yield action, arn, {key: value for key, value in told.items() if value}
    if call.operation == "CreateRole" and said.get("Tags"):
        yield "iam:TagRole", arn, {}


@reads("sts", rests=doc("IAM/latest/UserGuide/id_credentials_mfa_configure-api-require.html"))
def asked_of_sts(call: Call, action: str) -> Asked:
    """Yield what STS checks. A device's code counts as the role is taken, and is not told of its session."""
    said = call.parameters
    for limit in {"Policy", "PolicyArns", "SourceIdentity", "Tags"} & said.keys():
        raise UnknownError(f"{limit} of {action}: the judge knows no session that differs from its role")
    told = {"aws:multifactorauthpresent": "true"} if {"SerialNumber", "TokenCode"} <= said.keys() else {}
    for found, resource, more in derived(call, action):
        yield found, resource, more | told


@command
@claims(
    "the command stack",
    doc("AWSCloudFormation/latest/UserGuide/stacksets-orgs-associate-stackset-with-org.html"),
)
def stack(account: str, region: str, name: str, template: str, parameters: dict[str, str]) -> None:
    """Create a stack, unless there is one of this name, as a service-managed StackSet does by itself."""
    from moto.cloudformation.models import cloudformation_backends  # noqa: PLC0415  takes seconds

    stacks = cloudformation_backends[account][region]
    if name in {known.name for known in stacks.stacks.values()}:
        return
    made = stacks.create_stack(name, template, parameters)
    for logical in made.template_dict["Resources"]:
        role: Any = made.resource_map[logical]
        role.policies = {
            policy: json.dumps(document) for policy, document in role.policies.items()
        }  # IAM keeps text

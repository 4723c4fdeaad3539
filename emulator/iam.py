"""IAM: what it checks."""

from moto.iam.models import iam_backends

from emulator.calls import Call
from emulator.judge.checks import Asked, derived, reads


@reads("iam")
def asked(call: Call, action: str) -> Asked:
    """Yield what IAM checks of roles; the boundary is that which the role has, or is created with."""
    said = call.parameters
    if "RoleName" not in said:
        yield from derived(call, action)
        return
    roles = {role.name: role for role in iam_backends[call.account]["aws"].get_roles()}
    role = roles.get(said["RoleName"])
    arn = role.arn if role else f"arn:aws:iam::{call.account}:role{said.get('Path', '/')}{said['RoleName']}"
    has = role.permissions_boundary_arn if role and call.operation != "CreateRole" else None
    boundary = said.get("PermissionsBoundary") or has
    yield action, arn, {"iam:permissionsboundary": boundary} if boundary else {}
    if call.operation == "CreateRole" and said.get("Tags"):
        yield "iam:TagRole", arn, {}

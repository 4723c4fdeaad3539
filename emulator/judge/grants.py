"""What roles are granted, and what of it calls have used."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from emulator.calls import Check
from emulator.judge.policies import Document, applies, listed, statements


@dataclass(frozen=True)
class Grant:
    """A statement that allows something, in a policy of a role, which is named by its ARN."""

    role: str
    statement: Document
    policy: str = ""

    @property
    def sid(self) -> str:
        """Return what the statement is called."""
        return str(self.statement.get("Sid", "a statement without a name"))


def granted(accounts: Iterable[Any]) -> list[Grant]:
    """Return all that roles are granted by their policies. accounts: a client of IAM in each."""
    found = []
    for iam in accounts:
        for role in iam.list_roles()["Roles"]:
            for policy, document in policies(iam, role["RoleName"]):
                found += [Grant(role["Arn"], each, policy) for each in statements(document)]
    return [grant for grant in found if grant.statement["Effect"] == "Allow"]


def policies(iam: Any, role: str) -> Iterator[tuple[str, Document]]:
    """Yield the policies of a role, its own and those attached to it. iam: a client of its account."""
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        yield policy, iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        version = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId=version)
        yield attached["PolicyName"], found["PolicyVersion"]["Document"]


def uses(grant: Grant, check: Check) -> bool:
    """Return whether a grant speaks of what was checked."""
    return check.caller.role == grant.role and applies(grant.statement, check.request, "Allow")


def unused(grants: Iterable[Grant], checks: Iterable[Check]) -> list[tuple[Grant, list[str]]]:
    """Return the grants of which no check has used some actions, with those."""
    by_role: dict[str, list[Check]] = {}
    for check in checks:
        by_role.setdefault(check.caller.role, []).append(check)
    found = []
    for grant in grants:
        used = {c.action.lower() for c in by_role.get(grant.role, []) if not c.denied and uses(grant, c)}
        left = [action for action in listed(grant.statement["Action"]) if action.lower() not in used]
        if left:
            found.append((grant, left))
    return found

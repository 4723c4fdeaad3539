"""Who enters the accounts: with which credentials, by which trust, in which groups."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError

from foundation.adopt import policies_of
from foundation.doctor.account import DOCS, Account, Finding, absent, listed


def credentials(account: Account) -> Iterator[Finding]:
    """Say whose credentials these are."""
    yield Finding("ok", f"credentials of {account.client('sts').get_caller_identity()['Arn']}")


def trust(account: Account) -> Iterator[Finding]:
    """Say whom the bootstrap role lets in."""
    name, ops = account.accounts["bootstrap_role"], account.accounts["ops"]["id"]
    policy = account.client("iam").get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    allowed = [statement for statement in statements(policy) if statement["Effect"] == "Allow"]
    text = f"ops enters by {name}, which trusts " + ", ".join(
        principal for statement in allowed for principal in principals(statement)
    )
    if any("*" in principals(each) and "Condition" not in each for each in allowed):
        yield Finding("warning", text, f"have it trust arn:aws:iam::{ops}:root alone")
    else:
        yield Finding("ok", text)


def statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the statements of a policy."""
    found = policy["Statement"]
    return found if isinstance(found, list) else [found]


def principals(statement: dict[str, Any]) -> list[str]:
    """Return the principals of a statement."""
    named = statement.get("Principal", {})
    kinds = named.values() if isinstance(named, dict) else [named]
    return [one for kind in kinds for one in ([kind] if isinstance(kind, str) else kind)]


def people(account: Account) -> Iterator[Finding]:
    """Look for groups without anybody, and for people whom accounts.yaml names and ops does not have."""
    for kind in ("operators", "developers", "readers"):
        named = account.accounts["people"][kind]
        yield from strangers(account, kind, named) if named else members(account, kind)


def strangers(account: Account, kind: str, patterns: list[str]) -> Iterator[Finding]:
    """Look for people whom accounts.yaml names and ops does not have."""
    iam = account.client("iam")
    there = [*listed(iam, "list_roles", "Roles"), *listed(iam, "list_users", "Users")]
    for pattern in patterns:
        who = [each["Arn"].rpartition("/")[2] for each in there if fnmatchcase(each["Arn"], pattern)]
        if who:
            yield Finding("ok", f"people.{kind}: {', '.join(who)}")
        else:
            text = f"people.{kind}: ops has no role or user {pattern}"
            yield Finding("warning", text, "correct it in accounts.yaml, or create who is meant")


def members(account: Account, kind: str) -> Iterator[Finding]:
    """Say who is in a group, if it has been made."""
    group = f"{account.organization}-{kind}"
    try:
        users = account.client("iam").get_group(GroupName=group)["Users"]
    except ClientError as error:
        if absent(error):
            return
        raise
    if users:
        yield Finding("ok", f"group {group}: {', '.join(user['UserName'] for user in users)}")
    else:
        yield Finding(
            "warning",
            f"nobody is in the group {group}",
            f"add people; where they come by Identity Center, name them in accounts.yaml ({DOCS})",
            f"aws iam add-user-to-group --group-name {group} --user-name NAME",
        )


def roles(account: Account) -> Iterator[Finding]:
    """Look for policies of people's roles that are not the foundation's; no plan shows them."""
    iam = account.client("iam")
    for kind in ("operator", "developer", "reader"):
        name = f"{account.organization}-{kind}"
        try:
            inline = set(listed(iam, "list_role_policies", "PolicyNames", RoleName=name))
            attached = list(listed(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=name))
        except ClientError as error:
            if absent(error):
                continue
            raise
        ours = policies_of(account, kind).keys() | {f"{name}-triggers"}
        more = (inline | {each["PolicyName"] for each in attached}) - ours
        if more:
            text = f"role {name} has policies that are not the foundation's: {', '.join(sorted(more))}"
            yield Finding("warning", text, "remove them from it, unless its people are meant to have them")

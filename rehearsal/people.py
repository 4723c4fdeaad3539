"""People at the emulated accounts: a login to ops, and from there the very profiles that a README lists."""

import json
import secrets
from pathlib import Path
from typing import Any

from emulator.accounts import EmulatedAccounts
from foundation import terraform
from hooks.people import profiles

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
LOGIN = "person"


def environment(world: EmulatedAccounts, facts: dict[str, Any], folder: Path) -> dict[str, str]:
    """Return the variables by which make, Terraform and the AWS CLI know a README's profiles.

    world: with the foundation, and not asked for this before. facts: what an accounts file says. folder: for
    the files that the variables name. The environment that they are merged into must have no other AWS_*.
    """
    organization, region = facts["organization"], facts["region"]
    join_groups(world, facts)
    variables = world.environment(facts["ops"]["id"], region, LOGIN)
    keys = "".join(f"{key.lower()} = {variables.pop(key)}\n" for key in KEYS)
    del variables["AWS_REGION"], variables["AWS_DEFAULT_REGION"]  # a profile has its own
    # A name that no other world has: the AWS CLI keeps sessions by role and name.
    session = f"role_session_name = rehearsal-{secrets.token_hex(4)}"
    config = folder / "config"
    config.write_text(
        f"[profile {organization}-ops]\n{keys}region = {region}\n\n"
        + profiles(facts).replace("source_profile", f"{session}\nsource_profile")
    )
    return {
        **variables,
        **terraform.environment(folder),
        "AWS_CONFIG_FILE": str(config),
        "AWS_ENDPOINT_URL_STS": world.url,  # by which alone Terraform enters a profile's role
    }


def join_groups(world: EmulatedAccounts, facts: dict[str, Any]) -> None:
    """Let the login, a role like those of AWS's Identity Center, do what ops lets its groups do."""
    iam = world.client("iam", facts["ops"]["id"], facts["region"])
    iam.create_role(RoleName=LOGIN, AssumeRolePolicyDocument=json.dumps({"Statement": []}))
    for group in "developers", "operators", "readers":
        found = iam.get_group_policy(GroupName=f"{facts['organization']}-{group}", PolicyName="enter")
        document = json.dumps(found["PolicyDocument"])
        iam.put_role_policy(RoleName=LOGIN, PolicyName=group, PolicyDocument=document)

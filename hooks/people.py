"""How people get into the accounts: roles, links and profiles, from the facts of an accounts file without faults."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def entrances(accounts: "dict[str, Any]") -> list[tuple[str, str, str]]:
    """Return the roles that people enter, as account's name, account's id, what the role is for."""
    first = accounts["environments"][0]
    return [
        (account["name"], account["id"], role)
        for account in ({"name": "ops", **accounts["ops"]}, *accounts["environments"])
        for role in ("operator", *(["developer"] if account is first else []), "reader")
    ]


def switch_role_link(accounts: "dict[str, Any]", name: str, number: str, role: str) -> str:
    """Return the console's link into a role; name, number and role are of an entrance.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-console.html
    """
    return (
        f"https://signin.aws.amazon.com/switchrole?account={number}"
        f"&roleName={accounts['organization']}-{role}&displayName={name}-{role}"
    )


def profiles(accounts: "dict[str, Any]") -> str:
    """Return the AWS CLI's profiles for all entrances."""
    organization = accounts["organization"]
    device = f"mfa_serial = arn:aws:iam::{accounts['ops']['id']}:mfa/YOURS\n"
    return "\n".join(
        f"[profile {organization}-{name}-{role}]\n"
        f"role_arn = arn:aws:iam::{number}:role/{organization}-{role}\n"
        f"source_profile = {organization}-ops\n"
        f"{device if accounts.get('people', {}).get('mfa') else ''}"
        f"region = {accounts['region']}\n"
        for name, number, role in entrances(accounts)
    )

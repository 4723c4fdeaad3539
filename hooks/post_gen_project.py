"""Wires the accounts into what has just been generated: files per environment, and the README.

cookiecutter renders and runs this in the new folder, after pre_gen_project.py has checked the answers and
written accounts.json there.
"""

import json
from pathlib import Path
from typing import Any

PER_ENVIRONMENT = [
    Path("deployment/environments/ENVIRONMENT.tfvars"),
    Path("pipeline/environments/ENVIRONMENT.tfbackend"),
]


def wire(accounts: dict[str, Any]) -> None:
    """Write the files of each environment and complete the README, below the current folder.

    accounts: what accounts.json holds.
    """
    for prototype in PER_ENVIRONMENT:
        content = prototype.read_text("utf-8")
        prototype.unlink()
        content = content.replace("OPS_STATE_BUCKET", accounts["ops"]["state_bucket"])
        content = content.replace("REGION", accounts["region"])
        for environment in accounts["environments"]:
            name = environment["name"]
            write(prototype.with_stem(name), content.replace("ENVIRONMENT", name))

    readme = Path("README.md")
    content = readme.read_text("utf-8")
    content = content.replace(
        "ENVIRONMENTS\n", "".join(table_row(accounts, e) for e in accounts["environments"])
    )
    content = content.replace("PROFILES\n", profiles(accounts))
    write(readme, content)


def write(path: Path, content: str) -> None:
    """Write a text file, the same bytes on every platform."""
    path.write_bytes(content.encode())


def roles(accounts: dict[str, Any], environment: dict[str, Any]) -> list[str]:
    """Return the roles that people take in an environment; sandboxes live in the first one."""
    return ["reader", "developer"] if environment == accounts["environments"][0] else ["reader"]


def table_row(accounts: dict[str, Any], environment: dict[str, Any]) -> str:
    """Return an environment's row in the README: name, account, links that switch to its roles.

    The link is AWS's own: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-console.html
    """
    links = ", ".join(
        f"[{role}](https://signin.aws.amazon.com/switchrole?account={environment['id']}"
        f"&roleName={accounts['organization']}-{role}&displayName={environment['name']}-{role})"
        for role in roles(accounts, environment)
    )
    return f"| {environment['name']} | {environment['id']} | {links} |\n"


def profiles(accounts: dict[str, Any]) -> str:
    """Return AWS CLI profiles for the roles that people take, entered through ops."""
    organization = accounts["organization"]
    return "\n".join(
        f"[profile {organization}-{environment['name']}-{role}]\n"
        f"role_arn = arn:aws:iam::{environment['id']}:role/{organization}-{role}\n"
        f"source_profile = {organization}-ops\n"
        f"region = {accounts['region']}\n"
        for environment in accounts["environments"]
        for role in roles(accounts, environment)
    )


if __name__ == "__main__":
    wire(json.loads(Path("accounts.json").read_bytes()))

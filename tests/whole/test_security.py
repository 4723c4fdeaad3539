"""What docs/permissions.md and docs/accounts-and-access.md say, held against the code."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from emulator.accounts import EmulatedAccounts
from emulator.judge.grants import policies
from tests.conftest import Bake, needs
from tests.worlds import FACTS, TEMPLATE

PERMISSIONS = (TEMPLATE / "docs/permissions.md").read_text("utf-8")
ACCESS = (TEMPLATE / "docs/accounts-and-access.md").read_text("utf-8")


def test_checkov_finds_nothing_but_what_the_page_accepts(bake: Bake, tmp_path: Path) -> None:
    checkov = TEMPLATE / "build/linters/bin/checkov"
    needs(str(checkov))
    accepted = {
        check
        for row in re.findall(r"^\| (CKV[^|]+)\|", PERMISSIONS, re.MULTILINE)
        for check in row.split(", ")
    }

    triggers = json.loads((TEMPLATE / "cookiecutter.json").read_text("utf-8"))["trigger"]
    roots = {"foundation": TEMPLATE / "foundation"}
    for trigger in triggers:
        repository = bake(trigger=trigger)
        roots |= {f"{trigger}/{root}": repository / root for root in ("deployment", "pipeline")}
    # The repositories, which lie beside it, have the same again and again.
    looked_at, folder = set(), tmp_path / "once"
    for place, root in roots.items():
        for file in root.glob("*.tf"):
            if (this := (root.name, file.name, file.read_bytes())) not in looked_at:
                looked_at.add(this)
                (folder / place).mkdir(parents=True, exist_ok=True)
                shutil.copy(file, folder / place)
    where = ["--directory", str(folder), "--framework", "terraform"]
    command = [str(checkov), *where, "--output", "json", "--skip-download", "--quiet", "--compact"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    found = {check["check_id"] for check in json.loads(done.stdout)["results"]["failed_checks"]}
    assert found == {check.strip() for check in accepted}


def aws_principals(policy: str, account: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield what a policy allows to other accounts: who, which actions, on which resources."""
    for statement in json.loads(policy)["Statement"]:
        principals = statement["Principal"]
        if statement["Effect"] != "Allow":
            continue
        assert isinstance(principals, dict), "everybody is let in"
        for principal in listed(principals.get("AWS", [])):
            condition = statement.get("Condition", {}).get("ArnEquals", {}).get("aws:PrincipalArn")
            arn = condition or principal
            assert arn.split(":")[4] == principal.split(":")[4]
            if principal != f"arn:aws:iam::{account}:root":
                yield arn, listed(statement["Action"]), listed(statement.get("Resource", []))


def listed(value: Any) -> list[Any]:
    """Return what may be a list or a single thing as a list."""
    return value if isinstance(value, list) else [value]


def test_accounts_are_entered_only_as_the_page_says(organization: EmulatedAccounts) -> None:
    accounts = {"ops": FACTS["ops"], **{e["name"]: e for e in FACTS["environments"]}}
    names = {account["id"]: name for name, account in accounts.items()}
    rows = re.findall(r"^\| (.+) \| (\w+) \| (\w+:\w+) \| (.+) \|$", ACCESS, re.MULTILINE)

    found = set()
    for name, account in accounts.items():
        iam, s3, kms, sns, functions = (
            organization.client(service, account["id"], FACTS["region"])
            for service in ("iam", "s3", "kms", "sns", "lambda")
        )
        policies = {
            f"role/{role['RoleName']}": role["AssumeRolePolicyDocument"] for role in iam.list_roles()["Roles"]
        }
        policies = {on: json.dumps(policy) for on, policy in policies.items()}
        for bucket in s3.list_buckets()["Buckets"]:
            policies[bucket["Name"]] = s3.get_bucket_policy(Bucket=bucket["Name"])["Policy"]
        for alias in kms.list_aliases()["Aliases"]:
            if not alias["AliasName"].startswith("alias/aws/"):
                key = kms.get_key_policy(KeyId=alias["TargetKeyId"], PolicyName="default")
                policies[alias["AliasName"]] = key["Policy"]
        for topic in sns.list_topics()["Topics"]:
            attributes = sns.get_topic_attributes(TopicArn=topic["TopicArn"])["Attributes"]
            policies[topic["TopicArn"]] = attributes["Policy"]
        for function in functions.list_functions()["Functions"]:
            with suppress(functions.exceptions.ResourceNotFoundException):
                policy = functions.get_policy(FunctionName=function["FunctionName"])["Policy"]
                policies[function["FunctionName"]] = policy
        for on, policy in policies.items():
            for arn, actions, resources in aws_principals(policy, account["id"]):
                who = f"{names[arn.split(':')[4]]} {arn.split(':')[5]}".removesuffix(" root")
                where = [r.removeprefix("arn:aws:s3:::") for r in resources if r.startswith("arn:")] or [on]
                found |= {(who, name, action, place) for action in actions for place in where}

    assert found == set(rows)


def test_nobody_is_told_to_reach_back_or_up(organization: EmulatedAccounts) -> None:
    """What roles ask for elsewhere: the promoters one step forward, ops everywhere, nobody else anything."""
    order = [FACTS["ops"], *FACTS["environments"]]
    for position, account in enumerate(order):
        iam = organization.client("iam", account["id"], FACTS["region"])
        for role in (role["RoleName"] for role in iam.list_roles()["Roles"]):
            for _, policy in policies(iam, role):
                document = json.dumps(policy)
                others = [o for o in order if o is not account]
                reached = [
                    o
                    for o in others
                    if any(o[fact] in document for fact in o if fact == "id" or "bucket" in fact)
                ]
                if role == "acme-operator" and account is FACTS["ops"]:
                    assert reached == FACTS["environments"]
                elif role == "acme-promoter":
                    assert reached == [order[position + 1]]
                else:
                    assert reached == []

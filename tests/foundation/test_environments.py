"""Environments that come, go and change their places, and what of the foundation was there before it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from emulator.accounts import EmulatedAccounts
from foundation import terraform
from foundation.adopt import ADOPTABLE, CONNECTION, AdoptError, blocks
from foundation.doctor import access, changes
from foundation.doctor.account import Account, Finding, enter
from foundation.doctor.changes import Change, Planner, adopting, applying
from hooks.accounts_file import check
from rehearsal import foundation
from tests.organizations import environment, organization_of, run
from tests.worlds import DEV, FACTS, PROD, REGION, STAGE, TEMPLATE

OPS = FACTS["ops"]
LAB = environment("lab", "555555555555")


def state_of(world: EmulatedAccounts, name: str) -> dict[str, Any]:
    """Return an account's state."""
    kept = world.client("s3", OPS["id"], REGION).get_object(
        Bucket=OPS["state_bucket"], Key=f"foundation/{name}.tfstate"
    )
    state: dict[str, Any] = json.load(kept["Body"])
    return state


def documented(world: EmulatedAccounts, pattern: str, **given: str) -> None:
    """Run, as an administrator of ops, the one command of the page that matches.

    given: other values of its options.
    """
    page = (TEMPLATE / "docs/foundation.md").read_text("utf-8")
    (command,) = re.findall(rf"^ *({pattern})$", page, re.MULTILINE)
    for option, value in given.items():
        command = re.sub(rf"--{option} \S+", f"--{option} {value}", command)
    aws = [str(Path(sys.executable).with_name("aws")), *command.split()[1:]]
    own = os.environ | world.environment(OPS["id"], REGION)
    subprocess.run(aws, env=own, check=True, capture_output=True)


def connections(world: EmulatedAccounts, account: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the names and ARNs of an account's connections."""
    found = world.client("codestar-connections", account["id"], REGION).list_connections()["Connections"]
    return [(each["ConnectionName"], each["ConnectionArn"]) for each in found]


def roles(world: EmulatedAccounts, account: dict[str, Any]) -> set[str]:
    """Return the names of an account's roles of people."""
    found = world.client("iam", account["id"], REGION).list_roles()["Roles"]
    return {role["RoleName"] for role in found if role["RoleName"].startswith("acme-")}


def entered(world: EmulatedAccounts, monkeypatch: pytest.MonkeyPatch, name: str, file: Path) -> Account:
    """Return an account as the doctor and the foundation enter it; file: accounts.yaml."""
    for variable, value in world.environment(OPS["id"], REGION).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # which keeps the credentials that it has seen first
    faults, facts = check(str(file))
    assert faults == []
    return enter(facts, name)


def doctor_of(
    world: EmulatedAccounts, monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any], name: str, folder: Path
) -> tuple[Planner, Account]:
    """Return the doctor's planner, away from this checkout, and an account that the doctor has entered."""
    place = folder / "template"
    shutil.copytree(TEMPLATE / "foundation", place / "foundation", ignore=shutil.ignore_patterns("build"))
    (place / "accounts.yaml").write_text(json.dumps(facts))
    monkeypatch.setattr(changes, "FOLDER", place / "foundation")
    account = entered(world, monkeypatch, name, place / "accounts.yaml")
    return Planner(account.accounts, folder / "copy"), account


def test_a_new_first_environment_leaves_the_connection_of_the_old_one_which_takes_it_up_again(
    organization: EmulatedAccounts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = connections(organization, DEV)
    facts = organization_of(LAB, *FACTS["environments"])

    founded = run(organization, facts, tmp_path / "work", "lab")
    planner, _ = doctor_of(organization, monkeypatch, facts, "dev", tmp_path)
    _, planned = planner.plan("dev")
    done = run(organization, facts, tmp_path / "work", "dev")

    assert (founded.returncode, done.returncode) == (0, 0), done.stdout
    assert CONNECTION not in [change.address.partition("[")[0] for change in planned]
    assert 'aws_iam_role.people["developer"]' in [
        each.address for each in planned if "delete" in each.actions
    ]

    assert "dev is not the first environment any more: its connection to GitHub stays" in done.stdout
    assert "codestarconnections" not in done.stdout.partition("Terraform will perform")[2]
    assert connections(organization, DEV) == before
    assert [name for name, _ in connections(organization, LAB)] == ["acme-github"]
    assert "acme-developer" in roles(organization, LAB) - roles(organization, DEV)
    policy = organization.client("s3", DEV["id"], REGION).get_bucket_policy(Bucket=DEV["artifacts_bucket"])
    assert f"{LAB['id']}:role/lambda-template/services/acme-promoter" in policy["Policy"]

    s3 = organization.client("s3", OPS["id"], REGION)
    s3.delete_object(Bucket=OPS["state_bucket"], Key="foundation/lab.tfstate")
    again = run(organization, FACTS, tmp_path / "work", "dev")

    assert again.returncode == 0, again.stdout
    assert "Plan: 1 to import" in again.stdout
    assert connections(organization, DEV) == before


def test_an_environment_that_is_renamed_as_the_page_says_keeps_all_that_it_has(
    organization: EmulatedAccounts, tmp_path: Path
) -> None:
    facts = organization_of(DEV, STAGE | {"name": "accept"}, PROD)

    documented(organization, r"aws s3 mv \S+/stage.tfstate \S+/accept.tfstate")
    done = run(organization, facts, tmp_path, "accept")

    assert done.returncode == 0, done.stdout
    assert re.search(r"Plan: 0 to add, \d+ to change, 0 to destroy", done.stdout)
    key = organization.client("kms", STAGE["id"], REGION)
    tags = key.list_resource_tags(KeyId=key.describe_key(KeyId="alias/acme")["KeyMetadata"]["KeyId"])["Tags"]
    assert {"TagKey": "account", "TagValue": "accept"} in tags


def test_a_new_last_environment_takes_releases_of_the_old_last_one(
    organization: EmulatedAccounts, tmp_path: Path
) -> None:
    facts = organization_of(*FACTS["environments"], environment("abroad", "666666666666"))
    facts |= {"plan_pull_requests": True}

    for name in "abroad", "prod":
        done = run(organization, facts, tmp_path, name)
        assert done.returncode == 0, done.stdout

    promoter = organization.client("s3", PROD["id"], REGION, "acme-promoter")
    put = {"Bucket": "acme-abroad-artifacts", "Body": b"a release", "ExpectedBucketOwner": "666666666666"}
    assert promoter.put_object(Key="promoted/hello-lambda.zip", **put)["VersionId"]


def test_a_removed_environment_is_refused_until_its_state_is_put_away_as_the_page_says(
    organization: EmulatedAccounts, tmp_path: Path
) -> None:
    facts = organization_of(DEV, PROD)
    refused = run(organization, facts, tmp_path)
    assert refused.returncode == 1
    assert "stage has been applied and is not in accounts.yaml any more" in refused.stdout

    documented(organization, r"aws s3 mv \S+/stage.tfstate \S+/removed/stage.tfstate")
    done = run(organization, facts, tmp_path, "prod")

    assert done.returncode == 0, done.stdout
    policy = organization.client("s3", PROD["id"], REGION).get_bucket_policy(Bucket=PROD["artifacts_bucket"])
    assert f"{DEV['id']}:role/lambda-template/services/acme-promoter" in policy["Policy"]


# Adopting

ADOPTED = ("aws_s3_", "aws_kms_", "aws_iam_role.people", "aws_iam_role_policy.")
EVERYTHING = [*ADOPTABLE]
OF_TERRAFORM = {
    "bypass_policy_lockout_safety_check",
    "deletion_window_in_days",
    "force_destroy",
}  # AWS has none


def forget(world: EmulatedAccounts, account: dict[str, Any]) -> None:
    """Leave what may be adopted in an account as if people had made it: in no state, without tags."""
    state = state_of(world, account["name"])
    state["resources"] = [
        each
        for each in state["resources"]
        if each["mode"] == "data"
        or not f"{each['type']}.{each['name']}".startswith(ADOPTED)
        or each["name"] in ("drift_start", "pipeline", "pipeline_start", "promoter")
    ]
    world.client("s3", OPS["id"], REGION).put_object(
        Bucket=OPS["state_bucket"], Key=f"foundation/{account['name']}.tfstate", Body=json.dumps(state)
    )
    s3, kms, iam = (world.client(service, account["id"], REGION) for service in ("s3", "kms", "iam"))
    for bucket in s3.list_buckets()["Buckets"]:
        s3.put_bucket_tagging(Bucket=bucket["Name"], Tagging={"TagSet": []})
    key = kms.describe_key(KeyId="alias/acme")["KeyMetadata"]["KeyId"]
    kms.untag_resource(KeyId=key, TagKeys=["account", "foundation"])
    for role in "operator", "developer", "reader":
        iam.untag_role(RoleName=f"acme-{role}", TagKeys=["account", "foundation"])


def changed_by(place: Path, own: dict[str, str], name: str) -> dict[str, set[str]]:
    """Return, by what the last plan of an account changes, the attributes that it changes."""
    shown = subprocess.run(
        ["terraform", "show", "-json", f"build/{name}.tfplan"],
        cwd=place / "foundation",
        env=own | terraform.environment(place) | {"TF_DATA_DIR": f"build/{name}"},
        check=True,
        capture_output=True,
    )
    return {
        each["address"]: {
            name
            for name, value in each["change"]["after"].items()
            if value != (each["change"]["before"] or {}).get(name)
        }
        for each in json.loads(shown.stdout)["resource_changes"]
        if each["change"]["actions"] not in (["no-op"], ["read"])
    }


def test_what_people_have_made_as_the_foundation_makes_it_is_adopted_by_changing_its_tags_alone(
    organization: EmulatedAccounts, tmp_path: Path
) -> None:
    forget(organization, DEV)
    organization.client("iam", DEV["id"], REGION).create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com", ClientIDList=["sts.amazonaws.com"]
    )
    facts = organization_of(DEV | {"adopt": EVERYTHING}, STAGE, PROD) | {"plan_pull_requests": True}

    done = run(organization, facts, tmp_path, "dev", answer="yes")

    assert done.returncode == 0, done.stdout
    # buckets, key, roles, provider
    assert "Plan: 33 to import, 0 to add, 8 to change, 0 to destroy." in done.stdout
    _, own, place = foundation.command(organization, facts, tmp_path)
    changed = changed_by(place, own, "dev")
    assert set().union(*changed.values()) - OF_TERRAFORM == {"tags_all"}
    again = run(organization, facts, tmp_path, "dev")
    assert "No changes." in again.stdout
    assert not (place / "foundation/imports.tf").exists()


def test_an_ops_account_that_has_a_state_bucket_a_key_and_operators_becomes_as_the_foundation_makes_it(
    accounts: EmulatedAccounts, tmp_path: Path
) -> None:
    s3, kms, iam = (accounts.client(service, OPS["id"], REGION) for service in ("s3", "kms", "iam"))
    bucket = OPS["state_bucket"]
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="network/terraform.tfstate", Body=b"of somebody else")
    key = kms.create_key(Description="Of the platform", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    documented(accounts, "aws kms create-alias .*", **{"target-key-id": key})
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": OPS["id"]}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName="acme-operator", AssumeRolePolicyDocument=document)
    accounts.ask("enforce")

    refused = run(accounts, FACTS, tmp_path, "ops")
    facts = FACTS | {"ops": OPS | {"adopt": ["state_bucket", "key", "operator"]}}
    early = run(accounts, facts, tmp_path, "dev")
    done = run(accounts, facts, tmp_path, "ops")

    assert "acme-ops-terraform-state is there already, without state of ops" in refused.stdout
    assert "adopt: [state_bucket]" in refused.stdout
    assert "ops keeps the state of dev and comes first: make foundation-ops" in early.stdout
    assert done.returncode == 0, done.stdout
    assert "Plan: 4 to import" in done.stdout
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert s3.get_object(Bucket=bucket, Key="network/terraform.tfstate")["Body"].read() == b"of somebody else"
    assert state_of(accounts, "ops")["resources"]
    assert kms.describe_key(KeyId="alias/acme")["KeyMetadata"]["KeyId"] == key
    assert iam.list_role_policies(RoleName="acme-operator")["PolicyNames"] == ["state"]
    assert "No changes." in run(accounts, facts, tmp_path, "ops").stdout


def adopted(address: str, *changed: str, replaced: bool = False) -> Change:
    """Return what Terraform would do to what it imports."""
    actions = ["delete", "create"] if replaced else ["update"] if changed else ["no-op"]
    return Change(address, address.partition(".")[0], actions, {}, True, frozenset(changed))


@pytest.mark.parametrize(
    ("role", "status", "said"),
    [
        (adopted('aws_iam_role.people["reader"]', "tags_all"), "ok", "it would change tags alone"),
        (
            adopted('aws_iam_role.people["reader"]', "tags_all", "assume_role_policy"),
            "warning",
            'it would change aws_iam_role.people["reader"] (assume_role_policy)',
        ),
        (
            adopted('aws_iam_role.people["reader"]', "path", replaced=True),
            "fault",
            'it would delete and make anew aws_iam_role.people["reader"]',
        ),
    ],
)
def test_the_doctor_says_what_of_the_adopted_is_other_than_the_foundation_makes_it(
    role: Change, status: str, said: str
) -> None:
    bucket = adopted('aws_s3_bucket.account["state"]', "force_destroy", "tags_all")

    found = adopting([bucket, role])

    assert found.status == status
    assert found.text == f"applying would adopt what is there: state_bucket, reader; {said}"


def test_the_doctor_plans_what_is_to_be_adopted(
    accounts: EmulatedAccounts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    accounts.client("s3", OPS["id"], REGION).create_bucket(Bucket=OPS["state_bucket"])
    facts = FACTS | {"ops": OPS | {"adopt": ["state_bucket"]}}
    planner, account = doctor_of(accounts, monkeypatch, facts, "ops", tmp_path)

    first, *others = applying(planner, account)

    assert first == Finding(
        "ok", "applying would adopt what is there: state_bucket; it would change tags alone"
    )
    assert "of 6 names that it would take, 6 are free" in [found.text for found in others]


def test_the_doctor_warns_of_policies_that_the_foundation_leaves_to_a_role(
    accounts: EmulatedAccounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    foundation.bootstrap(accounts, FACTS)
    iam = accounts.client("iam", DEV["id"], REGION)
    nothing = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": nothing})
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    for role in "acme-reader", "acme-operator":
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    of_others = iam.create_policy(PolicyName="Everything", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="acme-reader", PolicyArn=of_others)
    for name in "reader", "spare":
        iam.put_role_policy(RoleName="acme-reader", PolicyName=name, PolicyDocument=document)
    accounts.ask("enforce")

    (found,) = access.roles(entered(accounts, monkeypatch, "dev", TEMPLATE / "accounts.yaml"))

    assert found.status == "warning"
    assert found.text == "role acme-reader has policies that are not the foundation's: Everything, spare"


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("ops", "state_bucket", "there is no bucket acme-ops-terraform-state"),
        (
            "dev",
            "pipelines_bucket",
            "acme-dev-artifacts-pipelines is of another account, or you may not see it",
        ),
        (
            "dev",
            "key",
            "there is no alias/acme; give a key that name: aws kms create-alias --alias-name",
        ),
        ("dev", "developer", "there is no role acme-developer; without this line the foundation makes it"),
        ("stage", "developer", "only dev has developers"),
        ("stage", "github", "nobody is let in by it without plan_pull_requests: true"),
    ],
)
def test_what_is_to_be_adopted_and_cannot_be_is_refused_by_its_line(
    accounts: EmulatedAccounts, monkeypatch: pytest.MonkeyPatch, name: str, kind: str, said: str
) -> None:
    accounts.client("s3", "999999999999", REGION).create_bucket(Bucket="acme-dev-artifacts-pipelines")
    foundation.bootstrap(accounts, FACTS)
    accounts.ask("enforce")
    account = entered(accounts, monkeypatch, name, TEMPLATE / "accounts.yaml")
    account.facts["adopt"] = [kind]

    with pytest.raises(AdoptError) as refused:
        blocks(account)

    assert str(refused.value).startswith(f"accounts.yaml: {name} ({account.id}): adopt: {kind}: {said}")

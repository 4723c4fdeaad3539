"""Organizations of other shapes than the default one, each founded from nothing."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts
from emulator.calls import PERSON
from rehearsal import foundation
from rehearsal.rehearse import apply_pipelines
from tests.conftest import needs
from tests.organizations import environment, organization_of, repository_of, run
from tests.worlds import FACTS


def stored_actions(world: EmulatedAccounts, facts: dict[str, Any]) -> dict[str, str]:
    """Return the actions of each environment's pipeline as CodePipeline has them."""
    pipelines = {}
    for account in facts["environments"]:
        client = world.client("codepipeline", account["id"], facts["region"])
        stages = client.get_pipeline(name="hello-lambda")["pipeline"]["stages"]
        actions = [f"{a['name']}:{a['actionTypeId']['provider']}" for s in stages for a in s["actions"]]
        pipelines[account["name"]] = " ".join(actions)
    return pipelines


@pytest.mark.tries("kills", "while founding")
def test_an_organization_with_one_environment_recovers_from_an_interrupted_beginning(
    empty: EmulatedAccounts, tmp_path: Path
) -> None:
    facts = organization_of(environment("live", "012345678901")) | {
        "ops": {"id": "000000000007", "state_bucket": "acme-ops-state"},
        "region": "eu-central-1",
        "people": {"mfa": True},
    }
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "terraform").write_text(
        '#!/bin/sh\ncase "$*" in *-migrate-state*) exit 1 ;; esac\nPATH="${PATH#*:}" exec terraform "$@"\n'
    )
    (tools / "terraform").chmod(0o755)
    with empty.fork() as world:
        path = {"PATH": f"{tools}:{os.environ['PATH']}"}
        interrupted = run(world, facts, tmp_path / "work", variables=path)
        assert interrupted.returncode == 1
        assert "ops: terraform init failed, see above; then run it again" in interrupted.stdout

        done = run(world, facts, tmp_path / "work")
        assert done.returncode == 0, done.stdout
        again = run(world, facts, tmp_path / "work")

        assert again.stdout.count("No changes.") == 2
        functions = world.client("lambda", "012345678901", "eu-central-1").list_functions()
        assert functions["Functions"] == []
        (_, *others) = world.client("s3", "000000000007", "eu-central-1").list_buckets()["Buckets"]
        assert others == []

        def enter(who: str, role: str, **device: str) -> None:
            sts = world.client("sts", "000000000007", "eu-central-1", who)
            sts.assume_role(RoleArn=f"arn:aws:iam::012345678901:role/{role}", RoleSessionName="ada", **device)

        world.ask("enforce")
        for role in "acme-operator", "acme-developer", "acme-reader":
            with pytest.raises(ClientError, match="no resource-based policy allows the sts:AssumeRole"):
                enter(PERSON, role)
            enter(PERSON, role, SerialNumber="arn:aws:iam::000000000007:mfa/ada", TokenCode="123456")
        enter("acme-operator", "acme-operator")  # which asks for MFA itself


def test_an_organization_with_four_environments_promotes_from_each_to_the_next(
    empty: EmulatedAccounts, tmp_path: Path
) -> None:
    names = {"dev": "000000000001", "qa": "000000000002", "stage": "000000000003", "prod": "000000000004"}
    ops = FACTS["ops"]["id"]
    named = f"arn:aws:iam::{ops}:role/aws-reserved/*/AWSReservedSSO_Operators_*"
    facts = organization_of(*(environment(name, number) for name, number in names.items()))
    facts["people"] = {"operators": [named]}
    prices = "arn:aws:dynamodb:us-east-1:000000000002:table/prices"
    facts["environments"][1]["shared"] = [prices]
    with empty.fork() as world:
        needs("terraform")
        foundation.apply(world, facts, tmp_path)
        again = run(world, facts, tmp_path)

        assert again.stdout.count("No changes.") == 5, again.stdout
        for (_name, number), (following, _) in zip(
            list(names.items())[:-1], list(names.items())[1:], strict=True
        ):
            promoter = world.client("lambda", number, "us-east-1").get_function(FunctionName="acme-promoter")
            variables = promoter["Configuration"]["Environment"]["Variables"]
            assert variables["DESTINATION_BUCKET"] == f"acme-{following}-artifacts"

        facts["environments"][3]["approval"] = True
        apply_pipelines(world, facts, repository_of(facts, tmp_path), tmp_path)

        end = "Deploy:CodeBuild Verify:CodeBuild Promote:Lambda"
        assert stored_actions(world, facts) == {
            "dev": f"Source:CodeStarSourceConnection Build:CodeBuild {end}",
            "qa": f"Source:S3 {end}",
            "stage": f"Source:S3 {end}",
            "prod": "Source:S3 Plan:CodeBuild Approve:Manual Deploy:CodeBuild Verify:CodeBuild",
        }

        shared = []
        for name, number in names.items():
            iam, boundary = (
                world.client("iam", number, "us-east-1"),
                f"arn:aws:iam::{number}:policy/acme-boundary",
            )
            version = iam.get_policy_version(PolicyArn=boundary, VersionId="v1")["PolicyVersion"]
            statements = version["Document"]["Statement"]
            shared += [(name, each["Resource"]) for each in statements if each["Sid"] == "UseWhatIsShared"]
        assert shared == [("qa", prices)]

        groups = world.client("iam", ops, "us-east-1").list_groups()["Groups"]
        assert {group["GroupName"] for group in groups} == {"acme-developers", "acme-readers"}
        iam = world.client("iam", ops, "us-east-1")
        assumes = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
        for path, name in (
            ("/aws-reserved/sso.amazonaws.com/", "AWSReservedSSO_Operators_1f"),
            ("/", "anybody"),
        ):
            iam.create_role(Path=path, RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": []}))
            document = json.dumps({"Version": "2012-10-17", "Statement": assumes})
            iam.put_role_policy(RoleName=name, PolicyName="assume", PolicyDocument=document)
        world.ask("enforce")
        operator = {"RoleArn": f"arn:aws:iam::{names['prod']}:role/acme-operator", "RoleSessionName": "ada"}
        world.client("sts", ops, "us-east-1", "AWSReservedSSO_Operators_1f").assume_role(**operator)
        with pytest.raises(ClientError, match="no resource-based policy allows the sts:AssumeRole"):
            world.client("sts", ops, "us-east-1", "anybody").assume_role(**operator)


def test_an_account_holds_the_foundation_of_one_organization(
    organization: EmulatedAccounts, tmp_path: Path
) -> None:
    facts = organization_of(environment("first", FACTS["environments"][0]["id"])) | {
        "organization": "other",
        "ops": FACTS["ops"] | {"state_bucket": "other-ops-terraform-state"},
    }

    done = run(organization, facts, tmp_path / "work")

    said = " ".join(re.sub("[│╷╵]", " ", done.stdout).split())
    assert done.returncode == 1
    assert "first (222222222222) holds the foundation of another organization: acme-drift-start, " in said
    s3 = organization.client("s3", FACTS["environments"][0]["id"], FACTS["region"])
    assert not any("first" in bucket["Name"] for bucket in s3.list_buckets()["Buckets"])

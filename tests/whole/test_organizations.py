"""Organizations of other shapes than the default one."""

import json
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts
from emulator.calls import PERSON
from rehearsal import foundation
from rehearsal.rehearse import apply_pipelines
from tests.organizations import environment, organization_of, repository_of, run
from tests.worlds import DEV, FACTS, PROD, REGION, STAGE


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


def test_an_environment_that_is_added_between_others_has_them_promote_to_it_and_takes_their_releases(
    organization: EmulatedAccounts, tmp_path: Path
) -> None:
    named = f"arn:aws:iam::{FACTS['ops']['id']}:role/aws-reserved/*/AWSReservedSSO_Operators_*"
    prices = "arn:aws:dynamodb:us-east-1:555555555555:table/prices"
    qa = environment("qa", "555555555555") | {"shared": [prices]}
    facts = organization_of(DEV, qa, STAGE, PROD) | {"people": {"operators": [named]}}
    world, environments = organization, facts["environments"]

    foundation.apply(world, facts, tmp_path)
    again = run(world, facts, tmp_path, "ops", "qa")
    apply_pipelines(world, facts, repository_of(facts, tmp_path), tmp_path)

    assert again.stdout.count("No changes.") == 2, again.stdout
    for each, following in pairwise(environments):
        promoter = world.client("lambda", each["id"], REGION).get_function(FunctionName="acme-promoter")
        variables = promoter["Configuration"]["Environment"]["Variables"]
        assert variables["DESTINATION_BUCKET"] == following["artifacts_bucket"]
        s3 = world.client("s3", following["id"], REGION)
        policy = s3.get_bucket_policy(Bucket=following["artifacts_bucket"])["Policy"]
        assert f"{each['id']}:role/lambda-template/services/acme-promoter" in policy
        others = [other for other in environments if other not in (each, following)]
        assert not any(other["id"] in policy for other in others)

    end = "Deploy:CodeBuild Verify:CodeBuild Promote:Lambda"
    assert stored_actions(world, facts) == {
        "dev": f"Source:CodeStarSourceConnection Build:CodeBuild {end}",
        "qa": f"Source:S3 {end}",
        "stage": f"Source:S3 {end}",
        "prod": "Source:S3 Plan:CodeBuild Approve:Manual Deploy:CodeBuild Verify:CodeBuild",
    }

    shared = []
    for each in environments:
        iam = world.client("iam", each["id"], REGION)
        boundary = f"arn:aws:iam::{each['id']}:policy/acme-boundary"
        newest = iam.get_policy(PolicyArn=boundary)["Policy"]["DefaultVersionId"]
        version = iam.get_policy_version(PolicyArn=boundary, VersionId=newest)["PolicyVersion"]
        statements = version["Document"]["Statement"]
        shared += [(each["name"], s["Resource"]) for s in statements if s["Sid"] == "UseWhatIsShared"]
    assert shared == [("qa", prices)]

    ops = FACTS["ops"]["id"]
    iam = world.client("iam", ops, REGION)
    groups = {group["GroupName"] for group in iam.list_groups()["Groups"]}
    assert groups == {"acme-developers", "acme-readers"}
    assumes = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    for path, name in (
        ("/aws-reserved/sso.amazonaws.com/", "AWSReservedSSO_Operators_1f"),
        ("/", "anybody"),
    ):
        iam.create_role(Path=path, RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": []}))
        document = json.dumps({"Version": "2012-10-17", "Statement": assumes})
        iam.put_role_policy(RoleName=name, PolicyName="assume", PolicyDocument=document)
    operator = {"RoleArn": f"arn:aws:iam::{PROD['id']}:role/acme-operator", "RoleSessionName": "ada"}
    world.client("sts", ops, REGION, "AWSReservedSSO_Operators_1f").assume_role(**operator)
    with pytest.raises(ClientError, match="no resource-based policy allows the sts:AssumeRole"):
        world.client("sts", ops, REGION, "anybody").assume_role(**operator)


def test_an_account_holds_the_foundation_of_one_organization(
    organization: EmulatedAccounts, tmp_path: Path
) -> None:
    bucket = "other-ops-terraform-state"
    facts = organization_of(environment("first", DEV["id"])) | {
        "organization": "other",
        "ops": FACTS["ops"] | {"state_bucket": bucket},
    }
    of_ops = organization.client("s3", FACTS["ops"]["id"], REGION)
    of_ops.create_bucket(Bucket=bucket)
    of_ops.put_object(Bucket=bucket, Key="foundation/ops.tfstate", Body=b"as if ops had been applied")

    done = run(organization, facts, tmp_path / "work", "first")

    said = " ".join(re.sub("[│╷╵]", " ", done.stdout).split())
    assert done.returncode == 1
    assert "first (222222222222) holds the foundation of another organization: acme-drift-start, " in said
    s3 = organization.client("s3", DEV["id"], REGION)
    assert not any("first" in bucket["Name"] for bucket in s3.list_buckets()["Buckets"])

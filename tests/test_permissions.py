"""Each call judged by the policies that govern it: what each role may not do."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from worlds import FACTS

from rehearsal.accounts import EmulatedAccounts

DEV, STAGE, PROD = FACTS["environments"]
REGION = FACTS["region"]
# What the foundation's roles may not do: a line each


@pytest.fixture
def judged(organization: EmulatedAccounts) -> EmulatedAccounts:
    organization.ask("enforce")
    return organization


TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
BOUNDARY = "arn:aws:iam::{}:policy/acme-boundary"
PUT = {"Body": b"x"}


@pytest.mark.parametrize(
    ("role", "environment", "call", "action"),
    [
        ("acme-reader", DEV, ("s3", "put_object", {"Bucket": "acme-dev-artifacts", "Key": "x", **PUT}), "s3:PutObject"),
        ("acme-reader", DEV, ("s3", "get_object", {"Bucket": "acme-dev-terraform-state", "Key": "x"}), "s3:GetObject"),
        ("acme-reader", DEV, ("sts", "assume_role", {"RoleArn": "arn:aws:iam::333333333333:role/acme-operator", "RoleSessionName": "ada"}), "sts:AssumeRole"),
        ("acme-promoter", DEV, ("s3", "put_object", {"Bucket": "acme-stage-artifacts", "Key": "releases/x", **PUT}), "s3:PutObject"),
        ("acme-promoter", DEV, ("s3", "put_object", {"Bucket": "acme-prod-artifacts", "Key": "promoted/x.zip", **PUT}), "s3:PutObject"),
        ("acme-promoter", STAGE, ("s3", "put_object", {"Bucket": "acme-dev-artifacts", "Key": "promoted/x.zip", **PUT}), "s3:PutObject"),
        ("acme-promoter", DEV, ("s3", "get_object", {"Bucket": "acme-stage-artifacts", "Key": "promoted/x.zip"}), "s3:GetObject"),
        ("acme-promoter", DEV, ("s3", "get_object", {"Bucket": "acme-ops-terraform-state", "Key": "foundation/dev.tfstate"}), "s3:GetObject"),
        ("acme-operator", DEV, ("iam", "create_role", {"RoleName": "admin", "AssumeRolePolicyDocument": TRUST}), "iam:CreateRole"),
        ("acme-operator", DEV, ("iam", "put_role_policy", {"RoleName": "acme-operator", "PolicyName": "x", "PolicyDocument": "{}"}), "iam:PutRolePolicy"),
        ("acme-operator", DEV, ("s3", "get_object", {"Bucket": "acme-dev-terraform-state", "Key": "functions/x.tfstate"}), "s3:GetObject"),
        ("acme-developer", DEV, ("iam", "create_role", {"RoleName": "x-sandbox-ada", "AssumeRolePolicyDocument": TRUST}), "iam:CreateRole"),
        ("acme-developer", DEV, ("iam", "create_role", {"RoleName": "x-sandbox-ada", "AssumeRolePolicyDocument": TRUST, "PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}), "iam:CreateRole"),
        ("acme-developer", DEV, ("iam", "create_role", {"RoleName": "x", "AssumeRolePolicyDocument": TRUST, "PermissionsBoundary": BOUNDARY.format(DEV["id"])}), "iam:CreateRole"),
        ("acme-developer", DEV, ("s3", "get_object", {"Bucket": "acme-dev-terraform-state", "Key": "functions/x.tfstate"}), "s3:GetObject"),
        ("acme-developer", DEV, ("s3", "put_object", {"Bucket": "acme-dev-artifacts", "Key": "releases/x", **PUT}), "s3:PutObject"),
        ("acme-developer", DEV, ("lambda", "invoke", {"FunctionName": "acme-promoter"}), "lambda:InvokeFunction"),
        ("acme-pipeline", STAGE, ("s3", "get_object", {"Bucket": "acme-dev-artifacts", "Key": "x"}), "s3:GetObject"),
    ],
)  # fmt: skip
def test_a_role_may_not_go_further_than_its_purpose(
    judged: EmulatedAccounts,
    role: str,
    environment: dict[str, Any],
    call: tuple[str, str, dict[str, Any]],
    action: str,
) -> None:
    service, operation, parameters = call
    client = judged.client(service, environment["id"], REGION, role)
    message = f"{role}/rehearsal is not authorized to perform: {action} on resource"

    with pytest.raises(ClientError, match=message) as refusal:
        getattr(client, operation)(**parameters)

    assert refusal.value.response["Error"]["Code"].startswith("AccessDenied")


def test_a_role_that_is_not_there_may_do_nothing(judged: EmulatedAccounts) -> None:
    with pytest.raises(ClientError, match="there is no role nobody in 222222222222"):
        judged.client("s3", DEV["id"], REGION, "nobody").get_object(Bucket="acme-dev-artifacts", Key="x")


def test_what_the_judge_does_not_know_fails(judged: EmulatedAccounts) -> None:
    with pytest.raises(ClientError, match="the judge does not know the service dynamodb"):
        judged.client("dynamodb", DEV["id"], REGION, "acme-reader").list_tables()


def test_ops_enters_the_roles_made_for_it_and_through_them_alone(judged: EmulatedAccounts) -> None:
    sts = judged.client("sts", FACTS["ops"]["id"], REGION, "acme-operator")

    sts.assume_role(RoleArn="arn:aws:iam::444444444444:role/acme-operator", RoleSessionName="ada")
    with pytest.raises(
        ClientError, match="no identity-based policy of acme-operator allows the sts:AssumeRole"
    ):
        sts.assume_role(RoleArn="arn:aws:iam::444444444444:role/acme-reader", RoleSessionName="ada")
    with pytest.raises(ClientError, match="no resource-based policy allows the sts:AssumeRole"):
        sts.assume_role(RoleArn="arn:aws:iam::444444444444:role/acme-pipeline", RoleSessionName="ada")


def test_a_cross_account_put_that_asks_for_aws_s_own_key_is_refused(judged: EmulatedAccounts) -> None:
    promoter = judged.client("s3", DEV["id"], REGION, "acme-promoter")
    put = {"Bucket": "acme-stage-artifacts", "Key": "promoted/x.zip", "Body": b"x"}

    promoter.put_object(**put)
    with pytest.raises(ClientError, match="AWS managed key"):
        promoter.put_object(**put, ServerSideEncryption="aws:kms")

"""Each call judged by the policies that govern it: the evaluation of policies, and what each role may not do."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import FACTS

from rehearsal.accounts import EmulatedAccounts
from rehearsal.policies import Policies, Request, UnknownError, decide

DEV, STAGE, PROD = FACTS["environments"]
REGION = FACTS["region"]
ROLE, OBJECT = "arn:aws:iam::222222222222:role/r", "arn:aws:s3:::bucket/key"
SESSION = "arn:aws:sts::222222222222:assumed-role/r/s"


def statement(
    effect: str = "Allow", action: Any = "s3:GetObject", resource: Any = OBJECT, **more: Any
) -> Any:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def policy(*statements: Any) -> Any:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allowed(
    *identity: Any,
    boundary: Any = None,
    resource: Any = None,
    owner: str = "222222222222",
    delegating: bool = False,
    **context: str,
) -> bool:
    """Return whether the role may get the object."""
    keys = {key.replace("__", ":"): value for key, value in context.items()}
    request = Request(ROLE, SESSION, "s3:GetObject", OBJECT, owner, keys)
    return decide(request, Policies([policy(*identity)], boundary, resource, delegating)) is None


# The evaluation of policies, case by case as documented


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([], False),
        ([statement()], True),
        ([statement(action="S3:getobject")], True),  # actions know no case
        ([statement(resource="arn:aws:s3:::bucket/KEY")], False),  # resources do
        ([statement(action="s3:Get*", resource="arn:aws:s3:::b?cket/*")], True),
        ([statement(action=["s3:PutObject", "s3:GetObject"])], True),
        ([statement(action="s3:GetObjectAcl")], False),
        ([statement(), statement("Deny")], False),
        ([statement(), statement("Deny", action="s3:PutObject")], True),
        ([{"Effect": "Allow", "NotAction": "s3:PutObject", "Resource": "*"}], True),
        ([{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}], False),
        ([{"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::bucket/*"}], False),
    ],
)
def test_statements_allow_and_deny(statements: list[Any], expected: bool) -> None:
    assert allowed(*statements) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {"iam:PassedToService": "lambda"}}, True),
        ({"StringEquals": {"IAM:passedtoservice": ["x", "lambda"]}}, True),
        ({"StringEquals": {"iam:PassedToService": "Lambda"}}, False),
        ({"StringLike": {"iam:PassedToService": "lam*"}}, True),
        ({"StringNotEquals": {"iam:PassedToService": "lambda"}}, False),
        ({"StringNotEquals": {"iam:PassedToService": "x"}}, True),
        ({"StringEquals": {"missing": "x"}}, False),
        ({"StringEqualsIfExists": {"missing": "x"}}, True),
        ({"StringNotEquals": {"missing": "x"}}, True),  # negated operators hold where the key is missing
        ({"Null": {"missing": "true"}}, True),
        ({"Null": {"iam:PassedToService": "true"}}, False),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/r"}}, True),
        ({"StringEquals": {"iam:PassedToService": "lambda"}, "Bool": {"aws:SecureTransport": False}}, False),
    ],
)
def test_conditions_hold_as_documented(condition: Any, expected: bool) -> None:
    found = allowed(
        statement(Condition=condition),
        iam__passedtoservice="lambda",
        aws__securetransport="true",
        aws__principalarn=ROLE,
    )

    assert found is expected


def test_what_is_not_known_never_passes() -> None:
    for unknown in (
        statement(Condition={"DateGreaterThan": {"aws:CurrentTime": "2020"}}),
        statement(resource="arn:aws:s3:::${aws:username}/*"),
    ):
        with pytest.raises(UnknownError):
            allowed(unknown, aws__currenttime="2026")


def by(principal: Any, effect: str = "Allow", **more: Any) -> Any:
    """Return a bucket's policy that speaks of a principal."""
    return policy(statement(effect, Principal={"AWS": principal}, **more))


ROOT = "arn:aws:iam::222222222222:root"


@pytest.mark.parametrize(
    ("identity", "resource", "same", "cross", "trust"),
    [  # same account, another account, a policy that must at least delegate
        (False, None, False, False, False),
        (True, None, True, False, False),
        (False, by(ROLE), True, False, True),
        (False, by(SESSION), True, False, True),
        (False, by(ROOT), False, False, False),
        (True, by(ROOT), True, True, True),
        (True, by(ROLE), True, True, True),
        (True, by("arn:aws:iam::999999999999:root"), True, False, False),
        (True, by(ROLE, "Deny"), False, False, False),
        (True, policy(statement("Deny", Principal="*")), False, False, False),
        (True, by(ROOT, Condition={"ArnEquals": {"aws:PrincipalArn": ROLE}}), True, True, True),
        (True, by(ROOT, Condition={"ArnEquals": {"aws:PrincipalArn": ROLE + "2"}}), True, False, False),
    ],
)
def test_a_resource_s_policy_counts_as_documented(
    identity: bool, resource: Any, same: bool, cross: bool, trust: bool
) -> None:
    statements = [statement()] if identity else []

    def found(**more: Any) -> bool:
        return allowed(*statements, resource=resource, aws__principalarn=ROLE, **more)

    assert found() is same
    assert found(owner="333333333333") is cross
    assert found(delegating=True) is trust


def test_a_boundary_caps_what_the_role_s_policies_grant() -> None:
    assert allowed(statement(), boundary=policy(statement(action="s3:*")))
    assert not allowed(statement(), boundary=policy(statement(action="s3:PutObject")))
    assert not allowed(boundary=policy(statement()))
    assert not allowed(statement(), boundary=policy(statement(), statement("Deny")))


# What the foundation's roles may not do: a line each


@pytest.fixture
def judged(organization: EmulatedAccounts) -> EmulatedAccounts:
    organization.ask("enforce")
    return organization


TRUST = json.dumps(
    policy({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})
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

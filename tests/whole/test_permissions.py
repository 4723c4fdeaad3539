"""Each call judged by the policies that govern it: what each role may not do."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts
from tests.worlds import DEV, FACTS, NAME, PROD, REGION, STAGE, Rehearsed, as_function

# What roles may not do: a line each


@pytest.fixture(scope="module")
def judged(rehearsed: Rehearsed) -> Iterator[EmulatedAccounts]:
    with rehearsed.world.fork() as accounts:
        yield accounts


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
BUILDER, DEPLOYER, PLANNER, TRAFFIC, VERIFIER = (
    f"{NAME}-{each}" for each in ("builder", "deployer", "planner", "traffic", "verifier")
)
TO_PIPELINES = "/lambda-template/pipelines/"


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
        ("acme-promoter", DEV, ("s3", "get_object", {"Bucket": "acme-dev-artifacts", "Key": "releases/x"}), "s3:GetObject"),
        ("acme-pipeline", STAGE, ("s3", "put_object", {"Bucket": "acme-stage-artifacts", "Key": f"promoted/{NAME}.zip", **PUT}), "s3:PutObject"),
        ("acme-pipeline", DEV, ("s3", "get_object", {"Bucket": "acme-dev-artifacts", "Key": f"releases/{NAME}/x.zip"}), "s3:GetObject"),
        ("acme-promoter", DEV, ("s3", "get_object", {"Bucket": "acme-ops-terraform-state", "Key": "foundation/dev.tfstate"}), "s3:GetObject"),
        ("acme-operator", DEV, ("iam", "create_role", {"RoleName": "admin", "AssumeRolePolicyDocument": TRUST}), "iam:CreateRole"),
        ("acme-operator", DEV, ("iam", "put_role_policy", {"RoleName": "acme-operator", "PolicyName": "x", "PolicyDocument": "{}"}), "iam:PutRolePolicy"),
        ("acme-operator", DEV, ("s3", "get_object", {"Bucket": "acme-dev-terraform-state", "Key": "functions/x.tfstate"}), "s3:GetObject"),
        ("acme-operator", DEV, ("s3", "get_object", {"Bucket": "acme-dev-artifacts", "Key": f"promoted/{NAME}.zip"}), "s3:GetObject"),
        ("acme-operator", DEV, ("s3", "put_object", {"Bucket": "acme-dev-artifacts", "Key": f"releases/{NAME}/x.zip", **PUT}), "s3:PutObject"),
        ("acme-operator", DEV, ("lambda", "update_function_code", {"FunctionName": "acme-promoter", "ZipFile": b"x"}), "lambda:UpdateFunctionCode"),
        ("acme-operator", DEV, ("lambda", "publish_version", {"FunctionName": "acme-promoter"}), "lambda:PublishVersion"),
        ("acme-operator", DEV, ("lambda", "update_function_configuration", {"FunctionName": NAME}), "lambda:UpdateFunctionConfiguration"),
        ("acme-operator", DEV, ("lambda", "invoke", {"FunctionName": NAME}), "lambda:InvokeFunction"),
        (TRAFFIC, DEV, ("lambda", "update_function_code", {"FunctionName": NAME, "ZipFile": b"x"}), "lambda:UpdateFunctionCode"),
        (TRAFFIC, DEV, ("lambda", "invoke", {"FunctionName": NAME}), "lambda:InvokeFunction"),
        (TRAFFIC, DEV, ("lambda", "update_alias", {"FunctionName": "other", "Name": "live", "FunctionVersion": "1"}), "lambda:UpdateAlias"),
        ("acme-operator", DEV, ("iam", "create_role", {"RoleName": f"{NAME}-x", "Path": TO_PIPELINES, "AssumeRolePolicyDocument": TRUST, "PermissionsBoundary": BOUNDARY.format(DEV["id"])}), "iam:CreateRole"),
        ("acme-operator", DEV, ("iam", "put_role_permissions_boundary", {"RoleName": DEPLOYER, "PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}), "iam:PutRolePermissionsBoundary"),
        ("acme-operator", DEV, ("iam", "delete_role_permissions_boundary", {"RoleName": DEPLOYER}), "iam:DeleteRolePermissionsBoundary"),
        ("acme-operator", DEV, ("iam", "attach_role_policy", {"RoleName": DEPLOYER, "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}), "iam:AttachRolePolicy"),
        ("acme-operator", DEV, ("iam", "create_policy_version", {"PolicyArn": "arn:aws:iam::222222222222:policy/acme-pipelines-boundary", "PolicyDocument": "{}"}), "iam:CreatePolicyVersion"),
        ("acme-operator", DEV, ("codebuild", "update_project", {"name": f"{NAME}-build", "serviceRole": "arn:aws:iam::222222222222:role/lambda-template-bootstrap"}), "iam:PassRole"),
        ("acme-operator", DEV, ("codebuild", "create_project", {"name": "x-build", "serviceRole": "arn:aws:iam::222222222222:role/lambda-template-bootstrap", "source": {"type": "NO_SOURCE"}, "artifacts": {"type": "NO_ARTIFACTS"}, "environment": {"type": "ARM_CONTAINER", "image": "x", "computeType": "BUILD_GENERAL1_SMALL"}}), "codebuild:CreateProject"),
        ("acme-developer", DEV, ("iam", "create_role", {"RoleName": "x--sandbox-ada", "AssumeRolePolicyDocument": TRUST}), "iam:CreateRole"),
        ("acme-operator", DEV, ("sqs", "receive_message", {"QueueUrl": NAME}), "sqs:ReceiveMessage"),
        ("acme-operator", DEV, ("sqs", "receive_message", {"QueueUrl": "theirs-failures"}), "sqs:ReceiveMessage"),
        ("acme-developer", DEV, ("sqs", "create_queue", {"QueueName": NAME}), "sqs:CreateQueue"),
        ("acme-developer", DEV, ("sqs", "create_queue", {"QueueName": "x-sandbox-ada"}), "sqs:CreateQueue"),
        ("acme-developer", DEV, ("sqs", "send_message", {"QueueUrl": NAME, "MessageBody": "x"}), "sqs:SendMessage"),
        ("acme-developer", DEV, ("lambda", "tag_resource", {"Resource": f"arn:aws:lambda:{REGION}:{DEV['id']}:event-source-mapping:x", "Tags": {"function": NAME}}), "lambda:TagResource"),
        ("acme-developer", DEV, ("iam", "create_role", {"RoleName": "x--sandbox-ada", "AssumeRolePolicyDocument": TRUST, "PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}), "iam:CreateRole"),
        ("acme-developer", DEV, ("iam", "create_role", {"RoleName": "x", "AssumeRolePolicyDocument": TRUST, "PermissionsBoundary": BOUNDARY.format(DEV["id"])}), "iam:CreateRole"),
        ("acme-developer", DEV, ("s3", "get_object", {"Bucket": "acme-dev-terraform-state", "Key": "functions/x.tfstate"}), "s3:GetObject"),
        ("acme-developer", DEV, ("s3", "put_object", {"Bucket": "acme-dev-artifacts", "Key": "releases/x", **PUT}), "s3:PutObject"),
        ("acme-developer", DEV, ("lambda", "invoke", {"FunctionName": "acme-promoter"}), "lambda:InvokeFunction"),
        ("acme-developer", DEV, ("lambda", "invoke", {"FunctionName": NAME}), "lambda:InvokeFunction"),
        ("acme-developer", DEV, ("lambda", "update_function_code", {"FunctionName": NAME, "ZipFile": b"x"}), "lambda:UpdateFunctionCode"),
        ("acme-developer", DEV, ("iam", "put_role_policy", {"RoleName": NAME, "PolicyName": "x", "PolicyDocument": "{}"}), "iam:PutRolePolicy"),
        ("acme-pipeline", STAGE, ("s3", "get_object", {"Bucket": "acme-dev-artifacts", "Key": "x"}), "s3:GetObject"),
        # What a deployer might try: to get rid of the boundary, to widen itself, to reach another function or account
        (DEPLOYER, DEV, ("iam", "create_role", {"RoleName": NAME, "AssumeRolePolicyDocument": TRUST}), "iam:CreateRole"),
        (DEPLOYER, DEV, ("iam", "create_role", {"RoleName": NAME, "AssumeRolePolicyDocument": TRUST, "PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}), "iam:CreateRole"),
        (DEPLOYER, DEV, ("iam", "create_role", {"RoleName": "other", "AssumeRolePolicyDocument": TRUST, "PermissionsBoundary": BOUNDARY.format(DEV["id"])}), "iam:CreateRole"),
        (DEPLOYER, DEV, ("iam", "delete_role_permissions_boundary", {"RoleName": NAME}), "iam:DeleteRolePermissionsBoundary"),
        (DEPLOYER, DEV, ("iam", "put_role_permissions_boundary", {"RoleName": NAME, "PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}), "iam:PutRolePermissionsBoundary"),
        (DEPLOYER, DEV, ("iam", "attach_role_policy", {"RoleName": NAME, "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}), "iam:AttachRolePolicy"),
        (DEPLOYER, DEV, ("iam", "put_role_policy", {"RoleName": DEPLOYER, "PolicyName": "function", "PolicyDocument": "{}"}), "iam:PutRolePolicy"),
        (DEPLOYER, DEV, ("iam", "put_role_policy", {"RoleName": "other", "PolicyName": "function", "PolicyDocument": "{}"}), "iam:PutRolePolicy"),
        (DEPLOYER, DEV, ("iam", "create_policy_version", {"PolicyArn": BOUNDARY.format(DEV["id"]), "PolicyDocument": "{}"}), "iam:CreatePolicyVersion"),
        (DEPLOYER, DEV, ("lambda", "update_function_configuration", {"FunctionName": NAME, "Role": "arn:aws:iam::222222222222:role/acme-operator"}), "iam:PassRole"),
        (DEPLOYER, DEV, ("lambda", "update_function_code", {"FunctionName": "other", "ZipFile": b"x"}), "lambda:UpdateFunctionCode"),
        (DEPLOYER, DEV, ("lambda", "update_function_code", {"FunctionName": "acme-promoter", "ZipFile": b"x"}), "lambda:UpdateFunctionCode"),
        (DEPLOYER, DEV, ("lambda", "invoke", {"FunctionName": "acme-promoter"}), "lambda:InvokeFunction"),
        (DEPLOYER, DEV, ("lambda", "update_alias", {"FunctionName": NAME, "Name": "live", "FunctionVersion": "1"}), "lambda:UpdateAlias"),
        (DEPLOYER, DEV, ("codedeploy", "delete_application", {"applicationName": "other"}), "codedeploy:DeleteApplication"),
        (DEPLOYER, DEV, ("codedeploy", "update_deployment_group", {"applicationName": NAME, "currentDeploymentGroupName": "live", "serviceRoleArn": "arn:aws:iam::222222222222:role/acme-operator"}), "iam:PassRole"),
        (DEPLOYER, DEV, ("s3", "get_object", {"Bucket": "acme-dev-terraform-state", "Key": "functions/other.tfstate"}), "s3:GetObject"),
        (DEPLOYER, DEV, ("s3", "put_object", {"Bucket": "acme-dev-artifacts", "Key": "releases/other/x.zip", **PUT}), "s3:PutObject"),
        (DEPLOYER, DEV, ("s3", "put_object", {"Bucket": "acme-dev-artifacts-pipelines", "Key": "other/Release/x", **PUT}), "s3:PutObject"),
        (DEPLOYER, DEV, ("s3", "put_object", {"Bucket": "acme-dev-artifacts", "Key": f"{NAME}/Release/x", **PUT}), "s3:PutObject"),
        (DEPLOYER, DEV, ("s3", "delete_object", {"Bucket": "acme-dev-artifacts", "Key": f"releases/{NAME}/x.zip"}), "s3:DeleteObject"),
        (DEPLOYER, DEV, ("s3", "get_object", {"Bucket": "acme-dev-terraform-state", "Key": f"sandboxes/{NAME}/ada.tfstate"}), "s3:GetObject"),
        (DEPLOYER, DEV, ("lambda", "get_function", {"FunctionName": f"{NAME}--sandbox-ada"}), "lambda:GetFunction"),
        (DEPLOYER, DEV, ("logs", "delete_log_group", {"logGroupName": "/aws/lambda/other"}), "logs:DeleteLogGroup"),
        (DEPLOYER, DEV, ("codebuild", "update_project", {"name": f"{NAME}-deploy", "serviceRole": "arn:aws:iam::222222222222:role/acme-operator"}), "codebuild:UpdateProject"),
        (DEPLOYER, DEV, ("s3", "put_object", {"Bucket": "acme-stage-artifacts", "Key": f"promoted/{NAME}.zip", **PUT}), "s3:PutObject"),
        (DEPLOYER, DEV, ("s3", "get_object", {"Bucket": "acme-ops-terraform-state", "Key": f"pipelines/{NAME}/dev.tfstate"}), "s3:GetObject"),
        (DEPLOYER, DEV, ("sts", "assume_role", {"RoleArn": "arn:aws:iam::111111111111:role/acme-operator", "RoleSessionName": "ada"}), "sts:AssumeRole"),
        (DEPLOYER, STAGE, ("s3", "put_object", {"Bucket": "acme-dev-artifacts", "Key": f"releases/{NAME}/x.zip", **PUT}), "s3:PutObject"),
        (DEPLOYER, STAGE, ("sts", "assume_role", {"RoleArn": f"arn:aws:iam::222222222222:role{TO_PIPELINES}{DEPLOYER}", "RoleSessionName": "ada"}), "sts:AssumeRole"),
        (DEPLOYER, PROD, ("s3", "put_object", {"Bucket": "acme-stage-artifacts", "Key": f"promoted/{NAME}.zip", **PUT}), "s3:PutObject"),
        # What a plan might try, before anybody has approved it
        (PLANNER, PROD, ("lambda", "update_function_configuration", {"FunctionName": NAME, "Timeout": 9}), "lambda:UpdateFunctionConfiguration"),
        (PLANNER, PROD, ("lambda", "invoke", {"FunctionName": NAME}), "lambda:InvokeFunction"),
        (PLANNER, PROD, ("iam", "put_role_policy", {"RoleName": NAME, "PolicyName": "x", "PolicyDocument": "{}"}), "iam:PutRolePolicy"),
        (PLANNER, PROD, ("codedeploy", "update_deployment_group", {"applicationName": NAME, "currentDeploymentGroupName": "live"}), "codedeploy:UpdateDeploymentGroup"),
        (PLANNER, PROD, ("codedeploy", "create_deployment", {"applicationName": NAME, "deploymentGroupName": "live"}), "codedeploy:CreateDeployment"),
        (PLANNER, PROD, ("cloudwatch", "delete_alarms", {"AlarmNames": [f"{NAME}-canary"]}), "cloudwatch:DeleteAlarms"),
        (PLANNER, PROD, ("s3", "get_object", {"Bucket": "acme-prod-terraform-state", "Key": "functions/other.tfstate"}), "s3:GetObject"),
        (PLANNER, PROD, ("s3", "delete_object", {"Bucket": "acme-prod-terraform-state", "Key": f"functions/{NAME}.tfstate.tflock"}), "s3:DeleteObject"),
        (PLANNER, PROD, ("sts", "assume_role", {"RoleArn": f"arn:aws:iam::444444444444:role{TO_PIPELINES}{DEPLOYER}", "RoleSessionName": "ada"}), "sts:AssumeRole"),
        # What a test of what is deployed might try: it runs the code of every commit
        (VERIFIER, PROD, ("lambda", "invoke", {"FunctionName": NAME}), "lambda:InvokeFunction"),
        (VERIFIER, PROD, ("lambda", "get_function", {"FunctionName": NAME, "Qualifier": "live"}), "lambda:GetFunction"),
        (VERIFIER, PROD, ("logs", "filter_log_events", {"logGroupName": f"/aws/lambda/{NAME}"}), "logs:FilterLogEvents"),
        (VERIFIER, PROD, ("logs", "put_log_events", {"logGroupName": f"/aws/codebuild/{NAME}-deploy", "logStreamName": "x", "logEvents": [{"timestamp": 1, "message": "x"}]}), "logs:PutLogEvents"),
        (VERIFIER, PROD, ("s3", "get_object", {"Bucket": "acme-prod-terraform-state", "Key": f"functions/{NAME}.tfstate"}), "s3:GetObject"),
        (VERIFIER, PROD, ("s3", "get_object", {"Bucket": "acme-prod-artifacts-pipelines", "Key": f"{NAME}/Plan/x"}), "s3:GetObject"),
        (VERIFIER, PROD, ("kms", "generate_data_key", {"KeyId": "alias/acme", "KeySpec": "AES_256"}), "kms:GenerateDataKey"),
        (VERIFIER, PROD, ("iam", "put_role_policy", {"RoleName": VERIFIER, "PolicyName": "trigger", "PolicyDocument": "{}"}), "iam:PutRolePolicy"),
        (VERIFIER, PROD, ("sts", "assume_role", {"RoleArn": f"arn:aws:iam::444444444444:role{TO_PIPELINES}{DEPLOYER}", "RoleSessionName": "ada"}), "sts:AssumeRole"),
        (VERIFIER, STAGE, ("codepipeline", "start_pipeline_execution", {"name": NAME}), "codepipeline:StartPipelineExecution"),
        (VERIFIER, STAGE, ("s3", "put_object", {"Bucket": "acme-prod-artifacts", "Key": f"promoted/{NAME}.zip", **PUT}), "s3:PutObject"),
        # What a build might try: it runs the code of every commit
        (BUILDER, DEV, ("s3", "put_object", {"Bucket": "acme-dev-artifacts", "Key": f"releases/{NAME}/x.zip", **PUT}), "s3:PutObject"),
        (BUILDER, DEV, ("s3", "put_object", {"Bucket": "acme-dev-artifacts", "Key": f"promoted/{NAME}.zip", **PUT}), "s3:PutObject"),
        (BUILDER, DEV, ("s3", "put_object", {"Bucket": "acme-dev-artifacts-pipelines", "Key": "other/Release/x", **PUT}), "s3:PutObject"),
        (BUILDER, DEV, ("s3", "put_object", {"Bucket": "acme-dev-artifacts", "Key": "promoted/Release/x", **PUT}), "s3:PutObject"),
        (BUILDER, DEV, ("s3", "put_object", {"Bucket": "acme-stage-artifacts", "Key": f"promoted/{NAME}.zip", **PUT}), "s3:PutObject"),
        (BUILDER, DEV, ("s3", "get_object", {"Bucket": "acme-dev-terraform-state", "Key": f"functions/{NAME}.tfstate"}), "s3:GetObject"),
        (BUILDER, DEV, ("s3", "get_object", {"Bucket": "acme-ops-terraform-state", "Key": "foundation/dev.tfstate"}), "s3:GetObject"),
        (BUILDER, DEV, ("lambda", "update_function_code", {"FunctionName": NAME, "ZipFile": b"x"}), "lambda:UpdateFunctionCode"),
        (BUILDER, DEV, ("lambda", "invoke", {"FunctionName": "acme-promoter"}), "lambda:InvokeFunction"),
        (BUILDER, DEV, ("iam", "create_role", {"RoleName": NAME, "AssumeRolePolicyDocument": TRUST, "PermissionsBoundary": BOUNDARY.format(DEV["id"])}), "iam:CreateRole"),
        (BUILDER, DEV, ("iam", "put_role_policy", {"RoleName": BUILDER, "PolicyName": "builder", "PolicyDocument": "{}"}), "iam:PutRolePolicy"),
        (BUILDER, DEV, ("sts", "assume_role", {"RoleArn": f"arn:aws:iam::222222222222:role{TO_PIPELINES}{DEPLOYER}", "RoleSessionName": "ada"}), "sts:AssumeRole"),
        (BUILDER, DEV, ("codepipeline", "start_pipeline_execution", {"name": NAME}), "codepipeline:StartPipelineExecution"),
        (BUILDER, DEV, ("logs", "put_log_events", {"logGroupName": "/aws/codebuild/other-build", "logStreamName": "x", "logEvents": [{"timestamp": 1, "message": "x"}]}), "logs:PutLogEvents"),
        # What a function might try
        (NAME, DEV, ("lambda", "update_function_code", {"FunctionName": NAME, "ZipFile": b"x"}), "lambda:UpdateFunctionCode"),
        (NAME, DEV, ("lambda", "invoke", {"FunctionName": "acme-promoter"}), "lambda:InvokeFunction"),
        (NAME, DEV, ("s3", "get_object", {"Bucket": "acme-dev-terraform-state", "Key": f"functions/{NAME}.tfstate"}), "s3:GetObject"),
        (NAME, DEV, ("s3", "put_object", {"Bucket": "acme-dev-artifacts", "Key": f"promoted/{NAME}.zip", **PUT}), "s3:PutObject"),
        (NAME, DEV, ("iam", "put_role_policy", {"RoleName": NAME, "PolicyName": "function", "PolicyDocument": "{}"}), "iam:PutRolePolicy"),
        (NAME, DEV, ("logs", "create_log_stream", {"logGroupName": "/aws/lambda/other", "logStreamName": "x"}), "logs:CreateLogStream"),
        (NAME, DEV, ("sts", "assume_role", {"RoleArn": "arn:aws:iam::111111111111:role/acme-operator", "RoleSessionName": "ada"}), "sts:AssumeRole"),
        (NAME, STAGE, ("s3", "put_object", {"Bucket": "acme-dev-artifacts", "Key": f"promoted/{NAME}.zip", **PUT}), "s3:PutObject"),
    ],
)  # fmt: skip
def test_a_role_may_not_go_further_than_its_purpose(  # noqa: PLR0913, PLR0917  of the table
    judged: EmulatedAccounts,
    role: str,
    environment: dict[str, Any],
    call: tuple[str, str, dict[str, Any]],
    action: str,
    record_property: Callable[[str, object], None],
) -> None:
    record_property("attempt", f"{role} {action}")
    service, operation, parameters = call
    client = judged.client(service, environment["id"], REGION, role)
    message = f"{role}/rehearsal is not authorized to perform: {action} on resource"

    with pytest.raises(ClientError, match=message) as refusal:
        getattr(client, operation)(**parameters)

    assert refusal.value.response["Error"]["Code"].startswith("AccessDenied")


def test_a_role_that_is_not_there_may_do_nothing(judged: EmulatedAccounts) -> None:
    with pytest.raises(ClientError, match="there is no role nobody in 222222222222"):
        judged.client("s3", DEV["id"], REGION, "nobody").get_object(Bucket="acme-dev-artifacts", Key="x")


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "unknown"),
    [
        ("secretsmanager", "get_secret_value", {"SecretId": "x"}, "what secretsmanager:GetSecretValue acts"),
        ("s3", "get_object_tagging", {"Bucket": "acme-dev-artifacts", "Key": "x"}, "s3:GetObjectTagging"),
        ("ssm", "get_parameters", {"Names": ["x"]}, "on what ssm:GetParameters acts"),
    ],
)
def test_what_the_judge_does_not_know_fails(
    judged: EmulatedAccounts, service: str, operation: str, parameters: dict[str, Any], unknown: str
) -> None:
    with pytest.raises(ClientError, match=f"the judge does not know (on )?{unknown}") as refusal:
        getattr(judged.client(service, DEV["id"], REGION, "acme-reader"), operation)(**parameters)

    assert refusal.value.response["Error"]["Code"] == "EmulatorNotImplemented"


@pytest.fixture(scope="module")
def unlimited(rehearsed: Rehearsed) -> Iterator[EmulatedAccounts]:
    """A world in which the function's own policy allows everything, so that the boundary alone limits it."""
    with rehearsed.world.fork() as accounts:
        everything = {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"},
        }
        iam = accounts.client("iam", DEV["id"], REGION)
        iam.put_role_policy(RoleName=NAME, PolicyName="function", PolicyDocument=json.dumps(everything))
        yield accounts


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (("s3", "get_object", {"Bucket": "acme-dev-terraform-state", "Key": f"functions/{NAME}.tfstate"}), "an explicit deny"),
        (("s3", "put_object", {"Bucket": "acme-dev-artifacts", "Key": f"promoted/{NAME}.zip", **PUT}), "an explicit deny"),
        (("s3", "list_objects_v2", {"Bucket": "acme-dev-artifacts"}), "an explicit deny"),
        (("kms", "generate_data_key", {"KeyId": "alias/acme", "KeySpec": "AES_256"}), "no permissions boundary"),
        (("lambda", "invoke", {"FunctionName": "acme-promoter"}), "an explicit deny"),
        (("iam", "put_role_policy", {"RoleName": NAME, "PolicyName": "x", "PolicyDocument": "{}"}), "no permissions boundary"),
        (("iam", "delete_role_permissions_boundary", {"RoleName": NAME}), "no permissions boundary"),
        (("lambda", "update_function_code", {"FunctionName": NAME, "ZipFile": b"x"}), "no permissions boundary"),
        (("sts", "assume_role", {"RoleArn": f"arn:aws:iam::222222222222:role{TO_PIPELINES}{DEPLOYER}", "RoleSessionName": "ada"}), "no resource-based policy"),
        (("codepipeline", "start_pipeline_execution", {"name": NAME}), "no permissions boundary"),
    ],
)  # fmt: skip
def test_the_boundary_holds_whatever_a_function_is_granted(
    unlimited: EmulatedAccounts, call: tuple[str, str, dict[str, Any]], why: str
) -> None:
    service, operation, parameters = call

    with pytest.raises(ClientError, match=why):
        getattr(as_function(unlimited, service), operation)(**parameters)


def test_the_boundary_lets_a_function_use_what_has_its_tag_or_its_name(unlimited: EmulatedAccounts) -> None:
    tables = unlimited.client("dynamodb", DEV["id"], REGION)
    tables.create_table(
        TableName="notes",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": "function", "Value": NAME}],
    )
    unlimited.client("ssm", DEV["id"], REGION).put_parameter(
        Name=f"/{NAME}/key", Value="x", Type="SecureString"
    )
    unlimited.client("s3", DEV["id"], REGION).create_bucket(Bucket=f"{NAME}-{DEV['id']}")

    def itself(service: str) -> Any:
        return as_function(unlimited, service)

    itself("dynamodb").put_item(TableName="notes", Item={"id": {"S": "1"}})
    itself("s3").put_object(Bucket=f"{NAME}-{DEV['id']}", Key="x", Body=b"x")
    assert itself("ssm").get_parameter(Name=f"/{NAME}/key")["Parameter"]["Value"]
    with pytest.raises(ClientError, match="an explicit deny"):
        unlimited.client("dynamodb", DEV["id"], REGION, NAME).get_item(
            TableName="notes", Key={"id": {"S": "1"}}
        )


def test_ops_enters_the_roles_made_for_it_and_through_them_alone(judged: EmulatedAccounts) -> None:
    sts = judged.client("sts", FACTS["ops"]["id"], REGION, "acme-operator")

    sts.assume_role(RoleArn="arn:aws:iam::444444444444:role/acme-operator", RoleSessionName="ada")
    with pytest.raises(
        ClientError, match="no identity-based policy of acme-operator allows the sts:AssumeRole"
    ):
        sts.assume_role(RoleArn="arn:aws:iam::444444444444:role/acme-reader", RoleSessionName="ada")
    with pytest.raises(ClientError, match="no resource-based policy allows the sts:AssumeRole"):
        sts.assume_role(
            RoleArn="arn:aws:iam::444444444444:role/lambda-template/services/acme-pipeline",
            RoleSessionName="ada",
        )


def test_a_cross_account_put_that_asks_for_aws_s_own_key_is_refused(judged: EmulatedAccounts) -> None:
    promoter = judged.client("s3", DEV["id"], REGION, "acme-promoter")
    put = {"Bucket": "acme-stage-artifacts", "Key": "promoted/x.zip", "Body": b"x"}

    promoter.put_object(**put)
    with pytest.raises(ClientError, match="AWS managed key"):
        promoter.put_object(**put, ServerSideEncryption="aws:kms")

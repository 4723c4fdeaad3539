"""What could do harm, tried step by step, in the role that an attacker would have.

Each chain ends where AWS refuses it, at a statement that is named. docs/security.md lists them.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts
from emulator.calls import Caller, Check
from emulator.judge.grants import policies
from emulator.judge.policies import applies, listed, named, statements
from tests.worlds import DEV, FACTS, NAME, PROD, REGION, STAGE, TEMPLATE, Rehearsed, as_function

PAGE = (TEMPLATE / "docs/security.md").read_text("utf-8")
OPS = FACTS["ops"]
BUILDER, DEPLOYER, PLANNER, VERIFIER = (
    f"{NAME}-{role}" for role in ("builder", "deployer", "planner", "verifier")
)
PATHS = {kind: f"/lambda-template/{kind}/" for kind in ("functions", "pipelines", "sandboxes")}
STRANGER = "999999999999"
EVERYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


def trust(**principal: str) -> str:
    """Return a trust policy."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


LAMBDA, THEM = trust(Service="lambda.amazonaws.com"), trust(AWS=f"arn:aws:iam::{STRANGER}:root")


class Attack:
    """A world to do harm in."""

    def __init__(self, accounts: EmulatedAccounts) -> None:
        self.accounts = accounts

    def as_role(self, service: str, role: str, account: dict[str, Any] = DEV) -> Any:
        """Return a client of an attacker."""
        return self.accounts.client(service, account["id"], REGION, role)

    def owner(self, service: str, account: dict[str, Any] = DEV) -> Any:
        """Return a client of whoever made what was there before."""
        return self.accounts.client(service, account["id"], REGION)

    def grant(self, role: str, account: dict[str, Any] = DEV, document: Any = EVERYTHING) -> None:
        """Give a role a policy; without one, all that its boundary lets it have."""
        self.owner("iam", account).put_role_policy(
            RoleName=role, PolicyName="given", PolicyDocument=json.dumps(document)
        )

    def role(self, name: str, path: str = "/", trusts: str = LAMBDA, **tags: str) -> str:
        """Make a role in dev that was there before, and return its ARN."""
        made = self.owner("iam").create_role(
            RoleName=name,
            Path=path,
            AssumeRolePolicyDocument=trusts,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        return str(made["Role"]["Arn"])

    def roles_of(self, function: str) -> None:
        """Make the roles in dev that another function's pipeline has there, as ours are."""
        iam = self.owner("iam")
        for suffix in "", "-builder", "-deployer", "-traffic":
            ours = iam.get_role(RoleName=NAME + suffix)["Role"]
            iam.create_role(
                RoleName=function + suffix,
                Path=ours["Path"],
                AssumeRolePolicyDocument=json.dumps(ours["AssumeRolePolicyDocument"]).replace(NAME, function),
                PermissionsBoundary=ours["PermissionsBoundary"]["PermissionsBoundaryArn"],
                Tags=[{"Key": "function", "Value": function}],
            )
            for policy in iam.list_role_policies(RoleName=NAME + suffix)["PolicyNames"]:
                document = iam.get_role_policy(RoleName=NAME + suffix, PolicyName=policy)["PolicyDocument"]
                iam.put_role_policy(
                    RoleName=function + suffix,
                    PolicyName=policy,
                    PolicyDocument=json.dumps(document).replace(NAME, function),
                )

    def table(self, name: str, function: str) -> None:
        """Make a table in dev with a function's tag."""
        self.owner("dynamodb").create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=[{"Key": "function", "Value": function}],
        )

    def denied(self) -> Check:
        """Return what was denied of the last call of which something was."""
        found = [[check for check in call.checks if check.denied] for call in self.accounts.journal()]
        return list(filter(None, found))[-1][0]

    def use_git_url(self, repository: str, *, push: bool = False) -> Check | None:
        """Use the connection's Git URL as code of a build can; return what was denied, if anything was."""
        found = self.owner("codestar-connections").list_connections()["Connections"]
        role, connection = (
            f"arn:aws:iam::{DEV['id']}:role{PATHS['pipelines']}{BUILDER}",
            found[0]["ConnectionArn"],
        )
        asked = {"role": role, "region": REGION, "connection": connection, "repository": repository}
        why = self.accounts.ask("use_git_url", **asked, push=push)
        return why and Check(
            Caller(role), "codestar-connections:UseConnection", connection, DEV["id"], {}, why
        )

    def stopped_by(self, check: Check) -> str:
        """Return the statement that a denied check has failed at: one that denies, or that allows less."""
        why, sids = check.denied or "", list(self.statements(check))
        denying = [
            sid
            for effect, sid, statement in sids
            if effect == "Deny" and applies(statement, check.request, "Deny")
        ]
        having = [
            sid
            for effect, sid, statement in sids
            if effect == "Allow"
            and any(fnmatch(check.action.lower(), each.lower()) for each in listed(statement["Action"]))
        ]
        assert ("explicit deny" in why) == bool(denying), why
        return " ".join(dict.fromkeys(denying or having)) or "nothing allows it"

    def statements(self, check: Check) -> Iterator[tuple[str, str, Any]]:
        """Yield effect and name of each statement that may have failed a check, and the statement."""
        why = check.denied or ""
        account = check.caller.account or check.owner
        iam = self.accounts.client("iam", account, REGION)
        documents = []
        if "resource-based" in why or check.action == "sts:AssumeRole":
            documents += [self.of_resource(check)]
        elif "explicit deny" in why or "identity-based" not in why:
            role = iam.get_role(RoleName=check.caller.role.rpartition("/")[2])["Role"]
            arn = role["PermissionsBoundary"]["PermissionsBoundaryArn"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            documents += [
                iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
            ]
        else:
            name = check.caller.role.rpartition("/")[2]
            documents += [document for _, document in policies(iam, name)]
        for document in documents:
            for statement in statements(document):
                if "Principal" in statement and not named(statement, check.request):
                    continue
                yield statement["Effect"], statement.get("Sid", "?"), statement

    def of_resource(self, check: Check) -> Any:
        """Return the policy of the bucket, key or role that a check is about."""
        service, _, _, rest = check.resource.split(":", 5)[2:]
        name = re.split("[/:]", rest)
        if service == "s3":
            return json.loads(
                self.accounts.client("s3", check.owner, REGION).get_bucket_policy(Bucket=name[0])["Policy"]
            )
        if service == "kms":
            keys = self.accounts.client("kms", check.owner, REGION)
            return json.loads(keys.get_key_policy(KeyId=name[-1], PolicyName="default")["Policy"])
        roles = self.accounts.client("iam", check.owner, REGION)
        return roles.get_role(RoleName=name[-1])["Role"]["AssumeRolePolicyDocument"]


@dataclass(frozen=True)
class Chain:
    """What an attacker wants, the steps to it, and what stops the last of them: action and statement.

    Steps raise what AWS answers, or return what was denied.
    """

    who: str
    wants: str
    action: str
    statement: str
    steps: Callable[[Attack], Any]


CHAINS: list[Chain] = []


def chain(who: str, wants: str, action: str, statement: str) -> Callable[[Callable[[Attack], Any]], Any]:
    """Have the decorated function be the steps of a chain."""

    def register(steps: Callable[[Attack], Any]) -> Any:
        CHAINS.append(Chain(who, wants, action, statement, steps))
        return steps

    return register


@pytest.fixture(scope="module")
def attacked(rehearsed: Rehearsed) -> Iterator[EmulatedAccounts]:
    with rehearsed.world.fork() as accounts:
        yield accounts


# Builds and deployments


@chain(
    "build",
    "to read another repository of the organization",
    "codestar-connections:UseConnection",
    "CloneSourceByCodestarconnections",
)
def read_another_repository(attack: Attack) -> Check | None:
    assert attack.use_git_url(f"acme/{NAME}") is None
    return attack.use_git_url("acme/payments")


@chain(
    "build",
    "to push to its own repository",
    "codestar-connections:UseConnection",
    "CloneSourceByCodestarconnections",
)
def push(attack: Attack) -> Check | None:
    return attack.use_git_url(f"acme/{NAME}", push=True)


@chain(
    "build",
    "to push to another repository, and so into its pipeline",
    "codestar-connections:UseConnection",
    "CloneSourceByCodestarconnections",
)
def push_to_another_repository(attack: Attack) -> Check | None:
    return attack.use_git_url("acme/payments", push=True)


@chain("deployment", "another function's alias", "lambda:GetAlias", "MoveAlias")
def move_another_alias(attack: Attack) -> Check:
    role = attack.role("payments", PATHS["functions"], function="payments")
    functions = attack.owner("lambda")
    functions.create_function(
        FunctionName="payments",
        Role=role,
        Runtime="python3.13",
        Handler="x.y",
        Code={"ZipFile": b"x"},
        Publish=True,
    )
    functions.create_alias(FunctionName="payments", Name="live", FunctionVersion="1")
    properties = {"Name": "payments", "Alias": "live", "CurrentVersion": "1", "TargetVersion": "2"}
    content = {
        "version": 0.0,
        "Resources": [{"x": {"Type": "AWS::Lambda::Function", "Properties": properties}}],
    }
    deploy = attack.as_role("codedeploy", DEPLOYER)
    begun = deploy.create_deployment(
        applicationName=NAME,
        deploymentGroupName="live",
        revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(content)}},
    )
    while deploy.get_deployment(deploymentId=begun["deploymentId"])["deploymentInfo"]["status"] not in (
        "Failed",
        "Succeeded",
    ):
        time.sleep(0.1)
    return attack.denied()


@chain("plan", "to change the function", "lambda:UpdateFunctionCode", "nothing allows it")
def change_in_a_plan(attack: Attack) -> None:
    attack.as_role("lambda", PLANNER, PROD).update_function_code(FunctionName=NAME, ZipFile=b"x")


@chain("plan", "to change the state", "s3:PutObject", "PassPlan")
def write_state_in_a_plan(attack: Attack) -> None:
    state = {"Bucket": PROD["state_bucket"], "Key": f"functions/{NAME}.tfstate"}
    attack.as_role("s3", PLANNER, PROD).put_object(**state, Body=b"x")


@chain("plan", "to have its package look deployed", "s3:PutObject", "PassPlan")
def store_in_a_plan(attack: Attack) -> None:
    package = {"Bucket": PROD["artifacts_bucket"], "Key": f"releases/{NAME}/x.zip"}
    attack.as_role("s3", PLANNER, PROD).put_object(**package, Body=b"x", IfNoneMatch="*")


@chain("plan", "to change the release that is deployed once it is approved", "s3:PutObject", "PassPlan")
def change_the_release_in_a_plan(attack: Attack) -> None:
    release = {"Bucket": f"{PROD['artifacts_bucket']}-pipelines", "Key": f"{NAME}/Release/x"}
    attack.as_role("s3", PLANNER, PROD).put_object(**release, Body=b"x")


@chain("plan", "to approve itself", "codepipeline:PutApprovalResult", "nothing allows it")
def approve_oneself(attack: Attack) -> None:
    attack.as_role("codepipeline", PLANNER, PROD).put_approval_result(
        pipelineName=NAME,
        stageName="Deploy",
        actionName="Approve",
        result={"summary": "", "status": "Approved"},
        token="0" * 32,
    )


def secret(attack: Attack, role: str) -> None:
    """Read a function's secret in production, in a role there."""
    of_function = {"Name": f"/{NAME}/token", "Type": "SecureString", "KeyId": "alias/acme", "Value": "x"}
    attack.owner("ssm", PROD).put_parameter(**of_function, Overwrite=True)
    attack.as_role("ssm", role, PROD).get_parameter(Name=f"/{NAME}/token", WithDecryption=True)


@chain("plan", "its function's secrets", "kms:Decrypt", "NoSecrets")
def read_secrets_in_a_plan(attack: Attack) -> None:
    secret(attack, PLANNER)


@chain("deployment", "its function's secrets", "kms:Decrypt", "NoSecrets")
def read_secrets_in_a_deployment(attack: Attack) -> None:
    secret(attack, DEPLOYER)


@chain("deployment", "to overwrite a package", "s3:PutObject", "NoPackageIsOverwritten")
def overwrite_a_package(attack: Attack) -> None:
    found = attack.owner("s3").list_objects_v2(Bucket=DEV["artifacts_bucket"], Prefix=f"releases/{NAME}/")
    key = found["Contents"][0]["Key"]
    attack.as_role("s3", DEPLOYER).put_object(Bucket=DEV["artifacts_bucket"], Key=key, Body=b"x")


@chain("deployment", "to overwrite a package by a copy", "s3:PutObject", "NoPackageIsOverwritten")
def overwrite_by_a_copy(attack: Attack) -> None:
    attack.grant(DEPLOYER)
    package = {"Bucket": DEV["artifacts_bucket"], "Key": f"releases/{NAME}/copy.zip"}
    attack.as_role("s3", DEPLOYER).put_object(**package, Body=b"x", IfNoneMatch="*")
    attack.as_role("s3", DEPLOYER).copy_object(**package, CopySource=package)


@chain(
    "deployment", "to have its function trust a stranger", "iam:UpdateAssumeRolePolicy", "nothing allows it"
)
def trust_a_stranger(attack: Attack) -> None:
    attack.as_role("iam", DEPLOYER, STAGE).update_assume_role_policy(RoleName=NAME, PolicyDocument=THEM)


@chain(
    "deployment",
    "to be rid of its function's boundary",
    "iam:DeleteRolePermissionsBoundary",
    "nothing allows it",
)
def leave_the_boundary(attack: Attack) -> None:
    attack.as_role("iam", DEPLOYER, STAGE).delete_role_permissions_boundary(RoleName=NAME)


@chain(
    "deployment", "another function's data, by the tag of its own role", "iam:TagRole", "nothing allows it"
)
def retag_its_role(attack: Attack) -> None:
    attack.as_role("iam", DEPLOYER, STAGE).tag_role(RoleName=NAME, Tags=[{"Key": "function", "Value": "x"}])


@chain("verification", "the code of the function", "lambda:UpdateFunctionCode", "nothing allows it")
def change_what_is_verified(attack: Attack) -> None:
    attack.as_role("lambda", VERIFIER, PROD).update_function_code(FunctionName=NAME, ZipFile=b"x")


@chain("verification", "to change the release that is promoted", "s3:PutObject", "nothing allows it")
def change_what_is_promoted(attack: Attack) -> None:
    release = {"Bucket": f"{STAGE['artifacts_bucket']}-pipelines", "Key": f"{NAME}/Release/x"}
    attack.as_role("s3", VERIFIER, STAGE).put_object(**release, Body=b"x")


@chain("verification", "another function", "lambda:InvokeFunction", "Call")
def call_another_function(attack: Attack) -> None:
    attack.as_role("lambda", VERIFIER).invoke(FunctionName="acme-promoter", Payload=b"{}")


@chain("verification", "its function's secrets", "ssm:GetParameter", "nothing allows it")
def read_secrets_in_a_verification(attack: Attack) -> None:
    secret(attack, VERIFIER)


# Functions named like something that is there


@chain(
    "build of a function named promoted",
    "to put a release where promotions lie",
    "s3:PutObject",
    "PassRelease",
)
def promote_oneself(attack: Attack) -> None:
    attack.roles_of("promoted")
    attack.as_role("s3", "promoted-builder").put_object(
        Bucket=DEV["artifacts_bucket"], Key=f"promoted/{NAME}.zip", Body=b"x"
    )


@chain(
    "deployment of a function named admin",
    "the role admin that was there before",
    "iam:PassRole",
    "PassRoleToCodeDeploy PassRoleToLambda",
)
def take_a_role_that_was_there(attack: Attack) -> None:
    role = attack.role("jenkins")
    attack.roles_of("jenkins-of-ours")  # IAM would not make a second one of this name
    attack.grant(
        "jenkins-of-ours-deployer",
        document=json.loads(
            json.dumps(
                attack.owner("iam").get_role_policy(RoleName=DEPLOYER, PolicyName="function")[
                    "PolicyDocument"
                ]
            ).replace(NAME, "jenkins")
        ),
    )
    attack.as_role("lambda", "jenkins-of-ours-deployer").create_function(
        FunctionName="jenkins", Role=role, Runtime="python3.13", Handler="x.y", Code={"ZipFile": b"x"}
    )


# Developers and their sandboxes


@chain(
    "developer",
    "the role that deploys a function named like a sandbox",
    "iam:PutRolePolicy",
    "ChangeRolesUnderTheBoundary",
)
def widen_a_deployer(attack: Attack) -> None:
    attack.roles_of("orders-sandbox-x")
    attack.as_role("iam", "acme-developer").put_role_policy(
        RoleName="orders-sandbox-x-deployer", PolicyName="x", PolicyDocument=json.dumps(EVERYTHING)
    )


@chain(
    "developer",
    "to have a function named like a sandbox trust a stranger",
    "iam:UpdateAssumeRolePolicy",
    "nothing allows it",
)
def rewrite_trust(attack: Attack) -> None:
    attack.roles_of("billing-sandbox-x")
    attack.as_role("iam", "acme-developer").update_assume_role_policy(
        RoleName="billing-sandbox-x", PolicyDocument=THEM
    )


@chain(
    "developer",
    "the promoter of an organization named like a sandbox",
    "lambda:UpdateFunctionCode",
    "ManageFunctions",
)
def change_a_promoter(attack: Attack) -> None:
    attack.as_role("lambda", "acme-developer").update_function_code(
        FunctionName="acme-sandbox-promoter", ZipFile=b"x"
    )


def sandbox_role(attack: Attack, name: str, trusts: str = LAMBDA, **more: str) -> str:
    """Make a sandbox's role as a developer, and return its ARN."""
    tags = {"function": name, "organization": "acme", **more}
    made = attack.as_role("iam", "acme-developer").create_role(
        RoleName=name,
        Path=PATHS["sandboxes"],
        AssumeRolePolicyDocument=trusts,
        PermissionsBoundary=f"arn:aws:iam::{DEV['id']}:policy/acme-boundary",
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    return str(made["Role"]["Arn"])


@chain(
    "developer",
    "a function that messages of a sandbox invoke",
    "lambda:CreateEventSourceMapping",
    "MapQueues",
)
def map_to_a_function(attack: Attack) -> None:
    name = "x--sandbox-ada"
    attack.as_role("sqs", "acme-developer").create_queue(QueueName=name)
    attack.as_role("lambda", "acme-developer").create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:{REGION}:{DEV['id']}:{name}",
        FunctionName=f"arn:aws:lambda:{REGION}:{DEV['id']}:function:{NAME}:live",
    )


@chain(
    "developer",
    "what a function may do, by a schedule of a sandbox",
    "iam:PassRole",
    "PassRolesToLambdaAndScheduler",
)
def schedule_as_a_function(attack: Attack) -> None:
    schedules, name = attack.as_role("scheduler", "acme-developer"), "x--sandbox-ada"
    schedules.create_schedule_group(Name=name)
    role = f"arn:aws:iam::{DEV['id']}:role{PATHS['functions']}{NAME}"
    schedules.create_schedule(
        GroupName=name,
        Name=name,
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "RoleArn": role},
    )


@chain("developer", "an event that invokes a function", "events:PutEvents", "PutEvents")
def put_an_event_for_a_function(attack: Attack) -> None:
    entry = {"Source": NAME, "DetailType": "Greeting requested", "Detail": "{}"}
    attack.as_role("events", "acme-developer").put_events(Entries=[entry])


@chain("developer", "a sandbox with the data of a function", "iam:CreateRole", "CreateRolesUnderTheBoundary")
def tag_a_sandbox_as_a_function(attack: Attack) -> None:
    sandbox_role(attack, f"{NAME}--sandbox-eve", function=NAME)


@chain("developer", "the same, later", "iam:TagRole", "TagRolesAsSandboxes")
def retag_a_sandbox(attack: Attack) -> None:
    sandbox_role(attack, f"{NAME}--sandbox-mal")
    attack.as_role("iam", "acme-developer").tag_role(
        RoleName=f"{NAME}--sandbox-mal", Tags=[{"Key": "function", "Value": NAME}]
    )


@chain("developer", "a role of a sandbox elsewhere", "iam:CreateRole", "CreateRolesUnderTheBoundary")
def leave_the_path(attack: Attack) -> None:
    attack.as_role("iam", "acme-developer").create_role(
        RoleName=f"{NAME}--sandbox-out",
        AssumeRolePolicyDocument=LAMBDA,
        PermissionsBoundary=f"arn:aws:iam::{DEV['id']}:policy/acme-boundary",
        Tags=[{"Key": "function", "Value": f"{NAME}--sandbox-out"}],
    )


@chain(
    "developer who has left",
    "the data of a sandbox whose role trusts a stranger",
    "dynamodb:GetItem",
    "OnlyFromTheFunctionItself",
)
def come_back(attack: Attack) -> None:
    name = f"{NAME}--sandbox-ada"
    role = sandbox_role(attack, name, THEM)
    attack.table(name, name)
    attack.as_role("iam", "acme-developer").put_role_policy(
        RoleName=name, PolicyName="function", PolicyDocument=json.dumps(EVERYTHING)
    )
    attack.owner("iam", {"id": STRANGER}).create_role(RoleName="eve", AssumeRolePolicyDocument=LAMBDA)
    attack.grant("eve", {"id": STRANGER})
    taken = attack.as_role("sts", "eve", {"id": STRANGER}).assume_role(RoleArn=role, RoleSessionName="eve")
    assert taken["AssumedRoleUser"]["Arn"].startswith(f"arn:aws:sts::{DEV['id']}:assumed-role/{name}")
    attack.as_role("dynamodb", name).get_item(TableName=name, Key={"id": {"S": "1"}})


# Functions


@chain("function", "another function's table", "dynamodb:GetItem", "UseWhatHasItsTag")
def read_another_s_table(attack: Attack) -> None:
    attack.grant(NAME)
    attack.table("payments", "payments")
    as_function(attack.accounts, "dynamodb").get_item(TableName="payments", Key={"id": {"S": "1"}})


@chain("function", "another function's messages", "sqs:ReceiveMessage", "UseWhatHasItsTag")
def take_another_s_messages(attack: Attack) -> None:
    attack.grant(NAME)
    queue = attack.owner("sqs").create_queue(QueueName="payments", tags={"function": "payments"})
    as_function(attack.accounts, "sqs").receive_message(QueueUrl=queue["QueueUrl"])


@chain("function", "another function's objects", "s3:GetObject", "UseWhatHasItsName")
def read_another_s_objects(attack: Attack) -> None:
    attack.grant(NAME)
    bucket = f"payments-{DEV['id']}"
    attack.owner("s3").create_bucket(Bucket=bucket)
    attack.owner("s3").put_object(Bucket=bucket, Key="x", Body=b"x")
    as_function(attack.accounts, "s3").get_object(Bucket=bucket, Key="x")


@chain(
    "function",
    "another function's secret",
    "secretsmanager:GetSecretValue",
    "UseWhatHasItsTag UseWhatHasItsName",
)
def read_another_s_secret(attack: Attack) -> None:
    attack.grant(NAME)
    made = attack.owner("secretsmanager").create_secret(
        Name="payments/key", SecretString="x", Tags=[{"Key": "function", "Value": "payments"}]
    )
    as_function(attack.accounts, "secretsmanager").get_secret_value(SecretId=made["ARN"])


@chain("function", "another function's parameter", "ssm:GetParameter", "UseWhatHasItsTag UseWhatHasItsName")
def read_another_s_parameter(attack: Attack) -> None:
    attack.grant(NAME)
    attack.owner("ssm").put_parameter(Name=f"/{NAME}-2/key", Value="x", Type="SecureString")
    as_function(attack.accounts, "ssm").get_parameter(Name=f"/{NAME}-2/key")


@chain(
    "function",
    "what the account's key encrypts, past the services",
    "kms:Decrypt",
    "UseWhatHasItsTag UseKeyThroughServices DecryptItsSchedules",
)
def decrypt_by_hand(attack: Attack) -> None:
    attack.grant(NAME)
    sealed = attack.owner("kms").encrypt(KeyId="alias/acme", Plaintext=b"x")["CiphertextBlob"]
    as_function(attack.accounts, "kms").decrypt(KeyId="alias/acme", CiphertextBlob=sealed)


@chain(
    "function",
    "interfaces of the account's network",
    "ec2:DeleteNetworkInterface",
    "UseNetworkAsLambdaItself",
)
def remove_an_interface(attack: Attack) -> None:
    attack.grant(NAME)
    as_function(attack.accounts, "ec2").delete_network_interface(NetworkInterfaceId="eni-1")


@chain("function", "the state of all functions", "s3:GetObject", "NoStateNoReleases")
def read_state(attack: Attack) -> None:
    attack.grant(NAME)
    as_function(attack.accounts, "s3").get_object(Bucket=DEV["state_bucket"], Key=f"functions/{NAME}.tfstate")


# Operators


@chain("operator", "a function's secrets", "ssm:GetParameter", "nothing allows it")
def read_secrets_as_an_operator(attack: Attack) -> None:
    secret(attack, "acme-operator")


@chain(
    "operator",
    "an administrator's role for what deploys",
    "iam:CreateRole",
    "WriteFunctionsRolesUnderTheirBoundary WritePipelinesRolesUnderTheirBoundary",
)
def make_an_administrator(attack: Attack) -> None:
    attack.as_role("iam", "acme-operator", PROD).create_role(
        RoleName="x-deployer", Path=PATHS["pipelines"], AssumeRolePolicyDocument=THEM
    )


@chain("operator", "a deployer that administers the account", "iam:CreateUser", "nothing allows it")
def widen_past_the_ceiling(attack: Attack) -> None:
    attack.as_role("iam", "acme-operator", PROD).put_role_policy(
        RoleName=DEPLOYER, PolicyName="all", PolicyDocument=json.dumps(EVERYTHING)
    )
    attack.as_role("iam", DEPLOYER, PROD).create_user(UserName="eve")


@chain("operator", "a verifier that deploys", "lambda:UpdateFunctionCode", "nothing allows it")
def deploy_by_a_verifier(attack: Attack) -> None:
    attack.as_role("iam", "acme-operator", PROD).put_role_policy(
        RoleName=VERIFIER, PolicyName="all", PolicyDocument=json.dumps(EVERYTHING)
    )
    attack.as_role("lambda", VERIFIER, PROD).update_function_code(FunctionName=NAME, ZipFile=b"x")


@chain("operator", "a verifier that sends to another function's queue", "sqs:SendMessage", "UseWhatHasItsTag")
def send_by_a_verifier(attack: Attack) -> None:
    attack.as_role("iam", "acme-operator").put_role_policy(
        RoleName=VERIFIER, PolicyName="all", PolicyDocument=json.dumps(EVERYTHING)
    )
    queue = attack.owner("sqs").create_queue(QueueName="orders", tags={"function": "orders"})
    attack.as_role("sqs", VERIFIER).send_message(QueueUrl=queue["QueueUrl"], MessageBody="x")


@chain("operator", "a deployer that opens the state to a stranger", "s3:PutBucketPolicy", "DeployBuckets")
def open_the_state(attack: Attack) -> None:
    attack.as_role("iam", "acme-operator", PROD).put_role_policy(
        RoleName=DEPLOYER, PolicyName="all", PolicyDocument=json.dumps(EVERYTHING)
    )
    bucket = PROD["state_bucket"]
    opened = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": opened})
    attack.as_role("s3", DEPLOYER, PROD).put_bucket_policy(Bucket=bucket, Policy=policy)


@chain(
    "operator",
    "a build that was there before, and its role",
    "codebuild:UpdateProject",
    "ChangeBuilds",
)
def take_a_build_that_was_there(attack: Attack) -> None:
    role = attack.role("legacy", trusts=trust(Service="codebuild.amazonaws.com"))
    project = {
        "name": "legacy-build",
        "source": {"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases: {build: {commands: [ls]}}\n"},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {"type": "ARM_CONTAINER", "image": "x", "computeType": "BUILD_GENERAL1_SMALL"},
    }
    attack.owner("codebuild").create_project(**project, serviceRole=role)
    attack.as_role("codebuild", "acme-operator").update_project(name="legacy-build", source=project["source"])


@chain(
    "operator", "the code of a function that is not this template's", "lambda:UpdateFunctionCode", "GoBack"
)
def change_a_foreign_function(attack: Attack) -> None:
    role = attack.role("legacy-function")
    attack.owner("lambda").create_function(
        FunctionName="legacy", Role=role, Runtime="python3.13", Handler="x.y", Code={"ZipFile": b"x"}
    )
    attack.as_role("lambda", "acme-operator").update_function_code(FunctionName="legacy", ZipFile=b"y")


@chain(
    "operator",
    "a role that was there before",
    "iam:UpdateAssumeRolePolicy",
    "WriteFunctionsRolesUnderTheirBoundary WritePipelinesRolesUnderTheirBoundary",
)
def take_over_a_role(attack: Attack) -> None:
    attack.role("backup-deployer")
    attack.as_role("iam", "acme-operator").update_assume_role_policy(
        RoleName="backup-deployer", PolicyDocument=THEM
    )


# Services, for whoever can have them act


@chain(
    "stranger, by EventBridge", "what the account's key encrypts", "kms:Decrypt", "Events EventsThatFailed"
)
def decrypt_by_eventbridge(attack: Attack) -> Check:
    key = attack.owner("kms").describe_key(KeyId="alias/acme")["KeyMetadata"]["Arn"]
    place = {"service": "events.amazonaws.com", "account": DEV["id"], "region": REGION}
    why = attack.accounts.ask(
        "act", **place, actions=[("kms:Decrypt", key)], told={"kms:encryptioncontext:aws:sns:topicarn": "x"}
    )
    assert why
    return attack.denied()


# Readers


@chain("reader", "the log of a function that is not this template's", "logs:FilterLogEvents", "SeeLogs")
def read_a_foreign_log(attack: Attack) -> None:
    attack.owner("logs").create_log_group(logGroupName="/aws/lambda/foreign")
    attack.as_role("logs", "acme-reader").filter_log_events(logGroupName="/aws/lambda/foreign")


@pytest.mark.parametrize("attempt", CHAINS, ids=lambda each: f"{each.who}-{each.wants}".replace(" ", "-"))
def test_an_attack_is_denied_at_the_statement_that_is_there_for_it(
    attacked: EmulatedAccounts, attempt: Chain, record_property: Callable[[str, object], None]
) -> None:
    with attacked.fork() as accounts:
        attack = Attack(accounts)
        refused = ""
        try:
            check = attempt.steps(attack)
        except ClientError as error:
            check, refused = attack.denied(), error.response["Error"]["Code"]

        assert refused in ("", "AccessDenied", "AccessDeniedException")
        assert check, "nothing was denied"
        assert check.action == attempt.action
        assert set(attack.stopped_by(check).split()) == set(attempt.statement.split())
    record_property("attack", f"{attempt.who:<38} {attempt.wants:<68} {attempt.action} {attempt.statement}")


def test_the_page_lists_each_attack_with_what_stops_it() -> None:
    rows = re.findall(r"^\| ([\w ,]+) \| (.+) \| `([\w-]+:\w+)` \| (.+) \|$", PAGE, re.MULTILINE)

    assert rows == [(each.who, each.wants, each.action, shown(each.statement)) for each in CHAINS]


def shown(statement: str) -> str:
    """Return statements as the page has them."""
    return statement if " allows it" in statement else ", ".join(f"`{sid}`" for sid in statement.split())

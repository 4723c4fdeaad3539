"""A fleet: many functions in four accounts, planted through the accounts' own API, and what goes wrong."""

import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from emulator.accounts import EmulatedAccounts
from hooks.git import git
from rehearsal import people
from tests.organizations import environment, organization_of
from tests.worlds import FACTS, PROD, REGION, TEMPLATE

QA = environment("qa", "555555555555")
FLEET = organization_of(*FACTS["environments"][:2], QA, PROD)
ROLE = "planted"
TRUST = {
    "Effect": "Allow",
    "Principal": {
        "Service": ["codebuild.amazonaws.com", "codepipeline.amazonaws.com", "lambda.amazonaws.com"]
    },
    "Action": "sts:AssumeRole",
}
STAGES = ["Source", "Deploy", "Verify"]


def name(number: int) -> str:
    """Return the name of a function."""
    return f"service-{number:03}"


def revision(number: int) -> str:
    """Return the revision of a release."""
    return f"{number:07x}".ljust(12, "a")


def add_account(world: EmulatedAccounts) -> None:
    """Make a fourth account, whose reader is that of production: the foundation has made the other three."""
    there, here = (world.client("iam", each["id"], REGION) for each in (PROD, QA))
    role = there.get_role(RoleName="acme-reader")["Role"]["AssumeRolePolicyDocument"]
    policy = there.get_role_policy(RoleName="acme-reader", PolicyName="reader")["PolicyDocument"]
    document = json.dumps(policy).replace(PROD["id"], QA["id"])
    here.create_role(RoleName="acme-reader", AssumeRolePolicyDocument=json.dumps(role))
    here.put_role_policy(RoleName="acme-reader", PolicyName="reader", PolicyDocument=document)


def enter(world: EmulatedAccounts, folder: Path) -> dict[str, str]:
    """Return the variables by which a person knows the profiles of all four accounts."""
    variables = people.environment(world, FLEET, folder)
    enters = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Resource": f"arn:aws:iam::{QA['id']}:role/acme-reader",
    }
    world.client("iam", FACTS["ops"]["id"], REGION).put_role_policy(
        RoleName=people.LOGIN,
        PolicyName="qa",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [enters]}),
    )
    return variables


def plant(world: EmulatedAccounts, count: int) -> None:
    """Put functions into all four accounts, each with its alias and its pipeline."""
    add_account(world)
    for account in FLEET["environments"]:
        Planted(world, account).plant(count)


class Planted:
    """What is planted in an account."""

    def __init__(self, world: EmulatedAccounts, account: dict[str, Any]) -> None:
        """Prepare to plant."""
        self.world, self.account = world, account
        self.functions, self.pipelines, self.builds = (
            world.client(service, account["id"], REGION)
            for service in ("lambda", "codepipeline", "codebuild")
        )
        self.template = git(TEMPLATE, "rev-parse", "HEAD")
        self.role = f"arn:aws:iam::{account['id']}:role/{ROLE}"

    def plant(self, count: int) -> None:
        """Plant functions with one release, in a role that all wear."""
        self.world.client("iam", self.account["id"], REGION).create_role(
            RoleName=ROLE,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [TRUST]}),
        )
        for number in range(count):
            self.add(name(number))

    def tags(self, function: str, **others: str) -> dict[str, str]:
        """Return the tags that all of a function has."""
        return {
            "organization": "acme",
            "function": function,
            "environment": self.account["name"],
            **others,
        }

    def tag(self, function: str, **tags: str) -> None:
        """Give a function other tags."""
        arn = f"arn:aws:lambda:{REGION}:{self.account['id']}:function:{function}"
        self.functions.tag_resource(Resource=arn, Tags=tags)

    def add(self, function: str, live: bool = True, **tags: str) -> None:
        """Plant a function; live: with its alias and its pipeline."""
        package = io.BytesIO()
        with ZipFile(package, "w") as archive:
            archive.writestr("handler.py", "")
        self.functions.create_function(
            FunctionName=function,
            Description=f"{revision(1)} Begin (Ada)",
            Runtime="python3.13",
            Handler="handler.handle",
            Role=self.role,
            Code={"ZipFile": package.getvalue()},
            Tags=self.tags(function, **{"template": self.template, **tags}),
            Publish=True,
        )
        if live:
            self.functions.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
            self.add_pipeline(function)

    def add_pipeline(self, function: str) -> None:
        """Plant a function's pipeline, which has succeeded as far as it is known."""
        self.pipelines.create_pipeline(
            pipeline={
                "name": function,
                "roleArn": self.role,
                "artifactStore": {"type": "S3", "location": "acme"},
                "stages": [
                    {
                        "name": stage,
                        "actions": [
                            {
                                "name": stage,
                                "actionTypeId": {
                                    "category": "Source" if stage == "Source" else "Build",
                                    "owner": "AWS",
                                    "provider": "S3" if stage == "Source" else "CodeBuild",
                                    "version": "1",
                                },
                            }
                        ],
                    }
                    for stage in STAGES
                ],
            },
            tags=[{"key": key, "value": value} for key, value in self.tags(function).items()],
        )

    def release(self, function: str, number: int, subject: str = "Go on") -> None:
        """Publish another release, and have it answer."""
        self.functions.update_function_configuration(
            FunctionName=function, Description=f"{revision(number)} {subject} (Ada)"
        )
        self.functions.get_waiter("function_updated_v2").wait(FunctionName=function)
        version = self.functions.publish_version(FunctionName=function)["Version"]
        self.functions.update_alias(FunctionName=function, Name="live", FunctionVersion=version)

    def fail(self, function: str, stage: str) -> None:
        """Have a pipeline fail in a stage."""
        (execution,) = self.pipelines.list_pipeline_executions(pipelineName=function)[
            "pipelineExecutionSummaries"
        ]
        identifier = execution["pipelineExecutionId"]
        for each in STAGES[: STAGES.index(stage) + 1]:
            status = "Failed" if each == stage else "Succeeded"
            for facts in {}, {"status": status}:
                self.world.ask("record", execution=identifier, stage=each, name=each, **facts)
        self.world.ask("finish", execution=identifier, status="Failed")

    def plan(self, function: str, status: str, drift: str | None = None) -> None:
        """Have a function looked at for drift."""
        project = f"{function}-drift"
        with suppress(self.builds.exceptions.ResourceAlreadyExistsException):
            self.add_project(function, project)
        build = self.builds.start_build(projectName=project)["build"]["id"]
        exported = None if drift is None else {"DRIFT": drift}
        self.world.ask("end_build", build=build, status=status, exported=exported)

    def add_project(self, function: str, project: str) -> None:
        """Plant a project of a function."""
        self.builds.create_project(
            name=project,
            source={"type": "NO_SOURCE", "buildspec": "{}"},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={
                "type": "ARM_CONTAINER",
                "image": "aws/codebuild/amazonlinux-aarch64-standard:3.0",
                "computeType": "BUILD_GENERAL1_SMALL",
            },
            serviceRole=self.role,
            tags=[{"key": key, "value": value} for key, value in self.tags(function).items()],
        )

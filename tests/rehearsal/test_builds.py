"""Builds of the pipelines of one account, which runs one at a time."""

import io
import json
from _thread import interrupt_main
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts
from rehearsal.pipelines import Walker

ACCOUNT, REGION, BUCKET = "333333333333", "us-east-1", "a-bucket"


def project(accounts: EmulatedAccounts, name: str, **variables: str) -> str:
    """Create a project that takes what a pipeline gives it, and its role; return the ARN of the role."""
    services = [f"{service}.amazonaws.com" for service in ("codepipeline", "codebuild")]
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": services}}
    role: str = accounts.client("iam", ACCOUNT, REGION).create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": trust})
    )["Role"]["Arn"]
    accounts.client("logs", ACCOUNT, REGION).create_log_group(logGroupName=f"/aws/codebuild/{name}")
    accounts.client("codebuild", ACCOUNT, REGION).create_project(
        name=name,
        serviceRole=role,
        source={"type": "CODEPIPELINE"},
        artifacts={"type": "CODEPIPELINE"},
        environment={
            "type": "ARM_CONTAINER",
            "image": "an-image",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": n, "value": value} for n, value in variables.items()],
        },
    )
    return role


def pipeline(accounts: EmulatedAccounts, name: str, role: str) -> None:
    """Create a pipeline that builds an object, which starts it."""
    key = accounts.client("kms", ACCOUNT, REGION).create_key()["KeyMetadata"]["Arn"]

    def action(category: str, provider: str, **facts: Any) -> dict[str, Any]:
        kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
        return {"name": category, "actions": [{"name": category, "actionTypeId": kind, **facts}]}

    place, artifact = {"S3Bucket": BUCKET, "S3ObjectKey": "it.zip"}, [{"name": "Release"}]
    stages = [
        action("Source", "S3", configuration=place, outputArtifacts=artifact),
        action("Build", "CodeBuild", configuration={"ProjectName": name}, inputArtifacts=artifact),
    ]
    store = {"type": "S3", "location": BUCKET, "encryptionKey": {"id": key, "type": "KMS"}}
    accounts.client("codepipeline", ACCOUNT, REGION).create_pipeline(
        pipeline={
            "name": name,
            "roleArn": role,
            "artifactStore": store,
            "stages": stages,
            "pipelineType": "V2",
        }
    )


def store(accounts: EmulatedAccounts, *commands: str, **more: Any) -> None:
    """Store what the pipelines build."""
    s3 = accounts.client("s3", ACCOUNT, REGION)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        spec = {"version": 0.2, "phases": {"build": {"commands": commands}}, **more}
        archive.writestr("buildspec.yml", json.dumps(spec))
    s3.put_object(Bucket=BUCKET, Key="it.zip", Body=content.getvalue())


def test_a_build_waits_until_the_one_before_has_ended_and_says_so(
    accounts: EmulatedAccounts, tmp_path: Path
) -> None:
    store(accounts, "test ! -e $LOCK", "touch $LOCK", "sleep 1", "rm $LOCK")
    for name in "a-function", "another":
        pipeline(accounts, name, project(accounts, name, LOCK=str(tmp_path / "lock")))

    walker = Walker(accounts, REGION, {})
    walker.walk([ACCOUNT])

    builds = [run for run in walker.runs if run.action == "Build"]
    assert [run.status for run in builds] == ["Succeeded", "Succeeded"]
    queued = [["queued for" in text for text in (run.message, *run.notes)] for run in builds]
    assert sorted(queued) == [[False], [True, True]]


@pytest.mark.tries("kills", "while building")
def test_what_a_build_has_started_ends_with_the_walk(accounts: EmulatedAccounts, tmp_path: Path) -> None:
    store(accounts, "true", "sleep 7654", "sleep 7654")
    pipeline(accounts, "a-function", project(accounts, "a-function", MARK=str(tmp_path)))

    with pytest.raises(KeyboardInterrupt):
        Walker(accounts, REGION, {}, on_command=lambda run, command: interrupt_main()).walk([ACCOUNT])

    left = []
    for process in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            left += [process] if f"MARK={tmp_path}".encode() in process.read_bytes() else []
    assert left == []


def test_an_account_queues_five_builds_and_no_more(accounts: EmulatedAccounts) -> None:
    project(accounts, "a-function")
    client = accounts.client("codebuild", ACCOUNT, REGION)
    first, *queued = [client.start_build(projectName="a-function")["build"]["id"] for _ in range(6)]

    with pytest.raises(ClientError, match=r"AccountLimitExceededException.*more than 5 builds in queue"):
        client.start_build(projectName="a-function")
    assert [accounts.ask("may_build", build=build) for build in (first, *queued)] == [True] + [False] * 5
    accounts.ask("end_build", build=first)
    assert accounts.ask("may_build", build=queued[0])


def report_group(accounts: EmulatedAccounts, name: str) -> str:
    """Create a report group; return its ARN."""
    arn: str = accounts.client("codebuild", ACCOUNT, REGION).create_report_group(
        name=name, type="TEST", exportConfig={"exportConfigType": "NO_EXPORT"}
    )["reportGroup"]["arn"]
    return arn


def test_reports_go_where_the_buildspec_says_into_groups_that_are_made_if_they_are_not_there(
    accounts: EmulatedAccounts,
) -> None:
    there, other = (report_group(accounts, name) for name in ("a-function-tests", "another-s"))
    reports = {name: {"files": "*.xml"} for name in ("tests", "more", other)}
    store(accounts, "echo '<testsuite/>' > it.xml", reports=reports)
    pipeline(accounts, "a-function", project(accounts, "a-function"))

    Walker(accounts, REGION, {}).walk([ACCOUNT])

    client = accounts.client("codebuild", ACCOUNT, REGION)
    made = there.replace("-tests", "-more")
    assert client.list_report_groups()["reportGroups"] == [there, other, made]
    for arn in there, other, made:
        with pytest.raises(ClientError, match="still holds reports"):
            client.delete_report_group(arn=arn)


def test_a_report_group_goes_with_its_reports_and_comes_once(accounts: EmulatedAccounts) -> None:
    client, arn = accounts.client("codebuild", ACCOUNT, REGION), report_group(accounts, "a-group")
    accounts.ask("keep_report", group=arn)
    with pytest.raises(ClientError, match="ResourceAlreadyExistsException"):
        report_group(accounts, "a-group")

    client.delete_report_group(arn=arn, deleteReports=True)

    assert client.batch_get_report_groups(reportGroupArns=[arn])["reportGroupsNotFound"] == [arn]
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.update_report_group(arn=arn, tags=[])

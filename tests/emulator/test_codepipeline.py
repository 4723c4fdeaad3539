"""Executions, approvals, jobs and events in the emulated accounts: what AWS does and moto does not."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts

DEV, STAGE, REGION = "222222222222", "333333333333", "us-east-1"
NAME = "a-function"


def role(accounts: EmulatedAccounts, account: str, name: str, service: str) -> str:
    """Create a role that a service may assume; return its ARN."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    created = accounts.client("iam", account, REGION).create_role(
        RoleName=name, AssumeRolePolicyDocument=trust
    )
    arn: str = created["Role"]["Arn"]
    return arn


def action(name: str, category: str, provider: str, **configuration: str) -> dict[str, Any]:
    """Return an action of a pipeline."""
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": kind, "configuration": configuration}


def create_pipeline(accounts: EmulatedAccounts, account: str = STAGE, **settings: Any) -> Any:
    """Create a bucket and a pipeline that takes an object from it and asks for approval; return a client."""
    accounts.client("s3", account, REGION).create_bucket(Bucket=f"artifacts-{account}")
    source = action("Source", "Source", "S3", S3Bucket=f"artifacts-{account}", S3ObjectKey="it.zip")
    source["outputArtifacts"] = [{"name": "Release"}]
    stages = [
        {"name": "Source", "actions": [source]},
        {"name": "Approve", "actions": [action("Approve", "Approval", "Manual")]},
    ]
    client = accounts.client("codepipeline", account, REGION)
    client.create_pipeline(
        pipeline={
            "name": NAME,
            "roleArn": role(accounts, account, "pipeline", "codepipeline.amazonaws.com"),
            "artifactStore": {"type": "S3", "location": f"artifacts-{account}"},
            "stages": stages,
            "pipelineType": "V2",
            **settings,
        }
    )
    return client


def listed(client: Any) -> list[dict[str, Any]]:
    """Return the executions of the pipeline, the newest first."""
    found: list[dict[str, Any]] = client.list_pipeline_executions(pipelineName=NAME)[
        "pipelineExecutionSummaries"
    ]
    return found


# Executions


def test_a_new_pipeline_runs_at_once(accounts: EmulatedAccounts) -> None:
    (execution,) = listed(create_pipeline(accounts))

    assert execution["status"] == "InProgress"
    assert execution["trigger"]["triggerType"] == "CreatePipeline"


def test_an_execution_is_as_it_is_told(accounts: EmulatedAccounts) -> None:
    client = create_pipeline(accounts)
    started = client.start_pipeline_execution(name=NAME)["pipelineExecutionId"]
    accounts.ask("record", execution=started, stage="Source", name="Source")
    accounts.ask(
        "add_revision",
        execution=started,
        revision={"actionName": "Source", "revisionId": "v1", "revisionSummary": "x"},
    )
    accounts.ask(
        "record", execution=started, stage="Source", name="Source", status="Failed", error="it broke"
    )
    accounts.ask("finish", execution=started, status="Failed")

    execution = client.get_pipeline_execution(pipelineName=NAME, pipelineExecutionId=started)[
        "pipelineExecution"
    ]
    assert execution["status"] == "Failed"
    assert execution["artifactRevisions"] == [{"name": "Source", "revisionId": "v1", "revisionSummary": "x"}]
    (stage, waiting) = client.get_pipeline_state(name=NAME)["stageStates"]
    assert stage["latestExecution"] == {"pipelineExecutionId": started, "status": "Failed"}
    assert stage["actionStates"][0]["latestExecution"]["errorDetails"]["message"] == "it broke"
    assert "latestExecution" not in waiting
    (run,) = client.list_action_executions(pipelineName=NAME)["actionExecutionDetails"]
    assert (run["stageName"], run["status"]) == ("Source", "Failed")
    assert run["output"]["executionResult"]["externalExecutionSummary"] == "it broke"

    client.retry_stage_execution(
        pipelineName=NAME, stageName="Source", pipelineExecutionId=started, retryMode="FAILED_ACTIONS"
    )
    assert listed(client)[0]["status"] == "InProgress"


def start(client: Any) -> str:
    """Start the pipeline; return the id of the execution."""
    started: str = client.start_pipeline_execution(name=NAME)["pipelineExecutionId"]
    return started


def test_a_stage_holds_one_execution_and_the_next_waits_before_it(accounts: EmulatedAccounts) -> None:
    client = create_pipeline(accounts)
    first, second = listed(client)[0]["pipelineExecutionId"], start(client)

    def proceed(execution: str, stage: str) -> str:
        done: str = accounts.ask("proceed", execution=execution, stage=stage)
        return done

    assert (proceed(first, "Source"), proceed(second, "Source")) == ("enters", "waits")
    source, _ = client.get_pipeline_state(name=NAME)["stageStates"]
    assert source["inboundExecutions"] == [{"pipelineExecutionId": second, "status": "InProgress"}]
    assert (proceed(first, "Approve"), proceed(second, "Source")) == ("enters", "enters")
    assert proceed(second, "Approve") == "waits"
    accounts.ask("finish", execution=first, status="Failed")
    assert proceed(second, "Approve") == "enters"


@pytest.mark.parametrize(
    ("mode", "second_and_third"),
    [
        ({}, ("ended", "enters")),
        ({"executionMode": "SUPERSEDED"}, ("ended", "enters")),
        ({"executionMode": "QUEUED"}, ("enters", "waits")),
    ],
)
def test_of_two_that_wait_the_newer_replaces_the_older_unless_they_are_queued(
    accounts: EmulatedAccounts, mode: dict[str, str], second_and_third: tuple[str, str]
) -> None:
    client = create_pipeline(accounts, **mode)
    first, *waiting = listed(client)[0]["pipelineExecutionId"], start(client), start(client)

    accounts.ask("proceed", execution=first, stage="Approve")
    goes = {e: accounts.ask("proceed", execution=e, stage="Source") for e in reversed(waiting)}

    assert tuple(goes[e] for e in waiting) == second_and_third
    (_, older, _) = listed(client)
    assert older["status"] == ("Superseded" if second_and_third[0] == "ended" else "InProgress")


def test_a_stage_that_another_execution_has_entered_since_is_not_retried(accounts: EmulatedAccounts) -> None:
    client = create_pipeline(accounts)
    failed = listed(client)[0]["pipelineExecutionId"]
    accounts.ask("record", execution=failed, stage="Source", name="Source")
    accounts.ask("record", execution=failed, stage="Source", name="Source", status="Failed", error="x")
    accounts.ask("finish", execution=failed, status="Failed")
    start(client)

    with pytest.raises(client.exceptions.StageNotRetryableException):
        client.retry_stage_execution(
            pipelineName=NAME, stageName="Source", pipelineExecutionId=failed, retryMode="FAILED_ACTIONS"
        )


def test_an_execution_can_be_stopped_once(accounts: EmulatedAccounts) -> None:
    client = create_pipeline(accounts)
    identifier = listed(client)[0]["pipelineExecutionId"]
    client.stop_pipeline_execution(pipelineName=NAME, pipelineExecutionId=identifier, reason="enough")

    assert listed(client)[0]["status"] == "Stopped"
    with pytest.raises(client.exceptions.PipelineExecutionNotStoppableException):
        client.stop_pipeline_execution(pipelineName=NAME, pipelineExecutionId=identifier)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"name": "nowhere"}, "does not have a pipeline with name 'nowhere'"),
        ({"name": NAME, "variables": [{"name": "X", "value": "1"}]}, "has no variable X"),
        (
            {
                "name": NAME,
                "sourceRevisions": [
                    {"actionName": "Other", "revisionType": "COMMIT_ID", "revisionValue": "1"}
                ],
            },
            "has no source action Other",
        ),
    ],
)
def test_what_cannot_be_started_is_refused(
    accounts: EmulatedAccounts, request_: dict[str, Any], message: str
) -> None:
    client = create_pipeline(accounts)

    with pytest.raises(ClientError, match=message):
        client.start_pipeline_execution(**request_)


def test_an_execution_of_another_account_is_not_found(accounts: EmulatedAccounts) -> None:
    identifier = listed(create_pipeline(accounts, STAGE))[0]["pipelineExecutionId"]
    client = create_pipeline(accounts, DEV)

    with pytest.raises(client.exceptions.PipelineExecutionNotFoundException):
        client.get_pipeline_execution(pipelineName=NAME, pipelineExecutionId=identifier)


# Approvals and jobs


def test_an_approval_s_token_serves_once(accounts: EmulatedAccounts) -> None:
    client = create_pipeline(accounts)
    identifier = listed(client)[0]["pipelineExecutionId"]
    accounts.ask("record", execution=identifier, stage="Approve", name="Approve")
    accounts.ask(
        "record", execution=identifier, stage="Approve", name="Approve", status="InProgress", token="t" * 36
    )
    answer = {"pipelineName": NAME, "stageName": "Approve", "actionName": "Approve"}
    result = {"status": "Approved", "summary": "fine"}

    state = client.get_pipeline_state(name=NAME)["stageStates"][1]["actionStates"][0]["latestExecution"]
    with pytest.raises(client.exceptions.InvalidApprovalTokenException):
        client.put_approval_result(**answer, token="u" * 36, result=result)
    client.put_approval_result(**answer, token=state["token"], result=result)
    with pytest.raises(client.exceptions.ApprovalAlreadyCompletedException):
        client.put_approval_result(**answer, token=state["token"], result=result)


def test_a_job_is_answered_once_and_in_its_own_account(accounts: EmulatedAccounts) -> None:
    job = accounts.ask("open_job", account=DEV)
    theirs, ours = (accounts.client("codepipeline", account, REGION) for account in (STAGE, DEV))

    with pytest.raises(theirs.exceptions.JobNotFoundException):
        theirs.put_job_success_result(jobId=job)
    ours.put_job_failure_result(jobId=job, failureDetails={"type": "JobFailed", "message": "no"})
    with pytest.raises(ours.exceptions.InvalidJobStateException):
        ours.put_job_success_result(jobId=job)
    assert accounts.ask("read_job", identifier=job)["result"] == {"type": "JobFailed", "message": "no"}


# Events


def rule(accounts: EmulatedAccounts, state: str = "ENABLED") -> None:
    """Have the pipeline of STAGE started by its object, pinned to the object's version."""
    events = accounts.client("events", STAGE, REGION)
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [f"artifacts-{STAGE}"]}, "object": {"key": ["it.zip"]}},
    }
    events.put_rule(Name="promoted", EventPattern=json.dumps(pattern), State=state)
    pin = '{"actionName":"Source","revisionType":"S3_OBJECT_VERSION_ID","revisionValue":"<v>"}'
    template = f'{{"sourceRevisions":[{pin}]}}'
    target = {
        "Id": "pipeline",
        "Arn": f"arn:aws:codepipeline:{REGION}:{STAGE}:{NAME}",
        "RoleArn": f"arn:aws:iam::{STAGE}:role/start",
        "InputTransformer": {"InputPathsMap": {"v": "$.detail.object.version-id"}, "InputTemplate": template},
    }
    events.put_targets(Rule="promoted", Targets=[target])
    s3 = accounts.client("s3", STAGE, REGION)
    s3.put_bucket_versioning(Bucket=f"artifacts-{STAGE}", VersioningConfiguration={"Status": "Enabled"})


def notify(accounts: EmulatedAccounts) -> None:
    """Have the bucket of STAGE tell EventBridge of its objects."""
    accounts.client("s3", STAGE, REGION).put_bucket_notification_configuration(
        Bucket=f"artifacts-{STAGE}", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )


def test_an_object_put_from_another_account_starts_the_pipeline_of_the_bucket_s_owner(
    accounts: EmulatedAccounts,
) -> None:
    client = create_pipeline(accounts)
    rule(accounts)
    notify(accounts)

    put = accounts.client("s3", DEV, REGION).put_object(Bucket=f"artifacts-{STAGE}", Key="it.zip", Body=b"x")

    execution = listed(client)[0]
    assert execution["trigger"]["triggerType"] == "CloudWatchEvent"
    (known,) = [e for e in accounts.ask("find") if e["id"] == execution["pipelineExecutionId"]]
    assert known["pinned"]["Source"]["revisionValue"] == put["VersionId"]


@pytest.mark.parametrize(
    ("key", "state", "notified"),
    [("other.zip", "ENABLED", True), ("it.zip", "DISABLED", True), ("it.zip", "ENABLED", False)],
)
def test_nothing_else_starts_it(accounts: EmulatedAccounts, key: str, state: str, notified: bool) -> None:
    client = create_pipeline(accounts)
    rule(accounts, state)
    if notified:
        notify(accounts)

    accounts.client("s3", STAGE, REGION).put_object(Bucket=f"artifacts-{STAGE}", Key=key, Body=b"x")

    assert len(listed(client)) == 1


def test_a_copied_object_starts_it_too(accounts: EmulatedAccounts) -> None:
    client = create_pipeline(accounts)
    rule(accounts)
    notify(accounts)
    s3, bucket = accounts.client("s3", STAGE, REGION), f"artifacts-{STAGE}"
    s3.put_object(Bucket=bucket, Key="from.zip", Body=b"x")

    s3.copy_object(Bucket=bucket, Key="it.zip", CopySource={"Bucket": bucket, "Key": "from.zip"})

    assert len(listed(client)) == 2


def test_a_failed_stage_reaches_a_topic(accounts: EmulatedAccounts) -> None:
    client = create_pipeline(accounts)
    topic = accounts.client("sns", STAGE, REGION).create_topic(Name="alerts")["TopicArn"]
    events = accounts.client("events", STAGE, REGION)
    pattern = {"source": ["aws.codepipeline"], "detail": {"state": ["FAILED"], "stage": [{"exists": True}]}}
    events.put_rule(Name="failed", EventPattern=json.dumps(pattern))
    transformer = {
        "InputPathsMap": {"p": "$.detail.pipeline", "s": "$.detail.stage"},
        "InputTemplate": '"<p> failed: <s>"',
    }
    events.put_targets(
        Rule="failed", Targets=[{"Id": "topic", "Arn": topic, "InputTransformer": transformer}]
    )
    identifier = listed(client)[0]["pipelineExecutionId"]

    accounts.ask("record", execution=identifier, stage="Source", name="Source")
    accounts.ask("record", execution=identifier, stage="Source", name="Source", status="Failed", error="x")

    assert accounts.ask("published", account=STAGE) == ['"a-function failed: Source"']


def test_a_pattern_can_be_tried(accounts: EmulatedAccounts) -> None:
    events = accounts.client("events", STAGE, REGION)
    event: dict[str, Any] = {
        "id": "1",
        "source": "aws.s3",
        "detail-type": "Object Created",
        "account": STAGE,
        "region": REGION,
    }
    event |= {"time": "2026-01-01T00:00:00Z", "resources": [], "detail": {"object": {"key": "a"}}}

    def matches(key: str) -> bool:
        pattern = json.dumps({"detail": {"object": {"key": [key]}}})
        found: bool = events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]
        return found

    assert (matches("a"), matches("b")) == (True, False)

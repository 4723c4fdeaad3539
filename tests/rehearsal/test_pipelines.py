"""Executions of one pipeline, side by side: who holds a stage, who waits before it, who is replaced there.

https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
"""

import json
import threading
from typing import Any

import pytest

from emulator.accounts import EmulatedAccounts
from rehearsal.actions.action import Approval, Run
from rehearsal.pipelines import Walker

ACCOUNT, REGION, NAME, BUCKET = "333333333333", "us-east-1", "a-function", "a-bucket"


def action(category: str, provider: str, **facts: Any) -> dict[str, Any]:
    """Return an action, which has the name of its category unless facts say otherwise."""
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": category, "actionTypeId": kind, **facts}


class Pipeline:
    """A pipeline that takes an object, asks whether it is wanted, and then, twice, whether it is well."""

    def __init__(self, world: EmulatedAccounts, mode: str) -> None:
        """Create it, without a first execution."""
        self.world = world
        self.client, self.s3, kms, iam = (
            world.client(service, ACCOUNT, REGION) for service in ("codepipeline", "s3", "kms", "iam")
        )
        self.s3.create_bucket(Bucket=BUCKET)
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        allow = {"Effect": "Allow", "Action": "sts:AssumeRole"}
        trust = {"Statement": allow | {"Principal": {"Service": "codepipeline.amazonaws.com"}}}
        role = iam.create_role(RoleName="pipeline", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        key = {"id": kms.create_key()["KeyMetadata"]["Arn"], "type": "KMS"}
        configuration = {"S3Bucket": BUCKET, "S3ObjectKey": "it.zip"}
        source = action("Source", "S3", configuration=configuration, outputArtifacts=[{"name": "Release"}])
        asks = action(
            "Approval", "Manual", configuration={"CustomData": "#{codepipeline.PipelineExecutionId}"}
        )
        again = asks | {"name": "Again", "runOrder": 2}
        stages = {"Source": [source], "Wanted": [asks], "Well": [asks, again]}
        self.client.create_pipeline(
            pipeline={
                "name": NAME,
                "roleArn": role,
                "artifactStore": {"type": "S3", "location": BUCKET, "encryptionKey": key},
                "stages": [{"name": name, "actions": actions} for name, actions in stages.items()],
                "pipelineType": "V2",
                "executionMode": mode,
            }
        )
        world.ask("finish", execution=world.ask("find")[0]["id"], status="Failed")

    def start(self, release: str) -> str:
        """Start an execution of a release."""
        version = self.s3.put_object(Bucket=BUCKET, Key="it.zip", Body=release.encode())["VersionId"]
        pinned = {"actionName": "Source", "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": version}
        started: str = self.client.start_pipeline_execution(name=NAME, sourceRevisions=[pinned])[
            "pipelineExecutionId"
        ]
        return started

    def status(self, execution: str) -> str:
        found = self.client.get_pipeline_execution(pipelineName=NAME, pipelineExecutionId=execution)
        return str(found["pipelineExecution"]["status"])

    def walker(self, **settings: Any) -> Walker:
        return Walker(self.world, REGION, {}, **settings)


@pytest.fixture(params=["SUPERSEDED", "QUEUED"])
def pipeline(accounts: EmulatedAccounts, request: pytest.FixtureRequest) -> Pipeline:
    return Pipeline(accounts, request.param)


superseded = pytest.mark.parametrize("pipeline", ["SUPERSEDED"], indirect=True)


@pytest.mark.parametrize("given", [True, False])
def test_an_approval_locks_its_stage_and_the_next_execution_waits_before_it(
    pipeline: Pipeline, given: bool
) -> None:
    first = pipeline.start("the older")
    second: list[str] = []
    waits = threading.Event()
    told: list[tuple[str, str, str]] = []

    def on_run(run: Run) -> None:
        told.append((run.execution, run.stage, run.status))
        if second and told[-1] == (second[0], "Source", "Succeeded"):
            waits.set()

    def decide(approval: Approval) -> tuple[bool, str]:
        if not second:
            second.append(pipeline.start("the newer"))
            assert waits.wait(60)
        return given or approval.text == second[0], "said a test"

    pipeline.walker(decide=decide, on_run=on_run).walk([ACCOUNT])

    assert [pipeline.status(e) for e in (first, second[0])] == [
        "Succeeded" if given else "Failed",
        "Succeeded",
    ]
    done = (first, "Wanted", "Succeeded" if given else "Failed")
    assert told.index((second[0], "Source", "Succeeded")) < told.index(done)
    assert told.index(done) < told.index((second[0], "Wanted", "InProgress"))


def test_different_stages_hold_different_executions_at_once(pipeline: Pipeline) -> None:
    first, second = pipeline.start("the older"), pipeline.start("the newer")
    asked: list[str] = []
    second_is_asked = threading.Event()

    def decide(approval: Approval) -> tuple[bool, str]:
        asked.append(approval.text)
        if approval.text == second:
            second_is_asked.set()
        elif asked.count(first) == len(("Wanted", "Well")):
            assert second_is_asked.wait(60)
        return True, "said a test"

    pipeline.walker(decide=decide).walk([ACCOUNT])

    assert [pipeline.status(e) for e in (first, second)] == ["Succeeded", "Succeeded"]


@superseded
def test_the_newest_of_those_that_wait_before_a_stage_is_walked(pipeline: Pipeline) -> None:
    first = pipeline.start("one")
    later: list[str] = []

    def decide(approval: Approval) -> tuple[bool, str]:
        if not later:
            later.extend(pipeline.start(release) for release in ("two", "three", "four"))
            while pipeline.status(later[1]) != "Superseded" or pipeline.status(later[0]) != "Superseded":
                assert pipeline.status(later[2]) == "InProgress"
        return True, "said a test"

    pipeline.walker(decide=decide).walk([ACCOUNT])

    assert pipeline.status(first) == "Succeeded"
    assert [pipeline.status(e) for e in later] == ["Superseded", "Superseded", "Succeeded"]


@superseded
def test_what_fails_in_a_thread_fails_the_walk_and_ends_the_others(pipeline: Pipeline) -> None:
    for release in "the older", "the newer":
        pipeline.start(release)

    def decide(approval: Approval) -> tuple[bool, str]:
        raise LookupError("nobody knows")

    walker = pipeline.walker(decide=decide)
    with pytest.raises(LookupError, match="nobody knows"):
        walker.walk([ACCOUNT])

    assert walker._threads == {}


@superseded
@pytest.mark.parametrize(
    ("mode", "actions"), [("FAILED_ACTIONS", ["Again"]), ("ALL_ACTIONS", ["Approval", "Again"])]
)
def test_a_stage_is_retried_by_its_failed_actions_or_by_all(
    pipeline: Pipeline, mode: str, actions: list[str]
) -> None:
    execution = pipeline.start("one")
    answers = iter([True, True, False])
    pipeline.walker(decide=lambda approval: (next(answers), "said a test")).walk([ACCOUNT])

    pipeline.client.retry_stage_execution(
        pipelineName=NAME, stageName="Well", pipelineExecutionId=execution, retryMode=mode
    )
    retry = pipeline.walker()
    retry.walk([ACCOUNT])

    assert [run.action for run in retry.runs] == actions
    states = pipeline.client.get_pipeline_state(name=NAME)["stageStates"]
    assert [state["latestExecution"]["status"] for state in states] == ["Succeeded"] * 3

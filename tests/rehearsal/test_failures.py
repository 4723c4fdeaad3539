"""What can go wrong on the way to production: the failure is named, later environments stay as they were."""

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zipfile import ZipFile

import pytest

from rehearsal import report
from rehearsal.actions.action import Approval, Run
from tests.worlds import DEV, NAME, PROD, REGION, STAGE, World


@contextmanager
def nothing_changes_after(world: World, environment: dict[str, Any]) -> Iterator[None]:
    """Make sure that environments from one on stay as they were, and that its failure is alerted."""
    yield
    first = [DEV, STAGE, PROD].index(environment)
    assert world.versions()[first:] == world.before[first:]
    assert any(f"{NAME} failed in {environment['name']}" in alert for alert in world.alerts(environment))


def test_a_failing_unit_test_ends_in_build(world: World) -> None:
    tests = (world.repository / "tests/test_greeting.py").read_text()
    world.push("tests/test_greeting.py", tests.replace("Hello, Ada!", "Goodbye, Ada!"))

    with nothing_changes_after(world, DEV):
        (run,) = world.walk()

    assert (run.account, run.stage, run.action) == (DEV["id"], "Build", "Build")
    assert "buildspec.yml: build: make test: exit code 2" in run.message
    assert "Goodbye, Ada!" in run.message


def test_a_terraform_error_ends_in_deploy(world: World) -> None:
    sizes = 'timeout = 9999\nmemory_size = 256\nlog_retention_days = 30\ntraffic = "AllAtOnce"'
    world.send(world.another("x", **{"deployment/environments/stage.tfvars": sizes}))

    with nothing_changes_after(world, STAGE):
        (run,) = world.walk()

    assert (run.account, run.stage) == (STAGE["id"], "Deploy")
    assert "deployment/buildspec.yml: build: " in run.message
    assert "Lambda takes 1 to 900 seconds" in run.message


def test_a_version_that_raises_in_its_check_gets_no_traffic(world: World) -> None:
    world.send(world.another("raises", **{"events/check.json": "{}"}))

    with nothing_changes_after(world, STAGE):
        (run,) = world.walk()

    assert "failed its check and gets no traffic" in run.message
    assert "gets no traffic" in report.advice(run.message)


def test_a_rejected_approval_leaves_production_as_it_is(world: World) -> None:
    world.send(world.another("wanted?"), PROD)
    links: list[str] = []

    def reject(text: str) -> None:
        operator = world.accounts.client("codepipeline", PROD["id"], REGION, "acme-operator")
        state = operator.get_pipeline_state(name=NAME)["stageStates"][1]["actionStates"][1]
        operator.put_approval_result(
            pipelineName=NAME,
            stageName="Deploy",
            actionName="Approve",
            token=state["latestExecution"]["token"],
            result={"status": "Rejected", "summary": f"no: {text}"},
        )

    def decide(approval: Approval) -> None:
        links.append(approval.link)
        threading.Timer(1, reject, [approval.text]).start()

    with nothing_changes_after(world, PROD):
        (run,) = world.walk(decide=decide)

    assert (run.stage, run.action) == ("Deploy", "Approve")
    group = f"/aws/codebuild/{NAME}-plan"
    plans = world.client("logs", PROD).describe_log_streams(logGroupName=group)["logStreams"]
    assert any(
        f"/build/{NAME}-plan%3A{plan['logStreamName']}/?region=us-east-1" in links[0] for plan in plans
    )
    shown = f"{world.revision[:12]} wanted? | Plan: 0 to add, 2 to change, 0 to destroy."
    assert run.message == f"rejected: no: {shown}"


def test_before_an_approval_nothing_runs_that_a_release_brings_along_and_nothing_looks_deployed(
    world: World,
) -> None:
    ours = dict.fromkeys(("deployment/prepare.sh", "deployment/install-terraform.sh"), "echo OURS; exit 1")
    packages = {"Bucket": PROD["artifacts_bucket"], "Prefix": "releases/"}
    before = world.client("s3", PROD).list_objects_v2(**packages)["KeyCount"]
    world.send(world.another("unwanted", file="new.txt", **ours), PROD)

    with nothing_changes_after(world, PROD):
        (run,) = world.walk(decide=lambda approval: (False, "no"))

    assert run.action == "Approve"
    (plan,) = (each for each in world.walker.runs if each.action == "Plan" and each.account == PROD["id"])
    assert "OURS" not in "".join(command.output for command in plan.commands)
    assert world.client("s3", PROD).list_objects_v2(**packages)["KeyCount"] == before
    roles = {
        call.role and call.role.rpartition("/")[2]
        for call in world.accounts.journal()
        if call.account == PROD["id"]
    }
    assert f"{NAME}-planner" in roles
    assert f"{NAME}-deployer" not in roles


def test_bytes_that_were_planted_under_a_package_s_name_get_no_traffic(world: World) -> None:
    """A bad release of the same function has foreseen the sha256 of a good one."""
    good = world.another("good", file="good.txt")
    with ZipFile(io.BytesIO(good)) as archive, ZipFile(io.BytesIO(world.release())) as other:
        sha256 = json.loads(archive.read("release.json"))["sha256"]
        planted = other.read("package.zip")
    deployer = world.accounts.client("s3", STAGE["id"], REGION, f"{NAME}-deployer")
    package = {"Bucket": STAGE["artifacts_bucket"], "Key": f"releases/{NAME}/{sha256}.zip"}
    deployer.put_object(**package, Body=planted, IfNoneMatch="*")
    world.send(good)

    with nothing_changes_after(world, STAGE):
        (run,) = world.walk()

    assert "runs a package whose sha256 is " in run.message


def test_a_promoter_that_cannot_write_fails_the_promotion(world: World) -> None:
    promoter = world.client("lambda", STAGE)
    known = promoter.get_function_configuration(FunctionName="acme-promoter")["Environment"]["Variables"]
    variables = known | {"DESTINATION_ACCOUNT": "999999999999"}
    promoter.update_function_configuration(FunctionName="acme-promoter", Environment={"Variables": variables})
    world.send(world.another("cannot go on"))

    (run,) = world.walk()

    assert world.versions()[2] == world.before[2]
    assert (run.account, run.stage) == (STAGE["id"], "Promote")
    assert "acme-promoter: PermissionError: An error occurred (AccessDenied)" in run.message


def test_a_package_changed_between_accounts_is_refused(world: World) -> None:
    world.send(world.release(**{"package.zip": "something else"}))

    with nothing_changes_after(world, STAGE):
        (run,) = world.walk()

    assert "package.zip is not the package that release.json describes" in run.message


def test_nobody_is_called_for_a_new_pipeline_to_which_nothing_has_been_promoted(world: World) -> None:
    assert (world.alerts(STAGE), world.alerts(PROD)) == ([], [])


def test_a_release_whose_pipeline_cannot_be_started_is_kept(world: World) -> None:
    world.client("iam", STAGE).delete_role_policy(RoleName="acme-pipeline-start", PolicyName="pipeline-start")

    world.send(world.another("cannot start"))

    queue = f"{world.accounts.url}/{STAGE['id']}/acme-undelivered"
    (message,) = world.client("sqs", STAGE).receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["detail"]["object"]["key"] == f"promoted/{NAME}.zip"
    assert world.walk() == []
    assert world.versions() == world.before


def test_of_two_promotions_in_quick_succession_the_newer_wins(world: World) -> None:
    world.send(world.another("the older"))
    world.send(world.another("the newer"))

    assert world.walk(STAGE) == []

    live = world.client("lambda", STAGE).get_function_configuration(FunctionName=NAME, Qualifier="live")
    assert live["Description"] == "the newer"
    with ZipFile(io.BytesIO(world.release())) as promoted:
        assert json.loads(promoted.read("release.json"))["summary"] == "the newer"


def test_of_pushes_that_wait_for_the_one_before_only_the_newest_is_built(world: World) -> None:
    for content in "broken", "also broken", "broken as well":
        world.push("src/hello_lambda/greeting.py", content)

    failed = world.walk()

    assert [run.action for run in failed] == ["Build", "Build"]
    listed = world.client("codepipeline", DEV).list_pipeline_executions(pipelineName=NAME)
    statuses = [execution["status"] for execution in listed["pipelineExecutionSummaries"]]
    assert statuses[:3] == ["Failed", "Superseded", "Failed"]
    assert all("syntax" in run.message.lower() or "error" in run.message.lower() for run in failed)


def test_a_release_waits_for_the_approval_of_the_one_before_and_is_planned_once_that_runs(
    world: World,
) -> None:
    waits = threading.Event()
    sent: list[str] = []
    told: list[tuple[str, str]] = []

    def on_run(run: Run) -> None:
        told.append((run.action, run.status))
        if sent and (run.stage, run.status) == ("Source", "Succeeded"):
            waits.set()

    def decide(approval: Approval) -> tuple[bool, str]:
        if not sent:
            sent.append("the newer")
            world.send(world.another("the newer"), PROD)
            assert waits.wait(300)
        return True, "said a test"

    world.send(world.another("the older"), PROD)

    assert world.walk(PROD, decide=decide, on_run=on_run) == []

    assert told.count(("Plan", "Succeeded")) == told.count(("Deploy", "Succeeded")) == 2
    assert ("Plan", "InProgress") in told[told.index(("Deploy", "Succeeded")) :]
    live = world.client("lambda", PROD).get_function_configuration(FunctionName=NAME, Qualifier="live")
    assert live["Description"] == "the newer"


@pytest.mark.tries("kills", "while applying")
def test_a_deployment_killed_half_way_can_be_retried(world: World) -> None:
    world.send(world.another("killed", **{"events/check.json": json.dumps({"name": "x"})}))
    (run,) = world.walk(STAGE, build_seconds=4)
    assert "took longer than the build may" in run.message
    state = {"Bucket": STAGE["state_bucket"], "Prefix": f"functions/{NAME}"}
    kept = world.client("s3", STAGE).list_objects_v2(**state)["Contents"]
    assert [found["Key"] for found in kept] == [
        f"functions/{NAME}.{kind}" for kind in ("tfstate", "zip")
    ]  # no lock is left

    world.client("codepipeline", STAGE).retry_stage_execution(
        pipelineName=NAME, stageName="Deploy", pipelineExecutionId=run.execution, retryMode="FAILED_ACTIONS"
    )
    assert world.walk(STAGE, memory=world.walker.memory) == []

    live = world.client("lambda", STAGE).get_function_configuration(FunctionName=NAME, Qualifier="live")
    assert live["Description"] == "killed"


@pytest.mark.tries("kills", "while planning")
def test_a_plan_killed_half_way_changes_nothing_and_can_be_retried(world: World) -> None:
    world.send(world.another("planned twice"), PROD)
    with nothing_changes_after(world, PROD):
        (run,) = world.walk(PROD, build_seconds=2)
    assert (run.action, "took longer than the build may" in run.message) == ("Plan", True)

    world.client("codepipeline", PROD).retry_stage_execution(
        pipelineName=NAME, stageName=run.stage, pipelineExecutionId=run.execution, retryMode="FAILED_ACTIONS"
    )
    assert world.walk(PROD, memory=world.walker.memory) == []

    live = world.client("lambda", PROD).get_function_configuration(FunctionName=NAME, Qualifier="live")
    assert live["Description"] == "planned twice"


def test_a_state_bucket_out_of_reach_is_named(world: World) -> None:
    builds = world.client("codebuild", STAGE)
    (project,) = builds.batch_get_projects(names=[f"{NAME}-deploy"])["projects"]
    for variable in project["environment"]["environmentVariables"]:
        if variable["name"] == "STATE_BUCKET":
            variable["value"] = "acme-nowhere"
    builds.update_project(name=f"{NAME}-deploy", environment=project["environment"])
    world.send(world.another("no state"))

    with nothing_changes_after(world, STAGE):
        (run,) = world.walk()

    assert "sh deployment/prepare.sh: exit code 1" in run.message
    assert "acme-nowhere" in run.message


def test_a_wrong_answer_in_stage_leaves_production_untouched_and_says_why(world: World) -> None:
    """Also once people have gone back, and what answers instead would pass for it."""
    good = (world.repository / "src/hello_lambda/greeting.py").read_text()
    wrong = good.replace("Hola", "Adios").replace(".settings", "..settings")
    world.send(world.another("says goodbye", file="hello_lambda/greeting/__init__.py", text=wrong))

    (run,) = world.walk()

    assert (run.account, run.stage) == (STAGE["id"], "Verify")
    assert "tests/deployed/buildspec.yml: build: sh tests/deployed/run.sh: exit code 1" in run.message
    assert "Adios, deployment!" in run.message
    assert "does not pass tests/deployed" in report.advice(run.message)
    assert any(f"{NAME} failed in stage" in alert for alert in world.alerts(STAGE))
    dev, stage, prod = world.before
    assert world.versions() == [dev, str(int(stage) + 1), prod]

    world.client("lambda", STAGE).update_alias(FunctionName=NAME, Name="live", FunctionVersion=stage)
    world.client("codepipeline", STAGE).retry_stage_execution(
        pipelineName=NAME, stageName="Verify", pipelineExecutionId=run.execution, retryMode="FAILED_ACTIONS"
    )
    (again,) = world.walk(memory=world.walker.memory)

    assert (again.account, again.stage) == (STAGE["id"], "Verify")
    assert f"{NAME}:live runs a package whose sha256 is" in again.message
    assert world.versions() == world.before

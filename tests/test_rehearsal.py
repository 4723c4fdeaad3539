"""A generated repository, rehearsed: to production, and through what can go wrong on the way."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from conftest import FACTS, TEMPLATE
from cookiecutter.main import cookiecutter

from rehearsal import cli, demo, report, terraform
from rehearsal.accounts import EmulatedAccounts
from rehearsal.cli import Options, Rehearsal, RehearsalError, Screen, rehearse
from rehearsal.pipelines import Run, Walker, git

DEV, STAGE, PROD = FACTS["environments"]
REGION = FACTS["region"]
NAME = "hello-lambda"


class Rehearsed:
    """A world in which a repository has been rehearsed to production."""

    def __init__(self, world: EmulatedAccounts, folder: Path) -> None:
        self.world, self.folder = world, folder
        self.repository = Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(folder)))
        demo.commit(self.repository)
        self.lines: list[str] = []
        screen = Screen(quiet=False)
        screen.say = self.lines.append  # type: ignore[assignment, method-assign]
        self.result = rehearse(Options(self.repository), screen, world, folder)


@pytest.fixture(scope="module")
def rehearsed(founded: EmulatedAccounts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsed]:
    with founded.fork() as world:
        yield Rehearsed(world, tmp_path_factory.mktemp("rehearsed"))


class World:
    """A copy of that world, in which something else happens."""

    def __init__(self, rehearsed: Rehearsed, accounts: EmulatedAccounts, folder: Path) -> None:
        self.accounts, self.folder, self.repository = accounts, folder, folder / "repository"
        git(folder, "clone", "--quiet", str(rehearsed.repository), str(self.repository))
        self.before = self.versions()
        self.sent = 0

    def versions(self) -> list[str]:
        """Return the version that answers in each environment."""
        return [
            self.client("lambda", e).get_alias(FunctionName=NAME, Name="live")["FunctionVersion"]
            for e in (DEV, STAGE, PROD)
        ]

    def client(self, service: str, environment: dict[str, Any]) -> Any:
        return self.accounts.client(service, environment["id"], REGION)

    def push(self, path: str, content: str) -> None:
        """Commit a change of one file and start the first pipeline with it."""
        (self.repository / path).write_text(content)
        demo.commit(self.repository, "A change")
        self.client("codepipeline", DEV).start_pipeline_execution(name=NAME)

    def release(self, **changes: str | None) -> bytes:
        """Return the release that runs in production, with other files; those that are None left out."""
        stored = self.client("s3", PROD).get_object(
            Bucket=PROD["artifacts_bucket"], Key=f"promoted/{NAME}.zip"
        )
        content = io.BytesIO()
        body = io.BytesIO(stored["Body"].read())
        with ZipFile(body) as old, ZipFile(content, "w") as new:
            for entry in old.infolist():
                text = changes.get(entry.filename, old.read(entry).decode("latin-1"))
                if text is not None:
                    new.writestr(entry, text.encode("latin-1"))
        return content.getvalue()

    def another(self, summary: str, **changes: str | None) -> bytes:
        """Return a release that differs, in its facts at least, so that it becomes another version."""
        with ZipFile(io.BytesIO(self.release())) as archive:
            facts = json.loads(archive.read("release.json")) | {"summary": summary}
        return self.release(**{"release.json": json.dumps(facts), **changes})

    def send(self, release: bytes, environment: dict[str, Any] = STAGE) -> None:
        """Promote a release to an environment, as its previous one does."""
        previous = DEV if environment is STAGE else STAGE
        self.accounts.client("s3", previous["id"], REGION, "acme-promoter").put_object(
            Bucket=environment["artifacts_bucket"],
            Key=f"promoted/{NAME}.zip",
            Body=release,
            Metadata={"codepipeline-artifact-revision-summary": "sent by a test"},
        )

    def walk(self, **settings: Any) -> list[Run]:
        """Walk all pipelines and return the runs that failed."""
        repositories = {f"{FACTS['github_owner']}/{NAME}": self.repository}
        self.walker = Walker(self.accounts, REGION, repositories, **settings)
        self.walker.walk([e["id"] for e in (DEV, STAGE, PROD)])
        return [run for run in self.walker.runs if run.status == "Failed"]

    def alerts(self, environment: dict[str, Any]) -> list[str]:
        """Return what the alerts topic of an environment has been sent about failed pipelines."""
        return [
            text for text in self.accounts.ask("published", account=environment["id"]) if "failed" in text
        ]


@pytest.fixture
def world(rehearsed: Rehearsed, tmp_path: Path) -> Iterator[World]:
    with rehearsed.world.fork() as accounts:
        yield World(rehearsed, accounts, tmp_path)


# To production


def test_every_environment_runs_the_very_package_of_the_commit(rehearsed: Rehearsed) -> None:
    result = rehearsed.result

    assert result.problem == ""
    assert [runs["environment"] for runs in result.running] == ["dev", "stage", "prod"]
    assert {runs["sha256"] for runs in result.running} == {result.release["sha256"]}
    assert {runs["revision"] for runs in result.running} == {result.revision[:12]}
    assert result.revision == git(rehearsed.repository, "rev-parse", "HEAD")


def test_each_action_is_told_in_a_line(rehearsed: Rehearsed) -> None:
    told = [line.split()[:3] for line in rehearsed.lines if " s" in line and "waits" not in line]

    assert [line for line in told if line[0] in ("dev", "stage", "prod")] == [
        ["dev", "Source", "Source"],
        ["dev", "Build", "Build"],
        ["dev", "Deploy", "Deploy"],
        ["dev", "Promote", "Promote"],
        ["stage", "Source", "Source"],
        ["stage", "Deploy", "Deploy"],
        ["stage", "Promote", "Promote"],
        ["prod", "Source", "Source"],
        ["prod", "Approve", "Plan"],
        ["prod", "Approve", "Approve"],
        ["prod", "Deploy", "Deploy"],
    ]


def test_the_revision_is_shown_by_every_pipeline_and_to_the_approver(rehearsed: Rehearsed) -> None:
    summary = rehearsed.result.release["summary"]
    for environment, shown in ((DEV, "Born from the template"), (STAGE, summary), (PROD, summary)):
        client = rehearsed.world.client("codepipeline", environment["id"], REGION)
        listed = client.list_pipeline_executions(pipelineName=NAME)["pipelineExecutionSummaries"]
        done = next(execution for execution in listed if execution["status"] == "Succeeded")
        assert [revision["revisionSummary"] for revision in done["sourceRevisions"]] == [shown]

    (approval,) = [run for run in rehearsed.result.runs if run.action == "Approve"]
    assert approval.message == f"{summary} | Plan: 8 to add, 0 to change, 0 to destroy."


def test_a_new_pipeline_waits_for_its_first_release(rehearsed: Rehearsed) -> None:
    waiting = [run for run in rehearsed.result.runs if cli.waits(run)]

    assert {run.account for run in waiting} == {STAGE["id"], PROD["id"]}


def test_each_step_wears_the_role_made_for_it(rehearsed: Rehearsed) -> None:
    calls = {
        (call.account, (call.role or "").rpartition("/")[2]): call.service
        for call in rehearsed.result.journal
    }
    worn = {role for account, role in calls if account == DEV["id"]}

    assert {"acme-operator", "acme-pipeline", "acme-promoter", f"{NAME}-builder", f"{NAME}-deployer"} <= worn


def test_a_second_make_pipeline_changes_nothing(world: World) -> None:
    people = world.folder / "people"
    git(world.folder, "clone", "--quiet", str(world.repository), str(people))
    before = len(world.accounts.journal())

    cli.apply_pipelines(world.accounts, FACTS, people, world.folder)

    changed = [
        c for c in world.accounts.journal()[before:] if c.operation.startswith(("Create", "Update", "Delete"))
    ]
    assert [call.operation for call in changed if call.service != "s3"] == []


@pytest.mark.parametrize(
    ("bucket", "key", "starts"),
    [
        (STAGE["artifacts_bucket"], f"promoted/{NAME}.zip", True),
        (STAGE["artifacts_bucket"], f"promoted/{NAME}-2.zip", False),
        (STAGE["artifacts_bucket"], f"{NAME}/Release/abc", False),
        (DEV["artifacts_bucket"], f"promoted/{NAME}.zip", False),
    ],
)
def test_a_pipeline_is_started_by_its_own_release_alone(
    rehearsed: Rehearsed, bucket: str, key: str, starts: bool
) -> None:
    events = rehearsed.world.client("events", STAGE["id"], REGION)
    event: dict[str, Any] = {"id": "1", "account": STAGE["id"], "region": REGION, "resources": []}
    event |= {"time": "2026-01-01T00:00:00Z", "source": "aws.s3", "detail-type": "Object Created"}
    event["detail"] = {"bucket": {"name": bucket}, "object": {"key": key}}

    pattern = events.describe_rule(Name=f"{NAME}-promoted")["EventPattern"]

    assert events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"] is starts


def test_the_report_stands_alone_and_tells_all(rehearsed: Rehearsed) -> None:
    page = report.html(rehearsed.result)

    assert "src=" not in page
    assert 'href="http' not in page
    for said in (
        "prod runs the package of this commit",
        "make test",
        "terraform apply",
        "8 to add",
        "lambda Function",
    ):
        assert said in page


def test_what_a_commit_says_is_data_in_the_report(rehearsed: Rehearsed) -> None:
    result = Rehearsal(NAME, "0" * 40, "<script>alert(1)</script>", FACTS, running=[{"environment": "prod"}])

    assert "<script>" not in report.html(result)


# What failure looks like: later environments stay as they were, and the failure is named


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
    sizes = "timeout = 9999\nmemory_size = 256\nlog_retention_days = 30"
    world.send(world.another("x", **{"deployment/environments/stage.tfvars": sizes}))

    with nothing_changes_after(world, STAGE):
        (run,) = world.walk()

    assert (run.account, run.stage) == (STAGE["id"], "Deploy")
    assert "deployment/buildspec.yml: build: " in run.message
    assert "Lambda takes 1 to 900 seconds" in run.message


def test_a_version_that_raises_in_its_check_gets_no_traffic(world: World) -> None:
    world.send(world.another("raises", **{"deployment/check.json": "{}"}))

    with nothing_changes_after(world, STAGE):
        (run,) = world.walk()

    assert "failed its check and gets no traffic" in run.message
    assert "the version before still answers" in report.advice(run.message)


def test_a_rejected_approval_leaves_production_as_it_is(world: World) -> None:
    world.send(world.another("wanted?"), PROD)

    with nothing_changes_after(world, PROD):
        (run,) = world.walk(decide=lambda approval: (False, f"no: {approval.text}"))

    assert (run.stage, run.action) == ("Approve", "Approve")
    assert run.message == "rejected: no: wanted? | Plan: 0 to add, 1 to change, 0 to destroy."


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


def test_of_two_promotions_in_quick_succession_the_newer_wins(world: World) -> None:
    world.send(world.another("the older"))
    world.send(world.another("the newer"))

    assert world.walk() == []

    for environment in STAGE, PROD:
        live = world.client("lambda", environment).get_function_configuration(
            FunctionName=NAME, Qualifier="live"
        )
        assert live["Description"] == "the newer"
    order = [run.account for run in world.walker.runs if run.action == "Deploy"]
    assert order[:2] == [STAGE["id"], STAGE["id"]]


def test_of_two_pushes_in_quick_succession_only_the_newer_is_built(world: World) -> None:
    world.push("src/hello_lambda/greeting.py", "broken")
    world.push("tests/test_greeting.py", "also broken")

    (run,) = world.walk()

    listed = world.client("codepipeline", DEV).list_pipeline_executions(pipelineName=NAME)
    assert [e["status"] for e in listed["pipelineExecutionSummaries"]][:2] == ["Failed", "Superseded"]
    assert "syntax" in run.message.lower() or "error" in run.message.lower()


def test_a_deployment_killed_half_way_can_be_retried(world: World) -> None:
    world.send(world.another("killed", **{"deployment/check.json": json.dumps({"name": "x"})}))
    (run,) = world.walk(build_seconds=4)
    assert "took longer than the build may" in run.message
    state = {"Bucket": STAGE["state_bucket"], "Prefix": f"functions/{NAME}"}
    kept = world.client("s3", STAGE).list_objects_v2(**state)["Contents"]
    assert [found["Key"] for found in kept] == [f"functions/{NAME}.tfstate"]  # no lock is left

    world.client("codepipeline", STAGE).retry_stage_execution(
        pipelineName=NAME, stageName="Deploy", pipelineExecutionId=run.execution, retryMode="FAILED_ACTIONS"
    )
    memory = world.walker.memory
    assert world.walk(memory=memory) == []

    live = world.client("lambda", PROD).get_function_configuration(FunctionName=NAME, Qualifier="live")
    assert live["Description"] == "killed"


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


# What else a role is for, under its own permissions


def terraform_of(world: World, folder: Path, environment: dict[str, str], *arguments: str) -> None:
    """Run Terraform in a folder."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = ["terraform", arguments[0], "-input=false", "-no-color", *arguments[1:]]
    variables = own | environment | terraform.environment(world.folder)
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_deployer_may_destroy_what_it_has_deployed(world: World) -> None:
    folder = world.folder / "release"
    with ZipFile(io.BytesIO(world.release())) as archive:
        archive.extractall(folder)
    deployer = world.accounts.environment(STAGE["id"], REGION, f"{NAME}-deployer")
    backend = {"bucket": STAGE["state_bucket"], "key": f"functions/{NAME}.tfstate", "region": REGION}
    inputs = ["-var=environment=stage", "-var-file=environments/stage.tfvars"]

    terraform_of(
        world,
        folder / "deployment",
        deployer,
        "init",
        *(f"-backend-config={k}={v}" for k, v in backend.items()),
    )
    terraform_of(world, folder / "deployment", deployer, "destroy", "-auto-approve", *inputs)

    names = [f["FunctionName"] for f in world.client("lambda", STAGE).list_functions()["Functions"]]
    assert names == ["acme-promoter"]


@pytest.mark.parametrize("name", ["dev", "stage", "prod"])
def test_an_operator_may_destroy_a_pipeline(world: World, name: str) -> None:
    people = world.folder / "people"
    git(world.folder, "clone", "--quiet", str(world.repository), str(people))
    operator = world.accounts.environment(FACTS["ops"]["id"], REGION, "acme-operator")

    terraform_of(
        world, people / "pipeline", operator, "init", f"-backend-config=environments/{name}.tfbackend"
    )
    terraform_of(
        world,
        people / "pipeline",
        operator,
        "destroy",
        "-auto-approve",
        "-var=function_name=hello-lambda",
        f"-var=environment={name}",
    )

    (environment,) = [e for e in FACTS["environments"] if e["name"] == name]
    assert world.client("codepipeline", environment).list_pipelines()["pipelines"] == []
    assert world.client("codebuild", environment).list_projects()["projects"] == []


# The command


def test_what_is_no_generated_repository_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([str(tmp_path)]) == 1
    assert "is not a repository made from lambda-template" in capsys.readouterr().err


def test_what_is_not_committed_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(tmp_path)))

    assert cli.main([str(repository)]) == 1
    assert "commit first" in capsys.readouterr().err


def test_an_unknown_environment_is_refused(rehearsed: Rehearsed, tmp_path: Path) -> None:
    with rehearsed.world.fork() as world, pytest.raises(RehearsalError, match="there are dev, stage, prod"):
        rehearse(Options(rehearsed.repository, until="qa"), Screen(quiet=True), world, tmp_path)


def test_a_rehearsal_may_end_early_and_start_from_any_commit(
    rehearsed: Rehearsed, founded: EmulatedAccounts, tmp_path: Path
) -> None:
    repository = Path(
        shutil.copytree(
            rehearsed.repository, tmp_path / "repository", ignore=shutil.ignore_patterns("build", ".venv")
        )
    )
    first = git(repository, "rev-parse", "HEAD")
    (repository / "broken").write_text("x")
    demo.commit(repository, "Something newer")
    with founded.fork() as world:
        options = Options(repository, until="dev", commit=first)
        result = rehearse(options, Screen(quiet=True), world, tmp_path)

    assert result.problem == ""
    assert result.running[0]["revision"] == first[:12]
    assert "version" not in result.running[1]


def test_the_wheel_brings_all_that_a_rehearsal_needs(tmp_path: Path) -> None:
    uv = TEMPLATE / ".venv/bin/uv"
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", tmp_path, TEMPLATE], check=True)
    (wheel,) = tmp_path.glob("*.whl")

    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for needed in (
        "template/foundation/main.tf",
        "template/foundation/promoter/promoter.py",
        "template/foundation/.terraform.lock.hcl",
        "template/hooks/accounts_file.py",
        "buildspec.schema.json",
        "runtime-requirements.txt",
    ):
        assert f"rehearsal/{needed}" in names
    assert not [name for name in names if "/build/" in name]


def test_two_at_once_installed_as_the_pages_say_do_not_disturb_each_other(
    rehearsed: Rehearsed, tmp_path: Path
) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for folder in theirs, ours:
        git(tmp_path, "clone", "--quiet", str(rehearsed.repository), str(folder))
    uvx = [str(TEMPLATE / ".venv/bin/uv"), "tool", "run", "--quiet", "--from", str(TEMPLATE), "rehearse"]
    other = subprocess.Popen(
        [*uvx, str(theirs), "--until", "dev", "--json"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    command = ["make", "rehearse", f"TEMPLATE={TEMPLATE}"]
    done = subprocess.run(command, cwd=ours, capture_output=True, text=True, check=False)
    result = json.loads(other.communicate()[0])

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"prod         version 1    {rehearsed.result.revision[:12]}" in done.stdout
    assert (ours / "build/rehearsal.html").is_file()
    assert (other.returncode, result["problem"]) == (0, "")
    assert "version" not in result["running"][1]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_rehearsal_leaves_nothing_behind(
    rehearsed: Rehearsed, tmp_path: Path, ending: signal.Signals
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "rehearsal.cli",
            str(rehearsed.repository),
            "--report",
            str(tmp_path / "page.html"),
        ],
        cwd=TEMPLATE,
        env=os.environ | {"TMPDIR": str(scratch)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    mark = f"TMPDIR={scratch}"
    while not any("terraform" in command for command in running(mark)):
        assert process.poll() is None
        time.sleep(0.2)

    process.send_signal(ending)

    assert process.wait(60) in (130, 143)
    deadline = time.monotonic() + 30
    while (running(mark) or any(scratch.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert running(mark) == []
    assert list(scratch.iterdir()) == []


def running(variable: str) -> list[str]:
    """Return the commands of processes that have a variable."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if variable.encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


def test_the_result_is_there_for_machines(rehearsed: Rehearsed) -> None:
    result = json.loads(json.dumps(cli.as_json(rehearsed.result)))

    assert result["problem"] == ""
    assert [run["status"] for run in result["runs"] if run["action"] == "Promote"] == ["Succeeded"] * 2
    assert result["running"][-1]["sha256"] == result["release"]["sha256"]


def test_accounts_that_are_kept_can_be_reached_with_the_aws_cli(
    rehearsed: Rehearsed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "pause", lambda: None)
    cli.keep(rehearsed.world, rehearsed.result, tmp_path, Screen(quiet=True))

    aws = Path(sys.executable).with_name("aws")
    command = (
        f". {tmp_path}/stage-reader.sh; {aws} codepipeline get-pipeline-state --name {NAME} --output json"
    )
    state = json.loads(subprocess.check_output(["sh", "-c", command]))

    assert [stage["stageName"] for stage in state["stageStates"]] == ["Source", "Deploy", "Promote"]
    assert {stage["latestExecution"]["status"] for stage in state["stageStates"]} == {"Succeeded"}

"""A generated repository, rehearsed: to production, and through what can go wrong on the way."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cookiecutter.main import cookiecutter

from emulator.accounts import EmulatedAccounts
from hooks.git import git
from rehearsal import cli, demo, foundation
from rehearsal.foundation import Applying, FoundationError
from rehearsal.outcome import as_json
from rehearsal.rehearse import Options, RehearsalError, apply_pipelines, rehearse, stand
from screen import Screen
from tests.organizations import environment, organization_of, repository_of
from tests.worlds import DEV, FACTS, NAME, PROD, REGION, STAGE, TEMPLATE, Rehearsed, World

# To production


def test_every_environment_runs_the_very_package_of_the_commit(rehearsed: Rehearsed) -> None:
    result = rehearsed.result

    assert result.problem == ""
    assert [runs["environment"] for runs in result.running] == ["dev", "stage", "prod"]
    assert {runs["sha256"] for runs in result.running} == {result.release["sha256"]}
    assert {runs["revision"] for runs in result.running} == {result.revision[:12]}
    assert result.revision == git(rehearsed.repository, "rev-parse", "HEAD")


def test_each_action_is_told_as_it_begins_and_as_it_ends(rehearsed: Rehearsed) -> None:
    told = [line.split() for line in rehearsed.lines if line.startswith(("dev ", "stage ", "prod "))]
    actions = [
        ["dev", "Source", "Source"],
        ["dev", "Build", "Build"],
        ["dev", "Deploy", "Deploy"],
        ["dev", "Verify", "Verify"],
        ["dev", "Promote", "Promote"],
        ["stage", "Source", "Source"],
        ["stage", "Deploy", "Deploy"],
        ["stage", "Verify", "Verify"],
        ["stage", "Promote", "Promote"],
        ["prod", "Source", "Source"],
        ["prod", "Deploy", "Plan"],
        ["prod", "Deploy", "Approve"],
        ["prod", "Deploy", "Deploy"],
        ["prod", "Verify", "Verify"],
    ]

    assert [line[:4] for line in told] == [
        [*action, status] for action in actions * 2 for status in ("...", "ok")
    ]


def test_a_second_release_goes_the_same_way_in_a_copy(rehearsed: Rehearsed) -> None:
    first, again = (
        [(run.account, run.action) for run in runs if not run.waits]
        for runs in (rehearsed.result.runs, rehearsed.result.again)
    )
    functions = rehearsed.world.client("lambda", PROD["id"], REGION)

    assert again == first
    assert {run.status for run in rehearsed.result.again} == {"Succeeded"}
    assert functions.get_alias(FunctionName=NAME, Name="live")["FunctionVersion"] == "1"
    updated = {c.account for c in rehearsed.result.journal if c.operation == "UpdateFunctionCode"}
    assert updated == {each["id"] for each in (DEV, STAGE, PROD)}


class Founding(Applying):
    """A foundation that stands in ops, fails in dev and has not ended in prod."""

    def __init__(self) -> None:
        pass

    def stand(
        self, on_start: Callable[[str], object] = print, meanwhile: Callable[[], object] = print
    ) -> Iterator[str]:
        for account in "ops", "dev", "prod":
            on_start(account)
        yield "ops"
        raise FoundationError("dev", "AccessDenied")


def test_each_account_of_a_foundation_is_told_as_it_begins_and_how_it_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(FoundationError, match="dev could not be applied:\nAccessDenied"):
        stand(Founding(), Screen())

    told = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert told[:3] == [[account, "foundation", "..."] for account in ("ops", "dev", "prod")]
    assert told[3:] == [
        ["ops", "foundation", "ok"],
        ["dev", "foundation", "failed"],
        ["prod", "foundation", "stopped"],
    ]


def test_the_revision_is_shown_by_every_pipeline_and_to_the_approver(rehearsed: Rehearsed) -> None:
    summary = rehearsed.result.release["summary"]
    for account, shown in ((DEV, "Born from the template"), (STAGE, summary), (PROD, summary)):
        client = rehearsed.world.client("codepipeline", account["id"], REGION)
        listed = client.list_pipeline_executions(pipelineName=NAME)["pipelineExecutionSummaries"]
        done = next(execution for execution in listed if execution["status"] == "Succeeded")
        assert [revision["revisionSummary"] for revision in done["sourceRevisions"]] == [shown]

    (approval,) = [run for run in rehearsed.result.runs if run.action == "Approve"]
    assert approval.message == f"{summary} | Plan: 11 to add, 0 to change, 0 to destroy."


def test_a_new_pipeline_waits_for_its_first_release(rehearsed: Rehearsed) -> None:
    waiting = [run for run in rehearsed.result.runs if run.waits]

    assert {run.account for run in waiting} == {STAGE["id"], PROD["id"]}


def test_each_step_has_the_role_made_for_it(rehearsed: Rehearsed) -> None:
    taken: dict[str, set[str]] = {}
    for call in rehearsed.result.journal:
        taken.setdefault(call.account, set()).add((call.role or "").rpartition("/")[2])

    everywhere = {"acme-operator", "acme-pipeline", f"{NAME}-deployer", f"{NAME}-verifier"}
    assert everywhere | {"acme-promoter", f"{NAME}-builder"} <= taken[DEV["id"]]
    assert everywhere | {f"{NAME}-planner"} <= taken[PROD["id"]]
    assert not taken[DEV["id"]] & {f"{NAME}-planner"}
    assert not taken[PROD["id"]] & {"acme-promoter", f"{NAME}-builder"}


def test_the_connection_is_used_for_the_function_s_own_repository(rehearsed: Rehearsed) -> None:
    checks = [check for call in rehearsed.result.journal for check in call.checks]
    uses = [check for check in checks if check.action.endswith(":UseConnection")]

    assert {use.caller.role.rpartition("/")[2] for use in uses} == {"acme-pipeline", f"{NAME}-builder"}
    key, repository = "codestar-connections:fullrepositoryid", f"{FACTS['github_owner']}/{NAME}"
    assert {use.context.get(key) for use in uses} == {repository}


def test_a_second_make_pipeline_changes_nothing(world: World) -> None:
    people = world.folder / "people"
    git(world.folder, "clone", "--quiet", str(world.repository), str(people))
    before = len(world.accounts.journal())

    apply_pipelines(world.accounts, FACTS, people, world.folder)

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


def test_two_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    folders = tmp_path / "theirs", tmp_path / "ours"
    for folder in folders:
        folder.mkdir()
    alone = organization_of(environment("live", "012345678901") | {"approval": True})
    theirs, ours = map(repository_of, (alone, organization_of(DEV)), folders)
    command = [sys.executable, "-m", "rehearsal"]
    checkout = os.environ | {"PYTHONPATH": str(TEMPLATE)}
    other = subprocess.Popen(
        [*command, str(theirs), "--json", "--until", "live", "--from-commit", "main"],
        cwd=tmp_path,
        env=checkout,
        stdout=subprocess.PIPE,
        text=True,
    )
    done = subprocess.run(command, cwd=ours, env=checkout, capture_output=True, text=True, check=False)
    result = json.loads(other.communicate()[0])

    assert done.returncode == 0, done.stdout + done.stderr
    revision = git(ours, "rev-parse", "HEAD")[:12]
    assert re.search(rf"^dev +1 +{revision} ", done.stdout, re.MULTILINE)
    assert done.stdout.endswith(f"dev runs hello-lambda {revision}\n")
    assert (ours / "rehearsal.html").is_file()
    assert (other.returncode, result["problem"]) == (0, "")
    assert [runs["version"] for runs in result["running"]] == ["1"]
    assert [run["action"] for run in result["runs"]] == [
        "Source",
        "Build",
        "Plan",
        "Approve",
        "Deploy",
        "Verify",
    ]


@pytest.mark.tries("kills", "while rehearsing")
@pytest.mark.parametrize(
    ("during", "ending"), [("terraform init", signal.SIGINT), ("terraform apply", signal.SIGTERM)]
)
def test_an_interrupted_rehearsal_leaves_nothing_behind(
    rehearsed: Rehearsed, tmp_path: Path, during: str, ending: signal.Signals
) -> None:
    scratch = Path(tempfile.mkdtemp(prefix="interrupted-"))  # short, as the path of a socket must be
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "rehearsal",
            str(rehearsed.repository),
            "--report",
            str(tmp_path / "page.html"),
        ],
        cwd=TEMPLATE,
        env=os.environ | {"TMPDIR": str(scratch)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not any(during in command for command in running(scratch)):
        assert process.poll() is None
        time.sleep(0.2)

    process.send_signal(ending)

    assert process.wait(60) in (130, 143)
    deadline = time.monotonic() + 30
    while (running(scratch) or any(scratch.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert running(scratch) == []
    scratch.rmdir()


def running(scratch: Path) -> list[str]:
    """Return the commands of processes whose temporary files go into a folder or below it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"\0TMPDIR={scratch}".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


def test_the_result_is_there_for_machines(rehearsed: Rehearsed) -> None:
    result = json.loads(json.dumps(as_json(rehearsed.result)))

    assert result["problem"] == ""
    assert [run["status"] for run in result["runs"] if run["action"] == "Promote"] == ["Succeeded"] * 2
    assert result["running"][-1]["sha256"] == result["release"]["sha256"]


def test_accounts_that_are_kept_can_be_reached_by_the_profiles_of_the_readme_until_one_leaves(
    rehearsed: Rehearsed, world: World, tmp_path: Path
) -> None:
    file = cli.environment_file(world.accounts, rehearsed.result, tmp_path)

    aws = f"{Path(sys.executable).with_name('aws')} --profile acme-stage-reader --output json"
    environment = os.environ | {
        "HOME": str(tmp_path),
        "AWS_PROFILE": "of-the-user",
        "PATH": f"/mine:{os.environ['PATH']}",
    }

    def run(command: str, shell: str = "sh") -> bytes:
        script = f". {file}; {command}"
        return subprocess.check_output([shell, "-c", script], cwd=rehearsed.repository, env=environment)

    state = json.loads(run(f"{aws} codepipeline get-pipeline-state --name {NAME}"))
    assert b"No changes" in run("TF_CLI_ARGS_apply=-no-color make pipeline-stage AUTO_APPROVE=1")

    assert [stage["stageName"] for stage in state["stageStates"]] == ["Source", "Deploy", "Verify", "Promote"]
    assert {stage["latestExecution"]["status"] for stage in state["stageStates"]} == {"Succeeded"}
    assert run('echo "$PATH"').decode().rstrip().endswith(f":{environment['PATH']}")
    for shell in "sh", "bash":
        left = run(f'. {file}; leave_rehearsal; echo "$AWS_PROFILE,$AWS_CONFIG_FILE,$PATH"', shell).decode()
        assert left == f"of-the-user,,{environment['PATH']}\n"


def test_accounts_that_are_kept_take_a_push(world: World, rehearsed: Rehearsed) -> None:
    github = world.folder / "github"
    git(world.folder, "clone", "--quiet", str(world.repository), str(github))
    pipelines = world.client("codepipeline", DEV)

    def newest() -> dict[str, Any]:
        return dict(pipelines.list_pipeline_executions(pipelineName=NAME)["pipelineExecutionSummaries"][0])

    def push() -> None:
        (world.repository / "buildspec.yml").write_text(
            "version: 0.2\nphases: {build: {commands: [exit 3]}}\n"
        )
        demo.commit(world.repository, "Red")
        git(world.repository, "push", "--quiet", str(github), "HEAD:main")

    threading.Timer(1, push).start()
    cli.go_on(
        world.accounts,
        rehearsed.result,
        github,
        Screen(quiet=True),
        until=lambda: newest()["status"] == "Failed",
    )

    assert newest()["sourceRevisions"][0]["revisionId"] == git(world.repository, "rev-parse", "HEAD")


# The foundation


def test_a_foundation_that_is_kept_is_the_one_that_was_made(
    organization: EmulatedAccounts, tmp_path: Path
) -> None:
    foundation.keep(organization, tmp_path / "worlds/one.world")
    with EmulatedAccounts() as world:
        assert foundation.restore(world, tmp_path / "worlds/one.world")
        world.ask("enforce")
        line, environment, folder = foundation.command(world, FACTS, tmp_path)
        before = len(world.journal())
        subprocess.run([*line, "dev"], cwd=folder, env=environment, capture_output=True, check=True)
        changes = [
            call.operation
            for call in world.journal()[before:]
            if call.service != "s3" and call.operation.startswith(("Create", "Delete", "Put", "Update"))
        ]

    assert changes == []


def test_what_is_kept_is_taken_whole_or_not_at_all(accounts: EmulatedAccounts, tmp_path: Path) -> None:
    file = tmp_path / "worlds/one.world"
    foundation.keep(accounts, file)
    kept = file.read_bytes()
    with EmulatedAccounts() as world:
        for content in b"", kept[:-1], kept[:-1] + b"?":
            file.write_bytes(content)
            assert not foundation.restore(world, file)
        assert not foundation.restore(world, tmp_path / "worlds/other.world")
        file.write_bytes(kept)
        assert foundation.restore(world, file)


def test_a_foundation_is_made_anew_when_anything_that_makes_it_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = foundation.cached(FACTS)
    assert foundation.cached(FACTS) == before
    assert foundation.cached(FACTS | {"region": "eu-west-1"}) != before

    for room in "emulator", "foundation", "hooks":
        shutil.copytree(
            TEMPLATE / room,
            tmp_path / room,
            ignore=shutil.ignore_patterns("build", ".terraform", "__pycache__"),
        )
    monkeypatch.setattr(foundation, "TEMPLATE", tmp_path)
    assert foundation.cached(FACTS) == before
    for file in "emulator/kms.py", "foundation/boundary.tf", "hooks/people.py":
        with (tmp_path / file).open("a") as changed:
            changed.write("# changed")
        assert foundation.cached(FACTS) != before
        shutil.copy(TEMPLATE / file, tmp_path / file)


def test_of_kept_foundations_those_used_last_stay(accounts: EmulatedAccounts, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.world" for number in range(foundation.WORLDS_KEPT + 1)]
    for age, file in enumerate(files[:-1]):
        file.touch()
        os.utime(file, (1000 - age, 1000 - age))

    foundation.keep(accounts, files[-1])

    assert sorted(tmp_path.glob("*.world")) == sorted([*files[:-2], files[-1]])

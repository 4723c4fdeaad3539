"""Whoever is on call sees what runs where, goes back and shifts traffic, by the README's profiles."""

import base64
import hashlib
import io
import json
import os
import pty
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from emulator.accounts import EmulatedAccounts
from foundation import terraform
from hooks.git import git
from rehearsal import demo, people
from rehearsal.actions.action import Run
from tests.worlds import DEV, FACTS, NAME, PROD, REGION, STAGE, TOOL, Rehearsed, World

WITHOUT_AWS = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
SECOND = "2" * 40
BACK = {"YES": "1", "WHY": "it is slow"}


class Desk:
    """A clone of the repository in which make works, logged in to a world's ops account."""

    def __init__(self, world: World, tools: Path) -> None:
        self.world, self.accounts = world, world.accounts
        self.variables = people.environment(world.accounts, FACTS, world.folder) | {"HOME": str(world.folder)}
        (world.repository / ".venv").symlink_to(tools)
        for done in "uv", "installed":
            (tools / done).touch()

    def make(self, *arguments: str, typed: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run make; if something is typed, at a terminal."""
        master, terminal = pty.openpty()
        os.write(master, typed.encode())
        command = [
            "make",
            "--no-print-directory",
            f"TOOL={TOOL}",
            *arguments,
            *(f"{k}={v}" for k, v in variables.items()),
        ]
        done = subprocess.run(
            command,
            cwd=self.world.repository,
            env=WITHOUT_AWS | self.variables,
            stdin=terminal if typed else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        os.close(master)
        os.close(terminal)
        return done

    def status(self, environment: dict[str, Any] = PROD) -> dict[str, Any]:
        """Return what `make status` tells machines of an environment."""
        done = self.make("status", ENV=environment["name"], JSON="1")
        assert done.returncode == 0, done.stderr
        (found,) = json.loads(done.stdout)
        return dict(found)

    def alias(self, environment: dict[str, Any]) -> tuple[str, dict[str, float], str]:
        """Return the version that answers in an environment, the weights of others, and what is said."""
        alias = self.world.client("lambda", environment).get_alias(FunctionName=NAME, Name="live")
        routing = alias.get("RoutingConfig") or {}
        return alias["FunctionVersion"], routing.get("AdditionalVersionWeights", {}), alias["Description"]

    def wait_for_weights(self, environment: dict[str, Any]) -> None:
        """Wait until traffic is shifted."""
        deadline = time.monotonic() + 120
        while not self.alias(environment)[1]:
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def released(self) -> bytes:
        """Return the release that was promoted to stage last."""
        place = {"Bucket": STAGE["artifacts_bucket"], "Key": f"promoted/{NAME}.zip"}
        content: bytes = self.world.client("s3", STAGE).get_object(**place)["Body"].read()
        return content

    def plan(self, release: bytes, environment: dict[str, Any]) -> int:
        """Return the exit code of the deployer's plan of a release, 0 without changes."""
        folder = self.world.folder / f"plan-{time.monotonic_ns()}"
        with ZipFile(io.BytesIO(release)) as archive:
            archive.extractall(folder)
        (folder / "deployment/terraform.lock.hcl").rename(folder / "deployment/.terraform.lock.hcl")
        deployer = self.accounts.environment(environment["id"], REGION, f"{NAME}-deployer")
        variables = WITHOUT_AWS | deployer | terraform.environment(folder)
        backend = {
            "bucket": environment["state_bucket"],
            "key": f"functions/{NAME}.tfstate",
            "region": REGION,
        }
        place = [f"-backend-config={name}={value}" for name, value in backend.items()]
        name = environment["name"]
        inputs = [f"-var=environment={name}", f"-var-file=environments/{name}.tfvars", "-detailed-exitcode"]
        for arguments in ["init", "-lockfile=readonly", *place], ["plan", *inputs]:
            done = subprocess.run(
                ["terraform", f"-chdir={folder}/deployment", arguments[0], "-input=false", *arguments[1:]],
                env=variables,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                print(done.stdout, done.stderr)
        return done.returncode


def promote(world: World, release: bytes) -> None:
    """Have a release deployed to stage, and no further."""
    world.send(release, STAGE)
    assert [run.message for run in world.walk(STAGE)] == []


def changed(world: World, revision: str, subject: str, handler: str = "", **files: str) -> bytes:
    """Return a release with another package: a line at the beginning of its handler's function."""
    with ZipFile(io.BytesIO(world.release())) as archive:
        facts, package = json.loads(archive.read("release.json")), archive.read("package.zip")
    content = io.BytesIO()
    with ZipFile(io.BytesIO(package)) as old, ZipFile(content, "w") as new:
        for entry in old.infolist():
            body = old.read(entry)
            if entry.filename == "hello_lambda/handler.py":
                line = f"    {handler or 'pass'}\n    try:\n".encode()
                assert body.count(b"    try:\n") == 1
                body = body.replace(b"    try:\n", line)
            if not entry.filename.endswith(".pyc"):
                new.writestr(entry, body)
    facts |= {"revision": revision, "summary": f"{revision[:12]} {subject} (Grace)"}
    facts["sha256"] = hashlib.sha256(content.getvalue()).hexdigest()
    files |= {"release.json": json.dumps(facts), "package.zip": content.getvalue().decode("latin-1")}
    return world.release(**files)


def shifting(world: World, traffic: str) -> dict[str, str]:
    """Return production's tfvars with a line of its own about traffic."""
    with ZipFile(io.BytesIO(world.release())) as archive:
        sizes = archive.read("deployment/environments/prod.tfvars").decode()
    return {"deployment/environments/prod.tfvars": re.sub('(traffic += )".*"', rf'\1"{traffic}"', sizes)}


@pytest.fixture(scope="module")
def tools(rehearsed: Rehearsed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make install` makes, for all clones."""
    folder = tmp_path_factory.mktemp("tools") / "repository"
    git(folder.parent, "clone", "--quiet", str(rehearsed.repository), str(folder))
    demo.install(folder)
    return folder / ".venv"


@pytest.fixture
def desk(world: World, tools: Path) -> Desk:
    return Desk(world, tools)


@pytest.fixture(scope="module")
def twice(rehearsed: Rehearsed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedAccounts]:
    """A world in which stage has got a second release; for forks."""
    with rehearsed.world.fork() as accounts:
        world = World(rehearsed, accounts, tmp_path_factory.mktemp("twice"))
        promote(world, changed(world, SECOND, "Second"))
        yield accounts


@pytest.fixture
def second(rehearsed: Rehearsed, twice: EmulatedAccounts, tools: Path, tmp_path: Path) -> Iterator[Desk]:
    with twice.fork() as accounts:
        yield Desk(World(rehearsed, accounts, tmp_path), tools)


# What runs where


def test_status_tells_what_runs_in_every_environment(desk: Desk, rehearsed: Rehearsed) -> None:
    done = desk.make("status")

    head, *rows = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert head.split() == ["environment", "version", "revision", "age", "pipeline", "behind", "commit"]
    for row, environment in zip(rows, ("dev", "stage", "prod"), strict=True):
        assert row.split()[:3] == [environment, "1", rehearsed.result.revision[:12]]
        assert row.split("succeeded")[1].split() == [
            "0",
            "Born",
            "from",
            "the",
            "template",
            "(lambda-template)",
        ]


def test_status_is_there_for_machines(desk: Desk, rehearsed: Rehearsed) -> None:
    found = desk.status()

    assert (found["environment"], found["version"], found["behind"]) == ("prod", "1", 0)
    assert found["revision"] == rehearsed.result.revision[:12]
    assert (found["subject"], found["author"]) == ("Born from the template", "lambda-template")
    assert (found["shift"], found["stops"], found["problem"]) == (None, [], "")


def test_status_counts_the_commits_that_an_environment_lacks(desk: Desk) -> None:
    repository, world = desk.world.repository, desk.world
    for number in range(3):
        (repository / "notes").write_text(str(number))
        git(repository, "add", "notes")
        git(repository, "-c", "user.name=Ada", "-c", "user.email=@", "commit", "--quiet", "-m", "Note")
    run_in(world, STAGE, git(repository, "rev-parse", "HEAD~1"))
    assert desk.status(STAGE)["behind"] == 0
    assert desk.status(PROD)["behind"] == 2
    assert desk.status(DEV)["behind"] == 0
    git(repository, "update-ref", "refs/remotes/origin/main", "HEAD")
    assert desk.status(DEV)["behind"] == 3

    run_in(world, STAGE, SECOND)
    done = desk.make("status")
    assert desk.status(PROD)["behind"] is None
    assert "this clone lacks a commit that runs. git fetch" in done.stdout


def run_in(world: World, environment: dict[str, Any], revision: str) -> None:
    """Have an environment answer with a version of some revision."""
    world.accounts.ask("pace", minute=0)  # what is changed or published is there at once
    functions = world.client("lambda", environment)
    functions.update_function_configuration(FunctionName=NAME, Description=f"{revision[:12]} Note (Ada)")
    version = functions.publish_version(FunctionName=NAME)["Version"]
    functions.update_alias(FunctionName=NAME, Name="live", FunctionVersion=version)


def test_status_tells_what_is_not_there_yet(desk: Desk) -> None:
    desk.world.client("lambda", PROD).delete_function(FunctionName=NAME)
    desk.world.client("codepipeline", PROD).delete_pipeline(name=NAME)

    done = desk.make("status", ENV="prod")

    assert done.returncode == 0, done.stderr
    row = " ".join(done.stdout.splitlines()[1].split())
    assert row == "prod none: make pipeline not deployed yet"


def test_an_environment_that_cannot_be_reached_is_a_line_beside_the_others(desk: Desk) -> None:
    config = Path(desk.variables["AWS_CONFIG_FILE"])
    config.write_text(config.read_text().replace("[profile acme-prod-reader]", "[profile something]"))

    done = desk.make("status")

    assert done.returncode != 0
    assert [row.split()[0] for row in done.stdout.splitlines()] == ["environment", "dev", "stage", "prod:"]
    assert "acme-prod-reader" in done.stdout.splitlines()[-1]
    assert "README.md" in done.stdout.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_status_tells_why_a_deployment_has_failed_and_what_to_do(second: Desk) -> None:
    third = changed(second.world, "3" * 40, "Third", **{"events/check.json": "{}"})
    second.world.send(third, STAGE, "333333333333 Third (Grace)")
    assert second.world.walk(STAGE)

    said = second.make("status").stdout

    cause = "failed its check and gets no traffic: BadEventError: name: must be a text that is not empty"
    log = f".console.aws.amazon.com/codesuite/codebuild/{STAGE['id']}/projects/{NAME}-deploy/build/{NAME}-"
    next_step = "make retry ENV=stage, if that has passed; else push a fix, or: git revert 333333333333"
    told = said.splitlines()[4:]
    assert told[0].startswith("stage: Deploy failed (")
    assert told[0].endswith("): 333333333333 Third (Grace)")
    assert told[1] == f"  Version 3 {cause}"
    assert told[2].startswith(f"  https://{REGION}{log}")
    assert told[3] == f"  {next_step}"
    listed = second.make("releases", ENV="stage").stdout
    assert re.search(r"^3 .* check not passed +3{12} Third", listed, re.MULTILINE)
    asked = second.make("rollback", ENV="stage", TO="3" * 12, typed="\n").stdout
    assert "WARNING: version 3 has not passed its check\n" in asked


def test_a_first_version_that_fails_its_check_answers_nobody(desk: Desk) -> None:
    world = desk.world
    world.client("lambda", STAGE).delete_function(FunctionName=NAME)
    world.client("logs", STAGE).delete_log_group(logGroupName=f"/aws/lambda/{NAME}")
    world.client("codedeploy", STAGE).delete_application(applicationName=NAME)
    state = {"Bucket": STAGE["state_bucket"], "Key": f"functions/{NAME}.tfstate"}
    world.client("s3", STAGE).delete_object(**state)
    world.send(world.another("first", **{"events/check.json": "{}"}), STAGE)
    assert world.walk(STAGE)

    status = desk.status(STAGE)

    assert (status["version"], status["pipeline"]) == ("", "Deploy failed")
    (stop,) = status["stops"]
    assert stop["cause"].startswith("Version 1 failed its check and gets no traffic: BadEventError: name: ")
    functions = world.client("lambda", STAGE)
    assert functions.list_aliases(FunctionName=NAME)["Aliases"] == []
    assert " not deployed yet\n" in desk.make("status").stdout


def test_the_function_itself_can_be_called_in_the_first_environment_alone(desk: Desk) -> None:
    answer = desk.make("invoke", ENV="dev")

    assert json.loads(answer.stdout) == {"message": "Hola, Ada!"}, answer.stderr
    (role,) = {call.role for call in desk.accounts.journal() if call.operation == "Invoke"}
    assert role == f"arn:aws:iam::{DEV['id']}:role/acme-developer"
    refused = desk.make("invoke", ENV="stage").stderr
    assert refused.startswith("people may call the function in dev alone, and their sandboxes\n")


# Approving


@pytest.fixture
def asked(desk: Desk) -> str:
    """What waits for approval in production: the id of the execution."""
    world = desk.world
    started: str = world.client("codepipeline", PROD).start_pipeline_execution(name=NAME)[
        "pipelineExecutionId"
    ]
    world.accounts.ask(
        "add_revision",
        execution=started,
        revision={
            "actionName": "Source",
            "revisionId": "v",
            "revisionSummary": f"{SECOND[:12]} Second (Grace)",
        },
    )
    asks = {
        "CustomData": f"{SECOND[:12]} Second (Grace) | Plan: 1 to add",
        "ExternalEntityLink": "https://plan",
    }
    place = {"execution": started, "stage": "Deploy", "name": "Approve"}
    world.accounts.ask("record", **place)
    world.accounts.ask("record", **place, status="InProgress", token="t", configuration=asks)  # noqa: S106
    return started


def test_status_tells_what_waits_for_approval_and_where_its_plan_is(desk: Desk, asked: str) -> None:
    said = desk.make("status").stdout

    assert "  Deploy waits  " in said
    assert f"prod: Deploy waits for approval (now): {SECOND[:12]} Second (Grace)" in said
    assert f"  {SECOND[:12]} Second (Grace) | Plan: 1 to add\n  https://plan\n" in said
    assert "  make approve ENV=prod, or make reject ENV=prod\n" in said


@pytest.mark.parametrize(("target", "status"), [("approve", "Approved"), ("reject", "Rejected")])
def test_a_person_approves_or_rejects_with_a_comment(
    desk: Desk, asked: str, target: str, status: str
) -> None:
    assert desk.make(target, ENV="prod", typed="\n").stdout.endswith("nothing was changed\n")
    assert answers(desk, asked) == [None]

    done = desk.make(target, ENV="prod", typed="as agreed\n")

    assert "| Plan: 1 to add\nhttps://plan\n" in done.stdout
    assert answers(desk, asked) == [{"status": status, "summary": "as agreed"}]
    (role,) = {call.role for call in desk.accounts.journal() if call.operation == "PutApprovalResult"}
    assert role == f"arn:aws:iam::{PROD['id']}:role/acme-operator"


def answers(desk: Desk, execution: str) -> list[Any]:
    """Return what has been answered to what an execution has asked."""
    (found,) = [each for each in desk.accounts.ask("find") if each["id"] == execution]
    return [action["approval"] for action in found["actions"]]


def test_what_nobody_has_to_decide_or_mend_is_told(desk: Desk) -> None:
    for target, said in (
        ("approve", "nothing waits for approval in prod: succeeded"),
        ("retry", "nothing has failed in prod: succeeded"),
    ):
        done = desk.make(target, ENV="prod", **BACK)
        assert done.stderr.startswith(said)
        assert done.returncode != 0


# Going back


def test_an_environment_goes_back_to_what_answered_before(second: Desk, rehearsed: Rehearsed) -> None:
    done = second.make("rollback", ENV="stage", **BACK)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "stage answers with version 1, until the next promotion"
    version, _, said = second.alias(STAGE)
    assert version == "1"
    assert said.startswith("Back to version 1 from 2 on ")
    assert said.endswith(" by rehearsal: it is slow")
    assert f"stage: {said}" in second.make("status").stdout
    listed = second.make("releases", ENV="stage").stdout
    assert [line.split()[0] for line in listed.splitlines() if " answers " in line] == ["1"]
    assert "taken back" not in listed
    assert "not passed" not in listed
    assert second.plan(second.released(), STAGE) == 0

    undone = second.make("rollback", ENV="stage", YES="1", WHY="it was not that")
    assert f"The last change was: {said}\n" in undone.stdout
    assert second.alias(STAGE)[0] == "2"


def test_an_environment_goes_back_to_a_revision(second: Desk, rehearsed: Rehearsed) -> None:
    revision = rehearsed.result.revision
    done = second.make("rollback", ENV="stage", TO=revision, **BACK)

    assert done.stdout.splitlines()[-1] == "stage answers with version 1, until the next promotion"
    again = second.make("rollback", ENV="stage", TO=revision[:8], **BACK)
    assert again.stderr.startswith(f"version 1 answers already: {revision[:12]}")
    assert second.make("rollback", ENV="stage", TO=SECOND[:7], **BACK).returncode == 0
    assert second.alias(STAGE)[0] == "2"


def test_a_release_whose_version_is_gone_is_published_again_until_the_next_promotion(
    second: Desk, rehearsed: Rehearsed, capsys: pytest.CaptureFixture[str]
) -> None:
    functions, revision = second.world.client("lambda", STAGE), rehearsed.result.revision
    package = functions.get_function_configuration(FunctionName=NAME, Qualifier="1")["CodeSha256"]
    latest = functions.get_function_configuration(FunctionName=NAME)["CodeSha256"]
    functions.delete_function(FunctionName=NAME, Qualifier="1")

    listed = [line.split() for line in second.make("releases", ENV="stage").stdout.splitlines()]
    assert (listed[1][0], listed[1][3]) == ("2", "answers")
    assert (listed[2][0], listed[2][3]) == ("-", revision[:12])
    assert "TO=REVISION" in second.make("rollback", ENV="stage", **BACK).stderr
    done = second.make("rollback", ENV="stage", TO=revision, **BACK)

    assert done.returncode == 0, done.stderr
    answers = functions.get_function_configuration(FunctionName=NAME, Qualifier="live")
    assert (answers["Version"], answers["CodeSha256"]) == ("3", package)
    assert answers["Description"] == rehearsed.result.release["summary"]
    assert functions.get_function_configuration(FunctionName=NAME)["CodeSha256"] == latest
    # The alarm that judges the newest version would watch that one now; nothing else differs.
    assert second.plan(second.released(), STAGE) == 2
    planned = capsys.readouterr().out
    assert "0 to add, 1 to change, 0 to destroy" in planned
    assert re.search(r"aws_cloudwatch_metric_alarm.canary\[0\].* will be updated in-place", planned)

    promote(second.world, second.released())  # the very release whose version is not the latest any more
    answers = functions.get_function_configuration(FunctionName=NAME, Qualifier="live")
    assert (answers["Version"], answers["CodeSha256"]) == ("4", latest)
    assert second.status(STAGE)["note"] == ""
    back = second.make("rollback", ENV="stage", **BACK)
    assert back.stdout.splitlines()[-1] == "stage answers with version 3, until the next promotion"


def test_nothing_is_published_again_if_the_latest_code_could_not_be_put_back(
    second: Desk, rehearsed: Rehearsed
) -> None:
    functions = second.world.client("lambda", STAGE)
    latest = functions.get_function_configuration(FunctionName=NAME)["CodeSha256"]
    key = f"releases/{NAME}/{base64.b64decode(latest).hex()}.zip"
    second.world.client("s3", STAGE).delete_object(Bucket=STAGE["artifacts_bucket"], Key=key)
    functions.delete_function(FunctionName=NAME, Qualifier="1")
    before = second.alias(STAGE)

    done = second.make("rollback", ENV="stage", TO=rehearsed.result.revision, **BACK)

    assert "the latest code is of no release, and could not be put back" in done.stderr
    assert functions.get_function_configuration(FunctionName=NAME)["CodeSha256"] == latest
    assert second.alias(STAGE) == before


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "Which environment? make rollback ENV=NAME; there are: dev stage prod"),
        ({"ENV": "qa"}, "there is no environment 'qa'; there are dev, stage, prod"),
        ({"ENV": "stage", "YES": "1"}, "nothing was changed: nobody is here to answer; give WHY=..."),
        ({"ENV": "stage", "WHY": "x"}, "nothing was changed: nobody is here to answer; give YES=1"),
        ({"ENV": "prod", **BACK}, "nothing says what answered before version 1"),
        ({"ENV": "prod", "TO": "2", **BACK}, "TO=2: at least 7 characters of a revision are needed"),
        ({"ENV": "prod", "TO": "badbadbad", **BACK}, "make releases ENV=prod lists them"),
    ],
)
def test_what_cannot_be_gone_back_to_is_refused_and_nothing_changes(
    second: Desk, variables: dict[str, str], said: str
) -> None:
    before = second.alias(STAGE), second.alias(PROD)

    done = second.make("rollback", **variables)

    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert (second.alias(STAGE), second.alias(PROD)) == before


def test_a_person_is_asked_once(second: Desk) -> None:
    before = second.alias(STAGE)

    for typed, variables in ("\n", {}), ("no\n", {}), ("n\n", {"WHY": "it is slow"}):
        done = second.make("rollback", ENV="stage", typed=typed, **variables)
        assert done.stdout.endswith("nothing was changed\n")
        assert (done.returncode, done.stderr) == (0, "")
        assert second.alias(STAGE) == before
    assert re.search("stage now:  version 2: 2{12} Second .Grace., published .* UTC\n", done.stdout)
    assert "stage then: version 1: " in done.stdout

    assert second.make("rollback", ENV="stage", typed="it is slow\n").returncode == 0
    assert second.alias(STAGE)[2].endswith(": it is slow")


def test_going_back_stops_a_shift_that_is_under_way(second: Desk) -> None:
    properties = {"Name": NAME, "Alias": "live", "CurrentVersion": "2", "TargetVersion": "1"}
    resource = {"Type": "AWS::Lambda::Function", "Properties": properties}
    content = json.dumps({"version": 0.0, "Resources": [{NAME: resource}]})
    begun = second.world.client("codedeploy", STAGE).create_deployment(
        applicationName=NAME,
        deploymentGroupName="live",
        deploymentConfigName="CodeDeployDefault.LambdaCanary10Percent30Minutes",
        revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": content}},
    )["deploymentId"]
    second.wait_for_weights(STAGE)

    done = second.make("rollback", ENV="stage", **BACK)

    assert done.returncode == 0, done.stderr
    assert f"a shift of traffic is under way and will be stopped: {begun}" in done.stdout
    version, weights, said = second.alias(STAGE)
    assert (version, weights) == ("2", {})
    assert said.startswith("Back to version 2 from a shift on ")


# Shifting traffic


def test_a_new_version_that_raises_under_traffic_is_taken_back_by_itself(desk: Desk) -> None:
    world = desk.world
    bad = changed(
        world,
        SECOND,
        "Raise",
        handler="if event['name'] != 'deployment': raise RuntimeError('under traffic')",
        **shifting(world, "Canary10Percent30Minutes"),
    )
    world.send(bad, PROD, f"{SECOND[:12]} Raise (Grace)")
    desk.accounts.ask("pace", minute=20)  # however slow this machine is, the canary lasts until it fails
    failed: list[Run] = []
    walking = threading.Thread(target=lambda: failed.extend(world.walk()))
    walking.start()
    while not desk.alias(PROD)[1]:
        assert walking.is_alive()
        time.sleep(0.1)

    shift = desk.status()["shift"]
    assert (shift["version"], shift["share"], shift["minutes"]) == ("2", 0.1, 30)
    said = desk.make("status").stdout
    assert "1 (10% to 2)" in said
    assert f"prod: traffic is shifted to version 2: {SECOND[:12]} Raise (Grace)" in said
    assert re.search(r"  since \d\d:\d\d UTC, (29|30) min left of 30\n", said)
    assert desk.plan(bad, PROD) == 0
    functions = world.client("lambda", PROD)

    def ask() -> tuple[str, bool, str]:
        """Return which version answers to a request, whether it failed, and what it says."""
        answer = functions.invoke(FunctionName=NAME, Qualifier="live", Payload=b'{"name": "Ada"}')
        said = json.loads(answer["Payload"].read())
        return answer["ExecutedVersion"], "FunctionError" in answer, said.get("message")

    answers = []
    while desk.alias(PROD)[1]:
        answers.append(ask())
    walking.join()
    answers += [ask() for _ in range(20)]

    lost = [answer for answer in answers if answer[1]]
    assert {version for version, _, _ in lost} == {"2"}
    assert 1 <= len(lost) <= len(answers) / 10
    assert {answer for answer in answers if not answer[1]} == {("1", False, "Hello, Ada!")}
    (run,) = failed
    assert (run.account, run.stage) == (PROD["id"], "Deploy")
    assert "CodeDeploy has taken traffic back from version 2: One or more alarms" in run.message
    assert f"Activated alarms: {NAME}-canary" in run.message
    assert any(f"{NAME} failed in prod: https:" in alert for alert in world.alerts(PROD))
    told = [text for text in desk.accounts.ask("published", account=PROD["id"]) if "AlarmName" in text]
    assert json.loads(told[0])["AlarmName"] == f"{NAME}-errors"
    status = desk.status()
    assert (status["version"], status["shift"], status["pipeline"]) == ("1", None, "Deploy failed")
    commit = what_was_taken_back_is_told(desk, status)
    assert desk.plan(bad, PROD) == 0

    # Now that nobody sends what it fails at, it is tried again.
    desk.accounts.ask("pace", minute=0.1)
    pipelines, memory = world.client("codepipeline", PROD), world.walker.memory
    pipelines.retry_stage_execution(
        pipelineName=NAME, stageName="Deploy", pipelineExecutionId=run.execution, retryMode="FAILED_ACTIONS"
    )
    (again,) = world.walk(memory=memory)
    assert "Saved plan is stale" in again.message
    assert desk.make("retry", ENV="prod").stdout == f"prod: Deploy runs again on {commit}\n"
    assert world.walk(memory=memory) == []
    assert desk.alias(PROD)[:2] == ("2", {})


def what_was_taken_back_is_told(desk: Desk, status: dict[str, Any]) -> str:
    """Check what people are told of a version from which traffic was taken back; return its commit."""
    (stop,) = status["stops"]
    assert stop["commit"] == f"{SECOND[:12]} Raise (Grace)"
    assert stop["cause"].startswith("CodeDeploy has taken traffic back from version 2: One or more alarms")
    assert f"/{PROD['id']}/projects/{NAME}-deploy/build/{NAME}-deploy%3A" in stop["link"]
    said = desk.make("status").stdout
    assert f"prod: Deploy failed (now): {stop['commit']}\n  {stop['cause']}\n  {stop['link']}\n" in said
    assert f"make retry ENV=prod, if that has passed; else push a fix, or: git revert {SECOND[:12]}" in said
    listed = desk.make("releases", ENV="prod").stdout
    assert re.search(r"^2 .* taken back +2{12} Raise \(Grace\)$", listed, re.MULTILINE)
    warned = desk.make("rollback", ENV="prod", TO=SECOND, typed="\n").stdout
    assert "WARNING: version 2 was taken back" in warned
    return str(stop["commit"])

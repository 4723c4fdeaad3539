"""Worlds in which a generated repository runs in production, and what tests do in copies of them."""

import atexit
import hashlib
import io
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

from emulator.accounts import EmulatedAccounts, sdk
from foundation import terraform
from hooks.git import git
from rehearsal import aws, buildspec, demo, people
from rehearsal.actions.action import Run
from rehearsal.actions.builds import of_machine
from rehearsal.outcome import Rehearsal
from rehearsal.pipelines import Walker

TEMPLATE = Path(__file__).parents[1]
FACTS = yaml.safe_load((TEMPLATE / "accounts.yaml").read_text())
DEV, STAGE, PROD = FACTS["environments"]
LONE = {**DEV, "approval": True}  # of an organization that has no other: it builds, and is production
REGION = FACTS["region"]
NAME, QUEUE = "hello-lambda", "hello-queue"  # functions: one that nothing invokes, one by messages
HTTP = "hello-http"  # and one by requests
ENOUGH, A_DAY_A_SECOND = 60, 1 / (24 * 60)  # seconds; seconds of an emulated minute
TOOL = Path(sys.executable).with_name("lambda-template")  # this checkout's own


@cache
def aws_cli() -> Path | None:
    """Return a folder with the AWS CLI, loaded once for all builds of this process, as for a rehearsal."""
    end = ExitStack()
    atexit.register(end.close)
    return end.enter_context(aws.loaded(Path(end.enter_context(TemporaryDirectory()))))


@dataclass
class Rehearsed:
    """A world in which a repository has been rehearsed to production; lines: what a person saw meanwhile."""

    world: EmulatedAccounts
    repository: Path
    lines: list[str]
    result: Rehearsal


class World:
    """A copy of that world, in which something else happens."""

    def __init__(self, rehearsed: Rehearsed, accounts: EmulatedAccounts, folder: Path) -> None:
        self.accounts, self.folder, self.repository = accounts, folder, folder / "repository"
        git(folder, "clone", "--quiet", str(rehearsed.repository), str(self.repository))
        self.name = rehearsed.result.function
        self.environments = rehearsed.result.facts["environments"]
        self.before, self.revision = self.versions(), rehearsed.result.revision
        self.sent = 0

    def versions(self) -> list[str]:
        """Return the version that answers in each environment."""
        return [
            self.client("lambda", e).get_alias(FunctionName=self.name, Name="live")["FunctionVersion"]
            for e in self.environments
        ]

    def client(self, service: str, environment: dict[str, Any]) -> Any:
        return self.accounts.client(service, environment["id"], REGION)

    def push(self, path: str, content: str) -> None:
        """Commit a change of one file and start the first pipeline with it."""
        (self.repository / path).write_text(content)
        demo.commit(self.repository, "A change")
        self.client("codepipeline", DEV).start_pipeline_execution(name=self.name)

    def deployed(self, environment: dict[str, Any]) -> Path:
        """Unpack what an environment has deployed; return the folder of its Terraform."""
        key = {"Bucket": environment["state_bucket"], "Key": f"functions/{self.name}.zip"}
        content = io.BytesIO(self.client("s3", environment).get_object(**key)["Body"].read())
        with ZipFile(content) as archive:
            archive.extractall(self.folder / "deployed")
        return self.folder / "deployed/deployment"

    def stored(self) -> io.BytesIO:
        """Return the release that runs in production, a zip."""
        key = {"Bucket": PROD["artifacts_bucket"], "Key": f"promoted/{self.name}.zip"}
        return io.BytesIO(self.client("s3", PROD).get_object(**key)["Body"].read())

    def release(self, **changes: str | None) -> bytes:
        """Return the release that runs in production, with other files; those that are None left out."""
        content = io.BytesIO()
        with ZipFile(self.stored()) as old, ZipFile(content, "w") as new:
            for entry in old.infolist():
                text = changes.get(entry.filename, old.read(entry).decode("latin-1"))
                if text is not None:
                    new.writestr(entry, text.encode("latin-1"))
        return content.getvalue()

    def another(self, summary: str, file: str = "", text: str = "", **changes: str | None) -> bytes:
        """Return a release that differs, in its facts at least, so that it becomes another version.

        file: the name of one more in its package, which is another package then. text: what that holds.
        """
        with ZipFile(io.BytesIO(self.release())) as archive:
            facts = json.loads(archive.read("release.json")) | {"summary": summary}
            package = io.BytesIO(archive.read("package.zip"))
        if file:
            with ZipFile(package, "a") as archive:
                archive.writestr(file, text or file)
            facts["sha256"] = hashlib.sha256(package.getvalue()).hexdigest()
            changes["package.zip"] = package.getvalue().decode("latin-1")
        return self.release(**{"release.json": json.dumps(facts), **changes})

    def send(
        self, release: bytes, environment: dict[str, Any] = STAGE, summary: str = "sent by a test"
    ) -> None:
        """Promote a release to an environment, as its previous one does."""
        previous = DEV if environment is STAGE else STAGE
        self.accounts.client("s3", previous["id"], REGION, "acme-promoter").put_object(
            Bucket=environment["artifacts_bucket"],
            Key=f"promoted/{self.name}.zip",
            Body=release,
            Metadata={"codepipeline-artifact-revision-summary": summary},
        )

    def walk(self, *environments: dict[str, Any], **settings: Any) -> list[Run]:
        """Walk the pipelines of some environments, or of all; return the runs that failed."""
        repositories = {f"{FACTS['github_owner']}/{self.name}": self.repository}
        self.walker = Walker(self.accounts, REGION, repositories, aws=aws_cli(), **settings)
        self.walker.walk([e["id"] for e in environments or self.environments])
        return [run for run in self.walker.runs if run.status == "Failed"]

    def drift(self, environment: dict[str, Any]) -> dict[str, str] | None:
        """Let Scheduler start what tells of drift, and build it; return what that exports, if it succeeds."""
        project, here = f"{self.name}-drift", {"account": environment["id"], "region": REGION}
        codebuild, deadline = self.client("codebuild", environment), time.monotonic() + ENOUGH
        known = codebuild.list_builds_for_project(projectName=project)["ids"]
        self.accounts.ask("pace", minute=A_DAY_A_SECOND)
        while not (new := set(codebuild.list_builds_for_project(projectName=project)["ids"]) - set(known)):
            assert time.monotonic() < deadline, "Scheduler starts nothing"
            time.sleep(0.1)
        self.accounts.ask("pace", minute=1.0)
        (facts,) = codebuild.batch_get_projects(names=[project])["projects"]
        role, build = facts["serviceRole"], new.pop()
        as_service = {"service": "codebuild.amazonaws.com", "actions": [], "source": facts["arn"]}
        assert self.accounts.ask("act", **here, **as_service, role=role) is None
        name = role.rpartition("/")[2]
        given = {each["name"]: each["value"] for each in facts["environment"]["environmentVariables"]}
        with TemporaryDirectory() as scratch:
            variables = {
                **of_machine(Path(scratch), aws_cli()),
                **self.accounts.environment(**here, role=name),
                "CODEBUILD_BUILD_ID": build,
                **given,
            }
            (Path(scratch) / "src").mkdir()
            try:
                done = buildspec.run(Path(scratch) / "src", facts["source"]["buildspec"], variables)
                status = "SUCCEEDED"
            except buildspec.BuildError as error:
                done, status = error.build, "FAILED"
        log = {"logGroupName": facts["logsConfig"]["cloudWatchLogs"]["groupName"], "logStreamName": build}
        logs = self.accounts.client("logs", environment["id"], REGION, name)
        logs.create_log_stream(**log)
        events = [{"timestamp": 1, "message": command.output or " "} for command in done.commands]
        logs.put_log_events(**log, logEvents=events)
        self.accounts.ask("end_build", build=build, status=status, exported=done.exported)
        self.said = "".join(command.output for command in done.commands)
        (ended,) = codebuild.batch_get_builds(ids=[build])["builds"]
        assert ended["buildStatus"] == status
        exported = {each["name"]: each["value"] for each in ended["exportedEnvironmentVariables"]}
        return exported if status == "SUCCEEDED" else None

    def alerts(self, environment: dict[str, Any]) -> list[str]:
        """Return what the alerts topic of an environment has been sent about failed pipelines."""
        return [
            text for text in self.accounts.ask("published", account=environment["id"]) if "failed" in text
        ]


class People:
    """People who run the repository's targets by the README's profiles."""

    def __init__(self, world: World) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        people_s = people.environment(world.accounts, FACTS, world.folder)
        self.folder = world.repository
        self.variables = (
            own | people_s | {"HOME": str(world.folder), "UV_CACHE_DIR": demo.uv_cache(), "WHY": "of a test"}
        )

    def __call__(self, *command: str | Path) -> str:
        """Run a command to its end; return what it printed."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def first_line(self, *command: str | Path) -> str:
        """Run a command that goes on by itself until it has said something."""
        with subprocess.Popen(
            command, cwd=self.folder, env=self.variables, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            line = process.stdout.readline()
            process.kill()
        return line


def heard(process: subprocess.Popen[str], text: str) -> list[str]:
    """Return what a process prints, up to a line with a text; fail if it ends before."""
    assert process.stdout
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    pytest.fail(f"no {text!r} in:\n{''.join(lines)}")


def terraform_of(world: World, folder: Path, environment: dict[str, str], *arguments: str) -> str:
    """Run Terraform in a folder; return what it printed."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = ["terraform", arguments[0], "-input=false", "-no-color", *arguments[1:]]
    hashless = {"TF_CLI_ARGS_init": "-lockfile=readonly"}  # terraform.trust_provider
    variables = own | environment | terraform.environment(world.folder) | hashless
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def as_function(accounts: EmulatedAccounts, service: str) -> Any:
    """Return a client of the function's own code in dev."""
    arn = f"arn:aws:lambda:{REGION}:{DEV['id']}:function:{NAME}"
    place = {"account": DEV["id"], "region": REGION, "role": NAME}
    mine = accounts.ask("environment", **place, carried={"lambda:sourcefunctionarn": arn})
    keys = {name.lower(): value for name, value in mine.items() if name.startswith(("AWS_ACCESS", "AWS_SE"))}
    return sdk().client(service, region_name=REGION, endpoint_url=accounts.url, **keys)

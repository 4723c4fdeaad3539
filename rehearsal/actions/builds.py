"""Builds: a CodeBuild project's buildspec, run with the role of the project."""

import json
import os
import re
import shutil
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from emulator.accounts import EmulatedAccounts
from emulator.connections import told_of_git
from foundation import terraform
from hooks.git import git
from rehearsal import buildspec
from rehearsal.actions.action import Action, ActionError

# What a machine needs to install packages, and nothing else of its environment.
OF_THE_MACHINE = re.compile(
    r"(PIP|UV|NPM_CONFIG|PYENV)_\w+|\w+_PROXY|LANG|LC_\w+|SSL_CERT_\w+|TMPDIR", re.IGNORECASE
)
DEFAULT_BUILD_MINUTES = 60
MOST_LINES = (
    10_000  # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
)
TURN = 0.2  # seconds between two looks at whether it is a build's turn


class Build(Action):
    """Runs a project's buildspec on the input artifacts."""

    def unseen(self) -> list[tuple[str, str]]:
        """Return what CodePipeline does in the pipeline's role."""
        name = self.configuration["ProjectName"]
        project = f"arn:aws:codebuild:{self.region}:{self.account}:project/{name}"
        return [("codebuild:BatchGetBuilds", project)]

    def perform(self) -> str:
        """Run a CodeBuild project's buildspec on the input artifacts, with the role of the project."""
        started = self.client("codebuild").start_build(projectName=self.configuration["ProjectName"])["build"]
        place = {"stage": self.record.stage, "name": self.record.action, "status": "InProgress"}
        self.world.ask("record", execution=self.execution["id"], **place, external_id=started["id"])
        began, waited, status = time.monotonic(), "", "FAILED"
        try:
            while not self.world.ask("may_build", build=started["id"]):
                time.sleep(TURN)
                waited = f"queued for {time.monotonic() - began:.0f} s: the account's quota of builds at once"
            said = self.build(started)
            status = "SUCCEEDED"
        finally:
            self.world.ask("end_build", build=started["id"], status=status)
            self.record.notes += filter(None, [waited])
        return "; ".join(filter(None, [said, waited]))

    def build(self, started: dict[str, Any]) -> str:
        """Run what a build has been started for; return what its tests say."""
        name = self.configuration["ProjectName"]
        project = self.world.client("codebuild", self.account, self.region).batch_get_projects(names=[name])[
            "projects"
        ][0]
        role = project["serviceRole"].rpartition("/")[2]
        where = f"arn:aws:s3:::{self.store['location']}/"
        # https://docs.aws.amazon.com/codebuild/latest/userguide/setting-up-service-role.html
        reads = [("s3:GetObjectVersion", where + self.memory.artifacts[name]) for name in self.inputs()]
        reads += [(f"s3:GetBucket{what}", where.rstrip("/")) for what in ("Acl", "Location")]
        self.act("codebuild.amazonaws.com", project["serviceRole"], reads, project["arn"])
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            primary = self.configuration.get("PrimarySource", self.inputs()[0])
            variables = self.variables(project, role, started, folder)
            for artifact in self.inputs():
                place = folder / ("src" if artifact == primary else f"src-{artifact}")
                variables["CODEBUILD_SRC_DIR" if artifact == primary else f"CODEBUILD_SRC_DIR_{artifact}"] = (
                    str(place)
                )
                self.unpack(artifact, place, project)
            try:
                done = self.begun(project) or buildspec.run(
                    folder / "src",
                    project["source"].get("buildspec") or "buildspec.yml",
                    variables,
                    lambda command: self.walk.on_command(self.record, command),
                    self.walk.build_seconds
                    or 60 * (project.get("timeoutInMinutes") or DEFAULT_BUILD_MINUTES),
                )
            except buildspec.BuildError as error:
                self.finish_build(project, role, started, error.build)
                raise ActionError(f"{name}: {error}") from None
            except ValueError as error:
                raise ActionError(f"{name}: {error}") from None
            self.finish_build(project, role, started, done)
            self.export(done.exported)
            if self.action.get("outputArtifacts"):
                artifact_zip = folder / "artifact.zip"
                buildspec.zipped(done.artifacts, artifact_zip)
                self.keep(artifact_zip.read_bytes(), role)
        return "; ".join(f"{report}: {said}" for report, said in done.reports.items())

    def begun(self, project: dict[str, Any]) -> buildspec.Build | None:
        """Return what has become of this build, if it has begun before its pipeline was there."""
        early, commit = self.walk.early, self.memory.variables.get("Source", {}).get("CommitId", "")
        if early is None or not early.stands_for(commit, project, self.given(project)):
            return None
        early.build.notes.append(f"took {early.seconds:.0f} s, beside what came before")
        if early.problem:
            raise buildspec.BuildError(early.problem, early.build)
        return early.build

    def given(self, project: dict[str, Any]) -> dict[str, str]:
        """Return the variables that a project and the pipeline give a build."""
        actions = json.loads(self.configuration.get("EnvironmentVariables", "[]"))
        own = project["environment"].get("environmentVariables", [])
        return {each["name"]: each["value"] for each in [*own, *actions]}

    def variables(
        self, project: dict[str, Any], role: str, started: dict[str, Any], folder: Path
    ) -> dict[str, str]:
        """Return the variables of a build: https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html."""
        revisions = next(e for e in self.world.ask("find") if e["id"] == self.execution["id"])["revisions"]
        source = f"arn:aws:s3:::{self.store['location']}/{self.memory.artifacts[self.inputs()[0]]}"
        return {
            **of_machine(folder, self.walk.aws),
            **self.world.environment(self.account, self.region, role),
            "CODEBUILD_BUILD_ARN": started["arn"],
            "CODEBUILD_BUILD_ID": started["id"],
            "CODEBUILD_BUILD_IMAGE": project["environment"]["image"],
            "CODEBUILD_BUILD_NUMBER": str(started.get("buildNumber", 1)),
            "CODEBUILD_INITIATOR": f"codepipeline/{self.pipeline['name']}",
            "CODEBUILD_KMS_KEY_ID": project.get("encryptionKey", ""),
            "CODEBUILD_LOG_PATH": started["id"].rpartition(":")[2],
            "CODEBUILD_RESOLVED_SOURCE_VERSION": revisions[0]["revisionId"],
            "CODEBUILD_SOURCE_VERSION": source,
            "CODEBUILD_START_TIME": str(int(time.time() * 1000)),
            **self.given(project),
        }

    def unpack(self, artifact: str, folder: Path, project: dict[str, Any]) -> None:
        """Put an input artifact into a folder; a reference's commit is cloned, in full."""
        role = project["serviceRole"].rpartition("/")[2]
        s3 = self.world.client("s3", self.account, self.region, role)
        body = s3.get_object(Bucket=self.store["location"], Key=self.memory.artifacts[artifact])[
            "Body"
        ].read()
        if body.startswith(b"PK"):
            packed = folder.with_suffix(".zip")
            packed.write_bytes(body)
            with ZipFile(packed) as archive:
                for entry in archive.infolist():
                    path = Path(archive.extract(entry, folder))
                    if mode := entry.external_attr >> 16 & 0o777:
                        path.chmod(mode)
        else:
            reference = json.loads(body)
            uses = [("codestar-connections:UseConnection", reference["connection"])]
            told = told_of_git(reference["repository"])
            self.act("codebuild.amazonaws.com", project["serviceRole"], uses, project["arn"], told)
            source = self.walk.repositories[reference["repository"]]
            git(
                folder.parent,
                "clone",
                "--quiet",
                "--no-hardlinks",
                "--branch",
                reference["branch"],
                str(source),
                str(folder),
            )
            git(folder, "checkout", "--quiet", reference["commit"])

    def finish_build(
        self, project: dict[str, Any], role: str, started: dict[str, Any], build: buildspec.Build
    ) -> None:
        """Keep what a build said: for the report, and in its log group."""
        self.record.commands, self.record.notes = build.commands, build.notes
        cloudwatch = project.get("logsConfig", {}).get("cloudWatchLogs", {})
        group = cloudwatch.get("groupName") or f"/aws/codebuild/{project['name']}"
        stream = started["id"].rpartition(":")[2]
        logs = self.world.client("logs", self.account, self.region, role)
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        now = int(time.time() * 1000)
        lines = [line for command in build.commands for line in logged(command)]
        if lines:
            events = [{"timestamp": now, "message": line[:200_000]} for line in lines[-MOST_LINES:]]
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
        own = f"arn:aws:codebuild:{self.region}:{self.account}:report-group/{project['name']}-"
        for name in build.reports:
            group = name if name.startswith("arn:") else own + name
            actions = ("CreateReportGroup", "CreateReport", "UpdateReport", "BatchPutTestCases")
            told = [(f"codebuild:{action}", group) for action in actions]
            self.act("codebuild.amazonaws.com", project["serviceRole"], told, project["arn"])
            self.world.ask("keep_report", group=group)


def logged(command: buildspec.Command) -> list[str]:
    """Return the lines of a build's log about a command, as CodeBuild writes them.

    https://github.com/awslabs/aws-deployment-framework/issues/471
    """
    text, when = " ".join(command.text.split()), f"[Container] {datetime.now(UTC):%Y/%m/%d %H:%M:%S}"
    lines = [f"{when} Running command {text}", *(line or " " for line in command.output.splitlines())]
    if command.code:
        lines.append(f"{when} Command did not exit successfully {text} exit status {command.code}")
    return lines


def of_machine(folder: Path, aws: Path | None = None) -> dict[str, str]:
    """Return what any build sees of this machine.

    folder: for its home, and more that the variables name. aws: a folder with an AWS CLI of its own.
    """
    home = folder / "home"
    home.mkdir()
    cache, config = (
        os.environ.get(f"XDG_{what}_HOME") or str(Path.home() / default)
        for what, default in (("CACHE", ".cache"), ("CONFIG", ".config"))
    )
    # Where npm would look with this HOME, and beside the Node.js that it finds itself on this PATH.
    beside = Path(shutil.which("npm") or "/usr/bin/npm").parents[1]
    npm = {
        "CACHE": Path.home() / ".npm",
        "GLOBALCONFIG": beside / "etc/npmrc",
        "USERCONFIG": Path.home() / ".npmrc",
    }
    return {
        **{f"NPM_CONFIG_{name}": str(path) for name, path in npm.items()},
        **{name: value for name, value in os.environ.items() if OF_THE_MACHINE.fullmatch(name)},
        "GIT_CONFIG_GLOBAL": os.devnull,
        "PATH": os.pathsep.join(
            [*map(str, filter(None, [aws, Path(sys.executable).parent])), os.environ["PATH"]]
        ),
        "HOME": str(home),
        "XDG_CACHE_HOME": cache,
        "XDG_CONFIG_HOME": config,
        **terraform.environment(folder),
    }


def before_its_pipeline(
    world: EmulatedAccounts, facts: dict[str, Any], function: str, revision: str, folder: Path
) -> dict[str, str]:
    """Return what a function's build sees before there is a pipeline, and an account to ask anything of.

    facts: what accounts.json says. folder: for its home.
    """
    first, region, project = facts["environments"][0]["id"], facts["region"], f"{function}-build"
    build = f"{project}:{uuid.uuid4()}"
    return {
        **of_machine(folder),
        **world.environment(first, region, f"{function}-builder"),
        "CODEBUILD_BUILD_ARN": f"arn:aws:codebuild:{region}:{first}:build/{build}",
        "CODEBUILD_BUILD_ID": build,
        "CODEBUILD_BUILD_IMAGE": "aws/codebuild/amazonlinux-aarch64-standard:3.0",
        "CODEBUILD_BUILD_NUMBER": "1",
        "CODEBUILD_INITIATOR": f"codepipeline/{function}",
        "CODEBUILD_KMS_KEY_ID": "",
        "CODEBUILD_LOG_PATH": build.rpartition(":")[2],
        "CODEBUILD_RESOLVED_SOURCE_VERSION": revision,
        "CODEBUILD_SOURCE_VERSION": "",
        "CODEBUILD_START_TIME": str(int(time.time() * 1000)),
    }

"""Stored pipelines, walked as CodePipeline runs them: read back from the emulated service, action by action.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference.html says what an action does.
"""

import json
import os
import random
import re
import string
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts
from foundation import terraform
from rehearsal import buildspec

# What a machine needs to install packages, and nothing else of its environment.
OF_THE_MACHINE = re.compile(
    r"(PIP|UV|NPM_CONFIG|PYENV)_\w+|\w+_PROXY|LANG|LC_\w+|SSL_CERT_\w+|TMPDIR", re.IGNORECASE
)
FOLDER, ARTIFACT = 20, 10  # characters of a pipeline's and an artifact's name in the artifact store
DEFAULT_BUILD_MINUTES = 60


class ActionError(Exception):
    """An action has failed; the message is what CodePipeline would show."""


@dataclass
class Run:
    """A run of an action. seconds: how long it took; lines: what it said; commands: what a build ran."""

    account: str
    pipeline: str
    execution: str
    stage: str
    action: str
    status: str = "InProgress"
    message: str = ""
    seconds: float = 0
    commands: list[buildspec.Command] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def waits(self) -> bool:
        """Return whether this is a new pipeline's first, before anything has been promoted to it."""
        return self.stage == "Source" and self.message.endswith("nothing has been promoted yet")


@dataclass(frozen=True)
class Approval:
    """What an approver sees: of which pipeline, in which account; the text and the link."""

    account: str
    pipeline: str
    text: str
    link: str


@dataclass
class Memory:
    """What an execution passes on: artifacts by name, as keys in the store; variables by namespace."""

    artifacts: dict[str, str] = field(default_factory=dict)
    variables: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass
class Walker:
    """Walks the pipelines of a world.

    repositories: by owner/name, the folders that stand for what is on GitHub. decide: answers an approval
    with its comment, and whether it is given. on_command: told of each command of a build, with the run that
    it belongs to. on_run: told of each run of an action as it begins and as it ends.
    """

    world: EmulatedAccounts
    region: str
    repositories: Mapping[str, Path]
    decide: Callable[[Approval], tuple[bool, str]] = lambda approval: (True, "rehearsed")
    on_run: Callable[[Run], None] = lambda run: None
    on_command: Callable[[Run, buildspec.Command], None] = lambda run, command: None
    build_seconds: float | None = None
    runs: list[Run] = field(default_factory=list)
    memory: dict[str, Memory] = field(default_factory=dict)

    def walk(self, accounts: list[str]) -> None:
        """Walk what is in progress in these accounts, and what follows from it, until nothing is."""
        while pending := self.pending(accounts):
            execution, *later = pending
            pipeline = self.stored(execution)
            newer = [
                e
                for e in later
                if (e["account"], e["pipeline"]) == (execution["account"], execution["pipeline"])
            ]
            if newer and pipeline.get("executionMode", "SUPERSEDED") == "SUPERSEDED":
                self.world.ask(
                    "finish", execution=execution["id"], status="Superseded", summary=newer[-1]["id"]
                )
            else:
                self.execute(execution, pipeline)

    def pending(self, accounts: list[str]) -> list[dict[str, Any]]:
        """Return the executions in progress, in the order in which they started."""
        return [e for e in self.world.ask("find") if e["status"] == "InProgress" and e["account"] in accounts]

    def stored(self, execution: dict[str, Any]) -> dict[str, Any]:
        """Return the definition of an execution's pipeline."""
        client = self.world.client("codepipeline", execution["account"], self.region)
        pipeline: dict[str, Any] = client.get_pipeline(name=execution["pipeline"])["pipeline"]
        return pipeline

    def execute(self, execution: dict[str, Any], pipeline: dict[str, Any]) -> None:
        """Run an execution to its end, or to the action that fails."""
        stages = [stage["name"] for stage in pipeline["stages"]]
        begin = stages.index(execution["retry_from"]) if execution["retry_from"] else 0
        for stage in pipeline["stages"][begin:]:
            for action in sorted(stage["actions"], key=lambda action: action.get("runOrder", 1)):
                if not self.run(execution, pipeline, stage["name"], action):
                    self.world.ask("finish", execution=execution["id"], status="Failed")
                    return
        self.world.ask("finish", execution=execution["id"], status="Succeeded")

    def run(
        self, execution: dict[str, Any], pipeline: dict[str, Any], stage: str, action: dict[str, Any]
    ) -> bool:
        """Run an action; return whether it has succeeded."""
        run = Run(execution["account"], pipeline["name"], execution["id"], stage, action["name"])
        self.runs.append(run)
        place = {"execution": run.execution, "stage": stage, "name": run.action}
        self.world.ask("record", **place)
        self.on_run(run)
        began = time.monotonic()
        step = Step(self, execution, pipeline, action, run)
        perform = {
            "CodeStarSourceConnection": step.take_commit,
            "S3": step.take_object,
            "CodeBuild": step.build,
            "Lambda": step.invoke,
            "Manual": step.ask_for_approval,
        }.get(action["actionTypeId"]["provider"])
        try:
            if perform is None:
                raise ActionError(f"actions of {action['actionTypeId']['provider']} are not walked")
            step.take_role()
            run.message = perform()
            run.status = "Succeeded"
        except ActionError as error:
            run.message, run.status = str(error), "Failed"
        except ClientError as error:
            run.message, run.status = f"{pipeline['roleArn']}: {error}", "Failed"
        run.seconds = time.monotonic() - began
        said = {"summary": run.message[:2000], "error": run.message if run.status == "Failed" else ""}
        self.world.ask("record", **place, status=run.status, **said)
        self.on_run(run)
        return run.status == "Succeeded"


class Step:
    """One run of one action, with what it needs."""

    def __init__(
        self,
        walker: Walker,
        execution: dict[str, Any],
        pipeline: dict[str, Any],
        action: dict[str, Any],
        run: Run,
    ) -> None:
        """Resolve the action's configuration."""
        self.walker, self.execution, self.pipeline, self.action, self.record = (
            walker,
            execution,
            pipeline,
            action,
            run,
        )
        self.world, self.region, self.account = walker.world, walker.region, execution["account"]
        self.memory = walker.memory.setdefault(execution["id"], Memory())
        self.store = pipeline["artifactStore"]
        self.role = pipeline["roleArn"].rpartition("/")[2]
        known = self.memory.variables | {
            "codepipeline": {"PipelineExecutionId": execution["id"]},
            "variables": execution["variables"],
        }

        def resolve(found: re.Match[str]) -> str:
            namespace, name = found.groups()
            if name not in known.get(namespace, {}):
                raise ActionError(f"{action['name']}: the variable {found[0]} is not known")
            value: str = known[namespace][name]
            return value

        self.configuration = {
            name: re.sub(r"#\{([\w@-]+)\.([\w@-]+)\}", resolve, value)
            for name, value in action.get("configuration", {}).items()
        }

    def client(self, service: str) -> Any:
        """Return a client that wears the pipeline's role."""
        return self.world.client(service, self.account, self.region, self.role)

    def take_role(self) -> None:
        """Let CodePipeline take the pipeline's role and do what it does in it beside what is done here.

        https://docs.aws.amazon.com/codepipeline/latest/userguide/how-to-custom-role.html. Raises ActionError.
        """
        said, here = self.configuration, f"{self.region}:{self.account}"
        match self.action["actionTypeId"]["provider"]:
            case "CodeStarSourceConnection":
                actions = [("codestar-connections:UseConnection", said["ConnectionArn"])]
            case "S3":
                bucket = f"arn:aws:s3:::{said['S3Bucket']}"
                key = f"{bucket}/{said['S3ObjectKey']}"
                actions = [
                    ("s3:GetBucketAcl", bucket),
                    ("s3:GetBucketLocation", bucket),
                    ("s3:ListBucket", bucket),
                ]
                actions += [("s3:GetObjectTagging", key), ("s3:GetObjectVersionTagging", key)]
            case "CodeBuild":
                project = f"arn:aws:codebuild:{here}:project/{said['ProjectName']}"
                actions = [("codebuild:BatchGetBuilds", project)]
            case "Lambda":
                actions = [("lambda:ListFunctions", "*")]
            case _:
                actions = []
        pipeline = f"arn:aws:codepipeline:{here}:{self.pipeline['name']}"
        self.act("codepipeline.amazonaws.com", self.pipeline["roleArn"], actions, pipeline)

    def act(self, service: str, role: str, actions: list[tuple[str, str]], source: str) -> None:
        """Let a service do something by itself, in a role. Raises ActionError if it may not."""
        place = {"service": service, "account": self.account, "region": self.region}
        if why := self.world.ask("act", **place, actions=actions, role=role, source=source):
            raise ActionError(f"{self.action['name']}: {why}")

    def inputs(self) -> list[str]:
        """Return the names of the input artifacts."""
        return [artifact["name"] for artifact in self.action.get("inputArtifacts", [])]

    def keep(self, content: bytes) -> None:
        """Put the action's output artifact into the artifact store, if it has one."""
        for artifact in self.action.get("outputArtifacts", []):
            end = "".join(random.choices(string.ascii_letters + string.digits, k=7))  # noqa: S311
            key = f"{self.pipeline['name'][:FOLDER]}/{artifact['name'][:ARTIFACT]}/{end}"
            self.put(key, content)
            self.memory.artifacts[artifact["name"]] = key

    def put(self, key: str, content: bytes) -> None:
        """Put an object into the artifact store under its key, as CodePipeline does."""
        key_id = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.store["encryptionKey"]["id"]}
        self.client("s3").put_object(Bucket=self.store["location"], Key=key, Body=content, **key_id)

    def export(self, variables: dict[str, str]) -> None:
        """Keep an action's variables under its namespace, if it has one."""
        if namespace := self.action.get("namespace"):
            self.memory.variables[namespace] = variables

    # Sources

    def take_commit(self) -> str:
        """Take a commit of a repository; what is passed on is a reference, which CodeBuild clones."""
        name, branch = self.configuration["FullRepositoryId"], self.configuration["BranchName"]
        if name not in self.walker.repositories:
            raise ActionError(
                f"there is no repository {name}; the connection reaches {', '.join(self.walker.repositories)}"
            )
        folder = self.walker.repositories[name]
        pinned = self.execution["pinned"].get(self.action["name"], {}).get("revisionValue")
        try:
            commit = git(folder, "rev-parse", "--verify", f"{pinned or branch}^{{commit}}")
        except subprocess.CalledProcessError:
            raise ActionError(
                f"{name} has no branch {branch}" if not pinned else f"{name} has no commit {pinned}"
            ) from None
        subject = git(folder, "log", "-1", "--format=%s", commit)
        reference = {"repository": name, "branch": branch, "commit": commit}
        self.keep(json.dumps(reference | {"connection": self.configuration["ConnectionArn"]}).encode())
        self.export(
            {"CommitId": commit, "BranchName": branch, "CommitMessage": subject, "FullRepositoryName": name}
        )
        self.note_revision(commit, subject)
        return f"{commit[:12]} {subject}"

    def take_object(self) -> str:
        """Take an object of S3: the version that started the execution, else the latest."""
        bucket, key = self.configuration["S3Bucket"], self.configuration["S3ObjectKey"]
        pinned = self.execution["pinned"].get(self.action["name"], {}).get("revisionValue")
        version = {"VersionId": pinned} if pinned else {}
        s3 = self.client("s3")
        s3.get_bucket_versioning(Bucket=bucket)
        try:
            found = s3.get_object(Bucket=bucket, Key=key, **version)
        except s3.exceptions.NoSuchKey:
            raise ActionError(f"s3://{bucket}/{key} is not there: nothing has been promoted yet") from None
        self.keep(found["Body"].read())
        self.export(
            {
                "BucketName": bucket,
                "ObjectKey": key,
                "VersionId": found["VersionId"],
                "ETag": found["ETag"].strip('"'),
            }
        )
        summary = found["Metadata"].get("codepipeline-artifact-revision-summary", "")
        self.note_revision(found["VersionId"], summary)
        return summary or f"version {found['VersionId']}"

    def note_revision(self, revision: str, summary: str) -> None:
        """Note what the execution runs on, as CodePipeline shows it."""
        facts = {"actionName": self.action["name"], "revisionId": revision, "revisionSummary": summary[:2048]}
        self.world.ask("add_revision", execution=self.execution["id"], revision=facts)

    # Builds

    def build(self) -> str:
        """Run a CodeBuild project's buildspec on the input artifacts, with the role of the project."""
        name = self.configuration["ProjectName"]
        started = self.client("codebuild").start_build(projectName=name)["build"]
        project = self.world.client("codebuild", self.account, self.region).batch_get_projects(names=[name])[
            "projects"
        ][0]
        role = project["serviceRole"].rpartition("/")[2]
        where = f"arn:aws:s3:::{self.store['location']}/"
        versions = [("s3:GetObjectVersion", where + self.memory.artifacts[name]) for name in self.inputs()]
        self.act("codebuild.amazonaws.com", project["serviceRole"], versions, project["arn"])
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
            minutes = project.get("timeoutInMinutes") or DEFAULT_BUILD_MINUTES
            try:
                done = buildspec.run(
                    folder / "src",
                    project["source"].get("buildspec") or "buildspec.yml",
                    variables,
                    lambda command: self.walker.on_command(self.record, command),
                    self.walker.build_seconds or minutes * 60,
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
                self.keep_as(role, artifact_zip.read_bytes())
        return "; ".join(f"{report}: {said}" for report, said in done.reports.items())

    def variables(
        self, project: dict[str, Any], role: str, started: dict[str, Any], folder: Path
    ) -> dict[str, str]:
        """Return the variables of a build: https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html."""
        home = folder / "home"
        home.mkdir()
        cache, config = (
            os.environ.get(f"XDG_{what}_HOME") or str(Path.home() / default)
            for what, default in (("CACHE", ".cache"), ("CONFIG", ".config"))
        )
        own = {name: value for name, value in os.environ.items() if OF_THE_MACHINE.fullmatch(name)}
        actions = json.loads(self.configuration.get("EnvironmentVariables", "[]"))
        given = {
            v["name"]: v["value"] for v in [*project["environment"].get("environmentVariables", []), *actions]
        }
        revisions = next(e for e in self.world.ask("find") if e["id"] == self.execution["id"])["revisions"]
        source = f"arn:aws:s3:::{self.store['location']}/{self.memory.artifacts[self.inputs()[0]]}"
        return {
            **own,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(home),
            "XDG_CACHE_HOME": cache,
            "XDG_CONFIG_HOME": config,
            **terraform.environment(folder),
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
            **given,
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
            self.act("codebuild.amazonaws.com", project["serviceRole"], uses, project["arn"])
            source = self.walker.repositories[reference["repository"]]
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
        lines = [f"{c.phase}: {c.text}\n{c.output}" for c in build.commands]
        if lines:
            events = [{"timestamp": now, "message": line[:200_000]} for line in lines]
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
        reports = f"arn:aws:codebuild:{self.region}:{self.account}:report-group/{project['name']}-"
        actions = ("CreateReportGroup", "CreateReport", "UpdateReport", "BatchPutTestCases")
        told = [(f"codebuild:{action}", reports + name) for name in build.reports for action in actions]
        self.act("codebuild.amazonaws.com", project["serviceRole"], told, project["arn"])

    def keep_as(self, role: str, content: bytes) -> None:
        """Put a build's artifact into the artifact store, as CodeBuild does with its project's role."""
        self.role = role
        self.keep(content)

    # Functions and people

    def invoke(self) -> str:
        """Invoke a function with a job and wait for its answer."""
        job = self.world.ask("open_job", account=self.account)
        artifacts = [
            {
                "name": name,
                "revision": None,
                "location": {
                    "type": "S3",
                    "s3Location": {
                        "bucketName": self.store["location"],
                        "objectKey": self.memory.artifacts[name],
                    },
                },
            }
            for name in self.inputs()
        ]
        credentials = self.world.environment(self.account, self.region, self.role)
        data = {
            "actionConfiguration": {"configuration": self.configuration},
            "inputArtifacts": artifacts,
            "outputArtifacts": [],
            "artifactCredentials": {
                "accessKeyId": credentials["AWS_ACCESS_KEY_ID"],
                "secretAccessKey": credentials["AWS_SECRET_ACCESS_KEY"],
                "sessionToken": credentials["AWS_SESSION_TOKEN"],
            },
            "encryptionKey": {"id": self.store["encryptionKey"]["id"], "type": "KMS"},
        }
        event = {"CodePipeline.job": {"id": job, "accountId": self.account, "data": data}}
        name = self.configuration["FunctionName"]
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
        result = self.world.ask("read_job", identifier=job)
        if result["status"] == "InProgress":
            raised = answer["Payload"].read().decode() if "FunctionError" in answer else "nothing"
            raise ActionError(f"{name} did not answer the job, which would time out; it returned {raised}")
        if result["status"] == "Failed":
            raise ActionError(f"{name}: {result['result']['type']}: {result['result']['message']}")
        self.export(result["result"].get("outputVariables", {}))
        return str(result["result"].get("executionDetails", {}).get("summary", ""))

    def ask_for_approval(self) -> str:
        """Tell the approvers and take their answer, as it is given in the console."""
        text, link = (
            self.configuration.get("CustomData", ""),
            self.configuration.get("ExternalEntityLink", ""),
        )
        token = uuid.uuid4().hex
        place = {"stage": self.record.stage, "name": self.record.action}
        self.world.ask("record", execution=self.execution["id"], **place, status="InProgress", token=token)
        if topic := self.configuration.get("NotificationArn"):
            subject = f"APPROVAL NEEDED: {self.pipeline['name']}"[:100]
            self.client("sns").publish(TopicArn=topic, Subject=subject, Message=f"{text}\n{link}")
        given, comment = self.walker.decide(Approval(self.account, self.pipeline["name"], text, link))
        self.world.client("codepipeline", self.account, self.region).put_approval_result(
            pipelineName=self.pipeline["name"],
            stageName=self.record.stage,
            actionName=self.record.action,
            token=token,
            result={"status": "Approved" if given else "Rejected", "summary": comment},
        )
        if not given:
            raise ActionError(f"rejected: {comment}")
        return text


def git(folder: Path, *arguments: str) -> str:
    """Return what a git command prints. Raises CalledProcessError."""
    command = ["git", "-c", "safe.directory=*", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()

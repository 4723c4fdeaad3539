"""One run of one action, and what all kinds of actions need.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference.html says what an action does.
"""

import random
import re
import string
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.accounts import EmulatedAccounts
from rehearsal import buildspec
from rehearsal.early import EarlyBuild

FOLDER, ARTIFACT = 20, 10  # characters of a pipeline's and an artifact's name in the artifact store


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
class Walk:
    """What the actions of a walk share.

    repositories: by owner/name, the folders that stand for what is on GitHub. decide: answers an approval
    with its comment, and whether it is given; None where a person will, by AWS's API. on_command: told of
    each command of a build, with the run that it belongs to. build_seconds: how long a build may take, if not
    as long as its project says. memory: by execution.
    early: the build of a commit that has begun already, if there is one. aws: a folder with an AWS CLI.
    """

    world: EmulatedAccounts
    region: str
    repositories: Mapping[str, Path]
    decide: Callable[[Approval], tuple[bool, str] | None] = lambda approval: (True, "rehearsed")
    on_command: Callable[[Run, buildspec.Command], None] = lambda run, command: None
    build_seconds: float | None = None
    memory: dict[str, Memory] = field(default_factory=dict)
    early: EarlyBuild | None = None
    aws: Path | None = None


class Action(ABC):
    """One run of one action, with what it needs."""

    def __init__(
        self,
        walk: Walk,
        execution: dict[str, Any],
        pipeline: dict[str, Any],
        action: dict[str, Any],
        run: Run,
    ) -> None:
        """Resolve the action's configuration."""
        self.walk, self.execution, self.pipeline, self.action, self.record = (
            walk,
            execution,
            pipeline,
            action,
            run,
        )
        self.world, self.region, self.account = walk.world, walk.region, execution["account"]
        self.memory = walk.memory.setdefault(execution["id"], Memory())
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
        """Return a client in the pipeline's role."""
        return self.world.client(service, self.account, self.region, self.role)

    def take_role(self) -> None:
        """Let CodePipeline take the pipeline's role and do in it what this action does not do here.

        Raises ActionError.
        """
        here = f"arn:aws:codepipeline:{self.region}:{self.account}:{self.pipeline['name']}"
        self.act("codepipeline.amazonaws.com", self.pipeline["roleArn"], self.unseen(), here, self.told())

    def unseen(self) -> list[tuple[str, str]]:
        """Return what CodePipeline does in the pipeline's role beside what is done here, with the resources.

        https://docs.aws.amazon.com/codepipeline/latest/userguide/how-to-custom-role.html
        """
        return []

    def told(self) -> dict[str, str]:
        """Return the condition keys of what CodePipeline does so."""
        return {}

    @abstractmethod
    def perform(self) -> str:
        """Do it; return what CodePipeline shows of it. Raises ActionError."""

    def act(
        self,
        service: str,
        role: str,
        actions: list[tuple[str, str]],
        source: str,
        told: dict[str, str] | None = None,
    ) -> None:
        """Let a service do something by itself, in a role. Raises ActionError if it may not."""
        place = {"service": service, "account": self.account, "region": self.region, "told": told}
        if why := self.world.ask("act", **place, actions=actions, role=role, source=source):
            raise ActionError(f"{self.action['name']}: {why}")

    def inputs(self) -> list[str]:
        """Return the names of the input artifacts."""
        return [artifact["name"] for artifact in self.action.get("inputArtifacts", [])]

    def place(self, artifact: str) -> str:
        """Return a new key in the artifact store for an artifact."""
        end = "".join(random.choices(string.ascii_letters + string.digits, k=7))  # noqa: S311
        return f"{self.pipeline['name'][:FOLDER]}/{artifact[:ARTIFACT]}/{end}"

    def keep(self, content: bytes, role: str = "") -> None:
        """Put the output artifact, if there is one, into the artifact store; role: whose, if another."""
        s3 = self.world.client("s3", self.account, self.region, role or self.role)
        key_id = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.store["encryptionKey"]["id"]}
        for artifact in self.action.get("outputArtifacts", []):
            key = self.place(artifact["name"])
            s3.put_object(Bucket=self.store["location"], Key=key, Body=content, **key_id)
            self.memory.artifacts[artifact["name"]] = key

    def export(self, variables: dict[str, str]) -> None:
        """Keep an action's variables under its namespace, if it has one."""
        if namespace := self.action.get("namespace"):
            self.memory.variables[namespace] = variables

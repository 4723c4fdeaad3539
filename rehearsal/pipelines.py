"""Stored pipelines, walked as CodePipeline runs them: read back from the emulation, action by action."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.actions.action import Action, ActionError, Run, Walk
from rehearsal.actions.approvals import ManualApproval
from rehearsal.actions.builds import Build
from rehearsal.actions.invocations import Invocation
from rehearsal.actions.sources import Commit, StoredObject

PROVIDERS: dict[str, type[Action]] = {
    "CodeBuild": Build,
    "CodeStarSourceConnection": Commit,
    "Lambda": Invocation,
    "Manual": ManualApproval,
    "S3": StoredObject,
}


@dataclass
class Walker(Walk):
    """Walks the pipelines of a world.

    on_run: told of each run of an action as it begins and as it ends. runs: all of them.
    """

    on_run: Callable[[Run], None] = lambda run: None
    runs: list[Run] = field(default_factory=list)

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
        provider = action["actionTypeId"]["provider"]
        try:
            if provider not in PROVIDERS:
                raise ActionError(f"actions of {provider} are not walked")
            step = PROVIDERS[provider](self, execution, pipeline, action, run)
            step.take_role()
            run.message = step.perform()
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

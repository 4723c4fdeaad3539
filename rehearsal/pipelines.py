"""Stored pipelines, walked as CodePipeline runs them: read back from the emulation, action by action.

Executions are walked side by side; the emulation says which may enter a stage.
"""

import threading
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
from rehearsal.processes import end

PROVIDERS: dict[str, type[Action]] = {
    "CodeBuild": Build,
    "CodeStarSourceConnection": Commit,
    "Lambda": Invocation,
    "Manual": ManualApproval,
    "S3": StoredObject,
}
LOOK = 0.2  # seconds between two looks at what has begun, while people are asked
END = 10  # seconds that threads get to end when one has failed, or a person ends us


@dataclass
class Walker(Walk):
    """Walks the pipelines of a world.

    on_run: told of each run of an action as it begins and as it ends, by the thread that walks its execution.
    runs: all of them. last: an account whose pipeline ends before it promotes.
    """

    on_run: Callable[[Run], None] = lambda run: None
    runs: list[Run] = field(default_factory=list)
    last: str = ""

    def walk(self, accounts: list[str]) -> None:
        """Walk what is in progress in these accounts, and what follows from it, until nothing is.

        What an action has begun is walked once the action has ended. Raises what a thread raises.
        """
        self._accounts, self._ending, self._errors = accounts, False, list[BaseException]()
        self._threads: dict[str, threading.Thread] = {}
        self._changed, self._asked = threading.Condition(), list[Run]()
        try:
            with self._changed:
                self._look()
                while self._threads and not self._errors:
                    self._changed.wait(LOOK)
                    if any(run.status == "InProgress" for run in self._asked):
                        self._look()
            if self._errors:
                raise self._errors[0]
        finally:
            self._end()

    def _look(self) -> None:
        """Begin to walk what is in progress and is not walked yet."""
        for execution in self.world.ask("find"):
            identifier = execution["id"]
            known = execution["account"] not in self._accounts or identifier in self._threads
            if execution["status"] == "InProgress" and not known:
                thread = threading.Thread(target=self._walk, args=(execution,), daemon=True)
                self._threads[identifier] = thread
                thread.start()

    def _walk(self, execution: dict[str, Any]) -> None:
        """Walk an execution, in a thread of its own."""
        try:
            self.execute(execution, self.stored(execution))
        except BaseException as error:
            self._errors.append(error)
        with self._changed:
            del self._threads[execution["id"]]
            self._changed.notify_all()

    def _end(self) -> None:
        """End the threads that are left, with all that they have started."""
        self._ending, deadline = True, time.monotonic() + END
        while (left := list(self._threads.values())) and time.monotonic() < deadline:
            end(left)
            with self._changed:
                self._changed.notify_all()
                self._changed.wait(LOOK)

    def stored(self, execution: dict[str, Any]) -> dict[str, Any]:
        """Return the definition of an execution's pipeline."""
        client = self.world.client("codepipeline", execution["account"], self.region)
        pipeline: dict[str, Any] = client.get_pipeline(name=execution["pipeline"])["pipeline"]
        return pipeline

    def execute(self, execution: dict[str, Any], pipeline: dict[str, Any]) -> None:
        """Run an execution to its end, or to the action that fails."""
        stages = [stage["name"] for stage in pipeline["stages"]]
        begin, kept = stages.index(execution["stage"] or execution["before"]), execution["kept"]
        for stage in pipeline["stages"][begin:]:
            if execution["account"] == self.last and promotes(stage):
                self.world.ask(
                    "finish", execution=execution["id"], status="Stopped", summary="not to promote"
                )
                return
            if not self.enter(execution, stage["name"]):
                return
            for action in sorted(stage["actions"], key=lambda action: action.get("runOrder", 1)):
                again = stage["name"] != stages[begin] or action["name"] not in kept
                if again and not self.run(execution, pipeline, stage["name"], action):
                    self.world.ask("finish", execution=execution["id"], status="Failed")
                    return
        self.world.ask("finish", execution=execution["id"], status="Succeeded")

    def enter(self, execution: dict[str, Any], stage: str) -> bool:
        """Wait until an execution may enter a stage; return whether it may, or has ended there."""
        place = {"execution": execution["id"], "stage": stage}
        with self._changed:
            answer = self.world.ask("proceed", **place)
            self._changed.notify_all()  # it has left the stage before
            while answer == "waits" and not self._ending:
                self._changed.wait()
                answer = self.world.ask("proceed", **place)
        return bool(answer == "enters" and not self._ending)

    def run(
        self, execution: dict[str, Any], pipeline: dict[str, Any], stage: str, action: dict[str, Any]
    ) -> bool:
        """Run an action; return whether it has succeeded."""
        run = Run(execution["account"], pipeline["name"], execution["id"], stage, action["name"])
        provider = action["actionTypeId"]["provider"]
        self.runs.append(run)
        if provider == "Manual":
            self._asked.append(run)
        place = {"execution": run.execution, "stage": stage, "name": run.action}
        self.world.ask("record", **place)
        self.on_run(run)
        began = time.monotonic()
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
        with self._changed:
            self._look()
        return run.status == "Succeeded"


def promotes(stage: dict[str, Any]) -> bool:
    """Return whether a stage hands a release on."""
    return any(action["actionTypeId"]["provider"] == "Lambda" for action in stage["actions"])

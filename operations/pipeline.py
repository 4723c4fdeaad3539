"""A pipeline: where it is, why it is there, and what a person may do about it: approve, reject, retry."""

import json
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from operations import accounts
from operations.answer import reason
from operations.repository import ACCOUNTS, FUNCTION
from operations.told import actions, is_fresh, waiting, where

CONSOLE = f"https://{ACCOUNTS['region']}.console.aws.amazon.com/codesuite"
COMMENT = 512  # characters that an approval keeps
LINES = 200  # of a build's log, from its end
# How CodeBuild's own lines begin: https://docs.aws.amazon.com/codebuild/latest/userguide/getting-started-cli-view-logs.html
OF_CODEBUILD, RUNS = "[Container] ", " Running command "
TOLD = ("Error: ", "FAILED ")  # how Terraform and pytest begin a line that says why
OF_CHECK = re.compile(r"Version \d+ .*gets no traffic.*")  # what deployment/check.sh says, also to Terraform
OF_MAKE = ("make: ", "make[")


@dataclass(frozen=True)
class Stop:
    """A stage that has failed or waits for approval.

    since: when that was. commit: the one that is there, in a line. cause: in a line too, why it has failed,
    or what is asked. link: into the console of the account.
    """

    stage: str
    approval: bool
    since: str
    execution: str
    commit: str
    cause: str
    link: str


class Pipeline:
    """The function's pipeline in an environment, as a role sees it."""

    def __init__(self, name: str, role: str) -> None:
        """Ask where it is."""
        self.environment, self.role = accounts.environment(name), role
        self.first = self.environment == ACCOUNTS["environments"][0]
        self.pipelines = accounts.client("codepipeline", name, role)
        self.stages: list[dict[str, Any]] = []
        try:
            self.stages = self.pipelines.get_pipeline_state(name=FUNCTION)["stageStates"]
        except ClientError as error:
            if not accounts.is_missing(error, FUNCTION, self.pipelines, "list_pipelines", "pipelines[].name"):
                raise

    @property
    def fresh(self) -> bool:
        """Return whether nothing has been promoted to it yet: its first run has found no release."""
        return is_fresh(self.stages, self.first)

    def where(self) -> str:
        """Return where it is: at the stage that runs, waits or has failed, else at its end."""
        if not self.stages:
            return "none: make pipeline"
        return " ".join(where(self.stages, self.first)).lstrip()

    def stops(self) -> list[Stop]:
        """Return the stages that have failed or wait for a person."""
        if self.fresh:
            return []
        return [stop for stage in self.stages for stop in (self.stop(stage),) if stop]

    def stop(self, stage: dict[str, Any]) -> Stop | None:
        """Return what has stopped a stage, None if nothing has."""
        asks = waiting(stage)
        action = asks or next(iter(actions(stage, "Failed")), None)
        if action is None:
            return None
        run, execution = action["latestExecution"], stage["latestExecution"]["pipelineExecutionId"]
        cause, link = "" if asks else self.cause(run), self.link(execution, run)
        if asks:
            asked = self.asked(execution, action["actionName"])
            cause, link = asked.get("CustomData", ""), asked.get("ExternalEntityLink", link)
        since = run["lastStatusChange"].isoformat(timespec="seconds")
        return Stop(stage["stageName"], bool(asks), since, execution, self.commit(execution), cause, link)

    def commit(self, execution: str) -> str:
        """Return the commit of an execution in a line."""
        found = self.pipelines.get_pipeline_execution(pipelineName=FUNCTION, pipelineExecutionId=execution)
        for revision in found["pipelineExecution"].get("artifactRevisions", []):
            said = revision.get("revisionSummary", "")
            if not self.first:
                return str(said)  # of a release, which begins with its commit
            if said.startswith("{"):  # of a connection
                said = json.loads(said).get("CommitMessage", "")
            return f"{revision['revisionId'][:12]} {said.partition(chr(10))[0]}"
        return ""

    def asked(self, execution: str, action: str) -> dict[str, str]:
        """Return what an approval asks, its variables filled in."""
        pages = self.pipelines.get_paginator("list_action_executions").paginate(
            pipelineName=FUNCTION, filter={"pipelineExecutionId": execution}
        )
        for run in (run for page in pages for run in page["actionExecutionDetails"]):
            if run["actionName"] == action:
                found: dict[str, str] = run.get("input", {}).get("resolvedConfiguration", {})
                return found
        return {}

    def cause(self, run: dict[str, Any]) -> str:
        """Return in a line why a run of an action has failed; of a build its log tells."""
        project, _, build = run.get("externalExecutionId", "").rpartition(":")
        if project:
            logs = accounts.client("logs", self.environment["name"], self.role)
            place = {"logGroupName": f"/aws/codebuild/{project}", "logStreamName": build}
            with suppress(ClientError):  # there may be no log; the pipeline says something too
                events = logs.get_log_events(**place, limit=LINES, startFromHead=False)["events"]
                if said := why([line for event in events for line in event["message"].splitlines()]):
                    return said
        said = run.get("errorDetails", {}).get("message") or run.get("summary", "")
        return next(iter(said.splitlines()), "")

    def link(self, execution: str, run: dict[str, Any]) -> str:
        """Return where the console shows a run of an action, or else its execution."""
        project, _, build = run.get("externalExecutionId", "").rpartition(":")
        end, account = f"region={ACCOUNTS['region']}", self.environment["id"]
        if project:
            return f"{CONSOLE}/codebuild/{account}/projects/{project}/build/{project}%3A{build}/?{end}"
        return f"{CONSOLE}/codepipeline/pipelines/{FUNCTION}/executions/{execution}/visualization?{end}"


def why(lines: list[str]) -> str:
    """Return the line of a build's log that says best why it has failed, of those of its last command."""
    said: list[str] = []
    last: list[str] = []
    for line in lines:
        if not line.startswith(OF_CODEBUILD):
            said.append(line.strip())
        elif RUNS in line:
            said = []
        elif "did not exit successfully" in line:
            last = said
    last = [line for line in last if line and not line.startswith(OF_MAKE)]
    for line in last:
        if found := OF_CHECK.search(line):
            return found[0]
    return next((line for line in last if line.startswith(TOLD)), last[-1] if last else "")


def decide(name: str, yes: bool, approves: bool) -> None:
    """Approve or reject what waits in an environment, as an operator; a person's comment is kept with it."""
    with accounts.explained():
        pipeline = Pipeline(name, "operator")
        stage = next((stage for stage in pipeline.stages if waiting(stage)), {})
        stop, action = (pipeline.stop(stage), waiting(stage)) if stage else (None, None)
        if stop is None or action is None:
            sys.exit(f"nothing waits for approval in {name}: {pipeline.where()}")
        print(f"{name}: {stop.commit}\n{stop.cause}\n{stop.link}")
        comment = reason("Approve it?" if approves else "Reject it?", yes)
        pipeline.pipelines.put_approval_result(
            pipelineName=FUNCTION,
            stageName=stop.stage,
            actionName=action["actionName"],
            token=action["latestExecution"]["token"],
            result={"status": "Approved" if approves else "Rejected", "summary": comment[:COMMENT]},
        )
    print(f"{name}: {'approved' if approves else 'rejected'}; make status tells how it goes on")


approve = partial(decide, approves=True)
reject = partial(decide, approves=False)


def retry(name: str) -> None:
    """Run a stage that has failed again, from its first action: a plan that was approved may be stale."""
    with accounts.explained():
        pipeline = Pipeline(name, "operator")
        stop = next((stop for stop in pipeline.stops() if not stop.approval), None)
        if stop is None:
            sys.exit(f"nothing has failed in {name}: {pipeline.where()}")
        pipeline.pipelines.retry_stage_execution(
            pipelineName=FUNCTION,
            stageName=stop.stage,
            pipelineExecutionId=stop.execution,
            retryMode="ALL_ACTIONS",
        )
    print(f"{name}: {stop.stage} runs again on {stop.commit}")

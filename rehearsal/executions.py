"""Executions of pipelines, and the events between accounts: what AWS does with them and moto does not.

moto stores pipelines and rules. Here executions start, by a call, by an event or with their pipeline; what
becomes of them is told by whoever walks them (pipelines.py) and can be asked for as from CodePipeline itself.
"""

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.codepipeline.models import codepipeline_backends
from moto.events.models import EventPattern, Rule, events_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends

from rehearsal.mends import AwsError, operation
from rehearsal.permissions import to_publish

if TYPE_CHECKING:
    from rehearsal.accounts import Call


def now() -> float:
    """Return the time, in seconds since the epoch."""
    return datetime.now(UTC).timestamp()


@dataclass
class Action:
    """A run of an action; times are seconds since the epoch."""

    stage: str
    name: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    started: float = 0
    updated: float = 0
    summary: str = ""
    error: str = ""
    token: str = ""
    external_id: str = ""
    approval: dict[str, str] | None = None


@dataclass
class Execution:
    """An execution of a pipeline. pinned: by source action, the revision that it was started with."""

    account: str
    region: str
    pipeline: str
    trigger: str
    trigger_detail: str = ""
    pinned: dict[str, dict[str, str]] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    summary: str = ""
    started: float = field(default_factory=now)
    updated: float = field(default_factory=now)
    revisions: list[dict[str, str]] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    retry_from: str = ""


@dataclass
class Job:
    """What an invoked function must answer; result: what it has answered."""

    account: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    result: dict[str, Any] = field(default_factory=dict)


EXECUTIONS: dict[str, Execution] = {}
JOBS: dict[str, Job] = {}


def act(*given: Any, **named: Any) -> str | None:
    """Judge what a service does by itself; accounts.py puts its own in the place of this."""


def moment(seconds: float) -> datetime:
    """Return a time as AWS's answers have it."""
    return datetime.fromtimestamp(seconds, UTC)


# Starting


def start(account: str, region: str, request: dict[str, Any], trigger: str, detail: str) -> Execution:
    """Start an execution, asked for as StartPipelineExecution takes it. Raises AwsError."""
    name = request["name"]
    pipeline = stored(account, region, name)
    declared = {variable["name"]: variable.get("defaultValue") for variable in pipeline.get("variables", [])}
    given = {variable["name"]: variable["value"] for variable in request.get("variables", [])}
    if unknown := set(given) - set(declared):
        raise AwsError("ValidationException", f"The pipeline {name} has no variable {min(unknown)}")
    variables = declared | given
    if missing := [variable for variable, value in variables.items() if value is None]:
        raise AwsError("ValidationException", f"The variable {missing[0]} has neither value nor default")
    sources = {action["name"] for action in pipeline["stages"][0]["actions"]}
    pinned = {revision["actionName"]: revision for revision in request.get("sourceRevisions", [])}
    if unknown := set(pinned) - sources:
        raise AwsError("ValidationException", f"The pipeline {name} has no source action {min(unknown)}")
    execution = Execution(account, region, name, trigger, detail, pinned, variables)
    EXECUTIONS[execution.id] = execution
    tell(execution, "Pipeline", state="STARTED")
    return execution


def stored(account: str, region: str, name: str) -> dict[str, Any]:
    """Return a pipeline's definition. Raises AwsError."""
    backend = codepipeline_backends[account][region]
    if name not in backend.pipelines:
        message = f"Account '{account}' does not have a pipeline with name '{name}'"
        raise AwsError("PipelineNotFoundException", message)
    definition: dict[str, Any] = backend.pipelines[name].pipeline
    return definition


@operation("codepipeline", "StartPipelineExecution")
def start_pipeline_execution(call: "Call") -> dict[str, Any]:
    """Start an execution. AWS runs it, moto calls it succeeded at once."""
    who = call.principal
    execution = start(call.account, call.region, call.parameters, "StartPipelineExecution", who)
    return {"pipelineExecutionId": execution.id}


# Asking


def executions(call: "Call", name: str) -> list[Execution]:
    """Return a pipeline's executions, the newest first. Raises AwsError."""
    stored(call.account, call.region, name)
    of_pipeline = (call.account, call.region, name)
    found = [e for e in EXECUTIONS.values() if (e.account, e.region, e.pipeline) == of_pipeline]
    return found[::-1]


def execution_of(call: "Call") -> Execution:
    """Return the execution that a call names. Raises AwsError."""
    identifier = call.parameters["pipelineExecutionId"]
    for execution in executions(call, call.parameters["pipelineName"]):
        if execution.id == identifier:
            return execution
    raise AwsError("PipelineExecutionNotFoundException", f"There is no execution {identifier}")


def trigger(execution: Execution) -> dict[str, str]:
    """Return what started an execution."""
    return {"triggerType": execution.trigger, "triggerDetail": execution.trigger_detail}


@operation("codepipeline", "GetPipelineExecution")
def get_pipeline_execution(call: "Call") -> dict[str, Any]:
    """Return an execution as it is."""
    execution = execution_of(call)
    pipeline = stored(call.account, call.region, execution.pipeline)
    revisions = [{"name": r.pop("actionName"), **r} for r in map(dict, execution.revisions)]
    variables = [{"name": name, "resolvedValue": value} for name, value in execution.variables.items()]
    return {
        "pipelineExecution": {
            "pipelineName": execution.pipeline,
            "pipelineVersion": pipeline.get("version", 1),
            "pipelineExecutionId": execution.id,
            "status": execution.status,
            "statusSummary": execution.summary,
            "artifactRevisions": revisions,
            "variables": variables,
            "trigger": trigger(execution),
            "executionMode": pipeline.get("executionMode", "SUPERSEDED"),
        }
    }


@operation("codepipeline", "ListPipelineExecutions")
def list_pipeline_executions(call: "Call") -> dict[str, Any]:
    """Return a pipeline's executions, the newest first."""
    found = executions(call, call.parameters["pipelineName"])[: call.parameters.get("maxResults", 100)]
    return {
        "pipelineExecutionSummaries": [
            {
                "pipelineExecutionId": execution.id,
                "status": execution.status,
                "statusSummary": execution.summary,
                "startTime": moment(execution.started),
                "lastUpdateTime": moment(execution.updated),
                "sourceRevisions": execution.revisions,
                "trigger": trigger(execution),
            }
            for execution in found
        ]
    }


def answered(action: Action) -> dict[str, Any]:
    """Return a run of an action as GetPipelineState has it."""
    answer = {
        "actionExecutionId": action.id,
        "status": action.status,
        "summary": action.summary,
        "lastStatusChange": moment(action.updated),
        "externalExecutionId": action.external_id,
        "token": action.token if action.status == "InProgress" else "",
    }
    if action.error:
        answer["errorDetails"] = {"code": "JobFailed", "message": action.error}
    return {name: value for name, value in answer.items() if value}


def status(actions: list[Action]) -> str:
    """Return the status of a stage from those of its actions."""
    found = {action.status for action in actions}
    return next((each for each in ("Failed", "Stopped", "InProgress") if each in found), "Succeeded")


@operation("codepipeline", "GetPipelineState")
def get_pipeline_state(call: "Call") -> dict[str, Any]:
    """Return where a pipeline's latest executions are."""
    name = call.parameters["name"]
    pipeline, known = stored(call.account, call.region, name), executions(call, name)
    stages = []
    for stage in pipeline["stages"]:
        runs = ((e, [a for a in e.actions if a.stage == stage["name"]]) for e in known)
        latest, actions = next(((e, run) for e, run in runs if run), (None, []))
        states = {action.name: {"latestExecution": answered(action)} for action in actions}
        of_stage = {"pipelineExecutionId": latest.id, "status": status(actions)} if latest else None
        stages.append(
            {
                "stageName": stage["name"],
                "inboundTransitionState": {"enabled": True},
                "actionStates": [
                    {"actionName": a["name"], **states.get(a["name"], {})} for a in stage["actions"]
                ],
                **({"latestExecution": of_stage} if of_stage else {}),
            }
        )
    times = [e.updated for e in known] or [now()]
    return {
        "pipelineName": name,
        "pipelineVersion": pipeline.get("version", 1),
        "stageStates": stages,
        "created": moment(min(times)),
        "updated": moment(max(times)),
    }


@operation("codepipeline", "ListActionExecutions")
def list_action_executions(call: "Call") -> dict[str, Any]:
    """Return the runs of actions, the newest first."""
    wanted = call.parameters.get("filter", {}).get("pipelineExecutionId")
    return {
        "actionExecutionDetails": [
            {
                "pipelineExecutionId": execution.id,
                "actionExecutionId": action.id,
                "stageName": action.stage,
                "actionName": action.name,
                "status": action.status,
                "startTime": moment(action.started),
                "lastUpdateTime": moment(action.updated),
                "output": {
                    "executionResult": {
                        "externalExecutionId": action.external_id,
                        "externalExecutionSummary": action.error or action.summary,
                    }
                },
            }
            for execution in executions(call, call.parameters["pipelineName"])
            if wanted in (None, execution.id)
            for action in reversed(execution.actions)
        ]
    }


# Deciding


@operation("codepipeline", "PutApprovalResult")
def put_approval_result(call: "Call") -> dict[str, Any]:
    """Approve or reject what waits for it. The token names one run of the action, and serves once."""
    said = call.parameters
    for execution in executions(call, said["pipelineName"]):
        for action in execution.actions:
            if (action.stage, action.name) == (said["stageName"], said["actionName"]) and action.token:
                if action.token != said["token"]:
                    raise AwsError("InvalidApprovalTokenException", "The token is not of the latest approval")
                if action.approval:
                    raise AwsError(
                        "ApprovalAlreadyCompletedException",
                        "The approval action has been approved or rejected already",
                    )
                action.approval = said["result"]
                return {"approvedAt": moment(now())}
    raise AwsError("ActionNotFoundException", f"There is no approval {said['actionName']}")


@operation("codepipeline", "StopPipelineExecution")
def stop_pipeline_execution(call: "Call") -> dict[str, Any]:
    """Stop an execution; what runs of it is left to end."""
    execution = execution_of(call)
    if execution.status != "InProgress":
        raise AwsError("PipelineExecutionNotStoppableException", f"{execution.id} is {execution.status}")
    finish(execution.id, "Stopped", call.parameters.get("reason", ""))
    return {"pipelineExecutionId": execution.id}


@operation("codepipeline", "RetryStageExecution")
def retry_stage_execution(call: "Call") -> dict[str, Any]:
    """Let an execution go on from a stage that failed."""
    execution, stage = execution_of(call), call.parameters["stageName"]
    if status([a for a in execution.actions if a.stage == stage]) != "Failed":
        raise AwsError("StageNotRetryableException", f"{stage} has not failed")
    execution.status, execution.retry_from, execution.updated = "InProgress", stage, now()
    return {"pipelineExecutionId": execution.id}


def job(call: "Call") -> Job:
    """Return the job that a call answers. Raises AwsError."""
    found = JOBS.get(call.parameters["jobId"])
    if not found or found.account != call.account:
        raise AwsError("JobNotFoundException", f"There is no job {call.parameters['jobId']}")
    if found.status != "InProgress":
        raise AwsError("InvalidJobStateException", f"The job {found.id} is {found.status}")
    return found


@operation("codepipeline", "PutJobSuccessResult")
def put_job_success_result(call: "Call") -> dict[str, Any]:
    """Take a function's answer."""
    answer = job(call)
    answer.status, answer.result = "Succeeded", call.parameters
    return {}


@operation("codepipeline", "PutJobFailureResult")
def put_job_failure_result(call: "Call") -> dict[str, Any]:
    """Take a function's answer."""
    answer = job(call)
    answer.status, answer.result = "Failed", call.parameters["failureDetails"]
    return {}


# What whoever walks the pipelines tells and asks, through accounts.py


def find() -> list[dict[str, Any]]:
    """Return all executions, in the order in which they started."""
    return [asdict(execution) for execution in EXECUTIONS.values()]


def record(execution: str, stage: str, name: str, **facts: Any) -> None:
    """Note how a run of an action goes; the first note of a run has no status."""
    found = EXECUTIONS[execution]
    if "status" not in facts:
        found.actions.append(Action(stage, name, started=now(), updated=now(), **facts))
        return
    action = next(a for a in reversed(found.actions) if (a.stage, a.name) == (stage, name))
    for field_name, value in facts.items():
        setattr(action, field_name, value)
    action.updated = found.updated = now()
    if action.status == "Failed":
        tell(found, "Stage", stage=stage, state="FAILED")


def add_revision(execution: str, revision: dict[str, str]) -> None:
    """Note what a source action has taken."""
    EXECUTIONS[execution].revisions.append(revision)


def finish(execution: str, status: str, summary: str = "") -> None:
    """Note how an execution has ended."""
    found = EXECUTIONS[execution]
    found.status, found.summary, found.updated, found.retry_from = status, summary, now(), ""
    tell(found, "Pipeline", state=status.upper())


def open_job(account: str) -> str:
    """Return the id of a new job."""
    new = Job(account)
    JOBS[new.id] = new
    return new.id


def read_job(identifier: str) -> dict[str, Any]:
    """Return what has become of a job."""
    return asdict(JOBS[identifier])


def published(account: str) -> list[str]:
    """Return what the topics of an account have been sent."""
    topics = [topic for backend in sns_backends[account].values() for topic in backend.topics.values()]
    return [message for topic in topics for _, message, *_ in topic.sent_notifications]


COMMANDS: dict[str, Callable[..., Any]] = {
    command.__name__: command
    for command in (find, record, add_revision, finish, open_job, read_job, published)
}


# Events


def emit(account: str, region: str, source: str, detail_type: str, detail: dict[str, Any]) -> None:
    """Give an event to the rules of an account's default bus, and what comes of it to their targets."""
    event: Any = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": region,
        "resources": [],
        "detail": detail,
    }
    for rule in list(events_backends[account][region].event_buses["default"].rules.values()):
        if rule.state == "ENABLED" and rule.event_pattern.matches_event(event):
            for target in rule.targets:
                deliver(account, region, target, rule, event)


def deliver(account: str, region: str, target: dict[str, Any], rule: Rule, event: dict[str, Any]) -> None:
    """Give an event to a target: a pipeline or a topic. Others are not known here.

    EventBridge drops what it may not deliver.
    """
    arn, message = target["Arn"], transformed(event, target)
    if arn.startswith("arn:aws:codepipeline:"):
        starts = [("codepipeline:StartPipelineExecution", arn)]
        role = target.get("RoleArn", "")
        if act("events.amazonaws.com", account, region, starts, role=role, source=rule.arn) is None:
            request = {**json.loads(message or "{}"), "name": arn.split(":")[5]}
            start(account, region, request, "CloudWatchEvent", rule.arn)
    elif arn.startswith("arn:aws:sns:"):
        publishes = [("sns:Publish", arn), *((action, key) for action, key, _ in to_publish(arn))]
        if act("events.amazonaws.com", account, region, publishes) is None:
            sns_backends[account][region].publish(message, arn)
    else:
        raise NotImplementedError(f"events to {arn}")


def transformed(event: dict[str, Any], target: dict[str, Any]) -> str:
    """Return what a target is given of an event: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html."""
    if "Input" in target:
        return str(target["Input"])
    transformer = target.get("InputTransformer")
    if not transformer:
        return "" if ":codepipeline:" in target["Arn"] else json.dumps(event)
    values = {}
    for name, path in transformer.get("InputPathsMap", {}).items():
        found: Any = event
        for part in path.removeprefix("$.").split("."):
            found = found.get(part, "") if isinstance(found, dict) else ""
        values[name] = found if isinstance(found, str) else json.dumps(found)
    filled = re.sub(r"<([\w.-]+)>", lambda name: values.get(name[1], ""), transformer["InputTemplate"])
    return filled.strip()


def tell(execution: Execution, what: str, **detail: str) -> None:
    """Emit that a pipeline or one of its stages has changed state."""
    known = {"pipeline": execution.pipeline, "execution-id": execution.id, **detail}
    name = f"CodePipeline {what} Execution State Change"
    emit(execution.account, execution.region, "aws.codepipeline", name, known)


PUTS = ("PutObject", "CopyObject", "CompleteMultipartUpload")


def after(call: "Call") -> None:
    """Do what AWS does by itself after a call: start a new pipeline, tell of a new object."""
    if (call.service, call.operation) == ("codepipeline", "CreatePipeline"):
        request = {"name": call.parameters["pipeline"]["name"]}
        start(call.account, call.region, request, "CreatePipeline", call.principal)
    if call.service == "s3" and call.operation in PUTS:
        name, key = call.parameters["Bucket"], call.parameters["Key"]
        _, account = s3_backends.bucket_accounts[name]
        bucket = s3_backends[account]["aws"].get_bucket(name)
        put = s3_backends[account]["aws"].get_object(name, key)
        if (
            put
            and bucket.notification_configuration
            and bucket.notification_configuration.event_bridge is not None
        ):
            facts = {"key": key, "size": put.size, "etag": put.etag.strip('"'), "version-id": put.version_id}
            detail = {
                "bucket": {"name": name},
                "object": facts,
                "requester": call.account,
                "reason": call.operation,
            }
            emit(account, bucket.region_name, "aws.s3", "Object Created", {"version": "0", **detail})


@operation("events", "TestEventPattern")
def test_event_pattern(call: "Call") -> dict[str, Any]:
    """Say whether a pattern matches an event. AWS does, moto says nothing."""
    pattern, event = EventPattern.load(call.parameters["EventPattern"]), json.loads(call.parameters["Event"])
    return {"Result": bool(pattern.matches_event(event))}

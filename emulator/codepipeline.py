"""CodePipeline: executions of pipelines, and what it checks.

moto stores pipelines. Here executions start, by a call, by an event or with their pipeline, and go from stage
to stage, of which each holds one at a time. What becomes of them there is told by whoever walks them and can
be asked for as from CodePipeline itself.
https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
"""

import json
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any

from moto.codepipeline.models import codepipeline_backends
from moto.events.models import Rule

from emulator import calls
from emulator.calls import MODEL, NOTHING, AwsError, Call, claims, command, doc, moment, now, operation, to
from emulator.events import emit
from emulator.judge.checks import Asked, reads


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
    configuration: dict[str, str] = field(default_factory=dict)
    approval: dict[str, str] | None = None


@dataclass
class Execution:
    """An execution of a pipeline. pinned: by source action, the revision that it was started with.

    stage: which it holds. before: at which it waits, and arrived: as the how manieth to arrive at any. kept:
    actions of a stage that is retried that are not run again.
    """

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
    stage: str = ""
    before: str = ""
    arrived: int = 0
    kept: list[str] = field(default_factory=list)


@dataclass
class Job:
    """What an invoked function must answer; result: what it has answered."""

    account: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    result: dict[str, Any] = field(default_factory=dict)


EXECUTIONS: dict[str, Execution] = {}
JOBS: dict[str, Job] = {}


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
    arrive(execution, pipeline["stages"][0]["name"])
    return execution


def stored(account: str, region: str, name: str) -> dict[str, Any]:
    """Return a pipeline's definition. Raises AwsError."""
    backend = codepipeline_backends[account][region]
    if name not in backend.pipelines:
        message = f"Account '{account}' does not have a pipeline with name '{name}'"
        raise AwsError("PipelineNotFoundException", message)
    definition: dict[str, Any] = backend.pipelines[name].pipeline
    return definition


@operation("codepipeline", "StartPipelineExecution", rests=MODEL)
def start_pipeline_execution(call: Call) -> dict[str, Any]:
    """Start an execution. AWS runs it, moto calls it succeeded at once."""
    who = call.principal
    execution = start(call.account, call.region, call.parameters, "StartPipelineExecution", who)
    return {"pipelineExecutionId": execution.id}


@claims("codepipeline starts what is created", doc("codepipeline/latest/userguide/pipelines-create.html"))
def start_created(call: Call) -> None:
    """Start a pipeline that a call has created, as AWS does by itself."""
    if (call.service, call.operation) == ("codepipeline", "CreatePipeline"):
        request = {"name": call.parameters["pipeline"]["name"]}
        start(call.account, call.region, request, "CreatePipeline", call.principal)


@to("codepipeline", rests=doc("codepipeline/latest/userguide/create-S3-source-events-cfn.html"))
def start_by_event(account: str, region: str, target: dict[str, Any], rule: Rule, message: str) -> str | None:
    """Start the pipeline that is a rule's target; return why it cannot be started."""
    arn = target["Arn"]
    starts = [("codepipeline:StartPipelineExecution", arn)]
    role = target.get("RoleArn", "")
    if why := calls.act("events.amazonaws.com", account, region, starts, role=role, source=rule.arn):
        return why
    request = {**json.loads(message or "{}"), "name": arn.split(":")[5]}
    try:
        start(account, region, request, "CloudWatchEvent", rule.arn)
    except AwsError as error:
        return str(error)
    return None


# From stage to stage


def arrive(execution: Execution, stage: str) -> None:
    """Let an execution leave the stage that it holds, if any, and come to another.

    Of two that wait at a stage, SUPERSEDED keeps the newer.
    """
    execution.stage, execution.before = "", stage
    execution.arrived = 1 + max(each.arrived for each in EXECUTIONS.values())
    enter(execution)
    pipeline = stored(execution.account, execution.region, execution.pipeline)
    if pipeline.get("executionMode", "SUPERSEDED") == "SUPERSEDED":
        *older, newest = [e for e in beside(execution) if e.before == stage] or [execution]
        for each in older:
            finish(each.id, "Superseded", newest.id)


def beside(execution: Execution) -> list[Execution]:
    """Return the executions of a pipeline that are under way, in the order in which they started."""
    of_pipeline = (execution.account, execution.region, execution.pipeline)
    return [
        e
        for e in EXECUTIONS.values()
        if e.status == "InProgress" and (e.account, e.region, e.pipeline) == of_pipeline
    ]


def enter(execution: Execution) -> None:
    """Give an execution the stage at which it waits, if none holds it and none has waited longer."""
    stage, others = execution.before, beside(execution)
    first = min(e.arrived for e in others if e.before == stage)
    if execution.arrived == first and all(e.stage != stage for e in others):
        execution.stage, execution.before = stage, ""


@command
@claims("the command proceed", doc("codepipeline/latest/userguide/concepts-how-it-works.html"))
def proceed(execution: str, stage: str) -> str:
    """Let an execution come to a stage or go on waiting; return what it does: enters, waits, or has ended."""
    found = EXECUTIONS[execution]
    if found.status == "InProgress" and found.stage != stage:
        if found.before == stage:
            enter(found)
        else:
            arrive(found, stage)
    if found.status != "InProgress":
        return "ended"
    return "enters" if found.stage == stage else "waits"


# Asking


def executions(call: Call, name: str) -> list[Execution]:
    """Return a pipeline's executions, the newest first. Raises AwsError."""
    stored(call.account, call.region, name)
    of_pipeline = (call.account, call.region, name)
    found = [e for e in EXECUTIONS.values() if (e.account, e.region, e.pipeline) == of_pipeline]
    return found[::-1]


def execution_of(call: Call) -> Execution:
    """Return the execution that a call names. Raises AwsError."""
    identifier = call.parameters["pipelineExecutionId"]
    for execution in executions(call, call.parameters["pipelineName"]):
        if execution.id == identifier:
            return execution
    raise AwsError("PipelineExecutionNotFoundException", f"There is no execution {identifier}")


def trigger(execution: Execution) -> dict[str, str]:
    """Return what started an execution."""
    return {"triggerType": execution.trigger, "triggerDetail": execution.trigger_detail}


@operation("codepipeline", "GetPipelineExecution", rests=MODEL)
def get_pipeline_execution(call: Call) -> dict[str, Any]:
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


@operation("codepipeline", "ListPipelineExecutions", rests=MODEL)
def list_pipeline_executions(call: Call) -> dict[str, Any]:
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
    """Return the status of a stage from the latest runs of its actions."""
    found = {action.status for action in {action.name: action for action in actions}.values()}
    return next((each for each in ("Failed", "Stopped", "InProgress") if each in found), "Succeeded")


@operation("codepipeline", "GetPipelineState", rests=MODEL)
def get_pipeline_state(call: Call) -> dict[str, Any]:
    """Return where a pipeline's latest executions are."""
    name = call.parameters["name"]
    pipeline, known = stored(call.account, call.region, name), executions(call, name)
    stages = []
    for stage in pipeline["stages"]:
        runs = ((e, [a for a in e.actions if a.stage == stage["name"]]) for e in known)
        latest, actions = next(((e, run) for e, run in runs if run), (None, []))
        states = {action.name: {"latestExecution": answered(action)} for action in actions}
        of_stage = {"pipelineExecutionId": latest.id, "status": status(actions)} if latest else None
        waiting = [
            {"pipelineExecutionId": e.id, "status": "InProgress"}
            for e in known[::-1]
            if e.before == stage["name"]
        ]
        stages.append(
            {
                "stageName": stage["name"],
                "inboundTransitionState": {"enabled": True},
                "actionStates": [
                    {"actionName": a["name"], **states.get(a["name"], {})} for a in stage["actions"]
                ],
                **({"inboundExecution": waiting[0], "inboundExecutions": waiting} if waiting else {}),
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


@operation("codepipeline", "ListActionExecutions", rests=MODEL)
def list_action_executions(call: Call) -> dict[str, Any]:
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
                "input": {"resolvedConfiguration": action.configuration},
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


@operation("codepipeline", "PutApprovalResult", rests=MODEL)
def put_approval_result(call: Call) -> dict[str, Any]:
    """Approve or reject what waits for it. The token names one run of the action, and serves once."""
    said = call.parameters
    asked = {
        action.token: action
        for execution in executions(call, said["pipelineName"])
        for action in execution.actions
        if (action.stage, action.name) == (said["stageName"], said["actionName"]) and action.token
    }
    if not asked:
        raise AwsError("ActionNotFoundException", f"There is no approval {said['actionName']}")
    if said["token"] not in asked:
        raise AwsError("InvalidApprovalTokenException", "The token is not of the latest approval")
    if asked[said["token"]].approval:
        raise AwsError(
            "ApprovalAlreadyCompletedException", "The approval action has been approved or rejected already"
        )
    asked[said["token"]].approval = said["result"]
    return {"approvedAt": moment(now())}


@operation("codepipeline", "StopPipelineExecution", rests=MODEL)
def stop_pipeline_execution(call: Call) -> dict[str, Any]:
    """Stop an execution; what runs of it is left to end."""
    execution = execution_of(call)
    if execution.status != "InProgress":
        raise AwsError("PipelineExecutionNotStoppableException", f"{execution.id} is {execution.status}")
    finish(execution.id, "Stopped", call.parameters.get("reason", ""))
    return {"pipelineExecutionId": execution.id}


@operation("codepipeline", "RetryStageExecution", rests=MODEL)
def retry_stage_execution(call: Call) -> dict[str, Any]:
    """Let an execution go on from a stage that failed, as long as no other has entered it since.

    https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-retry.html
    """
    execution, stage = execution_of(call), call.parameters["stageName"]
    entered = [
        e for e in executions(call, execution.pipeline) if stage in (e.stage, *(a.stage for a in e.actions))
    ]
    runs = [a for a in execution.actions if a.stage == stage]
    if entered[:1] != [execution] or status(runs) != "Failed":
        raise AwsError("StageNotRetryableException", f"{stage} has not failed, or has been entered since")
    execution.status, execution.updated = "InProgress", now()
    only_failed = call.parameters["retryMode"] == "FAILED_ACTIONS"
    latest = {run.name: run for run in runs}.values()
    execution.kept = [run.name for run in latest if only_failed and run.status == "Succeeded"]
    arrive(execution, stage)
    return {"pipelineExecutionId": execution.id}


def job(call: Call) -> Job:
    """Return the job that a call answers. Raises AwsError."""
    found = JOBS.get(call.parameters["jobId"])
    if not found or found.account != call.account:
        raise AwsError("JobNotFoundException", f"There is no job {call.parameters['jobId']}")
    if found.status != "InProgress":
        raise AwsError("InvalidJobStateException", f"The job {found.id} is {found.status}")
    return found


@operation("codepipeline", "PutJobSuccessResult", rests=MODEL)
def put_job_success_result(call: Call) -> dict[str, Any]:
    """Take a function's answer."""
    answer = job(call)
    answer.status, answer.result = "Succeeded", call.parameters
    return {}


@operation("codepipeline", "PutJobFailureResult", rests=MODEL)
def put_job_failure_result(call: Call) -> dict[str, Any]:
    """Take a function's answer."""
    answer = job(call)
    answer.status, answer.result = "Failed", call.parameters["failureDetails"]
    return {}


# What whoever walks the pipelines tells and asks


@command
@claims("the command find", NOTHING)
def find() -> list[dict[str, Any]]:
    """Return all executions, in the order in which they started."""
    return [asdict(execution) for execution in EXECUTIONS.values()]


@command
@claims("the command record", NOTHING)
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


@command
@claims("the command add_revision", NOTHING)
def add_revision(execution: str, revision: dict[str, str]) -> None:
    """Note what a source action has taken."""
    EXECUTIONS[execution].revisions.append(revision)


@command
@claims("the command finish", NOTHING)
def finish(execution: str, status: str, summary: str = "") -> None:
    """Note how an execution has ended, if it is under way and is not stopped."""
    found = EXECUTIONS[execution]
    if found.status != "InProgress":
        return
    found.status, found.summary, found.updated, found.stage, found.before = status, summary, now(), "", ""
    tell(found, "Pipeline", state=status.upper())


@command
@claims("the command open_job", NOTHING)
def open_job(account: str) -> str:
    """Return the id of a new job."""
    new = Job(account)
    JOBS[new.id] = new
    return new.id


@command
@claims("the command read_job", NOTHING)
def read_job(identifier: str) -> dict[str, Any]:
    """Return what has become of a job."""
    return asdict(JOBS[identifier])


@claims(
    "codepipeline tells of changes",
    doc("codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html"),
)
def tell(execution: Execution, what: str, **detail: str) -> None:
    """Emit that a pipeline or one of its stages has changed state; of a pipeline, what started it too."""
    known: dict[str, Any] = {"pipeline": execution.pipeline, "execution-id": execution.id, **detail}
    if what == "Pipeline":
        began = {"trigger-type": execution.trigger, "trigger-detail": execution.trigger_detail}
        known["execution-trigger"] = began
    name = f"CodePipeline {what} Execution State Change"
    emit(execution.account, execution.region, "aws.codepipeline", name, known)


# What is checked


@reads("codepipeline", rests=doc("service-authorization/latest/reference/list_awscodepipeline.html"))
def asked(call: Call, action: str) -> Asked:
    """Yield what CodePipeline checks."""
    said = call.parameters
    if call.operation in ("PutJobSuccessResult", "PutJobFailureResult", "ListPipelines"):
        yield action, "*", {}
        return
    pipeline = said.get("pipeline", {})
    name = pipeline.get("name") or said.get("pipelineName") or said.get("name")
    arn = said.get("resourceArn") or f"arn:aws:codepipeline:{call.region}:{call.account}:{name}"
    if call.operation == "PutApprovalResult":
        arn += f"/{said['stageName']}/{said['actionName']}"
    elif call.operation == "RetryStageExecution":
        arn += f"/{said['stageName']}"
    yield action, arn, {}
    if pipeline:
        yield "iam:PassRole", pipeline["roleArn"], {"iam:passedtoservice": "codepipeline.amazonaws.com"}
    for stage in pipeline.get("stages", []):
        for step in stage["actions"]:
            if connection := step.get("configuration", {}).get("ConnectionArn"):
                yield "codestar-connections:PassConnection", connection, {}
    if said.get("tags"):
        yield "codepipeline:TagResource", arn, {}

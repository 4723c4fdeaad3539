"""CodeDeploy, as far as it moves an alias of Lambda.

An emulated minute lasts a second. moto keeps applications. It forgets much of a deployment group and runs no
deployment; both are kept here.
https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-steps-lambda.html
A rollback is a deployment of its own:
https://docs.aws.amazon.com/codedeploy/latest/userguide/deployments-rollback-and-redeploy.html
"""

import hashlib
import re
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import Any

import yaml
from botocore.exceptions import ClientError
from moto.codedeploy.models import codedeploy_backends

from emulator import calls
from emulator.calls import MODEL, PACE, AwsError, Call, claims, doc, moment, now, operation
from emulator.judge.checks import Asked, reads

WATCH = 0.1  # seconds between two looks at the alarms
ROLLBACK = 0.3  # minutes until a rollback moves the alias: how many, nobody says
# https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html
CONFIGURATION = re.compile(
    r"CodeDeployDefault\.Lambda"
    r"(AllAtOnce|Canary10Percent(?P<wait>5|10|15|30)Minutes|Linear10PercentEvery(?P<every>1Minute|(2|3|10)Minutes))"
)
ENDED = ("Succeeded", "Failed", "Stopped")

Clients = Callable[[str, str, str, str], Any]


def new_id() -> str:
    """Return the id of a new deployment."""
    return f"d-{uuid.uuid4().hex[:9].upper()}"


@dataclass
class Deployment:
    """A deployment. group: as it was created; times are seconds since the epoch.

    stop: whether somebody wants it to end, and with back, that it goes back. moved: whether traffic was.
    """

    account: str
    region: str
    group: dict[str, Any]
    configuration: str
    revision: dict[str, Any]
    function: str
    alias: str
    current: str
    target: str
    creator: str = "user"
    description: str = ""
    id: str = field(default_factory=new_id)
    status: str = "Created"
    error: dict[str, str] = field(default_factory=dict)
    rollback: dict[str, str] = field(default_factory=dict)
    created: float = field(default_factory=now)
    completed: float | None = None
    stop: bool = False
    back: bool = False
    moved: bool = False


GROUPS: dict[tuple[str, str, str, str], dict[str, Any]] = {}  # by account, region, application, name
DEPLOYMENTS: dict[str, Deployment] = {}


# Applications and groups


def group_arn(account: str, region: str, facts: dict[str, Any]) -> str:
    """Return the ARN of a deployment group."""
    name = f"{facts['applicationName']}/{facts['deploymentGroupName']}"
    return f"arn:aws:codedeploy:{region}:{account}:deploymentgroup:{name}"


@operation("codedeploy", "DeleteApplication", rests=MODEL)
def delete_application(call: Call) -> dict[str, Any]:
    """Delete an application with its groups. AWS does, moto cannot."""
    name = call.parameters["applicationName"]
    codedeploy_backends[call.account][call.region].applications.pop(name, None)
    for key in [key for key in GROUPS if key[:3] == (call.account, call.region, name)]:
        del GROUPS[key]
    return {}


def group(call: Call, name: str) -> dict[str, Any]:
    """Return a deployment group of the application that a call names. Raises AwsError."""
    application = call.parameters["applicationName"]
    codedeploy_backends[call.account][call.region].get_application(application)
    key = (call.account, call.region, application, name)
    if key not in GROUPS:
        raise AwsError("DeploymentGroupDoesNotExistException", f"No Deployment Group found for name: {name}")
    return GROUPS[key]


def check_configuration(call: Call) -> None:
    """Refuse a configuration that is not one of CodeDeploy's own for Lambda."""
    configuration = call.parameters["deploymentConfigName"]
    if not CONFIGURATION.fullmatch(configuration):
        message = f"No Deployment Configuration found for name: {configuration}"
        raise AwsError("DeploymentConfigDoesNotExistException", message)


@operation("codedeploy", "CreateDeploymentGroup", rests=MODEL)
def create_group(call: Call) -> dict[str, Any]:
    """Create a deployment group."""
    backend = codedeploy_backends[call.account][call.region]
    name, application = call.parameters["deploymentGroupName"], call.parameters["applicationName"]
    backend.get_application(application)
    check_configuration(call)
    facts = {key: value for key, value in call.parameters.items() if key != "tags"}
    facts |= {"deploymentGroupId": str(uuid.uuid4()), "computePlatform": "Lambda"}
    GROUPS[call.account, call.region, application, name] = facts
    arn = group_arn(call.account, call.region, facts)
    backend.tagger.tag_resource(arn, call.parameters.get("tags", []))
    return {"deploymentGroupId": facts["deploymentGroupId"]}


@operation("codedeploy", "GetDeploymentGroup", rests=MODEL)
def get_group(call: Call) -> dict[str, Any]:
    """Return a deployment group. AWS returns all of it, moto forgets its alarms."""
    return {"deploymentGroupInfo": group(call, call.parameters["deploymentGroupName"])}


@operation("codedeploy", "UpdateDeploymentGroup", rests=MODEL)
def update_group(call: Call) -> dict[str, Any]:
    """Change a deployment group. AWS does, moto cannot."""
    facts = group(call, call.parameters["currentDeploymentGroupName"])
    if "deploymentConfigName" in call.parameters:
        check_configuration(call)
    facts |= {key: value for key, value in call.parameters.items() if not key.startswith("current")}
    return {"hooksNotCleanedUp": []}


@operation("codedeploy", "DeleteDeploymentGroup", rests=MODEL)
def delete_group(call: Call) -> dict[str, Any]:
    """Delete a deployment group. AWS does, moto cannot."""
    name = call.parameters["deploymentGroupName"]
    GROUPS.pop((call.account, call.region, call.parameters["applicationName"], name), None)
    return {"hooksNotCleanedUp": []}


# Deployments


def planned(call: Call) -> Deployment:
    """Return the deployment that a call asks for. Raises AwsError."""
    said = call.parameters
    facts = group(call, said["deploymentGroupName"])
    content = said["revision"]["appSpecContent"]
    digest = hashlib.sha256(content["content"].encode()).hexdigest()
    if content.get("sha256", digest) != digest:
        raise AwsError("InvalidRevisionException", "The SHA256 hash does not match the content")
    try:
        (resource,) = yaml.safe_load(content["content"])["Resources"]
        (wanted,) = (value["Properties"] for value in resource.values())
        names = ("Name", "Alias", "CurrentVersion", "TargetVersion")
        function, alias, current, target = (str(wanted[name]) for name in names)
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise AwsError("InvalidRevisionException", f"The AppSpec cannot be read: {error}") from None
    for other in DEPLOYMENTS.values():
        if other.group is facts and other.status not in ENDED:
            name = said["deploymentGroupName"]
            message = f"The Deployment Group '{name}' already has an active Deployment '{other.id}'"
            raise AwsError("DeploymentLimitExceededException", message)
    configuration = said.get("deploymentConfigName") or facts["deploymentConfigName"]
    description = said.get("description", "")
    return Deployment(
        account=call.account,
        region=call.region,
        group=facts,
        configuration=configuration,
        revision=said["revision"],
        function=function,
        alias=alias,
        current=current,
        target=target,
        description=description,
    )


def steps(configuration: str) -> list[tuple[float, float]]:
    """Return when the new version gets which share of the traffic: seconds from the start, up to 1."""
    found = CONFIGURATION.fullmatch(configuration)
    assert found  # noqa: S101  checked as the group was created
    if wait := found["wait"]:
        return [(0, 0.1), (int(wait) * PACE["minute"], 1)]
    if every := found["every"]:
        minutes = int(every.partition("M")[0])
        return [(step * minutes * PACE["minute"], (step + 1) / 10) for step in range(10)]
    return [(0, 1)]


class Interrupted(Exception):  # noqa: N818  not always an error
    """A deployment has to end: its status, the event that this is, and why."""

    def __init__(self, status: str, event: str, code: str, message: str) -> None:
        """Make one to raise."""
        super().__init__(message)
        self.status, self.event, self.error = status, event, {"code": code, "message": message}


@claims("codedeploy tells for which group", doc("codedeploy/latest/userguide/security_confused_deputy.html"))
def told_source(deployment: Deployment) -> str:
    """Return for what CodeDeploy says that it takes the role of a deployment's group."""
    return group_arn(deployment.account, deployment.region, deployment.group)


class Traffic:
    """The deployments of a world, each run by a thread. One that runs is not copied with its world."""

    def __init__(self, world: threading.RLock, client: Clients) -> None:
        """Begin; world: held while its state is changed; client: returns one for a service, by role."""
        self._world, self._client = world, client

    @claims("codedeploy:CreateDeployment", MODEL)
    def create(self, call: Call) -> dict[str, Any]:
        """Answer codedeploy:CreateDeployment, and begin."""
        with self._world:
            deployment = planned(call)
            self._begin(deployment)
        return {"deploymentId": deployment.id}

    def _begin(self, deployment: Deployment) -> None:
        """Begin a deployment."""
        DEPLOYMENTS[deployment.id] = deployment
        threading.Thread(target=self._run, args=(deployment,), daemon=True).start()

    def _run(self, deployment: Deployment) -> None:
        """Run a deployment to its end."""
        deployment.status = "InProgress"
        account, region, role = deployment.account, deployment.region, deployment.group["serviceRoleArn"]
        functions, alarms = (
            self._client(service, account, region, role.rpartition("/")[2])
            for service in ("lambda", "cloudwatch")
        )
        try:
            source = told_source(deployment)
            if why := calls.act("codedeploy.amazonaws.com", account, region, [], role=role, source=source):
                raise Interrupted("Failed", "DEPLOYMENT_FAILURE", "IAM_ROLE_MISSING", why)
            move = self._go_back if deployment.creator == "codeDeployRollback" else self._shift
            move(deployment, functions, alarms)
            status = "Succeeded"
        except Interrupted as why:
            status, deployment.error = why.status, why.error
            automatic = deployment.group.get("autoRollbackConfiguration", {})
            back = automatic.get("enabled") and why.event in automatic.get("events", [])
            if deployment.moved and (back or deployment.back):
                self._roll_back(deployment)
        deployment.completed, deployment.status = now(), status

    @claims("codedeploy moves an alias", doc("codedeploy/latest/userguide/deployment-steps-lambda.html"))
    def _shift(self, deployment: Deployment, functions: Any, alarms: Any) -> None:
        """Move the alias, step by step. Raises Interrupted."""
        began = time.monotonic()
        place = {"FunctionName": deployment.function, "Name": deployment.alias}
        try:
            found = functions.get_alias(**place)["FunctionVersion"]
            if found != deployment.current:
                message = f"The alias {deployment.alias} is at version {found}, not at {deployment.current}"
                raise Interrupted("Failed", "DEPLOYMENT_FAILURE", "INVALID_LAMBDA_CONFIGURATION", message)
            for seconds, share in steps(deployment.configuration):
                watch(deployment, alarms)
                while time.monotonic() < began + seconds:
                    time.sleep(WATCH)
                    watch(deployment, alarms)
                weights = {deployment.target: share} if share < 1 else {}
                deployment.moved = True
                functions.update_alias(
                    **place,
                    FunctionVersion=deployment.current if weights else deployment.target,
                    RoutingConfig={"AdditionalVersionWeights": weights},
                )
        except ClientError as error:
            raise interrupted(error) from None

    @claims(
        "codedeploy rolls back", doc("codedeploy/latest/userguide/deployments-rollback-and-redeploy.html")
    )
    def _roll_back(self, deployment: Deployment) -> None:
        """Begin the deployment that gives all traffic to the version before."""
        back = replace(
            deployment,
            current=deployment.target,
            target=deployment.current,
            creator="codeDeployRollback",
            description="",
            id=new_id(),
            status="Created",
            created=now(),
            error={},
            rollback={"rollbackTriggeringDeploymentId": deployment.id},
            stop=False,
            back=False,
            moved=False,
        )
        message = f"The deployment {back.id} rolls back {deployment.id}"
        deployment.rollback = {"rollbackDeploymentId": back.id, "rollbackMessage": message}
        with self._world:
            self._begin(back)

    def _go_back(self, deployment: Deployment, functions: Any, alarms: Any) -> None:
        """Give all traffic to a version, whatever is on. Raises Interrupted."""
        began = time.monotonic()
        while time.monotonic() < began + ROLLBACK * PACE["minute"]:
            time.sleep(WATCH)
            watch_for_stop(deployment)
        try:
            functions.update_alias(
                FunctionName=deployment.function,
                Name=deployment.alias,
                FunctionVersion=deployment.target,
                RoutingConfig={"AdditionalVersionWeights": {}},
            )
        except ClientError as error:
            raise interrupted(error) from None


def interrupted(error: ClientError) -> Interrupted:
    """Return why a deployment ends that Lambda has refused something."""
    code = "IAM_ROLE_PERMISSIONS" if "AccessDenied" in str(error) else "INVALID_LAMBDA_CONFIGURATION"
    return Interrupted("Failed", "DEPLOYMENT_FAILURE", code, str(error))


def watch_for_stop(deployment: Deployment) -> None:
    """Raise Interrupted if a deployment was stopped."""
    if deployment.stop:
        message = "The deployment was stopped by a user"
        raise Interrupted("Stopped", "DEPLOYMENT_STOP_ON_REQUEST", "MANUAL_STOP", message)


@claims("codedeploy stops at alarms", doc("codedeploy/latest/userguide/monitoring-create-alarms.html"))
def watch(deployment: Deployment, alarms: Any) -> None:
    """Raise Interrupted if a deployment was stopped, or if an alarm is on that its group watches."""
    watch_for_stop(deployment)
    watched = deployment.group.get("alarmConfiguration", {})
    if watched.get("enabled"):
        names = [alarm["name"] for alarm in watched["alarms"]]
        found = alarms.describe_alarms(AlarmNames=names)["MetricAlarms"]
        if active := [alarm["AlarmName"] for alarm in found if alarm["StateValue"] == "ALARM"]:
            message = (
                "One or more alarms have been activated according to the Amazon CloudWatch metrics you "
                "selected, and the affected deployments have been stopped. "
                f"Activated alarms: {', '.join(active)}"
            )
            raise Interrupted("Stopped", "DEPLOYMENT_STOP_ON_ALARM", "ALARM_ACTIVE", message)


def deployment_of(call: Call, identifier: str) -> Deployment:
    """Return a deployment of the account that is called. Raises AwsError."""
    found = DEPLOYMENTS.get(identifier)
    if not found or (found.account, found.region) != (call.account, call.region):
        message = f"The deployment {identifier} does not exist"
        raise AwsError("DeploymentDoesNotExistException", message)
    return found


def information(found: Deployment) -> dict[str, Any]:
    """Return a deployment as it is."""
    optional = {"errorInformation": found.error, "rollbackInfo": found.rollback}
    return {
        "applicationName": found.group["applicationName"],
        "deploymentGroupName": found.group["deploymentGroupName"],
        "deploymentConfigName": found.configuration,
        "deploymentId": found.id,
        "revision": found.revision,
        "status": found.status,
        "createTime": moment(found.created),
        **({"completeTime": moment(found.completed)} if found.completed else {}),
        "creator": found.creator,
        "description": found.description,
        "computePlatform": "Lambda",
        **{name: value for name, value in optional.items() if value},
    }


@operation("codedeploy", "GetDeployment", rests=MODEL)
def get_deployment(call: Call) -> dict[str, Any]:
    """Return a deployment."""
    return {"deploymentInfo": information(deployment_of(call, call.parameters["deploymentId"]))}


@operation("codedeploy", "BatchGetDeployments", rests=MODEL)
def get_deployments(call: Call) -> dict[str, Any]:
    """Return some deployments."""
    found = [deployment_of(call, name) for name in call.parameters["deploymentIds"]]
    return {"deploymentsInfo": [information(deployment) for deployment in found]}


@operation("codedeploy", "ListDeployments", rests=MODEL)
def list_deployments(call: Call) -> dict[str, Any]:
    """Return the ids of a group's deployments, the newest first."""
    facts = group(call, call.parameters["deploymentGroupName"])
    wanted, begun = call.parameters.get("includeOnlyStatuses"), call.parameters.get("createTimeRange", {})
    start, end = (
        begun.get(name, default).replace(tzinfo=UTC)  # moto reads times without it
        for name, default in (("start", moment(0)), ("end", moment(now())))
    )
    found = [
        deployment.id
        for deployment in DEPLOYMENTS.values()
        if deployment.group is facts
        and (not wanted or deployment.status in wanted)
        and start <= moment(deployment.created) <= end
    ]
    return {"deployments": found[::-1]}


@operation("codedeploy", "StopDeployment", rests=MODEL)
def stop_deployment(call: Call) -> dict[str, Any]:
    """Have a deployment stop, and go back if that is asked for."""
    found = deployment_of(call, call.parameters["deploymentId"])
    if found.status in ENDED:
        raise AwsError("DeploymentAlreadyCompletedException", f"The deployment {found.id} is {found.status}")
    found.stop, found.back = True, call.parameters.get("autoRollbackEnabled", False)
    return {"status": "Pending", "statusMessage": "Stopping the deployment"}


@reads("codedeploy", rests=doc("service-authorization/latest/reference/list_awscodedeploy.html"))
def asked(call: Call, action: str) -> Asked:
    """Yield what CodeDeploy checks; who deploys registers the revision and reads the configuration too."""
    said, here = call.parameters, f"arn:aws:codedeploy:{call.region}:{call.account}:"
    if call.operation == "StopDeployment":
        yield action, "*", {}
        return
    if "deploymentId" in said or "deploymentIds" in said:
        for identifier in said.get("deploymentIds") or [said["deploymentId"]]:
            yield action, group_arn(call.account, call.region, deployment_of(call, identifier).group), {}
        return
    application = f"{here}application:{said.get('applicationName')}"
    named = said.get("currentDeploymentGroupName") or said.get("deploymentGroupName", "")
    arn = said.get("ResourceArn") or (
        f"{here}deploymentgroup:{said['applicationName']}/{named}" if named else application
    )
    yield action, arn, {}
    if said.get("tags") and call.operation.startswith("Create"):
        yield "codedeploy:TagResource", arn, {}
    if call.operation in ("CreateDeploymentGroup", "UpdateDeploymentGroup") and said.get("serviceRoleArn"):
        yield "iam:PassRole", said["serviceRoleArn"], {"iam:passedtoservice": "codedeploy.amazonaws.com"}
    if call.operation == "CreateDeployment":
        configuration = said.get("deploymentConfigName") or group(call, named)["deploymentConfigName"]
        yield "codedeploy:GetDeploymentConfig", f"{here}deploymentconfig:{configuration}", {}
        yield "codedeploy:RegisterApplicationRevision", application, {}
        yield "codedeploy:GetApplicationRevision", application, {}

"""CodeDeploy for Lambda and alarms on errors, as AWS documents them. An emulated minute lasts a second."""

import hashlib
import io
import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from zipfile import ZipFile

import pytest
from botocore.exceptions import ClientError

from emulator import calls, codedeploy
from emulator.accounts import EmulatedAccounts

ACCOUNT, REGION = "222222222222", "us-east-1"
HANDLER = "def handle(event, context):\n    assert not {raises}\n    return context.function_version\n"
CANARY, LINEAR = (
    "CodeDeployDefault.LambdaCanary10Percent5Minutes",
    "CodeDeployDefault.LambdaLinear10PercentEvery1Minute",
)
EVERY = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]


def package(raises: bool) -> bytes:
    """Return the code of a function that answers with its version, or raises."""
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        archive.writestr("app.py", HANDLER.format(raises=raises))
    return content.getvalue()


class Shifted:
    """A function, a-function, whose alias live is at version 1; 2 answers too, 3 raises."""

    def __init__(self, world: EmulatedAccounts) -> None:
        self.world = world
        world.ask("pace", minute=0)  # what is made is there at once
        self.functions, self.deploy, self.alarms, iam, sns = (
            world.client(service, ACCOUNT, REGION)
            for service in ("lambda", "codedeploy", "cloudwatch", "iam", "sns")
        )
        roles = {}
        for service in "lambda", "codedeploy":
            statement = {
                "Effect": "Allow",
                "Principal": {"Service": f"{service}.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
            trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
            roles[service] = iam.create_role(RoleName=service, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        self.topic = sns.create_topic(Name="alerts")["TopicArn"]
        self.functions.create_function(
            FunctionName="a-function",
            Role=roles["lambda"],
            Runtime="python3.13",
            Handler="app.handle",
            Code={"ZipFile": package(raises=False)},
            Publish=True,
        )
        for number in 2, 3:
            self.functions.update_function_configuration(FunctionName="a-function", Description=f"{number}")
            self.functions.update_function_code(
                FunctionName="a-function", ZipFile=package(raises=number == 3)
            )
            self.functions.publish_version(FunctionName="a-function")
        self.functions.create_alias(FunctionName="a-function", Name="live", FunctionVersion="1")
        self.alarms.put_metric_alarm(
            AlarmName="errors",
            Namespace="AWS/Lambda",
            MetricName="Errors",
            Dimensions=[
                {"Name": "FunctionName", "Value": "a-function"},
                {"Name": "Resource", "Value": "a-function:live"},
            ],
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            ComparisonOperator="GreaterThanThreshold",
            Threshold=0,
            AlarmActions=[self.topic],
            OKActions=[self.topic],
        )
        self.role = roles["codedeploy"]
        self.deploy.create_application(applicationName="a-function", computePlatform="Lambda")
        self.group()
        world.ask("pace", minute=1)

    def group(self, configuration: str = CANARY, **facts: Any) -> None:
        """Make the deployment group, live, anew."""
        self.deploy.delete_deployment_group(applicationName="a-function", deploymentGroupName="live")
        self.deploy.create_deployment_group(
            **{
                "applicationName": "a-function",
                "deploymentGroupName": "live",
                "deploymentConfigName": configuration,
                "serviceRoleArn": self.role,
                "alarmConfiguration": {"enabled": True, "alarms": [{"name": "errors"}]},
                "autoRollbackConfiguration": {"enabled": True, "events": EVERY},
                **facts,
            }
        )

    def begin(self, target: str, current: str = "1", **facts: Any) -> str:
        """Begin a deployment."""
        properties = {"Name": "a-function", "Alias": "live", "CurrentVersion": current}
        function = {
            "Type": "AWS::Lambda::Function",
            "Properties": properties | {"TargetVersion": target},
        }
        content = json.dumps({"version": 0.0, "Resources": [{"a-function": function}]})
        revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": content, **facts}}
        begun: str = self.deploy.create_deployment(
            applicationName="a-function", deploymentGroupName="live", revision=revision
        )["deploymentId"]
        return begun

    def deployment(self, identifier: str) -> dict[str, Any]:
        found: dict[str, Any] = self.deploy.get_deployment(deploymentId=identifier)["deploymentInfo"]
        return found

    def ended(self, identifier: str) -> dict[str, Any]:
        """Return a deployment once it has ended."""
        while (found := self.deployment(identifier))["status"] in ("Created", "InProgress"):
            time.sleep(0.05)
        return found

    def rollback(self, done: dict[str, Any]) -> dict[str, Any]:
        """Return the rollback of a deployment that has ended, once it has ended too."""
        return self.ended(done["rollbackInfo"]["rollbackDeploymentId"])

    def alias(self) -> tuple[str, dict[str, float]]:
        """Return the version of the alias, and the weights of others."""
        found = self.functions.get_alias(FunctionName="a-function", Name="live")
        routing = found.get("RoutingConfig") or {}
        return found["FunctionVersion"], routing.get("AdditionalVersionWeights", {})

    def wait_for(self, *alias: Any) -> None:
        """Wait until the alias is as said."""
        while self.alias() != alias:
            time.sleep(0.02)

    def answers(self, number: int) -> Counter[str]:
        """Invoke the alias that often; return how often each version answered."""
        return Counter(
            self.functions.invoke(FunctionName="a-function", Qualifier="live")["ExecutedVersion"]
            for _ in range(number)
        )

    def state(self) -> str:
        (alarm,) = self.alarms.describe_alarms(AlarmNames=["errors"])["MetricAlarms"]
        return str(alarm["StateValue"])


@pytest.fixture(scope="module")
def origin(empty: EmulatedAccounts) -> Iterator[EmulatedAccounts]:
    with empty.fork() as world:
        Shifted(world)
        yield world


@pytest.fixture
def shifted(origin: EmulatedAccounts) -> Iterator[Shifted]:
    with origin.fork() as world:
        again = Shifted.__new__(Shifted)
        again.world = world
        again.functions, again.deploy, again.alarms = (
            world.client(service, ACCOUNT, REGION) for service in ("lambda", "codedeploy", "cloudwatch")
        )
        again.role = f"arn:aws:iam::{ACCOUNT}:role/codedeploy"
        yield again


# Deployments


def test_all_at_once_moves_the_alias_at_once(shifted: Shifted) -> None:
    shifted.group("CodeDeployDefault.LambdaAllAtOnce")

    done = shifted.ended(shifted.begin("2"))

    assert done["status"] == "Succeeded"
    assert shifted.alias() == ("2", {})


def test_a_canary_gets_a_tenth_of_the_traffic_and_then_all(shifted: Shifted) -> None:
    begun = shifted.begin("2")
    shifted.wait_for("1", {"2": 0.1})

    assert shifted.answers(20) == {"1": 18, "2": 2}
    assert shifted.ended(begun)["status"] == "Succeeded"
    assert shifted.alias() == ("2", {})


@pytest.mark.parametrize(
    ("configuration", "minutes"),
    [
        ("Linear10PercentEvery1Minute", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("Linear10PercentEvery10Minutes", [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]),
        ("Canary10Percent30Minutes", [0, 30]),
        ("AllAtOnce", [0]),
    ],
)
def test_a_configuration_says_when_traffic_moves(configuration: str, minutes: list[int]) -> None:
    steps = codedeploy.steps(f"CodeDeployDefault.Lambda{configuration}")

    assert [seconds / calls.PACE["minute"] for seconds, _ in steps] == minutes
    assert steps[-1][1] == 1


def test_a_linear_shift_goes_by_tenths(shifted: Shifted) -> None:
    shifted.group(LINEAR)
    shifted.begin("2")

    for share in 0.1, 0.2, 0.3:
        shifted.wait_for("1", {"2": pytest.approx(share)})


def test_errors_of_the_new_version_put_the_alias_back(shifted: Shifted) -> None:
    begun = shifted.begin("3")
    shifted.wait_for("1", {"3": 0.1})

    assert shifted.answers(10) == {"1": 9, "3": 1}
    assert shifted.state() == "ALARM"
    done = shifted.ended(begun)

    assert (done["status"], done["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert "Activated alarms: errors" in done["errorInformation"]["message"]
    rollback = shifted.rollback(done)
    assert (rollback["status"], rollback["creator"]) == ("Succeeded", "codeDeployRollback")
    assert shifted.alias() == ("1", {})


def test_without_automatic_rollback_the_alias_stays(shifted: Shifted) -> None:
    shifted.group(autoRollbackConfiguration={"enabled": False, "events": []})
    begun = shifted.begin("3")
    shifted.wait_for("1", {"3": 0.1})
    shifted.answers(10)

    assert shifted.ended(begun)["status"] == "Stopped"
    assert shifted.alias() == ("1", {"3": 0.1})


def test_alarms_that_are_not_watched_stop_nothing(shifted: Shifted) -> None:
    shifted.group(
        "CodeDeployDefault.LambdaAllAtOnce",
        alarmConfiguration={"enabled": False, "alarms": [{"name": "errors"}]},
    )
    shifted.functions.update_alias(FunctionName="a-function", Name="live", FunctionVersion="3")
    shifted.answers(1)

    assert shifted.ended(shifted.begin("2", current="3"))["status"] == "Succeeded"


def test_nothing_begins_while_an_alarm_is_on(shifted: Shifted) -> None:
    shifted.functions.update_alias(FunctionName="a-function", Name="live", FunctionVersion="3")
    shifted.answers(1)

    done = shifted.ended(shifted.begin("2", current="3"))

    assert done["errorInformation"]["code"] == "ALARM_ACTIVE"
    assert shifted.alias() == ("3", {})


def test_a_stopped_deployment_goes_back(shifted: Shifted) -> None:
    begun = shifted.begin("2")
    shifted.wait_for("1", {"2": 0.1})

    shifted.deploy.stop_deployment(deploymentId=begun)

    done = shifted.ended(begun)
    assert done["errorInformation"]["code"] == "MANUAL_STOP"
    assert shifted.rollback(done)["status"] == "Succeeded"
    assert shifted.alias() == ("1", {})
    with pytest.raises(ClientError, match="DeploymentAlreadyCompletedException"):
        shifted.deploy.stop_deployment(deploymentId=begun)


def test_a_rollback_is_a_deployment_of_its_own_that_moves_the_alias_later(shifted: Shifted) -> None:
    begun = shifted.begin("2")
    shifted.wait_for("1", {"2": 0.1})
    shifted.world.ask("pace", minute=3600)
    shifted.deploy.stop_deployment(deploymentId=begun, autoRollbackEnabled=True)

    done = shifted.ended(begun)
    rollback = done["rollbackInfo"]["rollbackDeploymentId"]

    assert (done["status"], shifted.alias()) == ("Stopped", ("1", {"2": 0.1}))
    group = {"applicationName": "a-function", "deploymentGroupName": "live"}
    assert shifted.deploy.list_deployments(**group)["deployments"] == [rollback, begun]
    later = {"start": shifted.deployment(rollback)["createTime"]}
    assert shifted.deploy.list_deployments(**group, createTimeRange=later)["deployments"] == [rollback]
    triggering = shifted.deployment(rollback)["rollbackInfo"]["rollbackTriggeringDeploymentId"]
    assert triggering == begun
    with pytest.raises(ClientError, match=f"already has an active Deployment '{rollback}'"):
        shifted.begin("2")

    shifted.world.ask("pace", minute=0)
    assert shifted.ended(rollback)["status"] == "Succeeded"
    assert shifted.alias() == ("1", {})


def test_a_group_has_one_deployment_at_a_time(shifted: Shifted) -> None:
    begun = shifted.begin("2")

    with pytest.raises(ClientError, match=f"already has an active Deployment '{begun}'"):
        shifted.begin("3")

    group = {"applicationName": "a-function", "deploymentGroupName": "live"}
    assert shifted.deploy.list_deployments(**group, includeOnlyStatuses=["InProgress", "Created"])[
        "deployments"
    ] == [begun]
    assert shifted.deploy.list_deployments(**group, includeOnlyStatuses=["Failed"])["deployments"] == []


def test_an_alias_that_has_moved_meanwhile_is_left_alone(shifted: Shifted) -> None:
    done = shifted.ended(shifted.begin("3", current="2"))

    assert (done["status"], done["errorInformation"]["code"]) == ("Failed", "INVALID_LAMBDA_CONFIGURATION")
    assert shifted.alias() == ("1", {})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"content": "Resources: ["}, "InvalidRevisionException"),
        ({"content": "version: 0.0"}, "InvalidRevisionException"),
        ({"sha256": hashlib.sha256(b"another").hexdigest()}, "InvalidRevisionException"),
    ],
)
def test_a_revision_that_cannot_be_read_is_refused(
    shifted: Shifted, changes: dict[str, str], code: str
) -> None:
    with pytest.raises(ClientError, match=code):
        shifted.begin("2", **changes)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"deploymentConfigName": "CodeDeployDefault.LambdaOften"}, "DeploymentConfigDoesNotExistException"),
        (
            {"deploymentConfigName": "CodeDeployDefault.LambdaLinear10PercentEvery1Minutes"},
            "DeploymentConfig",
        ),
    ],
)
def test_a_group_that_could_not_deploy_is_refused(shifted: Shifted, facts: dict[str, str], code: str) -> None:
    with pytest.raises(ClientError, match=code):
        shifted.group(**facts)


def test_codedeploy_moves_an_alias_by_its_role_alone(shifted: Shifted) -> None:
    shifted.world.ask("enforce")

    done = shifted.ended(shifted.begin("2"))

    assert (done["status"], done["errorInformation"]["code"]) == ("Failed", "IAM_ROLE_PERMISSIONS")
    assert "lambda:GetAlias" in done["errorInformation"]["message"]


@pytest.mark.parametrize(("name", "takes"), [("live", True), ("other", False)])
def test_codedeploy_takes_a_role_for_the_group_that_its_trust_names(
    shifted: Shifted, name: str, takes: bool
) -> None:
    """https://docs.aws.amazon.com/codedeploy/latest/userguide/security_confused_deputy.html."""
    group = f"arn:aws:codedeploy:{REGION}:{ACCOUNT}:deploymentgroup:a-function/{name}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "codedeploy.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": group}},
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam = shifted.world.client("iam", ACCOUNT, REGION)
    iam.update_assume_role_policy(RoleName="codedeploy", PolicyDocument=trust)
    shifted.world.ask("enforce")

    done = shifted.ended(shifted.begin("2"))

    # The role has no policies: once taken, what it does is refused.
    found = "IAM_ROLE_PERMISSIONS" if takes else "IAM_ROLE_MISSING"
    assert done["errorInformation"]["code"] == found


def test_codedeploy_assumes_no_role_that_does_not_trust_it(shifted: Shifted) -> None:
    shifted.group(serviceRoleArn=f"arn:aws:iam::{ACCOUNT}:role/lambda")
    shifted.world.ask("enforce")

    done = shifted.ended(shifted.begin("2"))

    assert (done["status"], done["errorInformation"]["code"]) == ("Failed", "IAM_ROLE_MISSING")


# Alarms


def test_an_alarm_goes_on_with_an_error_tells_and_goes_off_after_its_period(shifted: Shifted) -> None:
    shifted.answers(3)
    assert shifted.state() == "OK"

    shifted.functions.invoke(FunctionName="a-function", Qualifier="3")
    assert shifted.state() == "OK"  # not by the alias, which the alarm is about

    shifted.functions.update_alias(FunctionName="a-function", Name="live", FunctionVersion="3")
    shifted.answers(2)
    assert shifted.state() == "ALARM"
    deadline = time.monotonic() + 10
    while shifted.state() == "ALARM" and time.monotonic() < deadline:
        time.sleep(0.1)
    told = [json.loads(text) for text in shifted.world.ask("published", account=ACCOUNT)]
    assert [(message["AlarmName"], message["NewStateValue"]) for message in told] == [
        ("errors", "ALARM"),
        ("errors", "OK"),
    ]

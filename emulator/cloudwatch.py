"""CloudWatch: what it checks, and alarms on errors of functions."""

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

from emulator.calls import PACE, Call, claims, doc
from emulator.judge.checks import Asked, derived, reads
from emulator.sns import publish

# When what was invoked raised: by account, region and name, which may end with an @ and the executed version.
ERRORS: dict[tuple[str, str, str], list[float]] = defaultdict(list)


@reads("cloudwatch", rests=doc("service-authorization/latest/reference/list_amazoncloudwatch.html"))
def asked(call: Call, action: str) -> Asked:
    """Yield what CloudWatch checks."""
    said, prefix = call.parameters, f"arn:aws:cloudwatch:{call.region}:{call.account}:alarm:"
    if call.operation == "DescribeAlarms":
        yield action, f"{prefix}*", {}
    elif "ResourceARN" in said:
        yield action, said["ResourceARN"], {}
    elif "AlarmName" in said or "AlarmNames" in said:
        for name in said.get("AlarmNames") or [said["AlarmName"]]:
            yield action, prefix + name, {}
    else:
        yield from derived(call, action)
    if call.operation == "PutMetricAlarm" and said.get("Tags"):
        yield "cloudwatch:TagResource", prefix + said["AlarmName"], {}


def alarms_on_errors(account: str, region: str) -> Iterator[tuple[Any, str, float]]:
    """Yield the alarms on errors of functions: with the name that they watch, and for how many seconds."""
    for alarm in cloudwatch_backends[account][region].alarms.values():
        if (alarm.namespace, alarm.metric_name) == ("AWS/Lambda", "Errors"):
            dimensions = {dimension.name: dimension.value for dimension in alarm.dimensions}
            watched = str(dimensions.get("Resource", dimensions.get("FunctionName")))
            watched += f"@{dimensions['ExecutedVersion']}" if "ExecutedVersion" in dimensions else ""
            yield alarm, watched, alarm.period * alarm.evaluation_periods / 60 * PACE["minute"]


def count_error(account: str, region: str, function: str, qualifier: str, version: str) -> None:
    """Count an invocation that raised in a version; the alarms that watch for it go on.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics.html
    """
    invoked = f"{function}:{qualifier}".rstrip(":")
    for watched in {function, invoked, f"{invoked}@{version}"}:
        ERRORS[account, region, watched].append(time.monotonic())
    evaluate(account, region)


@claims(
    "cloudwatch sets alarms and tells of them",
    doc("AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html"),
)
def evaluate(account: str, region: str) -> None:
    """Set the alarms on errors as they are by now, and tell their actions' topics of those that change."""
    for alarm, watched, seconds in alarms_on_errors(account, region):
        times = ERRORS[account, region, watched]
        recent = sum(when > time.monotonic() - seconds for when in times)
        state = "ALARM" if recent > alarm.threshold else "OK"
        if state == alarm.state_value:
            continue
        reason = f"Threshold Crossed: {recent} errors, more than {alarm.threshold:g} in the last period."
        alarm.update_state(reason if state == "ALARM" else "Threshold no longer crossed.", "{}", state)
        message = {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.description,
            "AWSAccountId": account,
            "NewStateValue": state,
            "NewStateReason": alarm.state_reason,
        }
        for topic in alarm.alarm_actions if state == "ALARM" else alarm.ok_actions:
            service, text = "cloudwatch.amazonaws.com", json.dumps(message)
            publish(service, account, region, topic, text, source=alarm.alarm_arn)

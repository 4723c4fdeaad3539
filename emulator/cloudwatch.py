"""CloudWatch: what it checks, and alarms on what services count."""

import json
import time
from collections import defaultdict

from moto.cloudwatch.models import cloudwatch_backends

from emulator.calls import PACE, Call, claims, doc
from emulator.judge.checks import Asked, derived, reads
from emulator.sns import publish

# When something was counted: by account, region, namespace, metric and dimensions.
COUNTS: dict[tuple[str, str, str, str, frozenset[tuple[str, str]]], list[float]] = defaultdict(list)


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


def count_of_function(metric: str, account: str, region: str, invoked: str, version: str = "") -> None:
    """Count something of a function.

    invoked: its name, with the qualifier if there was one. version: the one that answered, if one has.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-view.html
    """
    of = {"FunctionName": invoked.partition(":")[0]}
    resource = {**of, "Resource": invoked}
    count(account, region, "AWS/Lambda", metric, of, resource, {**resource, "ExecutedVersion": version})


def count(account: str, region: str, namespace: str, metric: str, *dimensions: dict[str, str]) -> None:
    """Count something, under each of several dimensions; the alarms that watch for it go on."""
    for each in dimensions:
        COUNTS[account, region, namespace, metric, frozenset(each.items())].append(time.time())
    evaluate(account, region)


@claims(
    "cloudwatch sets alarms and tells of them",
    doc("AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html"),
)
def evaluate(account: str, region: str) -> None:
    """Set the alarms on what is counted as they are by now, and tell the topics of those that change."""
    for alarm in cloudwatch_backends[account][region].alarms.values():
        dimensions = frozenset((str(each.name), str(each.value)) for each in alarm.dimensions)
        times = COUNTS.get((account, region, alarm.namespace, alarm.metric_name, dimensions), [])
        seconds = alarm.period * alarm.evaluation_periods / 60 * PACE["minute"]
        recent = sum(when > time.time() - seconds for when in times)
        state = "ALARM" if recent > alarm.threshold else "OK"
        if state == alarm.state_value:
            continue
        reason = f"Threshold Crossed: {recent}, more than {alarm.threshold:g}, in the last period."
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

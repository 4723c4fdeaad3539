"""EventBridge: what it checks, and events given to rules and their targets. moto keeps the rules."""

import json
import re
import uuid
from datetime import UTC, datetime
from typing import Any

from moto.events.models import EventPattern, Rule, events_backends

from emulator import calls, cloudwatch, sqs
from emulator.calls import MODEL, TARGETS, Call, claims, doc, operation, to
from emulator.judge.checks import Asked, derived, reads

EVENTS = "events.amazonaws.com"


@reads("events", rests=doc("service-authorization/latest/reference/list_amazoneventbridge.html"))
def asked(call: Call, action: str) -> Asked:
    """Yield what EventBridge checks of rules and events."""
    said = call.parameters
    for entry in said.get("Entries", []):
        bus = f"arn:aws:events:{call.region}:{call.account}:event-bus/default"
        told = {"events:source": entry.get("Source"), "events:detail-type": entry.get("DetailType")}
        yield action, bus, told | {"events:eventbusinvocation": "false"}
    if "Entries" in said:
        return
    if not re.search("Rule|Target", call.operation):
        yield from derived(call, action)
        return
    arn = f"arn:aws:events:{call.region}:{call.account}:rule/{said.get('Rule') or said.get('Name') or '*'}"
    yield action, arn, {}
    for role in {target["RoleArn"] for target in said.get("Targets", []) if target.get("RoleArn")}:
        yield "iam:PassRole", role, {"iam:passedtoservice": "events.amazonaws.com"}
    if call.operation == "PutRule" and said.get("Tags"):
        yield "events:TagResource", arn, {}


@claims("events matches rules", doc("eventbridge/latest/userguide/eb-event-patterns.html"))
def emit(  # noqa: PLR0913
    account: str,
    region: str,
    source: str,
    detail_type: str,
    detail: dict[str, Any],
    *resources: str,
    time: datetime | None = None,
) -> str:
    """Give an event to the rules of an account's default bus, and what comes of it to their targets.

    resources: the ARNs of what it is about. Returns the event's id.
    """
    event: Any = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": f"{(time or datetime.now(UTC)).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": region,
        "resources": list(resources),
        "detail": detail,
    }
    for rule in list(events_backends[account][region].event_buses["default"].rules.values()):
        if rule.state == "ENABLED" and rule.event_pattern.matches_event(event):
            for target in rule.targets:
                deliver(account, region, target, rule, event)
    return str(event["id"])


@operation("events", "PutEvents", rests=doc("eventbridge/latest/APIReference/API_PutEvents.html"))
def put_events(call: Call) -> dict[str, Any]:
    """Emit events; say of each that lacks something what it lacks."""
    answers = []
    for entry in call.parameters["Entries"]:
        lacking = [name for name in ("Source", "DetailType", "Detail") if not entry.get(name)]
        if entry.get("EventBusName", "default").rpartition("/")[2] != "default":
            raise NotImplementedError(f"the event bus {entry['EventBusName']}")
        try:
            detail = json.loads(entry.get("Detail", "{}"))
        except ValueError:
            detail = None
        if lacking:
            why = f"Parameter {lacking[0]} is not valid. Reason: {lacking[0]} is a required argument."
            answers.append({"ErrorCode": "InvalidArgument", "ErrorMessage": why})
        elif not isinstance(detail, dict):
            answers.append({"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."})
        else:
            said = entry["Source"], entry["DetailType"], detail, *entry.get("Resources", [])
            answers.append({"EventId": emit(call.account, call.region, *said, time=entry.get("Time"))})
    return {"FailedEntryCount": sum("ErrorCode" in each for each in answers), "Entries": answers}


@claims("events keeps what it cannot deliver", doc("eventbridge/latest/userguide/eb-rule-dlq.html"))
def deliver(account: str, region: str, target: dict[str, Any], rule: Rule, event: dict[str, Any]) -> None:
    """Give an event to a target; what cannot be delivered goes to its dead-letter queue, else it is lost.

    It is not tried again: nothing here fails for a while and then does not.
    """
    service = target["Arn"].split(":")[2]
    if service not in TARGETS:
        raise NotImplementedError(f"events to {target['Arn']}")
    why = TARGETS[service](account, region, target, rule, transformed(event, target))
    queue = target.get("DeadLetterConfig", {}).get("Arn")
    if why and queue:
        told = {"RULE_ARN": rule.arn, "TARGET_ARN": target["Arn"], "ERROR_MESSAGE": why}
        if sqs.send(EVENTS, queue, json.dumps(event), told, source=rule.arn):
            of_rule = {"RuleName": rule.name}
            cloudwatch.count(account, region, "AWS/Events", "InvocationsFailedToBeSentToDlq", of_rule)


@to("lambda", rests=doc("eventbridge/latest/userguide/eb-use-resource-based.html"))
def invoke(account: str, region: str, target: dict[str, Any], rule: Rule, message: str) -> str | None:
    """Have the function that is a rule's target invoked."""
    refusal = calls.invoke(EVENTS, target["Arn"], json.loads(message), source=rule.arn)
    return str(refusal.message) if refusal else None


@claims(
    "events transforms what a target is given",
    doc("eventbridge/latest/userguide/eb-transform-target-input.html"),
)
def transformed(event: dict[str, Any], target: dict[str, Any]) -> str:
    """Return what a target is given of an event."""
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


@operation("events", "TestEventPattern", rests=MODEL)
def test_event_pattern(call: Call) -> dict[str, Any]:
    """Say whether a pattern matches an event. AWS does, moto says nothing."""
    pattern, event = EventPattern.load(call.parameters["EventPattern"]), json.loads(call.parameters["Event"])
    return {"Result": bool(pattern.matches_event(event))}

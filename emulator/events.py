"""EventBridge: what it checks, and events given to rules and their targets. moto keeps the rules."""

import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from moto.events.models import EventPattern, Rule, events_backends
from moto.sqs.models import sqs_backends

from emulator import calls
from emulator.calls import MISSING, MODEL, Basis, Call, claims, doc, operation
from emulator.judge.checks import Asked, derived, reads

# Gives a message to a target of a rule: account, region, target, rule, message; returns why it could not.
Deliver = Callable[[str, str, dict[str, Any], Rule, str], str | None]

TARGETS: dict[str, Deliver] = {}  # by service


def to(service: str, *, rests: Basis = MISSING) -> Callable[[Deliver], Deliver]:
    """Deliver messages to targets of a service by the decorated function."""

    def register(deliver: Deliver) -> Deliver:
        TARGETS[service] = claims(f"events delivers to {service}", rests)(deliver)
        return deliver

    return register


@reads("events", rests=doc("service-authorization/latest/reference/list_amazoneventbridge.html"))
def asked(call: Call, action: str) -> Asked:
    """Yield what EventBridge checks of rules."""
    said = call.parameters
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
def emit(
    account: str, region: str, source: str, detail_type: str, detail: dict[str, Any], *resources: str
) -> None:
    """Give an event to the rules of an account's default bus, and what comes of it to their targets.

    resources: the ARNs of what it is about.
    """
    event: Any = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": region,
        "resources": list(resources),
        "detail": detail,
    }
    for rule in list(events_backends[account][region].event_buses["default"].rules.values()):
        if rule.state == "ENABLED" and rule.event_pattern.matches_event(event):
            for target in rule.targets:
                deliver(account, region, target, rule, event)


@claims("events keeps what it cannot deliver", doc("eventbridge/latest/userguide/eb-rule-dlq.html"))
def deliver(account: str, region: str, target: dict[str, Any], rule: Rule, event: dict[str, Any]) -> None:
    """Give an event to a target; what cannot be delivered goes to its dead-letter queue, else it is lost."""
    service = target["Arn"].split(":")[2]
    if service not in TARGETS:
        raise NotImplementedError(f"events to {target['Arn']}")
    why = TARGETS[service](account, region, target, rule, transformed(event, target))
    queue = target.get("DeadLetterConfig", {}).get("Arn")
    if why and queue:
        sends = [("sqs:SendMessage", queue)]
        if calls.act("events.amazonaws.com", account, region, sends, source=rule.arn) is None:
            queues, error = sqs_backends[account][region], {"DataType": "String", "StringValue": why}
            queues.send_message(queue.split(":")[5], json.dumps(event), {"ERROR_MESSAGE": error})


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

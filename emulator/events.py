"""EventBridge: what it checks, and events given to rules and their targets. moto keeps the rules."""

import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from moto.events.models import EventPattern, Rule, events_backends

from emulator.calls import MISSING, MODEL, Basis, Call, claims, doc, operation
from emulator.judge.checks import Asked, derived, reads

# Gives a message to a target of a rule: account, region, target, rule, message.
Deliver = Callable[[str, str, dict[str, Any], Rule, str], None]

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
    """Give an event to a target; EventBridge drops what it may not deliver."""
    service = target["Arn"].split(":")[2]
    if service not in TARGETS:
        raise NotImplementedError(f"events to {target['Arn']}")
    TARGETS[service](account, region, target, rule, transformed(event, target))


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

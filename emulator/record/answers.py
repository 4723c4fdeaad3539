"""What was answered: run, kept in files, and compared."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jmespath

from emulator.record.scenarios import SCENARIOS, STRICTER
from emulator.record.scratch import NAME, Place, Scratch

RECORDED = Path(__file__).parents[2] / "tests/emulator/recorded"
LISTS = {  # of what scenarios make, by service and operation: parameters, and the names in the answer
    ("codebuild", "list_projects"): ({}, "projects[]"),
    ("codebuild", "list_report_groups"): ({}, "reportGroups[]"),
    ("codedeploy", "list_applications"): ({}, "applications[]"),
    ("codepipeline", "list_pipelines"): ({}, "pipelines[].name"),
    ("codestar-connections", "list_connections"): ({}, "Connections[].ConnectionName"),
    ("events", "list_rules"): ({}, "Rules[].Name"),
    ("iam", "list_policies"): ({"Scope": "Local"}, "Policies[].Arn"),
    ("iam", "list_roles"): ({}, "Roles[].Arn"),
    ("kms", "list_aliases"): ({}, "Aliases[].AliasName"),
    ("lambda", "list_functions"): ({}, "Functions[].FunctionName"),
    ("logs", "describe_log_groups"): ({}, "logGroups[].logGroupName"),
    ("s3", "list_buckets"): ({}, "Buckets[].Name"),
    ("sns", "list_topics"): ({}, "Topics[].TopicArn"),
    ("sqs", "list_queues"): ({}, "QueueUrls[]"),
}
NOTHING = object()


@dataclass(frozen=True)
class Difference:
    """Where two answers differ: at which step, where in its answer, what AWS says and what the emulator."""

    step: str
    where: str
    aws: Any
    emulated: Any
    wrong: bool

    def __str__(self) -> str:
        """Return a line that shows it."""
        aws, emulated = ("nothing" if v is NOTHING else json.dumps(v) for v in (self.aws, self.emulated))
        mark = "!" if self.wrong else " "
        return f"{mark} {self.step}: {self.where or 'answer'}: AWS {aws}, emulator {emulated}"


def run(name: str, place: Place) -> dict[str, Any]:
    """Run a scenario and return what was answered, as a file keeps it. Raises what keeps it from its end."""
    with Scratch(place) as scratch:
        SCENARIOS[name](scratch)
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    return {"scenario": name, "date": day, "region": place.region, "steps": scratch.steps}


def left(place: Place) -> list[str]:
    """Return the names of whatever scenarios have ever made in an account that is still there."""
    found = []
    for (service, operation), (parameters, names) in LISTS.items():
        client = place.connect(service)
        if client.can_paginate(operation):
            listed: Iterable[Any] = client.get_paginator(operation).paginate(**parameters).search(names)
        else:
            listed = jmespath.search(names, getattr(client, operation)(**parameters))
        found += [f"{service}: {name}" for name in listed or [] if NAME in str(name)]
    return found


def differences(aws: dict[str, Any], emulated: dict[str, Any]) -> Iterator[Difference]:
    """Yield where the emulator answers otherwise than AWS did.

    Wrong is what the emulator says otherwise, not what it leaves out or says in other words; nor is it wrong
    to refuse on purpose what AWS does.
    """
    there = {step["step"]: step["answer"] for step in emulated["steps"]}
    for step in aws["steps"]:
        name = f"{aws['scenario']}: {step['step']}"
        for where, theirs, ours in unequal(step["answer"], there.pop(step["step"], NOTHING), ""):
            left_out = ours is NOTHING and where != ""
            wrong = not (left_out or name in STRICTER or where == "Error.Message")
            yield Difference(name, where, theirs, ours, wrong)
    for step, ours in there.items():
        yield Difference(f"{aws['scenario']}: {step}", "", NOTHING, ours, True)


def unequal(aws: Any, emulated: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield where two values differ."""
    if isinstance(aws, dict) and isinstance(emulated, dict):
        for key in sorted({*aws, *emulated}):
            inside = f"{where}.{key}".lstrip(".")
            yield from unequal(aws.get(key, NOTHING), emulated.get(key, NOTHING), inside)
    elif isinstance(aws, list) and isinstance(emulated, list) and len(aws) == len(emulated):
        for number, (one, other) in enumerate(zip(aws, emulated, strict=True)):
            yield from unequal(one, other, f"{where}[{number}]")
    elif aws != emulated:
        yield where, aws, emulated

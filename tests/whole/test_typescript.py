"""A function in TypeScript goes to production as one in Python does, whatever invokes it."""

import json
from pathlib import Path
from typing import Any

import pytest

from emulator.accounts import EmulatedAccounts
from tests.conftest import in_production, needs
from tests.worlds import PROD, REGION, Rehearsed

# By trigger: what becomes of the sample events that are sent, and what is answered to greeting.json.
ENDS: dict[str, tuple[dict[str, str], Any]] = {
    "none": ({}, {"message": "Hola, Ada!"}),
    "http": (
        {"greeting": "answered 200", "bad": "answered 400"},
        {
            "statusCode": 200,
            "headers": {"content-type": "application/json"},
            "body": '{"message":"Hola, Ada!"}',
        },
    ),
    "sqs": (
        {"greeting": "handled", "bad": "in hello-typed-sqs-failures after 5 tries"},
        {"batchItemFailures": []},
    ),
}


@pytest.fixture(scope="session", params=ENDS)
def typed(request: pytest.FixtureRequest, founded: EmulatedAccounts, shared: Path) -> Rehearsed:
    """The default accounts with a function in TypeScript in production."""
    needs("npm")
    answers = {"function_name": f"hello-typed-{request.param}", "trigger": request.param}
    return in_production(founded, shared, runtime="nodejs22.x", **answers)


def test_it_is_built_tested_and_promoted_and_runs_under_node_in_production(typed: Rehearsed) -> None:
    sent, answered = ENDS[typed.result.function.removeprefix("hello-typed-")]
    build, *_ = (run for run in typed.result.runs if run.stage == "Build")
    rows = [(environment, *end) for environment in ("dev", "stage", "prod") for end in sent.items()]

    assert typed.result.problem == ""
    assert typed.result.denied == []
    assert all(note.startswith("took ") for note in build.notes), build.notes  # none of another Node.js
    assert "tests: " in build.message
    assert " 0 failures" in build.message
    assert typed.result.sent == rows
    functions = typed.world.client("lambda", PROD["id"], REGION)
    event = (typed.repository / "events/greeting.json").read_bytes()
    answer = functions.invoke(FunctionName=typed.result.function, Qualifier="live", Payload=event)
    assert json.load(answer["Payload"]) == answered

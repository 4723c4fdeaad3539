"""A function in TypeScript goes to production as one in Python does, whatever invokes it."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.accounts import EmulatedAccounts
from emulator.interpreters import interpreter
from tests.conftest import in_production, needs
from tests.worlds import DEV, PROD, REGION, STAGE, TOOL, People, Rehearsed, World, heard

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


@pytest.mark.parametrize("typed", ["none"], indirect=True)
def test_a_second_release_is_another_bundle(typed: Rehearsed) -> None:
    updated = {call.account for call in typed.result.journal if call.operation == "UpdateFunctionCode"}

    assert {run.status for run in typed.result.again} == {"Succeeded"}
    assert updated == {each["id"] for each in (DEV, STAGE, PROD)}


# The developer's loop


MAKE = ("make", f"TOOL={TOOL}", "NAME=ada")


@pytest.fixture
def ada(typed: Rehearsed, tmp_path: Path) -> Iterator[People]:
    """A developer with a clone of the repository and a sandbox."""
    with typed.world.fork() as accounts:
        developer = People(World(typed, accounts, tmp_path))
        node, npm = interpreter("nodejs", "22").path.parent, ["npm", "config", "get", "cache"]
        cache = subprocess.run(npm, capture_output=True, text=True, check=True).stdout.strip()
        developer.variables |= {
            "NPM_CONFIG_CACHE": cache,
            "PATH": f"{node}{os.pathsep}{developer.variables['PATH']}",
        }
        developer(*MAKE, "sandbox")
        yield developer


@pytest.mark.parametrize("typed", ["none"], indirect=True)
def test_a_developer_verifies_syncs_and_watches_it_in_a_sandbox(ada: People) -> None:
    def edit(old: str, new: str, *files: str) -> None:
        for file in files:
            path = ada.folder / file
            path.write_text(path.read_text().replace(old, new))

    assert "pass 1" in ada(*MAKE, "verify")
    edit("Hola", "Buenas", "src/greeting.ts", "tests/handler.test.ts")
    ada(*MAKE, "sync")
    assert "Buenas, Ada!" in ada(*MAKE, "invoke")
    with subprocess.Popen(
        [*MAKE, "watch"],
        cwd=ada.folder,
        env=ada.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as watch:
        heard(watch, "on disk: tests ")
        edit("Buenas", "Saludos", "src/greeting.ts", "tests/handler.test.ts")
        heard(watch, ", sync ")
        os.killpg(watch.pid, signal.SIGINT)
    assert "Saludos, Ada!" in ada(*MAKE, "invoke")

"""What operations do where AWS is slow, busy or late, and how much they ask of it."""

import runpy
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import islice
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from tests.conftest import Bake
from tests.worlds import TEMPLATE

Operations = Callable[[str], Any]
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
CLOCK = {"ResponseMetadata": {"HTTPHeaders": {"date": "Wed, 25 Nov 2026 12:00:00 GMT"}}}


@pytest.fixture
def operations(bake: Bake, monkeypatch: pytest.MonkeyPatch) -> Operations:
    """Return a module of operations, by its name, as it is in a generated repository."""
    monkeypatch.chdir(bake())
    for name in [name for name in sys.modules if name.split(".")[0] == "operations"]:
        monkeypatch.delitem(sys.modules, name)
    return lambda name: import_module(f"operations.{name}")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits, but how long is kept."""
    kept: list[float] = []
    monkeypatch.setattr(time, "sleep", kept.append)
    return kept


def stubbed(service: str) -> tuple[Any, Stubber]:
    """Return a client that answers what a test says, and refuses what the API would."""
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    client = botocore.session.Session().create_client(service, region_name="eu-central-1", **keys)
    stubber = Stubber(client)
    stubber.activate()
    return client, stubber


def event(name: str, seconds: float) -> dict[str, Any]:
    """Return a line of a log, so many seconds from now."""
    return {"eventId": name, "timestamp": int((NOW.timestamp() + seconds) * 1000), "message": f"{name}\n"}


def since(seconds: float) -> dict[str, Any]:
    """Return how a sandbox's log is asked for what came since so many seconds from now."""
    return {"logGroupName": "/aws/lambda/f", "startTime": int((NOW.timestamp() + seconds) * 1000)}


# What is not there


@pytest.mark.parametrize(
    ("code", "listed", "missing"),
    [
        ("AccessDeniedException", ["g"], True),
        ("AccessDeniedException", ["g", "hello-lambda"], False),
        ("PipelineNotFoundException", None, True),
        ("ThrottlingException", None, False),
    ],
)
def test_who_is_denied_what_is_not_there_is_told_by_the_list_that_it_is_not(
    operations: Operations, code: str, listed: list[str] | None, missing: bool
) -> None:
    client, pipelines = stubbed("codepipeline")
    if listed:
        pipelines.add_response("list_pipelines", {"pipelines": [{"name": name} for name in listed]})
    error = ClientError({"Error": {"Code": code}}, "GetPipelineState")
    listing = (client, "list_pipelines", "pipelines[].name")

    assert operations("accounts").is_missing(error, "hello-lambda", *listing) is missing
    pipelines.assert_no_pending_responses()


# The log


def test_a_log_that_many_read_is_read_less_often(operations: Operations, pauses: list[float]) -> None:
    client, logs = stubbed("logs")
    logs.add_response("filter_log_events", {"events": [], **CLOCK})
    for _ in range(2):
        logs.add_client_error("filter_log_events", "ThrottlingException", "Rate exceeded")
    logs.add_response("filter_log_events", {"events": [event("one", 1)]}, since(-600))
    logs.add_response("filter_log_events", {"events": [event("two", 2)]}, since(-29))

    assert list(islice(operations("logs").Log(client, "f", 600).follow(), 2)) == ["one", "two"]
    assert pauses == [4, 8, 2]


def test_a_wrong_clock_of_ours_hides_no_line(
    operations: Operations, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW.timestamp() + 240)
    client, logs = stubbed("logs")
    logs.add_response("filter_log_events", {"events": [], **CLOCK})
    logs.add_response("filter_log_events", {"events": [event("one", 1)]}, since(0))

    assert next(operations("logs").Log(client, "f", 0).follow()) == "one"


def test_what_is_logged_while_a_watched_log_cannot_be_read_is_shown_afterwards(
    operations: Operations, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client, logs = stubbed("logs")
    logs.add_response("filter_log_events", {"events": [], **CLOCK})
    logs.add_response("filter_log_events", {"events": [event("one", 1)]}, since(0))
    logs.add_client_error("filter_log_events", "ServiceUnavailableException", "Gone for a minute")
    logs.add_response("filter_log_events", {"events": [event("one", 1), event("two", 9)]}, since(0))
    waits = iter([None, None])

    def wait(_: float) -> None:
        if next(waits, "over"):
            raise InterruptedError

    monkeypatch.setattr(time, "sleep", wait)
    with pytest.raises(InterruptedError):
        operations("watch").show(operations("logs").Log(client, "f", 0))

    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if not line.startswith("log: ")] == ["one", "two"]
    assert "Gone for a minute" in said[1]


# Functions


def test_an_update_is_looked_at_at_once_and_then_ever_less_often(
    operations: Operations, pauses: list[float]
) -> None:
    client, functions = stubbed("lambda")
    functions.add_response("update_function_code", {"LastUpdateStatus": "InProgress"})
    for _ in range(6):
        functions.add_response("get_function_configuration", {"LastUpdateStatus": "InProgress"})
    functions.add_response("get_function_configuration", {"LastUpdateStatus": "Successful"})

    operations("sandbox").Sandbox("ada").sync(client, b"package")

    assert pauses == [0, 0.1, 0.2, 0.4, 0.8, 1, 1]


def test_a_sandbox_of_any_commit_has_a_description_that_lambda_takes() -> None:
    release = runpy.run_path(str(TEMPLATE / "{{cookiecutter.function_name}}/scripts/release.py"))

    summary = release["summary"]("0" * 40, "subject" * 100, "author" * 100)

    assert len(f"changed {summary}") == 256


# Environments


def test_profiles_that_ask_for_a_code_ask_one_after_the_other(
    operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, threads = operations("status"), []
    missing = ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetAlias")

    class Entered:
        """A session; whoever is first to need its credentials is asked for a code."""

        def __init__(self) -> None:
            self.credentials: Any = None

        def get_credentials(self) -> Any:
            if not self.credentials:
                threads.append(threading.current_thread())
                self.credentials = SimpleNamespace(access_key="x", secret_key="x", token="x")  # noqa: S106
            return SimpleNamespace(get_frozen_credentials=lambda: self.credentials)

        def create_client(self, *_: Any, **__: Any) -> Any:
            def call(**_: Any) -> Any:
                self.get_credentials()
                raise missing

            return SimpleNamespace(get_alias=call, get_pipeline_state=call)

    sessions = {name: Entered() for name in ("dev", "stage", "prod")}
    monkeypatch.setattr(operations("accounts"), "session", lambda name, _: sessions[name])

    assert status.main("", as_json=True) == 0
    assert threads == [threading.main_thread()] * 3


# Going back


@pytest.fixture
def rollback(
    operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Any, dict[str, Any], dict[str, Stubber]]]:
    """Whoever is about to go back in production, where version 2 answers; with clients and their stubs."""
    clients, stubs = {}, {}
    for service in "lambda", "codedeploy":
        clients[service], stubs[service] = stubbed(service)
    monkeypatch.setattr(operations("accounts"), "client", lambda service, *_: clients[service])
    stubs["lambda"].add_response("get_alias", {"FunctionVersion": "2"})
    yield operations("rollback").Rollback, clients, stubs
    for stub in stubs.values():
        stub.assert_no_pending_responses()


def version(number: str, revision: str) -> dict[str, Any]:
    return {
        "Version": number,
        "Description": f"{revision} A change (Ada)",
        "LastModified": f"2026-11-2{number}T12:00:00.000+0000",
        "CodeSha256": "",
    }


def shift(name: str, status: str, **also: Any) -> dict[str, Any]:
    return {"deploymentInfo": {"deploymentId": name, "status": status, **also}}


def test_going_back_waits_until_codedeploy_has_gone_back_itself(rollback: Any, pauses: list[float]) -> None:
    begin, _, stubs = rollback
    functions, deployments = stubs["lambda"], stubs["codedeploy"]
    deployments.add_response("list_deployments", {"deployments": ["d-1"]})
    functions.add_response("list_versions_by_function", {"Versions": []})
    deployments.add_response("get_deployment", shift("d-1", "InProgress"))
    deployments.add_response("stop_deployment", {"status": "Pending"})
    deployments.add_response("get_deployment", shift("d-1", "InProgress"))
    deployments.add_response("get_deployment", shift("d-1", "Stopped"))
    # It is told of its own deployment a little later; until then callers still get both versions.
    functions.add_response("get_alias", {"RoutingConfig": {"AdditionalVersionWeights": {"3": 0.1}}})
    told = {"rollbackInfo": {"rollbackDeploymentId": "d-2"}}
    deployments.add_response("get_deployment", shift("d-1", "Stopped", **told))
    deployments.add_response("get_deployment", shift("d-2", "InProgress"), {"deploymentId": "d-2"})
    deployments.add_response("get_deployment", shift("d-2", "Succeeded"), {"deploymentId": "d-2"})

    begin("prod").stop()

    assert len(pauses) == 3


def test_a_shift_that_had_moved_nothing_leaves_nothing_to_wait_for(
    rollback: Any, pauses: list[float]
) -> None:
    begin, _, stubs = rollback
    stubs["codedeploy"].add_response("list_deployments", {"deployments": ["d-1"]})
    stubs["lambda"].add_response("list_versions_by_function", {"Versions": []})
    stubs["codedeploy"].add_response("get_deployment", shift("d-1", "InProgress"))
    stubs["codedeploy"].add_response("stop_deployment", {"status": "Succeeded"})
    stubs["codedeploy"].add_response("get_deployment", shift("d-1", "Stopped"))
    stubs["lambda"].add_response("get_alias", {"FunctionVersion": "2"})

    begin("prod").stop()

    assert pauses == []


def test_codedeploy_s_own_way_back_is_waited_for_and_not_stopped(rollback: Any, pauses: list[float]) -> None:
    begin, _, stubs = rollback
    stubs["codedeploy"].add_response("list_deployments", {"deployments": ["d-2"]})
    stubs["lambda"].add_response("list_versions_by_function", {"Versions": []})
    for status in "InProgress", "InProgress", "Succeeded":
        own = shift("d-2", status, creator="codeDeployRollback")
        stubs["codedeploy"].add_response("get_deployment", own)
    stubs["lambda"].add_response("get_alias", {"FunctionVersion": "2"})

    begin("prod").stop()

    assert len(pauses) == 1


def test_what_answered_before_is_looked_for_among_the_shifts_since_this_version_was_there(
    rollback: Any,
) -> None:
    begin, _, stubs = rollback
    place = {"applicationName": "hello-lambda", "deploymentGroupName": "live"}
    stubs["codedeploy"].add_response("list_deployments", {"deployments": []})
    versions = {"Versions": [version("1", "1" * 12), version("2", "2" * 12)]}
    stubs["lambda"].add_response("list_versions_by_function", versions)
    stubs["codedeploy"].add_response(
        "list_deployments",
        {"deployments": ["d-1"]},
        {
            **place,
            "includeOnlyStatuses": ["Succeeded"],
            "createTimeRange": {"start": datetime(2026, 11, 22, 12, tzinfo=UTC)},
        },
    )
    done = {"description": "from 1 to 2", "creator": "user", "createTime": NOW}
    stubs["codedeploy"].add_response("batch_get_deployments", {"deploymentsInfo": [done]})

    assert begin("prod").before().version == "1"


class Store:
    """A bucket of packages, one a day, the latest of today; asked: for which of them."""

    def __init__(self, count: int) -> None:
        self.keys = [f"releases/hello-lambda/{number:064x}.zip" for number in range(count)]
        self.asked: list[str] = []

    def get_paginator(self, _: str) -> "Store":
        return self

    def paginate(self, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        found = sorted(key for key in self.keys if key.startswith(Prefix))
        yield {"Contents": [{"Key": key, "LastModified": self.date(key)} for key in found]}

    def date(self, key: str) -> datetime:
        return NOW - timedelta(days=self.keys.index(key))

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        self.asked.append(Key)
        revision = f"{self.keys.index(Key):012}"
        return {"Metadata": {"revision": revision, "summary": ""}, "LastModified": self.date(Key)}


def test_of_a_thousand_packages_those_alone_are_asked_that_it_takes(rollback: Any) -> None:
    begin, clients, stubs = rollback
    stubs["codedeploy"].add_response("list_deployments", {"deployments": []})
    stubs["lambda"].add_response("list_versions_by_function", {"Versions": []})
    clients["s3"] = store = Store(1000)
    back = begin("prod")

    assert back.revision(f"{20:012}").sha256 == f"{20:064x}"
    assert len(store.asked) == 32

    store.asked.clear()
    assert [package.revision for package in back.stored(f"{999:064x}")] == [f"{999:012}"]
    assert len(store.asked) == 1


def test_a_revision_by_which_two_packages_begin_is_refused(rollback: Any) -> None:
    begin, clients, stubs = rollback
    stubs["codedeploy"].add_response("list_deployments", {"deployments": []})
    stubs["lambda"].add_response("list_versions_by_function", {"Versions": []})
    clients["s3"] = Store(20)

    with pytest.raises(SystemExit, match="more than one revision begins so"):
        begin("prod").revision("0000000000")


def test_of_a_thousand_packages_the_latest_are_listed(rollback: Any, operations: Operations) -> None:
    _, clients, stubs = rollback
    clients["s3"] = store = Store(1000)
    stubs["lambda"].add_response("list_versions_by_function", {"Versions": [version("2", f"{3:012}")]})
    clients["lambda"].get_alias(FunctionName="hello-lambda", Name="live")

    found = operations("releases").find("prod")

    assert [release.revision for release in found[:5]] == [f"{number:012}" for number in (3, 0, 1, 2, 4)]
    assert len(found) == 21
    assert len(store.asked) == 32

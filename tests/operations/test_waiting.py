"""What operations do where AWS is slow, busy or late, and how much they ask of it."""

import json
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
from unittest.mock import ANY

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from tests.conftest import Bake
from tests.worlds import TEMPLATE

Operations = Callable[[str], Any]
EXECUTION = "7c0f0a7e-54d1-4a3a-9d35-6a2a0e3d0f6b"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
BACK, NOW_1 = "taken back", {"1": "answers"}
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
    here, sleep = threading.current_thread(), time.sleep  # an emulator beside it goes on

    def pause(seconds: float) -> None:
        if threading.current_thread() is here:
            kept.append(seconds)
        else:
            sleep(seconds)

    monkeypatch.setattr(time, "sleep", pause)
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


# A pipeline


@pytest.mark.parametrize(
    ("environment", "deployed", "where"),
    [("prod", "", "no release yet"), ("prod", "Succeeded", "Source failed"), ("dev", "", "Source failed")],
)
def test_a_new_pipeline_to_which_nothing_was_promoted_has_not_failed(
    operations: Operations, monkeypatch: pytest.MonkeyPatch, environment: str, deployed: str, where: str
) -> None:
    client, pipelines = stubbed("codepipeline")
    monkeypatch.setattr(operations("accounts"), "client", lambda *_: client)
    source = {"actionName": "Source", "latestExecution": {"status": "Failed", "lastStatusChange": NOW}}
    stages: list[dict[str, Any]] = [
        {
            "stageName": "Source",
            "actionStates": [source],
            "latestExecution": {"pipelineExecutionId": EXECUTION, "status": "Failed"},
        },
        {"stageName": "Deploy", "actionStates": []},
    ]
    if deployed:
        stages[1]["latestExecution"] = {"pipelineExecutionId": EXECUTION, "status": deployed}
    pipelines.add_response("get_pipeline_state", {"stageStates": stages})
    pipelines.add_response("get_pipeline_execution", {"pipelineExecution": {}})

    found = operations("pipeline").Pipeline(environment, "reader")

    assert found.where() == where
    assert [stop.stage for stop in found.stops()] == ([] if where == "no release yet" else ["Source"])


def test_who_is_told_that_what_answers_has_failed_is_told_how_to_go_back(operations: Operations) -> None:
    status, stop = operations("status"), operations("pipeline").Stop
    stops = [
        stop(stage, False, NOW.isoformat(), EXECUTION, "1a2b Commit", "", "")
        for stage in ("Deploy", "Verify")
    ]

    _, of_deploy, _, of_verify, back = status.more(status.Runs("stage", stops=stops))

    assert of_deploy == of_verify
    assert back == "  until then it answers callers; make rollback ENV=stage goes back"


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (["", "Error: creating Alarm: Denied", "", "  on alarms.tf line 9"], "Error: creating Alarm: Denied"),
        (["E  assert 0", "FAILED test_x.py - assert 0", "1 failed"], "FAILED test_x.py - assert 0"),
        (["{}", "Version 3 failed its check", "make[1]: *** [x] Error 1"], "Version 3 failed its check"),
        (["Error: local-exec provisioner", "x: Version 1 failed its check and gets no traffic: E"],
         "Version 1 failed its check and gets no traffic: E"),
        ([], ""),
    ],
)  # fmt: skip
def test_of_a_build_s_log_the_line_is_shown_that_says_why_it_failed(
    operations: Operations, said: list[str], cause: str
) -> None:
    begins, ends = "[Container] 2026/11/26 08:00:00 ", "Command did not exit successfully x exit status 1"
    before = [f"{begins}Running command echo Error: not this", "Error: not this"]
    after = [f"{begins}Phase complete: BUILD State: FAILED", f"{begins}Running command y", "Error: nor this"]
    log = [*before, f"{begins}Running command x", *said, f"{begins}{ends}", *after]

    assert operations("pipeline").why(log) == cause


# The log


def test_a_log_that_many_read_is_read_less_often(operations: Operations, pauses: list[float]) -> None:
    client, logs = stubbed("logs")
    logs.add_response("filter_log_events", {"events": [], **CLOCK})
    for _ in range(2):
        logs.add_client_error("filter_log_events", "ThrottlingException", "Rate exceeded")
    logs.add_response("filter_log_events", {"events": [event("one", 1)]}, since(-600))
    logs.add_response("filter_log_events", {"events": [event("two", 2)]}, since(-29))

    assert list(islice(operations("logs").Log(client, "f", 600, raw=True).follow(), 2)) == ["one", "two"]
    assert pauses == [4, 8, 2]


def test_a_wrong_clock_of_ours_hides_no_line(
    operations: Operations, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW.timestamp() + 240)
    client, logs = stubbed("logs")
    logs.add_response("filter_log_events", {"events": [], **CLOCK})
    logs.add_response("filter_log_events", {"events": [event("one", 1)]}, since(0))

    assert next(operations("logs").Log(client, "f", 0, raw=True).follow()) == "one"


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
        operations("watch").show(operations("logs").Log(client, "f", 0, raw=True))

    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if " log: " not in line] == ["one", "two"]
    assert "Gone for a minute" in said[1]


def test_lines_of_several_streams_are_in_order_of_time(operations: Operations) -> None:
    client, logs = stubbed("logs")
    logs.add_response("filter_log_events", {"events": [], **CLOCK})
    logs.add_response("filter_log_events", {"events": [event("two", 2), event("one", 1)]})

    assert list(operations("logs").Log(client, "f", 0).news()) == ["12:00:01.000 one", "12:00:02.000 two"]


OF_POWERTOOLS = {
    "level": "INFO",
    "location": "handle:40",
    "message": "greeted",
    "timestamp": "2026-11-26 09:40:00,123+0100",
    "service": "hello-lambda",
    "function_request_id": "1a2b3c4d-5e6f",
    "language": "en",
    "text": "two words",
}
OF_RUNTIME = {
    "timestamp": "2026-11-26T08:40:00Z",
    "level": "ERROR",
    "requestId": "1a2b3c4d-5e6f",
    "errorType": "ValueError",
    "errorMessage": "no",
    "stackTrace": ["  File x\n    raise\n"],
}
OF_NODE = {
    "timestamp": "2026-11-26T08:40:00.000Z",
    "level": "ERROR",
    "requestId": "1a2b3c4d-5e6f",
    "message": {"errorType": "Error", "errorMessage": "no", "stackTrace": ["Error: no", "    at handle"]},
}


def report(status: str) -> dict[str, Any]:
    """Return what Lambda says of an invocation."""
    record = {"requestId": "1a2b3c4d-5e6f", "status": status, "metrics": {"durationMs": 3000.1}}
    return {"time": "2026-11-26T08:40:00.123Z", "type": "platform.report", "record": record}


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        (OF_POWERTOOLS, '08:40:00.123 1a2b3c4d INFO    greeted  language=en  text="two words"'),
        (OF_RUNTIME, "08:40:00.000 1a2b3c4d ERROR   ValueError: no\n    File x\n      raise"),
        (OF_NODE, "08:40:00.000 1a2b3c4d ERROR   Error: no\n  Error: no\n      at handle"),
        (report("timeout"), "08:40:00.123 1a2b3c4d ERROR   timeout after 3000 ms"),
        (report("success"), ""),
        ({"time": "2026-11-26T08:40:00.123Z", "type": "platform.start", "record": {}}, ""),
        ({"_aws": {"Timestamp": 1}, "Greetings": [1]}, ""),
        ("printed", '"printed"'),
    ],
)
def test_a_record_is_shown_as_a_person_reads_it(operations: Operations, record: Any, shown: str) -> None:
    assert operations("records").readable(json.dumps(record)) == shown


@pytest.mark.parametrize(("since", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400)])
def test_how_far_back_a_log_is_shown_is_a_number_with_a_unit(
    operations: Operations, since: str, seconds: int
) -> None:
    assert operations("logs").seconds(since) == seconds
    with pytest.raises(SystemExit, match="give such as SINCE=90s, 10m, 2h or 1d"):
        operations("logs").seconds(since[:-1])


# Functions


def test_an_update_is_looked_at_at_once_and_then_ever_less_often(
    operations: Operations, pauses: list[float]
) -> None:
    client, functions = stubbed("lambda")
    arn = "arn:aws:lambda:eu-central-1:222222222222:function:f"
    functions.add_response("update_function_code", {"LastUpdateStatus": "InProgress", "FunctionArn": arn})
    functions.add_response("tag_resource", {}, {"Resource": arn, "Tags": {"synced": ANY}})
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


def test_what_answered_before_is_looked_for_among_the_shifts_since_the_oldest_version(rollback: Any) -> None:
    begin, _, stubs = rollback
    place = {"applicationName": "hello-lambda", "deploymentGroupName": "live"}
    stubs["codedeploy"].add_response("list_deployments", {"deployments": []})
    versions = {"Versions": [version("1", "1" * 12), version("2", "2" * 12)]}
    stubs["lambda"].add_response("list_versions_by_function", versions)
    since = {"createTimeRange": {"start": datetime(2026, 11, 21, 12, tzinfo=UTC)}}
    stubs["codedeploy"].add_response("list_deployments", {"deployments": ["d-1"]}, {**place, **since})
    done = {"description": "from 1 to 2", "creator": "user", "createTime": NOW, "status": "Succeeded"}
    stubs["codedeploy"].add_response("batch_get_deployments", {"deploymentsInfo": [done]})

    assert begin("prod").before().version == "1"


@pytest.mark.parametrize(
    ("shifts", "said", "marks"),
    [
        ([("1", "2", "Failed")], "", {**NOW_1, "2": BACK, "3": "check not passed"}),
        ([("1", "2", "Failed"), ("1", "2", "Succeeded"), ("2", "3", "Stopped")], "", {**NOW_1, "3": BACK}),
        ([("1", "3", "InProgress")], "", {**NOW_1, "2": "check not passed", "3": "gets traffic"}),
        ([("1", "2", "Succeeded")], "Back to version 1 from 3 on 2026-11-25 by ada", NOW_1),
    ],
)  # fmt: skip
def test_versions_that_have_not_proved_themselves_are_marked(
    operations: Operations, shifts: list[tuple[str, str, str]], said: str, marks: dict[str, str]
) -> None:
    releases = operations("releases")
    found = [releases.Release(number, "", "", NOW, "") for number in "321"]
    moves = [releases.Shift(*shift, NOW) for shift in shifts]
    alias = {"FunctionVersion": "1", "Description": said}

    assert releases.marks(found, moves, alias) == marks


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


@pytest.mark.parametrize(
    ("said", "goes_on"), [("y", True), ("Yes", True), ("n", False), ("", False), ("q", False)]
)
def test_only_a_yes_goes_on(
    said: str, goes_on: bool, operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = operations("answer")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", lambda _question: said)

    if goes_on:
        answer.confirm("Remove it?")
    else:
        with pytest.raises(SystemExit):
            answer.confirm("Remove it?")

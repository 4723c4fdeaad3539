"""The recorder: its scenarios leave nothing, note the same in any account, and are compared with AWS."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator import front
from emulator.accounts import EmulatedAccounts
from emulator.calls import CLAIMS, Basis, recorded
from emulator.judge.bases import BASES
from emulator.record import __main__ as command
from emulator.record.answers import RECORDED, differences, left, run
from emulator.record.scenarios import SCENARIOS, STRICTER
from emulator.record.scratch import Place, Scratch, allow, emulated, normal, policy
from tests.worlds import TEMPLATE

Answers = dict[str, dict[str, Any]]
README = (RECORDED / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def twice(empty: EmulatedAccounts) -> Iterator[list[tuple[Place, Answers]]]:
    """What all scenarios answer in two accounts, each in a region of its own."""
    with empty.fork() as one, empty.fork() as other:
        places = emulated(one), emulated(other, "333333333333", "eu-west-1")
        jobs = [(name, place) for name in SCENARIOS for place in places]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda job: run(*job), jobs))
        yield [
            (
                place,
                {name: answers for (name, where), answers in zip(jobs, found, strict=True) if where is place},
            )
            for place in places
        ]


@pytest.fixture(scope="module")
def answers(twice: list[tuple[Place, Answers]]) -> Answers:
    return twice[0][1]


@pytest.fixture
def place(accounts: EmulatedAccounts) -> Place:
    return emulated(accounts)


# Scenarios


def test_scenarios_leave_nothing(twice: list[tuple[Place, Answers]]) -> None:
    assert [left(place) for place, _ in twice] == [[], []]


def test_scenarios_note_the_same_in_another_account_and_region(twice: list[tuple[Place, Answers]]) -> None:
    (_, one), (_, other) = twice

    assert {name: found["steps"] for name, found in one.items()} == {
        name: found["steps"] for name, found in other.items()
    }
    assert "222222222222" not in json.dumps([found["steps"] for found in one.values()])


def test_each_step_has_a_name_of_its_own(answers: Answers) -> None:
    for found in answers.values():
        names = [step["step"] for step in found["steps"]]

        assert len(set(names)) == len(names)


def test_no_step_asks_what_the_emulator_lacks(answers: Answers) -> None:
    assert "EmulatorNotImplemented" not in json.dumps(answers)


# What no scenario asks yet: docs/rehearsal.md has it among the guesses.
NOT_ASKED = {
    "create a route by a role that is allowed it by a tag",
    "look at what SNS puts into a dead-letter queue",
    "look in CloudTrail how a schedule is decrypted",
    "send to a queue whose key's policy asks for its ARN",
    "throttle a function that an HTTP API invokes",
}


def test_each_guess_is_asked_or_named_as_not_asked(answers: Answers) -> None:
    assert front.SERVICES  # whose guesses these are
    guesses = [rests for rests in (*CLAIMS.values(), *BASES.values()) if rests.kind == "guess"]
    steps = {f"{name}: {step['step']}" for name, found in answers.items() for step in found["steps"]}
    asked = {
        "delete a project by its ARN": {"builds: delete it by its ARN", "builds: get what is left of it"},
        "create a function by a role that may read its package, not decrypt it": {
            "keys: create a function as keyless"
        },
        "create a deployment by a role that lacks it": {
            "deployers: deploy without GetApplicationRevision",
            "deployers: deploy without GetDeploymentConfig",
            "deployers: deploy without RegisterApplicationRevision",
        },
    }

    assert {rests.what for rests in guesses} == asked.keys() | NOT_ASKED
    assert set().union(*asked.values()) <= steps


def test_a_scenario_that_fails_leaves_nothing(place: Place) -> None:
    def break_off() -> None:
        with Scratch(place) as scratch:
            bucket = scratch.bucket("it")
            scratch.client("s3").put_object(Bucket=bucket, Key="it", Body=b"it")
            assert len(left(place)) == 1
            scratch.client("s3").get_object(Bucket=bucket, Key="none")

    with pytest.raises(ClientError, match="NoSuchKey"):
        break_off()

    assert left(place) == []


def test_what_cannot_be_deleted_is_told(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    with Scratch(place) as scratch:
        scratch.role("it")
        full = f"{scratch.prefix}-it"
        document = policy(allow("sts:GetCallerIdentity"))
        scratch.client("iam").put_role_policy(RoleName=full, PolicyName="in-the-way", PolicyDocument=document)

    assert "not undone: An error occurred (DeleteConflict)" in capsys.readouterr().out
    assert left(place) == [f"iam: arn:aws:iam::222222222222:role/lambda-template-record/{full}"]


def test_what_cannot_be_deleted_keeps_nothing_else_from_being_deleted(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    with Scratch(place) as scratch:
        scratch.bucket("it")
        scratch.later(scratch.client("sns").delete_topic, TopicArn=None)

    assert "not undone: Parameter validation failed" in capsys.readouterr().out
    assert left(place) == []


def test_a_wait_that_has_no_end_is_noted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emulator.record.scratch.PATIENCE", 0)
    with Scratch(place) as scratch:
        scratch.until("wait for ever", scratch.client("sts").get_caller_identity, "Never", "Account")

    assert [step["answer"] for step in scratch.steps] == ["{account}"]


# Answers


@pytest.mark.parametrize(
    ("answered", "noted"),
    [
        (
            "arn:aws:iam::222222222222:role/lambda-template-record-1-it",
            "arn:aws:iam::{account}:role/{prefix}-it",
        ),
        ("2026-11-26T01:34:37.000+0000", "{time}"),
        (1764120877123, "{time}"),
        ("1764120877", "{time}"),
        (345600, 345600),
        (True, True),
        ("d-ABC123DEF", "{deployment}"),
        ("http://127.0.0.1:4566/222222222222/it", "{host}/{account}/it"),
        ('{"Resource": "arn:aws:s3:::lambda-template-record-1"}', {"Resource": "arn:aws:s3:::{prefix}"}),
        ("{no JSON", "{no JSON"),
        ({"VersionId": "x", "Size": 2}, {"VersionId": "{VersionId}", "Size": 2}),
        (
            [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}],
            [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
        ),
        ([{"name": "Source"}, {"name": "Build"}], [{"name": "Source"}, {"name": "Build"}]),
    ],
)
def test_what_differs_from_run_to_run_is_replaced_and_nothing_else(answered: Any, noted: Any) -> None:
    assert normal(answered, {"lambda-template-record-1": "{prefix}", "222222222222": "{account}"}) == noted


def one(answer: Any, step: str = "do it", scenario: str = "it") -> dict[str, Any]:
    """Return what a scenario of one step has answered."""
    return {"scenario": scenario, "steps": [{"step": step, "call": "it:Do", "answer": answer}]}


@pytest.mark.parametrize(
    ("aws", "emulator", "shown"),
    [
        ({"A": 1}, {"A": 1}, []),
        ({"A": 1}, {"A": 2}, ["! it: do it: A: AWS 1, emulator 2"]),
        ({"A": {"B": [1]}}, {"A": {"B": [2]}}, ["! it: do it: A.B[0]: AWS 1, emulator 2"]),
        ({"A": [1]}, {"A": []}, ["! it: do it: A: AWS [1], emulator []"]),
        ({}, {"A": 1}, ["! it: do it: A: AWS nothing, emulator 1"]),
        ({"A": 1}, {}, ["  it: do it: A: AWS 1, emulator nothing"]),
        (
            {"Error": {"Code": "A", "Message": "No."}},
            {"Error": {"Code": "A", "Message": "Never."}},
            ['  it: do it: Error.Message: AWS "No.", emulator "Never."'],
        ),
        (
            {"Error": {"Code": "A"}},
            {"Error": {"Code": "B"}},
            ['! it: do it: Error.Code: AWS "A", emulator "B"'],
        ),
    ],
)
def test_where_the_emulator_is_wrong_it_is_marked(aws: Any, emulator: Any, shown: list[str]) -> None:
    assert [str(each) for each in differences(one(aws), one(emulator))] == shown


def test_an_error_where_aws_has_none_is_wrong() -> None:
    assert any(each.wrong for each in differences(one({"A": 1}), one({"Error": {"Code": "A"}})))
    assert any(each.wrong for each in differences(one({"Error": {"Code": "A"}}), one({"A": 1})))


def test_a_step_that_was_not_recorded_or_is_not_there_is_wrong() -> None:
    missing, new = differences(one({}, "old"), one({}, "new"))

    assert (missing.step, missing.wrong, new.step, new.wrong) == ("it: old", True, "it: new", True)


def test_what_the_emulator_refuses_on_purpose_is_shown_and_not_wrong(answers: Answers) -> None:
    for name in STRICTER:
        scenario, _, step = name.partition(": ")
        assert step in [each["step"] for each in answers[scenario]["steps"]]
        (found,) = differences(one(None, step, scenario), one({"Error": {}}, step, scenario))
        assert not found.wrong


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_emulator_answers_as_aws_did_where_that_was_recorded(name: str, answers: Answers) -> None:
    file, listed = command.path(name), f"- `{name}`" in README
    assert listed != file.exists(), f"{RECORDED.name}/README.md lists what was not recorded yet"

    aws = json.loads(file.read_text("utf-8")) if file.exists() else {"scenario": name, "steps": []}
    wrong = [str(each) for each in differences(aws, answers[name]) if each.wrong]

    assert wrong == [] if file.exists() else len(wrong) == len(answers[name]["steps"])


def test_the_page_says_so_as_long_as_nothing_was_recorded() -> None:
    says = "Nothing has been recorded yet" in (TEMPLATE / "docs/rehearsal.md").read_text("utf-8")

    assert says == (not list(RECORDED.glob("*.json")))


def unfounded(claims: dict[str, Basis]) -> list[str]:
    """Return what is said to rest on an answer of AWS that was not recorded, or on another day."""
    days = {
        (name, json.loads(path.read_text("utf-8"))["date"])
        for name in SCENARIOS
        if (path := command.path(name)).exists()
    }
    known = {recorded(name, day).what for name, day in days}
    return [
        claim
        for claim, rests in claims.items()
        if rests.kind == "recorded from AWS" and rests.what not in known
    ]


def test_whatever_rests_on_an_answer_of_aws_names_the_file_and_its_day() -> None:
    assert unfounded(CLAIMS | {str(place): rests for place, rests in BASES.items()}) == []
    assert unfounded({"a claim": recorded("buckets", "1999-12-31")}) == ["a claim"]


# The command


def confirm(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr("builtins.input", lambda _: typed)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where what is recorded goes."""
    monkeypatch.setattr(command, "RECORDED", tmp_path)
    return tmp_path


def profile(folder: Path, accounts: EmulatedAccounts, monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    """Let the profile scratch reach an emulated account as if that were AWS."""
    variables = accounts.environment("333333333333", "eu-west-1")
    settings = {
        "endpoint_url": accounts.url,
        "region": region,
        **{name.lower(): variables[name] for name in variables if "KEY" in name or "TOKEN" in name},
    }
    lines = ["[profile scratch]", *(f"{name} = {value}" for name, value in settings.items() if value)]
    (folder / "config").write_text("\n".join(lines), "utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setattr("emulator.record.scratch.Scratch.settle", lambda _: None)


def test_a_profile_is_who_records(
    accounts: EmulatedAccounts, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile(folder, accounts, monkeypatch, "eu-west-1")
    confirm(monkeypatch, "333333333333")
    accounts.ask("enforce")

    assert command.main(["--profile", "scratch", "connections"]) == 0

    kept = json.loads((folder / "connections.json").read_text("utf-8"))
    assert (kept["region"], kept["steps"][0]["call"]) == (
        "eu-west-1",
        "codestar-connections:CreateConnection",
    )
    assert {entry.account for entry in accounts.journal()} == {"333333333333"}


def test_a_profile_without_a_region_records_nothing(
    accounts: EmulatedAccounts, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile(folder, accounts, monkeypatch, "")

    with pytest.raises(SystemExit, match="The profile scratch has no region"):
        command.main(["--profile", "scratch", "connections"])

    assert accounts.journal() == []


def test_without_a_profile_nothing_is_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main([])

    assert "--profile" in capsys.readouterr().err


def test_what_is_made_and_what_it_costs_is_said_and_the_account_s_id_is_to_be_typed(
    place: Place, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    confirm(monkeypatch, "222222222223")

    assert command.record(["queues"], place, place) == 1

    said = capsys.readouterr().out
    assert "In account 222222222222, region us-east-1, as arn:aws:sts::222222222222:assumed-role/" in said
    assert "  queues: 1 topic, 2 queues, 1 role\n" in said
    assert "a few cents at most" in said
    assert list(folder.iterdir()) == []


def test_what_is_recorded_is_kept_and_compared(
    accounts: EmulatedAccounts,
    place: Place,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    confirm(monkeypatch, "333333333333")
    with accounts.fork() as other:
        real = emulated(other, "333333333333", "eu-west-1")
        assert command.record(["queues"], real, place) == 0

    said = capsys.readouterr().out
    assert said.endswith("queues …\nNothing is left.\n")
    kept = json.loads((folder / "queues.json").read_text("utf-8"))
    assert (kept["scenario"], kept["region"], len(kept["date"])) == ("queues", "eu-west-1", 10)

    kept["steps"][0]["answer"] = {"QueueUrl": "{host}/it"}
    (folder / "queues.json").write_text(json.dumps(kept), "utf-8")
    assert command.compare(["queues", "logs"], place) == 1
    said = capsys.readouterr().out
    assert '  queues: find a queue that is not there: QueueUrl: AWS "{host}/it", emulator nothing' in said
    assert "! queues: find a queue that is not there: Error: AWS nothing, emulator {" in said
    assert said.endswith("logs: not recorded yet\n")


def test_a_scenario_that_fails_is_told_and_what_is_left_is_listed(
    place: Place, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def sloppy(scratch: Scratch) -> None:
        scratch.client("sns").create_topic(Name=f"{scratch.prefix}-it")
        raise RuntimeError("out of order")

    monkeypatch.setitem(SCENARIOS, "queues", sloppy)
    confirm(monkeypatch, place.account)

    assert command.record(["queues"], place, place) == 1

    said = capsys.readouterr().out
    assert "not recorded: RuntimeError: out of order" in said
    assert (
        "Still there, to be deleted by hand:\nsns: arn:aws:sns:us-east-1:222222222222:lambda-template-record-"
        in said
    )


def test_the_emulator_s_answers_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--emulator", "connections"]) == 0

    (found,) = json.loads(capsys.readouterr().out)
    assert found["scenario"] == "connections"
    assert found["steps"][0]["call"] == "codestar-connections:CreateConnection"

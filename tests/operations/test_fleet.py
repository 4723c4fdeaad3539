"""Whoever runs an organization sees all functions in all accounts, while some of these throttle or deny."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts
from hooks.git import git
from operations import everywhere
from tests.fleets import FLEET, QA, Planted, enter, name, plant, revision
from tests.worlds import DEV, PROD, REGION, STAGE, TOOL

COUNT = 100
BEHIND, FAILED, DRIFTED, UNPLANNED, OLD, SANDBOX, HALF = map(name, (3, 5, 7, 8, 9, 11, 12))
STRANGER, NEW, UNCHECKED = "not-ours", "service-new", "service-unchecked"
DRIFT = "aws_lambda_function.function <script>alert(1)</script> \x1b[2J"
SHOWN = DRIFT.replace("\x1b", "?")
BEFORE = "0" * 39 + "1"  # of the template, unknown to this checkout
READER = "acme-reader"


@dataclass
class Fleet:
    """Four accounts with what runs there, and the person who looks at them."""

    world: EmulatedAccounts
    folder: Path
    variables: dict[str, str]

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run `lambda-template fleet`; return what it prints."""
        own = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        (self.folder / "accounts.json").write_text(json.dumps(FLEET))
        done = subprocess.run(
            [TOOL, "fleet", "--accounts", "accounts.json", *arguments],
            cwd=self.folder,
            env=own | self.variables | {"HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def deny(self, account: dict[str, Any], action: str) -> None:
        """Deny the reader of an account something."""
        denies = {"Effect": "Deny", "Action": action, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [denies]})
        place = {"RoleName": READER, "PolicyName": "denied", "PolicyDocument": document}
        self.world.client("iam", account["id"], REGION).put_role_policy(**place)


@pytest.fixture(scope="module")
def planted(founded: EmulatedAccounts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with founded.fork() as world:
        plant(world, COUNT)
        dev, stage, prod = (Planted(world, account) for account in (DEV, STAGE, PROD))
        dev.release(BEHIND, 2)
        dev.release(BEHIND, 3, "Say <b>hello</b> \x1b[2J")
        stage.release(BEHIND, 2)
        stage.fail(FAILED, "Deploy")
        for drift in "yesterday's", DRIFT:
            prod.plan(DRIFTED, "SUCCEEDED", drift)
        stage.plan(DRIFTED, "SUCCEEDED", "")
        prod.plan(UNPLANNED, "FAILED")
        prod.tag(OLD, template=BEFORE)
        dev.add(f"{SANDBOX}--sandbox-ada", live=False, owner="Ada")
        dev.add(STRANGER, live=False, organization="another")
        dev.add(UNCHECKED, live=False)
        dev.add_pipeline(NEW)
        folder = tmp_path_factory.mktemp("fleet")
        yield Fleet(world, folder, enter(world, folder))


@pytest.fixture
def fleet(planted: Fleet, tmp_path: Path) -> Iterator[Fleet]:
    """A copy, to which the profiles lead."""
    with planted.world.fork() as world:
        there = {key: value.replace(planted.world.url, world.url) for key, value in planted.variables.items()}
        yield Fleet(world, tmp_path, there)


def read(told: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what machines are told, by function and environment."""
    return {(runs["function"], runs["environment"]): runs for runs in json.loads(told)["functions"]}


class Page(HTMLParser):
    """A page as it is read: its text, its tags, and the addresses that it names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: set[str] = set()
        self.addresses: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses |= {f"{tag}: {value}" for key, value in attributes if key in ("href", "src")}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_all_functions_in_all_accounts_are_told_as_the_accounts_have_them(fleet: Fleet) -> None:
    runs = read(fleet("--json"))

    assert {function for function, _ in runs} == {*map(name, range(COUNT)), UNCHECKED, NEW}
    assert len(runs) == COUNT * len(FLEET["environments"]) + 2
    assert [runs[BEHIND, each["name"]]["behind"] for each in FLEET["environments"]] == [0, 1, 2, 2]
    newest = runs[BEHIND, "dev"]
    assert newest["revision"] == revision(3)
    assert newest["summary"] == f"{revision(3)} Say <b>hello</b> ?[2J (Ada)"
    assert newest["version"] == "3"
    assert runs[FAILED, "stage"]["pipeline"] == "Deploy failed"
    assert runs[FAILED, "stage"]["failed"]
    assert runs[DRIFTED, "prod"]["drift"] == SHOWN
    assert runs[DRIFTED, "stage"]["drift"] == ""
    assert (runs[DRIFTED, "dev"]["planned"], runs[DRIFTED, "dev"]["drift"]) == ("", None)
    assert runs[UNPLANNED, "prod"]["planned"]
    assert runs[UNPLANNED, "prod"]["drift"] is None
    assert runs[OLD, "prod"]["template"] == BEFORE
    assert runs[OLD, "dev"]["template"] == git(everywhere.TEMPLATE, "rev-parse", "HEAD")
    assert (runs[UNCHECKED, "dev"]["version"], runs[UNCHECKED, "dev"]["pipeline"]) == ("", "none")
    assert (runs[NEW, "dev"]["version"], runs[NEW, "dev"]["pipeline"]) == ("", "succeeded")
    assert {each["problem"] for each in runs.values()} == {""}
    asked = fleet.world.journal()
    assert {call.role and call.role.rpartition("/")[2] for call in asked} == {READER, "person"}
    assert {call.error for call in asked} <= {None, "ResourceNotFoundException", "TooManyRequestsException"}


def test_it_is_shown_as_a_table_and_a_page_while_others_use_up_what_lambda_answers(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = Event()
    with monkeypatch.context() as impatient:
        impatient.setenv("AWS_MAX_ATTEMPTS", "1")
        client = fleet.world.client("lambda", DEV["id"], REGION, READER)

    def others() -> None:
        """Ask ten times a second, of fifteen that are answered."""
        while not done.wait(0.1):
            try:
                client.get_alias(FunctionName=name(0), Name="live")
            except ClientError:
                continue

    busy = Thread(target=others)
    busy.start()
    try:
        table = fleet("--page", "page.html")
    finally:
        done.set()
        busy.join()

    refused = [call for call in fleet.world.journal() if call.error == "TooManyRequestsException"]
    assert {call.operation for call in refused} >= {"GetFunctionConfiguration"}
    rows = {line.split()[0]: line for line in table.splitlines() if line.startswith("service-")}
    assert rows[name(0)].count(f" {revision(1)[:7]} ") == 4
    assert rows[BEHIND].count("behind") == 3
    assert "Deploy failed" in rows[FAILED]
    assert f"prod {DRIFTED}: has drifted: {SHOWN}\n" in table
    assert f"prod {UNPLANNED}: no plan could be made" in table
    assert f"stage {FAILED}: Deploy failed (" in table
    assert table.endswith(f"\n{COUNT + 2} functions, 1 behind, 1 failed, 1 drifted, 1 without a plan\n")
    assert "\x1b" not in table
    page = Page((fleet.folder / "page.html").read_text())
    assert "script" not in page.tags
    assert {each.partition(".console.aws.amazon.com/")[0] for each in page.addresses} == {
        f"a: https://{REGION}"
    }
    text = "".join(page.texts)
    for said in (*rows, SHOWN, "2 behind", "Deploy failed", "no plan", BEFORE[:7]):
        assert said in text


def test_what_cannot_be_read_is_told_and_the_rest_is_shown(fleet: Fleet) -> None:
    fleet.deny(PROD, "tag:GetResources")
    fleet.deny(QA, "codebuild:ListBuilds")
    fleet.deny(STAGE, "codepipeline:GetPipelineState")
    told = fleet("--json", "--page", "page.html", code=1)

    problems = {each["name"]: each["problem"] for each in json.loads(told)["environments"]}
    runs = read(told)
    assert {environment for environment, problem in problems.items() if problem} == {"prod", "qa"}
    assert "tag:GetResources" in problems["prod"]
    assert "codebuild:ListBuilds" in problems["qa"]
    assert {environment for _, environment in runs} == {"dev", "stage", "qa"}
    assert "codepipeline:GetPipelineState" in runs[BEHIND, "stage"]["problem"]
    assert [runs[BEHIND, each]["behind"] for each in ("dev", "stage", "qa")] == [0, 1, 2]
    text = "".join(Page((fleet.folder / "page.html").read_text()).texts)
    assert problems["prod"] in text
    assert runs[BEHIND, "stage"]["problem"] in text


def test_whoever_is_not_logged_in_is_told_how(planted: Fleet, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text((planted.folder / "config").read_text().replace("key_id = ", "key_id = X"))
    told = replace(planted, folder=tmp_path, variables=planted.variables | {"AWS_CONFIG_FILE": str(config)})

    assert "aws sso login --profile acme-ops" in told(code=1)


def test_a_template_is_as_old_as_what_came_since(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init", "--quiet")
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    revisions = []
    for _ in range(3):
        git(tmp_path, *identity, "commit", "--quiet", "--allow-empty", "--message=On")
        revisions.append(git(tmp_path, "rev-parse", "HEAD"))
    monkeypatch.setattr(everywhere, "TEMPLATE", tmp_path)
    found = [everywhere.Runs("one", "dev", template=each) for each in (*revisions, BEFORE, "--all", "")]
    everywhere.date_templates(found)

    assert [runs.template_behind for runs in found] == [2, 1, 0, None, None, None]

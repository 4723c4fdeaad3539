"""The developer's loop in a generated repository: sandboxes, by the profiles of its README, and each call judged."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cookiecutter.main import cookiecutter

from emulator.accounts import EmulatedAccounts
from foundation import terraform
from hooks.git import git
from rehearsal import demo, people
from tests.worlds import DEV, FACTS, NAME, REGION, TEMPLATE, TOOL, heard

GREETING = "src/hello_lambda/greeting.py"
PEOPLE = ("ada", "bob")


@dataclass
class Developer:
    """Somebody with a clone of the repository, in a world of accounts; name: also of the sandbox."""

    world: EmulatedAccounts
    name: str
    repository: Path
    environment: dict[str, str]

    def command(self, *arguments: str, **variables: str) -> dict[str, Any]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MAKE"))}
        environment = own | self.environment | {"LOGNAME": self.name} | variables
        return {
            "args": ["make", f"TOOL={TOOL}", *arguments],
            "cwd": self.repository,
            "env": environment,
            "text": True,
        }

    def make(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = self.command(*arguments, **variables)
        return subprocess.run(**command, capture_output=True, check=False)

    def edit(self, old: str, new: str, file: str = GREETING) -> None:
        path = self.repository / file
        path.write_text(path.read_text().replace(old, new))

    def answer(self) -> Any:
        """Return what the sandbox answers to the sample event."""
        return json.loads(self.make("invoke").stdout)

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Run a target that goes on until the user ends it; as in a terminal, all that it started ends too."""
        command = self.command(*arguments)
        with subprocess.Popen(
            **command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGINT)


@pytest.fixture(scope="module")
def team(founded: EmulatedAccounts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Developer]]:
    """Two developers, who have created their sandboxes at the same time."""
    folder = tmp_path_factory.mktemp("team")
    repository = Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(folder)))
    terraform.trust_provider(repository)
    demo.commit(repository)
    demo.install(repository)
    with founded.fork() as world:
        world.ask("enforce")
        environment = people.environment(world, FACTS, folder) | {"TF_CLI_ARGS": "-no-color"}
        developers = []
        for name in PEOPLE:
            home = folder / f"home of {name}"
            home.mkdir()
            (home / ".gitconfig").write_text(f"[user]\nname = {name.title()}\nemail = {name}@example.com\n")
            own = environment | {"HOME": str(home), "UV_CACHE_DIR": demo.uv_cache()}
            developers.append(Developer(world, name, demo.clone(repository, folder / name), own))
        with ThreadPoolExecutor() as pool:
            for done in pool.map(lambda developer: developer.make("sandbox"), developers):
                assert done.returncode == 0, done.stdout + done.stderr
        yield developers


@pytest.fixture
def developers(team: list[Developer], tmp_path: Path) -> Iterator[list[Developer]]:
    """The same two, in a copy of their world and with copies of their clones."""
    with team[0].world.fork() as world:
        yield [
            Developer(
                world,
                other.name,
                demo.clone(other.repository, tmp_path / other.name),
                other.environment | {"AWS_ENDPOINT_URL": world.url, "AWS_ENDPOINT_URL_STS": world.url},
            )
            for other in team
        ]


@pytest.fixture
def ada(developers: list[Developer]) -> Developer:
    return developers[0]


@pytest.fixture
def bob(developers: list[Developer]) -> Developer:
    return developers[1]


def functions(developer: Developer) -> Any:
    return developer.world.client("lambda", DEV["id"], REGION)


def left(world: EmulatedAccounts) -> list[str]:
    """Return what there is of sandboxes in the first environment, by its names."""

    def client(service: str) -> Any:
        return world.client(service, DEV["id"], REGION)

    names = [found["FunctionName"] for found in client("lambda").list_functions()["Functions"]]
    names += [found["logGroupName"] for found in client("logs").describe_log_groups()["logGroups"]]
    names += [found["RoleName"] for found in client("iam").list_roles()["Roles"]]
    names += [found["AlarmName"] for found in client("cloudwatch").describe_alarms()["MetricAlarms"]]
    for bucket in DEV["state_bucket"], DEV["artifacts_bucket"]:
        found = client("s3").list_objects_v2(Bucket=bucket, Prefix="sandboxes/")
        names += [item["Key"] for item in found.get("Contents", [])]
    return [name for name in names if "sandbox" in name]


# A sandbox


def test_a_sandbox_is_the_function_as_deployed_but_without_alarms_and_versions(ada: Developer) -> None:
    found = functions(ada).get_function(FunctionName=f"{NAME}--sandbox-ada")

    assert found["Tags"] == {
        "environment": "dev",
        "function": f"{NAME}--sandbox-ada",
        "organization": FACTS["organization"],
        "owner": "ada@example.com",
        "template": json.loads((ada.repository / "template.json").read_text())["revision"],
    }
    assert found["Configuration"]["Description"].endswith(" Born from the template (lambda-template)")
    aliases = functions(ada).list_aliases(FunctionName=f"{NAME}--sandbox-ada")["Aliases"]
    assert [(alias["Name"], alias["FunctionVersion"]) for alias in aliases] == [("live", "$LATEST")]
    versions = functions(ada).list_versions_by_function(FunctionName=f"{NAME}--sandbox-ada")["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST"]
    alarms = ada.world.client("cloudwatch", DEV["id"], REGION).describe_alarms()["MetricAlarms"]
    assert [alarm["AlarmName"] for alarm in alarms if "sandbox" in alarm["AlarmName"]] == []


def test_a_developer_needs_no_other_role_to_create_one_and_is_denied_nothing(team: list[Developer]) -> None:
    calls = [call for call in team[0].world.journal() if call.account == DEV["id"]]

    assert {call.role for call in calls} == {f"arn:aws:iam::{DEV['id']}:role/acme-developer"}
    assert [call for call in calls if call.error and "Denied" in call.error] == []


def test_what_is_synced_is_live_at_once_and_in_this_sandbox_alone(ada: Developer, bob: Developer) -> None:
    ada.edit("Hola", "Buenas")

    synced = ada.make("sync")

    assert synced.stdout.startswith(f"{NAME}--sandbox-ada runs what is on disk, after ")
    assert ada.answer() == {"message": "Buenas, Ada!"}
    assert bob.answer() == {"message": "Hola, Ada!"}


@pytest.mark.tries("kills", "while syncing")
@pytest.mark.parametrize("seconds", [0.3, 1.0])
def test_a_killed_sync_leaves_what_was_live_or_what_is_on_disk_and_the_next_one_goes_on(
    ada: Developer, seconds: float
) -> None:
    ada.edit("Hola", "Buenas")
    with subprocess.Popen(
        **ada.command("sync"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)

    assert ada.answer() in ({"message": "Hola, Ada!"}, {"message": "Buenas, Ada!"})
    done = ada.make("sync")
    assert done.returncode == 0, done.stderr
    assert ada.answer() == {"message": "Buenas, Ada!"}


def test_a_sandbox_is_tested_as_what_is_deployed_is(ada: Developer) -> None:
    good = ada.make("verify")
    ada.edit("Hola", "Adios")
    ada.make("sync")
    bad, absent = ada.make("verify"), ada.make("verify", "NAME=nobody")

    assert good.returncode == 0, good.stdout + good.stderr
    assert bad.returncode != 0
    assert "Adios, deployment!" in bad.stdout
    assert "there is no sandbox nobody yet; create it: make sandbox NAME=nobody" in absent.stderr


def test_make_sandbox_puts_the_code_on_disk_into_it_whatever_was_synced(ada: Developer) -> None:
    ada.edit("Hola", "Buenas")
    ada.make("sync")
    ada.edit("Buenas", "Hola")
    ada.edit("= 256", "= 512", "deployment/environments/dev.tfvars")

    done = ada.make("sandbox")

    assert done.returncode == 0, done.stderr
    ends = [line.split(" ok ")[0].rstrip() for line in done.stdout.splitlines() if " ok " in line]
    assert ends == ["package", "terraform  init", "terraform  apply"]
    assert "aws_lambda_function.function" not in done.stdout
    assert ada.answer() == {"message": "Hola, Ada!"}
    running = functions(ada).get_function_configuration(FunctionName=f"{NAME}--sandbox-ada")
    assert running["MemorySize"] == 512
    assert running["Description"].startswith("changed ")


def test_a_package_too_large_for_a_call_goes_by_way_of_s3(ada: Developer) -> None:
    ada.edit("Hola", "Buenas")
    sync = "from operations import sandbox, sync; sandbox.LARGEST = 50_000; sync.main('')"

    subprocess.run(**ada.command() | {"args": [sys.executable, "-c", sync]}, check=True)

    assert ada.answer() == {"message": "Buenas, Ada!"}
    assert len([name for name in left(ada.world) if name.startswith(f"sandboxes/{NAME}/ada/")]) == 2


def test_a_role_is_entered_once_not_at_every_sync(ada: Developer) -> None:
    ada.make("sync")
    ada.make("sync")

    calls = [entry.operation for entry in ada.world.journal()]
    assert calls.count("UpdateFunctionCode") == 2
    assert "AssumeRole" not in calls


def test_sandboxes_are_listed_with_owner_age_and_what_runs(ada: Developer) -> None:
    rows = [re.split("  +", line) for line in ada.make("sandboxes").stdout.splitlines()]

    assert [row[:2] for row in rows] == [["ada", "ada@example.com"], ["bob", "bob@example.com"]]
    assert all(re.fullmatch(r"now|\d+ min", row[2]) for row in rows)
    assert rows[0][3].endswith(" Born from the template (lambda-template)")
    ada.edit("Hola", "Buenas")
    ada.make("sync")
    commit = git(ada.repository, "rev-parse", "--short=12", "HEAD")
    assert f"changed {commit}, synced now\n" in ada.make("sandboxes").stdout
    ada.edit(NAME, "other", "template.json")
    assert ada.make("sandboxes").stdout == "other has no sandbox in dev; create yours: make sandbox\n"


def test_a_name_that_is_another_s_is_refused(ada: Developer, bob: Developer) -> None:
    for target in "sandbox", "sandbox-destroy":
        done = bob.make(target, LOGNAME="ada")

        assert done.returncode != 0
        assert f"{NAME}--sandbox-ada is ada@example.com's" in done.stderr
    assert ada.answer() == {"message": "Hola, Ada!"}


@pytest.mark.tries("kills", "while watching")
@pytest.mark.parametrize("target", ["logs", "watch"])
def test_an_interrupt_ends_what_goes_on_without_a_word(ada: Developer, target: str) -> None:
    with ada.running(target) as running:
        heard(running, "Ctrl-C ends" if target == "logs" else "sync")

        os.killpg(running.pid, signal.SIGINT)
        said = running.communicate()[0]

    assert "make: ***" not in said
    assert "Traceback" not in said
    assert running.returncode == -signal.SIGINT  # as make ends when it is interrupted


@pytest.mark.tries("kills", "while making a sandbox")
def test_an_interrupt_lets_terraform_free_the_lock_of_a_sandbox(ada: Developer) -> None:
    s3 = ada.world.client("s3", DEV["id"], REGION)
    locks = {"Bucket": DEV["state_bucket"], "Prefix": f"sandboxes/{NAME}/ada.tfstate.tflock"}
    with subprocess.Popen(
        **ada.command("sandbox"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        while "Contents" not in s3.list_objects_v2(**locks):
            assert process.poll() is None
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate()[0]

    assert "Contents" not in s3.list_objects_v2(**locks)
    assert re.search("^terraform +apply +stopped ", said, re.MULTILINE)
    assert "Traceback" not in said
    assert "make: ***" not in said


def test_whoever_says_so_may_destroy_another_s_sandbox_and_nothing_of_it_is_left(
    ada: Developer, bob: Developer
) -> None:
    bob.edit("Hola", "Buenas")
    bob.make("sync")

    done = bob.make("sandbox-destroy", "NAME=ada", "YES=1", "V=1")

    assert done.returncode == 0, done.stderr
    assert "aws_lambda_function.function: Destroying..." in done.stdout
    assert [call for call in ada.world.journal() if call.error and "Denied" in call.error] == []
    assert [name for name in left(ada.world) if "ada" in name] == []
    assert bob.answer() == {"message": "Buenas, Ada!"}


def test_what_is_left_of_a_sandbox_can_be_removed_and_what_never_was_is_told(ada: Developer) -> None:
    logs = ada.world.client("logs", DEV["id"], REGION)
    logs.create_log_group(logGroupName=f"/aws/lambda/{NAME}--sandbox-eve")

    assert ada.make("sandbox-destroy", "NAME=eve").stdout == f"{NAME}--sandbox-eve is gone\n"
    assert [name for name in left(ada.world) if "eve" in name] == []
    assert "there is no sandbox eve; make sandboxes lists" in ada.make("sandbox-destroy", "NAME=eve").stderr


def test_a_sandbox_whose_state_is_lost_is_told_and_can_be_removed(ada: Developer) -> None:
    s3 = ada.world.client("s3", DEV["id"], REGION)
    s3.delete_object(Bucket=DEV["state_bucket"], Key=f"sandboxes/{NAME}/ada.tfstate")

    again = ada.make("sandbox")
    gone = ada.make("sandbox-destroy")

    assert "make sandbox-destroy NAME=ada removes what is there already" in again.stderr
    assert f"{NAME}--sandbox-ada is gone\n" in gone.stdout, gone.stderr
    assert [name for name in left(ada.world) if "ada" in name] == []


# Calling and following


def test_an_answer_is_printed_and_its_log_beside_it(ada: Developer) -> None:
    done = ada.make("invoke", "EVENT=events/check.json")

    assert json.loads(done.stdout) == {"message": "Hello, deployment!"}
    assert re.fullmatch(r"[\d:.]{12} [0-9a-f]{8} INFO    greeted  language=en\n", done.stderr)
    assert done.returncode == 0
    raw = ada.make("invoke", "RAW=1").stderr.splitlines()
    assert [json.loads(line)["message"] for line in raw if "greeted" in line] == ["greeted"]


@pytest.mark.parametrize(
    ("limit", "answered"),
    [("Config.OPTION_DEFAULTS['read_timeout'] = 1", True), ("invoke.SECONDS = -29", False)],
)
def test_a_slow_function_is_waited_for_and_called_once(ada: Developer, limit: str, answered: bool) -> None:
    ada.edit("    return f", "    __import__('time').sleep(3)\n    return f")
    ada.make("sync")
    call = "from botocore.config import Config; from operations import invoke; {}; invoke.main('', '', '{}', False)"

    done = subprocess.run(
        **ada.command() | {"args": [sys.executable, "-c", call.format(limit, "events/greeting.json")]},
        capture_output=True,
        check=False,
    )

    assert ("Hola, Ada!" in done.stdout) is answered, done.stderr
    assert answered or "Read timeout" in done.stderr
    while not (calls := [entry for entry in ada.world.journal() if entry.operation == "Invoke"]):
        time.sleep(0.1)  # it goes on when nobody waits for it any more
    assert len(calls) == 1


@pytest.mark.parametrize("target", ["invoke", "local"])
def test_an_event_that_fails_fails_the_target(ada: Developer, target: str) -> None:
    (ada.repository / "bad.json").write_text("{}")

    done = ada.make(target, "EVENT=bad.json")

    assert done.returncode != 0
    assert json.loads(done.stdout)["errorType"] == "BadEventError"
    assert done.stderr.count("raise BadEventError") == 1
    assert "stackTrace" not in done.stdout or target == "local"


def test_the_handler_is_called_on_this_machine_without_aws(ada: Developer) -> None:
    ada.edit('"en"', '"fr"', "deployment/environments/dev.tfvars")
    (ada.repository / "ada.json").write_text('{"name": "Ada"}')
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_CONFIG_FILE": os.devnull}

    done = ada.make("local", "EVENT=ada.json", **nowhere, TF_WORKSPACE="another")

    assert json.loads(done.stdout) == {"message": "Bonjour, Ada!"}
    log = json.loads(done.stderr.splitlines()[0])
    assert (log["message"], log["service"]) == ("greeted", "hello-lambda")
    assert log["function_memory_size"] == "256"


def test_an_exception_that_nothing_handles_is_told_alone(ada: Developer) -> None:
    ada.edit("    return f", "    raise RuntimeError\n    return f")

    done = ada.make("local")

    assert json.loads(done.stdout)["errorType"] == "RuntimeError"
    assert "No application metrics" not in done.stderr


def test_a_handler_that_ends_its_process_is_told(ada: Developer) -> None:
    ada.edit("    return f", "    raise SystemExit(3)\n    return f")

    done = ada.make("local")

    assert done.returncode != 0
    assert "the handler ended its process" in done.stderr or "SystemExit" in done.stdout


def test_a_log_is_followed(ada: Developer) -> None:
    with ada.running("logs") as logs:
        ada.answer()
        heard(logs, " greeted ")
        ada.make("invoke", "EVENT=events/check.json")
        assert heard(logs, " greeted ")[-1].endswith(" INFO    greeted  language=en\n")


def test_the_log_of_an_environment_is_followed_by_a_reader(ada: Developer) -> None:
    stage = FACTS["environments"][1]
    log = ada.world.client("logs", stage["id"], REGION)
    tags = {"organization": FACTS["organization"]}  # by which a reader's role knows that it is ours
    log.create_log_group(logGroupName=f"/aws/lambda/{NAME}", tags=tags)
    log.create_log_stream(logGroupName=f"/aws/lambda/{NAME}", logStreamName="one")
    events = [{"timestamp": int(time.time() * 1000), "message": "from stage"}]
    log.put_log_events(logGroupName=f"/aws/lambda/{NAME}", logStreamName="one", logEvents=events)

    with ada.running("logs", "ENV=stage") as logs:
        head, line = heard(logs, "from stage")
    assert head == f"/aws/lambda/{NAME} since 10m ago, times in UTC; Ctrl-C ends\n"
    assert re.fullmatch(r"[\d:.]{12} from stage\n", line)

    (call,) = {entry.role for entry in ada.world.journal() if entry.operation == "FilterLogEvents"}
    assert call == f"arn:aws:iam::{stage['id']}:role/acme-reader"


def test_watching_tests_then_syncs_each_save_and_shows_the_log(ada: Developer) -> None:
    def code() -> str:
        found = functions(ada).get_function_configuration(FunctionName=f"{NAME}--sandbox-ada")
        return str(found["CodeSha256"])

    with ada.running("watch") as watch:
        first, second = heard(watch, "sync")
        assert re.fullmatch(
            rf"[\d:]{{8}} {NAME}--sandbox-ada follows .*src, .*tests; .* Ctrl-C ends\n", first
        )
        assert re.fullmatch(r"[\d:]{8} on disk: tests [\d.]+ s, sync [\d.]+ s\n", second)
        before = code()

        ada.edit("Hello", "Hi")
        failed = "".join(heard(watch, "nothing is synced"))
        assert 'assert greet(Request("Ada")) == "Hello, Ada!"' in failed
        assert code() == before

        ada.edit("Hi", "Hello")
        assert f" {GREETING}: tests " in heard(watch, "sync")[-1]
        assert code() == before

        ada.edit("memory", "memory", "deployment/variables.tf")
        heard(watch, " deployment/variables.tf: not taken up; make sandbox does so")

        ada.edit("Hola", "Buenas")
        ada.edit("Hola", "Buenas", "tests/test_handler.py")
        while code() == before:
            heard(watch, "sync")
        assert ada.answer() == {"message": "Buenas, Ada!"}
        heard(watch, " greeted ")


# What is missing, and what to type


def test_what_is_missing_is_said_in_a_line(ada: Developer, tmp_path: Path) -> None:
    config = Path(ada.environment["AWS_CONFIG_FILE"]).read_text()
    no_login = tmp_path / "config"
    no_login.write_text(config.replace("aws_access_key_id = ", "aws_access_key_id = X"))
    only_tools = tmp_path / "bin"
    only_tools.mkdir()
    (only_tools / "python3").symlink_to(sys.executable)
    for tool in "git", "make", "sh":
        (only_tools / tool).symlink_to(shutil.which(tool) or tool)
    fresh = {"HOME": str(tmp_path)}  # where no session is kept
    table: list[tuple[list[str], dict[str, str], str]] = [
        (["sync"], {"LOGNAME": "Ada.Lovelace-King"}, "create it: make sandbox NAME=ada-lovelace"),
        (
            ["sync", "NAME=Ada"],
            {},
            "NAME=Ada: a sandbox's name has 1 to 12 lower-case letters, digits and hy",
        ),
        (["sandbox", "NAME=lovelace-king"], {}, "NAME=lovelace-king: a sandbox's name has 1 to 12"),
        (["sync"], {"LOGNAME": "...", "NAME": "ada"}, "such as NAME=ada"),  # the shell's NAME is not meant
        (["invoke", "EVENT=no.json"], {}, "EVENT=no.json: there is no such file; make events lists"),
        (["logs", "NAME=bob2"], {}, "there is no sandbox bob2 yet; create it: make sandbox NAME=bob2"),
        (["logs", "ENV=moon"], {}, "there is no environment 'moon'; there are dev, stage, prod"),
        (["logs", "ENV=prod"], {}, "hello-lambda has no log in prod yet: has it been deployed?"),
        (
            ["sync"],
            {"AWS_CONFIG_FILE": os.devnull},
            "(acme-dev-developer) could not be found; ~/.aws/config nee",
        ),
        (
            ["sync"],
            {"AWS_CONFIG_FILE": str(no_login), **fresh},
            "log in to ops, such as by: aws sso login --pro",
        ),
        (
            ["sync"],
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"},
            "is there a network?",
        ),
        (
            ["sandbox"],
            {"PATH": str(only_tools)},
            "terraform is not on PATH; install it, such as by: sh deploym",
        ),
    ]
    for arguments, variables, expected in table:
        done = ada.make(*arguments, **variables)

        said = [line for line in done.stderr.splitlines() if not line.startswith("make: ")]
        assert done.returncode != 0, arguments
        assert len(said) == 1, (arguments, done.stderr)
        assert expected in said[0], arguments


def test_who_may_not_enter_a_role_is_told(ada: Developer, tmp_path: Path) -> None:
    iam = ada.world.client("iam", FACTS["ops"]["id"], REGION)
    iam.delete_role_policy(RoleName=people.LOGIN, PolicyName="developers")

    done = ada.make("sync", HOME=str(tmp_path))

    assert (
        "is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::222222222222:role/acme-dev"
        in done.stderr
    )
    assert "ask to be put into the group of that role in ops" in done.stderr


def test_a_sandbox_needs_a_commit(ada: Developer) -> None:
    shutil.rmtree(ada.repository / ".git")

    assert "commit first: a release is of a commit" in ada.make("sandbox").stderr


# What a developer may not do


@pytest.mark.parametrize(
    ("call", "action"),
    [
        (("lambda", "update_function_code", {"FunctionName": NAME, "ZipFile": b"x"}), "lambda:UpdateFunctionCode"),
        (("lambda", "publish_version", {"FunctionName": f"{NAME}--sandbox-ada"}), "lambda:PublishVersion"),
        (("logs", "filter_log_events", {"logGroupName": f"/aws/lambda/{NAME}"}), "logs:FilterLogEvents"),
        (("s3", "delete_object", {"Bucket": DEV["state_bucket"], "Key": "functions/x.tfstate"}), "s3:DeleteObject"),
        (("s3", "get_object", {"Bucket": DEV["artifacts_bucket"], "Key": "promoted/x.zip"}), "s3:GetObject"),
        (("cloudwatch", "delete_alarms", {"AlarmNames": ["x--sandbox-ada-errors"]}), "cloudwatch:DeleteAlarms"),
    ],
)  # fmt: skip
def test_a_developer_may_touch_nothing_but_sandboxes(
    ada: Developer, call: tuple[str, str, dict[str, Any]], action: str
) -> None:
    service, operation, parameters = call
    client = ada.world.client(service, DEV["id"], REGION, "acme-developer")

    with pytest.raises(ClientError, match=f"is not authorized to perform: {action}"):
        getattr(client, operation)(**parameters)

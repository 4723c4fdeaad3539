import fcntl
import io
import json
import os
import pickle
import shutil
import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cookiecutter.main import cookiecutter

from emulator.accounts import EmulatedAccounts
from foundation import terraform
from rehearsal import demo, foundation
from rehearsal.rehearse import Options, rehearse
from screen import Screen
from tests.worlds import FACTS, HTTP, LONE, QUEUE, TEMPLATE, Rehearsed, World

Bake = Callable[..., Path]


def needs(tool: str) -> None:
    """Skip a test for which a tool is missing; in CI that is a failure."""
    if shutil.which(tool) is None:
        message = f"{tool} is not on PATH"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


@pytest.fixture
def bake(tmp_path: Path) -> Bake:
    """Generate a repository from answers and return its folder."""

    def generate(**answers: str) -> Path:
        output = tmp_path / f"output-{len(list(tmp_path.iterdir()))}"
        return Path(cookiecutter(str(TEMPLATE), no_input=True, extra_context=answers, output_dir=str(output)))

    return generate


@pytest.fixture(scope="session")
def empty() -> Iterator[EmulatedAccounts]:
    with EmulatedAccounts() as accounts:
        yield accounts


@pytest.fixture
def accounts(empty: EmulatedAccounts) -> Iterator[EmulatedAccounts]:
    with empty.fork() as accounts:
        yield accounts


# Where a shell runs us in its background it has us ignore this, and all that we start would ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)

WORLD = pytest.StashKey[EmulatedAccounts]()

# The default accounts with the foundation applied, once for all workers: whoever needs it first does it.


def pytest_configure(config: Any) -> None:
    if not hasattr(config, "workerinput"):
        config.stash[WORLD] = EmulatedAccounts().__enter__()


ORDER = (
    *(
        "typescript",
        "triggers",
        "trigger_events",
        "trigger_http",
        "trigger_s3",
        "trigger_schedule",
        "trigger_sns",
        "trigger_streams",
    ),
    *("rehearsal", "environments", "organizations", "generation", "update", "python", "security", "settings"),
    *("grants", "operations", "failures", "sandbox", "denials", "foundation", "deployment", "promoter"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with who founds and rehearses what others need, and meanwhile with who needs neither."""
    rank = {f"test_{name}": number for number, name in enumerate(ORDER)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(ORDER)))
    for item in items:
        if "tried" in getattr(item, "fixturenames", []):
            item.add_marker("tries")


def pytest_unconfigure(config: Any) -> None:
    if world := config.stash.get(WORLD, None):
        world.__exit__(None, None, None)


@pytest.fixture
def tried() -> Counter[tuple[str, str]]:
    """Counts what a test tries: what that is, and what becomes of it. tries(what, became) marks one."""
    return Counter()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Note what a test that passes has tried."""
    result = yield
    counted = Counter({mark.args: 1 for mark in item.iter_markers("tries") if mark.args})
    counted += getattr(item, "funcargs", {}).get("tried", Counter())
    item.user_properties += [("tried", [*pair, number]) for pair, number in counted.items()]
    return result


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--keep-faults", help="a page for the figures of what was tried, such as of -m tries")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what was tried, and keep it if that is asked for."""
    attacks(terminalreporter)
    figures: dict[str, Counter[str]] = defaultdict(Counter)
    for report in (each for reports in terminalreporter.stats.values() for each in reports):
        for name, value in getattr(report, "user_properties", []):
            if report.when == "call" and name == "tried":
                figures[value[0]][value[1]] += value[2]
    if not figures:
        return
    terminalreporter.section("faults: what was tried, and what became of it")
    rows = [
        (what, f"{all_.total():,}", ", ".join(f"{number:,} {how}" for how, number in sorted(all_.items())))
        for what, all_ in sorted(figures.items())
    ]
    for row in rows:
        terminalreporter.write_line("{:<16} {:>7}: {}".format(*row))
    if place := terminalreporter.config.getoption("keep_faults"):
        lines = ["| what | tried | what became of it |", "| --- | --- | --- |"]
        lines += [f"| {what} | {total} | {became} |" for what, total, became in rows]
        command = " ".join(["pytest", *terminalreporter.config.invocation_params.args])
        title = f"# Faults tried, {datetime.now(UTC):%Y-%m-%d}\n\n`{command}`"
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        Path(place).write_text("\n".join([title, "", *lines, ""]), "utf-8")


def attacks(terminalreporter: Any) -> None:
    """Print the attacks that were tried, and how many single calls beside them."""
    found: dict[str, list[str]] = {"attack": [], "attempt": []}
    denied = 0
    for report in (each for reports in terminalreporter.stats.values() for each in reports):
        for name, value in getattr(report, "user_properties", []):
            if report.when == "call" and name in found:
                found[name].append(value)
                denied += report.passed
    if found["attack"]:
        terminalreporter.section("attacks: who, what for, what refuses it")
        for line in found["attack"]:
            terminalreporter.write_line(line)
        chains, calls = len(found["attack"]), len(found["attempt"])
        terminalreporter.write_line(f"{chains} attacks and {calls} single calls tried, {denied} denied")


def pytest_configure_node(node: Any) -> None:
    node.workerinput["world"] = node.config.stash[WORLD].url


@pytest.fixture(scope="session")
def shared(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for all workers of this run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if hasattr(pytestconfig, "workerinput") else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def once(shared: Path, name: str) -> Iterator[bool]:
    """Tell the first who comes, of all workers, to do something; the others wait until it is done."""
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = shared / f"{name}.done"
        yield not done.exists()
        done.touch()


@pytest.fixture(scope="session")
def founded(pytestconfig: pytest.Config, shared: Path) -> EmulatedAccounts:
    """The default accounts with the foundation applied, for forks alone."""
    needs("terraform")
    world = EmulatedAccounts()
    given = getattr(pytestconfig, "workerinput", None)
    world.url = given["world"] if given else pytestconfig.stash[WORLD].url
    with once(shared, "foundation") as first:
        if first:
            kept = foundation.cached(FACTS)
            restored = foundation.restore(world, kept)
            world.ask("enforce")
            if not restored:
                foundation.apply(world, FACTS, shared)
                foundation.keep(world, kept)
    return world


@pytest.fixture(scope="session")
def rehearsed(founded: EmulatedAccounts, shared: Path) -> Rehearsed:
    """The default accounts with a sample function in production, for forks alone. They end with this run."""
    return in_production(founded, shared)


@pytest.fixture(scope="session")
def queued(founded: EmulatedAccounts, shared: Path) -> Rehearsed:
    """The same with a function that messages of a queue invoke."""
    return in_production(founded, shared, function_name=QUEUE, trigger="sqs")


@pytest.fixture(scope="session")
def evented(founded: EmulatedAccounts, shared: Path) -> Rehearsed:
    """The default accounts with a function that events of EventBridge invoke, in one environment alone."""
    return alone(founded, shared, "events")


@pytest.fixture(scope="session")
def stored(founded: EmulatedAccounts, shared: Path) -> Rehearsed:
    """The same with a function that objects of a bucket invoke."""
    return alone(founded, shared, "s3")


@pytest.fixture(scope="session")
def notified(founded: EmulatedAccounts, shared: Path) -> Rehearsed:
    """The same with a function that notifications of a topic invoke."""
    return alone(founded, shared, "sns")


@pytest.fixture(scope="session")
def scheduled(founded: EmulatedAccounts, shared: Path) -> Rehearsed:
    """The same with a function that a schedule invokes."""
    return alone(founded, shared, "schedule")


@pytest.fixture(scope="session", params=["stream", "kinesis"])
def streamed(request: pytest.FixtureRequest, founded: EmulatedAccounts, shared: Path) -> Rehearsed:
    """The same with functions that records of a stream invoke."""
    return alone(founded, shared, request.param)


@pytest.fixture(scope="session")
def requested(founded: EmulatedAccounts, shared: Path) -> Rehearsed:
    """The default accounts with a function that requests invoke in production."""
    return in_production(founded, shared, function_name=HTTP, trigger="http")


def alone(founded: EmulatedAccounts, shared: Path, trigger: str) -> Rehearsed:
    """Take a function to the one environment of an organization that has no other, once for all workers."""
    file = shared / f"{trigger}.yaml"
    with once(shared, file.stem) as first:
        if first:
            file.write_text(json.dumps({**FACTS, "environments": [LONE]}))
    answers = {"function_name": f"hello-{trigger}", "trigger": trigger, "accounts_file": str(file)}
    return in_production(founded, shared, **answers)


def in_production(founded: EmulatedAccounts, shared: Path, **answers: str) -> Rehearsed:
    """Take the function of some answers to production, once for all workers."""
    folder = shared / f"rehearsed-{answers.get('runtime', 'python')}-{answers.get('trigger', 'none')}"
    with once(shared, folder.name) as first:
        if first:
            folder.mkdir()
            repository = Path(
                cookiecutter(str(TEMPLATE), no_input=True, extra_context=answers, output_dir=str(folder))
            )
            terraform.trust_provider(repository)
            demo.commit(repository)
            world = founded.fork().__enter__()
            releases = 2 if answers.get("trigger", "none") == "none" else 1
            with redirect_stdout(io.StringIO()) as written:
                result = rehearse(Options(repository, releases=releases), Screen(), world, folder)
            lines = written.getvalue().splitlines()
            (folder / "pickle").write_bytes(pickle.dumps((world.url, repository, lines, result)))
    url, *rest = pickle.loads((folder / "pickle").read_bytes())  # noqa: S301
    world = EmulatedAccounts()
    world.url = url
    return Rehearsed(world, *rest)


@pytest.fixture
def world(rehearsed: Rehearsed, tmp_path: Path) -> Iterator[World]:
    with rehearsed.world.fork() as accounts:
        yield World(rehearsed, accounts, tmp_path)


@pytest.fixture
def organization(founded: EmulatedAccounts) -> Iterator[EmulatedAccounts]:
    """The default accounts with the foundation applied."""
    with founded.fork() as accounts:
        yield accounts

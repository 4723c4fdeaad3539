import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cookiecutter.main import cookiecutter

from rehearsal import foundation
from rehearsal.accounts import EmulatedAccounts

TEMPLATE = Path(__file__).parents[1]
FACTS = yaml.safe_load((TEMPLATE / "accounts.yaml").read_text())

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


WORLD = pytest.StashKey[EmulatedAccounts]()

# The default accounts with the foundation applied, once for all workers: whoever needs it first does it.


def pytest_configure(config: Any) -> None:
    if not hasattr(config, "workerinput"):
        config.stash[WORLD] = EmulatedAccounts().__enter__()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that nobody waits for it alone at the end."""
    longest = ["test_rehearsal", "test_organizations", "test_foundation", "test_promoter", "test_deployment"]
    rank = {name: number for number, name in enumerate(longest)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(longest)))


def pytest_unconfigure(config: Any) -> None:
    if world := config.stash.get(WORLD, None):
        world.__exit__(None, None, None)


def pytest_configure_node(node: Any) -> None:
    node.workerinput["world"] = node.config.stash[WORLD].url


@pytest.fixture(scope="session")
def founded(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> EmulatedAccounts:
    needs("terraform")
    world = EmulatedAccounts()
    given = getattr(pytestconfig, "workerinput", None)
    world.url = given["world"] if given else pytestconfig.stash[WORLD].url
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if given else base) / "foundation"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "applied").exists():
            world.ask("enforce")
            foundation.apply(world, FACTS, folder)
            (folder / "applied").touch()
    return world


@pytest.fixture
def organization(founded: EmulatedAccounts) -> Iterator[EmulatedAccounts]:
    """The default accounts with the foundation applied."""
    with founded.fork() as accounts:
        yield accounts

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cookiecutter.main import cookiecutter

from rehearsal.accounts import EmulatedAccounts

TEMPLATE = Path(__file__).parents[1]

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

"""Whatever an event holds, a handler does what its trigger's contract says, under Lambda's runtime."""

import io
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from zipfile import ZipFile

import pytest

from emulator.accounts import EmulatedAccounts
from tests.faults import cookies
from tests.faults.events import thrown
from tests.worlds import TEMPLATE

TRIGGERS = json.loads((TEMPLATE / "cookiecutter.json").read_text("utf-8"))["trigger"]


@pytest.fixture(scope="module")
def dependencies(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A package, as what invokes nothing has it."""
    repository = cookies.bake(tmp_path_factory.mktemp("packaged"), {}).repository
    assert repository
    command = [sys.executable, "scripts/package.py", "python3.13", "aarch64-manylinux_2_34"]
    subprocess.run(command, cwd=repository, check=True, capture_output=True)
    return (repository / "build/package.zip").read_bytes()


def with_handler(package: bytes, repository: Path) -> bytes:
    """Return a package with the sources of another trigger."""
    content = io.BytesIO()
    with ZipFile(io.BytesIO(package)) as old, ZipFile(content, "w") as new:
        for entry in old.infolist():
            if not entry.filename.startswith("hello_lambda/"):
                new.writestr(entry, old.read(entry))
        for source in (repository / "src").rglob("*.py"):
            new.write(source, source.relative_to(repository / "src"))
    return content.getvalue()


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_handler_does_with_any_event_what_its_contract_says(
    trigger: str,
    tmp_path: Path,
    dependencies: bytes,
    accounts: EmulatedAccounts,
    tried: Counter[tuple[str, str]],
) -> None:
    repository = cookies.bake(tmp_path / "output", {"trigger": trigger}).repository
    assert repository
    configuration = {"Runtime": "python3.13", "Handler": "hello_lambda.handler.handle"}
    package = with_handler(dependencies, repository)
    sample = repository / "events/greeting.json"
    for became in thrown(trigger, package, sample, configuration, accounts):
        tried["events", f"{became} in Python"] += 1

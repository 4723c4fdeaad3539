"""Which room may import which, and that no two files import each other, type-checking imports included."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.worlds import TEMPLATE

MAY_IMPORT: dict[str, list[str]] = {
    "emulator": [],
    "foundation": ["hooks.accounts_file", "hooks.people", "screen"],
    "hooks": [],
    "operations": ["hooks.accounts_file", "hooks.git", "hooks.people", "screen", "triggers"],
    "rehearsal": [
        *("emulator", "foundation.terraform", "hooks.accounts_file", "hooks.git", "hooks.people"),
        *("screen", "triggers"),
    ],
    "screen": [],
    "triggers": [],
}


def imports(root: Path) -> dict[str, set[str]]:
    """Return the modules of the rooms below a folder, each with those that it imports, anywhere."""
    files = [*root.glob("*.py"), *(path for room in MAY_IMPORT for path in (root / room).rglob("*.py"))]
    modules = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for path in files
    }
    found: dict[str, set[str]] = {}
    for name, path in modules.items():
        said: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                said |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name} imports by dots, which is not read here"
                said |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
        found[name] = said & modules.keys()
    return found


def strangers(found: dict[str, set[str]]) -> list[str]:
    """Return the imports from one room into another that it may not know."""
    return [
        f"{importer} imports {imported}"
        for importer, all_imported in found.items()
        for imported in all_imported
        if (room := importer.split(".")[0]) != imported.split(".")[0]
        and not any(f"{imported}.".startswith(f"{known}.") for known in MAY_IMPORT[room])
    ]


def test_a_room_imports_those_alone_that_it_may_know() -> None:
    found = imports(TEMPLATE)

    assert {name.split(".")[0] for name in found} == MAY_IMPORT.keys()
    assert strangers(found) == []


def test_no_files_import_each_other_in_a_circle() -> None:
    TopologicalSorter(imports(TEMPLATE)).prepare()


def test_the_judge_knows_calls_and_policies_and_no_service() -> None:
    found = imports(TEMPLATE)
    judge = {name for name in found if name.startswith("emulator.judge.")}

    assert len(judge) > 1
    assert {imported for name in judge for imported in found[name]} <= judge | {"emulator.calls"}


@pytest.mark.parametrize(
    "back",
    [
        "from emulator.calls import Call",
        "from emulator import calls",
        "import emulator.calls",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from emulator.calls import Call",
        "def late():\n    from emulator import calls",
    ],
)
def test_a_circle_would_be_seen(tmp_path: Path, back: str) -> None:
    (tmp_path / "emulator").mkdir()
    (tmp_path / "emulator/calls.py").write_text("from emulator.s3 import put")
    (tmp_path / "emulator/s3.py").write_text(back)

    with pytest.raises(CycleError):
        TopologicalSorter(imports(tmp_path)).prepare()


def test_an_import_of_a_stranger_would_be_seen(tmp_path: Path) -> None:
    for room in "emulator", "foundation", "rehearsal":
        (tmp_path / room).mkdir()
    (tmp_path / "emulator/s3.py").write_text("from rehearsal import people")
    (tmp_path / "foundation/apply.py").touch()
    (tmp_path / "rehearsal/people.py").write_text("from foundation import apply")

    assert sorted(strangers(imports(tmp_path))) == [
        "emulator.s3 imports rehearsal.people",
        "rehearsal.people imports foundation.apply",
    ]

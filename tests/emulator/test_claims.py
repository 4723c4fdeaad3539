"""What the emulator claims of AWS: each claim says what it rests on."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator import front
from emulator.calls import CLAIMS, COMMANDS, MISSING, OPERATIONS
from emulator.judge.bases import BASES, basis
from emulator.judge.checks import READERS
from emulator.judge.verdict import GUARDS
from tests.worlds import TEMPLATE, Rehearsed

KINDS = {"documentation", "the API's model", "recorded from AWS", "guess", "no claim"}
PAGE = TEMPLATE / "docs/rehearsal.md"


def sources() -> Iterator[tuple[Path, ast.Module]]:
    """Yield the files that speak for AWS, read."""
    for folder in "emulator", "rehearsal/actions":
        for path in sorted((TEMPLATE / folder).glob("*.py")):
            yield path, ast.parse(path.read_text("utf-8"))


def called(node: ast.AST) -> set[str]:
    """Return the names of what is called, or stands as a decorator, within a node."""
    calls = [each.func for each in ast.walk(node) if isinstance(each, ast.Call)]
    return {each.attr if isinstance(each, ast.Attribute) else str(getattr(each, "id", "")) for each in calls}


def test_whatever_the_emulator_registers_is_marked_with_what_it_rests_on() -> None:
    assert front.SERVICES
    claimed = {claim: rests for claim, rests in CLAIMS.items() if rests.kind != "moto"}
    marked = len(OPERATIONS) + len(COMMANDS) + len(READERS) + len(GUARDS)

    assert [claim for claim, rests in claimed.items() if rests.kind not in KINDS] == []
    assert len(claimed) > marked
    for claim, rests in claimed.items():
        assert rests.what, claim
        if rests.kind == "documentation":
            assert re.fullmatch(r"https://docs\.aws\.amazon\.com/[\w/.#-]+", rests.what), claim


def test_whatever_a_service_does_by_itself_is_marked() -> None:
    """So is each function of a service's file that emits an event or publishes a message."""
    for path, tree in sources():
        if path.parent.name != "emulator" or path.name in ("front.py", "calls.py"):
            continue
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            does = called(ast.Module(function.body, [])) & {"emit", "publish"}
            marks = called(ast.Module([ast.Expr(each) for each in function.decorator_list], []))
            if does and function.name not in does:
                known = marks & {"claims", "operation", "to"}
                assert known, f"{path.name}: {function.name} does {', '.join(does)}"


def test_whatever_a_service_asks_for_is_marked() -> None:
    known = {action for _, action in BASES} | set(CLAIMS)
    for path, tree in sources():
        parts = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in set(ast.walk(tree)) - parts:
            said = str(node.value) if isinstance(node, ast.Constant) else ""
            if re.fullmatch(r"[a-z0-9-]+:[A-Z]\w+", said):
                assert said in known or basis("", said) != MISSING, f"{path.name}: {said}"


def test_a_rehearsal_does_nothing_that_is_not_marked(rehearsed: Rehearsed) -> None:
    claims = [claim for claim in rehearsed.result.claims if claim["used"]]

    assert len(claims) > 100
    assert [claim["claim"] for claim in claims if claim["kind"] == "missing"] == []


def test_each_guess_has_a_line_in_the_page(rehearsed: Rehearsed) -> None:
    asked = {f"{service} asks for {action}": rests for (service, action), rests in BASES.items()}
    guesses = {claim: rests.what for claim, rests in (CLAIMS | asked).items() if rests.kind == "guess"}
    told = PAGE.read_text("utf-8").partition("## Guesses")[2]
    lines = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", told, re.MULTILINE)[2:])
    used = {claim["claim"] for claim in rehearsed.result.claims if claim["used"] and claim["kind"] == "guess"}

    assert lines == guesses
    assert used <= lines.keys()


@pytest.mark.parametrize("row", re.findall(r"`tests/([\w/]+\.py)::(test_\w+)`", PAGE.read_text("utf-8")))
def test_each_test_that_the_page_names_is_there(row: tuple[str, str]) -> None:
    path, name = row

    assert f"def {name}(" in (TEMPLATE / "tests" / path).read_text("utf-8")

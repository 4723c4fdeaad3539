"""Whatever is answered, a repository holds it as data, or it is refused by name and nothing is left."""

import json
import os
import random
import subprocess
import sys
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
import pytest
from markdown_it import MarkdownIt

from tests.faults.cookies import Baked, bake
from tests.worlds import TEMPLATE

QUESTIONS = json.loads((TEMPLATE / "cookiecutter.json").read_text("utf-8"))
COOKIECUTTER = Path(sys.executable).with_name("cookiecutter")
TYPED = ["function_name", "description", "authorization", "accounts_file"]
DEFAULTS = {name: QUESTIONS[name] for name in TYPED}
COUNT, SAMPLE = 1000, 20

WORDS = ["hello", "lambda", "x", "0", "a" * 43, "A" * 300, "json", "class", "-builder", "acme-promoter"]
CODE = [
    *("'", '"', '"""', "\\", "\\N{DASH}", "\\u0041", "`", "#", "|", "<b>", "<!--"),
    *("[a](b)", "1. ", "* ", ": ", "- ", "%s", "{0}", "<<EOF"),
    *("{{ 7 * 7 }}", "{% raw %}", "{%", "}}", "{#", "${x}", "%{ if true }", "@FUNCTION@", "$$"),
    *("$(touch owned)", "`touch owned`", "; touch owned", "$(shell touch owned)", "__import__('os')"),
]
PATHS = [
    *("/", "..", "../..", "a/../..", "~", "~root", "~\0", "/dev/null", "/dev/zero", "/etc/passwd"),
    *("C:\\", ".", "", "con"),
]
SIGNS = [
    *("\0", "\n", "\r\n", "\t", "\x1b[31m", "\x7f", "\x85", "\u2028", "\ud800", "\udfff", "\ufeff", "\ufffe"),
    *(
        "é",
        "e\u0301",
        "\u0455",
        "\u0430",
        "\uff48",
        "\ufb01",
        "İ",
        "ß",
        "\u200b",
        "\u202e",
        "\xa0",
        "👩🏽‍🚀",
        "שלום",
        "😀" * 70,
    ),
]
ODD = [None, True, False, 0, 3.5, float("nan"), [], ["a"], {}, {"a": "b"}, ""]
CALLERS = [
    *("iam", "none", "jwt", "jwt https://login.example.com/ orders"),
    *("jwt https://a/${x} b", 'jwt https://a/ "b"'),
]


def hostile(chance: random.Random, default: str) -> Any:
    """Return an answer that somebody mistypes, pastes or makes up."""
    if chance.random() < 0.05:
        return chance.choice(ODD)
    kinds = chance.choices([WORDS, CODE, PATHS, SIGNS, CALLERS], [1, 2, 1, 1, 1], k=chance.randint(1, 5))
    parts = [chance.choice(kind) for kind in kinds]
    if chance.random() < 0.05:
        parts *= chance.choice([50, 2000])
    if chance.random() < 0.5:
        parts.insert(chance.randint(0, len(parts)), default)
    return chance.choice(["", "", "-", " "]).join(parts)


def generated(count: int) -> list[dict[str, Any]]:
    """Return answers, of which one or two at a time are hostile."""
    chance = random.Random(20)  # noqa: S311
    found = []
    for _ in range(count):
        at_fault = chance.choices(TYPED, [2, 6, 1, 1], k=chance.choice([1, 1, 1, 2]))
        answers: dict[str, Any] = {name: hostile(chance, DEFAULTS[name]) for name in at_fault}
        answers |= {name: chance.choice(QUESTIONS[name]) for name in ("runtime", "trigger")}
        if answers["trigger"] == "http" and chance.random() < 0.5:
            answers["authorization"] = chance.choice(CALLERS)
        found.append(answers)
    return found


def contents(repository: Path) -> dict[str, bytes]:
    files = (path for path in repository.rglob("*") if path.is_file())
    return {str(path.relative_to(repository)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that returns the files for answers with the default description."""

    @cache
    def made(answers: tuple[tuple[str, str], ...]) -> dict[str, bytes]:
        baked = bake(tmp_path_factory.mktemp("plain"), dict(answers), typed=True)
        assert baked.repository
        return contents(baked.repository)

    return made


@cache
def reads(name: str, content: bytes) -> Any:
    """Return what a program reads of a file that holds a description."""
    text = content.decode()
    match name:
        case "template.json":
            return json.loads(text)
        case "pyproject.toml":
            return tomllib.loads(text)
        case "README.md":
            return [shown(token) for token in MarkdownIt("commonmark").enable("table").parse(text)]
    raise AssertionError(f"{name} holds a description")


def shown(token: Any) -> tuple[str, str]:
    """Return a piece of Markdown, as a reader sees it if it holds a description."""
    if not token.content.startswith("**What it does:**"):
        return token.type, token.content
    kinds = {child.type for child in token.children}
    assert kinds <= {"text", "text_special", "strong_open", "strong_close"}, token.content
    return token.type, " ".join("".join(child.content for child in token.children).split())


def with_description(value: Any, description: str) -> Any:
    """Return what is read of a file with another description in place of the default."""
    default = DEFAULTS["description"]
    if isinstance(value, dict):
        return {key: with_description(each, description) for key, each in value.items()}
    if isinstance(value, list):
        return [with_description(each, description) for each in value]
    if isinstance(value, tuple):
        said = f"What it does: {default}"
        return (value[0], " ".join(f"What it does: {description}".split())) if value[1] == said else value
    return description if value == default else value


def check_repository(answers: dict[str, Any], repository: Path, plain: Any) -> None:
    """Check that a repository differs from one with the default description in that alone, as data."""
    description = answers.get("description", DEFAULTS["description"])
    alike = {name: answer for name, answer in answers.items() if name != "description"}
    found, expected = contents(repository), plain(tuple(alike.items()))
    assert found.keys() == expected.keys()
    for name, content in found.items():
        if content != expected[name]:
            assert reads(name, content) == with_description(reads(name, expected[name]), description), name
    said = json.loads(found["template.json"])["answers"]
    assert said == DEFAULTS | answers
    if "deployment/authorization.tf" in found:
        variable, *_ = hcl2.loads(found["deployment/authorization.tf"].decode())["variable"]
        (caller,) = variable.values()
        assert caller["default"].strip('"') == said["authorization"]


def check_refusal(answers: dict[str, Any], baked: Baked) -> None:
    """Check that what is said begins with the name of an answer, or of the file that one names."""
    lines = baked.said.splitlines()
    named = [name for name in TYPED if any(line.startswith(f"{name}: ") for line in lines)]
    _, _, file = str(answers.get("accounts_file", "/")).rpartition("/")
    assert named or any(line.startswith(f"{file}:") for line in lines), (answers, baked.said)
    assert set(named) <= {*answers}, baked.said
    assert "Traceback" not in baked.said


def test_any_answer_is_data_or_refused_by_name(
    tmp_path: Path, plain: Any, tried: Counter[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, answers in enumerate(generated(COUNT)):
        output = tmp_path / f"{number}"
        baked = bake(output, answers, typed=True)
        if baked.repository:
            assert [*output.iterdir()] == [baked.repository], answers
            check_repository(answers, baked.repository, plain)
        else:
            check_refusal(answers, baked)
            assert not output.exists() or [*output.iterdir()] == [], answers
        tried["answers", "generated, as data" if baked.repository else "refused by name"] += 1
    assert list(tmp_path.rglob("owned")) == []


def test_cookiecutter_s_command_says_the_same_of_what_is_typed(
    tmp_path: Path, tried: Counter[tuple[str, str]]
) -> None:
    typed = [
        answers
        for answers in generated(COUNT)
        if all(isinstance(answer, str) and answer.strip() == answer != "" for answer in answers.values())
        and all(answer.isprintable() and len(answer) < 1000 for answer in answers.values())
    ][:SAMPLE]
    for number, answers in enumerate(typed):
        here = bake(tmp_path / f"here-{number}", answers, typed=True)
        output = tmp_path / f"there-{number}"
        lines = [
            str(default.index(answers[name]) + 1) if isinstance(default, list) else answers.get(name, default)
            for name, default in QUESTIONS.items()
            if name[0] != "_"
        ]
        done = subprocess.run(
            [COOKIECUTTER, "--output-dir", output, TEMPLATE],
            input="".join(f"{line}\n" for line in lines),
            env=os.environ | {"HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) == bool(here.repository), (answers, done.stdout, done.stderr)
        if here.repository:
            assert contents(output / here.repository.name) == contents(here.repository)
        else:
            assert done.returncode == 1
            assert here.said.splitlines()[0] in done.stdout + done.stderr
            assert not output.exists() or [*output.iterdir()] == []
        tried["answers", "at the command's prompts"] += 1

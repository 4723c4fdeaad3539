"""make bake, in a copy of the template."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).parents[2]


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A checkout of the template; its HEAD is what is on disk here."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=TEMPLATE, capture_output=True, text=True, check=True).stdout
    copy = tmp_path / "template"
    for name in names.split("\0"):
        if (TEMPLATE / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TEMPLATE / name, copy / name)
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["commit", "--quiet", "--message", "The template"],
    ):
        subprocess.run([*git, *command], cwd=copy, check=True)
    return copy


def save(path: Path, content: str) -> None:
    """Write a file as an editor does: another one takes its place."""
    written = path.with_name(f"{path.name}~")
    written.write_text(content)
    written.replace(path)


@pytest.fixture
def permissions(template: Path) -> Path:
    (path,) = template.glob("{{cookiecutter.*}}/deployment/permissions.tf")
    return path


@contextmanager
def baking(template: Path, *answers: str) -> Iterator[subprocess.Popen[str]]:
    """Run what make bake runs, and interrupt it at the end."""
    with subprocess.Popen(
        [sys.executable, template / "tests/tools/bake.py", *answers],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)


def heard(process: subprocess.Popen[str], text: str) -> str:
    """Return what is printed up to a line with a text; fail if it ends before."""
    assert process.stdout
    printed = ""
    for line in process.stdout:
        printed += line
        if text in line:
            return printed
    pytest.fail(f"no {text!r} in:\n{printed}")


def test_first_comes_what_is_not_committed_then_each_save_once(template: Path, permissions: Path) -> None:
    before = permissions.read_text()
    save(permissions, f"{before}# one\n")

    with baking(template) as bake:
        printed = heard(bake, "+# one")
        assert "hello-lambda/deployment/permissions.tf | 1 +" in printed
        save(permissions, f"{before}# one\n# two\n")
        printed = heard(bake, "+# two")
        assert "+# one" not in printed
        save(permissions, f"{before}# one\n")
        printed = heard(bake, "-# two")
        assert "+# two" not in printed


def test_a_refusal_is_told_and_the_next_save_awaited(template: Path, permissions: Path) -> None:
    accounts = template / "accounts.yaml"
    good = accounts.read_text()

    with baking(template) as bake:
        heard(bake, "No difference.")
        save(accounts, good.replace("us-east-1", "nowhere"))
        heard(bake, "'nowhere' is not a region")
        save(permissions, f"{permissions.read_text()}# more\n")
        heard(bake, "'nowhere' is not a region")
        save(accounts, good)
        printed = heard(bake, "+# more")
        assert "nowhere" not in printed.split("Against", 1)[1]


def test_it_bakes_with_the_answers_given(template: Path, permissions: Path) -> None:
    save(permissions, f"{permissions.read_text()}# more\n")

    with baking(template, "function_name=orders") as bake:
        assert "orders/deployment/permissions.tf" in heard(bake, "+# more")


def test_an_interrupt_ends_it_without_a_word(template: Path) -> None:
    with baking(template) as bake:
        heard(bake, "No difference.")
        bake.send_signal(signal.SIGINT)
        assert bake.stdout
        assert bake.stdout.read() == ""
        assert bake.wait() == 0

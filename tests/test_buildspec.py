import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rehearsal import buildspec

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def run(tmp_path: Path, text: str, **environment: str) -> list[str]:
    """Run a buildspec and return the commands that succeeded."""
    (tmp_path / "buildspec.yml").write_text(text)
    commands: list[buildspec.Command] = []
    buildspec.run(tmp_path, "buildspec.yml", ENVIRONMENT | environment, commands.append)
    return [command.text for command in commands]


def test_commands_share_one_shell_across_phases(tmp_path: Path) -> None:
    run(
        tmp_path,
        "phases: {install: {commands: [mkdir a, cd a, word=x]}, build: {commands: ['echo $word > out']}}",
    )

    assert (tmp_path / "a/out").read_text() == "x\n"


@pytest.mark.parametrize("failing", ["'false'", "exit 3", "ls nowhere"])
def test_a_failing_command_ends_the_build_and_is_named(tmp_path: Path, failing: str) -> None:
    with pytest.raises(buildspec.BuildError, match=f"build: {failing.strip(chr(39))}: exit code"):
        run(tmp_path, f"phases: {{build: {{commands: [echo before, {failing}, touch after]}}}}")

    assert not (tmp_path / "after").exists()


def test_what_a_failing_command_printed_is_shown(tmp_path: Path) -> None:
    with pytest.raises(buildspec.BuildError, match="it broke"):
        run(tmp_path, "phases: {build: {commands: ['echo it broke; exit 1']}}")


def test_the_project_s_variables_win_over_the_buildspec_s(tmp_path: Path) -> None:
    run(
        tmp_path,
        "env: {variables: {A: buildspec, B: buildspec}}\nphases: {build: {commands: ['echo $A $B > out']}}",
        A="project",
    )

    assert (tmp_path / "out").read_text() == "project buildspec\n"


def test_nothing_of_our_own_environment_leaks_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")

    run(tmp_path, "phases: {build: {commands: ['echo \"[$SECRET]\" > out']}}")

    assert (tmp_path / "out").read_text() == "[]\n"


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"phases\.build: not known to the rehearsal: comands"):
        run(tmp_path, "phases: {build: {comands: [ls]}}")


def test_terraform_s_installer_refuses_an_archive_with_another_checksum(tmp_path: Path) -> None:
    source = next(Path(__file__).parents[1].glob("*cookiecutter.__folder*/deployment/install-terraform.sh"))
    (tmp_path / "deployment").mkdir()
    shutil.copy(source, tmp_path / "deployment")
    shutil.copy(source.with_name("terraform.sha256"), tmp_path / "deployment")
    (tmp_path / ".terraform-version").write_text("1.11.4\n")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "terraform").write_text("#!/bin/sh\necho Terraform v1.0.0\n")
    (tools / "curl").write_text('#!/bin/sh\nwhile [ "$1" != --output ]; do shift; done\necho other > "$2"\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)

    done = subprocess.run(
        ["sh", "deployment/install-terraform.sh", "bin"],
        cwd=tmp_path,
        env={"PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "FAILED" in done.stdout
    assert list((tmp_path / "bin").iterdir()) == []

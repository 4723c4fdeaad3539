"""A release is of what is committed, whatever Git is set to on the machine that builds it."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from hooks.git import git
from rehearsal.demo import commit
from tests.conftest import Bake


@pytest.fixture
def repository(bake: Bake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed repository with a package, where Git writes lines as on Windows and shows signatures."""
    repository = bake()
    commit(repository)
    (repository / "build").mkdir()
    (repository / "build/package.zip").write_bytes(b"a package")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text("[core]\nautocrlf = true\n[log]\nshowSignature = true\n")
    return repository


COMMAND = [sys.executable, "scripts/release.py", "python3.13", "handler.handle"]


def refused(repository: Path) -> str:
    """Return why no release can be assembled."""
    done = subprocess.run(COMMAND, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stderr


def released(repository: Path, **variables: str) -> dict[str, Any]:
    """Assemble a release and return what it says of itself."""
    subprocess.run(COMMAND, cwd=repository, env=os.environ | variables, check=True)
    facts: dict[str, Any] = json.loads((repository / "build/release/release.json").read_bytes())
    return facts


def test_lines_end_as_committed(repository: Path) -> None:
    released(repository)

    files = [path for path in (repository / "build/release").rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if b"\r\n" in path.read_bytes()] == []


def test_another_repository_that_the_process_names_is_not_meant(
    repository: Path, bake: Bake, tmp_path: Path
) -> None:
    other = bake(function_name="another")
    commit(other, "Of another")

    facts = released(repository, GIT_DIR=str(other / ".git"), GIT_WORK_TREE=str(other))

    assert facts["subject"] == "Born from the template"
    assert facts["revision"] == git(repository, "rev-parse", "HEAD")


def test_what_is_packed_but_not_committed_is_named(repository: Path) -> None:
    (repository / "src/.notes").touch()
    (repository / "src/__pycache__").mkdir()
    (repository / "src/__pycache__/module.pyc").touch()
    released(repository)
    (repository / "src/a.tfplan").touch()  # which Git ignores

    assert refused(repository).endswith("packed, yet not committed; commit or remove them:\nsrc/a.tfplan\n\n")


def test_debian_12_s_python_which_filters_no_archive_assembles_a_release_too(repository: Path) -> None:
    older = "[vars(tarfile).pop(name, None) for name in ('data_filter', 'FilterError')]"
    script = "sys.argv[:1] = []; runpy.run_path(sys.argv[0], run_name='__main__')"
    code = f"import runpy, sys, tarfile; {older}; {script}"
    subprocess.run([sys.executable, "-c", code, *COMMAND[1:]], cwd=repository, check=True)

    assert (repository / "build/release/release.json").is_file()


@pytest.mark.skipif(not hasattr(tarfile, "data_filter"), reason="this Python does not look for such links")
def test_a_link_out_of_the_release_is_named(repository: Path) -> None:
    (repository / "events/passwords").symlink_to("/etc/passwd")
    commit(repository)

    assert refused(repository) == (
        "release: a release cannot hold it: 'events/passwords' is a link to an absolute path\n"
    )


def test_a_commit_without_a_message_is_released(repository: Path) -> None:
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    git(repository, *who, "commit", "--amend", "--allow-empty-message", "--message", "", "--no-edit")

    facts = released(repository)

    assert (facts["author"], facts["subject"]) == ("lambda-template", "")
    assert facts["summary"] == f"{facts['revision'][:12]} (lambda-template)"

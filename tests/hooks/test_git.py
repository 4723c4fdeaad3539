"""Git's answers are of the folder that is meant, whatever the machine and the process are set to."""

from pathlib import Path

import pytest

from hooks.git import GitError, NoGitError, git
from rehearsal.demo import commit

SETTINGS = """
[color]
    ui = always
[core]
    autocrlf = true
    hooksPath = {hooks}
    quotePath = true
[i18n]
    logOutputEncoding = ISO-8859-1
[log]
    showSignature = true
[status]
    showUntrackedFiles = no
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository, on a machine and in a process with settings of their own."""
    folder = tmp_path / "grüße"
    folder.mkdir()
    (folder / "script.sh").write_bytes(b"true\n")
    commit(folder, "Grüße\nan alle")
    hook = tmp_path / "hooks/post-checkout"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\necho no >&2\nexit 1\n")
    hook.chmod(0o755)
    (tmp_path / ".gitconfig").write_text(SETTINGS.format(hooks=hook.parent))
    other = tmp_path / "other"
    other.mkdir()
    (other / "x").write_text("x")
    commit(other, "Of another")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    return folder


def test_an_answer_is_of_the_folder_that_is_meant_and_in_a_form_of_its_own(repository: Path) -> None:
    (repository / "neü").write_text("")

    assert git(repository, "log", "-1", "--format=%s") == "Grüße an alle"
    assert git(repository, "status", "--porcelain") == "?? neü"


def test_a_clone_is_as_committed_and_runs_nobody_s_hooks(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(repository), "clone")

    assert (tmp_path / "clone/script.sh").read_bytes() == b"true\n"


def test_what_fails_is_told_in_a_line_with_git_s_own_words(tmp_path: Path) -> None:
    with pytest.raises(GitError, match=r"^git rev-parse in .*: fatal: not a git repository[^\n]*$"):
        git(tmp_path, "rev-parse", "HEAD")


def test_where_there_is_no_git_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NoGitError, match=r"^git is not on PATH; install it$"):
        git(tmp_path, "status")

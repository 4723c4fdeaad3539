"""What a rehearsal begins with, before there is any account."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cookiecutter.main import cookiecutter

from hooks.git import git
from rehearsal import demo
from rehearsal.actions.sources import Commit
from rehearsal.rehearse import Options, RehearsalError, begin
from screen import Screen
from tests.conftest import Bake
from tests.worlds import TEMPLATE, TOOL


def test_a_tag_that_is_named_like_the_branch_is_not_taken_for_it(bake: Bake) -> None:
    """As in https://github.com/opensearch-project/opensearch-api-specification/issues/300."""
    repository = bake()
    for message in "First", "Second":
        (repository / "file").write_text(message)
        demo.commit(repository, message)
    git(repository, "tag", "main", "HEAD~1")
    kept = dict[str, str]()
    source = SimpleNamespace(
        action={"name": "Source"},
        configuration={"FullRepositoryId": "acme/it", "BranchName": "main", "ConnectionArn": ""},
        execution={"pinned": {}},
        walk=SimpleNamespace(repositories={"acme/it": repository}),
        keep=lambda content: None,
        export=kept.update,
        note_revision=lambda revision, summary: None,
    )

    Commit.perform(cast("Any", source))

    latest = git(repository, "rev-parse", "HEAD")
    assert kept["CommitId"] == latest
    assert begin(Options(repository, commit="main"), Screen(quiet=True)).revision == latest
    code = "import sys; sys.path.insert(0, 'scripts'); import release; print(release.branch())"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=repository, text=True) == "main\n"


def test_a_repository_whose_hooks_have_not_run_says_so(tmp_path: Path) -> None:
    """As in https://github.com/cookiecutter/cookiecutter/issues/1416."""
    repository = Path(
        cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(tmp_path), accept_hooks=False)
    )

    made = subprocess.run(["make"], cwd=repository, capture_output=True, text=True, check=False)
    ran = subprocess.run([TOOL, "status"], cwd=repository, capture_output=True, text=True, check=False)

    assert "generate it again, with --accept-hooks yes" in made.stderr
    assert "it has no accounts.json" in ran.stderr
    assert [len(done.stderr.splitlines()) for done in (made, ran)] == [1, 1]
    with pytest.raises(
        RehearsalError, match=r"it has no accounts\.json; where cookiecutter may not run hooks"
    ):
        begin(Options(repository), Screen(quiet=True))

"""A build that begins before its pipeline is there: what it finds is told early, or counts for nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from emulator.accounts import EmulatedAccounts
from hooks.git import git
from rehearsal import demo, foundation
from rehearsal.early import EarlyBuild, may_begin
from rehearsal.rehearse import Options, rehearse
from screen import Screen
from tests.conftest import Bake
from tests.worlds import DEV, FACTS

BUILDSPEC = """\
version: 0.2
phases:
  build:
    commands:
      - {command}
"""
PROJECT: dict[str, Any] = {"source": {"buildspec": "buildspec.yml"}}
Begin = Callable[[str], Any]


@pytest.fixture
def begun(tmp_path: Path) -> Begin:
    """Return what begins the build of a repository whose buildspec is one command, and waits for its end."""

    @contextmanager
    def begin(command: str) -> Iterator[EarlyBuild]:
        repository = tmp_path / "repository"
        repository.mkdir()
        (repository / "buildspec.yml").write_text(BUILDSPEC.format(command=command))
        demo.commit(repository)
        (tmp_path / "early").mkdir()
        variables = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        revision = git(repository, "rev-parse", "HEAD")
        with EarlyBuild(repository, revision, tmp_path / "early", variables) as build:
            build.wait()
            yield build

    return begin


def test_a_red_test_is_known_by_itself(begun: Begin) -> None:
    with begun("echo 1 failed; exit 3") as build:
        assert build.failed
        assert "buildspec.yml: build: echo 1 failed; exit 3: exit code 3\n1 failed" in build.problem


def test_a_build_is_that_of_its_commit_as_its_project_says(begun: Begin) -> None:
    with begun('test "$BRANCH" = main') as build:
        assert not build.failed
        assert build.stands_for(build.revision, PROJECT, {"BRANCH": "main"})
        assert not build.stands_for("0" * 40, PROJECT, {"BRANCH": "main"})
        assert not build.stands_for(build.revision, PROJECT, {"BRANCH": "main", "FLAVOUR": "hot"})
        assert not build.stands_for(
            build.revision, {"source": {"buildspec": "other.yml"}}, {"BRANCH": "main"}
        )


def test_a_build_that_asks_aws_counts_for_nothing(begun: Begin) -> None:
    with begun(
        "python3 -c 'import os, urllib.request as u; u.urlopen(os.environ[\"AWS_ENDPOINT_URL\"])'"
    ) as build:
        assert build.problem
        assert not build.failed
        assert not build.stands_for(build.revision, PROJECT, {"BRANCH": "main"})


def test_the_build_of_a_generated_repository_may_begin_early_unless_its_project_is_told_more(
    bake: Bake,
) -> None:
    repository = bake()
    demo.commit(repository)
    steps = repository / "pipeline/steps.tf"
    before = git(repository, "rev-parse", "HEAD")
    steps.write_text(
        steps.read_text().replace("{ BRANCH = var.branch }", '{ BRANCH = var.branch, FLAVOUR = "hot" }')
    )
    demo.commit(repository, "Tell it more")

    assert may_begin(repository, before)
    assert not may_begin(repository, "HEAD")


def test_a_red_commit_is_told_before_the_foundation_stands(
    bake: Bake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foundation, "cached", lambda facts: tmp_path / "nothing.world")
    repository = bake()
    (repository / "buildspec.yml").write_text(BUILDSPEC.format(command="echo 1 failed; exit 3"))
    demo.commit(repository)
    folder = tmp_path / "rehearsal"
    folder.mkdir()

    with EmulatedAccounts() as world:
        result = rehearse(Options(repository), Screen(quiet=True), world, folder)
        buckets = world.client("s3", DEV["id"], FACTS["region"]).list_buckets()["Buckets"]

    assert result.problem.startswith(
        "dev: Build: Build: hello-lambda-build: buildspec.yml: build: echo 1 failed"
    )
    assert [(run.action, run.status) for run in result.runs] == [("Build", "Failed")]
    assert buckets == []
    assert not (tmp_path / "nothing.world").exists()

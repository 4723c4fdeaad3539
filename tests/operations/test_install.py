"""The command for people: fetched from the template at a repository's own revision, or said why not."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from operations.install import variables
from rehearsal import demo
from tests.conftest import Bake
from tests.worlds import TEMPLATE, TOOL

ADDRESS = "https://github.com/acme/lambda-template"


def make(repository: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GIT_", "MAKE"))}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(
        command, cwd=repository, env=own | variables, capture_output=True, text=True, check=False
    )


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """A Git that finds this checkout where the template's address points to."""
    config = tmp_path / "gitconfig"
    config.write_text(f'[url "file://{TEMPLATE}"]\n  insteadOf = {ADDRESS}\n[safe]\n  directory = *\n')
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return {"GIT_CONFIG_GLOBAL": str(config), "HOME": str(tmp_path), "XDG_CACHE_HOME": cache}


def installed(repository: Path) -> set[str]:
    """Return the names of the packages that the command has."""
    return {path.name.partition("-")[0] for path in (repository / ".tool").rglob("*.dist-info")}


def facts(repository: Path) -> Any:
    return json.loads((repository / "template.json").read_text())


def test_the_command_comes_from_the_template_at_the_revision_that_made_the_repository(
    bake: Bake, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    repository = bake().rename(tmp_path / "a folder")
    misleading = {"PIP_USER": "1", "PIP_DRY_RUN": "1", "PYTHONSAFEPATH": "1", "PYTHONHOME": "/nowhere"}
    misleading |= {"PIP_TARGET": str(repository / "target"), "GIT_DIR": "/nowhere"}

    done = make(repository, "status", **elsewhere, **misleading)

    assert done.returncode != 0
    assert done.stdout.splitlines()[-1].startswith("prod: The config profile (acme-prod-reader) could not be")
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=repository / ".tool/src", text=True)
    assert head.strip() == facts(repository)["revision"]
    assert {"botocore", "rich", "watchfiles"} <= installed(repository)
    assert {"moto", "boto3", "awscli"}.isdisjoint(installed(repository))
    assert make(repository, "--question", ".tool/installed").returncode == 0
    (repository / "template.json").touch()
    assert make(repository, "--question", ".tool/installed").returncode == 1

    rehearse = make(repository, "rehearse", "OPTIONS=--help", "-o", "template.json", **elsewhere)

    assert rehearse.stdout.startswith("usage: rehearse "), rehearse.stderr
    assert {"moto", "boto3", "awscli"} <= installed(repository)


def test_uv_is_told_where_packages_are_as_pip_is_and_neither_to_install_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = ("PIP_", "PYTHON", "SSL_", "UV_")
    for name in [name for name in os.environ if name.startswith(own)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_INDEX_URL", "https://example.com/simple")
    monkeypatch.setenv("PIP_CERT", "/ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", "/of/uv.pem")
    for name in ("PIP_TARGET", "PIP_USER", "PYTHONPATH", "UV_SYSTEM_PYTHON", "UV_NO_VERIFY_HASHES"):
        monkeypatch.setenv(name, "1")

    told = {name: value for name, value in variables().items() if name.startswith(own)}

    assert told == {
        "PIP_CERT": "/ca.pem",
        "PIP_INDEX_URL": "https://example.com/simple",
        "SSL_CERT_FILE": "/of/uv.pem",
        "UV_DEFAULT_INDEX": "https://example.com/simple",
    }


def test_a_template_out_of_reach_is_told_in_a_line_with_account_and_remedies(
    bake: Bake, elsewhere: dict[str, str]
) -> None:
    repository = bake()
    revision = facts(repository)["revision"]
    config = Path(elsewhere["GIT_CONFIG_GLOBAL"])
    config.write_text(f'[url "file:///nowhere"]\n  insteadOf = {ADDRESS}\n')
    helper = "!f() { echo username=ada; echo password=secret; }; f"

    nobody = make(repository, "status", **elsewhere)
    with config.open("a") as file:
        file.write(f'[credential]\n  helper = "{helper}"\n')
    somebody = make(repository, "status", **elsewhere)

    for done, who in (nobody, "nobody, since no login is stored"), (somebody, "ada"):
        said = [line for line in done.stderr.splitlines() if not line.startswith("make: ")]
        assert done.returncode != 0
        assert len(said) == 1, done.stderr
        assert said[0].startswith(
            f"git fetch --quiet --depth 1 {ADDRESS} {revision} as {who}: fatal: '/nowhere'"
        )
        assert "log Git in, such as by: gh auth login && gh auth setup-git" in said[0]
        assert "make TOOL=CLONE/.venv/bin/lambda-template" in said[0]
        assert "secret" not in done.stdout + done.stderr
    assert not (repository / ".tool/installed").exists()


def test_what_builds_needs_no_command(bake: Bake, elsewhere: dict[str, str], tmp_path: Path) -> None:
    repository = bake()
    demo.commit(repository)
    demo.install(repository)
    config = Path(elsewhere["GIT_CONFIG_GLOBAL"])
    config.write_text('[url "file:///nowhere"]\n  insteadOf = https://\n')

    done = make(repository, "test", "package", "release", **elsewhere, UV_CACHE_DIR=demo.uv_cache())

    assert done.returncode == 0, done.stdout + done.stderr
    assert not (repository / ".tool").exists()


def test_a_clone_of_the_template_serves_as_well(bake: Bake) -> None:
    repository = bake()

    done = make(repository, "sandboxes", f"TOOL={TOOL}", AWS_CONFIG_FILE=os.devnull)

    assert "(acme-dev-developer) could not be found" in done.stderr
    assert not (repository / ".tool").exists()


def test_outside_a_generated_repository_the_command_says_so(tmp_path: Path) -> None:
    done = subprocess.run([TOOL, "status"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert (
        done.stderr == f"{tmp_path} is not a repository made from lambda-template: it has no accounts.json\n"
    )

"""What a shell has set for something else changes nothing of what a repository's commands do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from foundation.apply import Foundation
from hooks.accounts_file import check
from screen import Screen
from tests.conftest import Bake
from tests.worlds import TEMPLATE

OF_ANOTHER_ROOT = {
    "TF_WORKSPACE": "another",  # https://github.com/hashicorp/terraform/issues/26127
    "TF_VAR_environment": "another",
    "TF_DATA_DIR": "another",
    "AWS_PROFILE": "another",
    "AWS_DEFAULT_REGION": "eu-west-1",
}


@pytest.fixture
def terraform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Terraform that notes the variables that it has; the file where."""
    noted = tmp_path / "variables"
    tool = tmp_path / "bin/terraform"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\nenv >{noted}\nexit ${{FAILS:-0}}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    for name, value in OF_ANOTHER_ROOT.items():
        monkeypatch.setenv(name, value)
    return noted


def python(repository: Path, code: str, **variables: str) -> str:
    """Run code of the command for people in a repository; return what it prints."""
    environment = os.environ | {"PYTHONPATH": str(TEMPLATE)} | variables
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=repository, env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_pipelines_are_applied_in_their_own_workspace_with_their_own_variables(
    bake: Bake, terraform: Path
) -> None:
    subprocess.run(["make", "pipeline-dev"], cwd=bake(), check=True)

    said = terraform.read_text().splitlines()
    assert "TF_DATA_DIR=.terraform/dev" in said
    assert not [line for line in said if line.startswith(("TF_WORKSPACE", "TF_VAR_"))]


def test_arguments_that_a_shell_adds_are_named_where_terraform_fails(
    bake: Bake, terraform: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILS", "1")
    monkeypatch.setenv("TF_CLI_ARGS_plan", "-lokc=false")

    done = subprocess.run(["make", "pipeline-dev"], cwd=bake(), check=False, capture_output=True, text=True)

    assert "Terraform was told besides: TF_CLI_ARGS_plan=-lokc=false\n" in done.stderr


def test_a_sandbox_is_applied_in_its_own_workspace_with_its_own_variables(
    bake: Bake, terraform: Path
) -> None:
    code = (
        "from operations import accounts, sandbox, sandboxes; from screen import Screen; "
        "accounts.variables = lambda name, role: {'AWS_ACCESS_KEY_ID': 'developer'}; "
        "sandboxes.terraform(sandbox.Sandbox('ada'), {}, 'apply', Screen(), False)"
    )
    python(bake(), code)

    said = terraform.read_text().splitlines()
    assert {"TF_DATA_DIR=.terraform/ada", "TF_VAR_environment=dev", "AWS_ACCESS_KEY_ID=developer"} <= set(
        said
    )
    assert not [line for line in said if line.startswith(("TF_WORKSPACE", "AWS_PROFILE"))]


@pytest.mark.usefixtures("terraform")
def test_the_foundation_is_applied_in_its_own_workspace_with_its_own_variables(tmp_path: Path) -> None:
    (tmp_path / "promoter").mkdir()
    _, accounts = check(str(TEMPLATE / "accounts.yaml"))

    variables = Foundation(accounts, Screen(), tmp_path).variables

    assert not variables.keys() & {"TF_WORKSPACE", "TF_VAR_environment"}


def test_the_accounts_file_decides_the_region(bake: Bake, tmp_path: Path) -> None:
    repository, config = bake(), tmp_path / "config"
    config.write_text(
        "[profile acme-ops]\naws_access_key_id = x\naws_secret_access_key = x\n"
        "[profile acme-dev-reader]\nregion = eu-west-1\nrole_arn = x\nsource_profile = acme-ops\n"
    )
    code = (
        "from operations import accounts; print(accounts.client('lambda', 'dev', 'reader').meta.region_name)"
    )

    said = python(repository, code, AWS_DEFAULT_REGION="eu-west-1", AWS_CONFIG_FILE=str(config))

    assert said == "us-east-1\n"

"""What make says in a generated repository before AWS is asked."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Bake
from tests.worlds import FACTS

TERRAFORM = """#!/bin/sh
echo "$TF_DATA_DIR ${AWS_PROFILE:-keys} $*"
case "$*" in *" apply "*) test -z "$FAILS" || { echo "Error: $FAILS" >&2; exit 1; } ;; esac
"""


def make(repository: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run make with a Terraform that fails with the words in FAILS."""
    tools = repository.parent / "bin"
    tools.mkdir(exist_ok=True)
    (tools / "terraform").write_text(TERRAFORM)
    (tools / "terraform").chmod(0o755)
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = own | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "FAILS": ""} | variables
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, text=True, check=False
    )


def test_help_lists_each_target_once_by_what_it_is_for(bake: Bake) -> None:
    repository = bake()
    documented = {
        target
        for file in ("Makefile", "runtime.mk")
        for target in re.findall(r"^([a-z%-]+):.*## ", (repository / file).read_text(), re.MULTILINE)
    }

    groups = [group.splitlines() for group in make(repository).stdout.strip().split("\n\n")]

    assert [head.partition(",")[0] for head, *_ in groups] == [
        *("Your code", "Your sandbox", "The way to production", "What runs", "The repository"),
    ]
    listed = [line.split()[1] for _, *lines in groups for line in lines]
    assert sorted(listed) == sorted(documented)


def test_pipelines_are_applied_in_the_order_of_promotion_by_whoever_has_logged_in(bake: Bake) -> None:
    repository = bake()

    applied = [line.split() for line in make(repository, "pipeline").stdout.splitlines() if " apply " in line]

    names = [environment["name"] for environment in FACTS["environments"]]
    assert [words[0] for words in applied] == [f".terraform/{name}" for name in names]
    assert {words[1] for words in applied} == {"acme-ops-operator"}
    by_keys = make(repository, "pipeline-prod", "AUTO_APPROVE=1", AWS_ACCESS_KEY_ID="x").stdout.splitlines()[
        -1
    ]
    assert by_keys.startswith(".terraform/prod keys ")
    assert by_keys.endswith(" -var=environment=prod -auto-approve")


@pytest.mark.parametrize(
    ("fails", "remedy"),
    [
        ("No valid credential sources found", "aws sso login --profile acme-ops"),
        ("failed to get shared config profile, acme-ops-operator", "README.md lists the profiles"),
        ("Cannot assume IAM Role", "ask to be put into the group acme-operators of ops"),
        ('S3 bucket "acme-ops-terraform-state" does not exist.', "make foundation, in https://"),
        ("reading KMS Key (alias/acme): NotFoundException", "make foundation, in https://"),
        ("Error acquiring the state lock", "docs/pipelines.md of the template says how to free the lock"),
        ("reading CodeStar Connections Connection: no result", "Update pending connection"),
        ("something else", "docs/pipelines.md of the template"),
    ],
)
def test_a_pipeline_that_cannot_be_applied_says_what_to_do(bake: Bake, fails: str, remedy: str) -> None:
    done = make(bake(), "pipeline-stage", FAILS=fails)

    error, told, *_ = done.stderr.splitlines()
    assert done.returncode != 0
    assert error == f"Error: {fails}"
    assert told.startswith("The pipeline of hello-lambda in stage is not applied; ")
    assert remedy in told

"""The AWS CLI of builds, which is loaded once: it does what the AWS CLI does."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.accounts import EmulatedAccounts
from rehearsal import aws
from tests.worlds import DEV, REGION

ITSELF = Path(sys.executable).with_name("aws")


@pytest.fixture(scope="module")
def loaded() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder, aws.loaded(Path(folder)) as place:
        assert place
        yield place / "aws"


@pytest.mark.parametrize(
    "command",
    [
        "{aws} --version",
        "{aws} sts get-caller-identity --query Account --output text",
        "{aws} lambda get-function --function-name nobody",
        "{aws} frobnicate",
        "{aws} s3 mb s3://a-bucket; echo a | {aws} s3 cp - s3://a-bucket/k; {aws} s3 cp s3://a-bucket/k -",
        "cd /; AWS_REGION= AWS_DEFAULT_REGION= {aws} sqs list-queues",
    ],
)
def test_it_prints_and_ends_as_the_cli_itself(
    accounts: EmulatedAccounts, loaded: Path, tmp_path: Path, command: str
) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = []
    for which in loaded, ITSELF:
        with accounts.fork() as world:
            environment = own | world.environment(DEV["id"], REGION) | {"HOME": str(tmp_path)}
            line = ["sh", "-c", command.format(aws=which)]
            run = subprocess.run(
                line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            done.append((run.returncode, run.stdout, run.stderr))

    assert done[0] == done[1]


def test_a_socket_without_room_leaves_the_cli_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()

    with aws.loaded(folder) as place:
        assert place is None

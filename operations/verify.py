"""Test a sandbox as Verify tests what is deployed: by tests/deployed, with what a developer may do."""

import os
import subprocess
import sys

from operations import accounts
from operations.repository import ACCOUNTS
from operations.sandbox import ENVIRONMENT, client, sandbox


def main(name: str, command: list[str]) -> None:
    """Run a command that runs the tests, told of the sandbox; exit with its code."""
    mine = sandbox(name)
    with mine.used():
        client("lambda").get_alias(FunctionName=mine.full_name, Name="live")
        credentials = accounts.variables(ENVIRONMENT["name"], "developer")
    # Of what pipeline/ tells Verify, without ENVIRONMENT: a sandbox is none.
    own = {key: value for key, value in os.environ.items() if key not in ("AWS_PROFILE", "ENVIRONMENT")}
    told = {"ACCOUNT": ENVIRONMENT["id"], "FUNCTION": mine.full_name}
    region = {"AWS_DEFAULT_REGION": ACCOUNTS["region"]}
    sys.exit(subprocess.run(command, env=own | credentials | told | region, check=False).returncode)

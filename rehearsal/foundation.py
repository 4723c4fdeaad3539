"""The foundation, applied to emulated accounts as `make foundation` does, but side by side."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.accounts import EmulatedAccounts

# An installed rehearsal brings the foundation along; in a checkout it lies beside.
INSTALLED = Path(__file__).parent / "template"
TEMPLATE = INSTALLED if INSTALLED.is_dir() else Path(__file__).parents[1]


class FoundationError(Exception):
    """The foundation could not be applied; the message ends with what was printed."""


def command(
    world: EmulatedAccounts, facts: dict[str, Any], folder: Path
) -> tuple[list[str], dict[str, str], Path]:
    """Prepare a copy of the foundation; return how to apply it: command, environment, working folder.

    facts: what an accounts file says. folder: where the copy is made; it may be there already.
    """
    shutil.copytree(
        TEMPLATE / "foundation",
        folder / "foundation",
        ignore=shutil.ignore_patterns("build", ".terraform", "__pycache__"),
        dirs_exist_ok=True,
    )
    (folder / "accounts.yaml").write_text(json.dumps(facts, indent=2))  # YAML too, and all text in quotes
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    credentials = world.environment(facts["ops"]["id"], facts["region"])
    environment = own | credentials | {"AUTO_APPROVE": "1", "PYTHONPATH": str(TEMPLATE)}
    return [sys.executable, "-m", "foundation.apply"], environment, folder


def apply(
    world: EmulatedAccounts,
    facts: dict[str, Any],
    folder: Path,
    on_account: Callable[[str, float], None] = lambda name, seconds: None,
) -> None:
    """Apply the foundation to all accounts.

    facts: what an accounts file says. folder: to work in. on_account: told of each account that is done, and
    how many seconds it took. Raises FoundationError.
    """

    def run(name: str) -> None:
        began = time.monotonic()
        line, environment, place = command(world, facts, folder / name)
        done = subprocess.run(
            [*line, name],
            cwd=place,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise FoundationError(f"the foundation of {name} could not be applied:\n{done.stdout[-4000:]}")
        on_account(name, time.monotonic() - began)

    names = [environment["name"] for environment in facts["environments"]]
    with ThreadPoolExecutor(len(names) + 1) as accounts:
        runs = [accounts.submit(run, "ops")]
        # The environments' state goes into the bucket of ops; its other settings take another minute.
        s3 = world.client("s3", facts["ops"]["id"], facts["region"])
        while not runs[0].done() and not exists(s3, facts["ops"]["state_bucket"]):
            time.sleep(0.2)
        runs += [accounts.submit(run, name) for name in names]
        for each in runs:
            each.result()


def exists(s3: Any, bucket: str) -> bool:
    """Return whether a bucket is there."""
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError:
        return False
    return True

"""The function's package, built by `make package`, which knows how."""

import os
import subprocess
import sys
from pathlib import Path

PACKAGE = Path("build/package.zip")
# What the make above would tell the one that we start: that it may use its jobs.
OF_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")


def make(*arguments: str) -> "subprocess.Popen[str]":
    """Start make, silently, in the background."""
    return subprocess.Popen(
        ["make", "-s", *arguments],
        env={name: value for name, value in os.environ.items() if name not in OF_MAKE},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def built(building: "subprocess.Popen[str]") -> bytes:
    """Wait for `make package`; return the package, or exit with what was printed.

    If it stands by, it is told to begin.
    """
    said, _ = building.communicate("\n")
    if building.returncode:
        sys.exit(said.rstrip())
    return PACKAGE.read_bytes()

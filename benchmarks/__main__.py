"""Measure this beside what one would use instead, and where its time goes.

Usage, from the repository's root: python -m benchmarks [NAME...]

NAME: what the names of some begin with. All of them together are kept as a page of results/, by the day.
"""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from emulator.interpreters import interpreter
from hooks.git import git

RESULTS = Path(__file__).with_name("results")
NAMES = (
    *("generation.run", "packaging.run", "inner_loop.run", "cold_start.python", "cold_start.typescript"),
    *("rehearsal.run", "growth.run", "fleet.run"),
)


def machine() -> str:
    """Return what the machine is, and what runs on it."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    terraform = subprocess.check_output(
        ["terraform", "version"], stderr=subprocess.DEVNULL, text=True
    ).split()[1]
    parts = (
        f"{os.cpu_count()} cores ({model[1] if model else platform.machine()})",
        *(f"{memory:.0f} GB of memory", platform.system(), f"Python {platform.python_version()}"),
        *(f"Node.js {interpreter('nodejs', '22').version}", f"Terraform {terraform.removeprefix('v')}"),
    )
    return f"{', '.join(parts)}; commit {git(RESULTS.parent, 'rev-parse', '--short=12', 'HEAD')}."


def pages(names: tuple[str, ...]) -> Iterator[str]:
    """Measure, and yield what is to be told, piece by piece."""
    yield f"# Benchmarks of {datetime.now(UTC):%Y-%m-%d}\n\n{machine()}\n"
    for name in names:
        module = import_module(f"benchmarks.{name}")
        title = name.removesuffix(".run").replace("_", " ").replace(".", ", ").capitalize()
        yield f"## {title}\n\n{(module.__doc__ or '').strip()}\n"
        yield from map(str, module.measure())


def main(*chosen: str) -> None:
    """Measure and print all, or some."""
    names = tuple(name for name in NAMES if name.startswith(chosen or ""))
    told = []
    for piece in pages(names):
        print(piece, flush=True)
        told.append(piece)
    if names == NAMES:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{datetime.now(UTC):%Y-%m-%d}.md").write_text("\n".join(told), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

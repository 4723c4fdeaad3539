"""`make status`: what runs in each environment, and how far it is behind the one before.

Usage: python scripts/status.py FUNCTION

ENV names one environment; JSON=1 is for machines. Exits with 1 if an environment cannot be asked.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import accounts
from botocore.exceptions import BotoCoreError, ClientError

COLUMNS = ["environment", "version", "revision", "age", "pipeline", "behind", "commit"]
MISSING = {"ResourceNotFoundException", "PipelineNotFoundException"}


@dataclass
class Runs:
    """What runs in an environment, as far as it is known.

    subject: with the author. published: when the version was. weights: of other versions, while traffic is
    shifted. note: who went back to this version, and why. behind: commits of the environment before that are
    missing here. problem: why nothing can be said.
    """

    environment: str
    version: str = ""
    revision: str = ""
    subject: str = ""
    author: str = ""
    published: str = ""
    weights: dict[str, float] | None = None
    note: str = ""
    pipeline: str = ""
    behind: int | str = ""
    problem: str = ""


def ask(environment: str, function: str) -> Runs:
    """Return what runs in an environment."""
    runs = Runs(environment)
    try:
        functions = accounts.client("lambda", environment, "reader")
        pipelines = accounts.client("codepipeline", environment, "reader")
        runs.pipeline = state(pipelines, function)
        alias = functions.get_alias(FunctionName=function, Name="live")
        version = functions.get_function_configuration(
            FunctionName=function, Qualifier=alias["FunctionVersion"]
        )
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] in MISSING:
            return runs
        runs.problem = accounts.explanation(error)
        return runs
    runs.version = alias["FunctionVersion"]
    runs.weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights")
    if alias.get("Description", "").startswith(f"Back to version {runs.version} "):
        runs.note = alias["Description"]
    runs.published = version["LastModified"]
    runs.revision, _, said = version["Description"].partition(" ")
    runs.subject, _, author = said.removesuffix(")").rpartition(" (")
    runs.author = author
    return runs


def state(pipelines: Any, function: str) -> str:
    """Return where a pipeline is: the stage that fails or runs, else when it last succeeded."""
    try:
        stages = pipelines.get_pipeline_state(name=function)["stageStates"]
    except ClientError as error:
        if error.response["Error"]["Code"] in MISSING:
            return "none: make pipeline"
        raise
    for stage in stages:
        status = stage.get("latestExecution", {}).get("status", "")
        waits = [a for a in stage["actionStates"] if a.get("latestExecution", {}).get("token")]
        if waits or status not in ("", "Succeeded"):
            return f"{stage['stageName']} {'waits' if waits else status}"
    return "Succeeded"


def count_behind(found: list[Runs]) -> None:
    """Fill in how many commits each environment lacks that the one before has."""
    for before, runs in pairwise(found):
        if before.revision and runs.revision:
            commits = f"{runs.revision}..{before.revision}"
            git = subprocess.run(
                ["git", "rev-list", "--count", commits], capture_output=True, text=True, check=False
            )
            runs.behind = int(git.stdout) if git.returncode == 0 else "unknown here: git fetch"


def age(published: str) -> str:
    """Return how long ago a time was."""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(published)).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return "now"


def row(runs: Runs) -> list[str]:
    """Return what the table says of an environment."""
    if runs.problem:
        return [runs.environment, runs.problem]
    if not runs.version:
        return [runs.environment, "-", "-", "-", runs.pipeline, "-", "not deployed yet"]
    shift = "".join(f" ({weight:.0%} on {version})" for version, weight in (runs.weights or {}).items())
    return [
        runs.environment,
        runs.version + shift,
        runs.revision,
        age(runs.published),
        runs.pipeline,
        str(runs.behind or "-"),
        f"{runs.subject} ({runs.author})",
    ]


def show(found: list[Runs]) -> None:
    """Print the table, and below it who went back."""
    rows = [COLUMNS, *map(row, found)]
    widths = [max(len(cell) for r in rows if len(r) == len(COLUMNS) for cell in [r[i]]) for i in range(6)]
    for cells in rows:
        padded = [cell.ljust(width) for cell, width in zip(cells, [*widths, 0], strict=False)]
        print("  ".join(padded).rstrip())
    for runs in found:
        if runs.note:
            print(f"{runs.environment}: {runs.note}")


def main(function: str) -> int:
    """Show what runs; return the exit code."""
    names = [environment["name"] for environment in accounts.FACTS["environments"]]
    if chosen := os.environ.get("ENV"):
        accounts.environment(chosen)
    with ThreadPoolExecutor(len(names)) as pool:
        found = list(pool.map(ask, names, [function] * len(names)))
    count_behind(found)
    shown = [runs for runs in found if chosen in (None, "", runs.environment)]
    if os.environ.get("JSON"):
        print(json.dumps([asdict(runs) for runs in shown], indent=2))
    else:
        show(shown)
    return 1 if any(runs.problem for runs in shown) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

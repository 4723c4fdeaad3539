"""What runs in each environment, and how far it is behind the one before."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

import triggers
from hooks.git import GitError, NoGitError, git
from operations import accounts
from operations.repository import ACCOUNTS, ANSWERS, FUNCTION

COLUMNS = ["environment", "version", "revision", "age", "pipeline", "behind", "commit"]
WORDS = {"InProgress": "in progress"}


@dataclass
class Runs:
    """What runs in an environment, as far as it is known.

    published: when the version was. weights: of other versions, while traffic is shifted. note: who went back
    to this version, and why. address: where requests go, empty if none invoke it. behind: how many commits
    of the environment before are missing, None where that is not known. problem: why nothing can be said.
    """

    environment: str
    version: str = ""
    revision: str = ""
    subject: str = ""
    author: str = ""
    published: str = ""
    weights: dict[str, float] | None = None
    note: str = ""
    address: str = ""
    pipeline: str = ""
    behind: int | None = None
    problem: str = ""


def enter(environment: str) -> Runs:
    """Enter an environment; return what is known of it so far."""
    runs = Runs(environment)
    try:
        accounts.variables(environment, "reader")
    except (BotoCoreError, ClientError) as error:
        runs.problem = accounts.explanation(error)
    return runs


def ask(runs: Runs) -> Runs:
    """Add what runs in an environment that was entered."""
    if runs.problem:
        return runs
    environment = runs.environment
    try:
        functions = accounts.client("lambda", environment, "reader")
        pipelines = accounts.client("codepipeline", environment, "reader")
        runs.pipeline = state(pipelines)
        alias, version = live(functions)
        runs.address = address(environment)
    except (BotoCoreError, ClientError) as error:
        runs.problem = accounts.explanation(error)
        return runs
    if not alias:
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


def address(environment: str) -> str:
    """Return where the requests go that invoke the function, empty if none do."""
    client = partial(accounts.client, name=environment, role="reader")
    where = (FUNCTION, accounts.environment(environment)["id"], ACCOUNTS["region"])
    return triggers.address(ANSWERS["trigger"], client, *where)


def live(functions: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the alias and the version that it is at; nothing of both if there is none yet."""
    try:
        alias = functions.get_alias(FunctionName=FUNCTION, Name="live")
        number = alias["FunctionVersion"]
        return alias, functions.get_function_configuration(FunctionName=FUNCTION, Qualifier=number)
    except ClientError as error:
        if accounts.is_missing(error, FUNCTION, functions, "list_functions", "Functions[].FunctionName"):
            return {}, {}
        raise


def state(pipelines: Any) -> str:
    """Return where the pipeline is: at the stage that runs, waits or has failed, else at its end."""
    try:
        stages = pipelines.get_pipeline_state(name=FUNCTION)["stageStates"]
    except ClientError as error:
        if accounts.is_missing(error, FUNCTION, pipelines, "list_pipelines", "pipelines[].name"):
            return "none: make pipeline"
        raise
    for stage in stages:
        status = stage.get("latestExecution", {}).get("status", "Succeeded")
        if any("token" in action.get("latestExecution", {}) for action in stage["actionStates"]):
            status = "waits"
        if status != "Succeeded":
            return f"{stage['stageName']} {WORDS.get(status, status.lower())}"
    return "succeeded"


def missing(revision: str, newer: str) -> int | None:
    """Return how many commits a revision lacks that a newer one has, None if this clone lacks one."""
    try:
        return int(git(".", "rev-list", "--count", f"{revision}..{newer}"))
    except NoGitError as error:
        sys.exit(str(error))
    except GitError:
        return None


def age(then: datetime) -> str:
    """Return how long ago a time was."""
    seconds = (datetime.now(UTC) - then).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return "now"


def row(runs: Runs) -> list[str]:
    """Return what the table says of an environment."""
    if not runs.version:
        return [runs.environment, "-", "-", "-", runs.pipeline, "-", "not deployed yet"]
    shift = "".join(f" ({weight:.0%} to {version})" for version, weight in (runs.weights or {}).items())
    behind = "-" if runs.behind is None else str(runs.behind or "no")
    commit = f"{runs.subject} ({runs.author})"
    since = age(datetime.fromisoformat(runs.published))
    facts = [runs.version + shift, runs.revision, since, runs.pipeline, behind, commit]
    return [runs.environment, *facts]


def show(found: list[Runs], unknown: bool) -> None:
    """Print the table, and below it what else there is to say."""
    rows = [COLUMNS, *(row(runs) for runs in found if not runs.problem)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows if len(rows) > 1 else []:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    for runs in found:
        for said in filter(None, (runs.problem, runs.note, runs.address)):
            print(f"{runs.environment}: {said}")
    if unknown:
        print("How far one is behind is not known: this clone lacks a commit that runs. git fetch")


def main(chosen: str, as_json: bool) -> int:
    """Show what runs; return 1 if an environment cannot be asked. chosen: one of them; if empty, all."""
    names = [environment["name"] for environment in ACCOUNTS["environments"]]
    if chosen:
        last = names.index(accounts.environment(chosen)["name"])
        names = names[max(last - 1, 0) : last + 1]  # the one before tells how far it is behind
    entered = [enter(name) for name in names]  # one after the other, since a profile may ask for a code
    with ThreadPoolExecutor(len(names)) as pool:
        found = list(pool.map(ask, entered))
    comparable = [pair for pair in pairwise(found) if all(runs.revision for runs in pair)]
    for before, runs in comparable:
        runs.behind = missing(runs.revision, before.revision)
    shown = found[-1:] if chosen else found
    if as_json:
        print(json.dumps([asdict(runs) for runs in shown], indent=2))
    else:
        show(shown, unknown=any(runs.behind is None for _, runs in comparable))
    return 1 if any(runs.problem for runs in shown) else 0

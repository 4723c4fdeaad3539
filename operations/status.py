"""What runs in each environment, and how far it is behind the one before."""

import json
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

import triggers
from hooks.git import GitError, NoGitError, git
from operations import accounts
from operations.pipeline import Pipeline, Stop
from operations.repository import ACCOUNTS, ANSWERS, FUNCTION
from operations.told import age

COLUMNS = ["environment", "version", "revision", "age", "pipeline", "behind", "commit"]
MAIN = "refs/remotes/origin/main"  # what the first environment may be behind of, as this clone knows it
STEPS = 9  # after the first, of a linear shift


@dataclass(frozen=True)
class Shift:
    """A shift of traffic that is under way: to which version, of which commit, with which share by now.

    since: when it began, and minutes: how many it takes in all; empty and 0 if CodeDeploy cannot be asked.
    """

    version: str
    commit: str
    share: float
    since: str = ""
    minutes: int = 0


@dataclass
class Runs:
    """What runs in an environment, as far as it is known.

    published: when the version was. shift: to another version. note: who went back to this version, and why.
    address: where requests go, empty if none invoke it. pipeline: where it is. stops: what has failed or
    waits there. behind: how many commits of the environment before, or of main, are missing, None where
    that is not known. problem: why nothing can be said.
    """

    environment: str
    version: str = ""
    revision: str = ""
    subject: str = ""
    author: str = ""
    published: str = ""
    shift: Shift | None = None
    note: str = ""
    address: str = ""
    pipeline: str = ""
    stops: list[Stop] = field(default_factory=list)
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
        pipeline = Pipeline(environment, "reader")
        runs.pipeline, runs.stops = pipeline.where(), pipeline.stops()
        alias, version = live(functions)
        runs.shift = shift(environment, functions, alias)
        runs.address = address(environment)
    except (BotoCoreError, ClientError) as error:
        runs.problem = accounts.explanation(error)
        return runs
    if not alias:
        return runs
    runs.version = alias["FunctionVersion"]
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


def shift(environment: str, functions: Any, alias: dict[str, Any]) -> Shift | None:
    """Return the shift of traffic that is under way at an alias."""
    weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    for version, share in weights.items():
        target = functions.get_function_configuration(FunctionName=FUNCTION, Qualifier=version)
        of = Shift(version, target["Description"], share)
        deployments = accounts.client("codedeploy", environment, "reader")
        place = {"applicationName": FUNCTION, "deploymentGroupName": "live"}
        with suppress(ClientError):
            found = deployments.list_deployments(**place, includeOnlyStatuses=["InProgress"])
            for name in found["deployments"]:
                told = deployments.get_deployment(deploymentId=name)["deploymentInfo"]
                begun = told.get("startTime", told["createTime"]).isoformat(timespec="seconds")
                return replace(of, since=begun, minutes=minutes(told["deploymentConfigName"]))
        return of
    return None


def minutes(configuration: str) -> int:
    """Return how long a shift takes by one of CodeDeploy's configurations for Lambda."""
    found = re.search(r"(Percent|Every)(\d+)Minute", configuration)
    return int(found[2]) * (STEPS if found[1] == "Every" else 1) if found else 0


def missing(revision: str, newer: str) -> int | None:
    """Return how many commits a revision lacks that a newer one has, None if this clone lacks one."""
    try:
        return int(git(".", "rev-list", "--count", f"{revision}..{newer}"))
    except NoGitError as error:
        sys.exit(str(error))
    except GitError:
        return None


def row(runs: Runs) -> list[str]:
    """Return what the table says of an environment."""
    if not runs.version:
        return [runs.environment, "", "", "", runs.pipeline, "", "not deployed yet"]
    to = f" ({runs.shift.share:.0%} to {runs.shift.version})" if runs.shift else ""
    behind = "?" if runs.behind is None else str(runs.behind)
    since = age(datetime.fromisoformat(runs.published))
    facts = [runs.version + to, runs.revision, since, runs.pipeline, behind]
    return [runs.environment, *facts, f"{runs.subject} ({runs.author})"]


def more(runs: Runs) -> Iterator[str]:
    """Yield what there is to say of an environment below the table."""
    yield from (f"{runs.environment}: {said}" for said in (runs.problem, runs.note, runs.address) if said)
    if to := runs.shift:
        since = datetime.fromisoformat(to.since) if to.since else None
        yield f"{runs.environment}: traffic is shifted to version {to.version}: {to.commit}"
        if since:
            left = max(0, to.minutes - (datetime.now(UTC) - since).total_seconds() / 60)
            yield f"  since {since.astimezone(UTC):%H:%M} UTC, {left:.0f} min left of {to.minutes}"
    for stop in runs.stops:
        when = age(datetime.fromisoformat(stop.since))
        what = "waits for approval" if stop.approval else "failed"
        yield f"{runs.environment}: {stop.stage} {what} ({when}): {stop.commit}"
        yield from (f"  {line}" for line in (stop.cause, stop.link) if line)
        retry = f"make retry ENV={runs.environment}, if that has passed"
        mend = f"push a fix, or: git revert {stop.commit.partition(' ')[0]}"
        ask = f"make approve ENV={runs.environment}, or make reject ENV={runs.environment}"
        yield f"  {ask if stop.approval else f'{retry}; else {mend}'}"
        if stop.stage == "Verify" and not stop.approval:
            yield f"  until then it answers callers; make rollback ENV={runs.environment} goes back"


def show(found: list[Runs], unknown: bool) -> None:
    """Print the table, and below it what else there is to say."""
    rows = [COLUMNS, *(row(runs) for runs in found if not runs.problem)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows if len(rows) > 1 else []:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    for line in (line for runs in found for line in more(runs)):
        print(line)
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
    newer = ["" if names[0] != ACCOUNTS["environments"][0]["name"] else MAIN, *(r.revision for r in found)]
    for runs, revision in zip(found, newer, strict=False):
        if runs.revision and revision:
            runs.behind = missing(runs.revision, revision)
    shown = found[-1:] if chosen else found
    if as_json:
        print(json.dumps([asdict(runs) for runs in shown], indent=2))
    else:
        show(shown, unknown=any(runs.revision and runs.behind is None for runs in shown))
    return 1 if any(runs.problem for runs in shown) else 0

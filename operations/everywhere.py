"""All functions of an organization: what runs in which account, how far behind it is, and what is wrong.

All of it from what stands in the accounts, as reader: by the functions' tags, their alias, their pipelines
and the builds that look for drift.
"""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from hooks.git import GitError, git
from operations import entrance
from operations.told import actions, age, where
from screen import Screen

TEMPLATE = Path(__file__).parents[1]
AT_ONCE = 8  # of an account
# Of Lambda's 15 requests in a second, which an account has for all that look at functions or deploy them:
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
IN_A_SECOND = 14
PATIENT = Config(retries={"mode": "standard", "total_max_attempts": 10}, max_pool_connections=AT_ONCE)
SHORT = 7  # characters of a revision, as Git shows it
LATELY = timedelta(days=3)  # what looks for drift does so each day
NOT_YET = {"ResourceNotFoundException"}  # a function without the alias: no version has passed its check
FINE = ("succeeded", "no release yet")


@dataclass
class Runs:
    """A function in an environment, as far as it is known.

    version, summary: what answers, and of which commit, in a line; empty where nothing does. published: when
    that version was. behind: how many releases of the first environment are missing, None where that is not
    known. template: the revision of the template that it was made from, template_behind: how many of its
    commits came since, None where that is not known. pipeline: where that is; failed: since when, if a stage
    has failed. planned: when it was last looked for drift; drift: what differs, empty if nothing does, None
    if no plan could be made. problem: why not all of this is known.
    """

    function: str
    environment: str
    version: str = ""
    revision: str = ""
    summary: str = ""
    published: str = ""
    behind: int | None = None
    template: str = ""
    template_behind: int | None = None
    pipeline: str = "none"
    failed: str = ""
    planned: str = ""
    drift: str | None = None
    problem: str = ""

    @property
    def answers(self) -> str:
        """Return what answers and how old that is."""
        if not self.version:
            return "-"
        return f"{self.revision[:SHORT]} {age(datetime.fromisoformat(self.published))}"

    def marks(self) -> Iterator[tuple[str, str]]:
        """Yield what there is to say beside what answers, as kind and text."""
        if self.problem:
            yield "bad", "not known"
        if self.version and self.behind is None:
            yield "old", "? behind"
        elif self.behind:
            yield "old", f"{self.behind} behind"
        if self.pipeline not in FINE:
            yield "bad" if self.failed else "", "no pipeline" if self.pipeline == "none" else self.pipeline
        if self.planned and self.drift is None:
            yield "bad", "no plan"
        elif self.drift:
            yield "bad", "drift"

    def needs(self) -> Iterator[str]:
        """Yield what somebody has to look at."""
        if self.problem:
            yield self.problem
        if self.failed:
            yield f"{self.pipeline} ({age(datetime.fromisoformat(self.failed))})"
        if self.planned and self.drift is None:
            yield "no plan could be made, so nobody knows what has drifted"
        elif self.drift:
            yield f"has drifted: {self.drift}"


@dataclass
class Account:
    """An environment's account, as its reader sees it. problem: why it cannot be read, if it cannot."""

    name: str
    id: str
    region: str
    organization: str
    first: bool
    problem: str = ""
    runs: dict[str, Runs] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Prepare to ask."""
        self._lock, self._next, self._making, self._clients = Lock(), 0.0, Lock(), dict[str, Any]()
        self.explained = partial(entrance.explanation, login=f"{self.organization}-ops")

    def enter(self) -> "Account":
        """Enter it; a profile may ask for a code."""
        try:
            self.session = entrance.session(f"{self.organization}-{self.name}-reader", self.region)
            self.session.get_credentials().get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:
            self.problem = self.explained(error)
        return self

    def client(self, service: str) -> Any:
        """Return the client of a service."""
        with self._making:  # a session makes one client at a time
            if service not in self._clients:
                self._clients[service] = self.session.create_client(service, config=PATIENT)
            return self._clients[service]

    def paced(self) -> Any:
        """Return the client of Lambda, when it is time for another request."""
        with self._lock:
            begins = max(self._next, time.monotonic())
            self._next = begins + 1 / IN_A_SECOND
        time.sleep(max(0, begins - time.monotonic()))
        return self.client("lambda")

    def read(self) -> None:
        """Find its functions, and what there is to say of each."""
        if self.problem:
            return
        try:
            resources = self.tagged()
            with ThreadPoolExecutor(AT_ONCE) as pool:
                planned = pool.submit(self.look_for_drift, resources)
                list(pool.map(self.ask, self.runs.values(), [resources] * len(self.runs)))
                planned.result()
        except (BotoCoreError, ClientError) as error:
            self.problem = self.explained(error)

    def tagged(self) -> set[str]:
        """Note the functions that are there or are to be; return the ARNs of these and of their pipelines."""
        filters = [{"Key": "organization", "Values": [self.organization]}, {"Key": "function"}]
        pages = (
            self.client("resourcegroupstaggingapi")
            .get_paginator("get_resources")
            .paginate(
                TagFilters=filters,
                ResourceTypeFilters=["codepipeline", "lambda:function"],
                ResourcesPerPage=100,
            )
        )
        found = {
            each["ResourceARN"]: each["Tags"] for page in pages for each in page["ResourceTagMappingList"]
        }
        for arn, listed in sorted(found.items()):
            tags = {tag["Key"]: tag["Value"] for tag in listed}
            name = tags["function"]
            if "owner" not in tags and arn.rpartition(":")[2] == name:  # a sandbox is somebody's
                runs = self.runs.setdefault(name, Runs(name, self.name))
                runs.template = tags.get("template", runs.template)
        return set(found)

    def ask(self, runs: Runs, there: set[str]) -> None:
        """Add what answers, and where the pipeline is. there: as tagged() returns it."""
        place = f"{self.region}:{self.id}"
        for arn, add in (
            (f"arn:aws:codepipeline:{place}:{runs.function}", self.add_pipeline),
            (f"arn:aws:lambda:{place}:function:{runs.function}", self.add_version),
        ):
            try:
                if arn in there:
                    add(runs)
            except (BotoCoreError, ClientError) as error:
                if not isinstance(error, ClientError) or error.response["Error"]["Code"] not in NOT_YET:
                    runs.problem = self.explained(error)

    def add_version(self, runs: Runs) -> None:
        """Add what answers."""
        found = self.paced().get_function_configuration(FunctionName=runs.function, Qualifier="live")
        runs.version, runs.summary = found["Version"], printable(found.get("Description", ""))
        runs.revision, runs.published = runs.summary.partition(" ")[0], found["LastModified"]

    def add_pipeline(self, runs: Runs) -> None:
        """Add where the pipeline is."""
        stages = self.client("codepipeline").get_pipeline_state(name=runs.function)["stageStates"]
        stage, status = where(stages, self.first)
        runs.pipeline = f"{stage} {status}".lstrip()
        if status == "failed":
            (of_stage,) = (each for each in stages if each["stageName"] == stage)
            failed = [each["latestExecution"]["lastStatusChange"] for each in actions(of_stage, "Failed")]
            runs.failed = max(failed, default=datetime.now(UTC)).isoformat(timespec="seconds")

    def look_for_drift(self, there: set[str]) -> None:
        """Add what the latest plans say: they are found among all builds of some days, the newest first.

        there: as tagged() returns it. Builds of deploy tell how old a page is where none looks for drift.
        """
        piped = {arn.rpartition(":")[2] for arn in there if ":codepipeline:" in arn} & self.runs.keys()
        left = {f"{name}-drift": self.runs[name] for name in piped}
        known = left.keys() | {f"{name}-deploy" for name in piped}
        builds, since = self.client("codebuild"), datetime.now(UTC) - LATELY
        for page in builds.get_paginator("list_builds").paginate(sortOrder="DESCENDING") if left else []:
            ids = [each for each in page["ids"] if project(each) in known]
            ids = [each for each in ids if project(each) in left or each == ids[-1]]
            found = builds.batch_get_builds(ids=ids)["builds"] if ids else []
            for build in sorted(found, key=lambda build: build["startTime"], reverse=True):
                if build["startTime"] < since:
                    return
                if build["buildStatus"] != "IN_PROGRESS" and (runs := left.pop(project(build["id"]), None)):
                    runs.planned = build.get("endTime", build["startTime"]).isoformat(timespec="seconds")
                    if build["buildStatus"] == "SUCCEEDED":
                        exported = build.get("exportedEnvironmentVariables", [])
                        said = {variable["name"]: variable["value"] for variable in exported}
                        runs.drift = printable(said.get("DRIFT", ""))
            if not left:
                return

    def releases(self, runs: Runs) -> list[str]:
        """Return the revisions of a function that have been published here, the newest first."""
        pages = self.paced().get_paginator("list_versions_by_function").paginate(FunctionName=runs.function)
        found = [each for page in pages for each in page["Versions"] if each["Version"] != "$LATEST"]
        found.sort(key=lambda version: -int(version["Version"]))
        return list(dict.fromkeys(each.get("Description", "").partition(" ")[0] for each in found))


def project(build: str) -> str:
    """Return the project of a build, by its id."""
    return build.partition(":")[0]


def printable(text: str) -> str:
    """Return text that came from elsewhere without what a terminal would take for a command."""
    return "".join(character if character.isprintable() else "?" for character in text)


def compare(accounts: list[Account]) -> None:
    """Add how many releases each environment is behind the first, by what the first one has published."""
    first, *others = accounts

    def of_function(newest: Runs) -> None:
        later = [account.runs[newest.function] for account in others if newest.function in account.runs]
        published = [newest.revision]
        if any(runs.version and runs.revision != newest.revision for runs in later):
            try:
                published = first.releases(newest)
            except (BotoCoreError, ClientError) as error:
                newest.problem = newest.problem or first.explained(error)
        now = published.index(newest.revision) if newest.revision in published else 0
        for runs in (newest, *later):
            if runs.version and runs.revision in published:
                runs.behind = max(0, published.index(runs.revision) - now)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(of_function, (runs for runs in first.runs.values() if runs.version)))


def date_templates(found: list[Runs]) -> None:
    """Add how many commits of the template came since, by this checkout."""
    behind: dict[str, int] = {}
    for revision in {runs.template for runs in found}:
        if re.fullmatch("[0-9a-f]{40}", revision):
            try:
                behind[revision] = int(git(TEMPLATE, "rev-list", "--count", f"{revision}..HEAD"))
            except GitError:  # no checkout, or not of that template
                continue
    for runs in found:
        runs.template_behind = behind.get(runs.template)


def read(accounts: list[Account], screen: Screen) -> list[Runs]:
    """Return all functions in all environments that can be read; the screen shows how it goes."""
    screen.expect((account.name, "read") for account in accounts)
    entered = [account.enter() for account in accounts]  # one after the other: a profile may ask for a code

    def one(account: Account) -> None:
        with screen.step(account.name, "read") as step:
            account.read()
            step.text = account.problem or f"{len(account.runs)} functions"
            step.end("failed" if account.problem else "ok")

    with ThreadPoolExecutor(len(accounts)) as pool:
        list(pool.map(one, entered))
    compare(accounts)
    found = [runs for account in accounts for runs in account.runs.values()]
    date_templates(found)
    return found

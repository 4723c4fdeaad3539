"""The rehearsal itself: a commit, taken from the foundation to the last environment."""

import base64
import io
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts
from emulator.calls import Check
from foundation import terraform
from rehearsal import foundation, grants
from rehearsal.actions.action import Approval, Run
from rehearsal.foundation import FoundationError
from rehearsal.git import git
from rehearsal.outcome import Rehearsal
from rehearsal.pipelines import Walker
from rehearsal.processes import started
from rehearsal.screen import Screen

SHOWN = 4000  # characters of what a failed command printed


class RehearsalError(Exception):
    """A rehearsal cannot begin or go on; the message says why and what to do."""


@dataclass
class Options:
    """What to rehearse, up to which environment, with which answer to approvals, and which commit."""

    repository: Path
    until: str | None = None
    approve: bool = True
    commit: str = "HEAD"


@contextmanager
def emulation() -> Iterator[tuple[EmulatedAccounts, Path]]:
    """Yield a world and a folder to rehearse in; nothing of either is left afterwards."""
    with TemporaryDirectory(prefix="rehearsal-") as folder, EmulatedAccounts() as world:
        before = os.environ.get("TMPDIR", "")  # where it is empty, a default is taken
        os.environ["TMPDIR"] = folder  # for what is ended before it can remove its files
        try:
            yield world, Path(folder)
        finally:
            os.environ["TMPDIR"] = before


def provide_terraform(repository: Path, folder: Path) -> None:
    """Put the repository's Terraform on PATH, for us and all that we start. Raises RehearsalError."""
    place = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "lambda-template/bin"
    os.environ["PATH"] = f"{place}{os.pathsep}{os.environ['PATH']}"
    script = repository / "deployment/install-terraform.sh"
    if script.is_file():
        done = subprocess.run(
            ["sh", "deployment/install-terraform.sh", str(place)],
            cwd=repository,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode and shutil.which("terraform") is None:
            raise RehearsalError(f"Terraform cannot be installed: {done.stderr.strip()}; put it on PATH")


def rehearse(options: Options, screen: Screen, world: EmulatedAccounts, folder: Path) -> Rehearsal:
    """Rehearse in a world, which must be empty or have the foundation; folder: to work in.

    Raises RehearsalError.
    """
    rehearsal = begin(options, screen)
    rehearsal.last = selected(rehearsal.facts, options.until)[-1]["name"]
    world.ask("enforce")
    founding = foundation.Applying(world, rehearsal.facts, folder / "foundation")
    try:
        if is_founded(world, rehearsal.facts):
            promote(rehearsal, options, screen, world, folder)
        else:
            with timed(rehearsal, "all"), founding:
                with timed(rehearsal, "foundation"):
                    for name in founding.stand():
                        seconds = time.monotonic() - rehearsal.began
                        screen.line(name, "foundation", "", seconds=seconds)
                promote(rehearsal, options, screen, world, folder)
                founding.wait()
    except FoundationError as error:
        raise RehearsalError(str(error)) from None
    rehearsal.journal = world.journal()
    return rehearsal


def promote(
    rehearsal: Rehearsal, options: Options, screen: Screen, world: EmulatedAccounts, folder: Path
) -> None:
    """Apply the pipelines and walk them. Raises RehearsalError."""
    accounts = selected(rehearsal.facts, options.until)
    github, people = folder / "github", folder / "people"
    git(folder, "clone", "--quiet", str(options.repository), str(github))
    git(github, "checkout", "--quiet", "-B", "main", rehearsal.revision)
    git(folder, "clone", "--quiet", str(github), str(people))
    with timed(rehearsal, "pipelines"):
        apply_pipelines(world, rehearsal.facts, people, folder)
    count = len(rehearsal.facts["environments"])
    screen.line("all", "pipelines", "", seconds=rehearsal.seconds["pipelines"], text=f"{count} applied")

    def on_run(run: Run) -> None:
        if run.status != "InProgress":
            status = "waits: " if run.waits else "FAILED: " if run.status == "Failed" else ""
            place = (rehearsal.name(run.account), run.stage, run.action)
            screen.line(*place, seconds=run.seconds, text=status + run.message)

    def decide(approval: Approval) -> tuple[bool, str]:
        return options.approve, "rehearsed" if options.approve else "rejected in a rehearsal"

    owner = rehearsal.facts["github_owner"]
    repositories = {f"{owner}/{rehearsal.function}": github}
    region, runs = rehearsal.facts["region"], rehearsal.runs
    walker = Walker(world, region, repositories, decide, on_run=on_run, runs=runs)
    with timed(rehearsal, "walk"):
        # A new pipeline runs at once: those that wait for a release do so before there is one.
        walker.walk([account["id"] for account in accounts[1:]])
        walker.walk([account["id"] for account in accounts])

    rehearsal.running = [what_runs(world, rehearsal, account) for account in rehearsal.facts["environments"]]
    rehearsal.release = built(world, rehearsal, walker)
    rehearsal.problem = problem(rehearsal, accounts[-1])
    weigh(rehearsal, world, walker)


def weigh(rehearsal: Rehearsal, world: EmulatedAccounts, walker: Walker) -> None:
    """Find out what roles lacked, and what they are granted without need."""
    checks = [check for call in world.journal() for check in call.checks]
    granted = grants.granted(world, rehearsal.facts)
    organization, of_function = rehearsal.facts["organization"], f"role/{rehearsal.function}"
    denied = [check for check in checks if check.denied]
    if rehearsal.failures and any(of_function in check.caller.role for check in denied):
        denied = explore(world, walker, rehearsal.failures[-1])
    each = {(check.caller, check.action, check.resource): check for check in denied}.values()
    rehearsal.denied = [(c, grants.place(c, rehearsal.function, organization, granted)) for c in each]
    rehearsal.to_paste = grants.to_paste(denied, rehearsal.function, rehearsal.facts)
    rehearsal.unused = [(grant.role, grant.sid, actions) for grant, actions in grants.unused(granted, checks)]


def explore(world: EmulatedAccounts, walker: Walker, failed: Run) -> list[Check]:
    """Retry what has failed in a copy of the world that denies nothing; return what it would have denied."""
    with world.fork() as copy:
        copy.ask("report")
        copy.client("codepipeline", failed.account, walker.region).retry_stage_execution(
            pipelineName=failed.pipeline,
            stageName=failed.stage,
            pipelineExecutionId=failed.execution,
            retryMode="FAILED_ACTIONS",
        )
        retry = Walker(copy, walker.region, walker.repositories, walker.decide, memory=dict(walker.memory))
        retry.walk([failed.account])
        return [check for call in copy.journal() for check in call.checks if check.denied]


def begin(options: Options, screen: Screen) -> Rehearsal:
    """Find out what is to be rehearsed, and say it. Raises RehearsalError."""
    source = options.repository
    if not (source / "accounts.json").is_file() or not (source / "pipeline").is_dir():
        raise RehearsalError(
            f"{source} is not a repository made from lambda-template: it has no accounts.json"
        )
    try:
        revision = git(source, "rev-parse", "--verify", f"{options.commit}^{{commit}}")
    except (OSError, subprocess.CalledProcessError):
        raise RehearsalError(
            f"{source} has no commit {options.commit}; commit first: what is rehearsed is a commit"
        ) from None
    facts = json.loads(git(source, "show", f"{revision}:accounts.json"))
    (backend, *_) = sorted((source / "pipeline/environments").glob("*.tfbackend"))
    function = backend.read_text("utf-8").split('"pipelines/')[1].split("/")[0]
    rehearsal = Rehearsal(function, revision, git(source, "log", "-1", "--format=%s", revision), facts)
    screen.say(f"Rehearsing {function} at {revision[:12]}: {rehearsal.subject}")
    if git(source, "status", "--porcelain"):
        screen.say("What is not committed is not rehearsed.")
    return rehearsal


def selected(facts: dict[str, Any], until: str | None) -> list[dict[str, Any]]:
    """Return the environments to walk. Raises RehearsalError."""
    environments: list[dict[str, Any]] = facts["environments"]
    names = [environment["name"] for environment in environments]
    if until and until not in names:
        raise RehearsalError(f"--until: {until} is not an environment; there are {', '.join(names)}")
    return environments[: names.index(until) + 1] if until else environments


def is_founded(world: EmulatedAccounts, facts: dict[str, Any]) -> bool:
    """Return whether the foundation has been applied to a world."""
    ops = facts["ops"]
    return foundation.exists(world.client("s3", ops["id"], facts["region"]), ops["state_bucket"])


def apply_pipelines(world: EmulatedAccounts, facts: dict[str, Any], repository: Path, folder: Path) -> None:
    """Apply a function's pipelines to all environments, as an operator does. Raises RehearsalError."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    role = f"{facts['organization']}-operator"
    credentials = world.environment(facts["ops"]["id"], facts["region"], role)
    command = ["make", f"-j{len(facts['environments'])}", "pipeline", "AUTO_APPROVE=1"]
    environment = own | credentials | terraform.environment(folder) | {"TF_CLI_ARGS": "-no-color"}
    with started(
        command, cwd=repository, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as make:
        said = make.communicate()[0].decode()
    if make.returncode:
        # Side by side, what one says is followed by what the others said.
        error = said.find("\nError: ")
        shown = said[-SHOWN:] if error < 0 else said[error:][:SHOWN]
        raise RehearsalError(f"{' '.join(command)} failed:\n{shown}")


def what_runs(world: EmulatedAccounts, rehearsal: Rehearsal, account: dict[str, Any]) -> dict[str, str]:
    """Return what an environment's alias points to; nothing but its name if there is no function yet."""
    functions = world.client("lambda", account["id"], rehearsal.facts["region"])
    try:
        live = functions.get_function_configuration(FunctionName=rehearsal.function, Qualifier="live")
    except ClientError:
        return {"environment": account["name"]}
    revision, _, subject = live["Description"].partition(" ")
    return {
        "environment": account["name"],
        "version": live["Version"],
        "revision": revision,
        "subject": subject,
        "sha256": base64.b64decode(live["CodeSha256"]).hex(),
    }


def built(world: EmulatedAccounts, rehearsal: Rehearsal, walker: Walker) -> dict[str, str]:
    """Return what release.json says of the latest release that was built; nothing if none was."""
    first = rehearsal.facts["environments"][0]
    keys = [
        m.artifacts["Release"] for m in walker.memory.values() if {"Source", "Release"} <= set(m.artifacts)
    ]
    if not keys:
        return {}
    s3 = world.client("s3", first["id"], rehearsal.facts["region"])
    body = s3.get_object(Bucket=first["artifacts_bucket"], Key=keys[-1])["Body"].read()
    with ZipFile(io.BytesIO(body)) as archive:
        release: dict[str, str] = json.loads(archive.read("release.json"))
    return release


def problem(rehearsal: Rehearsal, last: dict[str, Any]) -> str:
    """Return why the last environment does not run the package of the commit, or nothing if it does."""
    if rehearsal.failures:
        run = rehearsal.failures[-1]
        return f"{rehearsal.name(run.account)}: {run.stage}: {run.action}: {run.message}"
    runs = next(found for found in rehearsal.running if found["environment"] == last["name"])
    wanted = (rehearsal.revision, runs.get("sha256", "nothing"))
    if (rehearsal.release.get("revision"), rehearsal.release.get("sha256")) != wanted:
        return f"{last['name']} does not run the package of {rehearsal.revision[:12]}"
    return ""


@contextmanager
def timed(rehearsal: Rehearsal, part: str) -> Iterator[None]:
    """Note how long a part takes."""
    began = time.monotonic()
    try:
        yield
    finally:
        rehearsal.seconds[part] = time.monotonic() - began

"""The rehearsal itself: a commit, taken from the foundation to the last environment."""

import base64
import io
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts
from emulator.calls import Check
from emulator.judge import grants
from emulator.judge.policies import name
from foundation import terraform
from hooks.git import GitError, clean, git
from rehearsal import denials, foundation, report, secrets, trigger
from rehearsal.actions.action import Approval, Run
from rehearsal.foundation import FoundationError
from rehearsal.outcome import Rehearsal
from rehearsal.pipelines import Walker
from rehearsal.processes import started
from screen import Screen, Step

UNHOOKED = "; where cookiecutter may not run hooks, it makes none: generate it with --accept-hooks yes"
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


def provide_terraform(repository: Path, screen: Screen) -> None:
    """Put the repository's Terraform on PATH, for us and all that we start. Raises RehearsalError."""
    place = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "lambda-template/bin"
    os.environ["PATH"] = f"{place}{os.pathsep}{os.environ['PATH']}"
    script = repository / "deployment/install-terraform.sh"
    if script.is_file():
        with screen.step("all", "Terraform"):
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
    began = time.monotonic()
    rehearsal = begin(options, screen)
    accounts = ["ops", *(environment["name"] for environment in rehearsal.facts["environments"])]
    screen.expect([*((account, "foundation") for account in accounts), ("all", "pipelines")])
    world.ask("enforce")
    founding = foundation.Applying(world, rehearsal.facts, folder / "foundation")
    try:
        if is_founded(world, rehearsal.facts):
            promote(rehearsal, options, screen, world, folder)
        else:
            with founding:
                with timed(rehearsal, "foundation"):
                    stand(founding, screen)
                promote(rehearsal, options, screen, world, folder)
                with part(rehearsal, screen, "lifecycle rules"):
                    founding.wait()
    except FoundationError as error:
        raise RehearsalError(str(error)) from None
    rehearsal.journal, rehearsal.claims = world.journal(), world.ask("claimed")
    rehearsal.total = time.monotonic() - began
    return rehearsal


def stand(founding: foundation.Applying, screen: Screen) -> None:
    """Wait until the foundation stands in all accounts. Raises FoundationError."""
    steps: dict[str, Step] = {}

    with ExitStack() as end:

        def begin(account: str) -> None:
            steps[account] = end.enter_context(screen.step(account, "foundation"))

        try:
            for account in founding.stand(begin):
                steps[account].end()
        except FoundationError as error:
            for account, step in steps.items():
                step.end("failed" if account == error.account else "stopped")
            raise


def promote(
    rehearsal: Rehearsal, options: Options, screen: Screen, world: EmulatedAccounts, folder: Path
) -> None:
    """Apply the pipelines and walk them. Raises RehearsalError."""
    accounts = selected(rehearsal.facts, options.until)
    github, people = folder / "github", folder / "people"
    git(folder, "clone", "--quiet", str(options.repository), str(github))
    git(github, "checkout", "--quiet", "-B", "main", rehearsal.revision)
    git(folder, "clone", "--quiet", str(github), str(people))
    with part(rehearsal, screen, "pipelines") as step:
        apply_pipelines(world, rehearsal.facts, people, folder)
        step.text = f"{len(rehearsal.facts['environments'])} applied"

    missing = [*secrets.put_placeholders(world, rehearsal.facts, github, rehearsal.function)]
    if missing:
        screen.say(f"A placeholder stands for the secrets {', '.join(missing)}.")

    def decide(approval: Approval) -> tuple[bool, str]:
        return options.approve, "rehearsed" if options.approve else "rejected in a rehearsal"

    owner = rehearsal.facts["github_owner"]
    repositories = {f"{owner}/{rehearsal.function}": github}
    walker = Walker(world, rehearsal.facts["region"], repositories, decide, runs=rehearsal.runs)
    with timed(rehearsal, "walk"), ExitStack() as end:
        # A new pipeline runs at once: those that wait for a release do so before there is one, and unseen.
        walker.walk([account["id"] for account in accounts[1:]])
        screen.expect(actions(world, rehearsal, accounts))
        walker.on_run = shown(rehearsal, screen, end)
        for run in rehearsal.failures:
            walker.on_run(run)
        walker.walk([account["id"] for account in accounts])

    rehearsal.running = [what_runs(world, rehearsal, account) for account in rehearsal.facts["environments"]]
    rehearsal.release = built(world, rehearsal, walker)
    rehearsal.problem = problem(rehearsal, accounts[-1])
    screen.expect([("all", "permissions"), ("all", "lifecycle rules")])
    if found := trigger.chosen(github):
        with part(rehearsal, screen, "trigger") as step:
            rehearsal.sent = trigger.use(found, rehearsal, world, github)
            step.text = f"{len(rehearsal.sent)} events put into it"
    with part(rehearsal, screen, "permissions") as step:
        weigh(rehearsal, world, walker)
        step.text = f"{len(rehearsal.denied)} denied"


def actions(
    world: EmulatedAccounts, rehearsal: Rehearsal, accounts: list[dict[str, Any]]
) -> Iterator[tuple[str, str, str]]:
    """Yield the actions of a function's pipelines, with environment and stage."""
    for account in accounts:
        client = world.client("codepipeline", account["id"], rehearsal.facts["region"])
        for stage in client.get_pipeline(name=rehearsal.function)["pipeline"]["stages"]:
            for action in stage["actions"]:
                yield account["name"], stage["name"], action["name"]


def shown(rehearsal: Rehearsal, screen: Screen, end: ExitStack) -> Callable[[Run], None]:
    """Return what shows a run as it begins and as it ends; end: ends those that have not ended by then."""
    steps: dict[int, Step] = {}

    def show(run: Run) -> None:
        if id(run) not in steps:
            step = screen.step(rehearsal.name(run.account), run.stage, run.action)
            steps[id(run)] = end.enter_context(step)
        if run.status != "InProgress":
            steps[id(run)].text = report.cause(run.message)
            steps[id(run)].end("failed" if run.status == "Failed" else "ok")

    return show


def weigh(rehearsal: Rehearsal, world: EmulatedAccounts, walker: Walker) -> None:
    """Find out what roles lacked, and what they are granted without need."""
    checks = [check for call in world.journal() for check in call.checks]
    accounts = rehearsal.facts["ops"], *rehearsal.facts["environments"]
    granted = grants.granted(world.client("iam", a["id"], rehearsal.facts["region"]) for a in accounts)
    organization = rehearsal.facts["organization"]
    own = {f"{rehearsal.function}{suffix}" for suffix in denials.OF_FUNCTION}
    denied = [check for check in checks if check.denied]
    if rehearsal.failures and any(name(check.caller.role) in own for check in denied):
        denied = explore(world, walker, rehearsal.failures[-1])
    each = {(check.caller, check.action, check.resource): check for check in denied}.values()
    rehearsal.denied = [(c, denials.place(c, rehearsal.function, organization, granted)) for c in each]
    rehearsal.to_paste = denials.to_paste(denied, rehearsal.function, rehearsal.facts)
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
            f"{source} is not a repository made from lambda-template: it has no accounts.json{UNHOOKED}"
        )
    revision = commit(source, options.commit)
    facts = json.loads(git(source, "show", f"{revision}:accounts.json"))
    (backend, *_) = sorted((source / "pipeline/environments").glob("*.tfbackend"))
    function = backend.read_text("utf-8").split('"pipelines/')[1].split("/")[0]
    subject = git(source, "log", "-1", "--format=%s", revision)
    rehearsal = Rehearsal(function, revision, subject, facts, selected(facts, options.until)[-1]["name"])
    screen.say(f"Rehearsing {function} at {revision[:12]}: {rehearsal.subject}")
    if git(source, "status", "--porcelain"):
        screen.say("What is not committed is not rehearsed.")
    return rehearsal


def commit(repository: Path, name: str) -> str:
    """Return the id of a commit; a branch's name means the branch. Raises RehearsalError."""
    try:
        return git(repository, "rev-parse", "--verify", f"refs/heads/{name}^{{commit}}")
    except GitError:
        pass
    try:
        return git(repository, "rev-parse", "--verify", f"{name}^{{commit}}")
    except GitError as error:
        raise RehearsalError(f"{error}; commit first: what is rehearsed is a commit") from None


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
    own = {name: value for name, value in clean(dict(os.environ)).items() if not name.startswith("AWS_")}
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
    body = s3.get_object(Bucket=f"{first['artifacts_bucket']}-pipelines", Key=keys[-1])["Body"].read()
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


@contextmanager
def part(rehearsal: Rehearsal, screen: Screen, name: str) -> Iterator[Step]:
    """Show a part that is one step, and note how long it takes."""
    with timed(rehearsal, name), screen.step("all", name) as step:
        yield step

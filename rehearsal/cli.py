"""`rehearse PATH`: takes a generated repository from commit to production, with no AWS account."""

import argparse
import base64
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

from botocore.exceptions import ClientError

from rehearsal import foundation, grants, people, report, terraform
from rehearsal.accounts import EmulatedAccounts, JournalEntry
from rehearsal.foundation import FoundationError
from rehearsal.permissions import Check
from rehearsal.pipelines import Approval, Run, Walker, git
from rehearsal.processes import started

SHOWN = 4000  # characters of what a failed command printed


class RehearsalError(Exception):
    """A rehearsal cannot begin or go on; the message says why and what to do."""


@dataclass
class Rehearsal:
    """What has been rehearsed: a commit of a function, through environments.

    revision, subject: of the commit. seconds: by part, in the order in which they began. release: what was
    built, as release.json says. running: what runs where. problem: why the last environment does not run the
    commit's package, empty if it does. denied: what roles tried and may not do, with where to change that.
    to_paste: the statements that they lack, by file. unused: by role and statement, what nothing has used.
    """

    function: str
    revision: str
    subject: str
    facts: dict[str, Any]
    began: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    release: dict[str, str] = field(default_factory=dict)
    running: list[dict[str, str]] = field(default_factory=list)
    journal: list[JournalEntry] = field(default_factory=list)
    problem: str = ""
    denied: list[tuple[Check, str]] = field(default_factory=list)
    to_paste: dict[str, str] = field(default_factory=dict)
    unused: list[tuple[str, str, list[str]]] = field(default_factory=list)

    def name(self, account: str) -> str:
        """Return what an account is called."""
        return next((str(e["name"]) for e in self.facts["environments"] if e["id"] == account), "ops")

    @property
    def failures(self) -> list[Run]:
        """Return the runs that failed, but for those of new pipelines that wait for a release."""
        return [run for run in self.runs if run.status == "Failed" and not waits(run)]


def waits(run: Run) -> bool:
    """Return whether a run is a new pipeline's first, before anything has been promoted to it."""
    return run.stage == "Source" and run.message.endswith("nothing has been promoted yet")


@dataclass
class Options:
    """What to rehearse, up to which environment, with which answer to approvals, and which commit."""

    repository: Path
    until: str | None = None
    approve: bool = True
    commit: str = "HEAD"


class Screen:
    """What a person sees meanwhile: a line for whatever is done."""

    def __init__(self, quiet: bool) -> None:
        """Begin; quiet: for machines, which read the result alone."""
        self.quiet = quiet

    def say(self, text: str = "") -> None:
        """Print a line."""
        if not self.quiet:
            print(text, flush=True)

    def line(self, *columns: str, seconds: float, text: str = "") -> None:
        """Print a line about something that is done."""
        first = text.splitlines()[0] if text else ""
        self.say(f"{columns[0]:<12} {columns[1]:<10} {columns[2]:<8} {seconds:6.1f} s  {first}".rstrip())


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


def rehearse(options: Options, screen: Screen, world: EmulatedAccounts, folder: Path) -> Rehearsal:
    """Rehearse in a world, which must be empty or have the foundation; folder: to work in.

    Raises RehearsalError.
    """
    rehearsal = begin(options, screen)
    selected(rehearsal.facts, options.until)
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
            status = "waits: " if waits(run) else "FAILED: " if run.status == "Failed" else ""
            place = (rehearsal.name(run.account), run.stage, run.action)
            screen.line(*place, seconds=run.seconds, text=status + run.message)

    def decide(approval: Approval) -> tuple[bool, str]:
        return options.approve, "rehearsed" if options.approve else "rejected in a rehearsal"

    owner = rehearsal.facts["github_owner"]
    repositories = {f"{owner}/{rehearsal.function}": github}
    walker = Walker(world, rehearsal.facts["region"], repositories, decide, on_run, runs=rehearsal.runs)
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


def conclude(rehearsal: Rehearsal, screen: Screen, page: Path) -> None:
    """Say how it ended."""
    page.write_text(report.html(rehearsal), "utf-8")
    screen.say()
    for runs in rehearsal.running:
        facts = (runs.get("version", ""), runs.get("revision", ""), runs.get("subject", "nothing yet"))
        screen.say(f"{runs['environment']:<12} version {facts[0]:<4} {facts[1]:<12} {facts[2]}")
    if rehearsal.problem:
        screen.say(f"\n{rehearsal.problem}\n\n{report.advice(rehearsal.problem)}")
    for check, where in rehearsal.denied:
        role = check.caller.role.rpartition("/")[2] or check.caller.service
        screen.say(f"\n{role} may not {check.action} on {check.resource}\n  {where}")
    for file, text in rehearsal.to_paste.items():
        screen.say(f"\nWhat {file} lacks, to paste there:\n\n{text}")
    screen.say(f"\n{page}")


def keep(world: EmulatedAccounts, rehearsal: Rehearsal, folder: Path, screen: Screen) -> None:
    """Leave the accounts up until the user ends us, and say how to reach them."""
    variables = people.environment(world, rehearsal.facts, folder) | {"PATH": os.environ["PATH"]}
    file = folder / "environment.sh"
    file.write_text(
        "for name in $(env | sed -n 's/^\\(AWS_[A-Z_]*\\)=.*/\\1/p'); do unset $name; done\n"
        + "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    )
    first = rehearsal.facts["environments"][0]["name"]
    profile = f"{rehearsal.facts['organization']}-{first}-reader"
    screen.say("\nThe emulated accounts stay up until you press Ctrl-C. In another terminal, type:\n")
    screen.say(f"  . {file}\n")
    screen.say("From then on make and the AWS CLI reach them by the profiles of README.md, for example:\n")
    screen.say(f"  aws --profile {profile} codepipeline get-pipeline-state --name {rehearsal.function}")
    signal.pause()


def arguments() -> argparse.ArgumentParser:
    """Return what the command line may say."""
    parser = argparse.ArgumentParser(prog="rehearse", description=__doc__)
    parser.add_argument(
        "repository", type=Path, nargs="?", default=Path(), help="a generated repository (default: here)"
    )
    parser.add_argument("--until", metavar="ENVIRONMENT", help="the last environment (default: all)")
    answer = parser.add_mutually_exclusive_group()
    answer.add_argument("--approve", action="store_true", help="approve what asks for it (the default)")
    answer.add_argument("--reject", action="store_true", help="reject what asks for approval")
    parser.add_argument(
        "--from-commit", metavar="COMMIT", default="HEAD", help="what to rehearse (default: HEAD)"
    )
    parser.add_argument("--keep", action="store_true", help="leave the emulated accounts up afterwards")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, and nothing else")
    parser.add_argument(
        "--report",
        type=Path,
        default=Path("rehearsal.html"),
        help="the page to write (default: rehearsal.html)",
    )
    return parser


def main(given: list[str] | None = None) -> int:
    """Rehearse; return the exit code, 0 only if the last environment runs the commit's package."""
    said = arguments().parse_args(given)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    screen = Screen(quiet=said.json)
    options = Options(said.repository.resolve(), said.until, not said.reject, said.from_commit)
    try:
        with emulation() as (world, folder):
            if shutil.which("git") is None:
                raise RehearsalError("git is not on PATH; install it")
            provide_terraform(options.repository, folder)
            rehearsal = rehearse(options, screen, world, folder)
            conclude(rehearsal, screen, said.report.resolve())
            if said.json:
                print(json.dumps(as_json(rehearsal), indent=2))
            if said.keep:
                keep(world, rehearsal, folder, screen)
    except RehearsalError as error:
        print(f"rehearse: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 1 if rehearsal.problem else 0


def as_json(rehearsal: Rehearsal) -> dict[str, Any]:
    """Return a rehearsal for machines, without the calls that were made."""
    facts = asdict(rehearsal)
    del facts["journal"], facts["facts"]
    return facts


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


if __name__ == "__main__":
    sys.exit(main())

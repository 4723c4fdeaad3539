"""The rehearsal itself: a commit, taken from the foundation to the last environment."""

import base64
import io
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
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
from rehearsal import aws, denials, foundation, report, secrets, trigger
from rehearsal.actions.action import Approval, Run
from rehearsal.actions.builds import before_its_pipeline
from rehearsal.early import EarlyBuild, RedError, may_begin
from rehearsal.foundation import FoundationError
from rehearsal.outcome import Rehearsal
from rehearsal.pipelines import Walker
from rehearsal.processes import started
from screen import Screen, Step

UNHOOKED = "; where cookiecutter may not run hooks, it makes none: generate it with --accept-hooks yes"
COMMITTER = (
    *("-c", "user.name=rehearsal", "-c", "user.email=rehearsal@example.com"),
    *("-c", "commit.gpgsign=false"),
)
LOOK = 0.2  # seconds between two looks at the build while something else is done
SHOWN = 4000  # characters of what a failed command printed


class RehearsalError(Exception):
    """A rehearsal cannot begin or go on; the message says why and what to do."""


@dataclass
class Options:
    """What to rehearse, up to which environment, with which answer to approvals, which commit, how often."""

    repository: Path
    until: str | None = None
    approve: bool = True
    commit: str = "HEAD"
    releases: int = 2


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


def terraform_s_folder() -> Path:
    """Return where Terraform is put if it is not on this machine."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "lambda-template/bin"


def provide_terraform(repository: Path, screen: Screen) -> None:
    """Put the repository's Terraform on PATH, for us and all that we start. Raises RehearsalError."""
    place = terraform_s_folder()
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
    names = [account["name"] for account in rehearsal.accounts]
    screen.expect([*((name, "foundation") for name in names), ("all", "pipelines")])
    with begun(rehearsal, options, world, folder) as early:
        try:
            with founded(rehearsal, screen, world, folder, early), aws.loaded(folder) as cli:
                walker = prepare(rehearsal, options, world, folder, early)
                promote(rehearsal, screen, replace(walker, aws=cli), options.releases)
        except RedError:
            assert early  # noqa: S101
            tell_of_red(rehearsal, screen, early)
        except FoundationError as error:
            raise RehearsalError(str(error)) from None
    rehearsal.claims = world.ask("claimed")
    rehearsal.total = time.monotonic() - began
    return rehearsal


@contextmanager
def begun(
    rehearsal: Rehearsal, options: Options, world: EmulatedAccounts, folder: Path
) -> Iterator[EarlyBuild | None]:
    """Begin the build of the commit, if all that it is told is known by now, for as long as the `with`."""
    if not may_begin(options.repository, rehearsal.revision):
        yield None
        return
    place = folder / "early"
    place.mkdir()
    variables = before_its_pipeline(world, rehearsal.facts, rehearsal.function, rehearsal.revision, place)
    with EarlyBuild(options.repository, rehearsal.revision, place, variables) as early:
        yield early


def tell_of_red(rehearsal: Rehearsal, screen: Screen, early: EarlyBuild) -> None:
    """Say that the commit does not build, before there is anything to build it."""
    first = rehearsal.facts["environments"][0]
    said = f"{rehearsal.function}-build: {early.problem}"
    run = Run(first["id"], rehearsal.function, "", "Build", "Build", "Failed", said, early.seconds)
    run.commands, run.notes = early.build.commands, early.build.notes
    rehearsal.runs.append(run)
    with ExitStack() as end:
        shown(rehearsal, screen, end)(run)
    rehearsal.running = [{"environment": each["name"]} for each in rehearsal.facts["environments"]]
    rehearsal.problem = problem(rehearsal)
    rehearsal.seconds["build"] = early.seconds


@contextmanager
def founded(
    rehearsal: Rehearsal,
    screen: Screen,
    world: EmulatedAccounts,
    folder: Path,
    early: EarlyBuild | None,
) -> Iterator[None]:
    """Give a world the foundation: what is kept of it, else a new one.

    A new one is made in accounts of its own, where Terraform's provider may go on looking at it once it
    stands: until the end of the `with` statement. What is kept of it then has nothing of a function.
    early: looked after until it stands. Raises FoundationError and RedError.
    """
    facts, kept = rehearsal.facts, foundation.cached(rehearsal.facts)
    if is_founded(world, facts) or foundation.restore(world, kept):
        world.ask("enforce")
        yield
        return
    names = [account["name"] for account in rehearsal.accounts]
    with EmulatedAccounts() as origin:
        origin.ask("enforce")
        with foundation.Applying(origin, facts, folder / "foundation", names) as founding:
            founding.before = ["nice"] if early else []  # a person waits for the tests that run meanwhile
            with timed(rehearsal, "foundation"):
                stand(founding, screen, early.check if early else lambda: None)
                origin.keep(folder / "standing.world")
                world.restore(folder / "standing.world")
                world.ask("enforce")
            yield
            with part(rehearsal, screen, "lifecycle rules"):
                founding.wait()
        if rehearsal.accounts == facts["environments"]:
            foundation.keep(origin, kept)


def stand(
    founding: foundation.Applying, screen: Screen, meanwhile: Callable[[], object] = lambda: None
) -> None:
    """Wait until the foundation stands in its accounts. meanwhile: called often. Raises FoundationError."""
    steps: dict[str, Step] = {}

    with ExitStack() as end:

        def begin(account: str) -> None:
            steps[account] = end.enter_context(screen.step(account, "foundation"))

        try:
            for account in founding.stand(begin, meanwhile):
                steps[account].end()
        except (FoundationError, RedError) as error:
            for account, step in steps.items():
                step.end("failed" if account == getattr(error, "account", "") else "stopped")
            raise


def prepare(
    rehearsal: Rehearsal, options: Options, world: EmulatedAccounts, folder: Path, early: EarlyBuild | None
) -> Walker:
    """Return what walks the pipelines once they are there, with what is on GitHub."""
    github = folder / "github"
    git(folder, "clone", "--quiet", str(options.repository), str(github))
    git(github, "checkout", "--quiet", "-B", "main", rehearsal.revision)

    def decide(approval: Approval) -> tuple[bool, str]:
        return options.approve, "rehearsed" if options.approve else "rejected in a rehearsal"

    repositories = {f"{rehearsal.facts['github_owner']}/{rehearsal.function}": github}
    kept: Any = {"runs": rehearsal.runs, "memory": rehearsal.memory}
    walker = Walker(world, rehearsal.facts["region"], repositories, decide, early=early, **kept)
    if rehearsal.accounts != rehearsal.facts["environments"]:
        walker.last = rehearsal.accounts[-1]["id"]
    return walker


def promote(rehearsal: Rehearsal, screen: Screen, walker: Walker, releases: int) -> None:
    """Apply the pipelines and walk them, for so many releases. Raises RehearsalError."""
    world, accounts = walker.world, rehearsal.accounts
    facts = rehearsal.facts | {"environments": accounts}
    (github,) = walker.repositories.values()
    folder, people = github.parent, github.with_name("people")
    git(folder, "clone", "--quiet", str(github), str(people))
    with part(rehearsal, screen, "pipelines") as step:
        meanwhile = walker.early.check if walker.early else lambda: None
        apply_pipelines(world, facts, people, folder, meanwhile)
        step.text = f"{len(accounts)} applied"

    missing = [*secrets.put_placeholders(world, facts, github, rehearsal.function)]
    if missing:
        screen.say(f"A placeholder stands for the secrets {', '.join(missing)}.")

    with begun_again(rehearsal, walker) if releases > 1 else nullcontext() as second:
        with timed(rehearsal, "walk"), ExitStack() as end:
            # A new pipeline runs at once: those that wait for a release do so before there is one, unseen.
            walker.walk([account["id"] for account in accounts[1:]])
            screen.expect(actions(world, rehearsal))
            walker.on_run = shown(rehearsal, screen, end)
            for run in rehearsal.failures:
                walker.on_run(run)
            walker.walk([account["id"] for account in accounts])
        denied = conclude_first(rehearsal, screen, walker)
        if second and not rehearsal.problem:
            screen.say("\nA second release, in a copy of these accounts:")
            with timed(rehearsal, "second release"):
                denied += release_again(rehearsal, screen, second)
    screen.expect([("all", "permissions"), ("all", "lifecycle rules")])
    with part(rehearsal, screen, "permissions") as step:
        weigh(rehearsal, world, denied)
        step.text = f"{len(rehearsal.denied)} denied"


def conclude_first(rehearsal: Rehearsal, screen: Screen, walker: Walker) -> list[Check]:
    """Note what has become of the release, and of what is put into its trigger; return what was denied."""
    world, (github,) = walker.world, walker.repositories.values()
    rehearsal.running = [what_runs(world, rehearsal, account) for account in rehearsal.facts["environments"]]
    rehearsal.release = built(world, rehearsal, walker)
    rehearsal.problem = problem(rehearsal)
    denied = lacked(rehearsal, world, walker)
    if found := trigger.chosen(github):
        with part(rehearsal, screen, "trigger") as step:
            rehearsal.sent = trigger.use(found, rehearsal, world, github)
            step.text = f"{len(rehearsal.sent)} events put into it"
    rehearsal.journal = world.journal()
    return denied


@contextmanager
def begun_again(rehearsal: Rehearsal, first: Walker) -> Iterator[Walker]:
    """Yield what walks a second release, of another package; its build begins after the first's."""
    ((repository, github),) = first.repositories.items()
    folder, place = github.with_name("again"), github.with_name("early-again")
    git(github.parent, "clone", "--quiet", str(github), str(folder))
    terraform.trust_provider(folder)  # the first release has shown that its hashes are right
    (folder / "src").mkdir(exist_ok=True)
    (folder / "src/second-release.txt").write_text("So that this package is another one.\n")
    if (module := folder / "src/handler.ts").exists():  # of a bundle, into which no other file gets
        module.write_text(f"{module.read_text('utf-8')}\n//! So that this package is another one.\n", "utf-8")
    git(folder, "add", "--all")
    git(folder, *COMMITTER, "commit", "--quiet", "--no-verify", "--message", "A second release")
    own: Any = {"repositories": {repository: folder}, "memory": {}, "runs": rehearsal.again}
    if first.early is None:
        yield replace(first, **own)
        return
    place.mkdir()
    revision = git(folder, "rev-parse", "HEAD")
    variables = before_its_pipeline(first.world, rehearsal.facts, rehearsal.function, revision, place)
    with EarlyBuild(folder, revision, place, variables, first.early) as early:
        yield replace(first, **own, early=early)


def release_again(rehearsal: Rehearsal, screen: Screen, second: Walker) -> list[Check]:
    """Walk a second release in a copy of the world, where a version answers; return what was denied."""
    accounts, (folder,) = rehearsal.accounts, second.repositories.values()
    with second.world.fork() as copy, ExitStack() as end:
        copy.ask("pace", minute=0.2)  # traffic is shifted for minutes
        walker = replace(second, world=copy)
        walker.on_run = shown(rehearsal, screen, end)
        pipelines = copy.client("codepipeline", accounts[0]["id"], walker.region)
        pipelines.start_pipeline_execution(name=rehearsal.function)
        walker.walk([account["id"] for account in accounts])
        rehearsal.journal += copy.journal()
        runs = what_runs(copy, rehearsal, accounts[-1]).get("revision")
        rehearsal.problem = problem(rehearsal)
        if not rehearsal.problem and runs != git(folder, "rev-parse", "HEAD")[:12]:
            rehearsal.problem = f"{rehearsal.last} does not run a second release"
        return lacked(rehearsal, copy, walker)


def actions(world: EmulatedAccounts, rehearsal: Rehearsal) -> Iterator[tuple[str, str, str]]:
    """Yield the actions of a function's pipelines, with environment and stage."""
    for account in rehearsal.accounts:
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


def lacked(rehearsal: Rehearsal, world: EmulatedAccounts, walker: Walker) -> list[Check]:
    """Return what has been denied in a world; where that ended the walk, also what would have been next."""
    denied = [check for call in world.journal() for check in call.checks if check.denied]
    own = {f"{rehearsal.function}{suffix}" for suffix in denials.OF_FUNCTION}
    if rehearsal.failures and any(name(check.caller.role) in own for check in denied):
        return explore(world, walker, rehearsal.failures[-1])
    return denied


def weigh(rehearsal: Rehearsal, world: EmulatedAccounts, denied: list[Check]) -> None:
    """Say where to allow what was denied, and find out what roles are granted without need."""
    accounts = rehearsal.facts["ops"], *rehearsal.facts["environments"]
    granted = grants.granted(world.client("iam", a["id"], rehearsal.facts["region"]) for a in accounts)
    organization = rehearsal.facts["organization"]
    each = {(check.caller, check.action, check.resource): check for check in denied}.values()
    rehearsal.denied = [(c, denials.place(c, rehearsal.function, organization, granted)) for c in each]
    rehearsal.to_paste = denials.to_paste(denied, rehearsal.function, rehearsal.facts)
    checks = [check for call in rehearsal.journal for check in call.checks]
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
        retry = Walker(copy, walker.region, walker.repositories, walker.decide, last=walker.last)
        retry.memory = dict(walker.memory)
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


def apply_pipelines(
    world: EmulatedAccounts,
    facts: dict[str, Any],
    repository: Path,
    folder: Path,
    meanwhile: Callable[[], object] = lambda: None,
) -> None:
    """Apply a function's pipelines to the environments of facts, as an operator.

    meanwhile: called often. Raises RehearsalError, and what meanwhile does.
    """
    own = {name: value for name, value in clean(dict(os.environ)).items() if not name.startswith("AWS_")}
    role = f"{facts['organization']}-operator"
    credentials = world.environment(facts["ops"]["id"], facts["region"], role)
    names = [environment["name"] for environment in facts["environments"]]
    command = ["make", f"-j{len(names)}", *(f"pipeline-{name}" for name in names), "AUTO_APPROVE=1"]
    environment = own | credentials | terraform.environment(folder) | {"TF_CLI_ARGS": "-no-color"}
    with started(
        command, cwd=repository, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as make:
        while (said := output(make)) is None:
            meanwhile()
    if make.returncode:
        # Side by side, what one says is followed by what the others said.
        error = said.find("\nError: ")
        shown = said[-SHOWN:] if error < 0 else said[error:][:SHOWN]
        raise RehearsalError(f"{' '.join(command)} failed:\n{shown}")


def output(process: "subprocess.Popen[bytes]") -> str | None:
    """Return all that a process has printed, once it has ended; after a while, None."""
    try:
        return process.communicate(timeout=LOOK)[0].decode(errors="replace")
    except subprocess.TimeoutExpired:
        return None


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


def problem(rehearsal: Rehearsal) -> str:
    """Return why the last environment does not run the package of the commit, or nothing if it does."""
    if rehearsal.failures:
        run = rehearsal.failures[-1]
        which = "a second release: " if run in rehearsal.again else ""
        return f"{which}{rehearsal.name(run.account)}: {run.stage}: {run.action}: {run.message}"
    runs = next(found for found in rehearsal.running if found["environment"] == rehearsal.last)
    wanted = (rehearsal.revision, runs.get("sha256", "nothing"))
    if (rehearsal.release.get("revision"), rehearsal.release.get("sha256")) != wanted:
        return f"{rehearsal.last} does not run the package of {rehearsal.revision[:12]}"
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

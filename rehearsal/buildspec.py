"""A buildspec, run as CodeBuild runs it.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html says what a buildspec may hold, and
buildspec.schema.json says it again. What is documented and not run here is refused, not passed over.
"""

import functools
import json
import os
import select
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import jsonschema
import yaml

from emulator.interpreters import interpreter
from rehearsal.processes import started

PHASES = ("install", "pre_build", "build", "post_build")
NOT_RUN = [
    ("run-as",),
    ("env", "parameter-store"),
    ("env", "secrets-manager"),
    ("env", "git-credential-helper"),
    ("proxy",),
    ("batch",),
    ("artifacts", "enable-symlinks"),
    ("artifacts", "s3-prefix"),
    ("artifacts", "secondary-artifacts"),
    ("cache",),
    *(("phases", phase, "run-as") for phase in PHASES),
]
LOCATIONS = ("files", "base-directory", "exclude-paths")  # of artifacts and reports
NOT_RUN_HERE = "is not run by the rehearsal"
LIMIT = 3600  # seconds: what a CodeBuild project has that names none
LOOK = 0.1  # seconds between two looks whether the shell has ended
GRACE = 20  # seconds between being asked to end and being ended
LINES_SHOWN = 40


@dataclass(frozen=True)
class Command:
    """A command that has run: its phase, its text, its seconds, its exit code and what it printed."""

    phase: str
    text: str
    seconds: float
    code: int
    output: str


@dataclass
class Build:
    """What a build has done. notes: what CodeBuild would have done otherwise; reports: what its tests say."""

    commands: list[Command] = field(default_factory=list)
    exported: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, Path] = field(default_factory=dict)
    reports: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Texts(yaml.SafeLoader):
    """Reads values as they are written: variables and commands are text, whatever they look like."""

    yaml_implicit_resolvers = {"<": yaml.SafeLoader.yaml_implicit_resolvers["<"]}  # noqa: RUF012  merging


class BuildError(Exception):
    """A command failed; the message says which, in which phase, and shows the end of what it printed."""

    def __init__(self, message: str, build: Build) -> None:
        """Keep what has been done until then."""
        super().__init__(message)
        self.build = build


@functools.cache
def schema() -> Any:
    """Return the schema of what is documented."""
    return json.loads(Path(__file__).with_name("buildspec.schema.json").read_bytes())


def read(path: Path, inline: str = "") -> dict[str, Any]:
    """Return a buildspec, a file's or one whose text is given; path names it then.

    Raises ValueError if it is not as documented, or has what is not run here.
    """
    try:
        text = inline or path.read_text("utf-8")
        spec = yaml.load(text, Texts)  # noqa: S506  a SafeLoader
        typed = yaml.safe_load(text)
    except OSError as error:
        raise ValueError(f"{path.name}: cannot be read: {error.strerror}") from None
    except (RecursionError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path.name}: is not YAML: {' '.join(str(error).split())}") from None
    for key, reason in faults(spec):
        raise ValueError(f"{path.name}: {key}: {reason}")
    if "runtime-versions" in (install := spec["phases"].get("install", {})):
        # Numbers, unless they are in quotes: 3.10 is 3.1.
        install["runtime-versions"] = typed["phases"]["install"]["runtime-versions"]
    return spec  # type: ignore[no-any-return]


def faults(spec: Any) -> Iterator[tuple[str, str]]:
    """Yield what is not as documented, or not run here: the keys to it, and why."""
    for fault in jsonschema.Draft202012Validator(schema()).iter_errors(spec):
        yield ".".join(map(str, fault.absolute_path)) or "top level", fault.message
    for place in NOT_RUN:
        node: Any = spec
        for part in place:
            node = node.get(part, {}) if isinstance(node, dict) else {}
        if node not in ({}, "no"):
            yield ".".join(place), NOT_RUN_HERE
    if (shell := spec.get("env", {}).get("shell", "")).endswith(".exe"):
        yield "env.shell", f"{shell} {NOT_RUN_HERE}"
    for phase, content in spec["phases"].items():
        if content.get("on-failure", "").startswith("RETRY"):
            yield f"phases.{phase}.on-failure", f"RETRY {NOT_RUN_HERE}"
    reports = {f"reports.{name}": report for name, report in spec.get("reports", {}).items()}
    for keys, what in ({"artifacts": spec.get("artifacts", {})} | reports).items():
        for key in LOCATIONS:
            for location in listed(what.get(key, [])):
                if reason := wrong(location):
                    yield f"{keys}.{key}", f"{location} {reason}"


def wrong(location: str) -> str:
    """Return why a location in the folder of a build is not looked for here; nothing if it is."""
    parts = location.split("/")
    if not parts[0] or ".." in parts:
        return "is not a path within the folder of the build"
    if "$" in location or any("**" in part and part != "**" for part in parts):
        return NOT_RUN_HERE
    return ""


def listed(texts: str | list[str]) -> list[str]:
    """Return what may be one text or several as several."""
    return [texts] if isinstance(texts, str) else texts


def run(
    source: Path,
    buildspec: str,
    environment: Mapping[str, str],
    on_command: Callable[[Command], None] = lambda command: None,
    seconds: float = LIMIT,
) -> Build:
    """Run a buildspec in a folder.

    source: the folder with the source; it is worked in. buildspec: its path in there, or, if it has lines,
    itself, as a project may have it. environment: all that
    the commands see; it wins over the buildspec's own variables, as a CodeBuild project's does. on_command:
    told of each command that has ended. seconds: after which the build is ended. Raises BuildError, and
    ValueError for a buildspec that cannot be run.
    """
    inline = buildspec if "\n" in buildspec else ""
    buildspec = "the project's buildspec" if inline else buildspec
    spec, build = read(source / buildspec, inline), Build()
    own = {name: str(value) for name, value in spec.get("env", {}).get("variables", {}).items()}
    variables = (
        own | {"CODEBUILD_SRC_DIR": str(source), "CODEBUILD_BUILD_SUCCEEDING": "1"} | dict(environment)
    )
    choose_runtimes(spec, variables, build)
    failure = ""
    with Shell(spec.get("env", {}).get("shell", "/bin/sh"), source, variables, seconds) as shell:
        for phase in PHASES:
            content = spec["phases"].get(phase)
            if content is None:
                continue
            problem = ""
            commands = content.get("commands", [])
            for number, text in enumerate([*commands, *content.get("finally", [])]):
                if problem and number < len(commands):
                    continue
                command = shell.run(phase, text)
                build.commands.append(command)
                on_command(command)
                if command.code:
                    problem = problem or explained(buildspec, command, shell.expired)
            on_failure = content.get("on-failure", "")
            if problem and on_failure != "CONTINUE":
                failure = failure or problem
                shell.run(phase, "export CODEBUILD_BUILD_SUCCEEDING=0")
                if on_failure == "ABORT" or phase != "build" or shell.expired:
                    break
        exported = spec.get("env", {}).get("exported-variables", [])
        build.exported = {name: value for name, value in shell.variables().items() if name in exported}
    build.reports = dict(reports(spec, source))
    build.artifacts = artifacts(spec, source)
    if "artifacts" in spec and not build.artifacts:
        # https://github.com/aws/copilot-cli/issues/5788
        failure = failure or f"{buildspec}: artifacts: no matching artifact paths found"
    if failure:
        raise BuildError(failure, build)
    return build


def explained(buildspec: str, command: Command, expired: bool) -> str:
    """Return what to say of a command that has failed."""
    end = "\n".join(command.output.splitlines()[-LINES_SHOWN:])
    how = "took longer than the build may" if expired else f"exit code {command.code}"
    return f"{buildspec}: {command.phase}: {command.text}: {how}\n{end}"


def choose_runtimes(spec: dict[str, Any], variables: dict[str, str], build: Build) -> None:
    """Put the runtimes that a buildspec asks for first on PATH, or note which is missing."""
    for name, version in spec["phases"].get("install", {}).get("runtime-versions", {}).items():
        if name not in ("python", "nodejs"):
            raise ValueError(f"phases.install.runtime-versions.{name}: is not run by the rehearsal")
        found = interpreter(name, str(version))
        if found.version.startswith(f"{version}."):
            variables["PATH"] = f"{found.path.parent}{os.pathsep}{variables['PATH']}"
        else:
            build.notes.append(f"{name} {version} is not on this machine; the build took what is on PATH")


class Shell:
    """The one shell in which all commands of a build run, so that variables and the folder last."""

    def __init__(self, program: str, folder: Path, variables: dict[str, str], seconds: float) -> None:
        """Prepare to run commands in a folder with these variables, for so many seconds in all.

        Raises ValueError if the program is not there.
        """
        self.program = shutil.which(program, path=variables["PATH"]) or ""
        if not self.program:
            raise ValueError(f"env.shell: {program} is not on this machine")
        self.folder, self.initial = folder, variables
        self.expired = False
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = ExitStack()

    def __enter__(self) -> "Shell":
        """Begin to count the seconds."""
        self._scratch = Path(self._ending.enter_context(TemporaryDirectory()))
        self._output = self._ending.enter_context((self._scratch / "output").open("w+b"))
        self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        """End the shell and all that it has started, which has the time to clean up if it took too long."""
        self._timer.cancel()
        if self.expired:
            self._timer.join()
        self._ending.close()

    def run(self, phase: str, text: str) -> Command:
        """Run a command and return how it went; after one that ends the shell, another one goes on."""
        if self.expired:
            return Command(phase, text, 0, 1, "")
        if self._process is None or self._process.poll() is not None:
            self._begin()
        assert self._process  # noqa: S101
        began, start = time.monotonic(), self._output.seek(0, os.SEEK_END)
        (self._scratch / "command").write_text(text + "\n")
        command, exported, place = (self._quoted(name) for name in ("command", "exported", "place"))
        then = f"echo $? >/dev/fd/{self._writer}; export -p >{exported}; pwd >{place}"
        self._say(f". {command} </dev/null; {{ {then}; }} 2>/dev/null")
        while not self._told():
            if self._process.poll() is not None:
                break
        status = (self._status.readline().strip() if self._told() else "") or str(self._process.wait())
        self._output.seek(start)
        output = self._output.read().decode(errors="replace")
        return Command(phase, text, time.monotonic() - began, int(status) or int(self.expired), output)

    def _say(self, line: str) -> None:
        """Have the shell do something."""
        assert self._process  # noqa: S101
        assert self._process.stdin  # noqa: S101
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n".encode())

    def _told(self) -> bool:
        """Wait a little; return whether the shell has told a status, or nothing can any more."""
        return bool(select.select([self._status], [], [], LOOK)[0])

    def _quoted(self, name: str) -> str:
        return shlex.quote(str(self._scratch / name))

    def variables(self) -> dict[str, str]:
        """Return the variables that the shell exports."""
        file = self._scratch / "variables"
        self.run("", f"env -0 > {self._quoted('variables')}")
        text = file.read_text(errors="replace") if file.exists() else ""
        return dict(variable.split("=", 1) for variable in text.split("\0") if "=" in variable)

    def _begin(self) -> None:
        reader, self._writer = os.pipe()
        self._status = self._ending.enter_context(os.fdopen(reader))
        shell = started(
            [self.program],
            cwd=self.folder,
            env=self.initial,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=self._output,
            pass_fds=[self._writer],
        )
        self._process = self._ending.enter_context(shell)
        os.close(self._writer)
        if (self._scratch / "place").exists():
            self._say(f'. {self._quoted("exported")}; cd "$(cat {self._quoted("place")})"')

    def _expire(self) -> None:
        """End what runs as CodeBuild does: first it may clean up, and Terraform writes its state."""
        self.expired = True
        if group := self._process and self._process.pid:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGTERM)
                for _ in range(GRACE * 10):
                    time.sleep(0.1)
                    os.killpg(group, 0)
                os.killpg(group, signal.SIGKILL)


def reports(spec: dict[str, Any], source: Path) -> Iterator[tuple[str, str]]:
    """Yield what the reports of a build say, by name. CodeBuild fails nothing for one that is missing."""
    for name, report in spec.get("reports", {}).items():
        files = matching(source, report)
        if not files:
            yield name, "no report file was written"
        elif report.get("file-format", "JUNITXML").upper() != "JUNITXML":
            yield name, f"{len(files)} files"
        else:
            counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
            try:
                for file in files.values():
                    for suite in ElementTree.parse(file).getroot().iter("testsuite"):  # noqa: S314
                        counts = {what: count + int(suite.get(what) or 0) for what, count in counts.items()}
            except (ElementTree.ParseError, LookupError, ValueError) as error:
                yield name, f"{file.name} is no report of JUnit's: {error}"
            else:
                yield name, ", ".join(f"{count} {what}" for what, count in counts.items())


def artifacts(spec: dict[str, Any], source: Path) -> dict[str, Path]:
    """Return the files of a build's artifact, by their name in it."""
    wanted = spec.get("artifacts", {"files": []})
    excluded = matching(source, {**wanted, "files": wanted.get("exclude-paths", [])})
    found = matching(source, wanted)
    # Whether ** means files whose name begins with a dot, AWS does not say: so none is relied on.
    hidden = {name for name in found if name.rpartition("/")[2].startswith(".")}
    kept = {name: file for name, file in found.items() if name not in excluded.keys() | hidden}
    return {file.name: file for file in kept.values()} if wanted.get("discard-paths") == "yes" else kept


def matching(source: Path, wanted: dict[str, Any]) -> dict[str, Path]:
    """Return the files that are wanted in a folder, by their path from their base directory."""
    found = {}
    for base in globbed(source, wanted.get("base-directory", ".")):
        for pattern in listed(wanted["files"]):
            found.update({f.relative_to(base).as_posix(): f for f in globbed(base, pattern) if f.is_file()})
    return dict(sorted(found.items()))


def globbed(folder: Path, pattern: str) -> list[Path]:
    """Return what matches a pattern in a folder, the folder itself if that names nothing below it."""
    parts = Path(pattern).parts
    return sorted(folder.glob("/".join(parts))) if parts else [folder]


def zipped(files: Mapping[str, Path], target: Path) -> None:
    """Zip files, as CodeBuild hands an artifact to CodePipeline; who may execute them is kept."""
    with ZipFile(target, "w") as archive:
        for name, file in files.items():
            entry = ZipInfo(name)
            entry.external_attr = file.stat().st_mode << 16
            archive.writestr(entry, file.read_bytes(), ZIP_DEFLATED)

"""A buildspec, run as CodeBuild runs it: its commands, in one shell, until one fails.

Of https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html this knows what our buildspecs
use: env/shell, env/variables, phases that abort on failure, the artifact. Any other key is refused.
"""

import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

import yaml

PHASES = ("install", "pre_build", "build", "post_build")
KNOWN = {
    "": {"version", "env", "phases", "reports", "artifacts"},
    "env": {"shell", "variables"},
    "phases": set(PHASES),
    "artifacts": {"base-directory", "files"},
    **{f"phases.{phase}": {"on-failure", "runtime-versions", "commands"} for phase in PHASES},
}


class BuildError(Exception):
    """A command failed; the message says which, in which phase, and shows the end of what it printed."""


@dataclass(frozen=True)
class Command:
    """A command that ran: its phase, its text, and how long it took in seconds."""

    phase: str
    text: str
    seconds: float


def read(path: Path) -> dict[str, Any]:
    """Return a buildspec; raise ValueError for a key that is not known here."""
    spec: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    for place, known in KNOWN.items():
        node: Any = spec
        for part in filter(None, place.split(".")):
            node = (node or {}).get(part)
        if unknown := set(node or ()) - known:
            raise ValueError(
                f"{path}: {place or 'top level'}: not known to the rehearsal: {', '.join(sorted(unknown))}"
            )
    return spec


def run(
    source: Path,
    buildspec: str,
    environment: Mapping[str, str],
    on_command: Callable[[Command], None],
) -> Path:
    """Run a buildspec's phases in a folder and return the folder of its artifact.

    source: the folder with the source; it is worked in. buildspec: its path in there. environment: all that
    the commands see; it wins over the buildspec's own variables, as a CodeBuild project's does. on_command:
    told of each command that has succeeded. Raises BuildError.
    """
    spec = read(source / buildspec)
    variables = spec.get("env", {}).get("variables", {}) | dict(environment)
    shell = shutil.which(spec.get("env", {}).get("shell", "sh"), path=variables["PATH"])
    with TemporaryDirectory() as folder, Path(folder, "output").open("w+b") as output:
        status_read, status_write = os.pipe()
        process = subprocess.Popen(
            [shell or "sh"],
            cwd=source,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=[status_write],
            start_new_session=True,  # so that everything it starts ends with it
        )
        os.close(status_write)
        try:
            with os.fdopen(status_read) as status:
                for phase in PHASES:
                    for text in spec["phases"].get(phase, {}).get("commands", []):
                        began = time.monotonic()
                        start = output.seek(0, os.SEEK_END)
                        file = Path(folder, "command")
                        code = in_shell(process, status, status_write, text, file)
                        if code != "0":
                            output.seek(start)
                            tail = output.read().decode(errors="replace").splitlines()[-40:]
                            lines = "\n".join(tail)
                            what = f"{buildspec}: {phase}: {text}: exit code {code}"
                            raise BuildError(f"{what}\n{lines}")
                        on_command(Command(phase, text, time.monotonic() - began))
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return source / str(spec.get("artifacts", {}).get("base-directory", "."))


def in_shell(process: subprocess.Popen[bytes], status: TextIO, descriptor: int, text: str, file: Path) -> str:
    """Run a command in a shell that waits for input; return its exit code, "exit" if it ended the shell."""
    file.write_text(text + "\n")
    assert process.stdin  # noqa: S101
    process.stdin.write(f". {shlex.quote(str(file))} </dev/null; echo $? >/dev/fd/{descriptor}\n".encode())
    process.stdin.flush()
    return status.readline().strip() or "exit"

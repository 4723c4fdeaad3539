"""`make demo`: a sample function, from the questions to an answer from production."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

from cookiecutter.main import cookiecutter
from uv import find_uv_bin

from emulator.accounts import EmulatedAccounts
from rehearsal.cli import conclude
from rehearsal.foundation import TEMPLATE
from rehearsal.outcome import Rehearsal
from rehearsal.rehearse import Options, RehearsalError, emulation, provide_terraform, rehearse
from screen import Screen


def commit(repository: Path, message: str = "Born from the template") -> None:
    """Commit all of a folder, which becomes a repository if it is none, whoever's machine it is."""
    identity = ["-c", "user.name=lambda-template", "-c", "user.email=demo@example.com"]
    if not (repository / ".git").exists():
        subprocess.run(["git", "init", "--quiet", "--initial-branch", "main"], cwd=repository, check=True)
    for arguments in (
        ["add", "--all"],
        [*identity, "-c", "commit.gpgsign=false", "commit", "--quiet", "--message", message],
    ):
        subprocess.run(["git", *arguments], cwd=repository, check=True)


def install(repository: Path) -> None:
    """Install what a repository's targets need, as `make install` does, but by uv, which takes less time."""
    for arguments in (
        ["venv", ".venv"],
        ["pip", "install", "--require-hashes", "--requirement", "requirements-dev.txt"],
    ):
        subprocess.run([find_uv_bin(), "--quiet", *arguments], cwd=repository, check=True)
    for done in "uv", "installed":
        (repository / ".venv" / done).touch()


def uv_cache() -> str:
    """Return where uv keeps what it has downloaded, for those whose HOME is another."""
    return subprocess.check_output([find_uv_bin(), "cache", "dir"], text=True).strip()


def clone(repository: Path, folder: Path) -> Path:
    """Copy a repository with all that is in it; the copy shares what is installed."""
    shutil.copytree(repository, folder, symlinks=True, ignore=shutil.ignore_patterns(".venv"))
    (folder / ".venv").symlink_to((repository / ".venv").resolve())
    return folder


def main() -> int:
    """Run the demo; return its exit code. Where the generated repository lies is printed at the end."""
    folder, screen = Path(mkdtemp(prefix="lambda-template-")), Screen()
    repository = Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(folder)))
    commit(repository)
    screen.say(f"The generated repository lies in {repository}")
    try:
        with emulation() as (world, scratch):
            provide_terraform(repository, screen)
            rehearsal = rehearse(Options(repository), screen, world, scratch)
            if not rehearsal.problem:
                release = json.dumps(rehearsal.release, indent=2, ensure_ascii=False)
                screen.say(f"\n{asked(world, rehearsal)}\nrelease: {release}")
            conclude(rehearsal, screen, folder / "rehearsal.html")
    except RehearsalError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 1 if rehearsal.problem else 0


def asked(world: EmulatedAccounts, rehearsal: Rehearsal) -> str:
    """Ask the function in the last environment; return what it was asked and what it answered."""
    last = rehearsal.facts["environments"][-1]
    functions = world.client("lambda", last["id"], rehearsal.facts["region"])
    event = b'{"name": "Ada"}'
    answer = functions.invoke(FunctionName=rehearsal.function, Qualifier="live", Payload=event)
    said = answer["Payload"].read().decode()
    (call,) = [entry for entry in world.journal() if entry.operation == "Invoke"][-1:]
    return f"{last['name']} was asked {event.decode()} and answered {said} ({call.note})"


if __name__ == "__main__":
    sys.exit(main())

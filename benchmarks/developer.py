"""A developer at work: a generated repository, and the emulated accounts by its README's profiles."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cookiecutter.main import cookiecutter

from emulator.accounts import EmulatedAccounts
from emulator.interpreters import interpreter
from rehearsal import demo, foundation, people

TEMPLATE = Path(__file__).parents[1]
TOOL = Path(sys.executable).with_name("lambda-template")  # this checkout's own
GREETING = "src/hello_lambda/greeting.py"


@dataclass
class Developer:
    """A developer's folder, repository, and environment, in a world whose every call is judged."""

    world: EmulatedAccounts
    facts: dict[str, Any]
    folder: Path
    repository: Path
    environment: dict[str, str]

    def make(self, *arguments: str, at: Path | None = None) -> str:
        """Run a target, in the repository or a clone of it; return what it prints, or end if it fails."""
        done = subprocess.run(
            ["make", f"TOOL={TOOL}", *arguments],
            cwd=at or self.repository,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"make {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
        return done.stdout


def founded(world: EmulatedAccounts, facts: dict[str, Any], folder: Path) -> None:
    """Give an empty world the foundation, what is kept of it or a new one; from then on calls are judged."""
    kept = foundation.cached(facts)
    restored = foundation.restore(world, kept)
    world.ask("enforce")
    if not restored:
        foundation.apply(world, facts, folder)
        foundation.keep(world, kept)


@contextmanager
def at_work(runtime: str = "python3.13") -> Iterator[Developer]:
    """Give a developer, once the foundation is there, which takes a minute or two if none is kept."""
    with TemporaryDirectory() as scratch, EmulatedAccounts() as world:
        folder, answers, path = Path(scratch), {"runtime": runtime}, os.environ["PATH"]
        repository = Path(
            cookiecutter(str(TEMPLATE), no_input=True, extra_context=answers, output_dir=scratch)
        )
        demo.commit(repository)
        if runtime.startswith("nodejs"):
            node = interpreter("nodejs", runtime.removeprefix("nodejs").removesuffix(".x"))
            path = f"{node.path.parent}{os.pathsep}{path}"
            subprocess.run(
                ["make", "-s", "install"], cwd=repository, env=os.environ | {"PATH": path}, check=True
            )
        else:
            demo.install(repository)
        facts = json.loads((repository / "accounts.json").read_text())
        founded(world, facts, folder / "foundation")
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        home = {"HOME": scratch, "PATH": path, "UV_CACHE_DIR": demo.uv_cache()}
        yield Developer(
            world, facts, folder, repository, own | home | people.environment(world, facts, folder)
        )

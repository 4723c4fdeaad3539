"""What we measure ourselves against, each in an environment of its own below build/, and what we measure."""

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

BUILD = Path(__file__).parents[1] / "build/benchmarks"
PINNED = {"copier": "copier==9.19.1", "sam": "aws-sam-cli==1.170.0"}


@dataclass(frozen=True)
class Table:
    """What was measured: rows of text under these heads, the first of which says what of."""

    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def __str__(self) -> str:
        """Return it in Markdown."""
        rule = ("---", *("---:" for _ in self.heads[1:]))
        lines = (f"| {' | '.join(row)} |" for row in (self.heads, rule, *self.rows))
        return "".join(f"{line}\n" for line in lines)


def tool(name: str) -> str:
    """Return the command of a tool, installed on first use."""
    folder = BUILD / name
    if not (folder / "bin" / name).exists():
        for arguments in (
            ["venv", "--quiet", "--clear", str(folder)],
            ["pip", "install", "--quiet", "--compile-bytecode", "--python", str(folder), PINNED[name]],
        ):
            subprocess.run([find_uv_bin(), *arguments], check=True)
    return str(folder / "bin" / name)


def timed(
    command: list[str],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    fresh: tuple[Path, ...] = (),
) -> float:
    """Run a command and return the seconds that it took; fresh: what is removed before."""
    for path in fresh:
        shutil.rmtree(path, ignore_errors=True)
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stdout}")
    return time.perf_counter() - began


def medians(contestants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Measure all, in turns, once more than counts; return the median of each."""
    times = [[measure() for measure in contestants.values()] for _ in range(rounds + 1)][1:]
    return dict(zip(contestants, map(statistics.median, zip(*times, strict=True)), strict=True))


def compare(what: str, contestants: Mapping[str, Callable[[], float]], rounds: int) -> Table:
    """Return the medians of all, in seconds, and how they compare with the first."""
    ours, *_ = found = medians(contestants, rounds)
    rows = [(name, f"{each:.3f} s", f"{each / found[ours]:.2f}") for name, each in found.items()]
    return Table((what, f"median of {rounds}", "times ours"), rows)

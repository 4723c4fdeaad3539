"""What we measure ourselves against, each in an environment of its own below build/."""

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from uv import find_uv_bin

BUILD = Path(__file__).parents[1] / "build/benchmarks"
PINNED = {"copier": "copier==9.19.1", "sam": "aws-sam-cli==1.170.0"}


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


def compare(contestants: Mapping[str, Callable[[], float]], rounds: int) -> None:
    """Measure all, in turns; print the medians, and how they compare with the first."""
    times = [[measure() for measure in contestants.values()] for _ in range(rounds + 1)][1:]
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    for name, median in zip(contestants, medians, strict=True):
        ratios = f"{median / medians[0]:5.2f} of ours, ours {medians[0] / median:5.2f} of it"
        print(f"{name:<24} {median:6.3f} s  {ratios}")

"""Time a generation, hooks included, beside a bare cookiecutter of the files that it gives.

Prints the median of whole processes, in seconds, and the ratio.
"""

import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

TEMPLATE = Path(__file__).parents[2]
ROUNDS = 15


def generate(template: Path, output: Path) -> float:
    """Generate from a template into a new folder and return the seconds that it took."""
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "--output-dir", str(output), str(template)]
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began


def main() -> None:
    """Measure both, in turns."""
    with TemporaryDirectory() as folder:
        output, bare = Path(folder, "output"), Path(folder, "bare")
        generate(TEMPLATE, output)
        shutil.copytree(output / "hello-lambda", bare / "{{cookiecutter.name}}")
        (bare / "cookiecutter.json").write_text('{"name": "hello-lambda"}')
        rounds = [(generate(TEMPLATE, output), generate(bare, output)) for _ in range(ROUNDS)]
    ours, theirs = (statistics.median(times) for times in zip(*rounds, strict=True))
    print(f"lambda-template {ours:.3f} s, bare cookiecutter {theirs:.3f} s, ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main()

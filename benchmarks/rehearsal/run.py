"""Where the time of a rehearsal goes, to production and to a red test."""

import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cookiecutter.main import cookiecutter

from benchmarks.tools import Table
from rehearsal import demo, foundation

TEMPLATE = Path(__file__).parents[2]
KINDS = {
    "terraform": "Terraform",
    "prepare.sh": "Terraform",
    "make install": "packages' install",
    "check.sh": "check",
    "shift.sh": "shift",
    "aws ": "AWS CLI",
}


def rehearsed(repository: Path, problem: str = "") -> dict[str, float]:
    """Rehearse; return the seconds in all, those of each part, and those of the builds' commands by kind.

    problem: what is said in the end.
    """
    page = ["--report", str(repository.with_name("report.html"))]
    command = [sys.executable, "-m", "rehearsal", str(repository), "--json", *page]
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=TEMPLATE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    seconds = defaultdict(float, {"in all": time.monotonic() - began})
    result: dict[str, Any] = json.loads(done.stdout)
    if problem not in result["problem"] or bool(problem) != bool(result["problem"]):
        raise SystemExit(f"not rehearsed as expected: {result['problem']}")
    seconds.update(result["seconds"])
    for step in (step for run in result["runs"] + result["again"] for step in run["commands"]):
        kind = next((kind for sign, kind in KINDS.items() if sign in step["text"]), "others")
        seconds[f"builds: {kind}"] += step["seconds"]
    return seconds


def measure() -> Iterator[Table]:
    """Rehearse both runtimes, with and without a foundation that is kept, and a red test."""
    found: dict[str, dict[str, float]] = {}
    with TemporaryDirectory() as folder:
        repositories = {}
        for runtime in "python3.13", "nodejs22.x":
            answers = {"runtime": runtime, "function_name": f"hello-{runtime.partition('.')[0]}"}
            made = cookiecutter(str(TEMPLATE), no_input=True, extra_context=answers, output_dir=folder)
            repositories[runtime] = Path(made)
            demo.commit(repositories[runtime])
        python = repositories["python3.13"]
        kept = foundation.cached(json.loads((python / "accounts.json").read_text()))
        kept.unlink(missing_ok=True)
        found["python3.13, no foundation kept"] = rehearsed(python)
        for runtime, repository in repositories.items():
            found[runtime] = rehearsed(repository)
        test = python / "tests/test_greeting.py"
        test.write_text(test.read_text().replace("Hello, Ada!", "Goodbye, Ada!"))
        demo.commit(python, "A red test")
        found["a red test"] = rehearsed(python, "Build: Build")
        kept.unlink()
        found["a red test, no foundation kept"] = rehearsed(python, "Build: Build")
    parts = list(dict.fromkeys(part for seconds in found.values() for part in seconds))
    rows = [(part, *(f"{s[part]:.1f} s" if s[part] else "" for s in found.values())) for part in parts]
    yield Table(("two releases", *found), rows)

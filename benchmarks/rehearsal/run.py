"""Show where the time of a rehearsal goes, to production and to a red test.

Run from the repository's root: python -m benchmarks.rehearsal.run
"""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cookiecutter.main import cookiecutter

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


def rehearsed(repository: Path) -> dict[str, Any]:
    """Rehearse, and print when what was told; return the result."""
    page = ["--report", str(repository / "build.html")]
    command = [sys.executable, "-m", "rehearsal", str(repository), "--json", *page]
    began = time.monotonic()
    done = subprocess.run(command, cwd=TEMPLATE, stdout=subprocess.PIPE, check=False)
    result: dict[str, Any] = json.loads(done.stdout)
    how = result["problem"].partition("\n")[0] or "good"
    print(f"{time.monotonic() - began:6.1f} s  in all: {how}")
    return result


def parts(result: dict[str, Any]) -> None:
    """Print the parts of a rehearsal, and what the commands of both its releases took, by kind."""
    for part, seconds in result["seconds"].items():
        print(f"{seconds:10.1f} s  {part}")
    for release, runs in ("first", result["runs"]), ("second", result["again"]):
        kinds = Counter[str]()
        for step in (step for run in runs for step in run["commands"]):
            kinds[next((k for sign, k in KINDS.items() if sign in step["text"]), "others")] += step["seconds"]
        for kind, seconds in kinds.most_common():
            print(f"{seconds:10.1f} s  builds of the {release} release: {kind}")


def main() -> None:
    """Rehearse and print."""
    with TemporaryDirectory() as folder:
        repository = Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=folder))
        demo.commit(repository)
        kept = foundation.cached(json.loads((repository / "accounts.json").read_text()))
        kept.unlink(missing_ok=True)
        for what in "no foundation is kept", "the foundation is kept":
            print(what)
            parts(rehearsed(repository))
        test = repository / "tests/test_greeting.py"
        test.write_text(test.read_text().replace("Hello, Ada!", "Goodbye, Ada!"))
        demo.commit(repository, "A red test")
        print("a unit test is red, the foundation is kept")
        rehearsed(repository)
        kept.unlink()
        print("a unit test is red, no foundation is kept")
        rehearsed(repository)


if __name__ == "__main__":
    main()

"""Show where the time of a rehearsal to production goes.

Run from the repository's root: python -m benchmarks.rehearsal.run
"""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from cookiecutter.main import cookiecutter

from rehearsal import demo

TEMPLATE = Path(__file__).parents[2]
KINDS = {
    "terraform": "Terraform",
    "prepare.sh": "Terraform",
    "make install": "packages' install",
    "aws ": "AWS CLI",
}


def main() -> None:
    """Rehearse once and print the parts."""
    with TemporaryDirectory() as folder:
        repository = Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=folder))
        demo.commit(repository)
        page = ["--report", f"{folder}/page.html"]
        command = [sys.executable, "-m", "rehearsal", str(repository), "--json", *page]
        began = time.monotonic()
        result = json.loads(subprocess.check_output(command, cwd=TEMPLATE))
        total = time.monotonic() - began
    parts = Counter[str]()
    for run in result["runs"]:
        for step in run["commands"]:
            kind = next(
                (kind for sign, kind in KINDS.items() if sign in step["text"]), "other commands of buildspecs"
            )
            parts[f"builds: {kind}"] += step["seconds"]
    parts["foundation, until it stands: Terraform"] = result["seconds"]["foundation"]
    parts["pipelines: Terraform"] = result["seconds"]["pipelines"]
    parts["the rest of the foundation: Terraform's waits"] = result["seconds"]["lifecycle rules"]
    for part, seconds in parts.most_common():
        print(f"{seconds:6.1f} s  {part}")
    print(f"{total - parts.total():6.1f} s  the rehearsal itself\n{total:6.1f} s  in all")


if __name__ == "__main__":
    main()

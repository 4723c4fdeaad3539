"""Create, sync, call and destroy many sandboxes at once; see that none is mixed up and nothing is left.

Run from the repository's root: python -m benchmarks.sandboxes.run [COUNT]
Each takes half a gigabyte for Terraform.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.developer import GREETING, Developer, at_work
from rehearsal import demo

COUNT = 20


def main(count: int = COUNT) -> None:
    """Do so, and print how long each step takes."""
    with at_work() as developer:
        clones = {
            f"dev-{n}": demo.clone(developer.repository, developer.folder / f"clone-{n}")
            for n in range(count)
        }
        together(developer, clones, "sandbox")
        for name, clone in clones.items():
            greeting = clone / GREETING
            greeting.write_text(greeting.read_text().replace("Hola", name))
        together(developer, clones, "sync")
        answers = [json.loads(said)["message"] for said in together(developer, clones, "invoke")]
        if answers != [f"{name}, Ada!" for name in clones]:
            raise SystemExit(f"sandboxes are mixed up: {answers}")
        print(f"each of {len(developer.make('sandboxes').splitlines())} answers with its own code")
        together(developer, clones, "sandbox-destroy")
        print(f"left behind: {', '.join(left(developer)) or 'nothing'}")


def together(developer: Developer, clones: dict[str, Path], target: str) -> list[str]:
    """Run a target for all at once; return what each prints."""
    began = time.perf_counter()
    with ThreadPoolExecutor(len(clones)) as pool:
        said = list(pool.map(lambda c: developer.make(target, f"NAME={c[0]}", at=c[1]), clones.items()))
    print(f"{len(clones)} x make {target:<16} {time.perf_counter() - began:6.1f} s", flush=True)
    return said


def left(developer: Developer) -> list[str]:
    """Return the names that tell of a sandbox, of all that there is in the first environment."""
    first, region = developer.facts["environments"][0], developer.facts["region"]

    def ask(service: str, operation: str, listed: str, name: str, **of: str) -> list[str]:
        client = developer.world.client(service, first["id"], region)
        pages = client.get_paginator(operation).paginate(**of)
        return [item[name] for page in pages for item in page.get(listed, [])]

    names = [
        *ask("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
        *ask("iam", "list_roles", "Roles", "RoleName"),
        *ask("lambda", "list_functions", "Functions", "FunctionName"),
        *ask("logs", "describe_log_groups", "logGroups", "logGroupName"),
        *ask("s3", "list_objects_v2", "Contents", "Key", Bucket=first["artifacts_bucket"]),
        *ask("s3", "list_objects_v2", "Contents", "Key", Bucket=first["state_bucket"]),
    ]
    return [name for name in names if "sandbox" in name]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

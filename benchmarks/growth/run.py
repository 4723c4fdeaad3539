"""What grows with environments and with functions: Terraform's time, its state, and a rehearsal.

Environments: the foundation of all accounts, and a function's way through all of them. Functions: the
pipeline of the last in an environment where the others have theirs, and the rehearsal of one more.
"""

import io
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from cookiecutter.main import cookiecutter

from benchmarks.developer import founded
from benchmarks.tools import Table, timed
from emulator.accounts import EmulatedAccounts
from rehearsal import demo, foundation
from rehearsal.pipelines import Walker
from rehearsal.rehearse import Options, apply_pipelines, rehearse
from screen import Screen

TEMPLATE = Path(__file__).parents[2]
FACTS: dict[str, Any] = yaml.safe_load((TEMPLATE / "accounts.yaml").read_text())
ENVIRONMENTS = 2, 4, 8
FUNCTIONS = 1, 10, 100
AT_ONCE = 2  # of Terraform, where nothing is timed


def measure() -> Iterator[Table]:
    """Measure both."""
    heads = "foundation, all accounts", "of one, nothing to change", "its state", "pipelines", "rehearsal"
    yield Table(("environments", *heads), [*map(with_environments, ENVIRONMENTS)])
    heads = (
        "pipeline of the last",
        "nothing to change",
        "its state",
        "foundation, nothing to change",
        "rehearsal",
    )
    yield Table(("functions", *heads), list(with_functions()))


def with_environments(count: int) -> tuple[str, ...]:
    """Return a row: so many environments."""
    first, *_, last = FACTS["environments"]
    facts = FACTS | {"environments": [first, *(like(last, n) for n in range(1, count))]}
    with TemporaryDirectory() as scratch, EmulatedAccounts() as world:
        folder = Path(scratch)
        world.ask("enforce")
        applied = seconds(lambda: foundation.apply(world, facts, folder / "foundation"))
        again = seconds(lambda: unchanged(world, facts, folder / "foundation"))
        size = state(world, facts, f"foundation/{first['name']}.tfstate")
        repository = generated("hello-lambda", facts, folder)
        parts, total = rehearsed(repository, world, folder / "rehearsal")
    return str(count), applied, again, size, f"{parts['pipelines']:.1f} s", f"{total:.1f} s"


def with_functions() -> Iterator[tuple[str, ...]]:
    """Return rows: so many functions."""
    _, second, *_ = FACTS["environments"]
    there = FACTS | {"environments": [second]}
    with TemporaryDirectory() as scratch, EmulatedAccounts() as world:
        folder = Path(scratch)
        founded(world, FACTS, folder / "foundation")
        more = generated("one-more", FACTS, folder)

        def pipeline(name: str) -> None:
            (folder / name).mkdir(exist_ok=True)
            apply_pipelines(world, there, folder / name / name, folder / name)

        made = 0
        for count in FUNCTIONS:
            names = [f"hello-{number}" for number in range(made, count)]
            for name in names:
                generated(name, FACTS, folder / name)
            *others, last = names
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(pipeline, others))
            applied, again = (seconds(partial(pipeline, last)) for _ in range(2))
            Walker(world, FACTS["region"], {}).walk([second["id"]])  # until they wait
            size = state(world, FACTS, f"pipelines/{last}/{second['name']}.tfstate")
            whole = seconds(lambda: unchanged(world, FACTS, folder / "foundation"))
            with world.fork() as copy:
                _, total = rehearsed(more, copy, folder / f"rehearsal-{count}")
            yield str(count), applied, again, size, whole, f"{total:.1f} s"
            made = count


def like(environment: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the facts of another such environment."""
    name = f"{environment['name']}{number}"
    own = {key: f"acme-{name}-{key.replace('_', '-')}" for key in ("state_bucket", "artifacts_bucket")}
    return environment | own | {"name": name, "id": f"{555500000000 + number}"}


def generated(name: str, facts: dict[str, Any], folder: Path) -> Path:
    """Return the repository of a function, for an organization."""
    folder.mkdir(exist_ok=True)
    file = folder / "organization.yaml"
    file.write_text(json.dumps(facts))
    answers = {"function_name": name, "accounts_file": str(file)}
    made = Path(cookiecutter(str(TEMPLATE), no_input=True, extra_context=answers, output_dir=str(folder)))
    demo.commit(made)
    return made


def rehearsed(repository: Path, world: EmulatedAccounts, folder: Path) -> tuple[dict[str, float], float]:
    """Rehearse a release; return the seconds of its parts, and in all."""
    folder.mkdir()
    with redirect_stdout(io.StringIO()):
        result = rehearse(Options(repository, releases=1), Screen(), world, folder)
    if result.problem:
        raise SystemExit(result.problem)
    return result.seconds, result.total


def unchanged(world: EmulatedAccounts, facts: dict[str, Any], folder: Path) -> None:
    """Apply the foundation of the first environment once more."""
    command, environment, place = foundation.command(world, facts, folder)
    timed([*command, facts["environments"][0]["name"]], place, environment)


def state(world: EmulatedAccounts, facts: dict[str, Any], key: str) -> str:
    """Return the size of a state."""
    s3 = world.client("s3", facts["ops"]["id"], facts["region"])
    size: int = s3.head_object(Bucket=facts["ops"]["state_bucket"], Key=key)["ContentLength"]
    return f"{size / 1000:.1f} kB"


def seconds(what: Callable[[], object]) -> str:
    """Return how long something takes."""
    began = time.monotonic()
    what()
    return f"{time.monotonic() - began:.1f} s"

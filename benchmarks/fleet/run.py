"""`lambda-template fleet`: functions in four accounts, whose Lambda answers 15 requests in a second.

Of each function it is asked once in each account, so that a hundred take seven seconds at the least.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.developer import TOOL, founded
from benchmarks.tools import Table, timed
from emulator.accounts import EmulatedAccounts
from tests.fleets import FLEET, enter, plant
from tests.worlds import FACTS

FUNCTIONS = 1, 10, 100


def measure() -> Iterator[Table]:
    """Measure so many functions."""
    yield Table(("functions", "fleet", "requests", "refused, and asked again"), [*map(of, FUNCTIONS)])


def of(count: int) -> tuple[str, ...]:
    """Return a row: so many functions."""
    with TemporaryDirectory() as scratch, EmulatedAccounts() as origin:
        folder = Path(scratch)
        founded(origin, FACTS, folder / "foundation")
        origin.ask("enforce")
        with origin.fork() as world:  # whose journal begins here
            plant(world, count)
            own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
            variables = own | enter(world, folder) | {"HOME": scratch}
            file = folder / "accounts.json"
            file.write_text(json.dumps(FLEET))
            before = len(world.journal())
            took = timed([str(TOOL), "fleet", "--accounts", str(file)], folder, variables)
            asked = world.journal()[before:]
    refused = [call for call in asked if call.error == "TooManyRequestsException"]
    return str(count), f"{took:.1f} s", str(len(asked)), str(len(refused))

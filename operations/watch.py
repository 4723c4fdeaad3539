"""Keep a sandbox like the code on disk: at each save, run the tests, then sync; show its log meanwhile."""

import gc
import subprocess
import time
from pathlib import Path
from threading import Thread
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from watchfiles import watch

from operations import accounts, package
from operations.logs import Log
from operations.sandbox import Sandbox, client, sandbox

# Beside the hidden ones, what is not of the code, or is made from it.
UNWATCHED = {"build", "deployment", "node_modules", "pipeline"}
QUIET_MS = 5  # without another save, before one is taken up
LOOK_MS = 50  # between two looks whether something was saved
PAUSE_SECONDS = 10  # after the log could not be read


def test() -> bool:
    """Run the unit tests; print what they say if they fail, and return whether they pass."""
    running = package.make("test")
    said, _ = running.communicate()
    if running.returncode:
        print(f"{said}\nThe tests fail, so nothing is synced.", flush=True)
    return running.returncode == 0


def show(log: Log) -> None:
    """Print a log's lines as they come."""
    while True:
        try:
            for line in log.follow():
                print(line, flush=True)
        except (BotoCoreError, ClientError) as error:
            print(f"log: {accounts.explanation(error)}", flush=True)
            time.sleep(PAUSE_SECONDS)


class Turns:
    """What is done at each save. A build stands by for the next: starting one takes longer than building."""

    def __init__(self, mine: Sandbox, functions: Any) -> None:
        """Prepare; functions: a client of Lambda."""
        self.mine, self.functions, self.building = mine, functions, self.stand_by()

    def stand_by(self) -> "subprocess.Popen[str]":
        """Start a build that waits until it is told to begin."""
        return package.make("package", "STANDBY=1")

    def take(self) -> None:
        """Test, package and sync once."""
        began = time.perf_counter()
        if not test():
            return
        tested = time.perf_counter()
        building = self.building
        try:
            self.mine.sync(self.functions, package.built(building))
        finally:
            self.building = self.stand_by()
        now = time.perf_counter()
        print(f"{self.mine.full_name}: tests {tested - began:.2f} s, sync {now - tested:.2f} s", flush=True)


def watched() -> list[Path]:
    """Return what is watched: what stands in the repository and is neither hidden nor beside the code."""
    return [path for path in Path().iterdir() if path.name not in UNWATCHED and not path.name.startswith(".")]


def main(name: str) -> None:
    """Do so until the user ends it; what goes wrong at a save is told, and the next one waited for."""
    gc.enable()  # the command has disabled it
    mine = sandbox(name)
    with mine.used():
        saves = watch(
            *watched(), step=QUIET_MS, rust_timeout=LOOK_MS, yield_on_timeout=True, raise_interrupt=True
        )
        next(saves)  # no save is missed from here on
        turns = Turns(mine, client("lambda"))
        turns.take()
        # The log's client takes its time.
        Thread(target=lambda: show(Log(client("logs"), mine.full_name, before=0)), daemon=True).start()
        for _ in filter(None, saves):
            try:
                turns.take()
            except SystemExit as problem:
                print(problem, flush=True)
            except (BotoCoreError, ClientError) as error:
                print(accounts.explanation(error), flush=True)

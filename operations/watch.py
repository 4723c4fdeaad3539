"""Keep a sandbox like the code on disk: at each save, run the tests, then sync; show its log meanwhile."""

import gc
import os
import subprocess
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from watchfiles import watch

from operations import accounts, package
from operations.logs import Log
from operations.sandbox import Sandbox, client, sandbox

# Beside the hidden ones, what is not of the code, or is made from it.
UNWATCHED = {"build", "node_modules", "pipeline"}
TERRAFORM = Path("deployment")  # what make sandbox alone brings into it
QUIET_MS = 5  # without another save, before one is taken up
LOOK_MS = 50  # between two looks whether something was saved
PAUSE_SECONDS = 10  # after the log could not be read


def say(text: str) -> None:
    """Print a line with the time, as the log has it."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)


def test(why: str) -> bool:
    """Run the unit tests; print what they say if they fail, and return whether they pass."""
    running = package.make("test")
    said, _ = running.communicate()
    if running.returncode:
        print(said, flush=True)
        say(f"{why}: the tests fail, so nothing is synced")
    return running.returncode == 0


def show(log: Log) -> None:
    """Print a log's lines as they come."""
    while True:
        try:
            for line in log.follow():
                print(line, flush=True)
        except (BotoCoreError, ClientError) as error:
            say(f"log: {accounts.explanation(error)}")
            time.sleep(PAUSE_SECONDS)


class Turns:
    """What is done at each save. A build stands by for the next: starting one takes longer than building."""

    def __init__(self, mine: Sandbox, functions: Any) -> None:
        """Prepare; functions: a client of Lambda."""
        self.mine, self.functions, self.building = mine, functions, self.stand_by()

    def stand_by(self) -> "subprocess.Popen[str]":
        """Start a build that waits until it is told to begin."""
        return package.make("package", "STANDBY=1")

    def take(self, why: str) -> None:
        """Test, package and sync once. why: what was saved."""
        began = time.perf_counter()
        if not test(why):
            return
        tested = time.perf_counter()
        building = self.building
        try:
            self.mine.sync(self.functions, package.built(building))
        finally:
            self.building = self.stand_by()
        now = time.perf_counter()
        say(f"{why}: tests {tested - began:.2f} s, sync {now - tested:.2f} s")


def watched() -> list[Path]:
    """Return what is watched: what stands in the repository and is neither hidden nor beside the code."""
    return [path for path in Path().iterdir() if path.name not in UNWATCHED and not path.name.startswith(".")]


def sort(saved: Iterable[Path]) -> tuple[str, str]:
    """Return the names of what was saved: what make sandbox takes up, and the code."""
    paths = sorted({Path(os.path.relpath(path)) for path in saved})
    paths = [path for path in paths if not any(part.startswith(".") for part in path.parts)]
    ours: list[str] = []
    code: list[str] = []
    for path in paths:
        (ours if TERRAFORM in path.parents else code).append(str(path))
    return ", ".join(ours), ", ".join(code)


def main(name: str) -> None:
    """Do so until the user ends it; what goes wrong at a save is told, and the next one waited for."""
    gc.enable()  # the command has disabled it
    mine = sandbox(name)
    with mine.used():
        saves = watch(
            *watched(), step=QUIET_MS, rust_timeout=LOOK_MS, yield_on_timeout=True, raise_interrupt=True
        )
        next(saves)  # no save is missed from here on
        places = ", ".join(map(str, sorted(watched())))
        say(f"{mine.full_name} follows {places}; times in UTC, Ctrl-C ends")
        turns = Turns(mine, client("lambda"))
        turns.take("on disk")
        # The log's client takes its time.
        Thread(target=lambda: show(Log(client("logs"), mine.full_name, before=0)), daemon=True).start()
        for saved in filter(None, saves):
            deployment, code = sort(Path(path) for _, path in saved)
            if deployment:
                say(f"{deployment}: not taken up; make sandbox does so")
            try:
                if code:
                    turns.take(code)
            except SystemExit as problem:
                say(str(problem))
            except (BotoCoreError, ClientError) as error:
                say(accounts.explanation(error))

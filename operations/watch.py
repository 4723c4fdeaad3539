"""Keep a sandbox like the code on disk: at each save, run the tests, then sync; show its log meanwhile.

Usage: python scripts/watch.py FUNCTION NAME RUNTIME PLATFORM
"""

import subprocess
import sys
import time
from threading import Thread
from typing import Any

import accounts
import package
from botocore.exceptions import BotoCoreError, ClientError
from logs import follow
from sandbox import Sandbox, client, sandbox
from watchfiles import watch

WATCHED = ("events", "requirements.txt", "src", "tests")
QUIET_MS = 5  # without another save, before one is taken up


def test() -> bool:
    """Run the unit tests; print what they say if they fail, and return whether they pass."""
    command = [sys.executable, "-m", "pytest"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        print(f"{done.stdout}\nThe tests fail, so nothing is synced.", flush=True)
    return done.returncode == 0


def show(function: str) -> None:
    """Print a function's log lines as they come."""
    while True:
        try:
            for line in follow(client("logs"), function, time.time()):
                print(line, flush=True)
        except (BotoCoreError, ClientError) as error:
            print(f"log: {accounts.explanation(error)}", flush=True)
            time.sleep(10)


def turn(mine: Sandbox, functions: Any, runtime: str, platform: str) -> None:
    """Test, package and sync once."""
    began = time.perf_counter()
    if not test():
        return
    tested = time.perf_counter()
    mine.sync(functions, package.build(runtime, platform))
    now = time.perf_counter()
    print(f"{mine.full_name}: tests {tested - began:.2f} s, sync {now - tested:.2f} s", flush=True)


def main(function: str, name: str, runtime: str, platform: str) -> None:
    """Do so until the user ends it; what goes wrong at a save is told, and the next one waited for."""
    mine = sandbox(function, name)
    with mine.used():
        functions = client("lambda")
        turn(mine, functions, runtime, platform)
        Thread(target=show, args=[mine.full_name], daemon=True).start()
        for _ in watch(*WATCHED, step=QUIET_MS, raise_interrupt=True):
            try:
                turn(mine, functions, runtime, platform)
            except SystemExit as problem:
                print(problem, flush=True)
            except (BotoCoreError, ClientError) as error:
                print(accounts.explanation(error), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

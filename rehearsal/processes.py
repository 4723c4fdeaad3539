"""Processes that do not outlast who started them."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

STARTED: dict[int, threading.Thread] = {}  # the leaders of process groups, by who has started them


@contextmanager
def started(command: Sequence[str], **options: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a command; at the end of the `with` statement, kill it and all that it has started.

    options: what subprocess.Popen takes.
    """
    with subprocess.Popen(command, start_new_session=True, **options) as process:
        STARTED[process.pid] = threading.current_thread()
        try:
            yield process
        finally:
            kill(process.pid)
            del STARTED[process.pid]


def kill(leader: int) -> None:
    """Kill a process group."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def end(threads: Iterable[threading.Thread]) -> None:
    """Kill all that threads have started."""
    for leader, thread in list(STARTED.items()):
        if thread in threads:
            kill(leader)

"""What a person sees while something is done: each step as it begins and as it ends, then what became of all.

A terminal shows what is under way and for how long. A log, or a terminal that cannot move its cursor, gets a
line when a step begins and one when it has ended.
"""

import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from textwrap import indent
from threading import RLock
from types import TracebackType

from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

STYLES = {"ok": "green", "failed": "bold red", "stopped": "yellow"}


class Step:
    """A step under way. text: what its line says at its end; of more lines, the others if it has failed."""

    def __init__(self, screen: "Screen", name: tuple[str, ...]) -> None:
        """Begin; name: by columns."""
        self.name, self.text, self.began = name, "", time.monotonic()
        self._screen = screen

    def __enter__(self) -> "Step":
        """Return the step, which ends with the `with` statement at the latest."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it by how the `with` statement ends."""
        self.end("stopped" if kind is KeyboardInterrupt else "failed" if kind else "ok")

    def end(self, status: str = "ok") -> None:
        """Show how it has ended: ok, failed or stopped. The first word counts."""
        self._screen._ended(self, status)


class Screen:
    """Where steps are shown, whichever thread takes them."""

    def __init__(self, quiet: bool = False) -> None:
        """Begin; quiet: show nothing."""
        # With FORCE_COLOR rich takes a log for a terminal; colours go into it, a moving cursor does not.
        moving = None if sys.stdout.isatty() else False
        self.console = Console(quiet=quiet, force_interactive=moving)
        self._widths: list[int] = []
        self._running: list[Step] = []
        self._live: Live | None = None
        self._lock = RLock()

    def expect(self, names: Iterable[tuple[str, ...]]) -> None:
        """Make columns as wide as the names of the steps that follow."""
        self._widths = []
        for name in names:
            self._widen(name)

    def step(self, *name: str) -> Step:
        """Begin a step and show it; name: by columns. It is ended by `with` or by its end()."""
        with self._lock:
            self._widen(name)
            step = Step(self, name)
            self._running.append(step)
            if not self.console.is_interactive:
                self.say(f"{self._label(name).rstrip()} ...")
            elif self._live:
                self._live.refresh()
            else:
                self._show()
        return step

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal to a child process or a question, below the names of what is under way."""
        with self._lock:
            self._hide()
            if self.console.is_interactive:
                for step in self._running:
                    self.say(f"{self._label(step.name).rstrip()} ...")
        try:
            yield
        finally:
            with self._lock:
                if self._running:
                    self._show()

    def say(self, text: str = "") -> None:
        """Print a text as it is, colours aside where there are none."""
        self.console.print(Text.from_ansi(text), soft_wrap=True)

    def table(self, rows: Iterable[tuple[str, ...]]) -> None:
        """Print rows, columns as wide as what is in them."""
        rows = list(rows)
        widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            self.say(_padded(row, widths).rstrip())

    def parts(self, seconds: Mapping[str, float], total: float) -> None:
        """Print how long each part took, and all; parts may have been side by side."""
        self.say()
        self.table((part, f"{took:7.1f} s") for part, took in [*seconds.items(), ("total", total)])

    def verdict(self, good: bool, text: str) -> None:
        """Print how it all ended."""
        self.say()
        self.console.print(Text(text, "bold green" if good else "bold red"), soft_wrap=True)

    def _widen(self, name: tuple[str, ...]) -> None:
        self._widths += [0] * (len(name) - len(self._widths))
        self._widths[: len(name)] = map(max, self._widths, map(cell_len, name))

    def _label(self, name: tuple[str, ...]) -> str:
        return _padded((*name, *[""] * (len(self._widths) - len(name))), self._widths)

    def _show(self) -> None:
        if self.console.is_interactive:
            self._live = Live(
                console=self.console, get_renderable=self._under_way, refresh_per_second=5, transient=True
            )
            self._live.start(refresh=True)

    def _hide(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def _under_way(self) -> Table:
        lines = Table.grid(padding=(0, 2, 0, 0))
        for step in self._running:
            seconds = f"{time.monotonic() - step.began:.0f} s"
            lines.add_row(Text(self._label(step.name), no_wrap=True), Spinner("line"), seconds)
        return lines

    def _ended(self, step: Step, status: str) -> None:
        with self._lock:
            if step not in self._running:
                return
            self._running.remove(step)
            if not self._running:
                self._hide()
            elif self._live:
                self._live.refresh()
            first, _, rest = step.text.strip().partition("\n")
            line = Text.assemble(
                *(f"{self._label(step.name)}  ", (f"{status:<7}", STYLES[status])),
                *(f" {time.monotonic() - step.began:6.1f} s  ", Text.from_ansi(first)),
            )
            line.rstrip()
            cut = status == "ok" and self.console.is_interactive
            self.console.print(line, no_wrap=True, overflow="ellipsis" if cut else "ignore", crop=cut)
            if rest and status != "ok":
                self.say(indent(rest, "  "))


@contextmanager
def children_first() -> Iterator[None]:
    """Leave Ctrl-C, which child processes hear too, to them; raise KeyboardInterrupt once they have ended."""
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if heard:
            raise KeyboardInterrupt


def _padded(row: Iterable[str], widths: Iterable[int]) -> str:
    """Return a row, its columns filled up."""
    return "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))

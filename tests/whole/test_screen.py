"""What a person sees of steps: on a terminal, in a log, and on terminals that can do less."""

import io
import re
import signal
import subprocess
import sys
from contextlib import redirect_stdout
from threading import Thread

import pytest
from rich.cells import cell_len

from screen import Screen, children_first

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"  # the cursor
CONTROL, COLOUR = re.compile(r"\x1b\[[?\d;]*[A-Za-z]"), re.compile(r"\x1b\[[\d;]*3\d[\d;]*m")


class Written(io.StringIO):
    """What has been written to a terminal or a log."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal

    def screen(self, quiet: bool = False) -> Screen:
        """Return a screen that writes here."""
        with redirect_stdout(self):
            screen = Screen(quiet)
        screen.console.file = self
        return screen

    @property
    def lines(self) -> list[str]:
        """Return what is to be read there now; time stands still, and so does what turns meanwhile."""
        rows, at = [""], 0
        for sign in re.findall(rf"{CONTROL.pattern}|[^\x1b]", self.getvalue()):
            if sign == "\n":
                at += 1
                rows += [""] * (at == len(rows))
            elif sign == "\x1b[2K":
                rows[at] = ""
            elif sign == "\x1b[1A":
                at -= 1
            elif len(sign) == 1 and sign != "\r":
                rows[at] += sign
        still = (re.sub(r"[-\\|/]  \d+ s$", "-  0 s", row.rstrip()) for row in rows if row.strip())
        return [re.sub(r"\d+\.\d s", "0.0 s", row) for row in still]


@pytest.fixture(autouse=True)
def _terminal_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "60", "LINES": "20"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def terminal() -> Written:
    return Written(is_terminal=True)


@pytest.fixture
def log() -> Written:
    return Written(is_terminal=False)


# Steps


def test_a_name_stands_there_before_its_step_begins_and_the_status_after(terminal: Written) -> None:
    with terminal.screen().step("dev", "Build") as step:
        assert terminal.lines == ["dev  Build  -  0 s"]
        step.text = "15 tests"

    assert terminal.lines == ["dev  Build  ok         0.0 s  15 tests"]


def test_steps_side_by_side_are_shown_together_and_end_in_any_order(terminal: Written) -> None:
    screen = terminal.screen()
    dev, stage = screen.step("dev", "foundation"), screen.step("stage", "foundation")
    assert [line.split()[0] for line in terminal.lines] == ["dev", "stage"]

    stage.end()
    assert [line.split()[:3] for line in terminal.lines] == [
        ["stage", "foundation", "ok"],
        ["dev", "foundation", "-"],
    ]

    dev.end()
    assert [line.split()[:3] for line in terminal.lines] == [
        ["stage", "foundation", "ok"],
        ["dev", "foundation", "ok"],
    ]


def test_threads_do_not_tear_each_others_lines(terminal: Written) -> None:
    screen = terminal.screen()
    screen.expect((f"account-{number}", "Deploy") for number in range(10, 30))

    def take(number: int) -> None:
        with screen.step(f"account-{number}", "Deploy"):
            pass

    threads = [Thread(target=take, args=[number]) for number in range(10, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(terminal.lines) == [f"account-{n}  Deploy  ok         0.0 s" for n in range(10, 30)]


def test_a_failure_shows_its_output_below_its_line_and_what_passed_takes_one(terminal: Written) -> None:
    screen = terminal.screen()
    with screen.step("dev", "Build") as step:
        step.text = "passed\nand said more"
    with screen.step("dev", "Build") as step:
        step.text = f"make test: exit code 2\n{'long ' * 20}\nlast"
        step.end("failed")

    *lines, output, last = terminal.lines
    assert lines == [
        "dev  Build  ok         0.0 s  passed",
        "dev  Build  failed     0.0 s  make test: exit code 2",
    ]
    assert (output, last) == (f"  {'long ' * 20}".rstrip(), "  last")


def test_a_step_that_raises_has_failed(terminal: Written) -> None:
    with pytest.raises(OSError, match="no"), terminal.screen().step("dev", "Build"):
        raise OSError("no")

    assert terminal.lines == ["dev  Build  failed     0.0 s"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OSError])
def test_whatever_ends_a_step_leaves_cursor_and_colours_right(
    terminal: Written, error: type[BaseException]
) -> None:
    with pytest.raises(error), terminal.screen().step("dev", "Build"):
        raise error

    assert HIDE in terminal.getvalue()
    assert terminal.getvalue().rindex(SHOW) > terminal.getvalue().rindex(HIDE)
    assert CONTROL.findall(terminal.getvalue())[-1] == "\x1b[0m"
    assert len(terminal.lines) == 1


def test_an_interrupted_step_is_called_stopped(terminal: Written) -> None:
    with pytest.raises(KeyboardInterrupt), terminal.screen().step("dev", "Build"):
        raise KeyboardInterrupt

    assert terminal.lines == ["dev  Build  stopped    0.0 s"]


def test_an_interrupt_waits_until_a_child_process_has_ended_by_itself() -> None:
    child = "import os, signal, time; os.kill(os.getppid(), signal.SIGINT); time.sleep(1); print('in order')"
    with pytest.raises(KeyboardInterrupt), children_first():
        ended = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True)

    assert ended.stdout == "in order\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_counts_for_more_than_that_a_child_process_has_failed_by_it() -> None:
    def child() -> None:
        with children_first():
            signal.raise_signal(signal.SIGINT)
            sys.exit("failed")

    with pytest.raises(KeyboardInterrupt):
        child()


def test_columns_are_as_wide_as_the_names_in_them(log: Written) -> None:
    names = [("dev", "foundation"), ("a-very-long-environment-name", "x"), ("日本", "Plan")]
    screen = log.screen()
    screen.expect(names)
    for name in names:
        screen.step(*name).end()

    ended = [line.partition("ok ")[0] for line in log.lines if "..." not in line]
    assert {cell_len(line) for line in ended} == {len("a-very-long-environment-name  foundation  ")}


def test_a_name_longer_than_expected_is_shown_whole(log: Written) -> None:
    screen = log.screen()
    screen.expect([("dev", "x")])
    screen.step("production", "Deploy", "again").end()

    assert log.lines[-1] == "production  Deploy  again  ok         0.0 s"


def test_what_passed_stays_in_one_line_of_a_narrow_terminal(
    terminal: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    with terminal.screen().step("dev", "a name that is longer than it") as step:
        assert [len(line) for line in terminal.lines] == [30]
        step.text = "and a text"

    (line,) = terminal.lines
    assert len(line) <= 30


def test_texts_of_others_are_shown_and_do_nothing(terminal: Written) -> None:
    with terminal.screen().step("dev", "Source") as step:
        step.text = "[red]a[/red] :smile: \x1b[2J\x1b]0;title\x1b\\\x1b[32mgreen"

    assert terminal.lines == ["dev  Source  ok         0.0 s  [red]a[/red] :smile: green"]
    assert "\x1b[2J" not in terminal.getvalue()


# Children


def test_a_child_has_the_terminal_for_itself_below_the_name_of_its_step(terminal: Written) -> None:
    screen = terminal.screen()
    with screen.step("dev", "foundation"):
        with screen.paused():
            assert terminal.lines == ["dev  foundation ..."]
            assert CONTROL.findall(terminal.getvalue())[-1] != HIDE
            terminal.write("Plan: 3 to add\nApply? yes\n")
        assert terminal.lines[:3] == ["dev  foundation ...", "Plan: 3 to add", "Apply? yes"]
        assert terminal.lines[3:] == ["dev  foundation  -  0 s"]

    assert terminal.lines[3:] == ["dev  foundation  ok         0.0 s"]


def test_in_a_log_a_child_writes_between_the_two_lines_of_its_step(log: Written) -> None:
    screen = log.screen()
    with screen.step("dev", "foundation"), screen.paused():
        log.write("Plan: 3 to add\n")

    assert log.lines == ["dev  foundation ...", "Plan: 3 to add", "dev  foundation  ok         0.0 s"]


# Where there is less than a terminal


def test_a_log_shows_what_is_under_way_and_what_has_ended(log: Written) -> None:
    with log.screen().step("dev", "Build") as step:
        assert log.getvalue() == "dev  Build ...\n"
        step.text = "long " * 40

    assert log.lines == ["dev  Build ...", f"dev  Build  ok         0.0 s  {'long ' * 40}".rstrip()]
    assert "\x1b" not in log.getvalue()


def test_a_dumb_terminal_gets_what_a_log_gets(terminal: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with terminal.screen().step("dev", "Build"):
        pass

    assert terminal.lines == ["dev  Build ...", "dev  Build  ok         0.0 s"]
    assert "\x1b" not in terminal.getvalue()


def colours(written: Written) -> list[str]:
    with written.screen().step("dev", "Build") as step:
        step.text = "\x1b[31mred\x1b[0m"
    return COLOUR.findall(written.getvalue())


def test_a_terminal_has_colours_unless_no_color_is_set(
    terminal: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert colours(terminal) == ["\x1b[32m", "\x1b[31m"]

    monkeypatch.setenv("NO_COLOR", "1")
    terminal.truncate(0)
    assert colours(terminal) == []


def test_forced_colours_do_not_make_a_log_a_terminal(log: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")

    assert colours(log) == ["\x1b[32m", "\x1b[31m"]
    assert log.lines == ["dev  Build ...", "dev  Build  ok         0.0 s  red"]
    assert HIDE not in log.getvalue()


def test_a_quiet_screen_shows_nothing(terminal: Written) -> None:
    screen = terminal.screen(quiet=True)
    with screen.step("dev", "Build"), screen.paused():
        screen.say("something")
    screen.parts({"walk": 1}, 1)
    screen.verdict(True, "prod runs it")

    assert terminal.getvalue() == ""


# How it ended


def test_the_end_tells_each_part_the_total_and_one_verdict(log: Written) -> None:
    screen = log.screen()
    screen.parts({"foundation": 37.24, "walk": 100.04}, 137.3)
    screen.verdict(False, "prod does not run 1a2b")

    assert log.getvalue().splitlines() == [
        "",
        "foundation     37.2 s",
        "walk          100.0 s",
        "total         137.3 s",
        "",
        "prod does not run 1a2b",
    ]

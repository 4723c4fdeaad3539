"""What a person sees: a line for whatever is done, and how it ended."""

from pathlib import Path

from rehearsal import report
from rehearsal.outcome import Rehearsal


class Screen:
    """What a person sees meanwhile: a line for whatever is done."""

    def __init__(self, quiet: bool) -> None:
        """Begin; quiet: for machines, which read the result alone."""
        self.quiet = quiet

    def say(self, text: str = "") -> None:
        """Print a line."""
        if not self.quiet:
            print(text, flush=True)

    def line(self, *columns: str, seconds: float, text: str = "") -> None:
        """Print a line about something that is done."""
        first = text.splitlines()[0] if text else ""
        self.say(f"{columns[0]:<12} {columns[1]:<10} {columns[2]:<8} {seconds:6.1f} s  {first}".rstrip())


def conclude(rehearsal: Rehearsal, screen: Screen, page: Path) -> None:
    """Say how it ended."""
    page.write_text(report.html(rehearsal), "utf-8")
    screen.say()
    for runs in rehearsal.running:
        facts = (runs.get("version", ""), runs.get("revision", ""), runs.get("subject", "nothing yet"))
        screen.say(f"{runs['environment']:<12} version {facts[0]:<4} {facts[1]:<12} {facts[2]}")
    if rehearsal.problem:
        screen.say(f"\n{rehearsal.problem}\n\n{report.advice(rehearsal.problem)}")
    for check, where in rehearsal.denied:
        role = check.caller.role.rpartition("/")[2] or check.caller.service
        screen.say(f"\n{role} may not {check.action} on {check.resource}\n  {where}")
    for file, text in rehearsal.to_paste.items():
        screen.say(f"\nWhat {file} lacks, to paste there:\n\n{text}")
    screen.say(f"\n{page}")

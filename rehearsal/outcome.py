"""What has been rehearsed, and how it ended."""

from dataclasses import asdict, dataclass, field
from typing import Any

from emulator.accounts import JournalEntry
from emulator.calls import Check
from rehearsal.actions.action import Memory, Run

Sent = tuple[str, str, str]  # into a trigger: environment, event, what has become of it


@dataclass
class Rehearsal:
    """What has been rehearsed: a commit of a function, through environments.

    revision, subject: of the commit. last: the environment that it has to reach. seconds: by part, in the
    order in which they ended. total: seconds in all. release: what was built, as release.json says. running:
    what runs where. sent: what was put into the trigger. problem: why the last environment does not run the
    commit's package, empty if it does. denied: what roles tried and may not do, with where to change that.
    to_paste: the statements that they lack, by file. unused: by role and statement, what nothing has used.
    claims: what the emulator claims of AWS, as the command claimed tells it. again: the runs of a second
    release, which follows the first in a copy of the accounts. memory: what executions pass on, by execution.
    """

    function: str
    revision: str
    subject: str
    facts: dict[str, Any]
    last: str
    seconds: dict[str, float] = field(default_factory=dict)
    total: float = 0
    runs: list[Run] = field(default_factory=list)
    again: list[Run] = field(default_factory=list)
    memory: dict[str, Memory] = field(default_factory=dict)
    release: dict[str, str] = field(default_factory=dict)
    running: list[dict[str, str]] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    journal: list[JournalEntry] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)
    problem: str = ""
    denied: list[tuple[Check, str]] = field(default_factory=list)
    to_paste: dict[str, str] = field(default_factory=dict)
    unused: list[tuple[str, str, list[str]]] = field(default_factory=list)

    @property
    def accounts(self) -> list[dict[str, Any]]:
        """Return the environments that are rehearsed."""
        names = [environment["name"] for environment in self.facts["environments"]]
        accounts: list[dict[str, Any]] = self.facts["environments"][: names.index(self.last) + 1]
        return accounts

    @property
    def unbuilt(self) -> bool:
        """Return whether the commit did not build before there was anything to build it."""
        return bool(self.problem) and "pipelines" not in self.seconds

    def name(self, account: str) -> str:
        """Return what an account is called."""
        return next((str(e["name"]) for e in self.facts["environments"] if e["id"] == account), "ops")

    @property
    def verdict(self) -> str:
        """Return whether the last environment runs the commit."""
        does = "does not run" if self.problem else "runs"
        return f"{self.last} {does} {self.function} {self.revision[:12]}"

    @property
    def failures(self) -> list[Run]:
        """Return the runs that failed, but for those of new pipelines that wait for a release."""
        return [run for run in self.runs + self.again if run.status == "Failed" and not run.waits]


def as_json(rehearsal: Rehearsal) -> dict[str, Any]:
    """Return a rehearsal for machines, without the calls that were made."""
    facts = asdict(rehearsal)
    del facts["journal"], facts["facts"], facts["memory"]
    return facts

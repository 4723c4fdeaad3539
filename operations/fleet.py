"""`fleet`: all functions of an organization as a table, for machines, or as a page."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from string import Template

from rich.text import Text

from operations.everywhere import SHORT, TEMPLATE, Account, Runs, read
from screen import Screen

try:
    from hooks.accounts_file import check
except ModuleNotFoundError:  # of a function's repository, which has no use for YAML
    sys.exit("lambda-template fleet is for a checkout of the template: make fleet there")

PAGE = Path(__file__).with_name("fleet.html")
STYLES = {"": "", "old": "yellow", "bad": "bold red"}


@dataclass
class Overview:
    """What the table and the page show. rows: by function, what runs by environment."""

    organization: str
    accounts: list[Account]
    found: list[Runs]

    def __post_init__(self) -> None:
        """Sort it."""
        self.rows: dict[str, dict[str, Runs]] = {}
        for runs in sorted(self.found, key=lambda runs: runs.function):
            self.rows.setdefault(runs.function, {})[runs.environment] = runs

    def cell(self, function: str, account: Account) -> tuple[str, list[tuple[str, str]]]:
        """Return what answers, and the marks beside it."""
        if runs := self.rows[function].get(account.name):
            return runs.answers, list(runs.marks())
        return ("?" if account.problem else ""), []

    def templates(self, function: str) -> list[tuple[str, str]]:
        """Return the revisions of the template that have made a function, as kind and text."""
        found: dict[tuple[str, str], None] = {}
        for runs in self.rows[function].values():
            if runs.template:
                since = f", {runs.template_behind} behind" if runs.template_behind else ""
                found["old" if since else "", runs.template[:SHORT] + since] = None
        return list(found)

    def needs(self) -> Iterator[tuple[str, str]]:
        """Yield what somebody has to look at, as where and what."""
        yield from ((account.name, account.problem) for account in self.accounts if account.problem)
        for function, row in self.rows.items():
            yield from ((f"{name} {function}", what) for name, runs in row.items() for what in runs.needs())

    def counts(self) -> list[tuple[int, str]]:
        """Return how many functions there are, and how many of them are what."""
        rows = [list(row.values()) for row in self.rows.values()]
        unread = sum(bool(account.problem) for account in self.accounts)
        return [
            (len(rows), f"function{'s' * (len(rows) != 1)}"),
            (sum(any(runs.behind for runs in row) for row in rows), "behind"),
            (sum(any(runs.failed for runs in row) for row in rows), "failed"),
            (sum(any(runs.drift for runs in row) for row in rows), "drifted"),
            (sum(any(runs.planned and runs.drift is None for runs in row) for row in rows), "without a plan"),
            (sum(any(runs.template_behind for runs in row) for row in rows), "of an older template"),
            (sum(any(runs.problem for runs in row) for row in rows), "not wholly known"),
            (unread, f"account{'s' * (unread != 1)} not wholly read"),
        ]

    def said(self) -> str:
        """Return that in a line."""
        functions, *others = self.counts()
        return ", ".join(f"{count} {what}" for count, what in [functions, *(o for o in others if o[0])])

    def show(self, screen: Screen) -> None:
        """Print it as a table, and below that what somebody has to look at."""
        lines = [[Text(name) for name in ("function", *(each.name for each in self.accounts), "template")]]
        for function in self.rows:
            cells = (self.cell(function, account) for account in self.accounts)
            marked = (Text(", ").join([Text(what), *styled(marks)]) for what, marks in cells)
            lines.append([Text(function), *marked, Text("; ").join(styled(self.templates(function)))])
        widths = [max(cell.cell_len for cell in column) for column in zip(*lines, strict=True)]
        screen.say()
        for line in lines if self.rows else []:
            for cell, width in zip(line, widths, strict=True):
                cell.pad_right(width + 2 - cell.cell_len)
            whole = Text.assemble(*line)
            whole.rstrip()
            screen.console.print(whole, soft_wrap=True)
        screen.say()
        for place, what in self.needs():
            screen.console.print(Text.assemble((place, "bold"), f": {what}"), soft_wrap=True)

    def page(self) -> str:
        """Return it as a page that needs nothing else."""
        head = "".join(f'<th scope="col">{escape(account.name)}</th>' for account in self.accounts)
        needs = "".join(f"<li><b>{escape(place)}</b>: {escape(what)}</li>" for place, what in self.needs())
        counts = "".join(
            f"<li{' class=none' if not count else ''}><b>{count}</b> {what}</li>"
            for count, what in self.counts()
        )
        return Template(PAGE.read_text("utf-8")).substitute(
            organization=escape(self.organization),
            read=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            counts=counts,
            needs=needs,
            head=head,
            rows="\n".join(self.of_page(function) for function in self.rows),
        )

    def of_page(self, function: str) -> str:
        """Return a function's row of the page."""
        cells, needed = [], False
        for account in self.accounts:
            answers, marks = self.cell(function, account)
            runs = self.rows[function].get(account.name)
            needed |= bool(marks) or answers == "?"
            revision, _, old = answers.partition(" ")
            link = (
                f"https://{account.region}.console.aws.amazon.com/codesuite/codepipeline/pipelines/{function}"
            )
            said = escape(revision)
            if runs and runs.version and runs.pipeline != "none":
                said = f'<a href="{escape(link)}/view?region={account.region}">{said}</a>'
            title = f' title="{escape(runs.summary)}"' if runs else ""
            badges = "".join(f' <span class="mark {kind}">{escape(what)}</span>' for kind, what in marks)
            cells.append(
                f'<td data-name="{escape(account.name)}"><code{title}>{said}</code> '
                f'<span class="quiet">{escape(old)}</span>{badges}</td>'
            )
        made = "; ".join(
            f'<code class="{kind}">{escape(what)}</code>' for kind, what in self.templates(function)
        )
        return (
            f'<tr{" class=needed" if needed else ""}><th scope="row">{escape(function)}</th>'
            f'{"".join(cells)}<td data-name="template">{made}</td></tr>'
        )


def styled(marks: list[tuple[str, str]]) -> list[Text]:
    """Return marks as a terminal shows them."""
    return [Text(what, STYLES[kind]) for kind, what in marks]


def main(file: str, as_json: bool, page: str) -> int:
    """Show all functions; return 1 if not all could be read. file: with the accounts. page: to be written."""
    faults, facts = check(file or str(TEMPLATE / "accounts.yaml"))
    if faults:
        sys.exit("\n".join(faults))
    place = (facts["region"], facts["organization"])
    environments = facts["environments"]
    accounts = [Account(each["name"], each["id"], *place, each is environments[0]) for each in environments]
    screen = Screen(quiet=as_json)
    overview = Overview(facts["organization"], accounts, read(accounts, screen))
    if page:
        Path(page).write_text(overview.page(), "utf-8")
    if as_json:
        named = [{"name": each.name, "id": each.id, "problem": each.problem} for each in accounts]
        rows = [asdict(runs) for row in overview.rows.values() for runs in row.values()]
        print(json.dumps({"environments": named, "functions": rows}, indent=2))
    else:
        overview.show(screen)
        screen.verdict(not any(overview.needs()), overview.said())
    unknown = [each for each in accounts if each.problem], [each for each in overview.found if each.problem]
    return int(any(unknown))

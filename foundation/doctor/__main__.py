"""Looks at all accounts and prints what it finds."""

import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.text import Text

from foundation.apply import FOLDER, check_identity
from foundation.doctor import access, resources, services
from foundation.doctor.account import DOCS, Check, Finding, enter, guarded
from foundation.doctor.changes import Planner, applying, removed
from hooks.accounts_file import check
from screen import Screen

STYLES = {"ok": "green", "warning": "yellow", "fault": "bold red"}
OPS, ENVIRONMENTS, FIRST = {"ops"}, {"first", "later"}, {"first"}
EVERYWHERE = OPS | ENVIRONMENTS
# What is looked at, in which kinds of accounts, by what.
CHECKS: list[tuple[str, set[str], Check]] = [
    ("whose credentials these are", OPS, access.credentials),
    ("whom the bootstrap role trusts", ENVIRONMENTS, access.trust),
    ("services", ENVIRONMENTS, services.services),
    ("the quota of builds", ENVIRONMENTS, services.builds),
    ("the quota of rules", ENVIRONMENTS, services.rules),
    ("the quotas of Lambda", ENVIRONMENTS, services.lambda_),
    ("buckets", EVERYWHERE, resources.buckets),
    ("the key", EVERYWHERE, resources.key),
    ("the GitHub connection", FIRST, resources.connection),
    ("alerts", ENVIRONMENTS, resources.alerts),
    ("people", OPS, access.people),
    ("roles of people", EVERYWHERE, access.roles),
    ("what has been applied", OPS, removed),
]


def examine(accounts: dict[str, Any], name: str, planner: Planner) -> Iterator[Finding]:
    """Yield all that is found in an account."""
    try:
        account = enter(accounts, name)
    except (BotoCoreError, ClientError) as error:
        yield Finding(
            "fault",
            f"ops may not enter by the role {accounts['bootstrap_role']}: {error}",
            f'it is not there, does not trust ops, or you may not assume it: {DOCS}, "Let ops in"',
        )
        return
    kind = "ops" if name == "ops" else "first" if account.facts is accounts["environments"][0] else "later"
    for what, where, look in CHECKS:
        if kind in where:
            yield from guarded(what, look, account)
    yield from guarded("what applying would do", partial(applying, planner), account)


def show(screen: Screen, account: str, finding: Finding) -> None:
    """Print a finding, and below it what to do."""
    line = Text.assemble(
        f"{account}  ", (f"{finding.status:<7}", STYLES[finding.status]), f"  {finding.text}"
    )
    screen.console.print(line, soft_wrap=True)
    for more in filter(None, (finding.remedy, finding.command)):
        screen.console.print(Text(f"{'':{len(account) + 11}}{more}"), soft_wrap=True)


def summary(counted: Counter[str]) -> str:
    """Return how many faults and warnings there are."""
    return ", ".join(f"{counted[kind]} {kind}{'s' * (counted[kind] != 1)}" for kind in ("fault", "warning"))


def main() -> int:
    """Look at all accounts; return the exit code."""
    faults, accounts = check(str(FOLDER.parent / "accounts.yaml"))
    if faults:
        sys.exit("\n".join(faults))
    check_identity(accounts)
    screen, names = Screen(), ["ops", *(each["name"] for each in accounts["environments"])]
    screen.expect((name, "look") for name in names)
    width, total = max(map(len, names)), Counter[str]()
    with TemporaryDirectory() as folder:
        planner = Planner(accounts, Path(folder))
        for name in names:
            with screen.step(name, "look") as step:
                found = list(examine(accounts, name, planner))
                counted = Counter(finding.status for finding in found)
                step.text = summary(counted)
                step.end("failed" if counted["fault"] else "ok")
            for finding in found:
                show(screen, f"{name:<{width}}", finding)
            total += counted
    good = not total["fault"]
    screen.verdict(good, f"The foundation {'can be applied' if good else 'would fail'}: {summary(total)}.")
    return int(not good)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\ndoctor: stopped", file=sys.stderr)
        sys.exit(130)

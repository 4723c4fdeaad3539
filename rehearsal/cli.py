"""`rehearse PATH`: takes a generated repository from commit to production, with no AWS account."""

import argparse
import json
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from emulator.accounts import EmulatedAccounts
from hooks.git import GitError, git
from rehearsal import people, report
from rehearsal.outcome import Rehearsal, as_json
from rehearsal.pipelines import Walker
from rehearsal.rehearse import (
    Options,
    RehearsalError,
    emulation,
    provide_terraform,
    rehearse,
    shown,
    terraform_s_folder,
)
from screen import Screen

LOOK = 0.5  # seconds between two looks for what has started


def arguments() -> argparse.ArgumentParser:
    """Return what the command line may say."""
    parser = argparse.ArgumentParser(prog="rehearse", description=__doc__)
    parser.add_argument(
        "repository", type=Path, nargs="?", default=Path(), help="a generated repository (default: here)"
    )
    parser.add_argument("--until", metavar="ENVIRONMENT", help="the last environment (default: all)")
    answer = parser.add_mutually_exclusive_group()
    answer.add_argument("--approve", action="store_true", help="approve what asks for it (the default)")
    answer.add_argument("--reject", action="store_true", help="reject what asks for approval")
    parser.add_argument(
        "--from-commit", metavar="COMMIT", default="HEAD", help="what to rehearse (default: HEAD)"
    )
    parser.add_argument("--keep", action="store_true", help="leave the emulated accounts up afterwards")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, and nothing else")
    parser.add_argument(
        "--report",
        type=Path,
        default=Path("rehearsal.html"),
        help="the page to write (default: rehearsal.html)",
    )
    return parser


def main(given: list[str] | None = None) -> int:
    """Rehearse; return the exit code, 0 only if the last environment runs the commit's package."""
    said = arguments().parse_args(given)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    screen = Screen(quiet=said.json)
    options = Options(said.repository.resolve(), said.until, not said.reject, said.from_commit)
    try:
        with emulation() as (world, folder):
            provide_terraform(options.repository, screen)
            rehearsal = rehearse(options, screen, world, folder)
            conclude(rehearsal, screen, said.report.resolve())
            if said.json:
                print(json.dumps(as_json(rehearsal), indent=2))
            if said.keep and not rehearsal.unbuilt:
                keep(world, rehearsal, folder, screen)
    except (GitError, RehearsalError) as error:
        print(f"rehearse: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 1 if rehearsal.problem else 0


def conclude(rehearsal: Rehearsal, screen: Screen, page: Path) -> None:
    """Write the page, and say how it ended."""
    page.write_text(report.html(rehearsal), "utf-8")
    for who, action, resource, where in report.denied(rehearsal):
        screen.say(f"\n{who} may not {action} on {resource}\n  {where}")
    for file, text in rehearsal.to_paste.items():
        screen.say(f"\nWhat {file} lacks, to paste there:\n\n{text}")
    screen.say()
    screen.table([("environment", "version", "revision", "commit"), *report.running(rehearsal)])
    if rehearsal.sent:
        screen.say()
        screen.table([report.SENT, *rehearsal.sent])
    screen.parts(rehearsal.seconds, rehearsal.total)
    screen.say(f"\n{page}")
    if rehearsal.problem:
        screen.say(f"\n{report.in_short(rehearsal.problem)}\n{report.advice(rehearsal.problem)}")
    screen.verdict(not rehearsal.problem, rehearsal.verdict)


def keep(world: EmulatedAccounts, rehearsal: Rehearsal, folder: Path, screen: Screen) -> None:
    """Leave the accounts up until the user ends us, say how to reach them, and go on walking what starts."""
    file = environment_file(world, rehearsal, folder)
    first = rehearsal.facts["environments"][0]["name"]
    profile = f"{rehearsal.facts['organization']}-{first}-reader"
    screen.say(
        f"""
The emulated accounts stay up until you press Ctrl-C here. In another terminal, type:

  . {file}

From then on make and the AWS CLI reach them by the profiles of README.md, until you type leave_rehearsal:

  aws --profile {profile} codepipeline get-pipeline-state --name {rehearsal.function}

What you push goes its way as from GitHub, and people are asked for approvals, by AWS's API:

  git push {folder / "github"} HEAD:main
"""
    )
    go_on(world, rehearsal, folder / "github", screen)


def environment_file(world: EmulatedAccounts, rehearsal: Rehearsal, folder: Path) -> Path:
    """Return a file to source, by which a shell reaches the accounts, and leaves them by leave_rehearsal."""
    variables = people.environment(world, rehearsal.facts, folder)
    forget = "for name in $(env | sed -n 's/^\\(AWS_[A-Z_]*\\)=.*/\\1/p'); do unset $name; done"
    file = folder / "environment.sh"
    lines = [
        "if command -v leave_rehearsal >/dev/null; then leave_rehearsal; fi",
        "rehearsal_before=$(export -p | sed 's/^declare -x /export /')",
        f"leave_rehearsal() {{ {forget}; unset {' '.join(variables)}; rehearsal_here=$(pwd)",
        'eval "$rehearsal_before"; cd "$rehearsal_here"; unset rehearsal_before rehearsal_here',
        "unset -f leave_rehearsal; }",
        forget,
        *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
        f'export PATH={shlex.quote(str(terraform_s_folder()))}:"$PATH"',
    ]
    file.write_text("\n".join(lines) + "\n")
    return file


def go_on(
    world: EmulatedAccounts,
    rehearsal: Rehearsal,
    github: Path,
    screen: Screen,
    until: Callable[[], bool] = lambda: False,
) -> None:
    """Walk what starts in the pipelines, by pushes to a repository or otherwise.

    until: asked whether that is enough.
    """
    git(github, "config", "receive.denyCurrentBranch", "ignore")
    repositories = {f"{rehearsal.facts['github_owner']}/{rehearsal.function}": github}
    last = "" if rehearsal.accounts == rehearsal.facts["environments"] else rehearsal.accounts[-1]["id"]
    region, first = rehearsal.facts["region"], rehearsal.facts["environments"][0]["id"]
    pipelines = world.client("codepipeline", first, region)

    def push() -> None:
        known = git(github, "rev-parse", "refs/heads/main")
        while True:
            time.sleep(LOOK)
            commit = git(github, "rev-parse", "refs/heads/main")
            if commit != known:
                source = {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": commit}
                pipelines.start_pipeline_execution(name=rehearsal.function, sourceRevisions=[source])
            known = commit

    threading.Thread(target=push, daemon=True).start()
    while not until():
        with ExitStack() as end:
            walker = Walker(world, region, repositories, lambda approval: None, last=last)
            walker.memory = rehearsal.memory
            walker.on_run = shown(rehearsal, screen, end)
            walker.walk([account["id"] for account in rehearsal.accounts])
        time.sleep(LOOK)

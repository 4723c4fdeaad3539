"""`rehearse PATH`: takes a generated repository from commit to production, with no AWS account."""

import argparse
import json
import os
import shlex
import signal
import sys
from pathlib import Path

from emulator.accounts import EmulatedAccounts
from hooks.git import GitError
from rehearsal import people, report
from rehearsal.outcome import Rehearsal, as_json
from rehearsal.rehearse import Options, RehearsalError, emulation, provide_terraform, rehearse
from screen import Screen


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
            if said.keep:
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
        cause, _, _ = rehearsal.problem.partition("\n")
        screen.say(f"\n{cause}\n{report.advice(rehearsal.problem)}")
    screen.verdict(not rehearsal.problem, rehearsal.verdict)


def keep(world: EmulatedAccounts, rehearsal: Rehearsal, folder: Path, screen: Screen) -> None:
    """Leave the accounts up until the user ends us, and say how to reach them."""
    variables = people.environment(world, rehearsal.facts, folder) | {"PATH": os.environ["PATH"]}
    file = folder / "environment.sh"
    file.write_text(
        "for name in $(env | sed -n 's/^\\(AWS_[A-Z_]*\\)=.*/\\1/p'); do unset $name; done\n"
        + "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    )
    first = rehearsal.facts["environments"][0]["name"]
    profile = f"{rehearsal.facts['organization']}-{first}-reader"
    screen.say("\nThe emulated accounts stay up until you press Ctrl-C. In another terminal, type:\n")
    screen.say(f"  . {file}\n")
    screen.say("From then on make and the AWS CLI reach them by the profiles of README.md, for example:\n")
    screen.say(f"  aws --profile {profile} codepipeline get-pipeline-state --name {rehearsal.function}")
    signal.pause()

"""Ask AWS what the emulator claims of it, in scratch names of a real account, and keep what it answers.

Files go to tests/emulator/recorded, one for each scenario; tests compare the emulator with them.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from emulator.accounts import EmulatedAccounts
from emulator.record.answers import RECORDED, differences, left, run
from emulator.record.scenarios import MAKES, SCENARIOS
from emulator.record.scratch import NAME, Place, aws, emulated


def main(arguments: list[str]) -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m emulator.record", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of: {', '.join(SCENARIOS)}")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--profile", help="record what AWS answers, by this profile of your AWS configuration")
    how.add_argument("--emulator", action="store_true", help="print what the emulator answers")
    how.add_argument("--compare", action="store_true", help="compare the emulator with what was recorded")
    given = parser.parse_args(arguments)
    if unknown := set(given.scenarios) - SCENARIOS.keys():
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}")
    names = given.scenarios or list(SCENARIOS)
    with EmulatedAccounts() as world:
        place = emulated(world)
        if given.emulator:
            print(json.dumps([run(name, place) for name in names], indent=2))
            return 0
        if given.compare:
            return compare(names, place)
        return record(names, aws(given.profile), place)


def record(names: list[str], real: Place, place: Place) -> int:
    """Run scenarios in AWS, once that is confirmed, and keep and compare what it answers.

    Returns 0 if all were recorded and nothing is left of them.
    """
    print(f"In account {real.account}, region {real.region}, as {real.caller}, this makes and deletes")
    for name in names:
        print(f"  {name}: {MAKES[name]}")
    print(f"all named {NAME}-… and tagged so, for a few cents at most and up to half an hour.")
    print("Take an account in which nothing matters.")
    if input("Type the account's id to go on: ").strip() != real.account:
        print("That is another one; nothing was made.")
        return 1
    failed = []
    for name in names:
        print(f"{name} …", flush=True)
        try:
            recorded = run(name, real)
        except Exception as error:  # the next one may go better
            failed.append(name)
            print(f"  not recorded: {type(error).__name__}: {error}")
        else:
            path(name).write_text(json.dumps(recorded, indent=2, ensure_ascii=False) + "\n", "utf-8")
    compare(names, place)
    remaining = left(real)
    print("\n".join(["Still there, to be deleted by hand:", *remaining]) if remaining else "Nothing is left.")
    return 1 if failed or remaining else 0


def compare(names: list[str], place: Place) -> int:
    """Print where the emulator answers otherwise than AWS did; return 1 if it says anything wrong."""
    wrong = False
    for name in names:
        if not path(name).exists():
            print(f"  {name}: not recorded yet")
            continue
        recorded: dict[str, Any] = json.loads(path(name).read_text("utf-8"))
        for difference in differences(recorded, run(name, place)):
            print(difference)
            wrong = wrong or difference.wrong
    return int(wrong)


def path(name: str) -> Path:
    """Return where the answers of a scenario are kept."""
    return RECORDED / f"{name}.json"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

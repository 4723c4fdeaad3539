"""`lambda-template`: the command behind a generated Makefile's targets for people."""

import argparse
import gc
import os
import sys
from importlib import import_module
from typing import Any

ENVIRONMENT = ("environment", {"help": "as accounts.json names it"})
ANY_ENVIRONMENT = ("environment", {"nargs": "?", "default": "", "help": "as accounts.json names it"})
SANDBOX = ("name", {"nargs": "?", "default": "", "help": "of the sandbox; without, the one named after you"})
EVENT = ("event", {"help": "a file with an event"})
RAW = ("--raw", {"action": "store_true", "help": "JSON as it is logged"})
SINCE = ("--since", {"default": "10m", "help": "how long ago, such as 90s, 10m, 2h, 1d"})
VERBOSE = ("--verbose", {"action": "store_true", "help": "show all that Terraform says"})
YES = ("--yes", {"action": "store_true", "help": "do not ask; WHY says why"})
# By name: where it is done, what is done, and what it is told.
COMMANDS: dict[str, tuple[str, str, list[tuple[str, dict[str, Any]]]]] = {
    "approve": ("pipeline:approve", "approve what waits in an environment", [ENVIRONMENT, YES]),
    "fleet": (
        "fleet:main",
        "tell of all functions of the organization what runs where",
        [
            (
                "--accounts",
                {"default": "", "metavar": "FILE", "help": "without, this checkout's accounts.yaml"},
            ),
            ("--json", {"action": "store_true", "help": "for machines"}),
            ("--page", {"default": "", "metavar": "FILE", "help": "write a page"}),
        ],
    ),
    "invoke": (
        "invoke:main",
        "call a sandbox, or the function in the first environment, with an event",
        [SANDBOX, ANY_ENVIRONMENT, EVENT, RAW],
    ),
    "local": (
        "local:main",
        "call the handler on this machine, without AWS",
        [EVENT, ("client", {"nargs": argparse.REMAINDER, "help": "what runs the handler"})],
    ),
    "logs": (
        "logs:main",
        "follow the log of a sandbox or an environment",
        [SANDBOX, ANY_ENVIRONMENT, SINCE, RAW],
    ),
    "reject": ("pipeline:reject", "reject what waits for approval in an environment", [ENVIRONMENT, YES]),
    "rehearse": ("rehearse:main", "take a commit to production on this machine, without AWS", []),
    "releases": ("releases:main", "list what an environment can go back to", [ENVIRONMENT]),
    "retry": ("pipeline:retry", "run a stage that has failed again", [ENVIRONMENT]),
    "rollback": (
        "rollback:main",
        "have an environment go back to an earlier release",
        [
            ENVIRONMENT,
            ("to", {"nargs": "?", "default": "", "help": "a revision; without, what answered before"}),
            YES,
        ],
    ),
    "sandbox": ("sandboxes:apply", "create or update a sandbox", [SANDBOX, VERBOSE]),
    "sandbox-destroy": ("sandboxes:destroy", "remove a sandbox", [SANDBOX, VERBOSE, YES]),
    "sandboxes": ("sandboxes:show", "list the sandboxes of all", []),
    "send": ("send:main", "put an event into the trigger of a sandbox", [SANDBOX, EVENT]),
    "status": (
        "status:main",
        "tell what runs where",
        [ANY_ENVIRONMENT, ("--json", {"action": "store_true", "help": "for machines"})],
    ),
    "sync": ("sync:main", "put the code on disk into a sandbox", [SANDBOX]),
    "update": (
        "update:main",
        "take over what has changed in the template",
        [("to", {"nargs": "?", "default": "", "help": "a revision of the template; without, its newest"})],
    ),
    "verify": (
        "verify:main",
        "test a sandbox as it is deployed",
        [SANDBOX, ("tests", {"nargs": argparse.REMAINDER, "help": "what runs the tests"})],
    ),
    "watch": ("watch:main", "do so at each save, once the tests pass", [SANDBOX]),
}


def arguments() -> argparse.ArgumentParser:
    """Return what the command line may say."""
    parser = argparse.ArgumentParser(prog="lambda-template", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, what, told) in COMMANDS.items():
        command = commands.add_parser(name, help=what, description=what)
        for argument, settings in told:
            command.add_argument(argument, **settings)
    return parser


def main() -> None:
    """Do what the command line says, and exit with its code."""
    gc.disable()  # a process this short has nothing to collect; looking for it is a fifth of its time
    if sys.argv[1:2] == ["rehearse"]:  # it has a command line of its own
        given: list[Any] = [sys.argv[2:]]
        does = COMMANDS["rehearse"][0]
    else:
        said = vars(arguments().parse_args())
        does = COMMANDS[said.pop("command")][0]
        given = list(said.values())
    module, _, function = does.partition(":")
    try:
        code = getattr(import_module(f"operations.{module}"), function)(*given)
    except KeyboardInterrupt:  # which make has heard too: it ends by that, and adds a line if we fail
        code = 0 if "MAKELEVEL" in os.environ else 130
    finally:
        gc.freeze()  # at the end it would be looked for once more
    sys.exit(code)

"""What a person answers before something is changed."""

import os
import sys


def reason(question: str, yes: bool = False) -> str:
    """Return why a person wants it: WHY, or what is typed. Exit if it is not wanted, or nobody can be asked.

    yes: whether to go on by WHY alone.
    """
    why = os.environ.get("WHY", "")
    if yes and why:
        return why
    if not sys.stdin.isatty():
        sys.exit(f"nothing was changed: nobody is here to answer; give {'YES=1' if why else 'WHY=...'}")
    if not why:
        return typed(f"{question} Type why; Enter alone stops: ")
    confirm(question)
    return why


def confirm(question: str) -> None:
    """Exit unless a person says yes, or if nobody is here to ask."""
    if not sys.stdin.isatty():
        sys.exit(f"nothing was changed: {question} Nobody is here to answer; give YES=1")
    if typed(f"{question} y/N: ").lower() not in ("y", "yes"):
        print("nothing was changed")
        sys.exit(0)


def typed(question: str) -> str:
    """Return what a person answers; exit if that is nothing, or no."""
    try:
        said = input(question).strip()
    except (EOFError, KeyboardInterrupt):
        print()
        said = ""
    if not said or said.lower() in ("n", "no"):
        print("nothing was changed")
        sys.exit(0)
    return said

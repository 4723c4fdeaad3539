"""Who may call a function, as a trigger that asks for it takes the answer: triggers/NAME/authorization.json."""

import json
import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def forms(template: str, trigger: str) -> "dict[str, dict[str, str]]":
    """Return, by how an answer is written, its pattern and what it means in a README; none if it is not asked."""
    path = os.path.join(template, "triggers", trigger, "authorization.json")
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        found: dict[str, dict[str, str]] = json.load(file)
    return found


def authorization_faults(answer: str, template: str, trigger: str) -> "Iterator[str]":
    """Yield what is wrong with an answer, and what would be right."""
    known = forms(template, trigger)
    if known and not any(re.fullmatch(form["pattern"], answer) for form in known.values()):
        yield f"{answer!r} must be {' or '.join(known)}"
    if not known:
        with open(os.path.join(template, "cookiecutter.json"), encoding="utf-8") as file:
            default = json.load(file)["authorization"]
        if answer != default:
            yield f"{answer!r} says who may send requests, of which {trigger} has none; leave it at {default}"


def slots(answer: str, template: str, trigger: str) -> dict[str, str]:
    """Return what an answer fills in."""
    known = forms(template, trigger).values()
    return {
        "AUTHORIZATION": answer,
        "AUTHORIZATION_PATTERN": "|".join(form["pattern"] for form in known),
        "AUTHORIZED": "".join(form["readme"] for form in known if re.fullmatch(form["pattern"], answer)),
    }

"""Refuses what would fail later, before anything is written, and hands on what it has read.

cookiecutter renders and runs this in the new, empty folder. All faults are listed, one line each; exit code 1.
Without any, WIRING has the answers and the facts of the accounts file, for post_gen_project.py. Every generation
pays for every import here, so those that only a refusal needs come late, and none is large.
"""

import json
import os
import re
import sys

# The template's folder is where cookiecutter stands while it renders this. Its own _repo_dir may be relative to
# another folder, and cruft does not set it; hence the way through Jinja's own module to the current folder.
#
# An accounts file that is none of the template's own may not be where cruft updates, or may have changed since. So
# cruft is given its text to record with the answers, after the commit of the template that it was read for.
# {% set os, open = lipsum.__globals__.os, lipsum.__globals__.__builtins__.open %}
# {% set path, commit = os.path.expanduser(cookiecutter.accounts_file), cookiecutter._commit | default("") %}
# {% set cruft = namespace(frame=os.sys._getframe(), state={}) %}{% for _ in range(99) if commit %}
# {% set cruft.state = cruft.frame.f_locals.get("cruft_state") or cruft.state if cruft.frame else cruft.state %}
# {% set cruft.frame = cruft.frame.f_back if cruft.frame else none %}{% endfor %}
# {% set recorded = cruft.state.get("context", {}).get("cookiecutter", {}).get("accounts", "").partition("\n") %}
# {% set there = os.path.isabs(path) and os.path.isfile(path) and os.access(path, os.R_OK) %}
# {% set text = recorded[2] if recorded[0] == commit or not there else "" %}
# {% set now = text or open(path, encoding="utf-8", errors="replace").read() if text or there else "" %}
# {% if commit and now %}{{ cookiecutter.update(accounts=commit + "\n" + now) or "" }}{% endif %}
GIVEN = json.loads(
    r"""{{ dict(answers=dict(function_name=cookiecutter.function_name, description=cookiecutter.description,
                             runtime=cookiecutter.runtime, trigger=cookiecutter.trigger,
                             authorization=cookiecutter.authorization, accounts_file=cookiecutter.accounts_file),
                recorded=text,
                language=cookiecutter._languages[cookiecutter.runtime], version=cookiecutter._version,
                template=lipsum.__globals__.os.getcwd()) | tojson }}"""
)
# Where somebody interrupts this, nothing half made stays: what WIRING stands in is not whole yet.
# {% set folder = os.path.join(cookiecutter._output_dir | default(""), cookiecutter.function_name) %}
# {% macro undo() %}{% if os.path.exists(os.path.join(folder, "wiring.json")) %}
# {{ os.sys.modules.shutil.rmtree(folder) }}{% endif %}{% endmacro %}
# {% if cookiecutter._output_dir is defined and os.path.isdir(folder) and not os.listdir(folder) %}
# {{ os.sys.modules.atexit.register(undo) and "" }}{% endif %}

WIRING = "wiring.json"
FOLDER = GIVEN["template"]

sys.dont_write_bytecode = True  # not into the template either
sys.path.insert(0, FOLDER)
from hooks.accounts_file import WORDS, check, check_text  # noqa: E402
from hooks.authorization import authorization_faults  # noqa: E402
from hooks.lists import words  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# What a function's other roles are called, after its name.
ROLE_SUFFIXES = ("-builder", "-deployer", "-planner", "-reviewer", "-scheduler", "-traffic", "-verifier")
FAILURES_SUFFIX = (
    "-failures"  # what the queue is called in which a trigger keeps what a function failed to handle
)
PROMOTED_SUFFIX = "-promoted"  # what the rule is called that starts a pipeline
# What tells a sandbox from a function: no name of a function or an organization has two hyphens together. Its own
# name may have 12 characters, and a role, which is what may be named shortest, 64.
SANDBOX_MARK = "--sandbox-"
LONGEST_FUNCTION_NAME = 64 - len(SANDBOX_MARK) - 12
LONGEST_DESCRIPTION = 200
# What the foundation creates as ORGANIZATION-NAME.
FOUNDATION_NAMES = (
    "alerts",
    "boundary",
    "developer",
    "drift-failed",
    "drift-start",
    "operator",
    "pipeline",
    "pipeline-failed",
    "pipeline-start",
    "pipelines-boundary",
    "promoter",
    "reader",
    "undelivered",
    "verifiers-boundary",
)


def longest(trigger: str) -> tuple[int, str]:
    """Return how many characters the name of a function may have that a trigger invokes, and why."""
    own, *reason = words(FOLDER, "triggers", trigger, "longest-name.txt") or [""]
    if own:
        return int(own), f"with the trigger {trigger}, {' '.join(reason)}"
    why = f"so that the role of a sandbox, NAME{SANDBOX_MARK} and 12 more, stays within IAM's 64"
    return LONGEST_FUNCTION_NAME, why


def function_name_faults(name: str, language: str, trigger: str, organization: str | None) -> "Iterator[str]":
    """Yield what is wrong with a function's name, and what would be right."""
    most, why = longest(trigger)
    suggestion = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:most].strip("-")
    package = name.replace("-", "_")
    if not WORDS.fullmatch(name):
        hint = f", such as {suggestion}" if WORDS.fullmatch(suggestion) else ""
        yield f"{name!r} must be lower-case letters and digits, in words joined by single hyphens, a letter first{hint}"
    elif len(name) > most:
        yield f"{name!r} has {len(name)} characters; it may have {most}, {why}"
    elif name.endswith(ROLE_SUFFIXES):
        yield f"{name!r} ends like the role of another function; choose a name without {', '.join(ROLE_SUFFIXES)}"
    elif name.endswith(FAILURES_SUFFIX):
        yield f"{name!r} ends like the queue of what another function failed to handle; choose a name without {FAILURES_SUFFIX}"
    elif name.endswith(PROMOTED_SUFFIX):
        yield f"{name!r} ends like the rule that starts another function's pipeline; choose a name without {PROMOTED_SUFFIX}"
    elif organization and name in {f"{organization}-{own}" for own in FOUNDATION_NAMES}:
        yield f"{name!r} is a name that the foundation uses for itself; choose another"
    elif package in words(FOLDER, "runtimes", language, "taken-names.txt"):
        yield (
            f"{name!r} would be the {language.title()} package {package}, which is taken; "
            f"choose another, such as {name}-function"
        )


def trigger_faults(trigger: str, language: str, runtime: str) -> "Iterator[str]":
    """Yield what is missing for a trigger."""
    if not os.path.isdir(os.path.join(FOLDER, "runtimes", language, "handlers", trigger)):
        yield f"{trigger} has no handler in {runtime} yet; choose another trigger or runtime"


def description_faults(description: str) -> "Iterator[str]":
    """Yield what is wrong with a description, and what would be right."""
    from unicodedata import category

    if not description.strip():
        yield "is empty; say in one line what the function does"
    if len(description) > LONGEST_DESCRIPTION:
        yield f"has {len(description)} characters; it may have {LONGEST_DESCRIPTION}"
    for character in description:
        if category(character) in ("Cc", "Cs", "Zl", "Zp"):
            yield f"has a line break or control character (U+{ord(character):04X}); it must be one line of text"
            break


def main(answers: dict[str, str], language: str, recorded: str = "") -> None:
    """Refuse, or hand on what has been read. recorded: an accounts file, in place of the one that is named."""
    path = os.path.join(FOLDER, os.path.expanduser(answers["accounts_file"]))
    faults, accounts = check_text(path, recorded) if recorded else check(path)
    callers = authorization_faults(answers["authorization"], FOLDER, answers["trigger"])
    given = answers["function_name"], language, answers["trigger"]
    names = function_name_faults(*given, accounts.get("organization"))
    faults = [
        *(
            f"{os.path.basename(os.getcwd())}: is not empty; generate into a new folder"
            for _ in os.listdir()[:1]
        ),
        *(f"function_name: {fault}" for fault in names),
        *(f"description: {fault}" for fault in description_faults(answers["description"])),
        *(f"trigger: {fault}" for fault in trigger_faults(answers["trigger"], language, answers["runtime"])),
        *(f"authorization: {fault}" for fault in callers),
        *faults,
    ]
    if faults:
        sys.stderr.buffer.write("".join(f"{fault}\n" for fault in faults).encode(errors="backslashreplace"))
        sys.exit(1)
    with open(WIRING, "w", encoding="utf-8") as file:
        json.dump({**GIVEN, "accounts": accounts}, file)


if __name__ == "__main__":
    main(GIVEN["answers"], GIVEN["language"], GIVEN.pop("recorded"))

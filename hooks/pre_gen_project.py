"""Checks the answers and the accounts file, and refuses what would fail later, before anything is written.

cookiecutter renders and runs this in the new, empty folder. All faults are listed, one line each; exit code 1.
When there is none, it writes what depends on the accounts: accounts.json, and the files that wired/ has patterns
of. Every generation pays for every import here, so those that only a refusal needs come late, and none is large.
"""

import json
import os
import re
import sys

# The template's folder is where cookiecutter stands while it renders this. Its own _repo_dir may be relative to
# another folder, and cruft does not set it; hence the way through Jinja's own module to the current folder.
ANSWERS: dict[str, str] = json.loads(
    r"""{{ dict(function_name=cookiecutter.function_name, description=cookiecutter.description,
                runtime=cookiecutter.runtime, accounts_file=cookiecutter.accounts_file,
                package=cookiecutter.__package, template_version=cookiecutter._version,
                template=lipsum.__globals__.os.getcwd()) | tojson }}"""
)

sys.dont_write_bytecode = True  # not into the template either
sys.path.insert(0, ANSWERS["template"])
from hooks.accounts_file import WORDS, check, entrances, profiles, switch_role_link  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

ROLE_SUFFIXES = ("-builder", "-deployer")
# What tells a sandbox from a function: the developer role may touch nothing without it. Its own name may have 12
# characters, and a role, which is what may be named shortest, 64.
SANDBOX_MARK = "-sandbox-"
LONGEST_FUNCTION_NAME = 64 - len(SANDBOX_MARK) - 12
LONGEST_DESCRIPTION = 200
# What the foundation creates as ORGANIZATION-NAME.
FOUNDATION_NAMES = (
    "alerts",
    "boundary",
    "developer",
    "operator",
    "pipeline",
    "pipeline-start",
    "promoter",
    "reader",
    "traffic",
)
# Modules that a generated Python repository imports or has itself.
TAKEN_MODULES = (
    *(
        "aws_lambda_powertools",
        "botocore",
        "jmespath",
        "scripts",
        "src",
        "tests",
        "typing_extensions",
        "watchfiles",
    ),
    *("accounts", "invoke", "local", "logs", "package", "release", "releases", "rollback"),
    *("sandbox", "sandboxes", "status", "sync", "watch"),
)
# Below wired/, as in the generated repository; one with ENVIRONMENT in its name is written for each environment.
WIRED = (
    "README.md",
    "deployment/environments/ENVIRONMENT.tfvars",
    "pipeline/environments/ENVIRONMENT.tfbackend",
)


def function_name_faults(name: str, runtime: str, organization: str | None) -> "Iterator[str]":
    """Yield what is wrong with a function's name, and what would be right."""
    from keyword import iskeyword

    suggestion = (
        re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:LONGEST_FUNCTION_NAME].strip("-")
    )
    module = name.replace("-", "_")
    if not WORDS.fullmatch(name):
        hint = f", such as {suggestion}" if WORDS.fullmatch(suggestion) else ""
        yield f"{name!r} must be lower-case letters and digits, in words joined by single hyphens, a letter first{hint}"
    elif len(name) > LONGEST_FUNCTION_NAME:
        yield (
            f"{name!r} has {len(name)} characters; it may have {LONGEST_FUNCTION_NAME}, so that the role of a "
            f"sandbox, NAME{SANDBOX_MARK} and 12 more, stays within IAM's 64"
        )
    elif name.endswith(ROLE_SUFFIXES):
        yield f"{name!r} ends like the role of another function; choose a name without {', '.join(ROLE_SUFFIXES)}"
    elif SANDBOX_MARK in name:
        yield f"{name!r} reads like a sandbox; choose a name without {SANDBOX_MARK}"
    elif organization and name in {f"{organization}-{own}" for own in FOUNDATION_NAMES}:
        yield f"{name!r} is a name that the foundation uses for itself; choose another"
    elif runtime.startswith("python") and (
        iskeyword(module) or module in sys.stdlib_module_names or module in TAKEN_MODULES
    ):
        yield f"{name!r} would be the Python package {module}, which is taken; choose another, such as {name}-function"


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


def markdown(text: str) -> str:
    """Return text as Markdown that shows it as it is."""
    return re.sub(r"[\\`*_{}\[\]<>#|!&~$]", r"\\\g<0>", text)


def table(accounts: "dict[str, Any]") -> str:
    """Return the environments as the rows of a table: name, account, links into its roles."""
    links: dict[str, list[str]] = {}
    for name, number, role in entrances(accounts):
        links.setdefault(name, []).append(f"[{role}]({switch_role_link(accounts, name, number, role)})")
    return "\n".join(
        f"| {e['name']} | {e['id']} | {', '.join(links[e['name']])} |" for e in accounts["environments"]
    )


def wire(answers: dict[str, str], accounts: "dict[str, Any]") -> None:
    """Write accounts.json and the wired files into the current folder.

    What belongs into folders goes into wired/, from where post_gen_project.py moves it.
    """
    facts = {
        name: fact for name, fact in accounts.items() if name != "bootstrap_role"
    }  # the foundation's alone
    write("accounts.json", json.dumps(facts, indent=2) + "\n")
    values = {
        "DESCRIPTION": markdown(answers["description"]),
        "ENVIRONMENTS": table(accounts),
        "FUNCTION": answers["function_name"],
        "OPS_STATE_BUCKET": accounts["ops"]["state_bucket"],
        "PACKAGE": answers["package"],
        "PROFILES": profiles(accounts).rstrip(),
        "REGION": accounts["region"],
        "TEMPLATE_VERSION": answers["template_version"],
    }
    for path in WIRED:
        with open(os.path.join(answers["template"], "hooks/wired", path), encoding="utf-8") as file:
            pattern = file.read()
        names = [e["name"] for e in accounts["environments"]] if "ENVIRONMENT" in path else [""]
        for values["ENVIRONMENT"] in names:
            content = re.sub("@([A-Z_]+)@", lambda found: values[found[1]], pattern)
            path_there = path.replace("ENVIRONMENT", values["ENVIRONMENT"])
            write(f"wired/{path_there}" if "/" in path else path, content)


def write(path: str, content: str) -> None:
    """Write a text file, the same bytes on every platform."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(content.encode())


def main(answers: dict[str, str]) -> None:
    """Refuse, or write what depends on the accounts."""
    path = os.path.join(answers["template"], os.path.expanduser(answers["accounts_file"]))
    faults, accounts = check(path)
    names = function_name_faults(answers["function_name"], answers["runtime"], accounts.get("organization"))
    faults = [
        *(f"function_name: {fault}" for fault in names),
        *(f"description: {fault}" for fault in description_faults(answers["description"])),
        *faults,
    ]
    if faults:
        sys.stderr.buffer.write("".join(f"{fault}\n" for fault in faults).encode(errors="backslashreplace"))
        sys.exit(1)
    wire(answers, accounts)


if __name__ == "__main__":
    main(ANSWERS)

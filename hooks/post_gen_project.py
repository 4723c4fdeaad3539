"""Wires the new repository: lays runtime and trigger over the common files, and fills in what the organization is.

A layer is a folder of files that are copied as they are, but for three things: in a file whose name ends in .in each
@NAME@ is filled in, and the ending goes; one whose name ends in .add is added to the file that a layer below has; a
@NAME@ in a path is filled in too, and a path with @ENVIRONMENT@ is written for each environment. The common files are
such a layer, which cookiecutter has already copied.
"""

import json
import os
import re
import sys

WIRING = "wiring.json"

with open(WIRING, encoding="utf-8") as wiring:
    GIVEN = json.load(wiring)

sys.dont_write_bytecode = True  # not into the template either
sys.path.insert(0, GIVEN["template"])
from hooks.authorization import slots  # noqa: E402
from hooks.git import GitError, git  # noqa: E402
from hooks.lists import words  # noqa: E402
from hooks.people import entrances, profiles, switch_role_link  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SLOT = re.compile("@([A-Z_]+)@")
FILLED = ".in"
ADDED = ".add"
TRAFFIC = "Canary10Percent5Minutes"  # how callers of the last environment get to a new version
# What of the accounts file is the foundation's alone.
FOUNDATION = {"adopt", "bootstrap_role", "developers", "operators", "readers", "shared"}


def lay(layer: str, values: dict[str, str], environments: list[str]) -> None:
    """Lay the files of a folder over the current one. values: by what stands between @ and @."""
    for path in files(layer):
        relative = os.path.relpath(path, layer)
        names = environments if "@ENVIRONMENT@" in relative else [""]
        for values["ENVIRONMENT"] in names:
            values["TRAFFIC"] = TRAFFIC if values["ENVIRONMENT"] == environments[-1] else "AllAtOnce"
            there = filled(relative, values).removesuffix(FILLED)
            if (layer, there) == (".", relative):
                continue
            with open(path, "rb") as file:
                content = file.read()
            if path.endswith(FILLED):
                content = filled(content.decode(), values).encode()
            os.makedirs(os.path.dirname(there) or ".", exist_ok=True)
            place = there.removesuffix(ADDED)
            with open(place, "wb" if place == there else "ab") as file:
                file.write(content)
            os.chmod(place, os.stat(path).st_mode)
        if layer == "." and there != relative:
            os.remove(path)


def files(folder: str) -> list[str]:
    """Return the files below a folder, sorted."""
    return sorted(os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)


def filled(text: str, values: dict[str, str]) -> str:
    """Return text with each @NAME@ filled in."""
    return SLOT.sub(lambda slot: values[slot[1]], text)


def section(layer: str, values: dict[str, str]) -> str:
    """Return what a runtime or a trigger has to say in the README."""
    with open(os.path.join(layer, "README.md.in"), encoding="utf-8") as file:
        return filled(file.read(), values).strip()


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


def revision(template: str, version: str) -> str:
    """Return the commit of a template, or its version if it is no checkout of Git's."""
    try:
        said = git(template, "rev-parse", "--show-prefix", "--verify", "HEAD")
    except GitError:
        return version
    # Before it stands where the template lies in a repository, if that is not its own.
    return said if re.fullmatch("[0-9a-f]+", said) else version


def without(facts: "Any", keys: "set[str]") -> "Any":
    """Return facts without some keys, wherever they stand."""
    if isinstance(facts, list):
        return [without(each, keys) for each in facts]
    if isinstance(facts, dict):
        return {key: without(value, keys) for key, value in facts.items() if key not in keys}
    return facts


def write(path: str, facts: "dict[str, Any]") -> None:
    """Write facts as JSON, the same bytes on every platform."""
    with open(path, "wb") as file:
        file.write((json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode())


def main(
    answers: dict[str, str], accounts: "dict[str, Any]", language: str, template: str, version: str
) -> None:
    """Make the repository out of what cookiecutter has copied into the current folder."""
    address = accounts.pop("template") or f"https://github.com/{accounts['github_owner']}/lambda-template"
    made_from = {"template": address, "revision": revision(template, version), "version": version}
    write("accounts.json", without(accounts, FOUNDATION))
    write("template.json", {**made_from, "answers": answers})

    runtime = os.path.join(template, "runtimes", language)
    trigger = os.path.join(template, "triggers", answers["trigger"])
    values = {
        "DESCRIPTION_JSON": json.dumps(answers["description"], ensure_ascii=False),
        "DESCRIPTION_MARKDOWN": markdown(answers["description"]),
        "DOCS": f"{address.removesuffix('.git')}/blob/HEAD/docs",
        "ENVIRONMENTS": table(accounts),
        "ENVIRONMENT_NAMES": " ".join(each["name"] for each in accounts["environments"]),
        "FUNCTION": answers["function_name"],
        "ORGANIZATION": accounts["organization"],
        "OWNER": accounts["github_owner"],
        "OPS_STATE_BUCKET": accounts["ops"]["state_bucket"],
        "PACKAGE": answers["function_name"].replace("-", "_"),
        "PROFILES": profiles(accounts).rstrip(),
        "REGION": accounts["region"],
        "RUNTIME": answers["runtime"],
        "RUNTIME_NAME": re.sub(r"\d.*", "", answers["runtime"]),
        "RUNTIME_VERSION": re.sub(r"^\D+|\D+$", "", answers["runtime"]),
        "TEMPLATE": address,
        "TEMPLATE_VERSION": version,
    }
    values |= slots(answers["authorization"], template, answers["trigger"])
    values |= {"RUNTIME_SECTION": section(runtime, values), "TRIGGER_SECTION": section(trigger, values)}
    environments = [environment["name"] for environment in accounts["environments"]]
    for layer in (
        ".",
        os.path.join(runtime, "files"),
        os.path.join(runtime, "handlers", answers["trigger"]),
        *(
            os.path.join(template, place, "shared", name)
            for name in words(trigger, "shared.txt")
            for place in ("triggers", f"runtimes/{language}")
        ),
        os.path.join(trigger, "files"),
    ):
        lay(layer, values, environments)
    os.remove(WIRING)  # now it is whole
    print(f"{answers['function_name']}/ is there. Its README.md begins with what to do next.")


if __name__ == "__main__":
    main(**GIVEN)

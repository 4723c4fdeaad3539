"""The secrets that a function names: a rehearsal has none, so it puts something in their places."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emulator.accounts import EmulatedAccounts

LIST = re.compile(r"^secrets\s*=\s*\[([^]]*)\]", re.MULTILINE)


def put_placeholders(
    world: EmulatedAccounts, facts: dict[str, Any], repository: Path, function: str
) -> Iterator[str]:
    """Yield the secrets that an environment lacks, each with it, and put placeholders there.

    facts: what accounts.json says.
    """
    for environment in facts["environments"]:
        variables = repository / f"deployment/environments/{environment['name']}.tfvars"
        for name in named(variables.read_text("utf-8")):
            secret = {"Name": f"/{function}/{name}", "Type": "SecureString", "Value": "a placeholder"}
            store = world.client("ssm", environment["id"], facts["region"])
            try:
                store.put_parameter(**secret, KeyId=f"alias/{facts['organization']}")
            except store.exceptions.ParameterAlreadyExists:
                continue
            yield f"{secret['Name']} in {environment['name']}"


def named(variables: str) -> list[str]:
    """Return the secrets that an environment's variables name."""
    return re.findall(r'"([^"]+)"', "".join(LIST.findall(re.sub(r"#.*", "", variables))))

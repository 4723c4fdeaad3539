"""The generated repository in the current folder, by its facts."""

import json
import sys
from pathlib import Path
from typing import Any


def read(file: str) -> dict[str, Any]:
    """Return the facts in a file of the repository, or exit if this is none."""
    try:
        facts: dict[str, Any] = json.loads(Path(file).read_text("utf-8"))
    except FileNotFoundError:
        sys.exit(f"{Path.cwd()} is not a repository made from lambda-template: it has no {file}")
    return facts


ACCOUNTS = read("accounts.json")
ANSWERS: dict[str, str] = read("template.json")["answers"]
FUNCTION = ANSWERS["function_name"]

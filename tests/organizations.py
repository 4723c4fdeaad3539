"""Organizations of any shape: their facts, their foundation, applied as by a person, their repositories."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cookiecutter.main import cookiecutter

from emulator.accounts import EmulatedAccounts
from foundation import terraform
from rehearsal import demo, foundation
from tests.conftest import needs
from tests.worlds import FACTS, TEMPLATE


def environment(name: str, number: str) -> dict[str, Any]:
    """Return the facts of an environment with buckets named after it."""
    buckets = {"state_bucket": f"acme-{name}-terraform-state", "artifacts_bucket": f"acme-{name}-artifacts"}
    return {"name": name, "id": number, **buckets}


def organization_of(*environments: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of the default organization with other environments."""
    return {**FACTS, "environments": list(environments)}


def run(
    world: EmulatedAccounts,
    facts: dict[str, Any],
    folder: Path,
    *chosen: str,
    answer: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Apply accounts, all unless some are chosen, as a person does; answer: what is said to each question."""
    needs("terraform")
    folder.mkdir(exist_ok=True)
    command, own, place = foundation.command(world, facts, folder)
    if answer is not None:
        own["AUTO_APPROVE"] = "0"
    return subprocess.run(
        [*command, *chosen],
        cwd=place,
        env=own | dict(variables or {}),
        input=f"{answer}\n" * 9,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def repository_of(facts: dict[str, Any], folder: Path) -> Path:
    """Return a committed repository that was generated for an organization."""
    file = folder / "organization.yaml"
    file.write_text(json.dumps(facts))
    answers = {"accounts_file": str(file)}
    repository = Path(
        cookiecutter(str(TEMPLATE), no_input=True, extra_context=answers, output_dir=str(folder))
    )
    terraform.trust_provider(repository)
    demo.commit(repository)
    return repository

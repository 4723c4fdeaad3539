"""Terraform, told where a machine keeps its AWS provider on disk, and what spares it time."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

PROVIDER = "registry.terraform.io/hashicorp/aws"
ROOTS = ("/opt", "/usr/lib", "/usr/local", "/srv", "/var/lib", "~")
DEPTH = 3


def mirrors(roots: tuple[str, ...] = ROOTS) -> Iterator[Path]:
    """Yield the folders, at most DEPTH - 1 below a root, that mirror the AWS provider."""
    for root in roots:
        for depth in range(DEPTH):
            for found in sorted(Path(root).expanduser().glob("*/" * depth + PROVIDER)):
                yield found.parents[2]


def clean() -> dict[str, str]:
    """Return the variables of this process without those that name another root's workspace or variables."""
    return {k: v for k, v in os.environ.items() if k != "TF_WORKSPACE" and not k.startswith("TF_VAR_")}


def environment(folder: Path, roots: tuple[str, ...] = ROOTS) -> dict[str, str]:
    """Return the environment variables with which Terraform finds its AWS provider.

    folder: where a configuration file is written, if one is needed. The user's own configuration, if there
    is one, is left to say where providers come from, and so is Terraform, where there is no mirror: it looks
    below ~/.terraform.d and /usr/share/terraform by itself, and asks its registry.
    https://developer.hashicorp.com/terraform/cli/config/config-file
    """
    variables = {
        "CHECKPOINT_DISABLE": "1",  # no look for newer versions
        "GOGC": os.environ.get("GOGC", "1000"),  # Go collects less garbage: a quarter of the CPU
    }
    named = os.environ.get("TF_CLI_CONFIG_FILE")
    own = Path(named or "~/.terraformrc").expanduser()
    if own.is_file():
        return variables | {"TF_CLI_CONFIG_FILE": str(own)}
    mirror = next(mirrors(roots), None)
    if mirror is None:
        return variables
    config = folder / "terraform.rc"
    config.write_text(
        f"""\
provider_installation {{
  filesystem_mirror {{
    path    = "{mirror.as_posix()}"
    include = ["{PROVIDER}"]
  }}
  direct {{
    exclude = ["{PROVIDER}"]
  }}
}}
"""
    )
    return variables | {"TF_CLI_CONFIG_FILE": str(config)}


def trust_provider(folder: Path) -> None:
    """Spare each command, in the roots of a folder, the hash of the provider's 700 MB, a quarter of its time.

    Where init is told -lockfile=readonly, none is put back. For emulated accounts alone.
    https://developer.hashicorp.com/terraform/language/files/dependency-lock
    """
    for lock in folder.glob("*/.terraform.lock.hcl"):
        lock.write_text(re.sub(r"  hashes = \[.*?\]\n", "", lock.read_text(), flags=re.DOTALL))

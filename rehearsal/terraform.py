"""Terraform on machines that cannot reach its registry: finds a provider mirror on disk and points at it."""

import os
from collections.abc import Iterator
from pathlib import Path

# Terraform itself looks below the user's plugins folder and .../share/terraform/plugins only.
ROOTS = ("/opt", "/usr/lib", "/usr/local", "/srv", "/var/lib", "~")
DEPTH = 3
PROVIDER = "registry.terraform.io/hashicorp/aws"


def mirrors(roots: tuple[str, ...] = ROOTS) -> Iterator[Path]:
    """Yield the folders, at most DEPTH below a root, that mirror the AWS provider."""
    for root in roots:
        for depth in range(DEPTH):
            pattern = "*/" * depth + PROVIDER
            for found in sorted(Path(root).expanduser().glob(pattern)):
                yield found.parents[2]


def environment(folder: Path, roots: tuple[str, ...] = ROOTS) -> dict[str, str]:
    """Return the environment variables with which Terraform finds its provider.

    folder: where a configuration file is written, if one is needed. A configuration of the user's own that
    exists is left in place; without it and without a mirror Terraform asks its registry.
    """
    own = os.environ.get("TF_CLI_CONFIG_FILE")
    if own and Path(own).is_file():
        return {"TF_CLI_CONFIG_FILE": own}
    mirror = next(mirrors(roots), None)
    if mirror is None:
        return {}
    config = folder / "terraform.rc"
    config.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror.as_posix()}"\n  }}\n}}\n'
    )
    return {"TF_CLI_CONFIG_FILE": str(config)}

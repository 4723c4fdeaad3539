"""Install `lambda-template` into a folder of its own: what a lock file names, and this very checkout.

Usage: python operations/install.py FOLDER [LOCK]
"""

import os
import re
import shlex
import subprocess
import sys
import sysconfig
import venv
from importlib.util import find_spec
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parents[1]
# Of the variables of pip and uv, those that say where packages come from and how to get there. By the others,
# and by Python's, something else would be installed, or elsewhere, or nothing.
SOURCE = re.compile(
    "CACHE|CERT|CONFIG_FILE|CREDENTIAL|FEATURE|FIND_LINKS|HOST|INDEX|KEYRING|OFFLINE|PROXY|RETRIES|TIMEOUT|TLS"
)


def python(folder: Path) -> Path:
    """Return the interpreter of an environment."""
    return Path(sysconfig.get_path("scripts", "venv", {"base": str(folder)}), "python")


def packages(folder: Path) -> Path:
    """Return where an environment has its packages."""
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))


def variables() -> dict[str, str]:
    """Return the variables under which pip and uv do what they are told, and uv knows what pip is told."""
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") and (not name.startswith(("PIP_", "UV_")) or SOURCE.search(name))
    }
    told = {"SSL_CERT_FILE": own.get("PIP_CERT"), "UV_DEFAULT_INDEX": own.get("PIP_INDEX_URL")}
    return {name: value for name, value in told.items() if value} | own


def add(folder: Path, lock: Path) -> None:
    """Install what a lock file names into an environment, or exit with what pip says."""
    # An environment of ours has no pip; the Python that it was made of has.
    installer = sys.executable if find_spec("pip") else sys._base_executable  # type: ignore[attr-defined]
    pip = [installer, "-m", "pip", "--python", str(python(folder)), "install", "--quiet"]
    pip += ["--disable-pip-version-check", "--require-hashes", "--requirement", str(lock)]
    if subprocess.run(pip, env=variables(), check=False).returncode:
        sys.exit(f"{lock.name} cannot be installed, see above")
    if not any(packages(folder).glob("*.dist-info")):
        sys.exit(f"pip has not installed into {folder}; a line of {installer} -m pip config list says why")


def link(folder: Path) -> None:
    """Give an environment the command, which runs from this checkout."""
    (packages(folder) / "lambda-template.pth").write_text(f"{TEMPLATE}\n", "utf-8")
    command = python(folder).with_name("lambda-template")
    # A path with a space, or a long one, cannot stand after #!. To Python it is a string.
    become = f"#!/bin/sh\n'''exec' {shlex.quote(str(python(folder)))} \"$0\" \"$@\"\n' '''\n"
    command.write_text(f"{become}from operations.command import main\n\nmain()\n", "utf-8")
    command.chmod(0o755)


def main(folder: str, lock: str = str(TEMPLATE / "operations/requirements.txt")) -> None:
    """Make an environment for the command, with what a lock file names."""
    environment = Path(folder).resolve()
    venv.create(environment, with_pip=find_spec("pip") is None)
    add(environment, Path(lock))
    link(environment)


if __name__ == "__main__":
    main(*sys.argv[1:])

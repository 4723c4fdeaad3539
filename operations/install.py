"""Install `lambda-template` into a folder of its own: what a lock file names, and this very checkout.

Usage: python operations/install.py FOLDER
"""

import os
import subprocess
import sys
import sysconfig
import venv
from importlib.util import find_spec
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parents[1]
# What would have pip install elsewhere, or nothing.
MISLEADING = {"PIP_DRY_RUN", "PIP_PREFIX", "PIP_ROOT", "PIP_TARGET", "PIP_USER", "PYTHONHOME", "PYTHONPATH"}


def python(folder: Path) -> Path:
    """Return the interpreter of an environment."""
    return Path(sysconfig.get_path("scripts", "venv", {"base": str(folder)}), "python")


def add(folder: Path, lock: Path) -> None:
    """Install what a lock file names into an environment, or exit with what pip says."""
    own = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    # An environment of ours has no pip; the Python that it was made of has.
    installer = sys.executable if find_spec("pip") else sys._base_executable  # type: ignore[attr-defined]
    pip = [installer, "-m", "pip", "--python", str(python(folder)), "install", "--quiet"]
    pip += ["--disable-pip-version-check", "--require-hashes", "--requirement", str(lock)]
    if subprocess.run(pip, env=own, check=False).returncode:
        sys.exit(f"{lock.name} cannot be installed, see above")


def link(folder: Path) -> None:
    """Give an environment the command, which runs from this checkout."""
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    (packages / "lambda-template.pth").write_text(f"{TEMPLATE}\n", "utf-8")
    command = python(folder).with_name("lambda-template")
    command.write_text(f"#!{python(folder)}\nfrom operations.command import main\n\nmain()\n", "utf-8")
    command.chmod(0o755)


def main(folder: Path) -> None:
    """Make an environment for the command."""
    venv.create(folder, with_pip=find_spec("pip") is None)
    add(folder, TEMPLATE / "operations/requirements.txt")
    link(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

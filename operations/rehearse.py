"""Start a rehearsal, whose dependencies are installed when it is first asked for."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from operations import install


def main(given: list[str]) -> None:
    """Become the rehearsal's own command. given: its command line."""
    if find_spec("moto") is None:
        add_dependencies()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "rehearsal", *given])  # noqa: S606


def add_dependencies() -> None:
    """Install what a rehearsal needs: by uv, which takes a third of pip's time."""
    print("Installing what a rehearsal needs, once", file=sys.stderr, flush=True)
    install.add(Path(sys.prefix), install.TEMPLATE / "operations/installer.txt")
    lock = install.TEMPLATE / "rehearsal/requirements.txt"
    uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--python", sys.executable]
    uv += ["--require-hashes", "--requirement", str(lock)]
    if subprocess.run(uv, env=install.variables(), check=False).returncode:
        sys.exit(f"{lock.name} cannot be installed, see above")

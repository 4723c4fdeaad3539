"""Start a rehearsal, whose dependencies are installed when it is first asked for."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from operations import install


def main(given: list[str]) -> None:
    """Become the rehearsal's own command. given: its command line."""
    if find_spec("moto") is None:
        print("Installing what a rehearsal needs, once", file=sys.stderr, flush=True)
        install.add(Path(sys.prefix), install.TEMPLATE / "rehearsal/requirements.txt")
    os.execv(sys.executable, [sys.executable, "-P", "-m", "rehearsal", *given])  # noqa: S606

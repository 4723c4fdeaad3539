"""Git, as far as a rehearsal asks it."""

import subprocess
from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    """Return what a git command prints. Raises CalledProcessError."""
    command = ["git", "-c", "safe.directory=*", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()

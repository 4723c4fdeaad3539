"""Git, asked so that its answer is of the folder that is meant, in a form that nobody's settings change."""

import os
import subprocess

# What would add to what Git prints, write it otherwise, or run what is not Git's.
PLAIN = {
    "color.ui": "false",
    "core.attributesFile": os.devnull,
    "core.autocrlf": "false",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.quotePath": "false",
    "i18n.logOutputEncoding": "UTF-8",
    "log.showSignature": "false",
    "safe.directory": "*",
    "status.showUntrackedFiles": "normal",
}


class GitError(Exception):
    """Git has failed; the message is a line with its own words."""


class NoGitError(GitError):
    """There is no Git here."""


def clean(variables: dict[str, str] | None = None) -> dict[str, str]:
    """Return variables, of this process unless given, without those that tell Git of another repository."""
    given = os.environ if variables is None else variables
    return {name: value for name, value in given.items() if not name.startswith("GIT_")}


def git(folder: str | os.PathLike[str], *arguments: str, variables: dict[str, str] | None = None) -> str:
    """Return what a git command prints in a folder, without space around it. Raises GitError.

    variables: of Git's own, which it would not see otherwise.
    """
    settings = [part for name, value in PLAIN.items() for part in ("-c", f"{name}={value}")]
    command = ["git", *settings, *arguments]
    try:
        done = subprocess.run(
            command, cwd=folder, env=clean() | (variables or {}), capture_output=True, check=False
        )
    except (FileNotFoundError, NotADirectoryError):
        raise NoGitError("git is not on PATH; install it") from None
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise GitError(f"git {arguments[0]} in {folder}: {said or f'exit code {done.returncode}'}")
    return done.stdout.decode(errors="replace").strip()

"""Assemble build/release, which is what gets deployed: package, release.json, deployment, its tests.

Usage: python scripts/release.py RUNTIME HANDLER [--sandbox]

With --sandbox it only writes build/sandbox.json, the facts of what is on disk, committed or not.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

DEPLOYED = [".terraform-version", "accounts.json", "deployment", "events", "tests/deployed"]
DOTTED = [".terraform-version", "deployment/.terraform.lock.hcl"]  # lest an artifact lose them
UNPACKED = ["--exclude=.*", "--exclude=__pycache__"]  # of src/, as package.py has it
PACKAGE = Path("build/package.zip")
# Nobody's settings change what a release is.
SETTINGS = (
    *(f"core.attributesFile={os.devnull}", "i18n.logOutputEncoding=UTF-8", "log.showSignature=false"),
    "status.showUntrackedFiles=normal",
)
PLAIN = [part for setting in SETTINGS for part in ("-c", setting)]
RELEASE = Path("build/release")
SANDBOX = Path("build/sandbox.json")


def git(*arguments: str) -> bytes:
    """Return what a git command prints of this repository; if it fails, it has said why."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *PLAIN, *arguments], check=False, stdout=subprocess.PIPE, env=own)
    return done.stdout if done.returncode == 0 else sys.exit("commit first: a release is of a commit")


def summary(revision: str, subject: str, author: str, limit: int = 248) -> str:
    """Return a release in one line of printable ASCII, for where AWS shows it.

    Lambda's descriptions are the tightest place: 256 characters, a sandbox's with a word before the line.
    """
    start, end = f"{revision[:12]} ", f" ({printable(author)[:60]})"
    return (start + printable(subject)[: limit - len(start) - len(end)]).rstrip() + end


def printable(text: str) -> str:
    """Return text without accents, single-spaced, and with ? for all else that is not printable ASCII."""
    decomposed = unicodedata.normalize("NFKD", " ".join(text.split()))
    return "".join(c if " " <= c <= "~" else "?" for c in decomposed if not unicodedata.combining(c))


def branch() -> str:
    """Return the branch that is checked out, HEAD if none is; a tag may have the same name."""
    return git("rev-parse", "--symbolic-full-name", "HEAD").decode().strip().removeprefix("refs/heads/")


def facts(runtime: str, handler: str) -> dict[str, str]:
    """Return what release.json says of the package and the commit that is checked out."""
    template = json.loads(Path("template.json").read_text("utf-8"))
    commit = git("log", "-1", "--format=%H%x00%an%x00%s").decode(errors="replace")
    revision, author, subject = commit.removesuffix("\n").split("\0")
    return {
        "function": template["answers"]["function_name"],
        "revision": revision,
        "branch": os.environ.get("BRANCH") or branch(),
        "author": author,
        "subject": subject,
        "summary": summary(revision, subject, author),
        "built_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "build_id": os.environ.get("CODEBUILD_BUILD_ID", "local"),
        "runtime": runtime,
        "handler": handler,
        "sha256": hashlib.sha256(PACKAGE.read_bytes()).hexdigest(),
        "template": template["revision"],
        "template_version": template["version"],
    }


def write(path: Path, release: dict[str, str]) -> None:
    """Write the facts of a release."""
    path.write_text(json.dumps(release, indent=2, ensure_ascii=False) + "\n", "utf-8")


def assemble(release: dict[str, str]) -> None:
    """Write build/release for the commit that is checked out; refuse if files differ from it."""
    if changed := git("status", "--porcelain", "--untracked-files=no").decode():
        sys.exit(f"release: these files differ from the commit; commit or revert them first:\n{changed}")
    if packed := git("ls-files", "--others", *UNPACKED, "src").decode(errors="replace"):
        sys.exit(f"release: these files are packed, yet not committed; commit or remove them:\n{packed}")

    shutil.rmtree(RELEASE, ignore_errors=True)
    RELEASE.mkdir(parents=True)
    committed = git("-c", "core.autocrlf=false", "archive", "HEAD", *DEPLOYED)
    with tarfile.open(fileobj=io.BytesIO(committed)) as files:
        # Debian 12's Python, 3.11.2, does not look where links lead; the pipeline's does.
        files.extraction_filter = getattr(tarfile, "data_filter", None)
        try:
            files.extractall(RELEASE)  # noqa: S202 it is this repository's own commit
        except tarfile.TarError as error:
            sys.exit(f"release: a release cannot hold it: {error}")
    for name in DOTTED:
        (RELEASE / name).rename((RELEASE / name).with_name((RELEASE / name).name.lstrip(".")))
    shutil.copyfile(PACKAGE, RELEASE / PACKAGE.name)
    write(RELEASE / "release.json", release)
    print(f"{RELEASE}: {release['summary']}")


def main(runtime: str, handler: str, *sandbox: str) -> None:
    """Assemble a release, or say what is on disk."""
    release = facts(runtime, handler)
    if not sandbox:
        assemble(release)
        return
    if git("status", "--porcelain"):
        release["summary"] = f"changed {release['summary']}"
    write(SANDBOX, release)


if __name__ == "__main__":
    main(*sys.argv[1:])

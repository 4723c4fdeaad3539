"""Take over what has changed in the template since it made a repository, as Git takes over a commit.

The template is rendered twice with the repository's own answers: as it was, and as it is now. What differs is
merged into what stands here.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from hooks.git import GitError, git
from operations import install
from operations.repository import ACCOUNTS, read

REPOSITORY = Path.cwd()
MADE_FROM = read("template.json")
# To make commits of what is rendered, on machines where Git knows nobody, too.
NOBODY = ("-c", "user.name=lambda-template", "-c", "user.email=lambda-template@localhost")
BY_CLONE = "CLONE/.venv/bin/lambda-template update"
FOLLOW = ("-c", "merge.renames=true", "-c", "merge.directoryRenames=true")
# The stages that Git has of a path in conflict.
BEFORE, THERE = "1", "3"  # and what is here, 2


def main(to: str) -> int:
    """Merge what has changed up to a revision of the template, its newest without one; return the exit code.

    Exits before anything is changed if something is in the way.
    """
    if find_spec("cookiecutter") is None:
        print("Installing what an update needs, once", file=sys.stderr, flush=True)
        install.add(Path(sys.prefix), install.TEMPLATE / "operations/updater.txt")
    try:
        with TemporaryDirectory() as folder:
            return update(Path(folder), to)
    except GitError as error:
        sys.exit(str(error))


def update(folder: Path, to: str) -> int:
    """Do so. folder: an empty one, for what is needed meanwhile."""
    refuse_unless_clean()
    template = fetched(folder)
    old, new = (commit(template, revision) for revision in (MADE_FROM["revision"], to or "HEAD"))
    known = known_accounts(folder)
    older = checked_out(template, old, folder / "old")
    newer = checked_out(template, new, folder / "new")
    was, now = rendered({older: known, newer: given_accounts(newer) or known})
    record(was, now, new)
    before = committed(was, folder / "index", "The template as it was")
    message = told(template, old, new)
    after = committed(now, folder / "index", message, "-p", before)
    changed = paths("diff-tree", "-r", "--name-only", before, after)
    if not changed:
        print(f"Nothing to do: this repository is made from {new[:12]} already.")
        return 0
    refuse_if_in_the_way(changed)
    conflicts = merge(after)
    print(f"{message.splitlines()[0]}: {len(changed)} files, in the index.")
    if conflicts:
        print(f"In conflict: {', '.join(conflicts)}. Resolve, then git add.")
    print("Next: git diff --cached, make lint test, git commit. Or git reset --merge, which takes it back.")
    if any(path.startswith("tests/deployed/") for path in changed):
        print("tests/deployed has changed, and holds releases back: make sandbox verify, before you push.")
    if any(path == "accounts.json" or path.startswith("pipeline/") for path in changed):
        print("Once it is merged: make pipeline, as an operator.")
    return 1 if conflicts else 0


def paths(command: str, *arguments: str) -> list[str]:
    """Return the paths that a git command prints about this repository."""
    return [path for path in git(REPOSITORY, command, "-z", *arguments).split("\0") if path]


def refuse_unless_clean() -> None:
    """Exit if this is not the root of a Git repository, or if something is not committed."""
    if git(REPOSITORY, "rev-parse", "--show-prefix"):
        sys.exit(f"{REPOSITORY} is not the root of its Git repository, so it cannot be updated")
    if git(REPOSITORY, "status", "--porcelain"):
        sys.exit("commit or stash first what git status shows, so that the update stands alone")


def refuse_if_in_the_way(changed: list[str]) -> None:
    """Exit if Git would write over a file of which it knows nothing, since it ignores it."""
    strangers = {path for path in changed if os.path.lexists(path)} - set(paths("ls-files"))
    if strangers:
        sys.exit(f"move what Git ignores and the template has: {', '.join(sorted(strangers))}")


def source() -> str:
    """Return where the template is: the clone that this runs from, or where that has been fetched from."""
    installed = install.TEMPLATE == REPOSITORY / ".tool/src"
    return str(MADE_FROM["template"] if installed else install.TEMPLATE)


def fetched(folder: Path) -> Path:
    """Return a copy of the template's repository."""
    local = git(folder, "rev-parse", "--local-env-vars").split()
    own = {n: value for n, value in os.environ.items() if n.startswith("GIT_") and n not in local}
    clone = ("clone", "--quiet", "--bare", "--", source(), "template.git")
    git(folder, *clone, variables={**own, "GIT_TERMINAL_PROMPT": "0"})
    return folder / "template.git"


def commit(template: Path, revision: str) -> str:
    """Return the commit that a revision of the template is, or exit if there is none."""
    for name in (f"refs/heads/{revision}", revision):  # a branch, though there is a tag of its name
        with suppress(GitError):
            return git(template, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")
    sys.exit(f"{source()} has no revision {revision}; in a clone that has it: {BY_CLONE}")


def checked_out(template: Path, revision: str, folder: Path) -> Path:
    """Return a folder with the template at a commit."""
    git(template, "clone", "--quiet", "--shared", "--no-checkout", str(template), str(folder))
    git(folder, "checkout", "--quiet", revision)
    return folder


def known_accounts(folder: Path) -> Path:
    """Return an accounts file that says what this repository knows of its organization."""
    facts = dict(ACCOUNTS)
    if MADE_FROM["template"] != f"https://github.com/{facts['github_owner']}/lambda-template":
        facts["template"] = MADE_FROM["template"]
    file = folder / "accounts.yaml"
    file.write_text(json.dumps(facts, ensure_ascii=False), "utf-8")
    return file


def given_accounts(template: Path) -> Path | None:
    """Return the organization's accounts file, or none where it is not."""
    answer: str = MADE_FROM["answers"]["accounts_file"]
    file = template / os.path.expanduser(answer)  # noqa: PTH111  pathlib fails where there is no such user
    if file.is_file():
        return file
    if not sys.stdin.isatty():
        print(f"{answer} is not on this machine, so what accounts.json says stays", file=sys.stderr)
        return None
    question = f"{answer} is not on this machine. Another accounts file, or Enter to keep accounts.json: "
    print(question, end="", flush=True)
    typed = sys.stdin.readline().strip()
    return Path(typed).expanduser().resolve() if typed else None


def rendered(accounts: dict[Path, Path]) -> list[Path]:
    """Return the folders of what templates make of the repository's answers, or exit and say why they refuse.

    accounts: the accounts file for each template.
    """
    outputs = [template.with_name(f"{template.name}-rendered") for template in accounts]
    cookiecutter = (sys.executable, "-P", "-m", "cookiecutter", "--no-input", "--default-config")
    commands = [
        [*cookiecutter, "--output-dir", str(output), str(template), *answers(template, file)]
        for output, (template, file) in zip(outputs, accounts.items(), strict=True)
    ]
    own = {**os.environ, "HOME": str(outputs[0].parent)}  # where cookiecutter keeps answers
    renderings = [
        subprocess.Popen(command, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for command in commands
    ]
    said = [process.communicate()[0] for process in renderings]
    for process, lines in zip(renderings, said, strict=True):
        if process.returncode:
            sys.exit(f"the template refuses the repository's answers; nothing is changed:\n{lines.rstrip()}")
    return [output / MADE_FROM["answers"]["function_name"] for output in outputs]


def answers(template: Path, accounts: Path) -> list[str]:
    """Return the repository's answers as cookiecutter is told them, or exit if one is no choice any more."""
    questions = json.loads((template / "cookiecutter.json").read_text("utf-8"))
    given = {**MADE_FROM["answers"], "accounts_file": str(accounts)}
    for name, answer in given.items():
        if isinstance(questions.get(name), str):  # which would be rendered
            given[name] = "{{ " + json.dumps(answer, ensure_ascii=False) + " }}"
        elif answer not in questions.get(name, [answer]):
            sys.exit(f"the {template.name} template has no {name} {answer}; nothing is changed")
    return [f"{name}={answer}" for name, answer in given.items()]


def record(was: Path, now: Path, revision: str) -> None:
    """Have what is rendered say what this repository says of its template, and then what it is to say."""
    made_from = json.loads((now / "template.json").read_bytes())
    made_from["answers"]["accounts_file"] = MADE_FROM["answers"]["accounts_file"]
    text = json.dumps(made_from, indent=2, ensure_ascii=False) + "\n"
    (now / "template.json").write_text(text, "utf-8", newline="\n")
    (was / "template.json").write_bytes(Path("template.json").read_bytes())
    if (cruft := Path(".cruft.json")).exists():
        state = cruft.read_text("utf-8")
        (was / cruft).write_text(state, "utf-8")
        was_made_at = json.dumps(json.loads(state)["commit"])
        (now / cruft).write_text(state.replace(was_made_at, json.dumps(revision)), "utf-8")


def committed(folder: Path, index: Path, message: str, *arguments: str) -> str:
    """Return a commit, on no branch of this repository, of a folder. index: a file for nothing else."""
    here = ("--git-dir", git(REPOSITORY, "rev-parse", "--absolute-git-dir"), "--work-tree", str(folder))
    own = {"GIT_INDEX_FILE": str(index)}
    git(folder, *here, "-c", "core.fileMode=true", "add", "--all", "--force", variables=own)
    tree = git(folder, *here, "write-tree", variables=own)
    return git(REPOSITORY, *NOBODY, "commit-tree", tree, "-m", message, *arguments)


def told(template: Path, old: str, new: str) -> str:
    """Return what a commit of the update says: from where to where, and what the changelog says of it."""
    changes = git(template, "diff", "--no-ext-diff", "--unified=0", old, new, "--", "CHANGELOG.md")
    lines = [line[1:] for line in changes.splitlines() if line.startswith("+- ")]
    revisions = f"lambda-template {old[:12]} to {new[:12]}" if old != new else "the accounts file"
    return "\n".join([f"Update from {revisions}", "", MADE_FROM["template"], *lines])


def merge(commit: str) -> list[str]:
    """Put what a commit changes into the index and the files; return the paths that are in conflict.

    What has been deleted here stays deleted, and is told.
    """
    try:
        git(REPOSITORY, *FOLLOW, "cherry-pick", "--no-commit", commit)
    except GitError:
        stages = unmerged()
        if not stages:
            raise
        deleted = [path for path, found in stages.items() if found == {BEFORE, THERE}]
        if deleted:
            git(REPOSITORY, "rm", "--quiet", "--", *deleted)
            print(f"Changed by the template, but deleted here, so it stays deleted: {', '.join(deleted)}")
        return [path for path in stages if path not in deleted]
    return []


def unmerged() -> dict[str, set[str]]:
    """Return the stages that Git has of each path that it could not merge."""
    found: dict[str, set[str]] = {}
    for line in paths("ls-files", "--unmerged"):
        entry, path = line.split("\t")
        found.setdefault(path, set()).add(entry.split()[2])
    return found

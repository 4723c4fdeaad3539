"""What the hooks write of the template and lay over the common files."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import hcl2
import pytest
from cookiecutter.main import cookiecutter

from tests.conftest import Bake
from tests.worlds import TEMPLATE

ROOMS = (
    "hooks",
    "runtimes",
    "triggers",
    "{{cookiecutter.function_name}}",
    "accounts.yaml",
    "cookiecutter.json",
)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A copy of the template, without its history."""
    copy = tmp_path / "template"
    copy.mkdir()
    for room in ROOMS:
        source = TEMPLATE / room
        if source.is_dir():
            shutil.copytree(source, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    return copy


def generated(template: Path, **answers: str) -> Path:
    """Return a repository that is generated from a template."""
    output = str(template.parent / "output")
    return Path(cookiecutter(str(template), no_input=True, output_dir=output, extra_context=answers))


def made_from(repository: Path) -> dict[str, Any]:
    """Return what a repository knows of its template."""
    facts: dict[str, Any] = json.loads((repository / "template.json").read_text("utf-8"))
    return facts


def git(folder: Path, *arguments: str) -> str:
    """Return what Git says."""
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path) -> str:
    """Commit all of a folder; return the commit."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "x")
    return git(folder, "rev-parse", "HEAD")


def test_a_repository_knows_the_commit_of_its_template_and_where_to_fetch_it(template: Path) -> None:
    revision = commit(template)

    facts = made_from(generated(template, description="Says “hi”."))

    assert facts["template"] == "https://github.com/acme/lambda-template"
    assert (facts["revision"], facts["version"]) == (revision, "0.1.0")
    assert facts["answers"] == {
        "accounts_file": "accounts.yaml",
        "authorization": "iam",
        "description": "Says “hi”.",
        "function_name": "hello-lambda",
        "runtime": "python3.13",
        "trigger": "none",
    }


def test_a_template_that_is_no_checkout_is_known_by_its_version(template: Path) -> None:
    commit(template.parent)  # what it happens to lie in is not its own

    assert made_from(generated(template))["revision"] == "0.1.0"


def test_git_s_own_variables_do_not_change_whose_commit_is_asked_for(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    revision, elsewhere = commit(template), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    commit(elsewhere)
    monkeypatch.setenv("GIT_DIR", str(elsewhere / ".git"))

    assert made_from(generated(template))["revision"] == revision


def test_without_git_the_version_must_do(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(template)
    monkeypatch.setenv("PATH", os.devnull)

    assert made_from(generated(template))["revision"] == "0.1.0"


def test_the_accounts_file_may_say_where_the_template_is(template: Path) -> None:
    with (template / "accounts.yaml").open("a") as file:
        file.write("template: git@git.example.com:platform/lambda-template.git\n")

    repository = generated(template)

    assert made_from(repository)["template"] == "git@git.example.com:platform/lambda-template.git"
    assert "template" not in json.loads((repository / "accounts.json").read_text())


def test_an_update_works_where_the_accounts_file_is_not_and_brings_what_has_changed_in_it(
    template: Path, tmp_path: Path
) -> None:
    commit(template)
    accounts, runtime = tmp_path / "ada/accounts.yaml", template / "runtimes/python/files/runtime.mk"
    accounts.parent.mkdir()
    accounts.write_text((template / "accounts.yaml").read_text().replace("acme-dev-artifacts", "ada-s"))
    cruft = str(Path(sys.executable).with_name("cruft"))
    answers = json.dumps({"accounts_file": str(accounts)})
    create = [cruft, "create", str(template), "--no-input", "--extra-context", answers]
    subprocess.run(create, cwd=tmp_path, check=True, capture_output=True)
    repository = tmp_path / "hello-lambda"

    def updated() -> str:
        """Change the template, update; return the bucket of the first environment."""
        commit(repository)
        runtime.write_text(runtime.read_text() + "# changed\n")
        commit(template)
        subprocess.run([cruft, "update", "--skip-apply-ask"], cwd=repository, check=True, capture_output=True)
        assert (repository / "runtime.mk").read_bytes() == runtime.read_bytes()
        bucket: str = json.loads((repository / "accounts.json").read_bytes())["environments"][0][
            "artifacts_bucket"
        ]
        return bucket

    accounts.rename(tmp_path / "accounts.yaml")
    assert updated() == "ada-s"
    accounts.write_text((tmp_path / "accounts.yaml").read_text().replace("ada-s", "bob-s"))
    assert updated() == "bob-s"


# As an organization that asks for MFA, names its operators, adopts and shares writes them, in styles of YAML.
NAMED = """\
bootstrap_role: AWSControlTowerExecution
people:
  mfa: yes
  operators:
    - arn:aws:iam::111111111111:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Operators_*
    - 'arn:aws:iam::111111111111:user/ada'
"""
ADOPTED = "adopt: [key, developer]"
SHARED = 'shared: ["arn:aws:dynamodb:us-east-1:222222222222:table/prices", "arn:aws:s3:::acme-lake/*"]'


@pytest.fixture
def narrowed(template: Path) -> Path:
    """The template with an accounts file that has whatever may be left out."""
    file = template / "accounts.yaml"
    text = file.read_text("utf-8").replace(
        "acme-dev-artifacts }", f"acme-dev-artifacts, {ADOPTED}, {SHARED} }}"
    )
    text = text.replace("acme-ops-terraform-state }", "acme-ops-terraform-state, adopt: [state_bucket] }")
    file.write_text(text + NAMED, "utf-8")
    return template


def test_a_repository_says_nothing_that_is_the_foundation_s_alone(narrowed: Path) -> None:
    facts = json.loads((generated(narrowed) / "accounts.json").read_bytes())

    of_all = {"organization", "region", "github_owner", "plan_pull_requests", "people"}
    assert facts.keys() == of_all | {"ops", "environments"}
    assert facts["people"] == {"mfa": True}  # as the README's profiles have it
    environment = {"name", "id", "state_bucket", "artifacts_bucket", "approval"}
    assert [each.keys() for each in facts["environments"]] == [environment] * 3
    assert facts["ops"].keys() == {"id", "state_bucket"}


def test_profiles_ask_for_a_code_where_the_roles_ask_for_mfa(bake: Bake, narrowed: Path) -> None:
    device = "mfa_serial = arn:aws:iam::111111111111:mfa/YOURS\n"
    profiles = (generated(narrowed) / "README.md").read_text("utf-8").split("[profile ")[1:]

    assert len(profiles) == 9
    assert all(profile.count(device) == 1 for profile in profiles)
    assert device not in (bake() / "README.md").read_text("utf-8")


def test_a_new_runtime_and_a_new_trigger_are_folders_and_a_line_each(template: Path) -> None:
    """As docs/extending.md tells it."""
    for path, content in {
        "runtimes/cobol/README.md.in": "## COBOL for @FUNCTION@\n",
        "runtimes/cobol/taken-names.txt": "perform\n",
        "runtimes/cobol/files/runtime.mk": "HANDLER := main\n",
        "runtimes/cobol/files/@PACKAGE@.cob.in": "* @RUNTIME_NAME@ @RUNTIME_VERSION@\n",
        "runtimes/cobol/files/.gitignore.add": "/listings/\n",
        "runtimes/cobol/handlers/none/main.cob": "* by hand @PACKAGE@\n",
        "runtimes/cobol/handlers/telegram/main.cob": "* by telegram\n",
        "runtimes/cobol/shared/wires/wires.cob": "* by wire\n",
        "triggers/telegram/README.md.in": "A telegram invokes it.\n",
        "triggers/telegram/shared.txt": "wires\n",
        "triggers/shared/wires/deployment/wires.tf.in": "# @FUNCTION@\n",
        "triggers/telegram/files/deployment/trigger.tf": "# telegrams\n",
        "triggers/telegram/files/deployment/environments/@ENVIRONMENT@.txt.in": "@ENVIRONMENT@\n",
    }.items():
        (template / path).parent.mkdir(parents=True, exist_ok=True)
        (template / path).write_text(content)
    questions = json.loads((template / "cookiecutter.json").read_text("utf-8"))
    questions["runtime"].append("cobol85")
    questions["_languages"]["cobol85"] = "cobol"
    questions["trigger"].append("telegram")
    (template / "cookiecutter.json").write_text(json.dumps(questions))

    repository = generated(template, function_name="tele-type", runtime="cobol85", trigger="telegram")

    readme = (repository / "README.md").read_text()
    assert "## COBOL for tele-type" in readme
    assert "A telegram invokes it." in readme
    assert (repository / "tele_type.cob").read_text() == "* cobol 85\n"
    ignored = (template / "{{cookiecutter.function_name}}/.gitignore").read_text()
    assert (repository / ".gitignore").read_text() == ignored + "/listings/\n"
    assert (repository / "main.cob").read_text() == "* by telegram\n"
    assert (repository / "deployment/trigger.tf").read_text() == "# telegrams\n"
    assert (repository / "wires.cob").read_text() == "* by wire\n"
    assert (repository / "deployment/wires.tf").read_text() == "# tele-type\n"
    assert (repository / "deployment/environments/stage.txt").read_text() == "stage\n"
    assert "RUNTIME := cobol85" in (repository / "Makefile").read_text()
    python = {"pyproject.toml", "src", "events", "requirements.txt", "wiring.json"}
    assert python.isdisjoint(path.name for path in repository.iterdir())


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        ("iam", "needs `execute-api:Invoke`"),
        ("none", "**It is open: anybody who knows the address may call it.**"),
        ("jwt https://login.example.com/v2 orders api://invoices", "sends a JSON Web Token"),
    ],
)
def test_who_may_send_requests_stands_in_terraform_and_in_the_readme(
    bake: Bake, answer: str, meaning: str
) -> None:
    repository = bake(trigger="http", authorization=answer)

    (variable,) = hcl2.loads((repository / "deployment/authorization.tf").read_text())["variable"]
    assert variable['"authorization"']["default"].strip('"') == answer
    assert meaning in (repository / "README.md").read_text()


def test_a_runtime_that_has_no_handler_for_a_trigger_is_refused(
    template: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    questions = json.loads((template / "cookiecutter.json").read_text("utf-8"))
    questions["trigger"].append("telegram")
    (template / "cookiecutter.json").write_text(json.dumps(questions))

    with pytest.raises(Exception, match="Hook script failed"):
        generated(template, trigger="telegram")

    assert "trigger: telegram has no handler in python3.13 yet" in capfd.readouterr().err


def test_a_trigger_may_ask_for_shorter_names_of_functions_and_says_why(
    template: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (template / "triggers/none/longest-name.txt").write_text("5 so that a telegram\nholds it\n")

    assert generated(template, function_name="short").name == "short"
    with pytest.raises(Exception, match="Hook script failed"):
        generated(template, function_name="longer")

    fault = "'longer' has 6 characters; it may have 5, with the trigger none, so that a telegram holds it"
    assert fault in capfd.readouterr().err


def test_nothing_empty_and_nothing_of_the_template_is_left(bake: Bake) -> None:
    repository = bake()

    assert [path for path in repository.rglob("*") if path.is_dir() and not list(path.iterdir())] == []
    left = [path for path in repository.rglob("*") if path.suffix in (".add", ".in") or "@" in path.name]
    assert left == []

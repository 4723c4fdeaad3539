import keyword
import shutil
import subprocess
import sys
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pytest
from botocore.session import get_session
from cookiecutter.utils import create_env_with_context

from hooks.accounts_file import MISSING, REGIONS
from tests.conftest import Bake
from tests.faults import cookies
from tests.worlds import TEMPLATE

ACCOUNTS = (TEMPLATE / "accounts.yaml").read_text("utf-8")
ADA = "arn:aws:iam::111111111111:user/ada"
PRICES = "arn:aws:dynamodb:us-east-1:222222222222:table/prices"
COOKIECUTTER = str(Path(sys.executable).with_name("cookiecutter"))


def refusal(output: Path, *answers: str) -> str:
    """Return what a person reads who gives bad answers; make sure that nothing is written."""
    output.mkdir()
    refused = cookies.bake(output, dict(answer.split("=", maxsplit=1) for answer in answers))
    assert refused.repository is None
    assert list(output.iterdir()) == []
    return refused.said


@pytest.mark.tries("answers", "refused by name")
@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("function_name=Order_Intake", "such as order-intake"),
        *(
            (f"function_name={name}", "must be lower-case")
            for name in ("a/b", "../x", "a/../..", "", ".", "..")
        ),
        (f"function_name={TEMPLATE}/a/b", "must be lower-case"),
        ("function_name=1st", "such as st"),
        ("function_name=a--b", "such as a-b"),
        (f"function_name={'a' * 43}", "has 43 characters; it may have 42"),
        *(
            (f"function_name=orders-{role}", "ends like the role of another function")
            for role in ("builder", "deployer", "planner", "reviewer", "scheduler", "traffic", "verifier")
        ),
        ("function_name=orders-failures", "ends like the queue of what another function failed to handle"),
        ("function_name=orders-promoted", "ends like the rule that starts another function's pipeline"),
        *(
            (f"function_name=acme-{own}", "a name that the foundation uses")
            for own in ("promoter", "pipelines-boundary", "undelivered", "verifiers-boundary")
        ),
        ("function_name=json", "the Python package json, which is taken"),
        ("function_name=release", "the Python package release, which is taken"),
        ("function_name=class", "the Python package class, which is taken"),
        ("description= ", "description: is empty"),
        (f"description={'x' * 201}", "description: has 201 characters; it may have 200"),
        ("description=two\nlines", "(U+000A)"),
        ("description=a\x1bb", "(U+001B)"),
        ("authorization=none", "says who may send requests, of which none has none; leave it at iam"),
        ("accounts_file=nowhere.yaml", "nowhere.yaml cannot be read"),
        ("accounts_file=~no-such-user/accounts.yaml", "~no-such-user/accounts.yaml cannot be read"),
        (f"accounts_file={TEMPLATE}", "cannot be read"),
    ],
)
def test_a_bad_answer_is_refused_by_name_and_nothing_is_written(
    tmp_path: Path, answer: str, fault: str
) -> None:
    shown = refusal(tmp_path / "output", answer)

    assert any(
        line.startswith(answer.split("=", maxsplit=1)[0]) and fault in line for line in shown.splitlines()
    ), shown


@pytest.mark.tries("answers", "refused by name")
@pytest.mark.parametrize(
    "answer",
    [
        "",
        "IAM",
        "open",
        "jwt",
        "jwt https://login.example.com/",
        "jwt http://login.example.com/ orders",
        "jwt https://login.example.com/  orders",
        'jwt https://login.example.com/ "orders"',
        "jwt https://login.example.com/${x} orders",
        "none\n",
    ],
)
def test_who_may_send_requests_is_refused_with_what_would_be_right(tmp_path: Path, answer: str) -> None:
    shown = refusal(tmp_path / "output", "trigger=http", f"authorization={answer}")

    assert (
        f"authorization: {answer!r} must be iam or none or jwt ISSUER AUDIENCE, such as jwt https://" in shown
    )


def test_a_name_that_holds_the_word_sandbox_is_a_function_s_like_any_other(bake: Bake) -> None:
    assert bake(function_name="orders-sandbox-ada").name == "orders-sandbox-ada"


@pytest.mark.parametrize("options", [["-f"], ["-f", "-s"]])
@pytest.mark.parametrize("mine", ["deployment/mine.tf", "Makefile", ".git/HEAD"])
def test_a_folder_that_holds_something_is_refused_and_left_as_it_is(
    tmp_path: Path, options: list[str], mine: str
) -> None:
    kept = tmp_path / "hello-lambda" / mine
    kept.parent.mkdir(parents=True)
    kept.write_text("# mine")
    command = [COOKIECUTTER, "--no-input", *options, "--output-dir", str(tmp_path), str(TEMPLATE)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "hello-lambda: is not empty" in done.stderr
    assert kept.read_text() == "# mine"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [kept]


def test_all_faults_of_a_run_are_listed(tmp_path: Path) -> None:
    shown = refusal(tmp_path / "output", "function_name=A", "description=", "accounts_file=nowhere.yaml")

    assert [line.split(":")[0] for line in shown.splitlines()[:3]] == [
        "function_name",
        "description",
        "accounts_file",
    ]


@pytest.mark.tries("accounts files", "refused by line")
@pytest.mark.parametrize(
    ("good", "bad", "fault"),
    [
        (
            '"222222222222"',
            "022222222222",
            "lost its leading zero: without quotes YAML",
        ),
        ('"222222222222"', "222222222222", 'is a number without quotes; write "222222222222"'),
        ('"222222222222"', '"22222222222"', "must be 12 digits; if it began with a zero"),
        ('"222222222222"', '"111111111111"', "111111111111 stands already on line 5"),
        ("acme-dev-artifacts", "Acme", "is not a bucket name that S3 takes"),
        ("acme-dev-artifacts", "a" * 54, "is too long: with -pipelines it has to fit into 63 characters"),
        ("acme-dev-artifacts", "192.168.0.1", "is not a bucket name that S3 takes"),
        ("acme-dev-artifacts", "acme-ops-terraform-state", "stands already on line 5"),
        ("us-east-1", "us-est-1", "did you mean us-west-1?|did you mean us-east-1?"),
        ("us-east-1", "cn-north-1", "not a region of the partition aws"),
        ("us-east-1", "mx-central-1", "mx-central-1 has no CodeBuild, no CodeConnections, no CodePipeline"),
        ("name: stage", "name: dev", "dev stands already on line 7"),
        ("name: stage", "name: ops", "'ops' is taken"),
        ("name: stage", "name: nul", "'nul' is taken"),
        ("name: stage", "name: St", "must be lower-case words"),
        ("approval: true", "approval: perhaps", "must be true or false"),
        ("approval: true", "aproval: true", "environments[2].aproval: is not known; did you mean approval?"),
        ("github_owner: acme", "github_owner: -x", "not a name that GitHub takes"),
        ("github_owner: acme\n", "", "github_owner: is missing"),
        (
            "github_owner: acme",
            "template: https://token@github.com/acme/x",
            "not an address that Git fetches",
        ),
        ("github_owner: acme", "template: $(reboot)", "not an address that Git fetches"),
        ("github_owner: acme", "region: us-east-1", "region: stands twice"),
        ("organization: acme", "organization: [acme]", "organization: must be a single value"),
        *(
            (
                "github_owner: acme\n",
                f"github_owner: acme\npeople: {people}\n",
                f"accounts.yaml:5: people{fault}",
            )
            for people, fault in {
                "": ": must be a mapping with mfa, operators, developers, readers",
                "true": ": must be a mapping with mfa, operators, developers, readers",
                "{ mfa: sometimes }": ".mfa: 'sometimes' must be true or false",
                '{ mfa: "true" }': ".mfa: 'true' must be true or false",
                "{ operator: [] }": ".operator: is not known; did you mean operators?",
                "{ operators: [] }": ".operators: must be a list with at least one entry",
                f"{{ readers: {ADA} }}": ".readers: must be a list with at least one entry",
                "{ developers: [ada] }": ".developers[0]: 'ada' is not the ARN of a role or user, such as "
                "arn:aws:iam::111111111111:role/aws-reserved/",
                f"{{ developers: [{ADA}, {ADA.replace('/ada', '')}] }}": ".developers[1]: ",
                f"{{ readers: ['{ADA.replace('111111111111', '*')}'] }}": ".readers[0]: ",
            }.items()
        ),
        *(
            (
                "acme-dev-artifacts }",
                f"acme-dev-artifacts, shared: {shared} }}",
                f"accounts.yaml:7: environments[0].shared{fault}",
            )
            for shared, fault in {
                "[]": ": must be a list with at least one entry",
                f'"{PRICES}"': ": must be a list with at least one entry",
                "[prices]": "[0]: 'prices' is not the ARN of a resource, such as arn:aws:dynamodb:",
                f'["{PRICES}", "*"]': "[1]: '*' is not the ARN of a resource",
                '["arn:aws:*:us-east-1:222222222222:table/prices"]': "[0]: ",
                '["arn:aws:dynamodb:us-east-1:*:table/prices"]': "[0]: ",
            }.items()
        ),
        *(
            (place, f"{place.removesuffix(' }')}, adopt: {adopt} }}", fault)
            for place, adopt, fault in [
                (
                    "acme-ops-terraform-state }",
                    "[artifacts_bucket]",
                    "accounts.yaml:5: ops.adopt[0]: 'artifacts_",
                ),
                ("acme-ops-terraform-state }", "key", "ops.adopt: must be a list with at least one entry"),
                (
                    "acme-dev-artifacts }",
                    "[key, operators]",
                    "accounts.yaml:7: environments[0].adopt[1]: 'operators'",
                ),
                (
                    "acme-dev-artifacts }",
                    "[readers]",
                    "key, github, operator, developer, reader; did you mean reader?",
                ),
            ]
        ),
        ("organization: acme", "organization: {", "is not YAML"),
        ("organization: acme", "organization: \x07", "is not YAML"),
    ],
)
def test_a_fault_in_the_accounts_file_is_refused_by_line(
    tmp_path: Path, good: str, bad: str, fault: str
) -> None:
    assert good in ACCOUNTS
    accounts = tmp_path / "accounts.yaml"
    accounts.write_text(ACCOUNTS.replace(good, bad, 1), "utf-8")

    shown = refusal(tmp_path / "output", f"accounts_file={accounts}")

    assert any(
        line.startswith("accounts.yaml:") and any(wanted in line for wanted in fault.split("|"))
        for line in shown.splitlines()
    ), shown


@pytest.mark.tries("accounts files", "refused by line")
@pytest.mark.parametrize(
    ("text", "fault"), [("", "is empty"), ("- a", "must be a mapping"), ("x", "must be a mapping")]
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    accounts = tmp_path / "accounts.yaml"
    accounts.write_text(text)

    assert fault in refusal(tmp_path / "output", f"accounts_file={accounts}")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.yaml"
    accounts.write_bytes(b"\xff\xfe\x00")

    assert "is not text in UTF-8" in refusal(tmp_path / "output", f"accounts_file={accounts}")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_any_number_of_environments_is_wired(tmp_path: Path, bake: Bake, count: int) -> None:
    lines = ACCOUNTS.splitlines()[:6] + [
        f'  - {{ name: e{i}, id: "00000000000{i}", state_bucket: s-{i}, artifacts_bucket: a-{i} }}'
        for i in range(count)
    ]
    accounts = tmp_path / "accounts.yaml"
    accounts.write_text("\n".join(lines))

    repository = bake(accounts_file=str(accounts))

    names = [f"e{i}" for i in range(count)]
    assert sorted(p.stem for p in (repository / "deployment/environments").iterdir()) == names
    assert sorted(p.stem for p in (repository / "pipeline/environments").iterdir()) == names
    assert '"id": "000000000000"' in (repository / "accounts.json").read_text()
    assert all(f"| {name} | " in (repository / "README.md").read_text() for name in names)


def test_an_answer_shaped_like_code_reaches_the_hook_as_data(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"function_name": 'x"""\n{{ 1 }}', "description": "\\", "runtime": "r", "trigger": "none"}
    answers |= {"authorization": "iam"}
    private = {"_version": "0", "_languages": {"r": "python"}}
    context = {"cookiecutter": answers | private | {"accounts_file": "accounts.yaml"}}
    text = (TEMPLATE / "hooks/pre_gen_project.py").read_text("utf-8")
    names: dict[str, Any] = {"__name__": "hook"}
    monkeypatch.chdir(TEMPLATE)
    exec(create_env_with_context(context).from_string(text).render(**context), names)  # noqa: S102

    assert names["GIVEN"]["answers"]["function_name"] == 'x"""\n{{ 1 }}'
    assert names["GIVEN"]["template"] == str(TEMPLATE)


def test_no_function_is_named_like_what_its_code_imports(bake: Bake) -> None:
    taken = (TEMPLATE / "runtimes/python/taken-names.txt").read_text("ascii").split()
    scripts = {script.stem for script in (bake() / "scripts").glob("*.py")}
    own = {name for name in sys.stdlib_module_names if name[0] in ascii_lowercase and name == name.lower()}

    assert scripts | own | set(keyword.kwlist) - {"False", "None", "True"} <= set(taken)


def test_the_regions_are_those_that_botocore_knows() -> None:
    assert sorted(get_session().get_available_regions("ec2", "aws")) == REGIONS


@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("CodeBuild", "codebuild"),
        ("CodeConnections", "codestar-connections"),
        ("CodePipeline", "codepipeline"),
    ],
)
def test_a_region_without_what_builds_and_deploys_is_known_as_such(service: str, name: str) -> None:
    there = get_session().get_available_regions(name, "aws")

    assert sorted(set(REGIONS) - set(there)) == MISSING[service]


def test_answers_come_from_a_users_own_configuration_and_from_a_replay(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        f"default_context: {{function_name: order-intake}}\nreplay_dir: {tmp_path}/replay\n"
        f"cookiecutters_dir: {tmp_path}/cookiecutters\n"
    )
    common = [COOKIECUTTER, "--config-file", str(config), "--output-dir", str(tmp_path)]

    subprocess.run([*common, "--no-input", str(TEMPLATE)], check=True)
    first = (tmp_path / "order-intake/README.md").read_bytes()
    shutil.rmtree(tmp_path / "order-intake")
    subprocess.run([*common, "--replay", str(TEMPLATE)], check=True)

    assert (tmp_path / "order-intake/README.md").read_bytes() == first

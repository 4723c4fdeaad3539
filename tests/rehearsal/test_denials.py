"""What a function's owner is told who adds something that its roles may not do yet."""

import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from emulator.accounts import EmulatedAccounts
from emulator.calls import Caller, Check
from emulator.judge.grants import Grant
from hooks.git import git
from rehearsal import demo, denials, report
from rehearsal.cli import conclude
from rehearsal.outcome import Rehearsal
from rehearsal.rehearse import Options, rehearse
from screen import Screen
from tests.worlds import FACTS, Rehearsed

TABLE = """\
resource "aws_dynamodb_table" "notes" {
  name         = "${local.function_name}-notes"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"

  attribute {
    name = "id"
    type = "S"
  }
}
"""
HANDLER = '''
import boto3

greet_only, tables = handle, boto3.client("dynamodb")


def handle(event: Any, context: LambdaContext) -> dict[str, str]:
    """Keep who was greeted."""
    name = context.function_name
    tables.put_item(TableName=f"{name}-notes", Item={"id": {"S": str(event)}})
    return greet_only(event, context)
'''


IDENTITY, BOUNDARY = (
    "because no identity-based policy of x allows",
    "because no permissions boundary of x allows",
)
BOTH = "because no identity-based policy and no permissions boundary of x allows"
STATEMENT = {
    "Sid": "KeepNotes",
    "Effect": "Allow",
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::notes/*",
}


@pytest.mark.parametrize(
    ("role", "action", "resource", "why", "place"),
    [
        ("f", "s3:GetObject", "arn:aws:s3:::other/x", IDENTITY, "deployment/permissions.tf, KeepNotes: allows it on"),
        ("f", "s3:PutObject", "arn:aws:s3:::notes/x", IDENTITY, "deployment/permissions.tf, KeepNotes: has the"),
        ("f", "sqs:SendMessage", "arn:aws:sqs:::q", IDENTITY, "deployment/permissions.tf, a new statement"),
        ("f-deployer", "sqs:CreateQueue", "arn:aws:sqs:::q", IDENTITY, "pipeline/deployer.tf, a new statement"),
        ("f-builder", "sqs:SendMessage", "arn:aws:sqs:::q", IDENTITY, "pipeline/builder.tf, a new statement"),
        ("f-planner", "sqs:GetQueueUrl", "arn:aws:sqs:::q", IDENTITY, "pipeline/planner.tf, a new statement"),
        ("f-traffic", "sqs:SendMessage", "arn:aws:sqs:::q", IDENTITY, "pipeline/traffic.tf, a new statement"),
        ("org-pipeline", "sqs:SendMessage", "arn:aws:sqs:::q", IDENTITY, "foundation/pipelines.tf, a new statement"),
        ("f", "ses:SendEmail", "*", BOUNDARY, "foundation/boundary.tf"),
        ("f-deployer", "sqs:CreateQueue", "arn:aws:sqs:::q", BOTH, "pipeline/deployer.tf, a new statement; and foundation/boundary.tf"),
        ("f", "s3:GetObject", "arn:aws:s3:::other/x", "because no resource-based policy allows", "foundation/buckets.tf"),
        ("somebody", "sqs:SendMessage", "*", IDENTITY, "where somebody is made, a new statement"),
    ],
)  # fmt: skip
def test_a_denial_names_the_file_and_the_statement_to_change(
    role: str, action: str, resource: str, why: str, place: str
) -> None:
    arn = f"arn:aws:iam::222222222222:role/lambda-template/pipelines/{role}"
    check = Check(Caller(arn), action, resource, "222222222222", {}, f"{why} the {action} action")

    assert denials.place(check, "f", "org", [Grant(arn, STATEMENT)]).startswith(place)


@pytest.mark.parametrize("file", ["trigger", "failures"])
def test_a_statement_of_a_trigger_is_named_by_the_file_that_brings_it(file: str) -> None:
    arn = "arn:aws:iam::222222222222:role/lambda-template/pipelines/f-deployer"
    check = Check(Caller(arn), "s3:GetObject", "arn:aws:s3:::other/x", "222222222222", {}, IDENTITY)

    place = denials.place(check, "f", "org", [Grant(arn, STATEMENT, file)])

    assert place.startswith(f"pipeline/{file}.tf, KeepNotes: allows it on")


@pytest.mark.parametrize(
    ("resource", "general"),
    [
        ("lambda:us-east-1:222222222222:function:f:1", "lambda:${local.here}:function:${var.function_name}:*"),
        ("lambda:us-east-1:222222222222:function:f:live", "lambda:${local.here}:function:${var.function_name}:live"),
        ("lambda:us-east-1:222222222222:layer:tools:7", "lambda:${local.here}:layer:tools:*"),
        (
            "lambda:us-east-1:222222222222:event-source-mapping:6a26d1ee-5d0b-4bb5-9a1e-6d4c1e1b0c11",
            "lambda:${local.here}:event-source-mapping:*",
        ),
        (
            "logs:us-east-1:222222222222:log-group:/aws/lambda/f:log-stream:2026/11/26/[1]0a1b",
            "logs:${local.here}:log-group:/aws/lambda/${var.function_name}:*",
        ),
        (
            "secretsmanager:us-east-1:222222222222:secret:f/token-Ab12Cd",
            "secretsmanager:${local.here}:secret:${var.function_name}/token-??????",
        ),
        (
            "dynamodb:us-east-1:222222222222:table/f-notes/stream/2026-11-26T08:35:00.123",
            "dynamodb:${local.here}:table/${var.function_name}-notes/stream/*",
        ),
        (
            f"s3:::acme-dev-artifacts/releases/f/{'0a' * 32}.zip",
            "s3:::${local.account.artifacts_bucket}/releases/${var.function_name}/*.zip",
        ),
        (
            "s3:::acme-dev-artifacts-pipelines/f/Release/aB3dE5f",
            "s3:::${local.account.artifacts_bucket}-pipelines/${var.function_name}/Release/*",
        ),
        ("apigateway:us-east-1::/apis/a1b2c3d4e5/routes", "apigateway:us-east-1::/apis/*/routes"),
        ("ec2:us-east-1:222222222222:network-interface/eni-0a1b2c", "ec2:${local.here}:network-interface/*"),
        ("iam::222222222222:role/lambda-template/functions/f", "iam::${local.account.id}:role/lambda-template/functions/${var.function_name}"),
    ],
)  # fmt: skip
def test_what_to_paste_is_for_the_next_release_too(resource: str, general: str) -> None:
    assert denials.expression("-deployer", f"arn:aws:{resource}", "f", FACTS) == f"arn:aws:{general}"


def rehearsed_to_dev(
    founded: EmulatedAccounts, repository: Path, folder: Path
) -> tuple[Rehearsal, list[str]]:
    """Rehearse what is committed, and not what follows, up to the first environment.

    Return how it went and what a person saw.
    """
    folder.mkdir()
    commit = git(repository, "rev-parse", "HEAD")
    (repository / "newer").write_text(commit)
    demo.commit(repository, "Something newer")
    with founded.fork() as world, redirect_stdout(io.StringIO()) as written:
        result = rehearse(Options(repository, until="dev", commit=commit), Screen(), world, folder)
        conclude(result, Screen(), folder / "page.html")
    assert result.revision == commit
    assert "version" not in result.running[1]
    return result, written.getvalue().splitlines()


def test_a_rehearsal_says_which_statements_a_new_table_needs_and_with_them_it_works(
    rehearsed: Rehearsed, founded: EmulatedAccounts, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    git(tmp_path, "clone", "--quiet", str(rehearsed.repository), str(repository))
    (repository / "deployment/table.tf").write_text(TABLE)
    with (repository / "src/hello_lambda/handler.py").open("a") as handler:
        handler.write(HANDLER)
    buildspec = repository / "buildspec.yml"
    text = buildspec.read_text().replace("      - make lint\n      - make test\n", "")
    buildspec.write_text(text.replace("    files: build/tests.xml", "    files: none"))
    demo.commit(repository, "Keep who was greeted")

    result, lines = rehearsed_to_dev(founded, repository, tmp_path / "before")

    assert "dynamodb:CreateTable on resource: arn:aws:dynamodb:us-east-1:222222222222:table" in result.problem
    assert set(result.to_paste) == {"pipeline/deployer.tf", "deployment/permissions.tf"}
    assert '"dynamodb:PutItem"' in result.to_paste["deployment/permissions.tf"]
    deployer = result.to_paste["pipeline/deployer.tf"]
    for action in "CreateTable", "DeleteTable", "DescribeTable", "TagResource", "UpdateTable":
        assert f'"dynamodb:{action}"' in deployer
    assert '["arn:aws:dynamodb:${local.here}:table/${var.function_name}-notes"]' in deployer
    assert any("hello-lambda-deployer may not dynamodb:CreateTable on" in line for line in lines)
    where = [line.strip() for line in lines if "pipeline/deployer.tf, " in line]
    assert where
    assert "To paste into pipeline/deployer.tf" in report.html(result)

    for file, statements in result.to_paste.items():
        document = "deployer_function" if "deployer" in file else "function"
        start = f'data "aws_iam_policy_document" "{document}" {{\n'
        content = (repository / file).read_text()
        assert start in content
        (repository / file).write_text(content.replace(start, f"{start}{statements}\n"))
    deployer_tf = repository / "pipeline/deployer.tf"
    general, narrow = (
        f'actions   = ["lambda:InvokeFunction"]\n    resources = ["${{local.function}}:{v}"]' for v in "*1"
    )
    assert general in deployer_tf.read_text()
    deployer_tf.write_text(deployer_tf.read_text().replace(general, narrow))
    demo.commit(repository, "Let it, but the first version alone be checked")

    result, _ = rehearsed_to_dev(founded, repository, tmp_path / "second")

    assert result.problem.startswith("a second release: dev: Deploy: Deploy: ")
    assert (
        "lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:222222222222:function:hello-lambda:2"
        in result.problem
    )
    lacking = result.to_paste["pipeline/deployer.tf"]
    assert 'resources = ["arn:aws:lambda:${local.here}:function:${var.function_name}:*"]' in lacking
    start = 'data "aws_iam_policy_document" "deployer_function" {\n'
    deployer_tf.write_text(deployer_tf.read_text().replace(start, f"{start}{lacking}\n"))
    demo.commit(repository, "Let any version be checked")

    result, _ = rehearsed_to_dev(founded, repository, tmp_path / "after")

    assert result.problem == ""
    assert result.denied == []
    assert result.running[0]["revision"] == result.revision[:12]

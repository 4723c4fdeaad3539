"""What a function's owner is told who adds something that its roles may not do yet."""

from pathlib import Path

from worlds import Rehearsed

from rehearsal import demo, report
from rehearsal.accounts import EmulatedAccounts
from rehearsal.cli import Options, Rehearsal, Screen, conclude, rehearse
from rehearsal.pipelines import git

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


def rehearsed_to_dev(
    founded: EmulatedAccounts, repository: Path, folder: Path
) -> tuple[Rehearsal, list[str]]:
    """Rehearse up to the first environment; return how it went and what a person saw."""
    folder.mkdir()
    lines, screen = list[str](), Screen(quiet=False)
    screen.say = lines.append  # type: ignore[assignment, method-assign]
    with founded.fork() as world:
        result = rehearse(Options(repository, until="dev"), screen, world, folder)
    conclude(result, screen, folder / "page.html")
    return result, lines


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
    assert any("pipeline/deployer.tf, a new statement" in line for line in lines)
    assert "To paste into pipeline/deployer.tf" in report.html(result)

    for file, statements in result.to_paste.items():
        document = "deployer_function" if "deployer" in file else "function"
        start = f'data "aws_iam_policy_document" "{document}" {{\n'
        content = (repository / file).read_text()
        assert start in content
        (repository / file).write_text(content.replace(start, f"{start}{statements}\n"))
    demo.commit(repository, "Let it")

    result, _ = rehearsed_to_dev(founded, repository, tmp_path / "after")

    assert result.problem == ""
    assert result.denied == []

"""Terraform's provider found on disk, and real Terraform against the emulated accounts."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import hcl2
import pytest

from emulator.accounts import EmulatedAccounts
from foundation import terraform
from tests.conftest import needs

DEV, STAGE, REGION = "222222222222", "333333333333", "eu-west-1"

STATE = """
variable "state_bucket" {}
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 5.100.0" }
  }
}
resource "aws_kms_key" "account" { enable_key_rotation = true }
resource "aws_s3_bucket" "state" { bucket = var.state_bucket }
resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id
  versioning_configuration { status = "Enabled" }
}
resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.account.arn
    }
  }
}
"""

MAIN = """
variable "timeout" {}
variable "log_level" {}
variable "artifacts_bucket" {}
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 5.100.0" }
  }
  backend "s3" { use_lockfile = true }
}
provider "aws" {
  default_tags { tags = { function = "answer" } }
}
data "aws_caller_identity" "current" {}

resource "aws_kms_key" "key" { description = "for everything here" }
resource "aws_kms_alias" "key" {
  name          = "alias/answer"
  target_key_id = aws_kms_key.key.id
}

resource "aws_s3_bucket" "artifacts" {
  bucket        = var.artifacts_bucket
  force_destroy = true
}
resource "aws_s3_bucket_public_access_block" "artifacts" {
  bucket                  = aws_s3_bucket.artifacts.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}
resource "aws_s3_bucket_versioning" "artifacts" {
  bucket = aws_s3_bucket.artifacts.id
  versioning_configuration { status = "Enabled" }
}
resource "aws_s3_bucket_server_side_encryption_configuration" "artifacts" {
  bucket = aws_s3_bucket.artifacts.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.key.arn
    }
  }
}
resource "aws_s3_bucket_policy" "artifacts" {
  bucket = aws_s3_bucket.artifacts.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.artifacts.arn, "${aws_s3_bucket.artifacts.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}
resource "aws_s3_bucket_notification" "artifacts" {
  bucket      = aws_s3_bucket.artifacts.id
  eventbridge = true
}
resource "aws_s3_object" "package" {
  bucket      = aws_s3_bucket.artifacts.id
  key         = "releases/answer.zip"
  source      = "package.zip"
  source_hash = filemd5("package.zip")
  depends_on  = [aws_s3_bucket_policy.artifacts, aws_s3_bucket_versioning.artifacts]
}

resource "aws_iam_policy" "boundary" {
  name   = "boundary"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "logs:*", Resource = "*" }]
  })
}
resource "aws_iam_role" "function" {
  name                 = "answer"
  permissions_boundary = aws_iam_policy.boundary.arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}
resource "aws_iam_role_policy" "function" {
  role = aws_iam_role.function.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "logs:PutLogEvents"
      Resource = "${aws_cloudwatch_log_group.function.arn}:*"
    }]
  })
}

resource "aws_cloudwatch_log_group" "function" {
  name              = "/functions/answer"
  retention_in_days = 30
  kms_key_id        = aws_kms_key.key.arn
}
resource "aws_lambda_function" "function" {
  function_name    = "answer"
  description      = "answers within ${var.timeout} seconds"
  role             = aws_iam_role.function.arn
  runtime          = "python3.13"
  architectures    = ["arm64"]
  handler          = "app.handle"
  s3_bucket        = aws_s3_object.package.bucket
  s3_key           = aws_s3_object.package.key
  source_code_hash = filebase64sha256("package.zip")
  publish          = true
  timeout          = var.timeout
  kms_key_arn      = aws_kms_key.key.arn
  environment { variables = { LEVEL = var.log_level } }
  ephemeral_storage { size = 512 + var.timeout }
  tracing_config { mode = var.timeout > 5 ? "Active" : "PassThrough" }
  dead_letter_config { target_arn = aws_sns_topic.alerts.arn }
  logging_config {
    log_group             = aws_cloudwatch_log_group.function.name
    log_format            = "JSON"
    application_log_level = var.log_level
    system_log_level      = "WARN"
  }
  depends_on = [aws_iam_role_policy.function]
}
resource "aws_lambda_function_event_invoke_config" "function" {
  function_name          = aws_lambda_function.function.function_name
  maximum_retry_attempts = var.timeout > 5 ? 1 : 0
}
resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.function.function_name
  function_version = aws_lambda_function.function.version
}

resource "aws_sns_topic" "alerts" {
  name              = "alerts"
  kms_master_key_id = aws_kms_key.key.id
}
resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "answer-errors"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = "answer", Resource = "answer:live" }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.timeout
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
}

resource "aws_codestarconnections_connection" "github" {
  name          = "github"
  provider_type = "GitHub"
}
resource "aws_iam_role" "service" {
  name = "service"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = ["codepipeline.amazonaws.com", "codebuild.amazonaws.com"] }
        Action    = "sts:AssumeRole"
      },
      {
        Effect    = "Allow"
        Principal = { AWS = data.aws_caller_identity.current.account_id }
        Action    = "sts:AssumeRole"
      },
    ]
  })
}
resource "aws_codebuild_project" "build" {
  name           = "answer"
  service_role   = aws_iam_role.service.arn
  encryption_key = aws_kms_key.key.arn
  build_timeout  = var.timeout + 5
  source {
    type      = "CODEPIPELINE"
    buildspec = "buildspec.yml"
  }
  artifacts { type = "CODEPIPELINE" }
  environment {
    type         = "ARM_CONTAINER"
    image        = "aws/codebuild/amazonlinux-aarch64-standard:3.0"
    compute_type = "BUILD_GENERAL1_SMALL"
  }
}
resource "aws_codepipeline" "pipeline" {
  name           = "answer"
  role_arn       = aws_iam_role.service.arn
  pipeline_type  = "V2"
  execution_mode = "QUEUED"
  artifact_store {
    type     = "S3"
    location = aws_s3_bucket.artifacts.bucket
    encryption_key {
      type = "KMS"
      id   = aws_kms_key.key.arn
    }
  }
  stage {
    name = "Source"
    action {
      name             = "Source"
      category         = "Source"
      owner            = "AWS"
      provider         = "CodeStarSourceConnection"
      version          = "1"
      namespace        = "SourceVariables"
      output_artifacts = ["source"]
      configuration = {
        ConnectionArn    = aws_codestarconnections_connection.github.arn
        FullRepositoryId = "acme/answer"
        BranchName       = var.timeout > 5 ? "main" : "trunk"
      }
    }
  }
  stage {
    name = "Build"
    action {
      name            = "Build"
      category        = "Build"
      owner           = "AWS"
      provider        = "CodeBuild"
      version         = "1"
      input_artifacts = ["source"]
      configuration   = { ProjectName = aws_codebuild_project.build.name }
    }
  }
}

resource "aws_iam_role" "start" {
  name = "start"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}
resource "aws_cloudwatch_event_rule" "promoted" {
  name = "answer-promoted"
  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    detail      = { bucket = { name = [var.artifacts_bucket] }, object = { key = ["promoted/answer.zip"] } }
  })
}
resource "aws_cloudwatch_event_target" "promoted" {
  rule     = aws_cloudwatch_event_rule.promoted.name
  arn      = aws_codepipeline.pipeline.arn
  role_arn = aws_iam_role.start.arn
  input_transformer {
    input_paths    = { version = "$.detail.object.version-id" }
    input_template = <<-EOT
      {"sourceRevisions":[{"actionName":"Source","revisionType":"S3_OBJECT_VERSION_ID","revisionValue":"<version>"}]}
    EOT
  }
}
"""


@pytest.fixture
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user who has configured nothing; TF_CLI_CONFIG_FILE names a file that is not there."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(tmp_path / "missing.rc"))


def provider(mirror: Path) -> Path:
    """Make a mirror of the AWS provider."""
    folder = mirror / "registry.terraform.io/hashicorp/aws"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.usefixtures("no_configuration")
def test_a_mirror_below_a_root_is_what_terraform_is_told_of(tmp_path: Path) -> None:
    provider(tmp_path / "root/terraform/providers")

    variables = terraform.environment(tmp_path, (str(tmp_path / "none"), str(tmp_path / "root")))

    config = Path(variables["TF_CLI_CONFIG_FILE"]).read_text()
    assert f'path    = "{tmp_path}/root/terraform/providers"' in config
    assert (
        'exclude = ["registry.terraform.io/hashicorp/aws"]' in config
    )  # others still come from the registry


@pytest.mark.usefixtures("no_configuration")
def test_without_a_mirror_terraform_asks_its_registry(tmp_path: Path) -> None:
    provider(tmp_path / "root/too/deep/down")

    assert "TF_CLI_CONFIG_FILE" not in terraform.environment(tmp_path, (str(tmp_path / "root"),))


def test_the_user_s_own_configuration_is_left_in_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    provider(tmp_path / "root")
    (tmp_path / ".terraformrc").write_text("# mine\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TF_CLI_CONFIG_FILE", raising=False)

    variables = terraform.environment(tmp_path, (str(tmp_path / "root"),))

    assert variables["TF_CLI_CONFIG_FILE"] == str(tmp_path / ".terraformrc")


class Root:
    """A Terraform root in a folder, and the account that it is applied to."""

    def __init__(self, folder: Path, text: str, variables: dict[str, str]) -> None:
        folder.mkdir(parents=True)
        (folder / "main.tf").write_text(text)
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.folder, self.variables = folder, own | variables | terraform.environment(folder)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = ["terraform", *arguments, "-no-color", "-input=false"]
        return subprocess.Popen(command, cwd=self.folder, env=self.variables)


def run(roots: dict[str, Root], *arguments: str) -> set[int]:
    """Run a Terraform command in all roots at once; return the exit codes."""
    processes = [
        root.start(*(argument.format(account=account) for argument in arguments))
        for account, root in roots.items()
    ]
    return {process.wait() for process in processes}


def left(accounts: EmulatedAccounts, account: str) -> list[str]:
    """Return what is in an account, the state bucket and keys that wait for deletion aside."""

    def client(service: str) -> Any:
        return accounts.client(service, account, REGION)

    buckets = [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]]
    return [
        *(bucket for bucket in buckets if bucket != f"state-{account}"),
        *client("lambda").list_functions()["Functions"],
        *client("iam").list_roles()["Roles"],
        *client("iam").list_policies(Scope="Local")["Policies"],
        *client("logs").describe_log_groups()["logGroups"],
        *client("sns").list_topics()["Topics"],
        *client("cloudwatch").describe_alarms()["MetricAlarms"],
        *client("codepipeline").list_pipelines()["pipelines"],
        *client("codebuild").list_projects()["projects"],
        *client("events").list_rules()["Rules"],
    ]


def test_a_lock_file_whose_provider_is_trusted_has_its_version_and_no_hashes(tmp_path: Path) -> None:
    committed = Path(terraform.__file__).with_name(".terraform.lock.hcl").read_text()
    lock = tmp_path / "foundation/.terraform.lock.hcl"
    lock.parent.mkdir()
    lock.write_text(committed)

    terraform.trust_provider(tmp_path)

    (before,), (after,) = (hcl2.loads(text)["provider"] for text in (committed, lock.read_text()))
    (facts,) = before.values()
    assert facts.pop("hashes")
    assert after == before


def test_terraform_creates_updates_and_destroys_in_two_accounts_without_drift(tmp_path: Path) -> None:
    needs("terraform")
    states, roots = {}, {}
    with EmulatedAccounts() as accounts:
        for account in (DEV, STAGE):
            variables = accounts.environment(account, REGION) | {
                "TF_VAR_state_bucket": f"state-{account}",
                "TF_VAR_artifacts_bucket": f"artifacts-{account}",
            }
            states[account] = Root(tmp_path / account / "state", STATE, variables)
            roots[account] = Root(tmp_path / account / "root", MAIN, variables)
            with ZipFile(roots[account].folder / "package.zip", "w") as package:
                package.writestr("app.py", f"def handle(event, context):\n    return '{account}'\n")

        assert run(states, "init") == {0}
        assert run(states, "apply", "-auto-approve") == {0}
        backend = ("-backend-config=bucket=state-{account}", "-backend-config=key=answer.tfstate")
        assert run(roots, "init", *backend) == {0}
        for inputs in (
            ("-var=timeout=3", "-var=log_level=DEBUG"),
            ("-var=timeout=10", "-var=log_level=ERROR"),
        ):
            assert run(roots, "apply", "-auto-approve", *inputs) == {0}
            assert run(roots, "plan", "-detailed-exitcode", *inputs) == {0}

        for account in (DEV, STAGE):
            client = accounts.client("lambda", account, REGION)
            assert client.get_alias(FunctionName="answer", Name="live")["FunctionVersion"] == "2"
            answer = client.invoke(FunctionName="answer", Qualifier="live")
            assert json.load(answer["Payload"]) == account

        assert run(roots, "destroy", "-auto-approve", *inputs) == {0}
        assert [left(accounts, account) for account in (DEV, STAGE)] == [[], []]
        assert [entry for entry in accounts.journal() if entry.error == "EmulatorNotImplemented"] == []

# The steps that run commands, each from its buildspec and under its role.

locals {
  steps = { for name, step in {
    build = {
      wanted    = local.builds
      minutes   = 30
      buildspec = "buildspec.yml"
      role      = one(aws_iam_role.builder[*].arn)
      variables = { BRANCH = var.branch }
    }
    plan = {
      wanted    = local.account.approval
      minutes   = 30
      buildspec = "deployment/plan.yml"
      role      = aws_iam_role.deployer.arn
      variables = local.variables
    }
    deploy = {
      wanted    = true
      minutes   = 150 # the slowest shift of traffic takes 100
      buildspec = "deployment/buildspec.yml"
      role      = aws_iam_role.deployer.arn
      variables = local.variables
    }
  } : name => step if step.wanted }

  # What plan.yml and buildspec.yml in deployment/ read.
  variables = {
    ARTIFACTS_BUCKET = local.account.artifacts_bucket
    ENVIRONMENT      = var.environment
    STATE_BUCKET     = local.account.state_bucket
    STATE_KEY        = "functions/${var.function_name}.tfstate"
  }
}

resource "aws_codebuild_project" "step" {
  for_each = local.steps

  name           = "${var.function_name}-${each.key}"
  description    = "Runs ${each.value.buildspec} of ${var.function_name}"
  service_role   = each.value.role
  encryption_key = data.aws_kms_key.account.arn
  build_timeout  = each.value.minutes

  source {
    type      = "CODEPIPELINE"
    buildspec = each.value.buildspec
  }

  artifacts {
    type = "CODEPIPELINE"
  }

  environment {
    type         = "ARM_CONTAINER"
    image        = "aws/codebuild/amazonlinux-aarch64-standard:3.0" # has what 4.0 has of Python and Node, and has been there longer
    compute_type = "BUILD_GENERAL1_SMALL"

    dynamic "environment_variable" {
      for_each = each.value.variables

      content {
        name  = environment_variable.key
        value = environment_variable.value
      }
    }
  }

  logs_config {
    cloudwatch_logs {
      group_name = aws_cloudwatch_log_group.step[each.key].name
    }
  }
}

resource "aws_cloudwatch_log_group" "step" {
  for_each = local.steps

  name              = "/aws/codebuild/${var.function_name}-${each.key}"
  retention_in_days = 365
  kms_key_id        = data.aws_kms_key.account.arn
}

# The group that CodeBuild looks for: the project's name, then that of the report in buildspec.yml.
# https://docs.aws.amazon.com/codebuild/latest/userguide/report-create.html
resource "aws_codebuild_report_group" "tests" {
  count = local.builds ? 1 : 0

  name           = "${var.function_name}-build-tests"
  type           = "TEST"
  delete_reports = true

  export_config {
    type = "NO_EXPORT"
  }
}

data "aws_iam_policy_document" "trust" {
  for_each = { builder = ["build"], deployer = ["deploy", "plan"] }

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["codebuild.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [for step in each.value : "arn:aws:codebuild:${local.here}:project/${var.function_name}-${step}"]
    }
  }
}

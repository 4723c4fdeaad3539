# The steps that run commands, each from its buildspec and under its role.

locals {
  steps = { for name, step in {
    build = {
      wanted    = local.builds
      minutes   = 30
      buildspec = "buildspec.yml"
      role      = "builder"
      variables = { BRANCH = var.branch }
    }
    drift = {
      wanted    = true
      minutes   = 30
      buildspec = templatefile("${path.module}/drift.yml", { compare = file("${path.module}/drift.sh") })
      role      = "planner"
      variables = merge(local.variables, { ALERTS = local.alerts, FUNCTION = var.function_name })
    }
    plan = {
      wanted  = local.account.approval
      minutes = 30
      # Its text, not a file of the release: before a person has approved, nothing of that says what is run.
      buildspec = templatefile("${path.module}/plan.yml", { install = file("${path.module}/../deployment/install-terraform.sh") })
      role      = "planner"
      variables = local.variables
    }
    deploy = {
      wanted    = true
      minutes   = 150 # the slowest shift of traffic takes 100
      buildspec = "deployment/buildspec.yml"
      role      = "deployer"
      variables = local.variables
    }
    verify = {
      wanted    = true
      minutes   = 15
      buildspec = "tests/deployed/buildspec.yml"
      role      = "verifier"
      variables = { ACCOUNT = local.account.id, ENVIRONMENT = var.environment, FUNCTION = var.function_name }
    }
  } : name => step if step.wanted }

  # What drift.yml, plan.yml and deployment/buildspec.yml read.
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
  description    = "Step ${each.key} of ${var.function_name}"
  service_role   = aws_iam_role.step[each.value.role].arn
  encryption_key = data.aws_kms_key.account.arn
  build_timeout  = each.value.minutes

  source {
    type      = each.key == "drift" ? "NO_SOURCE" : "CODEPIPELINE"
    buildspec = each.value.buildspec
  }

  artifacts {
    type = each.key == "drift" ? "NO_ARTIFACTS" : "CODEPIPELINE"
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

locals {
  accounts = jsondecode(file("${path.module}/../accounts.json"))
  account  = one([for environment in local.accounts.environments : environment if environment.name == var.environment])
  release  = jsondecode(file("${path.module}/${var.release}"))

  # A sandbox has its own name and its own packages.
  function_name = join("--sandbox-", compact([local.release.function, var.sandbox]))
  packages      = var.sandbox == null ? "releases/${local.release.function}" : "sandboxes/${local.release.function}/${var.sandbox}"
}

# The account's own key, from the foundation.
data "aws_kms_key" "account" {
  key_id = "alias/${local.accounts.organization}"
}

resource "aws_lambda_function" "function" {
  function_name = local.function_name
  description   = local.release.summary
  role          = local.role_arn
  runtime       = local.release.runtime
  architectures = ["arm64"]
  handler       = local.release.handler
  s3_bucket     = local.account.artifacts_bucket
  s3_key        = "${local.packages}/${local.release.sha256}.zip"
  publish       = var.sandbox == null
  memory_size   = var.memory_size
  timeout       = var.timeout

  # Has the provider publish a version of each release, also of one that changes neither the package nor the function.
  source_code_hash = local.release.summary

  tags = { template = local.release.template } # changes with the template alone

  reserved_concurrent_executions = var.sandbox == null ? coalesce(var.reserved_concurrency, -1) : -1

  environment {
    variables = merge(local.runtime_variables, var.settings, {
      POWERTOOLS_METRICS_NAMESPACE = local.accounts.organization
      POWERTOOLS_SERVICE_NAME      = local.function_name
    })
  }

  logging_config {
    log_group             = aws_cloudwatch_log_group.function.name
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "INFO"
  }

  tracing_config {
    mode = "Active"
  }

  dynamic "vpc_config" {
    for_each = [for vpc in var.vpc[*] : vpc if length(vpc.subnets) > 0]

    content {
      subnet_ids         = vpc_config.value.subnets
      security_group_ids = vpc_config.value.security_groups
    }
  }

  lifecycle {
    ignore_changes = [description] # prepare.sh has changed it
  }

  # Without its permissions a new function could be invoked before it may log, and none can be put into a network.
  depends_on = [aws_iam_role_policy.function, aws_iam_role_policy.network]
}

# Before callers see a version it must answer: the first one here, before there is an alias, the others in buildspec.yml.
resource "terraform_data" "first_check" {
  count = var.sandbox == null ? 1 : 0

  input = aws_lambda_function.function.version

  provisioner "local-exec" {
    command     = "sh check.sh ${local.function_name} ${self.input}"
    working_dir = path.module
  }

  lifecycle {
    ignore_changes = [input]
  }
}

# What callers invoke. CodeDeploy moves it once the new version has passed its check, and people do in need. A sandbox
# publishes none; there it stays at the latest code.
resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "The version that answers"
  function_name    = aws_lambda_function.function.function_name
  function_version = aws_lambda_function.function.version

  lifecycle {
    ignore_changes = [description, function_version, routing_config]
  }

  depends_on = [terraform_data.first_check]
}

resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${local.function_name}"
  retention_in_days = var.sandbox == null ? var.log_retention_days : min(var.log_retention_days, 7)
  kms_key_id        = data.aws_kms_key.account.arn
}

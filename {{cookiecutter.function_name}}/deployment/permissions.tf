# What the function may do: yours to extend, within the boundary of the foundation. That lets it use what has its name or
# its tag, as all has that is made here, and what accounts.yaml names as shared.

data "aws_iam_policy_document" "function" {
  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function.arn}:*"]
  }

  statement {
    sid       = "SendTraces"
    actions   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    resources = ["*"] # X-Ray has no resources for these actions
  }
}

resource "aws_iam_role_policy" "function" {
  name   = "function"
  role   = local.role
  policy = data.aws_iam_policy_document.function.json
}

# The function's role is made by pipeline/, a sandbox's here. Neither is ever allowed more than the boundary is, and of
# that nothing but to the function itself.
locals {
  kind     = var.sandbox == null ? "functions" : "sandboxes"
  role     = var.sandbox == null ? local.function_name : aws_iam_role.sandbox[0].name
  role_arn = "arn:aws:iam::${local.account.id}:role/lambda-template/${local.kind}/${local.role}"
}

resource "aws_iam_role" "sandbox" {
  count = var.sandbox == null ? 0 : 1

  name                 = local.function_name
  path                 = "/lambda-template/sandboxes/"
  description          = "What ${local.function_name} may do"
  assume_role_policy   = data.aws_iam_policy_document.sandbox_trust.json
  permissions_boundary = "arn:aws:iam::${local.account.id}:policy/${local.accounts.organization}-boundary"
}

data "aws_iam_policy_document" "sandbox_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

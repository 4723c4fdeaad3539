# What builds the function, in the first environment alone. It runs the code of every commit, so it may do little.

resource "aws_iam_role" "builder" {
  count = local.builds ? 1 : 0

  name               = "${var.function_name}-builder"
  description        = "Builds ${var.function_name}"
  assume_role_policy = data.aws_iam_policy_document.trust["builder"].json
}

resource "aws_iam_role_policy" "builder" {
  count = local.builds ? 1 : 0

  name   = "builder"
  role   = aws_iam_role.builder[0].name
  policy = data.aws_iam_policy_document.builder[0].json
}

data "aws_iam_policy_document" "builder" {
  count = local.builds ? 1 : 0

  statement {
    sid     = "CloneSource"
    actions = ["codeconnections:UseConnection", "codestar-connections:UseConnection"]
    # AWS knows a connection by both prefixes.
    resources = [
      local.github.configuration.ConnectionArn,
      replace(local.github.configuration.ConnectionArn, ":codestar-connections:", ":codeconnections:"),
    ]
  }

  statement {
    sid       = "FindArtifacts"
    actions   = ["s3:GetBucketAcl", "s3:GetBucketLocation"]
    resources = ["arn:aws:s3:::${local.store}"]
  }

  statement {
    sid       = "PassArtifacts"
    actions   = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
    resources = ["arn:aws:s3:::${local.store}/${local.folder}/*"]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [data.aws_kms_key.account.arn]
  }

  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.step["build"].arn}:*"]
  }

  statement {
    # AWS asks for all four, whether or not the group exists: https://docs.aws.amazon.com/codebuild/latest/userguide/test-permissions.html
    sid       = "ReportTests"
    actions   = ["codebuild:BatchPutTestCases", "codebuild:CreateReport", "codebuild:CreateReportGroup", "codebuild:UpdateReport"]
    resources = [aws_codebuild_report_group.tests[0].arn]
  }
}

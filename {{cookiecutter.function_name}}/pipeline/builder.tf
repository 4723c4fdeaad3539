# What builds the function, in the first environment alone. It runs the code of every commit, so it may do little.

data "aws_iam_policy_document" "builder" {
  count = local.builds ? 1 : 0

  # Its own repository, and to read it. AWS knows a connection by two prefixes, and the conditions too.
  # https://docs.aws.amazon.com/dtconsole/latest/userguide/security-iam.html#permissions-reference-connections-use
  dynamic "statement" {
    for_each = ["codeconnections", "codestar-connections"]

    content {
      sid       = "CloneSourceBy${title(replace(statement.value, "-", ""))}"
      actions   = ["${statement.value}:UseConnection"]
      resources = [replace(local.github.configuration.ConnectionArn, ":codestar-connections:", ":${statement.value}:")]

      condition {
        test     = "StringEquals"
        variable = "${statement.value}:FullRepositoryId"
        values   = [local.github.configuration.FullRepositoryId]
      }

      condition {
        test     = "StringEquals"
        variable = "${statement.value}:ProviderPermissionsRequired"
        values   = ["read_only"]
      }
    }
  }

  statement {
    sid       = "FindArtifacts"
    actions   = ["s3:GetBucketAcl", "s3:GetBucketLocation"]
    resources = ["arn:aws:s3:::${local.store}"]
  }

  statement {
    sid       = "TakeSource"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${local.folder}/Source/*"]
  }

  statement {
    sid       = "PassRelease"
    actions   = ["s3:PutObject"]
    resources = ["${local.folder}/Release/*"]
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
    # CreateReportGroup too: AWS makes no exception for a group that exists. https://docs.aws.amazon.com/codebuild/latest/userguide/test-permissions.html
    sid       = "ReportTests"
    actions   = ["codebuild:BatchPutTestCases", "codebuild:CreateReport", "codebuild:CreateReportGroup", "codebuild:UpdateReport"]
    resources = [aws_codebuild_report_group.tests[0].arn]
  }
}

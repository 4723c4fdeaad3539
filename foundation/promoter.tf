# Copies a release one step forward: every environment's but the last.

locals {
  promoter_package = "${path.module}/build/promoter.zip" # made by apply.py
}

resource "aws_lambda_function" "promoter" {
  count = local.next == null ? 0 : 1

  function_name    = local.promoter_name
  description      = "Copies releases, unchanged, to ${local.next.name}"
  role             = aws_iam_role.promoter[0].arn
  runtime          = "python3.13"
  architectures    = ["arm64"]
  handler          = "promoter.handle"
  filename         = local.promoter_package
  source_code_hash = try(filebase64sha256(local.promoter_package), null) # so that it can be validated without
  memory_size      = 1024
  timeout          = 300

  ephemeral_storage {
    size = 1024
  }

  environment {
    variables = {
      ARTIFACTS_BUCKET    = aws_s3_bucket.account["artifacts"].bucket
      DESTINATION_ACCOUNT = local.next.id
      DESTINATION_BUCKET  = local.next.artifacts_bucket
      PIPELINES_BUCKET    = aws_s3_bucket.account["pipelines"].bucket
    }
  }

  logging_config {
    log_group  = aws_cloudwatch_log_group.promoter[0].name
    log_format = "JSON"
  }

  depends_on = [aws_iam_role_policy.promoter]
}

# CodePipeline invokes asynchronously. A failed promotion is reported by the promoter and retried by people.
resource "aws_lambda_function_event_invoke_config" "promoter" {
  count = local.next == null ? 0 : 1

  function_name          = aws_lambda_function.promoter[0].function_name
  maximum_retry_attempts = 0
}

resource "aws_cloudwatch_log_group" "promoter" {
  count = local.next == null ? 0 : 1

  name              = "/aws/lambda/${local.promoter_name}"
  retention_in_days = 365
  kms_key_id        = aws_kms_key.account.arn
}

resource "aws_iam_role" "promoter" {
  count = local.next == null ? 0 : 1

  name               = local.promoter_name
  path               = local.paths.services
  description        = "Reads releases here, puts them to ${local.next.name}"
  assume_role_policy = data.aws_iam_policy_document.service_trust["lambda"].json
}

resource "aws_iam_role_policy" "promoter" {
  count = local.next == null ? 0 : 1

  name   = "promoter"
  role   = aws_iam_role.promoter[0].name
  policy = data.aws_iam_policy_document.promoter[0].json
}

data "aws_iam_policy_document" "promoter" {
  count = local.next == null ? 0 : 1

  statement {
    sid       = "ReadReleases"
    actions   = ["s3:GetObject"]
    resources = ["${local.bucket_arns["pipelines"]}/*", "${local.bucket_arns["artifacts"]}/promotions/*"]
  }

  # So that a release that is not there is told from one that may not be read.
  statement {
    sid       = "FindReleases"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arns["pipelines"]]
  }

  statement {
    sid       = "KeepReceipts"
    actions   = ["s3:PutObject"]
    resources = ["${local.bucket_arns["artifacts"]}/promotions/*"]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.key_arn]
  }

  statement {
    sid       = "Promote"
    actions   = ["s3:PutObject"]
    resources = ["arn:aws:s3:::${local.next.artifacts_bucket}/promoted/*"]
  }

  # The next account's key has an id that nobody here knows; that account's key policy says which key it is.
  statement {
    sid       = "UseTheNextKey"
    actions   = ["kms:GenerateDataKey"]
    resources = ["arn:aws:kms:${local.region}:${local.next.id}:key/*"]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${local.region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "AnswerPipeline"
    actions   = ["codepipeline:PutJobFailureResult", "codepipeline:PutJobSuccessResult"]
    resources = ["*"] # jobs have no ARN
  }

  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.promoter[0].arn}:*"]
  }
}

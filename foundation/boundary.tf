# The most that a function may ever have, whatever its permissions.tf says. Widen it here, for all functions of the
# organization: it is what keeps a deployer from granting its function more than a function needs.

resource "aws_iam_policy" "boundary" {
  count = local.environment == null ? 0 : 1

  name        = "${local.organization}-boundary"
  description = "The most that a function may ever have"
  policy      = data.aws_iam_policy_document.boundary[0].json
}

data "aws_iam_policy_document" "boundary" {
  count = local.environment == null ? 0 : 1

  statement {
    sid     = "Observe"
    actions = ["cloudwatch:PutMetricData", "logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    # A ceiling, not a grant: which of them, a function's own policy says.
    resources = ["*"]
  }

  statement {
    sid = "UseData"
    actions = [
      "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem",
      "dynamodb:DescribeStream", "dynamodb:GetItem", "dynamodb:GetRecords", "dynamodb:GetShardIterator",
      "dynamodb:ListStreams", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:UpdateItem",
      "kms:Decrypt", "kms:GenerateDataKey",
      "s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject",
      "secretsmanager:GetSecretValue", "ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath",
    ]
    resources = ["*"]
  }

  statement {
    sid = "PassMessages"
    actions = [
      "events:PutEvents", "kinesis:DescribeStream", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards",
      "kinesis:PutRecord", "kinesis:PutRecords", "lambda:InvokeFunction", "sns:Publish", "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage", "states:StartExecution",
    ]
    resources = ["*"]
  }

  # What the foundation and the pipelines live by.
  statement {
    sid       = "NoStateNoReleases"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = flatten([for bucket in aws_s3_bucket.account : [bucket.arn, "${bucket.arn}/*"]])
  }

  statement {
    sid       = "NotTheAccountsKey"
    effect    = "Deny"
    actions   = ["kms:*"]
    resources = [aws_kms_key.account.arn]
  }

  statement {
    sid       = "NotThePromoter"
    effect    = "Deny"
    actions   = ["lambda:InvokeFunction"]
    resources = ["arn:aws:lambda:${local.here}:function:${local.promoter_name}", "arn:aws:lambda:${local.here}:function:${local.promoter_name}:*"]
  }
}

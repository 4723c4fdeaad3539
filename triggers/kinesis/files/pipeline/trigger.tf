# What the deployer and the verifier may do, and the planner read, of the trigger in deployment/, by this function's name.

locals {
  stream         = "arn:aws:kinesis:${local.here}:stream/${var.function_name}"
  trigger_alarms = [for alarm in ["age", "untold"] : "arn:aws:cloudwatch:${local.here}:alarm:${var.function_name}-${alarm}"]
  # Versions of the provider differ in how they read and set tags.
  read_stream = ["kinesis:DescribeStreamSummary", "kinesis:ListTagsForResource", "kinesis:ListTagsForStream"]
}

data "aws_iam_policy_document" "deployer_trigger" {
  statement {
    sid = "ManageStream"
    actions = concat(local.read_stream, [
      "kinesis:AddTagsToStream", "kinesis:CreateStream", "kinesis:DecreaseStreamRetentionPeriod", "kinesis:DeleteStream",
      "kinesis:IncreaseStreamRetentionPeriod", "kinesis:RemoveTagsFromStream", "kinesis:TagResource", "kinesis:UntagResource",
    ])
    resources = [local.stream]
  }

  statement {
    sid       = "EncryptStream"
    actions   = ["kinesis:StartStreamEncryption"]
    resources = [local.stream, data.aws_kms_key.account.arn] # is of both
  }

  statement {
    sid       = "ChangeShards"
    actions   = ["kinesis:UpdateShardCount"]
    resources = ["*"] # takes no other
  }

  statement {
    sid       = "SeeLimits"
    actions   = ["kinesis:DescribeLimits"]
    resources = ["*"] # takes no other
  }

  statement {
    sid       = "ManageTriggerAlarms"
    actions   = local.manage_alarm
    resources = local.trigger_alarms
  }
}

data "aws_iam_policy_document" "planner_trigger" {
  statement {
    sid       = "ReadStream"
    actions   = local.read_stream
    resources = [local.stream]
  }

  statement {
    sid       = "SeeLimits"
    actions   = ["kinesis:DescribeLimits"]
    resources = ["*"] # takes no other
  }

  statement {
    sid       = "ReadTriggerAlarms"
    actions   = local.read_alarm
    resources = local.trigger_alarms
  }
}

data "aws_iam_policy_document" "verifier_trigger" {
  statement {
    sid       = "PutRecords"
    actions   = ["kinesis:PutRecord"]
    resources = [local.stream]
  }

  statement {
    sid       = "EncryptRecords"
    actions   = ["kms:GenerateDataKey"]
    resources = [data.aws_kms_key.account.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["kinesis.${local.accounts.region}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "trigger" {
  for_each = { for role, policy in {
    deployer = data.aws_iam_policy_document.deployer_trigger.json
    planner  = data.aws_iam_policy_document.planner_trigger.json
    reviewer = data.aws_iam_policy_document.planner_trigger.json
    verifier = data.aws_iam_policy_document.verifier_trigger.json
  } : role => policy if contains(keys(local.roles), role) }

  name   = "trigger"
  role   = aws_iam_role.step[each.key].name
  policy = each.value
}

# What the deployer may do, and the planner read, of deployment/failures.tf.

locals {
  failures       = "arn:aws:sqs:${local.here}:${var.function_name}-failures"
  failures_alarm = "arn:aws:cloudwatch:${local.here}:alarm:${var.function_name}-failures"
  read_queue     = ["sqs:GetQueueAttributes", "sqs:ListQueueTags"]
  manage_queue   = concat(local.read_queue, ["sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"])
  read_alarm     = ["cloudwatch:ListTagsForResource"]
  manage_alarm   = concat(local.read_alarm, ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource"])
}

data "aws_iam_policy_document" "deployer_failures" {
  statement {
    sid       = "ManageFailures"
    actions   = local.manage_queue
    resources = [local.failures]
  }

  statement {
    sid       = "ManageFailuresAlarm"
    actions   = local.manage_alarm
    resources = [local.failures_alarm]
  }
}

data "aws_iam_policy_document" "planner_failures" {
  statement {
    sid       = "ReadFailures"
    actions   = local.read_queue
    resources = [local.failures]
  }

  statement {
    sid       = "ReadFailuresAlarm"
    actions   = local.read_alarm
    resources = [local.failures_alarm]
  }
}

resource "aws_iam_role_policy" "failures" {
  for_each = { for role, policy in {
    deployer = data.aws_iam_policy_document.deployer_failures.json
    planner  = data.aws_iam_policy_document.planner_failures.json
    reviewer = data.aws_iam_policy_document.planner_failures.json
  } : role => policy if contains(keys(local.roles), role) }

  name   = "failures"
  role   = aws_iam_role.step[each.key].name
  policy = each.value
}

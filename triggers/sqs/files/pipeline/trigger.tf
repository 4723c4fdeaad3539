# What the deployer may do, and the planner read, of the trigger in deployment/trigger.tf, by this function's name.

locals {
  queues         = [for name in ["", "-failures"] : "arn:aws:sqs:${local.here}:${var.function_name}${name}"]
  mappings       = "arn:aws:lambda:${local.here}:event-source-mapping:*" # AWS names them by numbers
  trigger_alarms = [for alarm in ["age", "failures"] : "arn:aws:cloudwatch:${local.here}:alarm:${var.function_name}-${alarm}"]
}

data "aws_iam_policy_document" "deployer_trigger" {
  statement {
    sid = "ManageQueues"
    actions = [
      "sqs:CreateQueue", "sqs:DeleteQueue", "sqs:GetQueueAttributes", "sqs:ListQueueTags", "sqs:SetQueueAttributes",
      "sqs:TagQueue", "sqs:UntagQueue",
    ]
    resources = local.queues
  }

  statement {
    sid       = "MapQueue"
    actions   = ["lambda:CreateEventSourceMapping"]
    resources = ["*"] # takes no other; so the function is a condition

    condition {
      test     = "ArnEquals"
      variable = "lambda:FunctionArn"
      values   = [local.function, "${local.function}:live"]
    }
  }

  statement {
    sid       = "ChangeMapping"
    actions   = ["lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"]
    resources = [local.mappings]

    condition {
      test     = "ArnEquals"
      variable = "lambda:FunctionArn"
      values   = [local.function, "${local.function}:live"]
    }
  }

  statement {
    sid       = "ReadMapping"
    actions   = ["lambda:GetEventSourceMapping", "lambda:ListTags"]
    resources = [local.mappings] # of whatever function: it is read after it has been deleted, too
  }

  statement {
    sid       = "TagMapping"
    actions   = ["lambda:TagResource"]
    resources = [local.mappings]

    condition {
      test     = "StringEqualsIfExists"
      variable = "aws:RequestTag/function"
      values   = [var.function_name]
    }

    condition {
      test     = "StringEqualsIfExists" # a new one has none yet
      variable = "aws:ResourceTag/function"
      values   = [var.function_name]
    }
  }

  statement {
    sid       = "UntagMapping"
    actions   = ["lambda:UntagResource"]
    resources = [local.mappings]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/function"
      values   = [var.function_name]
    }
  }

  statement {
    sid = "ManageTriggerAlarms"
    actions = [
      "cloudwatch:DeleteAlarms", "cloudwatch:ListTagsForResource", "cloudwatch:PutMetricAlarm",
      "cloudwatch:TagResource", "cloudwatch:UntagResource",
    ]
    resources = local.trigger_alarms
  }
}

resource "aws_iam_role_policy" "deployer_trigger" {
  name   = "trigger"
  role   = aws_iam_role.step["deployer"].name
  policy = data.aws_iam_policy_document.deployer_trigger.json
}

data "aws_iam_policy_document" "planner_trigger" {
  statement {
    sid       = "ReadQueues"
    actions   = ["sqs:GetQueueAttributes", "sqs:ListQueueTags"]
    resources = local.queues
  }

  statement {
    sid       = "ReadMapping"
    actions   = ["lambda:GetEventSourceMapping", "lambda:ListTags"]
    resources = [local.mappings]
  }

  statement {
    sid       = "ReadTriggerAlarms"
    actions   = ["cloudwatch:ListTagsForResource"]
    resources = local.trigger_alarms
  }
}

resource "aws_iam_role_policy" "planner_trigger" {
  count = local.account.approval ? 1 : 0

  name   = "trigger"
  role   = aws_iam_role.step["planner"].name
  policy = data.aws_iam_policy_document.planner_trigger.json
}

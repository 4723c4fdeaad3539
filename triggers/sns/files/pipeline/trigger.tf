# What the deployer and the verifier may do, and the planner read, of the trigger in deployment/trigger.tf, by this function's name.

locals {
  topic       = "arn:aws:sns:${local.here}:${var.function_name}"
  topic_alarm = "arn:aws:cloudwatch:${local.here}:alarm:${var.function_name}-topic"
}

data "aws_iam_policy_document" "deployer_trigger" {
  statement {
    sid = "ManageTopic"
    actions = [
      "sns:CreateTopic", "sns:DeleteTopic", "sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic",
      "sns:ListTagsForResource", "sns:SetSubscriptionAttributes", "sns:SetTopicAttributes", "sns:TagResource", "sns:Unsubscribe", "sns:UntagResource",
    ]
    resources = [local.topic] # which its subscriptions count as
  }

  statement {
    sid       = "SubscribeFunction"
    actions   = ["sns:Subscribe"]
    resources = [local.topic]

    condition {
      test     = "StringEquals"
      variable = "sns:Protocol"
      values   = ["lambda"]
    }

    condition {
      test     = "StringEquals"
      variable = "sns:Endpoint"
      values   = ["${local.function}:live"]
    }
  }

  statement {
    sid       = "LetTopicInvoke"
    actions   = ["lambda:AddPermission"]
    resources = ["${local.function}:live"]

    condition {
      test     = "StringEquals"
      variable = "lambda:Principal"
      values   = ["sns.amazonaws.com"]
    }
  }

  statement {
    sid       = "LetItNoMore"
    actions   = ["lambda:RemovePermission"]
    resources = ["${local.function}:live"]
  }

  statement {
    sid       = "ReadPermission"
    actions   = ["lambda:GetPolicy"]
    resources = ["${local.function}:live"]
  }

  statement {
    sid       = "ManageTopicAlarm"
    actions   = local.manage_alarm
    resources = [local.topic_alarm]
  }
}

data "aws_iam_policy_document" "planner_trigger" {
  statement {
    sid = "ReadTopic"
    actions = [
      "sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:ListTagsForResource",
    ]
    resources = [local.topic]
  }

  statement {
    sid       = "ReadPermission"
    actions   = ["lambda:GetPolicy"]
    resources = ["${local.function}:live"]
  }

  statement {
    sid       = "ReadTopicAlarm"
    actions   = local.read_alarm
    resources = [local.topic_alarm]
  }
}

data "aws_iam_policy_document" "verifier_trigger" {
  statement {
    sid       = "Publish"
    actions   = ["sns:Publish"]
    resources = [local.topic]
  }

  statement {
    sid       = "EncryptMessages"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [data.aws_kms_key.account.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["sns.${local.accounts.region}.amazonaws.com"]
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

# What the deployer may do, and the planner read, of deployment/rule.tf.

locals {
  rule       = "arn:aws:events:${local.here}:rule/${var.function_name}"
  rule_alarm = "arn:aws:cloudwatch:${local.here}:alarm:${var.function_name}-rule"
}

data "aws_iam_policy_document" "deployer_rule" {
  source_policy_documents = [data.aws_iam_policy_document.planner_rule.json]

  statement {
    sid = "ManageRule"
    actions = [
      "events:DeleteRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:TagResource", "events:UntagResource",
    ]
    resources = [local.rule]
  }

  statement {
    sid       = "LetRuleInvoke"
    actions   = ["lambda:AddPermission", "lambda:RemovePermission"]
    resources = ["${local.function}:live"]

    condition {
      test     = "StringEquals"
      variable = "lambda:Principal"
      values   = ["events.amazonaws.com"]
    }
  }

  statement {
    sid       = "ManageRuleAlarm"
    actions   = setsubtract(local.manage_alarm, local.read_alarm)
    resources = [local.rule_alarm]
  }
}

data "aws_iam_policy_document" "planner_rule" {
  statement {
    sid       = "ReadRule"
    actions   = ["events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"]
    resources = [local.rule]
  }

  statement {
    sid       = "ReadWhoMayInvoke"
    actions   = ["lambda:GetPolicy"]
    resources = ["${local.function}:live"]
  }

  statement {
    sid       = "ReadRuleAlarm"
    actions   = local.read_alarm
    resources = [local.rule_alarm]
  }
}

resource "aws_iam_role_policy" "rule" {
  for_each = { for role, policy in {
    deployer = data.aws_iam_policy_document.deployer_rule.json
    planner  = data.aws_iam_policy_document.planner_rule.json
    reviewer = data.aws_iam_policy_document.planner_rule.json
  } : role => policy if contains(keys(local.roles), role) }

  name   = "rule"
  role   = aws_iam_role.step[each.key].name
  policy = each.value
}

# What the deployer may do, and the planner read, of deployment/asynchronous.tf.

locals {
  asynchronous_alarm = "arn:aws:cloudwatch:${local.here}:alarm:${var.function_name}-asynchronous"
}

data "aws_iam_policy_document" "deployer_asynchronous" {
  source_policy_documents = [data.aws_iam_policy_document.planner_asynchronous.json]

  statement {
    sid       = "ConfigureInvocations"
    actions   = ["lambda:DeleteFunctionEventInvokeConfig", "lambda:PutFunctionEventInvokeConfig"]
    resources = ["${local.function}:live"]
  }

  statement {
    sid       = "ManageAsynchronousAlarm"
    actions   = setsubtract(local.manage_alarm, local.read_alarm)
    resources = [local.asynchronous_alarm]
  }
}

data "aws_iam_policy_document" "planner_asynchronous" {
  statement {
    sid       = "ReadInvocations"
    actions   = ["lambda:GetFunctionEventInvokeConfig"]
    resources = ["${local.function}:live"]
  }

  statement {
    sid       = "ReadAsynchronousAlarm"
    actions   = local.read_alarm
    resources = [local.asynchronous_alarm]
  }
}

resource "aws_iam_role_policy" "asynchronous" {
  for_each = { for role, policy in {
    deployer = data.aws_iam_policy_document.deployer_asynchronous.json
    planner  = data.aws_iam_policy_document.planner_asynchronous.json
    reviewer = data.aws_iam_policy_document.planner_asynchronous.json
  } : role => policy if contains(keys(local.roles), role) }

  name   = "asynchronous"
  role   = aws_iam_role.step[each.key].name
  policy = each.value
}

# What the deployer and the verifier may do, and the planner read, of the trigger in deployment/trigger.tf, by this function's name.

locals {
  queue     = "arn:aws:sqs:${local.here}:${var.function_name}"
  age_alarm = "arn:aws:cloudwatch:${local.here}:alarm:${var.function_name}-age"
}

data "aws_iam_policy_document" "deployer_trigger" {
  statement {
    sid       = "ManageQueue"
    actions   = local.manage_queue
    resources = [local.queue]
  }

  statement {
    sid       = "ManageAgeAlarm"
    actions   = local.manage_alarm
    resources = [local.age_alarm]
  }
}

data "aws_iam_policy_document" "planner_trigger" {
  statement {
    sid       = "ReadQueue"
    actions   = local.read_queue
    resources = [local.queue]
  }

  statement {
    sid       = "ReadAgeAlarm"
    actions   = local.read_alarm
    resources = [local.age_alarm]
  }
}

data "aws_iam_policy_document" "verifier_trigger" {
  statement {
    sid       = "SendMessages"
    actions   = ["sqs:SendMessage"]
    resources = [local.queue]
  }

  statement {
    sid       = "EncryptMessages"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [data.aws_kms_key.account.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["sqs.${local.accounts.region}.amazonaws.com"]
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

# The role in which EventBridge Scheduler invokes the function, and what the deployer and the verifier may do, and the planner
# read, of the trigger in deployment/trigger.tf, by this function's name. What the role may do, that says.

resource "aws_iam_role" "scheduler" {
  name                 = "${var.function_name}-scheduler"
  path                 = local.paths.functions
  description          = "What EventBridge Scheduler may do for ${var.function_name}"
  assume_role_policy   = data.aws_iam_policy_document.scheduler_trust.json
  permissions_boundary = "${local.iam}:policy/${local.accounts.organization}-boundary"
}

data "aws_iam_policy_document" "scheduler_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account.id]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.schedule_group]
    }
  }
}

locals {
  schedule_group  = "arn:aws:scheduler:${local.here}:schedule-group/${var.function_name}"
  schedules       = [local.schedule_group, "arn:aws:scheduler:${local.here}:schedule/${var.function_name}/*"] # deleted with it
  schedule_alarms = [for alarm in ["missed", "schedule"] : "arn:aws:cloudwatch:${local.here}:alarm:${var.function_name}-${alarm}"]
}

data "aws_iam_policy_document" "deployer_trigger" {
  statement {
    sid = "ManageSchedules"
    actions = [
      "scheduler:CreateSchedule", "scheduler:CreateScheduleGroup", "scheduler:DeleteSchedule", "scheduler:DeleteScheduleGroup",
      "scheduler:GetSchedule", "scheduler:GetScheduleGroup", "scheduler:ListTagsForResource", "scheduler:TagResource",
      "scheduler:UntagResource", "scheduler:UpdateSchedule",
    ]
    resources = local.schedules
  }

  statement {
    sid       = "ChangeSchedulerRoleUnderTheBoundary"
    actions   = ["iam:DeleteRolePolicy", "iam:PutRolePolicy"]
    resources = [aws_iam_role.scheduler.arn]

    condition {
      test     = "ArnEquals"
      variable = "iam:PermissionsBoundary"
      values   = [aws_iam_role.scheduler.permissions_boundary]
    }
  }

  statement {
    sid       = "ReadSchedulerRole"
    actions   = ["iam:GetRolePolicy"]
    resources = [aws_iam_role.scheduler.arn]
  }

  statement {
    sid       = "PassRoleToScheduler"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.scheduler.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["scheduler.amazonaws.com"]
    }
  }

  statement {
    sid       = "ManageScheduleAlarms"
    actions   = local.manage_alarm
    resources = local.schedule_alarms
  }
}

data "aws_iam_policy_document" "planner_trigger" {
  statement {
    sid       = "ReadSchedules"
    actions   = ["scheduler:GetSchedule", "scheduler:GetScheduleGroup", "scheduler:ListTagsForResource"]
    resources = local.schedules
  }

  statement {
    sid       = "ReadSchedulerRole"
    actions   = ["iam:GetRolePolicy"]
    resources = [aws_iam_role.scheduler.arn]
  }

  statement {
    sid       = "ReadScheduleAlarms"
    actions   = local.read_alarm
    resources = local.schedule_alarms
  }
}

data "aws_iam_policy_document" "verifier_trigger" {
  statement {
    sid       = "FindSchedule"
    actions   = ["scheduler:GetSchedule"]
    resources = ["arn:aws:scheduler:${local.here}:schedule/${var.function_name}/${var.function_name}"]
  }

  statement {
    sid       = "ScheduleOnce"
    actions   = ["scheduler:CreateSchedule"]
    resources = ["arn:aws:scheduler:${local.here}:schedule/${var.function_name}/deployment-*"]
  }

  statement {
    sid       = "PassRoleToScheduler"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.scheduler.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["scheduler.amazonaws.com"]
    }
  }

  statement {
    sid       = "UseKeyForSchedules"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
    resources = [data.aws_kms_key.account.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["scheduler.${local.accounts.region}.amazonaws.com"]
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

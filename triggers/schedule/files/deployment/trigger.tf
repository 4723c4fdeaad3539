# What invokes the function: a schedule of EventBridge Scheduler, in a role of its own. What Scheduler cannot hand over to
# Lambda, it puts into the queue of failures.tf.

variable "schedule" {
  description = "When the function is invoked: cron(...), rate(...) or at(...), as EventBridge Scheduler takes them."
  type        = string
  nullable    = false
  default     = "cron(0 6 * * ? *)"

  validation {
    condition     = can(regex("^(cron\\([^ ()]+( [^ ()]+){5}\\)|rate\\([1-9][0-9]* (minute|hour|day)s?\\)|at\\([0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}\\))$", var.schedule))
    error_message = "EventBridge Scheduler takes cron(minutes hours day-of-month month day-of-week year), rate(5 minutes) or at(2030-01-31T06:00:00)."
  }
}

variable "time_zone" {
  description = "The time zone that the schedule is in, by its name in IANA's database."
  type        = string
  nullable    = false
  default     = "UTC"

  validation {
    condition     = can(regex("^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$", var.time_zone))
    error_message = "EventBridge Scheduler takes names such as UTC or Europe/Berlin."
  }
}

variable "sandbox_schedule" {
  description = "Whether the schedule is on in sandboxes, too."
  type        = bool
  nullable    = false
  default     = false
}

locals {
  failures = {
    queues = []
    policy = null # Scheduler sends in its role
  }
  group = "arn:aws:scheduler:${local.accounts.region}:${local.account.id}:schedule-group/${local.function_name}"
}

# Whom Scheduler's role trusts can be said of a group alone, so the schedule has one of its own:
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
resource "aws_scheduler_schedule_group" "schedule" {
  name = local.function_name
}

resource "aws_scheduler_schedule" "schedule" {
  name                         = local.function_name
  description                  = "Invokes ${local.function_name}"
  group_name                   = aws_scheduler_schedule_group.schedule.name
  schedule_expression          = var.schedule
  schedule_expression_timezone = var.time_zone
  state                        = var.sandbox == null || var.sandbox_schedule ? "ENABLED" : "DISABLED"
  kms_key_arn                  = data.aws_kms_key.account.arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_alias.live.arn
    role_arn = local.scheduler_role_arn
    # Not by jsonencode, which would escape the angle brackets.
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    input = <<-EOT
      {"schedule": "<aws.scheduler.schedule-arn>", "time": "<aws.scheduler.scheduled-time>", "name": "world", "language": "en"}
    EOT

    dead_letter_config {
      arn = aws_sqs_queue.failures.arn
    }

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 5
    }
  }

  # Scheduler takes a role that may not invoke, and invokes nothing.
  depends_on = [aws_iam_role_policy.scheduler]
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "InvokeFunction"
    actions   = ["lambda:InvokeFunction"]
    resources = [aws_lambda_alias.live.arn]
  }

  statement {
    sid       = "KeepFailures"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failures.arn]
  }

  statement {
    sid       = "EncryptFailures"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [data.aws_kms_key.account.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["sqs.${local.accounts.region}.amazonaws.com"]
    }
  }

  # https://docs.aws.amazon.com/scheduler/latest/UserGuide/encryption-rest.html
  statement {
    sid       = "DecryptSchedules"
    actions   = ["kms:Decrypt"]
    resources = [data.aws_kms_key.account.arn]

    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:scheduler:schedule:arn"
      values   = ["${replace(local.group, ":schedule-group/", ":schedule/")}/*"]
    }
  }
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "scheduler"
  role   = local.scheduler_role
  policy = data.aws_iam_policy_document.scheduler.json
}

# As the function's, Scheduler's role is made by pipeline/, a sandbox's here.
locals {
  scheduler_role     = var.sandbox == null ? "${local.function_name}-scheduler" : aws_iam_role.sandbox_scheduler[0].name
  scheduler_role_arn = "arn:aws:iam::${local.account.id}:role/lambda-template/${local.kind}/${local.scheduler_role}"
}

resource "aws_iam_role" "sandbox_scheduler" {
  count = var.sandbox == null ? 0 : 1

  name                 = "${local.function_name}-scheduler"
  path                 = "/lambda-template/sandboxes/"
  description          = "What EventBridge Scheduler may do for ${local.function_name}"
  assume_role_policy   = data.aws_iam_policy_document.sandbox_scheduler_trust.json
  permissions_boundary = "arn:aws:iam::${local.account.id}:policy/${local.accounts.organization}-boundary"
}

data "aws_iam_policy_document" "sandbox_scheduler_trust" {
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
      values   = [local.group]
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "schedule" {
  for_each = { for name, alarm in {
    schedule = { metric = "TargetErrorCount", meaning = "could not be invoked by its schedule" }
    missed   = { metric = "InvocationsFailedToBeSentToDeadLetterCount", meaning = "missed a time of its schedule, and ${aws_sqs_queue.failures.name} does not tell of it" }
  } : name => alarm if var.sandbox == null }

  alarm_name          = "${local.function_name}-${each.key}"
  alarm_description   = "${local.function_name} ${each.value.meaning}, in ${var.environment}."
  namespace           = "AWS/Scheduler"
  metric_name         = each.value.metric
  dimensions          = { ScheduleGroup = aws_scheduler_schedule_group.schedule.name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alerts]
  ok_actions          = [local.alerts]
}

output "schedule" {
  description = "ARN of the schedule that invokes the function."
  value       = aws_scheduler_schedule.schedule.arn
}

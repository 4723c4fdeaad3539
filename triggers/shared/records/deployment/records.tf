# How Lambda takes records of the stream that trigger.tf names, in batches, in the order of each shard. A record that fails
# is tried again alone, and those behind it wait; after its tries the queue of failures.tf is told where it is, not what it
# says, and the function goes on.

variable "batch_size" {
  description = "Records that an invocation gets at most."
  type        = number
  nullable    = false
  default     = 100

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10000
    error_message = "Lambda takes 1 to 10000 records."
  }
}

variable "batch_window" {
  description = "Seconds that Lambda waits for a batch to fill."
  type        = number
  nullable    = false
  default     = 0

  validation {
    condition     = var.batch_window >= 0 && var.batch_window <= 300
    error_message = "Lambda takes 0 to 300 seconds."
  }
}

variable "parallel_batches" {
  description = "Batches of a shard that are handled side by side. Records of one key stay in order."
  type        = number
  nullable    = false
  default     = 1

  validation {
    condition     = var.parallel_batches >= 1 && var.parallel_batches <= 10
    error_message = "Lambda takes 1 to 10 batches."
  }
}

variable "starting_position" {
  description = "Where the function begins: at the oldest record that the stream still holds, or at the next one. Changing it begins anew."
  type        = string
  nullable    = false
  default     = "TRIM_HORIZON"

  validation {
    condition     = contains(["TRIM_HORIZON", "LATEST"], var.starting_position)
    error_message = "The oldest is TRIM_HORIZON, the next one LATEST."
  }
}

locals {
  tries    = 5
  failures = { queues = [], policy = null }
}

resource "aws_lambda_event_source_mapping" "records" {
  event_source_arn                   = local.stream
  function_name                      = aws_lambda_alias.live.arn
  starting_position                  = var.starting_position
  batch_size                         = var.batch_size
  maximum_batching_window_in_seconds = var.batch_window
  parallelization_factor             = var.parallel_batches
  bisect_batch_on_function_error     = true
  maximum_retry_attempts             = local.tries - 1
  maximum_record_age_in_seconds      = 6 * 60 * 60 # throttling is no try; so there is time left to read what is given up
  function_response_types            = ["ReportBatchItemFailures"]

  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.failures.arn
    }
  }

  # Lambda refuses a function that may not read the stream.
  depends_on = [aws_iam_role_policy.trigger]
}

# Lambda reads the stream, and tells of what failed, in the function's role.
data "aws_iam_policy_document" "records" {
  statement {
    sid       = "TellOfFailures"
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
}

resource "aws_iam_role_policy" "trigger" {
  name   = "trigger"
  role   = local.role
  policy = data.aws_iam_policy_document.trigger.json
}

resource "aws_cloudwatch_metric_alarm" "records" {
  for_each = { for name, alarm in {
    age = {
      metric    = "IteratorAge"
      statistic = "Maximum"
      threshold = 10 * 60 * 1000
      resource  = { Resource = "${local.function_name}:${aws_lambda_alias.live.name}" }
      meaning   = "does not keep up with its stream: it has handled records that had waited for more than 10 minutes"
    }
    untold = {
      metric    = "DestinationDeliveryFailures"
      statistic = "Sum"
      threshold = 0
      resource  = {}
      meaning   = "has given up records of which ${aws_sqs_queue.failures.name} could not be told"
    }
  } : name => alarm if var.sandbox == null }

  alarm_name          = "${local.function_name}-${each.key}"
  alarm_description   = "${local.function_name} ${each.value.meaning}, in ${var.environment}."
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = merge({ FunctionName = local.function_name }, each.value.resource)
  statistic           = each.value.statistic
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alerts]
  ok_actions          = [local.alerts]
}

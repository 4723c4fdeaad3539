# What invokes the function: messages of a queue of its name. One that fails time after time is kept in the queue of
# failures.tf, for longer than here, since its age counts from when it was sent. Who may send, the senders' own policies
# say, in this account alone.

variable "batch_size" {
  description = "Messages that an invocation gets at most."
  type        = number
  nullable    = false
  default     = 10

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10000
    error_message = "Lambda takes 1 to 10000 messages."
  }
}

variable "batch_window" {
  description = "Seconds that Lambda waits for a batch to fill."
  type        = number
  nullable    = false
  default     = 0

  validation {
    condition     = var.batch_window <= 300 && var.batch_window >= (var.batch_size > 10 ? 1 : 0)
    error_message = "Lambda takes 0 to 300 seconds, and at least 1 for a batch_size over 10."
  }
}

variable "maximum_concurrency" {
  description = "Invocations at once that Lambda makes for the queue at most; null for as many as it takes."
  type        = number
  default     = null

  validation {
    condition     = try(var.maximum_concurrency >= 2 && var.maximum_concurrency <= 1000, true)
    error_message = "Lambda takes 2 to 1000 invocations."
  }
}

locals {
  tries = 5 # fewer lose messages to throttling: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
  failures = {
    queues = ["arn:aws:sqs:${local.accounts.region}:${local.account.id}:${local.function_name}"]
    policy = null
  }
}

resource "aws_sqs_queue" "queue" {
  name              = local.function_name
  kms_master_key_id = data.aws_kms_key.account.arn
  # A message is handed out again after this: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
  visibility_timeout_seconds = 6 * var.timeout + var.batch_window
  redrive_policy             = jsonencode({ deadLetterTargetArn = aws_sqs_queue.failures.arn, maxReceiveCount = local.tries })
}

resource "aws_lambda_event_source_mapping" "queue" {
  event_source_arn                   = aws_sqs_queue.queue.arn
  function_name                      = aws_lambda_alias.live.arn
  batch_size                         = var.batch_size
  maximum_batching_window_in_seconds = var.batch_window
  function_response_types            = ["ReportBatchItemFailures"]

  dynamic "scaling_config" {
    for_each = var.maximum_concurrency[*]

    content {
      maximum_concurrency = scaling_config.value
    }
  }

  # Lambda refuses a function that may not take messages.
  depends_on = [aws_iam_role_policy.trigger]
}

# Lambda takes the messages in the function's role.
data "aws_iam_policy_document" "trigger" {
  statement {
    sid       = "TakeMessages"
    actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources = [aws_sqs_queue.queue.arn]
  }

  statement {
    sid       = "DecryptMessages"
    actions   = ["kms:Decrypt"]
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

resource "aws_cloudwatch_metric_alarm" "age" {
  count = var.sandbox == null ? 1 : 0

  alarm_name          = "${local.function_name}-age"
  alarm_description   = "${local.function_name} does not keep up with its queue in ${var.environment}: a message has waited for longer than all tries of one take."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.queue.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = local.tries * aws_sqs_queue.queue.visibility_timeout_seconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alerts]
  ok_actions          = [local.alerts]
}

output "queue" {
  description = "URL of the queue whose messages invoke the function."
  value       = aws_sqs_queue.queue.url
}

# EventBridge has the function invoked with each event of the account's default bus that matches local.pattern, in
# trigger.tf. What it cannot hand to Lambda, it sends to the queue of failures.tf.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html

locals {
  rule     = "arn:aws:events:${local.accounts.region}:${local.account.id}:rule/${local.function_name}"
  failures = { queues = [], policy = data.aws_iam_policy_document.failures.json }
}

resource "aws_cloudwatch_event_rule" "rule" {
  name          = local.function_name
  description   = "What ${local.function_name} is invoked with"
  event_pattern = jsonencode(local.pattern)
}

resource "aws_cloudwatch_event_target" "function" {
  rule      = aws_cloudwatch_event_rule.rule.name
  target_id = "function"
  arn       = aws_lambda_alias.live.arn

  retry_policy {
    maximum_retry_attempts       = 185
    maximum_event_age_in_seconds = 24 * 60 * 60
  }

  dead_letter_config {
    arn = aws_sqs_queue.failures.arn
  }

  depends_on = [aws_lambda_permission.rule]
}

resource "aws_lambda_permission" "rule" {
  statement_id  = "rule"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_alias.live.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.rule.arn
}

data "aws_iam_policy_document" "failures" {
  statement {
    sid       = "KeepEvents"
    actions   = ["sqs:SendMessage"]
    resources = ["arn:aws:sqs:${local.accounts.region}:${local.account.id}:${local.function_name}-failures"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.rule]
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "rule" {
  count = var.sandbox == null ? 1 : 0

  alarm_name          = "${local.function_name}-rule"
  alarm_description   = "An event for ${local.function_name} could neither be delivered nor kept in ${aws_sqs_queue.failures.name}, in ${var.environment}."
  namespace           = "AWS/Events"
  metric_name         = "InvocationsFailedToBeSentToDlq"
  dimensions          = { RuleName = aws_cloudwatch_event_rule.rule.name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alerts]
  ok_actions          = [local.alerts]
}

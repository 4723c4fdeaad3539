# Lambda takes each event at once and invokes the function by itself. If that raises, it tries again after a minute and
# after two more; then it sends the event, with what the function raised, to the queue of failures.tf.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html

resource "aws_lambda_function_event_invoke_config" "live" {
  function_name                = aws_lambda_alias.live.function_name
  qualifier                    = aws_lambda_alias.live.name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 6 * 60 * 60

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failures.arn
    }
  }

  # Lambda refuses a function that may not send there.
  depends_on = [aws_iam_role_policy.asynchronous]
}

# Lambda sends in the function's role.
data "aws_iam_policy_document" "asynchronous" {
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
}

resource "aws_iam_role_policy" "asynchronous" {
  name   = "asynchronous"
  role   = local.role
  policy = data.aws_iam_policy_document.asynchronous.json
}

resource "aws_cloudwatch_metric_alarm" "asynchronous" {
  count = var.sandbox == null ? 1 : 0

  alarm_name          = "${local.function_name}-asynchronous"
  alarm_description   = "An event that ${local.function_name} failed to handle could not be kept in ${aws_sqs_queue.failures.name} and is lost, in ${var.environment}."
  namespace           = "AWS/Lambda"
  metric_name         = "DestinationDeliveryFailures"
  dimensions          = { FunctionName = local.function_name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alerts]
  ok_actions          = [local.alerts]
}

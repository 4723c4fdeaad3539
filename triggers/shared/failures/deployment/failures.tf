# The queue that keeps what the function failed to handle. local.failures, in trigger.tf, says who may put it there: the
# queues that hand it over, and a policy for services that send it, null if there are none.

resource "aws_sqs_queue" "failures" {
  name                      = "${local.function_name}-failures"
  kms_master_key_id         = data.aws_kms_key.account.arn
  message_retention_seconds = 14 * 24 * 60 * 60
  policy                    = local.failures.policy
  redrive_allow_policy = length(local.failures.queues) == 0 ? jsonencode({ redrivePermission = "denyAll" }) : jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = local.failures.queues
  })
}

resource "aws_cloudwatch_metric_alarm" "failures" {
  count = var.sandbox == null ? 1 : 0

  alarm_name          = aws_sqs_queue.failures.name
  alarm_description   = "${local.function_name} has failed to handle what is now in ${aws_sqs_queue.failures.name}, in ${var.environment}."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.failures.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alerts]
  ok_actions          = [local.alerts]
}

# What invokes the function: what is published to a topic of its name. Who may publish, the publishers' own policies say,
# in this account alone. What SNS cannot hand over to Lambda, it puts into the queue of failures.tf.

locals {
  topic = "arn:aws:sns:${local.accounts.region}:${local.account.id}:${local.function_name}"
  failures = {
    queues = []
    policy = data.aws_iam_policy_document.failures.json
  }
}

resource "aws_sns_topic" "topic" {
  name              = local.function_name
  kms_master_key_id = data.aws_kms_key.account.arn
  policy            = data.aws_iam_policy_document.topic.json
}

# https://docs.aws.amazon.com/sns/latest/dg/sns-security-best-practices.html
data "aws_iam_policy_document" "topic" {
  statement {
    sid       = "PublishByTLSAlone"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [local.topic]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

data "aws_iam_policy_document" "failures" {
  statement {
    sid       = "KeepNotifications"
    actions   = ["sqs:SendMessage"]
    resources = ["arn:aws:sqs:${local.accounts.region}:${local.account.id}:${local.function_name}-failures"]

    principals {
      type        = "Service"
      identifiers = ["sns.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.topic]
    }
  }
}

resource "aws_lambda_permission" "topic" {
  statement_id  = "topic"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_alias.live.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "sns.amazonaws.com"
  source_arn    = aws_sns_topic.topic.arn
}

resource "aws_sns_topic_subscription" "function" {
  topic_arn      = aws_sns_topic.topic.arn
  protocol       = "lambda"
  endpoint       = aws_lambda_alias.live.arn
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.failures.arn })

  depends_on = [aws_lambda_permission.topic]
}

resource "aws_cloudwatch_metric_alarm" "topic" {
  count = var.sandbox == null ? 1 : 0

  alarm_name          = "${local.function_name}-topic"
  alarm_description   = "Something published to ${local.function_name} reached neither the function nor ${aws_sqs_queue.failures.name}, in ${var.environment}."
  namespace           = "AWS/SNS"
  metric_name         = "NumberOfNotificationsFailedToRedriveToDlq"
  dimensions          = { TopicName = aws_sns_topic.topic.name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alerts]
  ok_actions          = [local.alerts]
}

output "topic" {
  description = "ARN of the topic that invokes the function."
  value       = aws_sns_topic.topic.arn
}

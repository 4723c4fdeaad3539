# Where failed pipelines, drift and functions' alarms go. The organization subscribes whom it wants.

locals {
  # Which services tell, and for which account they say that they do. EventBridge says none to SNS and KMS.
  alerting    = { cloudwatch = [local.account.id], events = [] }
  alerts      = "${local.organization}-alerts"
  undelivered = "${local.organization}-undelivered"
}

resource "aws_sns_topic" "alerts" {
  count = local.environment == null ? 0 : 1

  name              = local.alerts
  kms_master_key_id = aws_kms_key.account.arn
}

resource "aws_sns_topic_policy" "alerts" {
  count = local.environment == null ? 0 : 1

  arn    = aws_sns_topic.alerts[0].arn
  policy = data.aws_iam_policy_document.alerts[0].json
}

data "aws_iam_policy_document" "alerts" {
  count = local.environment == null ? 0 : 1

  dynamic "statement" {
    for_each = local.alerting

    content {
      sid       = title(statement.key)
      actions   = ["sns:Publish"]
      resources = [aws_sns_topic.alerts[0].arn]

      principals {
        type        = "Service"
        identifiers = ["${statement.key}.amazonaws.com"]
      }

      dynamic "condition" {
        for_each = statement.value

        content {
          test     = "StringEquals"
          variable = "aws:SourceAccount"
          values   = [condition.value]
        }
      }
    }
  }
}

resource "aws_cloudwatch_event_rule" "pipeline_failed" {
  count = local.environment == null ? 0 : 1

  name        = "${local.organization}-pipeline-failed"
  description = "A pipeline of this account has failed."
  event_pattern = jsonencode({
    source        = ["aws.codepipeline"]
    "detail-type" = ["CodePipeline Pipeline Execution State Change"]
    detail = merge({ state = ["FAILED"] }, local.builds ? {} : {
      # A new pipeline runs at once, before anything has been promoted to it.
      "execution-trigger" = { "trigger-type" = [{ exists = false }, { "anything-but" = ["CreatePipeline"] }] }
    })
  })
}

resource "aws_cloudwatch_event_target" "pipeline_failed" {
  count = local.environment == null ? 0 : 1

  rule = aws_cloudwatch_event_rule.pipeline_failed[0].name
  arn  = aws_sns_topic.alerts[0].arn

  input_transformer {
    input_paths = { pipeline = "$.detail.pipeline", execution = "$.detail.execution-id" }
    # Not by jsonencode, which would escape the angle brackets.
    input_template = <<-EOT
      "<pipeline> failed in ${var.account}: https://${local.region}.console.aws.amazon.com/codesuite/codepipeline/pipelines/<pipeline>/executions/<execution>/timeline?region=${local.region}"
    EOT
  }
}

# Where drift is, FUNCTION-drift tells it by itself.
resource "aws_cloudwatch_event_rule" "drift_failed" {
  count = local.environment == null ? 0 : 1

  name        = "${local.organization}-drift-failed"
  description = "Nobody knows whether a function of this account has drifted."
  event_pattern = jsonencode({
    source        = ["aws.codebuild"]
    "detail-type" = ["CodeBuild Build State Change"]
    detail = {
      "build-status" = [{ "anything-but" = ["IN_PROGRESS", "SUCCEEDED"] }]
      "project-name" = [{ suffix = "-drift" }]
    }
  })
}

resource "aws_cloudwatch_event_target" "drift_failed" {
  count = local.environment == null ? 0 : 1

  rule = aws_cloudwatch_event_rule.drift_failed[0].name
  arn  = aws_sns_topic.alerts[0].arn

  input_transformer {
    input_paths    = { project = "$.detail.project-name" }
    input_template = <<-EOT
      "<project> failed in ${var.account}, so nobody knows what has drifted: https://${local.region}.console.aws.amazon.com/codesuite/codebuild/${local.account.id}/projects/<project>/history?region=${local.region}"
    EOT
  }
}

# Releases that were promoted here and whose pipeline could not be started: the environment before shows success.

resource "aws_sqs_queue" "undelivered" {
  count = local.environment == null ? 0 : 1

  name                      = local.undelivered
  message_retention_seconds = 14 * 24 * 60 * 60
  sqs_managed_sse_enabled   = true # with the account's key, EventBridge would need that
  policy                    = data.aws_iam_policy_document.undelivered.json
}

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
data "aws_iam_policy_document" "undelivered" {
  statement {
    sid       = "KeepEvents"
    actions   = ["sqs:SendMessage"]
    resources = ["arn:aws:sqs:${local.here}:${local.undelivered}"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:aws:events:${local.here}:rule/*-promoted"]
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "undelivered" {
  count = local.environment == null ? 0 : 1

  alarm_name          = local.undelivered
  alarm_description   = "A release was promoted to ${var.account}, and its pipeline could not be started: docs/pipelines.md."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = local.undelivered }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts[0].arn]
}

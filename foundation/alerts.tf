# Where failed pipelines and functions' alarms go. The organization subscribes whom it wants.

locals {
  # Which services tell, and for which account they say that they do. EventBridge says none to SNS and KMS.
  alerting = { cloudwatch = [local.account.id], events = [] }
}

resource "aws_sns_topic" "alerts" {
  count = local.environment == null ? 0 : 1

  name              = "${local.organization}-alerts"
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
    "detail-type" = ["CodePipeline Stage Execution State Change"]
    detail        = { state = ["FAILED"] }
  })
}

resource "aws_cloudwatch_event_target" "pipeline_failed" {
  count = local.environment == null ? 0 : 1

  rule = aws_cloudwatch_event_rule.pipeline_failed[0].name
  arn  = aws_sns_topic.alerts[0].arn

  input_transformer {
    input_paths = {
      pipeline  = "$.detail.pipeline"
      stage     = "$.detail.stage"
      execution = "$.detail.execution-id"
    }
    # Not by jsonencode, which would escape the angle brackets.
    input_template = <<-EOT
      "<pipeline> failed in ${var.account}, stage <stage>: https://${local.region}.console.aws.amazon.com/codesuite/codepipeline/pipelines/<pipeline>/executions/<execution>/timeline?region=${local.region}"
    EOT
  }
}

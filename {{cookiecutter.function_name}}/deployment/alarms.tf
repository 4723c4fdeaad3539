locals {
  alarms = {
    errors    = { metric = "Errors", statistic = "Sum", percentile = null, unit = "Count", threshold = 0, meaning = "raised errors" }
    throttles = { metric = "Throttles", statistic = "Sum", percentile = null, unit = "Count", threshold = 0, meaning = "was throttled" }
    duration  = { metric = "Duration", statistic = null, percentile = "p99", unit = "Milliseconds", threshold = 800 * var.timeout, meaning = "took over 80 % of its timeout" }
  }
}

resource "aws_cloudwatch_metric_alarm" "function" {
  for_each = { for name, alarm in local.alarms : name => alarm if var.sandbox == null } # nobody is called for a sandbox

  alarm_name          = "${local.function_name}-${each.key}"
  alarm_description   = "${local.function_name} ${each.value.meaning} in ${var.environment}."
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = local.function_name, Resource = "${local.function_name}:${aws_lambda_alias.live.name}" }
  statistic           = each.value.statistic
  extended_statistic  = each.value.percentile
  unit                = each.value.unit
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alerts]
  ok_actions          = [local.alerts]
}

# What judges a shift of traffic: the new version's errors alone. Those that the version before has anyhow stop no fix.
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics.html
resource "aws_cloudwatch_metric_alarm" "canary" {
  count = var.sandbox == null ? 1 : 0

  alarm_name        = "${local.function_name}-canary"
  alarm_description = "The newest version of ${local.function_name} raised errors in ${var.environment}."
  namespace         = "AWS/Lambda"
  metric_name       = "Errors"
  dimensions = {
    FunctionName    = local.function_name
    Resource        = "${local.function_name}:${aws_lambda_alias.live.name}"
    ExecutedVersion = aws_lambda_function.function.version
  }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
}

locals {
  alerts = "arn:aws:sns:${local.accounts.region}:${local.account.id}:${local.accounts.organization}-alerts"
}

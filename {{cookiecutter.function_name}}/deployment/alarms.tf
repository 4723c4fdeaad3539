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

locals {
  alerts = "arn:aws:sns:${local.accounts.region}:${local.account.id}:${local.accounts.organization}-alerts"
}

# How callers get to a new version: CodeDeploy moves the alias, at once or step by step. If an alarm goes on meanwhile,
# it moves it back.

locals {
  shifted = var.function_name == null ? toset(["live"]) : toset([]) # a sandbox has no callers to be careful with
}

resource "aws_codedeploy_app" "function" {
  for_each = local.shifted

  name             = local.function_name
  compute_platform = "Lambda"
}

resource "aws_codedeploy_deployment_group" "live" {
  for_each = local.shifted

  app_name               = aws_codedeploy_app.function[each.key].name
  deployment_group_name  = aws_lambda_alias.live.name
  deployment_config_name = "CodeDeployDefault.Lambda${var.traffic}"
  service_role_arn       = "arn:aws:iam::${local.account.id}:role/${local.accounts.organization}-traffic"

  deployment_style {
    deployment_type   = "BLUE_GREEN"
    deployment_option = "WITH_TRAFFIC_CONTROL"
  }

  alarm_configuration {
    # CodeDeploy begins nothing while an alarm is on. All at once there is nothing to watch either.
    enabled = var.traffic != "AllAtOnce"
    alarms  = [for alarm in aws_cloudwatch_metric_alarm.function : alarm.alarm_name]
  }

  auto_rollback_configuration {
    enabled = true
    events  = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]
  }
}

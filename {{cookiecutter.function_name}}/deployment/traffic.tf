# How callers get to a new version: CodeDeploy moves the alias, at once or step by step. If the new version
# raises errors meanwhile, it moves it back.

resource "aws_codedeploy_app" "function" {
  count = var.sandbox == null ? 1 : 0 # a sandbox has no callers to be careful with

  name             = local.function_name
  compute_platform = "Lambda"
}

resource "aws_codedeploy_deployment_group" "live" {
  count = var.sandbox == null ? 1 : 0

  app_name               = aws_codedeploy_app.function[0].name
  deployment_group_name  = aws_lambda_alias.live.name
  deployment_config_name = "CodeDeployDefault.Lambda${var.traffic}"
  service_role_arn       = "arn:aws:iam::${local.account.id}:role/lambda-template/pipelines/${local.function_name}-traffic"

  deployment_style {
    deployment_type   = "BLUE_GREEN"
    deployment_option = "WITH_TRAFFIC_CONTROL"
  }

  alarm_configuration {
    enabled = var.traffic != "AllAtOnce" # all at once there is nothing to watch
    alarms  = [aws_cloudwatch_metric_alarm.canary[0].alarm_name]
  }

  auto_rollback_configuration {
    enabled = true
    events  = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]
  }
}

# What invokes the function: requests to an HTTP API of its name, all of them by one route. Who may, authorization.tf says.

variable "throttling_rate" {
  description = "Requests in a second that are let through in the long run; the rest is answered 429."
  type        = number
  nullable    = false
  default     = 100

  validation {
    condition     = var.throttling_rate >= 1
    error_message = "Must be at least 1."
  }
}

variable "throttling_burst" {
  description = "Requests that are let through at once."
  type        = number
  nullable    = false
  default     = 200

  validation {
    condition     = var.throttling_burst >= 1 && floor(var.throttling_burst) == var.throttling_burst
    error_message = "Must be a whole number of at least 1."
  }
}

variable "cors" {
  description = "What browsers let pages of other origins do; without it, nothing."
  type = object({
    allow_origins = list(string)
    allow_methods = optional(list(string), ["GET"])
    allow_headers = optional(list(string), ["authorization", "content-type"])
    max_age       = optional(number, 300)
  })
  default = null
}

locals {
  authorization = split(" ", var.authorization)
}

resource "aws_apigatewayv2_api" "api" {
  name          = local.function_name
  description   = "Requests to ${local.function_name}"
  protocol_type = "HTTP"

  dynamic "cors_configuration" {
    for_each = var.cors[*]

    content {
      allow_origins = cors_configuration.value.allow_origins
      allow_methods = cors_configuration.value.allow_methods
      allow_headers = cors_configuration.value.allow_headers
      max_age       = cors_configuration.value.max_age
    }
  }
}

resource "aws_apigatewayv2_integration" "function" {
  api_id                 = aws_apigatewayv2_api.api.id
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = aws_lambda_alias.live.invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_authorizer" "jwt" {
  count = local.authorization[0] == "jwt" ? 1 : 0

  api_id           = aws_apigatewayv2_api.api.id
  name             = "jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = local.authorization[1]
    audience = slice(local.authorization, 2, length(local.authorization))
  }

  lifecycle {
    create_before_destroy = true # the route leaves it first
  }
}

resource "aws_apigatewayv2_route" "all" {
  api_id             = aws_apigatewayv2_api.api.id
  route_key          = "$default"
  target             = "integrations/${aws_apigatewayv2_integration.function.id}"
  authorization_type = { iam = "AWS_IAM", jwt = "JWT", none = "NONE" }[local.authorization[0]]
  authorizer_id      = one(aws_apigatewayv2_authorizer.jwt[*].id)
}

# Browsers ask without credentials whether a page may call; API Gateway answers by itself.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
resource "aws_apigatewayv2_route" "preflight" {
  count = var.cors == null ? 0 : 1

  api_id             = aws_apigatewayv2_api.api.id
  route_key          = "OPTIONS /{proxy+}"
  target             = "integrations/${aws_apigatewayv2_integration.function.id}"
  authorization_type = "NONE"
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.api.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = var.throttling_rate
    throttling_burst_limit = var.throttling_burst
  }

  # Neither headers nor query: they may hold credentials.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format = jsonencode({
      requestId   = "$context.requestId"
      time        = "$context.requestTime"
      ip          = "$context.identity.sourceIp"
      caller      = "$context.identity.caller"
      subject     = "$context.authorizer.claims.sub"
      method      = "$context.httpMethod"
      path        = "$context.path"
      status      = "$context.status"
      latency     = "$context.responseLatency"
      error       = "$context.error.message"
      integration = "$context.integrationErrorMessage"
    })
  }
}

# Under a name that begins so, groups do not add up in the policy by which AWS may write into them.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-CWL.html
resource "aws_cloudwatch_log_group" "access" {
  name              = "/aws/vendedlogs/apis/${local.function_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = data.aws_kms_key.account.arn
}

resource "aws_lambda_permission" "api" {
  statement_id  = "api"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_alias.live.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.api.execution_arn}/${aws_apigatewayv2_stage.default.name}/${aws_apigatewayv2_route.all.route_key}"
}

resource "aws_cloudwatch_metric_alarm" "api" {
  count = var.sandbox == null ? 1 : 0

  alarm_name          = "${local.function_name}-5xx"
  alarm_description   = "${local.function_name} answered requests with 5xx in ${var.environment}: it raised an error, was throttled, or took too long."
  namespace           = "AWS/ApiGateway"
  metric_name         = "5xx"
  dimensions          = { ApiId = aws_apigatewayv2_api.api.id, Stage = aws_apigatewayv2_stage.default.name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alerts]
  ok_actions          = [local.alerts]
}

output "address" {
  description = "Where requests invoke the function."
  value       = aws_apigatewayv2_stage.default.invoke_url
}

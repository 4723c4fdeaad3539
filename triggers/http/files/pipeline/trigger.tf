# What the deployer and the verifier may do, and the planner read, of the trigger in deployment/trigger.tf. AWS names APIs by
# ids of its own, so this function's are told by its name and its tag. Whether AWS tells IAM of an API's tags when it is asked
# about a part of it, such as a route, its documentation leaves open: if it denies `apigateway:POST` on such as
# /apis/ID/routes, write StringEqualsIfExists in ManageApi and ReadApi.

locals {
  apis       = "arn:aws:apigateway:${local.accounts.region}::"
  access_log = [for part in ["", ":*"] : "arn:aws:logs:${local.here}:log-group:/aws/vendedlogs/apis/${var.function_name}${part}"]
  api_alarm  = "arn:aws:cloudwatch:${local.here}:alarm:${var.function_name}-5xx"
}

data "aws_iam_policy_document" "deployer_trigger" {
  source_policy_documents = [data.aws_iam_policy_document.planner_trigger.json]

  statement {
    sid       = "MakeApi"
    actions   = ["apigateway:POST"]
    resources = ["${local.apis}/apis"]

    condition {
      test     = "StringEquals"
      variable = "apigateway:Request/ApiName"
      values   = [var.function_name]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/function"
      values   = [var.function_name]
    }
  }

  statement {
    sid       = "ManageApi"
    actions   = ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST"]
    resources = ["${local.apis}/apis/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/function"
      values   = [var.function_name]
    }
  }

  # All but the tag by which it is told whose an API is: AWS tells IAM no tags of an API whose tags are changed.
  statement {
    sid       = "TagApi"
    actions   = ["apigateway:DELETE", "apigateway:POST"]
    resources = ["${local.apis}/tags/*"]

    condition {
      test     = "ForAllValues:StringNotEquals"
      variable = "aws:TagKeys"
      values   = ["function"]
    }
  }

  # Which AWS does not list, and was seen to ask for: https://github.com/aws-amplify/amplify-cli/issues/12316
  statement {
    sid       = "TagNewApi"
    actions   = ["apigateway:TagResource"]
    resources = ["${local.apis}/apis", "${local.apis}/apis/*"]

    condition {
      test     = "StringEqualsIfExists"
      variable = "aws:RequestTag/function"
      values   = [var.function_name]
    }

    condition {
      test     = "StringEqualsIfExists" # a new one has none yet
      variable = "aws:ResourceTag/function"
      values   = [var.function_name]
    }
  }

  statement {
    sid       = "LetApiInvoke"
    actions   = ["lambda:AddPermission", "lambda:RemovePermission"]
    resources = ["${local.function}:live"]

    condition {
      test     = "StringEquals"
      variable = "lambda:Principal"
      values   = ["apigateway.amazonaws.com"]
    }
  }

  statement {
    sid = "ManageAccessLog"
    actions = [
      "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource",
    ]
    resources = local.access_log
  }

  # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html#http-api-logging.permissions
  statement {
    sid = "LogRequests"
    actions = [
      "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeResourcePolicies", "logs:GetLogDelivery",
      "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
    ]
    resources = ["*"] # take no other
  }

  statement {
    sid = "ManageApiAlarm"
    actions = [
      "cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource",
    ]
    resources = [local.api_alarm]
  }
}

data "aws_iam_policy_document" "planner_trigger" {
  statement {
    sid       = "ReadApi"
    actions   = ["apigateway:GET"]
    resources = ["${local.apis}/apis/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/function"
      values   = [var.function_name]
    }
  }

  statement {
    sid       = "ReadWhoMayInvoke"
    actions   = ["lambda:GetPolicy"]
    resources = ["${local.function}:live"]
  }

  statement {
    sid       = "ReadAccessLog"
    actions   = ["logs:ListTagsForResource"]
    resources = local.access_log
  }

  statement {
    sid       = "ReadApiAlarm"
    actions   = ["cloudwatch:ListTagsForResource"]
    resources = [local.api_alarm]
  }
}

data "aws_iam_policy_document" "verifier_trigger" {
  statement {
    sid       = "FindApi"
    actions   = ["apigateway:GET"]
    resources = ["${local.apis}/apis"] # the list of all
  }

  statement {
    sid       = "SendRequests"
    actions   = ["execute-api:Invoke"]
    resources = ["arn:aws:execute-api:${local.here}:*/$default/*"] # to whatever API here: AWS tells IAM neither name nor tag
  }
}

resource "aws_iam_role_policy" "trigger" {
  for_each = { for role, policy in {
    deployer = data.aws_iam_policy_document.deployer_trigger.json
    planner  = data.aws_iam_policy_document.planner_trigger.json
    reviewer = data.aws_iam_policy_document.planner_trigger.json
    verifier = data.aws_iam_policy_document.verifier_trigger.json
  } : role => policy if contains(keys(local.roles), role) }

  name   = "trigger"
  role   = aws_iam_role.step[each.key].name
  policy = each.value
}

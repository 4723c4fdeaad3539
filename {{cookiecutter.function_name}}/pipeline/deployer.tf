# What deploys the function: exactly what deployment/ manages, by this function's name. Yours to extend, with
# deployment/permissions.tf in mind: that says what the function may do, this what its deployment may create.

locals {
  function = "arn:aws:lambda:${local.here}:function:${var.function_name}"
  alarms = [
    for alarm in ["canary", "duration", "errors", "throttles"] : "arn:aws:cloudwatch:${local.here}:alarm:${var.function_name}-${alarm}"
  ]
  secrets = ["arn:aws:ssm:${local.here}:parameter/${var.function_name}/*"]
  in_vpc  = can(regex("(?m)^vpc\\s*=", file("${path.module}/../deployment/environments/${var.environment}.tfvars")))
  traffic = [
    "arn:aws:codedeploy:${local.here}:application:${var.function_name}",
    "arn:aws:codedeploy:${local.here}:deploymentgroup:${var.function_name}/live",
  ]
}

data "aws_iam_policy_document" "deployer_function" {
  statement {
    sid = "ManageFunction"
    actions = [
      "lambda:CreateAlias", "lambda:CreateFunction", "lambda:DeleteAlias", "lambda:DeleteFunction", "lambda:GetAlias",
      "lambda:GetFunction", "lambda:GetFunctionCodeSigningConfig", "lambda:GetFunctionConfiguration", "lambda:ListAliases",
      "lambda:ListTags", "lambda:ListVersionsByFunction", "lambda:PublishVersion", "lambda:TagResource", "lambda:UntagResource",
      "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration",
    ]
    resources = [local.function, "${local.function}:*"]
  }

  statement {
    sid       = "ReserveConcurrency"
    actions   = ["lambda:DeleteFunctionConcurrency", "lambda:PutFunctionConcurrency"]
    resources = [local.function]
  }

  dynamic "statement" {
    for_each = local.in_vpc ? ["vpc"] : []

    content {
      sid       = "SeeNetwork"
      actions   = ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"]
      resources = ["*"] # take no other
    }
  }

  statement {
    sid       = "CheckFunction"
    actions   = ["lambda:InvokeFunction"]
    resources = ["${local.function}:*"]
  }

  statement {
    sid       = "ChangeRoleUnderTheBoundary"
    actions   = ["iam:DeleteRolePolicy", "iam:PutRolePolicy"]
    resources = [aws_iam_role.function.arn]

    condition {
      test     = "ArnEquals"
      variable = "iam:PermissionsBoundary"
      values   = [aws_iam_role.function.permissions_boundary]
    }
  }

  statement {
    sid       = "ReadRole"
    actions   = ["iam:GetRolePolicy"]
    resources = [aws_iam_role.function.arn]
  }

  statement {
    sid       = "PassRoleToLambda"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.function.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["lambda.amazonaws.com"]
    }
  }

  # That they are there: what decrypts them, the boundary denies.
  statement {
    sid       = "FindSecrets"
    actions   = ["ssm:GetParameter"]
    resources = local.secrets
  }

  statement {
    sid = "ManageLog"
    actions = [
      "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:ListTagsForResource", "logs:PutRetentionPolicy",
      "logs:TagResource", "logs:UntagResource",
    ]
    # Tags are of the group, all else is of what is in it.
    resources = [for part in ["", ":*"] : "arn:aws:logs:${local.here}:log-group:/aws/lambda/${var.function_name}${part}"]
  }

  statement {
    sid       = "FindLog"
    actions   = ["logs:DescribeLogGroups"]
    resources = ["*"] # takes no other
  }

  statement {
    sid = "ManageAlarms"
    actions = [
      "cloudwatch:DeleteAlarms", "cloudwatch:ListTagsForResource", "cloudwatch:PutMetricAlarm",
      "cloudwatch:TagResource", "cloudwatch:UntagResource",
    ]
    resources = local.alarms
  }

  statement {
    sid       = "FindAlarms"
    actions   = ["cloudwatch:DescribeAlarms"]
    resources = ["arn:aws:cloudwatch:${local.here}:alarm:*"] # takes no narrower one
  }
}

data "aws_iam_policy_document" "deployer_traffic" {
  statement {
    sid = "ManageTraffic"
    actions = [
      "codedeploy:CreateApplication", "codedeploy:CreateDeploymentGroup", "codedeploy:DeleteApplication",
      "codedeploy:DeleteDeploymentGroup", "codedeploy:GetApplication", "codedeploy:GetDeploymentGroup",
      "codedeploy:ListTagsForResource", "codedeploy:TagResource", "codedeploy:UntagResource",
      "codedeploy:UpdateDeploymentGroup",
    ]
    resources = local.traffic
  }

  statement {
    sid = "MoveTraffic"
    actions = [
      "codedeploy:CreateDeployment", "codedeploy:GetApplicationRevision", "codedeploy:GetDeployment",
      "codedeploy:ListDeployments", "codedeploy:RegisterApplicationRevision",
    ]
    resources = local.traffic
  }

  statement {
    sid       = "ReadHowToMoveTraffic"
    actions   = ["codedeploy:GetDeploymentConfig"]
    resources = ["arn:aws:codedeploy:${local.here}:deploymentconfig:*"]
  }

  statement {
    sid       = "PassRoleToCodeDeploy"
    actions   = ["iam:PassRole"]
    resources = ["${local.iam}:role${local.paths.pipelines}${var.function_name}-traffic"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["codedeploy.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "deployer_pipeline" {
  statement {
    sid       = "FindArtifacts"
    actions   = ["s3:GetBucketAcl", "s3:GetBucketLocation"]
    resources = ["arn:aws:s3:::${local.store}"]
  }

  statement {
    sid       = "TakeReleaseAndPlan"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = [for artifact in local.deploy.inputs : "${local.folder}/${artifact}/*"]
  }

  statement {
    sid       = "KeepPackages"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${local.artifacts}/releases/${var.function_name}/*"]
  }

  statement {
    sid       = "FindState"
    actions   = ["s3:ListBucket"]
    resources = ["arn:aws:s3:::${local.account.state_bucket}"]
  }

  statement {
    sid       = "KeepState"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["arn:aws:s3:::${local.account.state_bucket}/${local.variables.STATE_KEY}", local.deployed]
  }

  statement {
    sid       = "LockState"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["arn:aws:s3:::${local.account.state_bucket}/${local.variables.STATE_KEY}.tflock"]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
    resources = [data.aws_kms_key.account.arn]
  }

  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.step["deploy"].arn}:*"]
  }
}

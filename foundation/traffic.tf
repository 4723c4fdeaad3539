# The role in which CodeDeploy moves a function's alias to a new version, and back.

resource "aws_iam_role" "traffic" {
  count = local.environment == null ? 0 : 1

  name               = "${local.organization}-traffic"
  description        = "CodeDeploy's own: moves the aliases of functions"
  assume_role_policy = data.aws_iam_policy_document.service_trust["codedeploy"].json
}

resource "aws_iam_role_policy" "traffic" {
  count = local.environment == null ? 0 : 1

  name   = "traffic"
  role   = aws_iam_role.traffic[0].name
  policy = data.aws_iam_policy_document.traffic.json
}

# As AWS's own AWSCodeDeployRoleForLambdaLimited, but of this account's functions and without hooks and S3:
# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCodeDeployRoleForLambdaLimited.html
data "aws_iam_policy_document" "traffic" {
  statement {
    sid       = "MoveAliases"
    actions   = ["lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"]
    resources = ["arn:aws:lambda:${local.here}:function:*"]
  }

  statement {
    sid       = "WatchAlarms"
    actions   = ["cloudwatch:DescribeAlarms"]
    resources = ["arn:aws:cloudwatch:${local.here}:alarm:*"] # takes no narrower one
  }
}

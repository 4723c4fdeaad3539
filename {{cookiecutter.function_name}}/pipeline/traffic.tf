# The role in which CodeDeploy moves the function's alias to a new version, and back: as AWS's own
# AWSCodeDeployRoleForLambdaLimited, but of this function and without hooks and S3.
# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCodeDeployRoleForLambdaLimited.html

data "aws_iam_policy_document" "traffic" {
  statement {
    sid       = "MoveAlias"
    actions   = ["lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"]
    resources = [local.function, "${local.function}:*"]
  }

  statement {
    sid       = "WatchAlarms"
    actions   = ["cloudwatch:DescribeAlarms"]
    resources = ["arn:aws:cloudwatch:${local.here}:alarm:*"] # takes no narrower one
  }
}

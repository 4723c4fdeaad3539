# What plans a deployment before a person has approved it, and each day what is deployed: reads what deployment/ manages, and
# its state, and changes nothing. Whoever extends deployer.tf extends what is read here.

data "aws_iam_policy_document" "planner" {
  statement {
    sid = "ReadFunction"
    actions = [
      "lambda:GetAlias", "lambda:GetFunction", "lambda:GetFunctionCodeSigningConfig", "lambda:ListTags",
      "lambda:ListVersionsByFunction",
    ]
    resources = [local.function, "${local.function}:*"]
  }

  statement {
    sid       = "ReadRole"
    actions   = ["iam:GetRolePolicy"]
    resources = [aws_iam_role.function.arn]
  }

  statement {
    sid       = "FindSecrets"
    actions   = ["ssm:GetParameter"]
    resources = local.secrets
  }

  statement {
    sid       = "ReadLog"
    actions   = ["logs:ListTagsForResource"]
    resources = ["arn:aws:logs:${local.here}:log-group:/aws/lambda/${var.function_name}"]
  }

  statement {
    sid       = "FindLog"
    actions   = ["logs:DescribeLogGroups"]
    resources = ["*"] # takes no other
  }

  statement {
    sid       = "ReadAlarms"
    actions   = ["cloudwatch:ListTagsForResource"]
    resources = local.alarms
  }

  statement {
    sid       = "FindAlarms"
    actions   = ["cloudwatch:DescribeAlarms"]
    resources = ["arn:aws:cloudwatch:${local.here}:alarm:*"] # takes no narrower one
  }

  statement {
    sid       = "ReadTraffic"
    actions   = ["codedeploy:GetApplication", "codedeploy:GetDeploymentGroup", "codedeploy:ListTagsForResource"]
    resources = local.traffic
  }

  statement {
    sid       = "FindState"
    actions   = ["s3:ListBucket"]
    resources = ["arn:aws:s3:::${local.account.state_bucket}"]
  }

  statement {
    sid       = "ReadState"
    actions   = ["s3:GetObject"]
    resources = ["arn:aws:s3:::${local.account.state_bucket}/${local.variables.STATE_KEY}"]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:DescribeKey"]
    resources = [data.aws_kms_key.account.arn]
  }
}

# What Plan hands on to Approve and Deploy.
data "aws_iam_policy_document" "planner_plan" {
  statement {
    sid       = "FindArtifacts"
    actions   = ["s3:GetBucketAcl", "s3:GetBucketLocation"]
    resources = ["arn:aws:s3:::${local.store}"]
  }

  statement {
    sid       = "TakeRelease"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${local.folder}/Release/*"]
  }

  statement {
    sid       = "PassPlan"
    actions   = ["s3:PutObject"]
    resources = ["${local.folder}/Plan/*"]
  }

  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:aws:logs:${local.here}:log-group:/aws/codebuild/${var.function_name}-plan:*"]
  }
}

# What drift.yml reads and tells beside that.
data "aws_iam_policy_document" "planner_drift" {
  statement {
    sid       = "ReadWhatIsDeployed"
    actions   = ["s3:GetObject"]
    resources = [local.deployed]
  }

  statement {
    sid       = "TellOfDrift"
    actions   = ["sns:Publish"]
    resources = [local.alerts]
  }

  statement {
    sid       = "EncryptWithKey"
    actions   = ["kms:GenerateDataKey"]
    resources = [data.aws_kms_key.account.arn]
  }

  statement {
    sid       = "WriteLogOfDrift"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.step["drift"].arn}:*"]
  }
}

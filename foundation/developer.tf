# What developers may do, in the first environment alone: sandboxes, docs/sandboxes.md. The mark -sandbox- in a name
# tells what is theirs.

data "aws_iam_policy_document" "developer" {
  count = local.builds ? 1 : 0

  statement {
    sid       = "FindStateAndPackages"
    actions   = ["s3:ListBucket"]
    resources = [for of in ["artifacts", "state"] : aws_s3_bucket.account[of].arn] # without a prefix, lest S3 forbid what is not there yet
  }

  statement {
    sid       = "KeepStateAndPackages"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = [for of in ["artifacts", "state"] : "${aws_s3_bucket.account[of].arn}/sandboxes/*"]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
    resources = [aws_kms_key.account.arn]
  }

  statement {
    sid = "ManageFunctions"
    actions = [
      "lambda:CreateAlias", "lambda:CreateFunction", "lambda:DeleteAlias", "lambda:DeleteFunction", "lambda:GetAlias",
      "lambda:GetFunction", "lambda:GetFunctionCodeSigningConfig", "lambda:GetFunctionConfiguration", "lambda:InvokeFunction",
      "lambda:ListTags", "lambda:ListVersionsByFunction", "lambda:TagResource", "lambda:UntagResource",
      "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration",
    ]
    resources = ["arn:aws:lambda:${local.here}:function:*-sandbox-*"] # with their aliases
  }

  statement {
    sid = "ManageLogs"
    actions = [
      "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:FilterLogEvents", "logs:ListTagsForResource", "logs:PutRetentionPolicy",
      "logs:TagResource", "logs:UntagResource",
    ]
    resources = ["arn:aws:logs:${local.here}:log-group:/aws/lambda/*-sandbox-*"] # with what is in them
  }

  statement {
    sid       = "FindLogs"
    actions   = ["logs:DescribeLogGroups"]
    resources = ["*"] # takes no other
  }

  statement {
    sid       = "CreateOrChangeOnlyUnderTheBoundary"
    actions   = ["iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePolicy"]
    resources = ["arn:aws:iam::${local.account.id}:role/*-sandbox-*"]

    condition {
      test     = "ArnEquals"
      variable = "iam:PermissionsBoundary"
      values   = [aws_iam_policy.boundary[0].arn]
    }
  }

  statement {
    sid = "ManageRoles"
    actions = [
      "iam:DeleteRole", "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole",
      "iam:ListRolePolicies", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRoleDescription",
    ]
    resources = ["arn:aws:iam::${local.account.id}:role/*-sandbox-*"]
  }

  statement {
    sid       = "LetFunctionsWearThem"
    actions   = ["iam:PassRole"]
    resources = ["arn:aws:iam::${local.account.id}:role/*-sandbox-*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["lambda.amazonaws.com"]
    }
  }
}

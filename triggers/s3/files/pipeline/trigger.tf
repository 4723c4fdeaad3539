# What the deployer and the verifier may do, and the planner read, of the trigger in deployment/trigger.tf, by this function's name.

locals {
  bucket = "arn:aws:s3:::${var.function_name}-${local.account.id}"
}

data "aws_iam_policy_document" "deployer_trigger" {
  source_policy_documents = [data.aws_iam_policy_document.planner_trigger.json]

  statement {
    sid = "ManageBucket"
    actions = [
      "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:PutBucketNotification", "s3:PutBucketPolicy",
      "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration",
      "s3:PutLifecycleConfiguration",
    ]
    resources = [local.bucket]
  }
}

data "aws_iam_policy_document" "planner_trigger" {
  statement {
    sid = "ReadBucket"
    actions = [
      "s3:GetAccelerateConfiguration", "s3:GetBucketAcl", "s3:GetBucketCORS", "s3:GetBucketLogging", "s3:GetBucketNotification",
      "s3:GetBucketObjectLockConfiguration", "s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock", "s3:GetBucketRequestPayment",
      "s3:GetBucketTagging", "s3:GetBucketVersioning", "s3:GetBucketWebsite", "s3:GetEncryptionConfiguration",
      "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket",
    ]
    resources = [local.bucket]
  }
}

data "aws_iam_policy_document" "verifier_trigger" {
  statement {
    sid       = "PutObject"
    actions   = ["s3:PutObject"]
    resources = ["${local.bucket}/deployment/*"]
  }

  statement {
    sid       = "EncryptObject"
    actions   = ["kms:GenerateDataKey"]
    resources = [data.aws_kms_key.account.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${local.accounts.region}.amazonaws.com"]
    }
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

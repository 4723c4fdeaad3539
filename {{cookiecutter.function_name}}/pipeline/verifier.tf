# What tests a release where it has been deployed, by tests/deployed of that release. It runs the code of every commit, in
# production too: so it may use the function's trigger, as trigger.tf says, and nothing else.

data "aws_iam_policy_document" "verifier" {
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
    sid       = "DecryptRelease"
    actions   = ["kms:Decrypt"]
    resources = [data.aws_kms_key.account.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${local.accounts.region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "SeeWhichPackageRuns"
    actions   = ["lambda:GetFunctionConfiguration"]
    resources = ["${local.function}:live"]
  }

  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.step["verify"].arn}:*"]
  }
}

# Terraform's state in every account; in an environment, releases and promotions, and apart from them what its
# pipelines pass from action to action: AWS wants that in another bucket than a source, and it expires.
# https://docs.aws.amazon.com/codepipeline/latest/userguide/welcome-introducing-artifacts.html

locals {
  buckets = merge({ state = local.account.state_bucket }, local.environment == null ? {} : {
    artifacts = local.environment.artifacts_bucket
    pipelines = "${local.environment.artifacts_bucket}-pipelines"
  })
  bucket_arns        = { for of, bucket in aws_s3_bucket.account : of => bucket.arn }
  days_in_pipelines  = 30 # an approval waits for 7
  versions_kept_days = 365
}

resource "aws_s3_bucket" "account" {
  for_each = local.buckets

  bucket = each.value

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "account" {
  for_each = aws_s3_bucket.account

  bucket = each.value.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "account" {
  for_each = aws_s3_bucket.account

  bucket = each.value.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.account.arn # not its alias: S3 would look for that in the account of whoever puts
    }
  }
}

resource "aws_s3_bucket_public_access_block" "account" {
  for_each = aws_s3_bucket.account

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "account" {
  for_each = aws_s3_bucket.account

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "account" {
  for_each = aws_s3_bucket_versioning.account

  bucket = each.value.bucket

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = each.key == "pipelines" ? 1 : local.versions_kept_days
    }

    expiration {
      days                         = each.key == "pipelines" ? local.days_in_pipelines : null
      expired_object_delete_marker = each.key == "pipelines" ? null : true # days does that too
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = each.key == "artifacts" ? { receipts = "promotions/", sandboxes = "sandboxes/" } : {} # Lambda has its own copy

    content {
      id     = rule.key
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      expiration {
        days = 30
      }
    }
  }
}

# Tells the pipelines of a release that was promoted here.
resource "aws_s3_bucket_notification" "artifacts" {
  count = local.environment == null ? 0 : 1

  bucket      = aws_s3_bucket.account["artifacts"].id
  eventbridge = true
}

resource "aws_s3_bucket_policy" "account" {
  for_each = aws_s3_bucket.account

  bucket     = each.value.id
  policy     = data.aws_iam_policy_document.bucket[each.key].json
  depends_on = [aws_s3_bucket_public_access_block.account]
}

data "aws_iam_policy_document" "bucket" {
  for_each = local.bucket_arns

  statement {
    sid       = "NoPlainHttp"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [each.value, "${each.value}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # A package is what its name says, its sha256, whoever puts another there afterwards.
  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
  dynamic "statement" {
    for_each = each.key == "artifacts" ? ["releases"] : []

    content {
      sid       = "NoPackageIsOverwritten"
      effect    = "Deny"
      actions   = ["s3:PutObject"]
      resources = ["${each.value}/${statement.value}/*"]

      principals {
        type        = "*"
        identifiers = ["*"]
      }

      condition {
        test     = "Null"
        variable = "s3:if-none-match"
        values   = ["true"]
      }

      # The parts of an upload know no such header, its completion does.
      condition {
        test     = "Bool"
        variable = "s3:ObjectCreationOperation"
        values   = ["true"]
      }
    }
  }

  dynamic "statement" {
    for_each = each.key == "artifacts" ? local.previous[*] : []

    content {
      sid       = "PromoterOfThePreviousEnvironment"
      actions   = ["s3:PutObject"]
      resources = ["${each.value}/promoted/*"]

      principals {
        type        = "AWS"
        identifiers = ["arn:aws:iam::${statement.value.id}:root"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:PrincipalArn"
        values   = ["arn:aws:iam::${statement.value.id}:role${local.paths.services}${local.promoter_name}"]
      }
    }
  }
}

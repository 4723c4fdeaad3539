# What invokes the function: objects that are put into a bucket. S3 tells EventBridge of each, and rule.tf has the
# function invoked. Who may put objects, the senders' own policies say, in this account alone.

variable "bucket" {
  description = "Bucket of the organization, in this account, whose objects invoke the function instead of those of its own bucket. It must notify EventBridge. A sandbox has its own all the same."
  type        = string
  default     = null
}

locals {
  # The account's id: no two buckets of AWS have the same name.
  own_bucket = var.sandbox != null || var.bucket == null ? "${local.function_name}-${local.account.id}" : null
  bucket     = coalesce(local.own_bucket, var.bucket)

  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
  pattern = {
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    detail      = { bucket = { name = [local.bucket] } }
  }
}

resource "aws_s3_bucket" "objects" {
  count = local.own_bucket == null ? 0 : 1

  bucket        = local.own_bucket
  force_destroy = var.sandbox != null # else it goes only once it is empty
}

resource "aws_s3_bucket_public_access_block" "objects" {
  count = length(aws_s3_bucket.objects)

  bucket                  = aws_s3_bucket.objects[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# The function reads the very version that it is told of, whatever has been put or deleted since.
resource "aws_s3_bucket_versioning" "objects" {
  count = length(aws_s3_bucket.objects)

  bucket = aws_s3_bucket.objects[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "objects" {
  count = length(aws_s3_bucket.objects)

  bucket = aws_s3_bucket.objects[0].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = data.aws_kms_key.account.arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "objects" {
  count = length(aws_s3_bucket_versioning.objects)

  bucket = aws_s3_bucket_versioning.objects[0].bucket

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    expiration {
      expired_object_delete_marker = true
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_policy" "objects" {
  count = length(aws_s3_bucket.objects)

  bucket     = aws_s3_bucket.objects[0].id
  policy     = data.aws_iam_policy_document.bucket.json
  depends_on = [aws_s3_bucket_public_access_block.objects]
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "NoPlainHttp"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = ["arn:aws:s3:::${local.bucket}", "arn:aws:s3:::${local.bucket}/*"]

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
}

# Last, so that the function is told of no object that it may not read yet.
resource "aws_s3_bucket_notification" "objects" {
  count = length(aws_s3_bucket.objects)

  bucket      = aws_s3_bucket.objects[0].id
  eventbridge = true
  depends_on  = [aws_iam_role_policy.trigger]
}

data "aws_iam_policy_document" "trigger" {
  statement {
    sid       = "ReadObjects"
    actions   = local.own_bucket == null ? ["s3:GetObject", "s3:GetObjectVersion"] : ["s3:GetObjectVersion"]
    resources = ["arn:aws:s3:::${local.bucket}/*"]
  }

  statement {
    sid       = "DecryptObjects"
    actions   = ["kms:Decrypt"]
    resources = [data.aws_kms_key.account.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${local.accounts.region}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "trigger" {
  name   = "trigger"
  role   = local.role
  policy = data.aws_iam_policy_document.trigger.json
}

output "bucket" {
  description = "The bucket whose objects invoke the function."
  value       = local.bucket
}

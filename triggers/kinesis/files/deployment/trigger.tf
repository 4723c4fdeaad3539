# What invokes the function: records of a Kinesis stream of its name. How they are taken, records.tf says. Who may put
# records, the senders' own policies say, in this account alone.

variable "shards" {
  description = "Shards of the stream: each takes 1 MB or 1000 records in a second, and costs by the hour. A sandbox has one."
  type        = number
  nullable    = false
  default     = 1

  validation {
    condition     = var.shards >= 1
    error_message = "A stream has at least one shard."
  }
}

variable "retention_hours" {
  description = "Hours that the stream holds records."
  type        = number
  nullable    = false
  default     = 24

  validation {
    condition     = var.retention_hours >= 24 && var.retention_hours <= 8760
    error_message = "Kinesis takes 24 to 8760 hours."
  }
}

locals {
  stream = aws_kinesis_stream.stream.arn
}

resource "aws_kinesis_stream" "stream" {
  name             = local.function_name
  shard_count      = var.sandbox == null ? var.shards : 1
  retention_period = var.retention_hours
  encryption_type  = "KMS"
  kms_key_id       = data.aws_kms_key.account.arn
}

data "aws_iam_policy_document" "trigger" {
  source_policy_documents = [data.aws_iam_policy_document.records.json]

  statement {
    sid = "TakeRecords"
    actions = [
      "kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards",
    ]
    resources = [local.stream]
  }

  statement {
    sid       = "DecryptRecords"
    actions   = ["kms:Decrypt"]
    resources = [data.aws_kms_key.account.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["kinesis.${local.accounts.region}.amazonaws.com"]
    }
  }
}

output "stream" {
  description = "Name of the stream whose records invoke the function."
  value       = aws_kinesis_stream.stream.name
}

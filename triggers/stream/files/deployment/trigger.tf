# What invokes the function: changes of a DynamoDB table of its name, which its stream holds for 24 hours. How they are
# taken, records.tf says. Who may write to the table, the writers' own policies say, in this account alone.

variable "deletion_protection" {
  description = "Whether the table is kept when it is to be deleted. Deploy false before the function is destroyed."
  type        = bool
  nullable    = false
  default     = true
}

locals {
  stream = aws_dynamodb_table.table.stream_arn
}

resource "aws_dynamodb_table" "table" {
  name                        = local.function_name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "id"
  stream_enabled              = true
  stream_view_type            = "NEW_AND_OLD_IMAGES"
  deletion_protection_enabled = var.deletion_protection && var.sandbox == null

  attribute {
    name = "id"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = data.aws_kms_key.account.arn
  }
}

data "aws_iam_policy_document" "trigger" {
  source_policy_documents = [data.aws_iam_policy_document.records.json]

  statement {
    sid       = "TakeRecords"
    actions   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
    resources = [local.stream]
  }

  statement {
    sid       = "FindStream"
    actions   = ["dynamodb:ListStreams"]
    resources = ["*"] # takes no other
  }

  statement {
    sid       = "DecryptRecords"
    actions   = ["kms:Decrypt"]
    resources = [data.aws_kms_key.account.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["dynamodb.${local.accounts.region}.amazonaws.com"]
    }
  }
}

output "table" {
  description = "Name of the table whose changes invoke the function."
  value       = aws_dynamodb_table.table.name
}

# The account's own key: for its buckets, its functions' logs, its alerts.

locals {
  # Policies name the key and the buckets by locals: of what a policy names directly, a change of a tag alone puts the
  # policy off until it is applied, and no plan shows it. https://github.com/hashicorp/terraform/issues/27171
  key_arn = aws_kms_key.account.arn
}

resource "aws_kms_key" "account" {
  description             = "State, releases, logs and alerts of ${local.organization} in this account"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "account" {
  name          = "alias/${local.organization}"
  target_key_id = aws_kms_key.account.key_id
}

# In a key's policy the resource * is the key itself.
data "aws_iam_policy_document" "key" {
  # Who may do what is then said by the account's own policies. A key without this can lock everybody out:
  # https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
  statement {
    sid       = "TheAccount"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${local.account.id}:root"]
    }
  }

  statement {
    sid = "Logs"
    actions = [
      "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext",
      "kms:ReEncryptFrom", "kms:ReEncryptTo",
    ]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${local.region}.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:aws:logs:${local.region}:${local.account.id}:log-group:*"]
    }
  }

  dynamic "statement" {
    for_each = local.environment == null ? {} : local.alerting

    content {
      sid       = title(statement.key)
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = ["${statement.key}.amazonaws.com"]
      }

      # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
      condition {
        test     = "ArnEquals"
        variable = "kms:EncryptionContext:aws:sns:topicArn"
        values   = ["arn:aws:sns:${local.here}:${local.alerts}"]
      }

      dynamic "condition" {
        for_each = statement.value

        content {
          test     = "StringEquals"
          variable = "aws:SourceAccount"
          values   = [condition.value]
        }
      }
    }
  }

  # What these services cannot hand to a function, they keep in its queue for that, if it lets them.
  # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
  dynamic "statement" {
    for_each = local.environment == null ? [] : ["events", "sns"]

    content {
      sid       = "${title(statement.value)}ThatFailed"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = ["${statement.value}.amazonaws.com"]
      }

      condition {
        test     = "ArnLike"
        variable = "kms:EncryptionContext:aws:sqs:arn"
        values   = ["arn:aws:sqs:${local.here}:*-failures"]
      }
    }
  }

  # The account is named, and the role by a condition: the role may not exist yet, and may be made again.
  dynamic "statement" {
    for_each = local.previous[*]

    content {
      sid       = "PromoterOfThePreviousEnvironment"
      actions   = ["kms:GenerateDataKey"]
      resources = ["*"]

      principals {
        type        = "AWS"
        identifiers = ["arn:aws:iam::${statement.value.id}:root"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:PrincipalArn"
        values   = ["arn:aws:iam::${statement.value.id}:role${local.paths.services}${local.promoter_name}"]
      }

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${local.region}.amazonaws.com"]
      }
    }
  }
}

# What the deployer and the verifier may do, and the planner read, of the trigger in deployment/, by this function's name.

locals {
  table          = "arn:aws:dynamodb:${local.here}:table/${var.function_name}"
  trigger_alarms = [for alarm in ["age", "untold"] : "arn:aws:cloudwatch:${local.here}:alarm:${var.function_name}-${alarm}"]
  read_table = [
    "dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:ListTagsOfResource",
  ]
}

data "aws_iam_policy_document" "deployer_trigger" {
  source_policy_documents = [data.aws_iam_policy_document.find_default_key.json]

  statement {
    sid = "ManageTable"
    actions = concat(local.read_table, [
      "dynamodb:CreateTable", "dynamodb:DeleteTable", "dynamodb:TagResource", "dynamodb:UntagResource",
      "dynamodb:UpdateContinuousBackups", "dynamodb:UpdateTable",
    ])
    resources = [local.table]
  }

  # DynamoDB uses a table's key in the name of who chooses it:
  # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
  statement {
    sid = "LetDynamoDBUseKey"
    actions = [
      "kms:CreateGrant", "kms:Encrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo",
    ]
    resources = [data.aws_kms_key.account.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["dynamodb.${local.accounts.region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "ManageTriggerAlarms"
    actions   = local.manage_alarm
    resources = local.trigger_alarms
  }
}

data "aws_iam_policy_document" "planner_trigger" {
  source_policy_documents = [data.aws_iam_policy_document.find_default_key.json]

  statement {
    sid       = "ReadTable"
    actions   = local.read_table
    resources = [local.table]
  }

  statement {
    sid       = "ReadTriggerAlarms"
    actions   = local.read_alarm
    resources = local.trigger_alarms
  }
}

# The provider looks for the key that DynamoDB would use by itself.
data "aws_iam_policy_document" "find_default_key" {
  statement {
    sid       = "FindDefaultKey"
    actions   = ["kms:DescribeKey"]
    resources = ["arn:aws:kms:${local.here}:key/*"]

    condition {
      test     = "StringEquals"
      variable = "kms:RequestAlias"
      values   = ["alias/aws/dynamodb"]
    }
  }
}

data "aws_iam_policy_document" "verifier_trigger" {
  # Its own items alone, by their keys.
  statement {
    sid       = "PutAndDeleteItems"
    actions   = ["dynamodb:DeleteItem", "dynamodb:PutItem"]
    resources = [local.table]

    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = ["deployment-*"]
    }
  }

  statement {
    sid       = "UseKeyOfTable"
    actions   = ["kms:Decrypt"]
    resources = [data.aws_kms_key.account.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["dynamodb.${local.accounts.region}.amazonaws.com"]
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

# What the deployer may do, and the planner read, of the mapping from which Lambda takes events for the function.

locals {
  mappings = "arn:aws:lambda:${local.here}:event-source-mapping:*" # AWS names them by numbers
}

data "aws_iam_policy_document" "deployer_mapping" {
  source_policy_documents = [data.aws_iam_policy_document.planner_mapping.json]

  statement {
    sid       = "Map"
    actions   = ["lambda:CreateEventSourceMapping"]
    resources = ["*"] # takes no other; so the function is a condition

    condition {
      test     = "ArnEquals"
      variable = "lambda:FunctionArn"
      values   = [local.function, "${local.function}:live"]
    }
  }

  statement {
    sid       = "ChangeMapping"
    actions   = ["lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"]
    resources = [local.mappings]

    condition {
      test     = "ArnEquals"
      variable = "lambda:FunctionArn"
      values   = [local.function, "${local.function}:live"]
    }
  }

  statement {
    sid       = "TagMapping"
    actions   = ["lambda:TagResource"]
    resources = [local.mappings]

    condition {
      test     = "StringEqualsIfExists"
      variable = "aws:RequestTag/function"
      values   = [var.function_name]
    }

    condition {
      test     = "StringEqualsIfExists" # a new one has none yet
      variable = "aws:ResourceTag/function"
      values   = [var.function_name]
    }
  }

  statement {
    sid       = "UntagMapping"
    actions   = ["lambda:UntagResource"]
    resources = [local.mappings]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/function"
      values   = [var.function_name]
    }
  }
}

data "aws_iam_policy_document" "planner_mapping" {
  statement {
    sid       = "ReadMapping"
    actions   = ["lambda:GetEventSourceMapping", "lambda:ListTags"]
    resources = [local.mappings] # of whatever function: it is read after it has been deleted, too
  }
}

resource "aws_iam_role_policy" "mapping" {
  for_each = { for role, policy in {
    deployer = data.aws_iam_policy_document.deployer_mapping.json
    planner  = data.aws_iam_policy_document.planner_mapping.json
    reviewer = data.aws_iam_policy_document.planner_mapping.json
  } : role => policy if contains(keys(local.roles), role) }

  name   = "mapping"
  role   = aws_iam_role.step[each.key].name
  policy = each.value
}

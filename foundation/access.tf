# How people get in: from ops into a role of an account. A role trusts ops as a whole, so that adding a person touches
# ops alone; "people" in accounts.yaml says whom of ops, and whether MFA is asked for.

locals {
  roles = merge(
    { operator = "Applies pipelines, goes back to releases", reader = "Reads status and logs" },
    local.builds ? { developer = "Plays in sandboxes" } : {},
  )
  people     = try(coalesce(local.file.people), {})
  mfa        = try(local.people.mfa, false)
  named      = { for role in keys(local.roles) : role => try(local.people["${role}s"], []) } # ARNs of ops
  everywhere = concat([local.ops.id], local.environments[*].id)
  # Whom accounts.yaml names needs no group.
  groups = { for role, accounts in {
    operator  = local.everywhere
    developer = [local.environments[0].id]
    reader    = local.everywhere
    } : "${role}s" => [for id in accounts : "arn:aws:iam::${id}:role/${local.organization}-${role}"]
    if !contains(keys(local.people), "${role}s")
  }
}

resource "aws_iam_role" "people" {
  for_each = local.roles

  name               = "${local.organization}-${each.key}"
  description        = each.value
  assume_role_policy = data.aws_iam_policy_document.people_trust[each.key].json
}

data "aws_iam_policy_document" "people_trust" {
  for_each = local.roles

  statement {
    sid     = "People"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${local.ops.id}:root"]
    }

    dynamic "condition" {
      for_each = local.mfa ? ["true"] : []

      content {
        test     = "Bool"
        variable = "aws:MultiFactorAuthPresent"
        values   = [condition.value]
      }
    }

    dynamic "condition" {
      for_each = length(local.named[each.key]) == 0 ? [] : [local.named[each.key]]

      content {
        test     = "ArnLike"
        variable = "aws:PrincipalArn"
        values   = condition.value
      }
    }
  }

  # For `make pipeline`, which goes on from the operator's role in ops, where the same was asked.
  dynamic "statement" {
    for_each = each.key == "operator" && local.environment != null && (local.mfa || length(local.named.operator) > 0) ? [local.ops.id] : []

    content {
      sid     = "OperatorsInOps"
      actions = ["sts:AssumeRole"]

      principals {
        type        = "AWS"
        identifiers = ["arn:aws:iam::${statement.value}:root"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:PrincipalArn"
        values   = ["arn:aws:iam::${statement.value}:role/${local.organization}-operator"]
      }
    }
  }
}

# A role's inline policies may have 10,240 characters together, a managed policy 6,144.
resource "aws_iam_role_policy" "operator" {
  for_each = local.environment == null ? {
    state = data.aws_iam_policy_document.operator_in_ops.json
    } : {
    pipelines = data.aws_iam_policy_document.operator_pipelines.json
    releases  = data.aws_iam_policy_document.operator_releases[0].json
    roles     = data.aws_iam_policy_document.operator_roles.json
  }

  name   = each.key
  role   = aws_iam_role.people["operator"].name
  policy = each.value
}

resource "aws_iam_role_policy" "reader" {
  name   = "reader"
  role   = aws_iam_role.people["reader"].name
  policy = local.environment == null ? data.aws_iam_policy_document.reader_in_ops.json : data.aws_iam_policy_document.reader.json
}

resource "aws_iam_role_policy" "developer" {
  count = local.builds ? 1 : 0

  name   = "developer"
  role   = aws_iam_role.people["developer"].name
  policy = data.aws_iam_policy_document.developer[0].json
}

resource "aws_iam_policy" "developer_triggers" {
  count = local.builds ? 1 : 0

  name        = "${aws_iam_role.people["developer"].name}-triggers"
  description = "What sandboxes need for their triggers"
  policy      = data.aws_iam_policy_document.developer_triggers[0].json
}

resource "aws_iam_role_policy_attachment" "developer_triggers" {
  count = local.builds ? 1 : 0

  role       = aws_iam_role.people["developer"].name
  policy_arn = aws_iam_policy.developer_triggers[0].arn
}

resource "aws_iam_group" "people" {
  for_each = local.environment == null ? local.groups : {}

  name = "${local.organization}-${each.key}"
}

resource "aws_iam_group_policy" "people" {
  for_each = aws_iam_group.people

  name   = "enter"
  group  = each.value.name
  policy = data.aws_iam_policy_document.enter[each.key].json
}

data "aws_iam_policy_document" "enter" {
  for_each = local.groups

  statement {
    sid       = "Enter"
    actions   = ["sts:AssumeRole"]
    resources = each.value
  }
}

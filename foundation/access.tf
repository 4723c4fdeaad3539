# How people get in: from a group in ops into a role of an account. Every role trusts ops as a whole, so that adding
# a person touches ops alone.

locals {
  roles = merge(
    { operator = "Applies pipelines, goes back to releases", reader = "Reads status and logs" },
    local.builds ? { developer = "Plays in sandboxes" } : {},
  )
  everywhere = concat([local.ops.id], local.environments[*].id)
  groups = {
    operators  = [for id in local.everywhere : "arn:aws:iam::${id}:role/${local.organization}-operator"]
    developers = ["arn:aws:iam::${local.environments[0].id}:role/${local.organization}-developer"]
    readers    = [for id in local.everywhere : "arn:aws:iam::${id}:role/${local.organization}-reader"]
  }
}

resource "aws_iam_role" "people" {
  for_each = local.roles

  name               = "${local.organization}-${each.key}"
  description        = each.value
  assume_role_policy = data.aws_iam_policy_document.people_trust.json
}

data "aws_iam_policy_document" "people_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${local.ops.id}:root"]
    }
  }
}

# Inline policies of a role may have 10,240 characters together; a policy of its own, 6,144. So one for each part.
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

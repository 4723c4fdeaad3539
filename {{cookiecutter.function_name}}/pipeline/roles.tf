# The function's roles in this account. Those of its pipeline say what they may do in a file of their own; what the function
# itself may do, deployment/permissions.tf says. Whom they trust is said here, by operators alone.

locals {
  roles = { for role, of in {
    builder = {
      wanted   = local.builds
      does     = "Builds"
      service  = "codebuild"
      sources  = ["project/${var.function_name}-build"]
      policies = { builder = one(data.aws_iam_policy_document.builder[*].json) }
    }
    planner = {
      wanted  = true
      does    = "Plans deployments of"
      service = "codebuild"
      sources = [for step in ["drift", "plan"] : "project/${var.function_name}-${step}" if contains(keys(local.steps), step)]
      policies = merge(
        { planner = data.aws_iam_policy_document.planner.json, drift = data.aws_iam_policy_document.planner_drift.json },
        local.account.approval ? { plan = data.aws_iam_policy_document.planner_plan.json } : {},
      )
    }
    reviewer = {
      wanted   = try(local.accounts.plan_pull_requests, false)
      does     = "Plans pull requests of"
      service  = null # GitHub, whose subject this is, of whatever branch of the repository itself
      sources  = ["repo:${local.accounts.github_owner}/${var.function_name}:pull_request"]
      policies = { planner = data.aws_iam_policy_document.planner.json, reviewer = data.aws_iam_policy_document.reviewer.json }
    }
    deployer = {
      wanted  = true
      does    = "Deploys"
      service = "codebuild"
      sources = ["project/${var.function_name}-deploy"]
      policies = {
        function = data.aws_iam_policy_document.deployer_function.json
        pipeline = data.aws_iam_policy_document.deployer_pipeline.json
        traffic  = data.aws_iam_policy_document.deployer_traffic.json
      }
    }
    verifier = {
      wanted   = true
      does     = "Verifies"
      service  = "codebuild"
      sources  = ["project/${var.function_name}-verify"]
      policies = { verifier = data.aws_iam_policy_document.verifier.json }
    }
    traffic = {
      wanted   = true
      does     = "Moves traffic of"
      service  = "codedeploy"
      sources  = ["deploymentgroup:${var.function_name}/live"]
      policies = { traffic = data.aws_iam_policy_document.traffic.json }
    }
  } : role => of if of.wanted }
}

resource "aws_iam_role" "step" {
  for_each = local.roles

  name                 = "${var.function_name}-${each.key}"
  path                 = local.paths.pipelines
  description          = "${each.value.does} ${var.function_name}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  permissions_boundary = "${local.iam}:policy/${local.accounts.organization}-${each.key == "verifier" ? "verifiers" : "pipelines"}-boundary"
}

resource "aws_iam_role_policy" "step" {
  for_each = merge([for role, of in local.roles : {
    for name, policy in of.policies : "${role}-${name}" => { role = role, name = name, policy = policy }
  }]...)

  name   = each.value.name
  role   = aws_iam_role.step[each.value.role].name
  policy = each.value.policy
}

data "aws_iam_policy_document" "trust" {
  for_each = local.roles

  dynamic "statement" {
    for_each = each.value.service[*]

    content {
      actions = ["sts:AssumeRole"]

      principals {
        type        = "Service"
        identifiers = ["${statement.value}.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [for source in each.value.sources : "arn:aws:${statement.value}:${local.here}:${source}"]
      }
    }
  }

  dynamic "statement" {
    for_each = each.value.service == null ? [local.github_tokens] : []

    content {
      actions = ["sts:AssumeRoleWithWebIdentity"]

      principals {
        type        = "Federated"
        identifiers = ["${local.iam}:oidc-provider/${statement.value}"]
      }

      condition {
        test     = "StringEquals"
        variable = "${statement.value}:aud"
        values   = ["sts.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "${statement.value}:sub"
        values   = each.value.sources
      }
    }
  }
}

resource "aws_iam_role" "function" {
  name                 = var.function_name
  path                 = local.paths.functions
  description          = "What ${var.function_name} may do"
  assume_role_policy   = data.aws_iam_policy_document.function_trust.json
  permissions_boundary = "${local.iam}:policy/${local.accounts.organization}-boundary"
}

data "aws_iam_policy_document" "function_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

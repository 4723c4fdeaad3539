# The roles in which AWS's own services run the account's pipelines. Roles that run an engineer's code are the functions' own.

resource "aws_iam_role" "pipeline" {
  count = local.environment == null ? 0 : 1

  name               = "${local.organization}-pipeline"
  path               = local.paths.services
  description        = "CodePipeline's own: passes releases on and starts what its stages name"
  assume_role_policy = data.aws_iam_policy_document.service_trust["codepipeline"].json
}

resource "aws_iam_role_policy" "pipeline" {
  count = local.environment == null ? 0 : 1

  name   = "pipeline"
  role   = aws_iam_role.pipeline[0].name
  policy = data.aws_iam_policy_document.pipeline[0].json
}

data "aws_iam_policy_document" "pipeline" {
  count = local.environment == null ? 0 : 1

  statement {
    sid       = "FindArtifacts"
    actions   = ["s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:ListBucket"]
    resources = [for of in concat(["pipelines"], local.builds ? [] : ["artifacts"]) : local.bucket_arns[of]]
  }

  statement {
    sid       = "PassArtifactsOn"
    actions   = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectTagging"]
    resources = ["${local.bucket_arns["pipelines"]}/*"]
  }

  dynamic "statement" {
    for_each = local.builds ? [] : ["promoted"]

    content {
      sid       = "TakePromoted"
      actions   = ["s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:GetObjectVersionTagging"]
      resources = ["${local.bucket_arns["artifacts"]}/promoted/*"]
    }
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.key_arn]
  }

  statement {
    sid       = "Build"
    actions   = ["codebuild:BatchGetBuilds", "codebuild:StartBuild"]
    resources = local.projects
  }

  statement {
    sid       = "AskForApproval"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts[0].arn]
  }

  dynamic "statement" {
    for_each = local.next[*]

    content {
      sid       = "Promote"
      actions   = ["lambda:InvokeFunction"]
      resources = ["arn:aws:lambda:${local.here}:function:${local.promoter_name}"]
    }
  }

  dynamic "statement" {
    for_each = local.next[*]

    content {
      sid       = "FindFunctions"
      actions   = ["lambda:ListFunctions"]
      resources = ["*"] # takes no other
    }
  }

  dynamic "statement" {
    for_each = aws_codestarconnections_connection.github

    content {
      sid     = "ReadGitHub"
      actions = ["codeconnections:UseConnection", "codestar-connections:UseConnection"]
      # AWS knows a connection by both prefixes.
      resources = [statement.value.arn, replace(statement.value.arn, ":codestar-connections:", ":codeconnections:")]
    }
  }
}

resource "aws_iam_role" "pipeline_start" {
  count = local.environment == null ? 0 : 1

  name               = "${local.organization}-pipeline-start"
  path               = local.paths.services
  description        = "EventBridge's own: starts the pipeline of a function whose release has been promoted here"
  assume_role_policy = data.aws_iam_policy_document.service_trust["events"].json
}

resource "aws_iam_role_policy" "pipeline_start" {
  count = local.environment == null ? 0 : 1

  name   = "pipeline-start"
  role   = aws_iam_role.pipeline_start[0].name
  policy = data.aws_iam_policy_document.pipeline_start.json
}

data "aws_iam_policy_document" "pipeline_start" {
  statement {
    sid       = "StartPipelines"
    actions   = ["codepipeline:StartPipelineExecution"]
    resources = ["arn:aws:codepipeline:${local.here}:*"]
  }
}

resource "aws_iam_role" "drift_start" {
  count = local.environment == null ? 0 : 1

  name               = "${local.organization}-drift-start"
  path               = local.paths.services
  description        = "EventBridge Scheduler's own: starts daily what tells of a function's drift"
  assume_role_policy = data.aws_iam_policy_document.service_trust["scheduler"].json
}

resource "aws_iam_role_policy" "drift_start" {
  count = local.environment == null ? 0 : 1

  name   = "drift-start"
  role   = aws_iam_role.drift_start[0].name
  policy = data.aws_iam_policy_document.drift_start.json
}

data "aws_iam_policy_document" "drift_start" {
  statement {
    sid       = "StartBuilds"
    actions   = ["codebuild:StartBuild"]
    resources = ["arn:aws:codebuild:${local.here}:project/*-drift"]
  }
}

data "aws_iam_policy_document" "service_trust" {
  for_each = toset(["codepipeline", "events", "lambda", "scheduler"])

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["${each.key}.amazonaws.com"]
    }

    # Lambda names no account when it takes a role.
    dynamic "condition" {
      for_each = each.key == "lambda" ? [] : [local.account.id]

      content {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [condition.value]
      }
    }
  }
}

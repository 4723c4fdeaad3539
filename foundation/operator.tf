# What the people who apply pipelines may do: in ops, the pipelines' state; in an environment, a function's pipeline/
# and going back to an earlier release.

data "aws_iam_policy_document" "operator_in_ops" {
  statement {
    sid       = "FindState"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arns["state"]]
  }

  statement {
    sid       = "KeepState"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${local.bucket_arns["state"]}/pipelines/*"]
  }

  statement {
    sid       = "UnlockState"
    actions   = ["s3:DeleteObject"]
    resources = ["${local.bucket_arns["state"]}/pipelines/*.tflock"]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.key_arn]
  }

  statement {
    sid       = "EnterEnvironments"
    actions   = ["sts:AssumeRole"]
    resources = [for environment in local.environments : "arn:aws:iam::${environment.id}:role/${local.organization}-operator"]
  }
}

locals {
  projects = [for project in ["build", "deploy", "drift", "plan", "verify"] : "arn:aws:codebuild:${local.here}:project/*-${project}"]
  reports  = "arn:aws:codebuild:${local.here}:report-group/*-build-tests"
}

data "aws_iam_policy_document" "operator_pipelines" {
  statement {
    sid = "ManagePipelines"
    actions = [
      "codepipeline:CreatePipeline", "codepipeline:DeletePipeline", "codepipeline:GetPipeline", "codepipeline:UpdatePipeline",
      "codepipeline:ListTagsForResource", "codepipeline:TagResource", "codepipeline:UntagResource",
    ]
    resources = ["arn:aws:codepipeline:${local.here}:*"]
  }

  statement {
    sid = "OperatePipelines"
    actions = [
      "codepipeline:DisableStageTransition", "codepipeline:EnableStageTransition", "codepipeline:GetPipelineExecution",
      "codepipeline:GetPipelineState", "codepipeline:ListActionExecutions", "codepipeline:ListPipelineExecutions",
      "codepipeline:PutApprovalResult", "codepipeline:RetryStageExecution", "codepipeline:StartPipelineExecution",
      "codepipeline:StopPipelineExecution",
    ]
    resources = ["arn:aws:codepipeline:${local.here}:*"]
  }

  statement {
    sid       = "SeeBuilds"
    actions   = ["codebuild:BatchGetBuilds", "codebuild:BatchGetProjects", "codebuild:ListBuildsForProject"]
    resources = local.projects
  }

  # Builds run in a role: none is changed that was there before, and none is made to run in a role that was.
  statement {
    sid       = "ChangeBuilds"
    actions   = ["codebuild:DeleteProject", "codebuild:UpdateProject"]
    resources = local.projects

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/organization"
      values   = [local.organization]
    }
  }

  statement {
    sid       = "MakeBuildsInTheirRoles"
    actions   = ["codebuild:CreateProject"]
    resources = local.projects

    condition {
      test     = "ArnLike"
      variable = "codebuild:serviceRole"
      values   = [local.roles_in.pipelines]
    }
  }

  statement {
    sid = "ManageReports"
    actions = [
      "codebuild:BatchGetReportGroups", "codebuild:BatchGetReports", "codebuild:CreateReportGroup",
      "codebuild:DeleteReportGroup", "codebuild:DescribeTestCases", "codebuild:ListReportsForReportGroup",
      "codebuild:UpdateReportGroup",
    ]
    resources = [local.reports]
  }

  statement {
    sid = "ManageLogs"
    actions = [
      "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:GetLogEvents", "logs:ListTagsForResource",
      "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource",
    ]
    resources = ["arn:aws:logs:${local.here}:log-group:/aws/codebuild/*"]
  }

  statement {
    sid       = "FindLogs"
    actions   = ["logs:DescribeLogGroups"]
    resources = ["*"] # takes no other
  }

  statement {
    sid = "ManageStarts"
    actions = [
      "events:DeleteRule", "events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule",
      "events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:TagResource", "events:UntagResource",
    ]
    resources = ["arn:aws:events:${local.here}:rule/*-promoted"]
  }

  statement {
    sid       = "ManageDailyStarts"
    actions   = ["scheduler:CreateSchedule", "scheduler:DeleteSchedule", "scheduler:GetSchedule", "scheduler:UpdateSchedule"]
    resources = ["arn:aws:scheduler:${local.here}:schedule/default/*-drift"]
  }

  statement {
    sid       = "SubscribeToAlerts"
    actions   = ["sns:ListSubscriptionsByTopic", "sns:Subscribe"]
    resources = aws_sns_topic.alerts[*].arn
  }

  statement {
    sid       = "SeeUndelivered"
    actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources = ["arn:aws:sqs:${local.here}:${local.undelivered}"]
  }

  statement {
    sid       = "SeeFailures"
    actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources = ["arn:aws:sqs:${local.here}:*-failures"] # what functions have failed to handle

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/organization"
      values   = [local.organization]
    }
  }

  # They put secrets there and never read them. Names alone tell whose a secret is.
  statement {
    sid       = "PutSecrets"
    actions   = ["ssm:DeleteParameter", "ssm:PutParameter"]
    resources = ["arn:aws:ssm:${local.here}:parameter/*/*"]
  }

  statement {
    sid       = "EncryptSecrets"
    actions   = ["kms:Encrypt"]
    resources = [local.key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["ssm.${local.region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "FindKey"
    actions   = ["kms:DescribeKey"]
    resources = [local.key_arn]
  }

  dynamic "statement" {
    for_each = aws_codestarconnections_connection.github

    content {
      sid = "PassConnection"
      actions = [
        "codeconnections:ListTagsForResource", "codeconnections:PassConnection", "codestar-connections:ListTagsForResource",
        "codestar-connections:PassConnection",
      ]
      # AWS knows a connection by both prefixes.
      resources = [statement.value.arn, replace(statement.value.arn, ":codestar-connections:", ":codeconnections:")]
    }
  }

  dynamic "statement" {
    for_each = aws_codestarconnections_connection.github

    content {
      sid       = "FindConnection"
      actions   = ["codeconnections:ListConnections", "codestar-connections:ListConnections"]
      resources = [for service in ["codeconnections", "codestar-connections"] : "arn:aws:${service}:${local.here}:connection/*"]
    }
  }

  # "Update pending connection" in the console, once.
  # https://docs.aws.amazon.com/dtconsole/latest/userguide/security-iam.html
  dynamic "statement" {
    for_each = aws_codestarconnections_connection.github

    content {
      sid = "CompleteConnection"
      actions = flatten([for service in ["codeconnections", "codestar-connections"] : [
        "${service}:GetConnection", "${service}:UpdateConnectionInstallation",
      ]])
      resources = [statement.value.arn, replace(statement.value.arn, ":codestar-connections:", ":codeconnections:")]
    }
  }

  dynamic "statement" {
    for_each = aws_codestarconnections_connection.github

    content {
      sid = "ShakeHandsWithGitHub"
      actions = flatten([for service in ["codeconnections", "codestar-connections"] : [
        "${service}:GetIndividualAccessToken", "${service}:GetInstallationUrl", "${service}:ListInstallationTargets",
        "${service}:RegisterAppCode", "${service}:StartAppRegistrationHandshake", "${service}:StartOAuthHandshake",
      ]])
      resources = ["*"] # take no other
    }
  }
}

# Going back to an earlier release: operations/releases.py.
data "aws_iam_policy_document" "operator_releases" {
  count = local.environment == null ? 0 : 1

  statement {
    sid       = "FindReleases"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arns["artifacts"]]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["releases/*"]
    }
  }

  statement {
    sid       = "ReadReleases"
    actions   = ["s3:GetObject"]
    resources = ["${local.bucket_arns["artifacts"]}/releases/*"]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt"]
    resources = [local.key_arn]
  }

  # Of a deployment that was killed: docs/pipelines.md.
  statement {
    sid       = "FreeLocks"
    actions   = ["s3:DeleteObject"]
    resources = ["${local.bucket_arns["state"]}/functions/*.tflock"]
  }

  statement {
    sid = "GoBack"
    actions = [
      "lambda:GetAlias", "lambda:GetFunctionConfiguration", "lambda:ListVersionsByFunction", "lambda:PublishVersion",
      "lambda:UpdateAlias", "lambda:UpdateFunctionCode",
    ]
    resources = ["arn:aws:lambda:${local.here}:function:*"]

    # That of a function made by this template; whoever may tag it may change it anyhow.
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/organization"
      values   = [local.organization]
    }
  }

  statement {
    sid       = "SeeTraffic"
    actions   = ["codedeploy:BatchGetDeployments", "codedeploy:GetDeployment", "codedeploy:ListDeployments"]
    resources = ["arn:aws:codedeploy:${local.here}:deploymentgroup:*/live"]
  }

  statement {
    sid       = "StopTraffic"
    actions   = ["codedeploy:StopDeployment"]
    resources = ["*"] # takes no other
  }
}

data "aws_iam_policy_document" "operator_roles" {
  # Whom they trust and what they may do, always under the boundary for their kind: foundation/boundary.tf.
  dynamic "statement" {
    for_each = local.environment == null ? {} : { functions = ["functions"], pipelines = ["pipelines", "verifiers"] }

    content {
      sid = "Write${title(statement.key)}RolesUnderTheirBoundary"
      actions = concat(
        ["iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:UpdateAssumeRolePolicy"],
        statement.key == "pipelines" ? ["iam:PutRolePolicy"] : [], # a function's, its deployer writes
      )
      resources = [local.roles_in[statement.key]]

      condition {
        test     = "ArnEquals"
        variable = "iam:PermissionsBoundary"
        values   = [for boundary in statement.value : aws_iam_policy.boundary[boundary].arn]
      }
    }
  }

  statement {
    sid = "ManageRoles"
    actions = [
      "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole",
      "iam:ListRolePolicies", "iam:TagRole", "iam:UntagRole", "iam:UpdateRoleDescription",
    ]
    resources = [local.roles_in.functions, local.roles_in.pipelines]
  }

  statement {
    sid       = "PassRolesToBuilds"
    actions   = ["iam:PassRole"]
    resources = [local.roles_in.pipelines]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["codebuild.amazonaws.com"]
    }
  }

  dynamic "statement" {
    for_each = { codepipeline = aws_iam_role.pipeline, events = aws_iam_role.pipeline_start, scheduler = aws_iam_role.drift_start }

    content {
      sid       = "Pass${title(statement.key)}ItsOwn"
      actions   = ["iam:PassRole"]
      resources = statement.value[*].arn

      condition {
        test     = "StringEquals"
        variable = "iam:PassedToService"
        values   = ["${statement.key}.amazonaws.com"]
      }
    }
  }
}

# What everybody may see: what of this template's runs where, and its logs. No state, no releases, no secrets.

data "aws_iam_policy_document" "reader" {
  statement {
    sid = "SeePipelines"
    actions = [
      "codepipeline:GetPipeline", "codepipeline:GetPipelineExecution", "codepipeline:GetPipelineState",
      "codepipeline:ListActionExecutions", "codepipeline:ListPipelineExecutions",
    ]
    resources = ["arn:aws:codepipeline:${local.here}:*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/organization"
      values   = [local.organization]
    }
  }

  statement {
    sid       = "SeeBuilds"
    actions   = ["codebuild:BatchGetBuilds", "codebuild:BatchGetProjects", "codebuild:ListBuildsForProject"]
    resources = local.projects

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/organization"
      values   = [local.organization]
    }
  }

  statement {
    sid = "SeeTests"
    actions = [
      "codebuild:BatchGetReportGroups", "codebuild:BatchGetReports", "codebuild:DescribeTestCases",
      "codebuild:ListReportsForReportGroup",
    ]
    resources = [local.reports]
  }

  statement {
    sid = "SeeFunctions"
    actions = [
      "lambda:GetAlias", "lambda:GetFunctionConfiguration", "lambda:ListAliases", "lambda:ListVersionsByFunction",
    ]
    resources = ["arn:aws:lambda:${local.here}:function:*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/organization"
      values   = [local.organization]
    }
  }

  statement {
    sid       = "SeeTraffic"
    actions   = ["codedeploy:GetDeployment", "codedeploy:ListDeployments"]
    resources = ["arn:aws:codedeploy:${local.here}:deploymentgroup:*/live"]
  }

  statement {
    sid = "SeeLogs"
    actions = [
      "logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents", "logs:GetQueryResults", "logs:StartLiveTail",
      "logs:StartQuery",
    ]
    resources = [for of in ["codebuild", "lambda", "vendedlogs/apis"] : "arn:aws:logs:${local.here}:log-group:/aws/${of}/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/organization"
      values   = [local.organization]
    }
  }

  statement {
    sid       = "SeeApis"
    actions   = ["apigateway:GET"]
    resources = ["arn:aws:apigateway:${local.region}::/apis"] # the list of all
  }

  statement {
    sid       = "SeeAlarms"
    actions   = ["cloudwatch:DescribeAlarms"]
    resources = ["arn:aws:cloudwatch:${local.here}:alarm:*"]
  }

  statement {
    sid = "SeeLists"
    actions = [
      "cloudwatch:GetMetricData", "codebuild:ListBuilds", "codepipeline:ListPipelines", "lambda:ListFunctions",
      "logs:DescribeLogGroups", "tag:GetResources",
    ]
    resources = ["*"] # take no other, or none that names a function
  }
}

# In ops runs nothing; there the reader sees who is in which group.
data "aws_iam_policy_document" "reader_in_ops" {
  statement {
    sid       = "SeeGroups"
    actions   = ["iam:GetGroup"]
    resources = [for group in keys(local.groups) : "arn:aws:iam::${local.ops.id}:group/${local.organization}-${group}"]
  }
}

locals {
  accounts  = jsondecode(file("${path.module}/../accounts.json"))
  names     = local.accounts.environments[*].name
  position  = index(local.names, var.environment)
  account   = local.accounts.environments[local.position]
  builds    = local.position == 0
  promotes  = local.position < length(local.names) - 1
  here      = "${local.accounts.region}:${local.account.id}" # as in ARNs
  iam       = "arn:aws:iam::${local.account.id}"
  paths     = { for kind in ["functions", "pipelines", "services"] : kind => "/lambda-template/${kind}/" } # as in foundation/main.tf
  artifacts = "arn:aws:s3:::${local.account.artifacts_bucket}"
  store     = "${local.account.artifacts_bucket}-pipelines"                                   # the foundation's, which expires
  deployed  = "arn:aws:s3:::${local.account.state_bucket}/functions/${var.function_name}.zip" # the release that the state is of
  alerts    = "arn:aws:sns:${local.here}:${local.accounts.organization}-alerts"
  console   = "https://${local.accounts.region}.console.aws.amazon.com/codesuite"
  # CodePipeline names the folder of a pipeline's artifacts so, and in it one for each artifact.
  folder = "arn:aws:s3:::${local.store}/${substr(var.function_name, 0, min(20, length(var.function_name)))}"

  # What happens to a release here, stage by stage. One without actions is left out.
  stages = [
    { name = "Source", actions = [for action in [local.github] : action if local.builds] },
    { name = "Source", actions = [for action in [local.promoted] : action if !local.builds] },
    { name = "Build", actions = [for action in [local.build] : action if local.builds] },
    # One stage, which holds one execution at a time: so nothing comes between a plan, its approval and what is applied.
    { name = "Deploy", actions = concat([for action in [local.plan, local.approve] : action if local.account.approval], [local.deploy]) },
    { name = "Verify", actions = [local.verify] },
    { name = "Promote", actions = [for action in [local.promote] : action if local.promotes] },
  ]

  github = {
    name      = "Source"
    category  = "Source"
    provider  = "CodeStarSourceConnection"
    namespace = "Source"
    outputs   = ["Source"]
    configuration = {
      ConnectionArn        = one(data.aws_codestarconnections_connection.github[*].arn)
      FullRepositoryId     = "${local.accounts.github_owner}/${var.function_name}"
      BranchName           = var.branch
      OutputArtifactFormat = "CODEBUILD_CLONE_REF" # a full clone: the build asks Git about its commit
    }
  }

  promoted = {
    name     = "Source"
    category = "Source"
    provider = "S3"
    outputs  = ["Release"]
    configuration = {
      S3Bucket             = local.account.artifacts_bucket
      S3ObjectKey          = "promoted/${var.function_name}.zip"
      PollForSourceChanges = "false" # start.tf
    }
  }

  build = {
    name          = "Build"
    category      = "Build"
    provider      = "CodeBuild"
    inputs        = ["Source"]
    outputs       = ["Release"]
    configuration = { ProjectName = "${var.function_name}-build" }
  }

  plan = {
    name          = "Plan"
    category      = "Build"
    provider      = "CodeBuild"
    namespace     = "Plan"
    inputs        = ["Release"]
    outputs       = ["Plan"]
    configuration = { ProjectName = "${var.function_name}-plan" }
  }

  approve = {
    name     = "Approve"
    category = "Approval"
    provider = "Manual"
    order    = 2
    configuration = {
      CustomData         = "#{Plan.RELEASE} | #{Plan.CHANGES}"
      ExternalEntityLink = "${local.console}/codebuild/${local.account.id}/projects/${var.function_name}-plan/build/${var.function_name}-plan%3A#{Plan.BUILD}/?region=${local.accounts.region}"
      NotificationArn    = local.alerts
    }
  }

  deploy = {
    name          = "Deploy"
    category      = "Build"
    provider      = "CodeBuild"
    order         = 3
    inputs        = local.account.approval ? ["Release", "Plan"] : ["Release"]
    configuration = { ProjectName = "${var.function_name}-deploy", PrimarySource = "Release" }
  }

  verify = {
    name          = "Verify"
    category      = "Build"
    provider      = "CodeBuild"
    inputs        = ["Release"]
    configuration = { ProjectName = "${var.function_name}-verify" }
  }

  promote = {
    name     = "Promote"
    category = "Invoke"
    provider = "Lambda"
    inputs   = ["Release"]
    configuration = {
      FunctionName = "${local.accounts.organization}-promoter"
      # Where it is known of which commit a release is, what a build says of that is not taken on trust.
      UserParameters = join(" ", concat([var.function_name], local.builds ? ["#{Source.CommitId}"] : []))
    }
  }
}

# The account's own key and the connection to GitHub, from the foundation.
data "aws_kms_key" "account" {
  key_id = "alias/${local.accounts.organization}"
}

data "aws_codestarconnections_connection" "github" {
  count = local.builds ? 1 : 0

  name = "${local.accounts.organization}-github"
}

resource "aws_codepipeline" "pipeline" {
  name          = var.function_name
  role_arn      = "${local.iam}:role${local.paths.services}${local.accounts.organization}-pipeline"
  pipeline_type = "V2"
  # Of what waits for a stage, only the newest goes on.
  execution_mode = "SUPERSEDED"

  artifact_store {
    type     = "S3"
    location = local.store

    encryption_key {
      type = "KMS"
      id   = data.aws_kms_key.account.arn
    }
  }

  dynamic "stage" {
    for_each = [for stage in local.stages : stage if length(stage.actions) > 0]

    content {
      name = stage.value.name

      dynamic "action" {
        for_each = stage.value.actions

        content {
          name             = action.value.name
          category         = action.value.category
          owner            = "AWS"
          provider         = action.value.provider
          version          = "1"
          run_order        = try(action.value.order, 1)
          namespace        = try(action.value.namespace, null)
          input_artifacts  = try(action.value.inputs, [])
          output_artifacts = try(action.value.outputs, [])
          configuration    = action.value.configuration
        }
      }
    }
  }

  depends_on = [aws_codebuild_project.step, aws_iam_role_policy.step, aws_iam_role.function]
}

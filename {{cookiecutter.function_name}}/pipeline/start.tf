# Starts this pipeline when a release has been promoted here, with exactly that version of the object; and drift.yml daily.

resource "aws_scheduler_schedule" "drift" {
  name                = aws_codebuild_project.step["drift"].name
  description         = "Looks whether ${var.function_name} still is as it was deployed to ${var.environment}."
  schedule_expression = "cron(17 3 * * ? *)"

  # So that those of an account do not begin at once: they share its builds with its pipelines.
  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 120
  }

  target {
    arn      = aws_codebuild_project.step["drift"].arn
    role_arn = "${local.iam}:role${local.paths.services}${local.accounts.organization}-drift-start"
  }
}

resource "aws_cloudwatch_event_rule" "promoted" {
  count = local.builds ? 0 : 1

  name        = "${var.function_name}-promoted"
  description = "A release of ${var.function_name} has been promoted to ${var.environment}."
  event_pattern = jsonencode({
    source        = ["aws.s3"]
    "detail-type" = ["Object Created"]
    detail = {
      bucket = { name = [local.account.artifacts_bucket] }
      object = { key = ["promoted/${var.function_name}.zip"] }
    }
  })
}

resource "aws_cloudwatch_event_target" "promoted" {
  count = local.builds ? 0 : 1

  rule     = aws_cloudwatch_event_rule.promoted[0].name
  arn      = aws_codepipeline.pipeline.arn
  role_arn = "${local.iam}:role${local.paths.services}${local.accounts.organization}-pipeline-start"

  dead_letter_config {
    arn = "arn:aws:sqs:${local.here}:${local.accounts.organization}-undelivered" # told of by the foundation's alarm
  }

  input_transformer {
    input_paths = { version = "$.detail.object.version-id" }
    # Not by jsonencode, which would escape the angle brackets.
    input_template = <<-EOT
      {"sourceRevisions":[{"actionName":"${local.promoted.name}","revisionType":"S3_OBJECT_VERSION_ID","revisionValue":"<version>"}]}
    EOT
  }
}

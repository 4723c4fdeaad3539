output "console" {
  description = "Where to watch the pipeline."
  value       = "${local.console}/codepipeline/pipelines/${aws_codepipeline.pipeline.name}/view?region=${local.accounts.region}"
}

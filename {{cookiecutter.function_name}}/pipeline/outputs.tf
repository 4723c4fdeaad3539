output "console" {
  description = "Where to watch the pipeline."
  value       = "https://${local.accounts.region}.console.aws.amazon.com/codesuite/codepipeline/pipelines/${aws_codepipeline.pipeline.name}/view?region=${local.accounts.region}"
}

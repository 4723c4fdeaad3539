output "account" {
  description = "Whose console to enter first, and how."
  value       = "${var.environment}, ${local.account.id}: https://signin.aws.amazon.com/switchrole?account=${local.account.id}&roleName=${local.accounts.organization}-reader&displayName=${var.environment}-reader"
}

output "console" {
  description = "Where to watch the pipeline."
  value       = "${local.console}/codepipeline/pipelines/${aws_codepipeline.pipeline.name}/view?region=${local.accounts.region}"
}

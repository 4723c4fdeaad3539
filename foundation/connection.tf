# Through which the first environment's pipelines read GitHub. A person completes it once, in the console.
resource "aws_codestarconnections_connection" "github" {
  count = local.builds ? 1 : 0

  name          = "${local.organization}-github"
  provider_type = "GitHub"
}

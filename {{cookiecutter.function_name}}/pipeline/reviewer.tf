# What plans pull requests, on GitHub, where accounts.json says so: reads what planner.tf reads, and the release that it compares
# with. It runs the code of every branch: so it sees how production is set, and writes nothing anywhere.

locals {
  github_tokens = "token.actions.githubusercontent.com"
}

data "aws_iam_policy_document" "reviewer" {
  statement {
    sid       = "ReadWhatIsDeployed"
    actions   = ["s3:GetObject"]
    resources = [local.deployed]
  }
}

# Through which workflows on GitHub enter, to plan a function's pull requests: where accounts.yaml says so. Which of them may,
# and what, is said by the role of each function: pipeline/reviewer.tf.
resource "aws_iam_openid_connect_provider" "github" {
  count = local.environment != null && try(local.file.plan_pull_requests, false) ? 1 : 0

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

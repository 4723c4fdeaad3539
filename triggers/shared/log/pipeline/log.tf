# The function's log tells the verifier what has become of what it has put into the trigger.

data "aws_iam_policy_document" "verifier_log" {
  statement {
    sid       = "ReadLog"
    actions   = ["logs:FilterLogEvents"]
    resources = ["arn:aws:logs:${local.here}:log-group:/aws/lambda/${var.function_name}:*"]
  }
}

resource "aws_iam_role_policy" "log" {
  name   = "log"
  role   = aws_iam_role.step["verifier"].name
  policy = data.aws_iam_policy_document.verifier_log.json
}

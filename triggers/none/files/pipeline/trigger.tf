# The verifier calls the function, as whoever else does.

data "aws_iam_policy_document" "verifier_trigger" {
  statement {
    sid       = "Call"
    actions   = ["lambda:InvokeFunction"]
    resources = ["${local.function}:live"]
  }
}

resource "aws_iam_role_policy" "trigger" {
  name   = "trigger"
  role   = aws_iam_role.step["verifier"].name
  policy = data.aws_iam_policy_document.verifier_trigger.json
}

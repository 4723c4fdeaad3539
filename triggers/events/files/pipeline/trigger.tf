# What the verifier may do with the trigger in deployment/trigger.tf, by this function's name.

data "aws_iam_policy_document" "verifier_trigger" {
  statement {
    sid       = "PutEvents"
    actions   = ["events:PutEvents"]
    resources = ["arn:aws:events:${local.here}:event-bus/default"]

    condition {
      test     = "StringEquals"
      variable = "events:source"
      values   = [var.function_name]
    }
  }
}

resource "aws_iam_role_policy" "trigger" {
  name   = "trigger"
  role   = aws_iam_role.step["verifier"].name
  policy = data.aws_iam_policy_document.verifier_trigger.json
}

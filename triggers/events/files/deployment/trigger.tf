# What invokes the function: events of the account's default event bus that match a pattern. rule.tf has them delivered.

locals {
  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
  # A sandbox takes events of its own name alone, lest it handle those of the function too.
  pattern = {
    source      = [local.function_name]
    detail-type = ["Greeting requested"]
  }
}

output "rule" {
  description = "ARN of the rule by which events invoke the function."
  value       = aws_cloudwatch_event_rule.rule.arn
}

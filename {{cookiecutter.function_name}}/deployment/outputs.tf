output "function_name" {
  description = "Name of the deployed function."
  value       = aws_lambda_function.function.function_name
}

output "alias" {
  description = "The alias that callers invoke."
  value       = aws_lambda_alias.live.name
}

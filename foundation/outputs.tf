output "connection" {
  description = "The GitHub connection, where there is one: its ARN and whether a person must still complete it."
  value       = one([for connection in aws_codestarconnections_connection.github : { arn = connection.arn, status = connection.connection_status }])
}

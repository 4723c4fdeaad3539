variable "account" {
  description = "The account to apply to: ops, or the name of an environment in accounts.yaml."
  type        = string
  nullable    = false

  validation {
    condition     = contains(concat(["ops"], local.names), var.account)
    error_message = "accounts.yaml has no such account; it has: ops, ${join(", ", local.names)}."
  }
}

variable "environment" {
  description = "Name of the environment whose pipeline this is, as in accounts.json."
  type        = string
  nullable    = false

  validation {
    condition     = contains(local.names, var.environment)
    error_message = "accounts.json has no environment of this name; it has: ${join(", ", local.names)}."
  }
}

variable "function_name" {
  description = "Name of the function, of its repository and of its pipeline."
  type        = string
  nullable    = false
}

variable "branch" {
  description = "The branch whose commits are built."
  type        = string
  nullable    = false
  default     = "main"
}

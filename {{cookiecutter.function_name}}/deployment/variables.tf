variable "environment" {
  description = "Name of the environment to deploy to, as in accounts.json."
  type        = string
  nullable    = false

  validation {
    condition     = contains(local.accounts.environments[*].name, var.environment)
    error_message = "accounts.json has no environment of this name; it has: ${join(", ", local.accounts.environments[*].name)}."
  }
}

variable "sandbox" {
  description = "Name of the sandbox to deploy to; none for the function itself."
  type        = string
  default     = null

  validation {
    condition     = var.sandbox == null || can(regex("^[a-z0-9][a-z0-9-]{0,11}$", var.sandbox))
    error_message = "A sandbox's name has 1 to 12 lower-case letters, digits and hyphens, no hyphen first."
  }
}

variable "release" {
  description = "Path, from this folder, of the release.json that says what to deploy. Only a built release has one."
  type        = string
  nullable    = false
  default     = "../release.json"
}

variable "memory_size" {
  description = "Memory in MB. CPU grows with it: 1769 MB is one core."
  type        = number
  nullable    = false

  validation {
    condition     = var.memory_size >= 128 && var.memory_size <= 10240
    error_message = "Lambda takes 128 to 10240 MB."
  }
}

variable "timeout" {
  description = "Seconds after which an invocation is ended."
  type        = number
  nullable    = false

  validation {
    condition     = var.timeout >= 1 && var.timeout <= 900
    error_message = "Lambda takes 1 to 900 seconds."
  }
}

variable "reserved_concurrency" {
  description = "Executions at once that are kept for the function, and its most; null for what the account has left. Not for sandboxes."
  type        = number
  default     = null

  validation {
    condition     = try(var.reserved_concurrency >= 0 && floor(var.reserved_concurrency) == var.reserved_concurrency, true)
    error_message = "Lambda takes whole numbers from 0, by which nothing can invoke the function."
  }
}

variable "log_retention_days" {
  description = "Days that the function's log is kept."
  type        = number
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch Logs takes 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}

variable "traffic" {
  description = "How callers get to a new version: all at once, or as one of CodeDeploy's configurations for Lambda says."
  type        = string
  nullable    = false

  validation {
    condition = contains([
      "AllAtOnce",
      "Canary10Percent5Minutes", "Canary10Percent10Minutes", "Canary10Percent15Minutes", "Canary10Percent30Minutes",
      "Linear10PercentEvery1Minute", "Linear10PercentEvery2Minutes", "Linear10PercentEvery3Minutes", "Linear10PercentEvery10Minutes",
    ], var.traffic)
    error_message = "CodeDeploy has AllAtOnce, Canary10Percent{5,10,15,30}Minutes, Linear10PercentEvery1Minute and Linear10PercentEvery{2,3,10}Minutes."
  }
}

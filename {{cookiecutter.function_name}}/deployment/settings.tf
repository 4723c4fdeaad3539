# What the handler reads: settings, which everybody may see, and secrets, whose values are in Parameter Store alone.

variable "settings" {
  description = "Environment variables of the function. None is a secret."
  type        = map(string)
  nullable    = false
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.settings) : can(regex("^[A-Za-z][A-Za-z0-9_]+$", name)) && !can(regex("^(AWS|LAMBDA|POWERTOOLS)_", name))])
    error_message = "A setting's name has letters, digits and _, a letter first. AWS_, LAMBDA_ and POWERTOOLS_ are taken."
  }
}

variable "secrets" {
  description = "Secrets that the function may read: NAME is the parameter /FUNCTION/NAME of Parameter Store, a SecureString."
  type        = set(string)
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for name in var.secrets : can(regex("^[A-Za-z0-9_.-]+$", name))])
    error_message = "A secret's name has letters, digits, _, . and -."
  }
}

# One that is missing fails the plan by its name. Its value is not decrypted here, and nothing of it is kept.
ephemeral "aws_ssm_parameter" "secret" {
  for_each = var.secrets

  arn             = local.secrets[each.key]
  with_decryption = false
}

locals {
  secrets = { for name in var.secrets : name => "arn:aws:ssm:${local.accounts.region}:${local.account.id}:parameter/${local.function_name}/${name}" }
}

data "aws_iam_policy_document" "secrets" {
  statement {
    sid       = "ReadSecrets"
    actions   = ["ssm:GetParameter"]
    resources = values(local.secrets)
  }

  statement {
    sid       = "DecryptSecrets"
    actions   = ["kms:Decrypt"]
    resources = [data.aws_kms_key.account.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:EncryptionContext:PARAMETER_ARN"
      values   = values(local.secrets)
    }
  }
}

resource "aws_iam_role_policy" "secrets" {
  count = length(var.secrets) == 0 ? 0 : 1

  name   = "secrets"
  role   = local.role
  policy = data.aws_iam_policy_document.secrets.json
}

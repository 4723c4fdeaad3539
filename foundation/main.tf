# What accounts.yaml says, as seen from the account that this is applied to.
locals {
  file         = yamldecode(file("${path.module}/../accounts.yaml"))
  organization = local.file.organization
  region       = local.file.region
  ops          = local.file.ops
  environments = local.file.environments # in promotion order
  names        = local.environments[*].name

  environment = one([for environment in local.environments : environment if environment.name == var.account]) # null in ops
  account     = merge({ ops = local.ops }, { for each in local.environments : each.name => each })[var.account]

  position = local.environment == null ? null : index(local.names, var.account)
  builds   = local.position == 0
  previous = local.position == null ? null : one(slice(local.environments, max(local.position - 1, 0), local.position))
  next     = local.position == null ? null : try(local.environments[local.position + 1], null)

  here          = "${local.region}:${local.account.id}" # as in ARNs
  promoter_name = "${local.organization}-promoter"

  # Paths of roles: nobody's role was there before, so no policy about them can mean one that was.
  paths    = { for kind in ["functions", "pipelines", "sandboxes", "services"] : kind => "/lambda-template/${kind}/" }
  roles_in = { for kind, path in local.paths : kind => "arn:aws:iam::${local.account.id}:role${path}*" }
}

# Functions are told apart by their names, so an account holds those of one organization.
data "aws_iam_roles" "services" {
  path_prefix = local.paths.services

  lifecycle {
    postcondition {
      condition     = alltrue([for name in self.names : startswith(name, "${local.organization}-")])
      error_message = "${var.account} (${local.account.id}) holds the foundation of another organization: ${join(", ", self.names)}. Give each an account of its own."
    }
  }
}

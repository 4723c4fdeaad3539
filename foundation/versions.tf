terraform {
  required_version = ">= 1.11.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 7.0.0"
    }
  }

  # apply.py says which bucket, key and region: the ops account's, foundation/ACCOUNT.tfstate.
  backend "s3" {
    use_lockfile = true
  }
}

# People stand in ops. From there they enter an environment by the role of bootstrap.yaml.
provider "aws" {
  region              = local.region
  allowed_account_ids = [local.account.id]

  dynamic "assume_role" {
    for_each = local.environment[*]

    content {
      role_arn = "arn:aws:iam::${local.account.id}:role/${try(local.file.bootstrap_role, "lambda-template-bootstrap")}"
    }
  }

  default_tags {
    tags = {
      foundation = local.organization
      account    = var.account
    }
  }
}

terraform {
  required_version = ">= 1.11.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 7.0.0"
    }
  }

  # Bucket, key and region come from whoever runs this root: buildspec.yml in the pipeline.
  backend "s3" {
    use_lockfile = true
  }
}

provider "aws" {
  region              = local.accounts.region
  allowed_account_ids = [local.account.id]

  default_tags {
    tags = merge(
      { organization = local.accounts.organization, function = local.function_name, environment = var.environment },
      var.sandbox == null ? {} : { owner = local.release.owner },
    )
  }
}

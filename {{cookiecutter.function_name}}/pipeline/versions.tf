terraform {
  required_version = ">= 1.11.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 7.0.0"
    }
  }

  # environments/ says where: in ops, since people apply this root from there.
  backend "s3" {}
}

provider "aws" {
  region              = local.accounts.region
  allowed_account_ids = [local.account.id]

  assume_role {
    role_arn = "${local.iam}:role/${local.accounts.organization}-operator"
  }

  default_tags {
    tags = {
      organization = local.accounts.organization
      function     = var.function_name
      environment  = var.environment
    }
  }
}

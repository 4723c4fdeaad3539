# The account's own network, if the function has to reach into it. It then reaches the rest of the world only through that.

variable "vpc" {
  description = "Ids of the subnets and security groups that the function is put into. Empty lists take it out again; null, once Lambda has removed its interfaces, some 20 minutes later."
  type        = object({ subnets = set(string), security_groups = set(string) })
  default     = null

  validation {
    condition     = try((length(var.vpc.subnets) == 0) == (length(var.vpc.security_groups) == 0), true)
    error_message = "Lambda takes at least one subnet and one security group, or none of both."
  }
}

# Lambda makes and removes interfaces in the function's role. The boundary keeps these permissions from the function's code.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
data "aws_iam_policy_document" "network" {
  statement {
    sid       = "SeeNetwork"
    actions   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
    resources = ["*"] # take no other
  }

  statement {
    sid = "ManageInterfaces"
    actions = [
      "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses",
    ]
    resources = ["arn:aws:ec2:${local.accounts.region}:${local.account.id}:*/*"] # Lambda asks for no narrower one
  }
}

resource "aws_iam_role_policy" "network" {
  count = var.vpc == null ? 0 : 1

  name   = "network"
  role   = local.role
  policy = data.aws_iam_policy_document.network.json
}

# What the function's environment has for the runtime's sake.

locals {
  runtime_variables = {}
}

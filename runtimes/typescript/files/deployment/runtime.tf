# What the function's environment has for the runtime's sake. Stack traces name lines of src/, by the map in the package.

locals {
  runtime_variables = { NODE_OPTIONS = "--enable-source-maps" }
}

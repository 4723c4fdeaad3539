#!/bin/sh
# Installs nothing: beside Node.js, these tests need AWS's command line interface and curl, which CodeBuild's images have.
# Usage, from a release's folder: sh tests/deployed/install.sh
set -eu

for command in node curl aws; do
  command -v $command >/dev/null || { echo "$command is needed to test what is deployed" >&2; exit 1; }
done

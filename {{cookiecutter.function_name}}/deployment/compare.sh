#!/bin/sh
# Makes sure that a version, or that at which an alias is, runs the release's package.
# Usage, from a release's folder: sh deployment/compare.sh FUNCTION QUALIFIER
set -eu

released=$(python3 -c 'import base64, json
print(base64.b64encode(bytes.fromhex(json.load(open("release.json"))["sha256"])).decode())')
runs=$(aws lambda get-function-configuration --function-name "$1" --qualifier "$2" --query CodeSha256 --output text)
test "$runs" = "$released" || {
  echo "$1:$2 runs a package whose sha256 is $runs, not the release's $released." >&2
  exit 1
}

#!/bin/sh
# Has a version answer events/check.json, which should do no harm, before callers see it: if its package is the release's.
# Usage, from deployment/: sh check.sh FUNCTION VERSION
set -eu

aws lambda wait published-version-active --function-name "$1" --qualifier "$2"
(cd .. && sh deployment/compare.sh "$1" "$2") || { echo "Version $2 gets no traffic: it runs another package than the release's." >&2; exit 1; }
# It may take as long as functions may, and is asked once.
error=$(AWS_MAX_ATTEMPTS=1 aws lambda invoke --cli-read-timeout 910 --function-name "$1" --qualifier "$2" \
  --payload fileb://../events/check.json --query FunctionError --output text answer.json)
cat answer.json
echo
test "$error" = None || {
  why=$(python3 -c 'import json
error = json.load(open("answer.json"))
print(*": ".join(str(error.get(name, "")) for name in ("errorType", "errorMessage")).split())')
  echo "Version $2 failed its check and gets no traffic: $why"
  exit 1
}

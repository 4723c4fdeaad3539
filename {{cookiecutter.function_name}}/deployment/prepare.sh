#!/bin/sh
# What Deploy begins with: Terraform, the package at its place, the state of this environment.
# Usage, from a release's folder: sh deployment/prepare.sh
set -eu

cp terraform-version .terraform-version
cp deployment/terraform.lock.hcl deployment/.terraform.lock.hcl
sh deployment/install-terraform.sh "$HOME/bin"

fact() { python3 -c 'import json, sys; print(json.load(open("release.json"))[sys.argv[1]])' "$1"; }
function=$(fact function)
sha256=$(fact sha256)
summary=$(fact summary)
test "$sha256" = "$(python3 -c 'import hashlib; print(hashlib.sha256(open("package.zip", "rb").read()).hexdigest())')" || {
  echo "package.zip is not the package that release.json describes" >&2
  exit 1
}
package="releases/$function/$sha256.zip"
# So that people who look for a release to go back to see which it is. S3 takes printable ASCII alone.
metadata=$(python3 -c '
import json, re
release = json.load(open("release.json"))
print(json.dumps({name: re.sub("[^ -~]", "?", release[name])[:500] for name in ("revision", "summary")}))')
# Never overwritten, as the bucket's policy says: what is there under this name should have these very bytes. check.sh looks.
refused=$(aws s3api put-object --bucket "$ARTIFACTS_BUCKET" --key "$package" --body package.zip \
  --metadata "$metadata" --if-none-match '*' 2>&1) || case "$refused" in
  *PreconditionFailed*) ;;
  *) echo "$refused" >&2; exit 1 ;;
esac

# The description of the version that Terraform publishes: Terraform itself would wait five seconds more for it. A new
# function gets it from Terraform.
if described=$(aws lambda get-function-configuration --function-name "$function" --query Description --output text 2>&1); then
  test "$described" = "$summary" || {
    aws lambda update-function-configuration --function-name "$function" --description "$summary" --query LastUpdateStatus
    aws lambda wait function-updated-v2 --function-name "$function"
  }
else
  case "$described" in *ResourceNotFoundException*) ;; *) echo "$described" >&2; exit 1 ;; esac
fi

python3 -m zipfile -c deployed.zip .terraform-version accounts.json deployment release.json
terraform -chdir=deployment init -lockfile=readonly \
  -backend-config="bucket=$STATE_BUCKET" -backend-config="key=$STATE_KEY" -backend-config="region=$AWS_REGION"

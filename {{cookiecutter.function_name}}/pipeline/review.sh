#!/bin/sh
# Plans what a pull request changes of an environment: its deployment/, with the package that is deployed there. Prints that as
# Markdown, and changes nothing. The workflow check runs it. Usage, from the repository's root: sh pipeline/review.sh ENVIRONMENT
set -eu

environment=$1
# shellcheck disable=SC2046 # none has a space
set -- $(python3 -I -c '
import json, sys
accounts = json.load(open("accounts.json"))
(found,) = [each for each in accounts["environments"] if each["name"] == sys.argv[1]]
print(json.load(open("template.json"))["answers"]["function_name"], accounts["region"], found["id"], found["state_bucket"])' "$1")
function=$1 bucket=$4
export AWS_REGION="$2" AWS_ROLE_ARN="arn:aws:iam::$3:role/lambda-template/pipelines/$function-reviewer"
export TF_CLI_ARGS=-no-color TF_DATA_DIR=".terraform/review-$environment" TF_INPUT=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

plan() {
  aws s3api get-object --bucket "$bucket" --key "functions/$function.zip" "$scratch/deployed.zip" >/dev/null &&
    python3 -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read("release.json"))' \
      "$scratch/deployed.zip" >"$scratch/release.json" &&
    terraform -chdir=deployment init -reconfigure -lockfile=readonly -backend-config="bucket=$bucket" \
      -backend-config="key=functions/$function.tfstate" -backend-config="region=$AWS_REGION" >/dev/null &&
    terraform -chdir=deployment plan -lock=false -var="environment=$environment" \
      -var-file="environments/$environment.tfvars" -var="release=$(realpath --relative-to=deployment "$scratch")/release.json"
}
code=0
plan >"$scratch/plan.txt" 2>&1 || code=$?

echo "### $environment"
if test "$code" = 0; then grep -E '^(Plan:|No changes)' "$scratch/plan.txt"; else echo "It cannot be planned."; fi
printf '\n<details><summary>The plan, with the package that is deployed</summary>\n\n~~~~text\n'
head -c 15000 "$scratch/plan.txt"
printf '\n~~~~\n\n</details>\n\n'
exit "$code"

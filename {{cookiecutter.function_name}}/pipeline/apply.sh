#!/bin/sh
# Plans and applies this root for an environment. If that fails it says what to do, as far as Terraform's words tell.
# Usage, from the repository's root: sh pipeline/apply.sh ENVIRONMENT FUNCTION [-auto-approve]
set -eu

environment=$1 function=$2
shift 2
fact() { python3 -I -c 'import json, sys; print(json.load(open(sys.argv[1] + ".json"))[sys.argv[2]])' "$1" "$2"; }
organization=$(fact accounts organization)
# Credentials of ops: those in the environment, else this profile.
test -n "${AWS_ACCESS_KEY_ID:-}" || export AWS_PROFILE="${AWS_PROFILE:-$organization-ops-operator}"
unset TF_WORKSPACE # like these, it is of other roots
for name in $(env | sed -n 's/^\(TF_VAR_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
export TF_DATA_DIR=".terraform/$environment"
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT

terraform_() {
  terraform -chdir=pipeline "$@" 2>"$errors" || {
    code=$?
    cat "$errors" >&2
    said=$(tr '\n' ' ' <"$errors")
    case "$said" in
      *"No valid credential"* | *"shared config profile"* | *ExpiredToken* | *InvalidClientTokenId* | *SSO*)
        hint="log in to ops, such as by: aws sso login --profile $organization-ops; README.md lists the profiles" ;;
      *"annot assume IAM Role"* | *"ot authorized to perform: sts:AssumeRole"*)
        hint="ask to be put into the group $organization-operators of ops" ;;
      *"ket does not exist"* | *'" does not exist'* | *NoSuchBucket* | *"reading KMS Key"*)
        hint="the foundation is not there, or older than this template: make foundation, in $(fact template template)" ;;
      *onnection*)
        hint="complete the connection $organization-github in the console: Developer Tools, Connections, Update pending connection" ;;
      *"acquiring the state lock"*)
        hint="somebody else applies it. If not, docs/pipelines.md of the template says how to free the lock" ;;
      *) hint="docs/pipelines.md of the template, $(fact template template), says more" ;;
    esac
    arguments=$(env | sed -n '/=-no-color$/d; /^TF_CLI_ARGS/p' | paste -s -d ' ' -)
    test -z "$arguments" || hint="$hint; Terraform was told besides: $arguments"
    echo "The pipeline of $function in $environment is not applied; $hint" >&2
    exit "$code"
  }
  cat "$errors" >&2
}

terraform_ init -reconfigure -lockfile=readonly "-backend-config=environments/$environment.tfbackend"
terraform_ apply "-var=function_name=$function" "-var=environment=$environment" "$@"

#!/bin/sh
# Prints, in a line, what stands in this account otherwise than it was deployed, and Terraform would change back; nothing,
# where nothing does. Changes nothing. Usage: sh drift.sh; it reads ENVIRONMENT, STATE_BUCKET and STATE_KEY.
set -eu
exec 3>&1 >&2

beside=${STATE_KEY%tfstate} # of the state, its lock, and the release that it is of
look() { aws s3api list-objects-v2 --bucket "$STATE_BUCKET" --prefix "$beside" --query 'Contents[].[Key, ETag]' --output text; }

while true; do
  before=$(look)
  case "$before" in *"${beside}zip"*) ;; *) echo "Nothing is deployed yet, or by a template that kept no release."; exit 0 ;; esac
  rm -rf release
  aws s3api get-object --bucket "$STATE_BUCKET" --key "${beside}zip" release.zip
  python3 -m zipfile -e release.zip release
  (cd release && sh deployment/install-terraform.sh "$HOME/bin")
  planned=0
  terraform -chdir=release/deployment init -lockfile=readonly \
    -backend-config="bucket=$STATE_BUCKET" -backend-config="key=$STATE_KEY" -backend-config="region=$AWS_REGION" &&
    terraform -chdir=release/deployment plan -lock=false -var="environment=$ENVIRONMENT" \
      -var-file="environments/$ENVIRONMENT.tfvars" -out=drift.tfplan || planned=$?
  # A lock would be a change. So what was planned while Terraform ran elsewhere is planned again.
  after=$(look)
  case "$after" in *.tflock*) ;; "$before") break ;; esac
  sleep 30
done
test "$planned" = 0 || exit "$planned"

# What differs from its state: not what a rollback or a shift leaves for the next deployment, such as the canary's version.
terraform -chdir=release/deployment show -json drift.tfplan | python3 -c '
import json, sys
def differing(each):
    before, after = each["change"]["before"], each["change"]["after"]
    return {name for name in after if before.get(name) != after[name]} if before and after else {"is gone"}
plan = json.load(sys.stdin)
drifted = {each["address"]: differing(each) for each in plan.get("resource_drift", [])}
said = {each["address"]: differing(each) & drifted.get(each["address"], set()) for each in plan.get("resource_changes", [])}
print("; ".join("%s (%s)" % (address, ", ".join(sorted(names))) for address, names in said.items() if names)[:1000])' >&3

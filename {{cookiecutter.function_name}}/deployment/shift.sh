#!/bin/sh
# Has CodeDeploy move the alias live to a new version, as traffic.tf says, waits for the end, however long it takes, and
# deletes versions that nobody will go back to; their packages stay.
# Usage: sh shift.sh FUNCTION VERSION
set -eu

versions_kept=10

# A look that fails is not the end of a shift.
wait_for() {
  failed=0
  while true; do
    if status=$(aws deploy get-deployment --deployment-id "$1" --query deploymentInfo.status --output text); then
      case "$status" in Succeeded | Failed | Stopped) return ;; esac
      failed=0
    else
      failed=$((failed + 1))
      test "$failed" -lt 60 || exit 1
    fi
    sleep 1
  done
}

# What a build that was stopped has begun, and CodeDeploy's own way back from it, come to their end first.
for deployment in $(aws deploy list-deployments --application-name "$1" --deployment-group-name live \
  --include-only-statuses Created Queued InProgress Ready Baking --query 'deployments[]' --output text); do
  echo "CodeDeploy's deployment $deployment is under way."
  wait_for "$deployment"
done
# PutMetricAlarm leaves an alarm on until it is evaluated, and CodeDeploy begins nothing while one is on.
while test "$(aws cloudwatch describe-alarms --alarm-names "$1-canary" --query 'MetricAlarms[0].StateValue' --output text)" = ALARM; do
  sleep 5
done

current=$(aws lambda get-alias --function-name "$1" --name live --query FunctionVersion --output text)
test "$current" != "$2" || { echo "live is at version $2."; exit 0; }

# https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-resources.html
revision=$(python3 - "$1" live "$current" "$2" <<'EOF'
import json, sys
properties = dict(zip(("Name", "Alias", "CurrentVersion", "TargetVersion"), sys.argv[1:]))
content = {"version": 0.0, "Resources": [{"function": {"Type": "AWS::Lambda::Function", "Properties": properties}}]}
print(json.dumps({"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(content)}}))
EOF
)
# make rollback goes back by the description.
deployment=$(aws deploy create-deployment --application-name "$1" --deployment-group-name live --revision "$revision" \
  --description "from $current to $2" --query deploymentId --output text)
echo "live goes from version $current to $2 by CodeDeploy's deployment $deployment."
wait_for "$deployment"
test "$status" = Succeeded || {
  reason=$(aws deploy get-deployment --deployment-id "$deployment" --query deploymentInfo.errorInformation.message --output text)
  echo "CodeDeploy has taken traffic back from version $2: $reason" >&2
  exit 1
}

# Where an alias has no second version, its own keys stand for none.
used=$(aws lambda list-aliases --function-name "$1" --output text \
  --query 'Aliases[].[FunctionVersion, keys(not_null(RoutingConfig.AdditionalVersionWeights, @))][][]' | tr '\t' ' ')
aws lambda list-versions-by-function --function-name "$1" --query 'Versions[].[Version]' --output text | grep -v LATEST |
  sort -rn | tail -n "+$((versions_kept + 1))" | while read -r version; do
  case " $current $used " in *" $version "*) ;; *) aws lambda delete-function --function-name "$1" --qualifier "$version" ;; esac
done

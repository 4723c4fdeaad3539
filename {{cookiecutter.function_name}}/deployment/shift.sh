#!/bin/sh
# Has CodeDeploy move an alias to a new version, as traffic.tf says, and waits for the end, however long it takes.
# Usage: sh shift.sh FUNCTION ALIAS VERSION
set -eu

current=$(aws lambda get-alias --function-name "$1" --name "$2" --query FunctionVersion --output text)
test "$current" != "$3" || { echo "$2 is at version $3."; exit 0; }

# https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-resources.html
revision=$(python3 - "$1" "$2" "$current" "$3" <<'EOF'
import json, sys
properties = dict(zip(("Name", "Alias", "CurrentVersion", "TargetVersion"), sys.argv[1:]))
content = {"version": 0.0, "Resources": [{"function": {"Type": "AWS::Lambda::Function", "Properties": properties}}]}
print(json.dumps({"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(content)}}))
EOF
)
# make rollback goes back by the description.
deployment=$(aws deploy create-deployment --application-name "$1" --deployment-group-name "$2" --revision "$revision" \
  --description "from $current to $3" --query deploymentId --output text)
echo "$2 goes from version $current to $3 by CodeDeploy's deployment $deployment."

while true; do
  status=$(aws deploy get-deployment --deployment-id "$deployment" --query deploymentInfo.status --output text)
  case "$status" in
    Succeeded) exit 0 ;;
    Failed | Stopped) break ;;
  esac
  sleep 2
done
reason=$(aws deploy get-deployment --deployment-id "$deployment" --query deploymentInfo.errorInformation.message --output text)
echo "CodeDeploy has taken traffic back from version $3: $reason" >&2
exit 1

"""CloudWatch Logs: what it checks."""

from emulator.calls import Call
from emulator.judge.checks import Asked, derived, reads


@reads("logs")
def asked(call: Call, action: str) -> Asked:
    """Yield what CloudWatch Logs checks: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html."""
    said, groups = call.parameters, f"arn:aws:logs:{call.region}:{call.account}:log-group:"
    if "resourceArn" in said:
        yield action, said["resourceArn"], {}
    elif "logGroupName" not in said or call.operation == "DescribeLogGroups":
        yield from derived(call, action)
    elif "logStreamName" in said and call.operation != "CreateLogStream":
        yield action, f"{groups}{said['logGroupName']}:log-stream:{said['logStreamName']}", {}
    else:
        yield action, f"{groups}{said['logGroupName']}:*", {}
    if call.operation == "CreateLogGroup" and said.get("tags"):
        yield "logs:TagResource", f"{groups}{said['logGroupName']}", {}

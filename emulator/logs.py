"""CloudWatch Logs: what it checks, and how often a log may be read. moto keeps the logs."""

import time
from collections import defaultdict
from typing import Any

from moto.logs.models import LogsBackend, logs_backends

from emulator.calls import AwsError, Call, doc
from emulator.judge.checks import Asked, derived, reads
from emulator.judge.policies import listed, parse
from emulator.judge.verdict import Guarded, guards
from emulator.mends import replaces

READS_IN_A_SECOND = 5
READ: dict[tuple[str, str], list[float]] = defaultdict(list)  # by account and region: when


@replaces(LogsBackend, "filter_log_events", rests=doc("general/latest/gr/cwl_region.html"))
def filter_log_events(backend: LogsBackend, original: Any, *args: Any, **kwargs: Any) -> Any:
    """Refuse to read too often. AWS does, moto does not: https://repost.aws/knowledge-center/cloudwatch-logs-throttling."""
    now, place = time.time(), (backend.account_id, backend.region_name)
    READ[place] = [when for when in READ[place] if when > now - 1]
    if len(READ[place]) >= READS_IN_A_SECOND:
        raise AwsError("ThrottlingException", "Rate exceeded", 400)
    READ[place].append(now)
    return original(backend, *args, **kwargs)


@reads("logs", rests=doc("AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html"))
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


@guards("logs", rests=doc("AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html"))
def group_policies(region: str, resource: str) -> Guarded:
    """Return the policies of an account for its log groups, as one."""
    account = resource.split(":")[4]
    documents = [
        parse(each.policy_document) for each in logs_backends[account][region].resource_policies.values()
    ]
    found = [statement for document in documents for statement in listed(document["Statement"])]
    return {"Version": "2012-10-17", "Statement": found} if found else None, account, False

"""DynamoDB: what it checks, and the policies of tables."""

from moto.dynamodb.models import dynamodb_backends

from emulator.calls import Call, doc
from emulator.judge.checks import Asked, derived, reads
from emulator.judge.policies import parse
from emulator.judge.verdict import Guarded, guards


@reads("dynamodb", rests=doc("service-authorization/latest/reference/list_amazondynamodb.html"))
def asked(call: Call, action: str) -> Asked:
    """Yield what DynamoDB checks: of a batch each table, of a transaction what each of its parts does."""
    said, prefix = call.parameters, f"arn:aws:dynamodb:{call.region}:{call.account}:table/"
    for name in said.get("RequestItems", {}):
        yield action, prefix + name, {}
    for part in said.get("TransactItems", []):
        for verb, item in part.items():
            yield f"dynamodb:{verb}Item", prefix + item["TableName"], {}
    if "RequestItems" not in said and "TransactItems" not in said:
        yield from derived(call, action)


@guards("dynamodb", rests=doc("amazondynamodb/latest/developerguide/access-control-resource-based.html"))
def table_policy(region: str, resource: str) -> Guarded:
    """Return the policy of a table, which holds for its indexes, or of a stream, which has its own."""
    account, rest = resource.split(":", 5)[4:]
    of_table = resource if "/stream/" in rest else resource.partition("/index/")[0]
    policy = dynamodb_backends[account][region].resource_policies.get(of_table)
    return parse(policy.policy_doc) if policy else None, account, False

"""DynamoDB: what it checks."""

from emulator.calls import Call
from emulator.judge.checks import Asked, derived, reads


@reads("dynamodb")
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

"""DynamoDB: what it checks, what its streams hold, and the policies of tables."""

from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import StreamShard

from emulator.calls import Call, claims, doc
from emulator.judge.checks import Asked, derived, reads
from emulator.judge.policies import parse
from emulator.judge.verdict import Guarded, guards
from emulator.kms import key_arn
from emulator.mends import replaces

# What DynamoDB does with a table's key in the name of who chooses it:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
TO_CHOOSE_KEY = (
    *("kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"),
    *("kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"),
)
ITEMS = ("DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem")


@reads("dynamodb", rests=doc("service-authorization/latest/reference/list_amazondynamodb.html"))
def asked(call: Call, action: str) -> Asked:
    """Yield what DynamoDB checks: of a batch each table, of a transaction what each of its parts does.

    Who uses a table with a key needs the key, and so does who chooses it. An iterator names its stream.
    """
    said, prefix = call.parameters, f"arn:aws:dynamodb:{call.region}:{call.account}:table/"
    tables = list(said.get("RequestItems", {}))
    for name in tables:
        yield action, prefix + name, {}
    for part in said.get("TransactItems", []):
        for verb, item in part.items():
            tables.append(item["TableName"])
            yield f"dynamodb:{verb}Item", prefix + item["TableName"], {}
    if call.operation == "GetRecords":
        stream = str(said["ShardIterator"]).partition("|")[0]
        tables.append(stream.partition(":table/")[2].partition("/")[0])
        yield action, stream, {}
    elif not tables:
        keys = told_of_keys(call)
        yield from ((each, resource, more | keys) for each, resource, more in derived(call, action))
        tables += [str(said["TableName"]).rpartition("/")[2]] if call.operation in ITEMS else []
    kept = dynamodb_backends[call.account][call.region].tables
    for name in tables:
        yield from to_decrypt(kept.get(name))
    if key := said.get("SSESpecification", {}).get("KMSMasterKeyId"):
        arn = key_arn(key, call.account, call.region)
        yield from ((each, arn, via(call.region)) for each in TO_CHOOSE_KEY)


@claims("the keys of items are told", doc("amazondynamodb/latest/developerguide/specifying-conditions.html"))
def told_of_keys(call: Call) -> dict[str, str | None]:
    """Return the condition key of the partition key of an item that a call puts or names, if it does."""
    item = call.parameters.get("Item") or call.parameters.get("Key")
    table = dynamodb_backends[call.account][call.region].tables.get(str(call.parameters.get("TableName")))
    if call.operation not in ITEMS or not item or table is None:
        return {}
    ((_, value),) = item[table.hash_key_attr].items()
    return {"dynamodb:leadingkeys": str(value)}


def via(region: str) -> dict[str, str | None]:
    """Return the condition keys with which DynamoDB uses keys in a region."""
    return {"kms:viaservice": f"dynamodb.{region}.amazonaws.com", "kms:requestalias": None}


def to_decrypt(table: Any) -> Asked:
    """Yield what is checked of a table's key as its items are read or written, or its stream is read."""
    if table and (table.sse_specification or {}).get("Enabled"):
        _, _, _, region, account, _ = table.table_arn.split(":")
        yield "kms:Decrypt", key_arn(table.sse_specification["KMSMasterKeyId"], account, region), via(region)


@replaces(StreamShard, "add", rests=doc("amazondynamodb/latest/developerguide/Streams.html"))
def add(shard: StreamShard, original: Any, old: Any, new: Any) -> None:
    """Write no record of an item that has not been changed. AWS does not, moto does."""
    if not (old and new and old.to_json() == new.to_json()):
        original(shard, old, new)


@guards("dynamodb", rests=doc("amazondynamodb/latest/developerguide/access-control-resource-based.html"))
def table_policy(region: str, resource: str) -> Guarded:
    """Return the policy of a table, which holds for its indexes, or of a stream, which has its own."""
    account, rest = resource.split(":", 5)[4:]
    of_table = resource if "/stream/" in rest else resource.partition("/index/")[0]
    policy = dynamodb_backends[account][region].resource_policies.get(of_table)
    return parse(policy.policy_doc) if policy else None, account, False

"""Kinesis: what it checks, and streams as AWS keeps them."""

from collections import OrderedDict
from typing import Any

from moto.kinesis.models import Stream, kinesis_backends
from moto.kinesis.responses import KinesisResponse

from emulator.calls import MODEL, Call, doc
from emulator.judge.checks import Asked, derived, reads
from emulator.kms import key_arn
from emulator.mends import replaces


@reads("kinesis", rests=doc("streams/latest/dev/permissions-user-key-KMS.html"))
def asked(call: Call, action: str) -> Asked:
    """Yield what Kinesis checks; who writes to or reads an encrypted stream needs its key, too."""
    said = call.parameters
    named = said.get("StreamName") or str(said.get("StreamARN", "")).partition("/")[2]
    stream = kinesis_backends[call.account][call.region].streams.get(named)
    if call.operation == "StartStreamEncryption":
        yield action, f"arn:aws:kinesis:{call.region}:{call.account}:stream/{named}", {}
        yield action, key_arn(said["KeyId"], call.account, call.region), {}
        return
    yield from derived(call, action)
    uses = {"GetRecords": "kms:Decrypt"} | dict.fromkeys(("PutRecord", "PutRecords"), "kms:GenerateDataKey")
    if stream and call.operation in uses:
        yield from to_use_key(stream, uses[call.operation])


def to_use_key(stream: Any, action: str) -> Asked:
    """Yield an action on a stream's key, if it has one."""
    if stream.encryption_type == "KMS":
        told = {
            "kms:viaservice": f"kinesis.{stream.region}.amazonaws.com",
            "kms:encryptioncontext:aws:kinesis:arn": stream.arn,
        }
        yield action, key_arn(stream.key_id, stream.account_id, stream.region), told


@replaces(KinesisResponse, "create_stream", rests=MODEL)
def create_stream(response: Any, original: Any) -> Any:
    """Keep the tags that a stream is created with. AWS does, moto forgets them."""
    answer, name = original(response), response._get_param("StreamName")
    response.kinesis_backend.streams[name].tags.update(response._get_param("Tags") or {})
    return answer


def reshard(stream: Stream, original: Any, *args: Any) -> None:
    """Leave records in their shards, and take new ones into the open ones. AWS does, moto moves them."""
    before = {identifier: shard.records for identifier, shard in stream.shards.items()}
    for identifier in before:
        stream.shards[identifier].records = OrderedDict()
    original(stream, *args)
    for identifier, records in before.items():
        shard = stream.shards.pop(identifier)  # so that moto finds the shards that are open first
        shard.records = records
        stream.shards[identifier] = shard


RESHARDING = doc("streams/latest/dev/kinesis-using-sdk-java-after-resharding.html")
for way in "split_shard", "merge_shards":
    replaces(Stream, way, rests=RESHARDING)(reshard)

"""S3: what it checks, the policies of buckets, and what it tells EventBridge."""

import time
import uuid
from typing import Any

from moto.s3.models import s3_backends

from emulator.calls import AwsError, Call, claims, doc
from emulator.events import emit
from emulator.judge.checks import RENAMED, Asked, derived, reads
from emulator.judge.policies import UnknownError, parse
from emulator.judge.verdict import Guarded, guards
from emulator.kms import key_arn

RENAMED.update(
    {
        ("s3", "CompleteMultipartUpload"): "PutObject",
        ("s3", "CopyObject"): "PutObject",
        ("s3", "CreateMultipartUpload"): "PutObject",
        ("s3", "DeleteBucketEncryption"): "PutEncryptionConfiguration",
        ("s3", "DeleteBucketLifecycle"): "PutLifecycleConfiguration",
        ("s3", "DeletePublicAccessBlock"): "PutBucketPublicAccessBlock",
        ("s3", "HeadBucket"): "ListBucket",
        ("s3", "HeadObject"): "GetObject",
        ("s3", "ListBuckets"): "ListAllMyBuckets",
        ("s3", "ListObjectsV2"): "ListBucket",
        ("s3", "ListObjectVersions"): "ListBucketVersions",
        ("s3", "UploadPart"): "PutObject",
        **{
            ("s3", f"{verb}{operation}"): f"{verb}{action}"
            for verb in ("Get", "Put")
            for operation, action in (
                ("BucketAccelerateConfiguration", "AccelerateConfiguration"),
                ("BucketCors", "BucketCORS"),
                ("BucketEncryption", "EncryptionConfiguration"),
                ("BucketLifecycleConfiguration", "LifecycleConfiguration"),
                ("BucketNotificationConfiguration", "BucketNotification"),
                ("BucketReplication", "ReplicationConfiguration"),
                ("ObjectLockConfiguration", "BucketObjectLockConfiguration"),
                ("PublicAccessBlock", "BucketPublicAccessBlock"),
            )
        },
    }
)
OF_OBJECTS = (
    *("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload"),
    *("CopyObject", "DeleteObject", "GetObject", "HeadObject", "PutObject"),
)
PUTS = ("PutObject", "CopyObject", "CompleteMultipartUpload")  # what makes an object


@reads("s3", rests=doc("AmazonS3/latest/userguide/using-with-s3-policy-actions.html"))
def asked(call: Call, action: str) -> Asked:
    """Yield what S3 checks."""
    said = call.parameters
    bucket = f"arn:aws:s3:::{said.get('Bucket')}"
    if "Bucket" not in said:
        yield from derived(call, action)
    elif call.operation == "DeleteObjects":
        for each in said["Delete"]["Objects"]:
            version = "Version" if each.get("VersionId") else ""
            yield f"s3:DeleteObject{version}", f"{bucket}/{each['Key']}", {}
    elif "Key" in said:
        yield from objects(call, action)
    else:
        yield action, bucket, {}


def objects(call: Call, action: str) -> Asked:
    """Yield what S3 checks for an object; one that is encrypted by a key of KMS needs that key too."""
    said, bucket, key = call.parameters, call.parameters["Bucket"], call.parameters["Key"]
    if call.operation not in OF_OBJECTS:
        raise UnknownError(f"the judge does not know s3:{call.operation}")
    if call.operation == "CopyObject":
        source, _, of_source = str(said["CopySource"]).lstrip("/").partition("?versionId=")
        yield f"s3:GetObject{'Version' if of_source else ''}", f"arn:aws:s3:::{source}", {}
        from_bucket, _, from_key = source.partition("/")
        yield from to_decrypt(from_bucket, from_key, call.region, of_source or None)
    reads, version = call.operation in ("GetObject", "HeadObject"), said.get("VersionId")
    named = "Version" if version and (reads or call.operation == "DeleteObject") else ""
    told = told_of_creation(call) if action == "s3:PutObject" else {}
    yield action + named, f"arn:aws:s3:::{bucket}/{key}", told
    _, where = s3_backends.bucket_accounts.get(bucket, ("", ""))
    if not where:
        return
    if reads and s3_backends[where]["aws"].get_object(bucket, key, version) is None:
        # Only who may list a bucket is told that an object is not there.
        yield "s3:ListBucket", f"arn:aws:s3:::{bucket}", {}
    if call.operation == "GetObject":
        yield from to_decrypt(bucket, key, call.region, version)
    elif action == "s3:PutObject":
        yield from to_encrypt(call, where)


@claims(
    "a bucket's policy can ask for conditional writes",
    doc("AmazonS3/latest/userguide/conditional-writes-enforce.html"),
)
def told_of_creation(call: Call) -> dict[str, str]:
    """Return the condition key that tells what makes an object from what only prepares one."""
    if call.operation == "CopyObject" and {"IfMatch", "IfNoneMatch"} & call.parameters.keys():
        message = "A header you provided implies functionality that is not implemented"
        raise AwsError("NotImplemented", message, 501)
    return {"s3:objectcreationoperation": "true" if call.operation in PUTS else "false"}


def to_encrypt(call: Call, where: str) -> Asked:
    """Yield what is checked of the key by which an object is stored in an account's bucket."""
    said, own = call.parameters, call.parameters.get("SSEKMSKeyId")
    if said.get("ServerSideEncryption") == "aws:kms" and not own and where != call.account:
        message = "aws:kms without a key means the AWS managed key, which no other account may use"
        raise AwsError("AccessDenied", message, 403)
    bucket = s3_backends[where]["aws"].buckets[said["Bucket"]]
    if wanted := own or (None if said.get("ServerSideEncryption") else default_key(bucket)):
        key = key_arn(wanted, where, call.region)
        via = {"kms:viaservice": f"s3.{call.region}.amazonaws.com"}
        yield "kms:GenerateDataKey", key, via
        if "Upload" in call.operation or "Part" in call.operation:  # parts are read again when put together
            yield "kms:Decrypt", key, via


def to_decrypt(bucket: str, key: str, region: str, version: str | None = None) -> Asked:
    """Yield what is checked of an object's key by whoever reads the object."""
    _, where = s3_backends.bucket_accounts.get(bucket, ("", ""))
    stored = s3_backends[where]["aws"].get_object(bucket, key, version) if where else None
    if stored is not None and stored.encryption == "aws:kms" and stored.kms_key_id:
        via = {"kms:viaservice": f"s3.{region}.amazonaws.com"}
        yield "kms:Decrypt", key_arn(stored.kms_key_id, where, region), via


def default_key(bucket: Any) -> str | None:
    """Return the key by which a bucket encrypts, if it is one of KMS."""
    rules = (bucket.encryption or {}).get("Rule", {})
    default = (rules[0] if isinstance(rules, list) else rules).get("ApplyServerSideEncryptionByDefault", {})
    found: str | None = default.get("KMSMasterKeyID")
    return found


@guards("s3", rests=doc("AmazonS3/latest/userguide/access-policy-language-overview.html"))
def bucket_policy(region: str, resource: str) -> Guarded:
    """Return the policy of a bucket."""
    bucket = resource.split(":", 5)[5].split("/", maxsplit=1)[0]
    _, account = s3_backends.bucket_accounts.get(bucket, ("", ""))
    stored = s3_backends[account]["aws"].buckets.get(bucket) if account else None
    return parse(stored.policy) if stored and stored.policy else None, account, False


@claims("s3 tells EventBridge of what is put", doc("AmazonS3/latest/userguide/ev-events.html"))
def tell_of_put(call: Call) -> None:
    """Tell EventBridge of an object that a call has put, where the bucket is set to."""
    if call.service == "s3" and call.operation in PUTS:
        name, key = call.parameters["Bucket"], call.parameters["Key"]
        _, account = s3_backends.bucket_accounts[name]
        bucket = s3_backends[account]["aws"].get_bucket(name)
        put = s3_backends[account]["aws"].get_object(name, key)
        if (
            put
            and bucket.notification_configuration
            and bucket.notification_configuration.event_bridge is not None
        ):
            facts = {"key": key, "size": put.size, "etag": put.etag.strip('"')}
            if bucket.is_versioned:
                facts["version-id"] = put.version_id
            detail = {
                "bucket": {"name": name},
                "object": facts | {"sequencer": f"{time.time_ns():018X}"},
                "request-id": uuid.uuid4().hex[:16].upper(),
                "requester": call.account,
                "source-ip-address": "127.0.0.1",
                "reason": call.operation,
            }
            told: dict[str, Any] = {"version": "0", **detail}
            emit(account, bucket.region_name, "aws.s3", "Object Created", told, f"arn:aws:s3:::{name}")

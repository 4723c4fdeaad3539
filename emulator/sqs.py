"""SQS: what it checks, queues as AWS keeps them, and their policies."""

import json
from typing import Any

from moto.sqs.models import Queue, sqs_backends

from emulator import calls
from emulator.calls import Call, claims, doc, guess
from emulator.judge.checks import RENAMED, Asked, derived, reads
from emulator.judge.policies import parse
from emulator.judge.verdict import Guarded, guards
from emulator.kms import key_arn
from emulator.mends import replaces

RENAMED.update(
    {
        ("sqs", f"{operation}Batch"): operation
        for operation in ("ChangeMessageVisibility", "DeleteMessage", "SendMessage")
    }
)


@reads(
    "sqs", rests=doc("AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-using-identity-based-policies.html")
)
def asked(call: Call, action: str) -> Asked:
    """Yield what SQS checks; an encrypted queue needs its key too."""
    said = call.parameters
    for found in derived(call, action):
        yield found
        if call.operation == "CreateQueue" and said.get("tags"):
            yield "sqs:TagQueue", found[1], {}
    queue = sqs_backends[call.account][call.region].queues.get(said.get("QueueUrl", "").rpartition("/")[2])
    if queue and action == "sqs:SendMessage":
        yield from to_decrypt(queue, "kms:GenerateDataKey", "kms:Decrypt")
    if queue and action == "sqs:ReceiveMessage":
        yield from to_decrypt(queue)


def to_decrypt(queue: Any, *actions: str) -> Asked:
    """Yield what is checked of a queue's key; actions: another than decrypting."""
    if queue.kms_master_key_id:
        told = told_of_queue(queue) | {"kms:viaservice": f"sqs.{queue.region}.amazonaws.com"}
        key = key_arn(queue.kms_master_key_id, queue.account_id, queue.region)
        yield from ((action, key, told) for action in actions or ("kms:Decrypt",))


@claims("a queue's key is used for the queue", guess("send to a queue whose key's policy asks for its ARN"))
def told_of_queue(queue: Any) -> dict[str, str | None]:
    """Return the condition keys of the encryption context under which a queue's key is used."""
    return {"kms:encryptioncontext:aws:sqs:arn": queue.queue_arn, "kms:encryptioncontext:*": None}


@claims(
    "services send messages by themselves",
    doc("AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-least-privilege-policy.html"),
)
def send(  # noqa: PLR0913
    service: str,
    queue: str,
    body: str,
    attributes: dict[str, str] | None = None,
    *,
    source: str = "",
    role: str = "",
) -> str | None:
    """Send what a service of AWS sends by itself; return why it may not, or None if it may.

    service: its principal; source and role: as Front.act has them. To KMS nothing is told of the source.
    """
    region, account, name = queue.split(":")[3:6]
    there = sqs_backends[account][region]
    if name not in there.queues:
        return f"The specified queue {queue} does not exist"
    unknown = {} if role else {"aws:sourcearn": None, "aws:sourceaccount": None, "kms:viaservice": None}
    keys = to_decrypt(there.queues[name], "kms:GenerateDataKey", "kms:Decrypt")
    sends = [("sqs:SendMessage", queue), *((action, key, told | unknown) for action, key, told in keys)]
    why = calls.act(service, account, region, sends, source=source, role=role)
    if why is None:
        given = {n: {"DataType": "String", "StringValue": text} for n, text in (attributes or {}).items()}
        there.send_message(name, body, message_attributes=given)
    return why


@replaces(
    Queue,
    "_set_attributes",
    rests=doc("AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"),
)
def set_attributes(queue: Any, original: Any, attributes: dict[str, Any], *args: Any) -> None:
    """Keep a queue's policy as other attributes are set. AWS does, moto deletes it."""
    original(queue, {"Policy": getattr(queue, "policy", None)} | attributes, *args)


known = Queue.attributes.fget  # type: ignore[attr-defined]


@claims(
    "a queue tells its redrive policies as they were given",
    doc("AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html"),
)
def attributes(queue: Any) -> dict[str, Any]:
    """Return a queue's attributes, its redrive policy as it was given. AWS does, moto adds spaces."""
    found: dict[str, Any] = known(queue)
    if queue.redrive_policy:
        found["RedrivePolicy"] = json.dumps(queue.redrive_policy, separators=(",", ":"))
    return found


Queue.attributes = property(attributes)  # type: ignore[method-assign, assignment]
# Which AWS tells, and moto keeps to itself.
Queue.BASE_ATTRIBUTES.append("RedriveAllowPolicy")
Queue.redrive_allow_policy = None  # type: ignore[attr-defined]


@guards(
    "sqs", rests=doc("AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-using-identity-based-policies.html")
)
def queue_policy(region: str, resource: str) -> Guarded:
    """Return the policy of a queue."""
    account, name = resource.split(":", 5)[4:]
    queue = sqs_backends[account][region].queues.get(name)
    return parse(queue.policy) if queue and queue.policy else None, account, False

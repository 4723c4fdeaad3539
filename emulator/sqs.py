"""SQS: the policies of queues."""

from typing import Any

from moto.sqs.models import Queue, sqs_backends

from emulator.calls import doc
from emulator.judge.policies import parse
from emulator.judge.verdict import Guarded, guards
from emulator.mends import replaces


@replaces(
    Queue,
    "_set_attributes",
    rests=doc("AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"),
)
def set_attributes(queue: Any, original: Any, attributes: dict[str, Any], *args: Any) -> None:
    """Keep a queue's policy as other attributes are set. AWS does, moto deletes it."""
    original(queue, {"Policy": getattr(queue, "policy", None)} | attributes, *args)


@guards(
    "sqs", rests=doc("AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-using-identity-based-policies.html")
)
def queue_policy(region: str, resource: str) -> Guarded:
    """Return the policy of a queue."""
    account, name = resource.split(":", 5)[4:]
    queue = sqs_backends[account][region].queues.get(name)
    return parse(queue.policy) if queue and queue.policy else None, account, False

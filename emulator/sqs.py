"""SQS: the policies of queues."""

from moto.sqs.models import sqs_backends

from emulator.calls import doc
from emulator.judge.policies import parse
from emulator.judge.verdict import Guarded, guards


@guards(
    "sqs", rests=doc("AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-using-identity-based-policies.html")
)
def queue_policy(region: str, resource: str) -> Guarded:
    """Return the policy of a queue."""
    account, name = resource.split(":", 5)[4:]
    queue = sqs_backends[account][region].queues.get(name)
    return parse(queue.policy) if queue and queue.policy else None, account, False

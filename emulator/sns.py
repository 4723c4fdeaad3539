"""SNS: what it checks, the policies of topics, and what services of AWS publish by themselves."""

from typing import Any

from moto.events.models import Rule
from moto.sns.models import SNSBackend, sns_backends

from emulator import calls
from emulator.calls import NOTHING, Call, claims, command, doc, to
from emulator.judge.checks import Asked, derived, reads
from emulator.judge.policies import parse
from emulator.judge.verdict import Guarded, guards
from emulator.kms import key_arn
from emulator.mends import replaces


@reads("sns", rests=doc("service-authorization/latest/reference/list_amazonsns.html"))
def asked(call: Call, action: str) -> Asked:
    """Yield what SNS checks: of a subscription, its topic; an encrypted topic needs its key too."""
    if subscription := call.parameters.get("SubscriptionArn"):
        yield action, subscription.rpartition(":")[0], {}
        return
    yield from derived(call, action)
    if call.operation == "Publish":
        yield from to_publish(call.parameters["TopicArn"])


def to_publish(topic: str) -> Asked:
    """Yield what is checked of a topic's key by whoever publishes to it."""
    region, account = topic.split(":")[3:5]
    found = sns_backends[account][region].topics.get(topic)
    if found and found.kms_master_key_id:
        key = key_arn(found.kms_master_key_id, account, region)
        told = told_of_topic(topic) | {"kms:viaservice": f"sns.{region}.amazonaws.com"}
        yield "kms:GenerateDataKey", key, told
        yield "kms:Decrypt", key, told


@claims("a topic's key is used for the topic", doc("sns/latest/dg/sns-enable-encryption-for-topic.html"))
def told_of_topic(topic: str) -> dict[str, str | None]:
    """Return the condition keys of the encryption context under which a topic's key is used."""
    return {"kms:encryptioncontext:aws:sns:topicarn": topic, "kms:encryptioncontext:*": None}


@claims("services publish by themselves", doc("sns/latest/dg/sns-access-policy-use-cases.html"))
def publish(  # noqa: PLR0913
    service: str, account: str, region: str, topic: str, message: str, *, source: str = ""
) -> str | None:
    """Publish what a service of AWS sends by itself; return why it may not, or None if it may.

    source: the ARN of that for which it does.
    """
    keys = [(action, key, told_of_topic(topic)) for action, key, _ in to_publish(topic)]
    publishes = [("sns:Publish", topic), *keys]
    why = calls.act(service, account, region, publishes, source=source)
    if why is None:
        sns_backends[account][region].publish(message, topic)
    return why


@to("sns", rests=doc("eventbridge/latest/userguide/eb-use-resource-based.html"))
def publish_event(account: str, region: str, target: dict[str, Any], rule: Rule, message: str) -> str | None:
    """Publish to the topic that is a rule's target."""
    return publish("events.amazonaws.com", account, region, target["Arn"], message)


@replaces(SNSBackend, "subscribe", rests=doc("sns/latest/api/API_Subscribe.html"))
def subscribe(backend: SNSBackend, original: Any, topic_arn: str, endpoint: str, protocol: str) -> Any:
    """Count subscriptions, and apart those that their owner must confirm. AWS does, moto does not."""
    known = len(backend.subscriptions)
    subscription = original(backend, topic_arn, endpoint, protocol)
    if len(backend.subscriptions) > known:
        if protocol in ("email", "email-json", "http", "https"):
            subscription.topic.subscriptions_pending += 1
        else:
            subscription.topic.subscriptions_confimed += 1  # as moto spells it
    return subscription


@guards("sns", rests=doc("sns/latest/dg/sns-access-policy-use-cases.html"))
def topic_policy(region: str, resource: str) -> Guarded:
    """Return the policy of a topic."""
    account = resource.split(":")[4]
    topic = sns_backends[account][region].topics.get(resource)
    return parse(topic.policy) if topic and topic.policy else None, account, False


@command
@claims("the command published", NOTHING)
def published(account: str) -> list[str]:
    """Return what the topics of an account have been sent."""
    topics = [topic for backend in sns_backends[account].values() for topic in backend.topics.values()]
    return [message for topic in topics for _, message, *_ in topic.sent_notifications]

"""Notifications: what SNS hands over to functions, how often it tries, and what becomes of what it cannot."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from moto.sns.models import Subscription

from emulator import calls, cloudwatch, sqs
from emulator.calls import PACE, claims, doc, guess
from emulator.mends import replaces

SNS = "sns.amazonaws.com"
# What says that it is no use to try again: that SNS may not, or that what it invokes is not there.
FOR_GOOD = {"AccessDeniedException", "ResourceNotFoundException"}


@replaces(Subscription, "publish", rests=doc("sns/latest/dg/sns-lambda-as-subscriber.html"))
def publish(subscription: Subscription, original: Any, message: str, message_id: str, **said: Any) -> None:
    """Hand a notification over to Lambda. AWS does, moto runs the function itself, by docker."""
    if subscription.protocol != "lambda":
        original(subscription, message, message_id, **said)
        return
    attributes, matcher = said.get("message_attributes") or {}, subscription._filter_policy_matcher
    if matcher and not matcher.matches(attributes, message):
        return
    if said.get("message_structure") == "json":
        message = subscription._parse_message_structure(message, "lambda")
    record = record_of(subscription, message, message_id, said.get("subject"), attributes)
    threading.Thread(target=hand_over, args=(subscription, record), daemon=True).start()


@claims("sns's event for lambda", doc("lambda/latest/dg/with-sns.html"))
def record_of(
    subscription: Subscription, message: str, message_id: str, subject: str | None, attributes: dict[str, Any]
) -> dict[str, Any]:
    """Return a notification as a function gets it, unsigned. Its addresses are spelled with Url, not URL."""
    host = f"https://sns.{subscription.topic.arn.split(':')[3]}.amazonaws.com/"
    return {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "Sns": {
            "Type": "Notification",
            "MessageId": message_id,
            "TopicArn": subscription.topic.arn,
            "Subject": subject,
            "Message": message,
            "Timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
            "SignatureVersion": "1",
            "Signature": "EMULATED",
            "SigningCertUrl": f"{host}SimpleNotificationService-0000.pem",
            "UnsubscribeUrl": f"{host}?Action=Unsubscribe&SubscriptionArn={subscription.arn}",
            "MessageAttributes": {
                name: {"Type": each["Type"], "Value": each["Value"]} for name, each in attributes.items()
            },
        },
    }


@claims("sns tries again", doc("sns/latest/dg/sns-message-delivery-retries.html"))
def waits() -> Iterator[float]:
    """Yield how many seconds SNS waits before each time that it tries again."""
    yield from (0, 0, 0, 1, 1)
    yield from (min(2.0**count, 20) for count in range(10))
    yield from (20 for _ in range(100_000))


@claims("sns tries again only what may succeed", doc("sns/latest/dg/sns-dead-letter-queues.html"))
def hand_over(subscription: Subscription, record: dict[str, Any]) -> None:
    """Have Lambda take a notification; what it does not goes to the subscription's dead-letter queue."""
    topic = subscription.topic.arn
    for wait in chain([0.0], waits()):
        time.sleep(wait / 60 * PACE["minute"])
        refusal = calls.invoke(SNS, subscription.endpoint, {"Records": [record]}, source=topic)
        if refusal is None:
            return
        if refusal.code in FOR_GOOD:
            break
    keep(subscription, record["Sns"])


@claims("sns keeps a notification as it was", guess("look at what SNS puts into a dead-letter queue"))
def keep(subscription: Subscription, notification: dict[str, Any]) -> None:
    """Put a notification into the subscription's dead-letter queue; without one it is lost."""
    queue = json.loads(subscription.attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
    topic = subscription.topic
    if queue and sqs.send(SNS, queue, json.dumps(notification), source=topic.arn):
        region, account = topic.arn.split(":")[3:5]
        metric = "NumberOfNotificationsFailedToRedriveToDlq"
        cloudwatch.count(account, region, "AWS/SNS", metric, {"TopicName": topic.name})

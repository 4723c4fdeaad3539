"""What Lambda calls: takes a notification; what it raises has Lambda try again, and keep it in the end."""

import json
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from .greeting import GREETINGS, Request, greet
from .observability import logger, metrics


class BadMessageError(ValueError):
    """A message that cannot be handled, however often it comes; the text names the field at fault."""


def parse(text: str) -> Request:
    """Return the request in a message, such as {"name": "Ada", "language": "en"}; raise BadMessageError."""
    try:
        message = json.loads(text)
    except (RecursionError, ValueError):
        raise BadMessageError("message: must be JSON") from None
    if not isinstance(message, dict):
        raise BadMessageError("message: must be an object")
    name, language = message.get("name"), message.get("language", Request.language)
    if not isinstance(name, str) or not name.strip():
        raise BadMessageError("name: must be a text that is not empty")
    if language not in list(GREETINGS):
        raise BadMessageError(f"language: must be one of {', '.join(GREETINGS)}")
    return Request(name, language)


def take(notification: dict[str, Any]) -> None:
    """Handle a notification."""
    request = parse(notification["Message"])
    greet(request)
    metrics.add_metric(name="Greetings", unit=MetricUnit.Count, value=1)
    logger.info("greeted", message_id=notification["MessageId"], language=request.language)


@logger.inject_lambda_context
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> None:
    """Handle an event, which has one notification."""
    for record in event["Records"]:
        try:
            take(record["Sns"])
        except Exception:
            metrics.add_metric(name="FailedEvents", unit=MetricUnit.Count, value=1)
            logger.exception("failed", message_id=record["Sns"]["MessageId"])
            raise

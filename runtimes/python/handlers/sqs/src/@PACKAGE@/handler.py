"""What Lambda calls: takes the messages of a batch one by one, and says which have failed."""

import json
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from .greeting import GREETINGS, Request, greet
from .observability import logger, metrics


class BadMessageError(ValueError):
    """A message that cannot be handled, however often it comes; the text names the field at fault."""


class BatchFailedError(Exception):
    """No message of a batch was handled; the log tells of each."""


def parse(body: str) -> Request:
    """Return the request in a message, such as {"name": "Ada", "language": "en"}; raise BadMessageError."""
    try:
        message = json.loads(body)
    except (RecursionError, ValueError):
        raise BadMessageError("body: must be JSON") from None
    if not isinstance(message, dict):
        raise BadMessageError("body: must be an object")
    name, language = message.get("name"), message.get("language", Request.language)
    if not isinstance(name, str) or not name.strip():
        raise BadMessageError("name: must be a text that is not empty")
    if language not in list(GREETINGS):
        raise BadMessageError(f"language: must be one of {', '.join(GREETINGS)}")
    return Request(name, language)


def take(record: dict[str, Any]) -> None:
    """Handle a message; what is raised has it come again."""
    request = parse(record["body"])
    greet(request)
    metrics.add_metric(name="Greetings", unit=MetricUnit.Count, value=1)
    logger.info("greeted", message_id=record["messageId"], language=request.language)


@logger.inject_lambda_context
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Handle a batch; return the messages that failed, or raise BatchFailedError if all have."""
    failed = []
    for record in event["Records"]:
        try:
            take(record)
        except Exception:  # whatever it is, the other messages are not to come again for it
            logger.exception("failed", message_id=record["messageId"])
            failed.append({"itemIdentifier": record["messageId"]})
    if failed:
        metrics.add_metric(name="FailedMessages", unit=MetricUnit.Count, value=len(failed))
    if len(failed) == len(event["Records"]):
        raise BatchFailedError(f"none of {len(failed)} was handled")  # so that the function's alarms see it
    return {"batchItemFailures": failed}

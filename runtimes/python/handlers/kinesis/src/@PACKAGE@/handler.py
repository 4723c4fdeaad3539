"""What Lambda calls: takes the records of a stream one by one, in their order, and says which has failed."""

import json
from base64 import b64decode
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from .greeting import GREETINGS, Request, greet
from .observability import logger, metrics


class BadRecordError(ValueError):
    """A record that cannot be handled, however often it comes; the text names the field at fault."""


def parse(data: str) -> Request:
    """Return the request in a record's data, base64 of {"name": "Ada"} and the like; raise BadRecordError."""
    try:
        message = json.loads(b64decode(data))
    except (RecursionError, ValueError):
        raise BadRecordError("data: must be JSON") from None
    if not isinstance(message, dict):
        raise BadRecordError("data: must be an object")
    name, language = message.get("name"), message.get("language", Request.language)
    if not isinstance(name, str) or not name.strip():
        raise BadRecordError("name: must be a text that is not empty")
    if language not in list(GREETINGS):
        raise BadRecordError(f"language: must be one of {', '.join(GREETINGS)}")
    return Request(name, language)


def take(record: dict[str, Any]) -> None:
    """Handle a record; what is raised has it come again, with all behind it."""
    request = parse(record["kinesis"]["data"])
    greet(request)
    metrics.add_metric(name="Greetings", unit=MetricUnit.Count, value=1)
    logger.info("greeted", event_id=record["eventID"], language=request.language)


@logger.inject_lambda_context
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Handle a batch up to the first record that fails; return that, or raise if it is the very first."""
    for record in event["Records"]:
        try:
            take(record)
        except Exception:
            logger.exception("failed", event_id=record["eventID"])
            metrics.add_metric(name="FailedRecords", unit=MetricUnit.Count, value=1)
            if record is event["Records"][0]:
                raise  # so that the function's alarms see it
            return {"batchItemFailures": [{"itemIdentifier": record["kinesis"]["sequenceNumber"]}]}
    return {"batchItemFailures": []}

"""What Lambda calls: does what is due; what it raises has Lambda try again, and keep the event in the end."""

from datetime import datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from .greeting import GREETINGS, Request, greet
from .observability import logger, metrics


class BadEventError(ValueError):
    """An event that cannot be handled, however often it comes; the text names the field at fault."""


def parse(event: dict[str, Any]) -> tuple[Request, datetime]:
    """Return the request in an event, and the time that it was scheduled for; raise BadEventError."""
    name, language = event.get("name"), event.get("language", Request.language)
    if not isinstance(name, str) or not name.strip():
        raise BadEventError("name: must be a text that is not empty")
    if language not in list(GREETINGS):
        raise BadEventError(f"language: must be one of {', '.join(GREETINGS)}")
    try:
        return Request(name, language), datetime.fromisoformat(event["time"])
    except (KeyError, TypeError, ValueError):
        raise BadEventError("time: must be a time, such as 2030-01-31T06:00:00Z") from None


@logger.inject_lambda_context
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> None:
    """Handle an event. It may come again: what is done is done for its time, not for now."""
    try:
        request, time = parse(event)
        greet(request)
    except Exception:
        metrics.add_metric(name="FailedEvents", unit=MetricUnit.Count, value=1)
        logger.exception("failed", schedule=event.get("schedule"))
        raise
    metrics.add_metric(name="Greetings", unit=MetricUnit.Count, value=1)
    logger.info("greeted", schedule=event.get("schedule"), scheduled_time=time.isoformat())

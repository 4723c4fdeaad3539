"""What Lambda calls: parses the event, calls the logic, answers."""

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from .greeting import GREETINGS, Request, greet
from .observability import logger, metrics


class BadEventError(ValueError):
    """An event that cannot be answered; the message names the field at fault."""


def parse(event: Any) -> Request:
    """Return the request in an event, such as {"name": "Ada", "language": "en"}; raise BadEventError."""
    if not isinstance(event, dict):
        raise BadEventError("event: must be an object")
    name, language = event.get("name"), event.get("language", Request.language)
    if not isinstance(name, str) or not name.strip():
        raise BadEventError("name: must be a text that is not empty")
    if language not in list(GREETINGS):
        raise BadEventError(f"language: must be one of {', '.join(GREETINGS)}")
    return Request(name, language)


@logger.inject_lambda_context
@metrics.log_metrics
def handle(event: Any, context: LambdaContext) -> dict[str, str]:
    """Answer an event with {"message": GREETING}, or raise BadEventError."""
    try:
        request = parse(event)
    except BadEventError:
        metrics.add_metric(name="BadEvents", unit=MetricUnit.Count, value=1)
        raise
    message = greet(request)
    metrics.add_metric(name="Greetings", unit=MetricUnit.Count, value=1)
    logger.info("greeted", language=request.language)
    return {"message": message}

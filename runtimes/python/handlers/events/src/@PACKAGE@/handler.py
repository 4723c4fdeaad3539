"""What Lambda calls: takes an event of EventBridge; if it raises, Lambda tries again, then keeps it."""

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from .greeting import GREETINGS, Request, greet
from .observability import logger, metrics


class BadEventError(ValueError):
    """An event that cannot be handled, however often it comes; the text names the field at fault."""


def parse(detail: Any) -> Request:
    """Return the request in a detail, such as {"name": "Ada", "language": "en"}; raise BadEventError."""
    if not isinstance(detail, dict):
        raise BadEventError("detail: must be an object")
    name, language = detail.get("name"), detail.get("language", Request.language)
    if not isinstance(name, str) or not name.strip():
        raise BadEventError("name: must be a text that is not empty")
    if language not in list(GREETINGS):
        raise BadEventError(f"language: must be one of {', '.join(GREETINGS)}")
    return Request(name, language)


def take(event: dict[str, Any]) -> None:
    """Handle an event."""
    request = parse(event["detail"])
    greet(request)
    metrics.add_metric(name="Greetings", unit=MetricUnit.Count, value=1)
    logger.info("greeted", event_id=event["id"], language=request.language)


@logger.inject_lambda_context
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> None:
    """Handle an event, or say which has failed and raise."""
    try:
        take(event)
    except Exception:
        metrics.add_metric(name="FailedEvents", unit=MetricUnit.Count, value=1)
        logger.exception("failed", event_id=event["id"])
        raise

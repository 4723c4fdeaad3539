"""What Lambda calls: takes the changes of a table one by one, in their order, and says which has failed."""

from base64 import b64decode
from decimal import Decimal
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from .greeting import GREETINGS, Request, greet
from .observability import logger, metrics


class BadItemError(ValueError):
    """An item that cannot be handled, however often it comes; the text names the attribute at fault."""


def plain(value: dict[str, Any]) -> Any:
    """Return a value as Python has it, which DynamoDB writes with its type, such as {"S": "Ada"}."""
    ((kind, content),) = value.items()
    match kind:
        case "M":
            content = {name: plain(each) for name, each in content.items()}
        case "L":
            content = [plain(each) for each in content]
        case "SS" | "NS" | "BS":
            content = {plain({kind[0]: each}) for each in content}
        case "N":
            content = Decimal(content)
        case "B":
            content = b64decode(content)
        case "NULL":
            content = None
    return content  # a text or a truth value as it is


def parse(image: dict[str, Any]) -> Request:
    """Return the request in an item, such as {"name": {"S": "Ada"}}; raise BadItemError."""
    item = {attribute: plain(value) for attribute, value in image.items()}
    name, language = item.get("name"), item.get("language", Request.language)
    if not isinstance(name, str) or not name.strip():
        raise BadItemError("name: must be a text that is not empty")
    if language not in list(GREETINGS):
        raise BadItemError(f"language: must be one of {', '.join(GREETINGS)}")
    return Request(name, language)


def take(record: dict[str, Any]) -> None:
    """Handle a change; what is raised has it come again, with all behind it."""
    if record["eventName"] == "REMOVE":  # there is nobody to greet any more
        metrics.add_metric(name="Removals", unit=MetricUnit.Count, value=1)
        return
    request = parse(record["dynamodb"]["NewImage"])
    greet(request)
    metrics.add_metric(name="Greetings", unit=MetricUnit.Count, value=1)
    keys = record["dynamodb"]["Keys"]
    logger.info("greeted", event_id=record["eventID"], keys=keys, language=request.language)


@logger.inject_lambda_context
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Handle a batch up to the first record that fails; return that, or raise if it is the very first."""
    for record in event["Records"]:
        try:
            take(record)
        except Exception:
            logger.exception("failed", event_id=record["eventID"], keys=record["dynamodb"]["Keys"])
            metrics.add_metric(name="FailedRecords", unit=MetricUnit.Count, value=1)
            if record is event["Records"][0]:
                raise  # so that the function's alarms see it
            return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
    return {"batchItemFailures": []}

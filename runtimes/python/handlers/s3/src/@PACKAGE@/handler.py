"""What Lambda calls: reads an object of a bucket; if it raises, Lambda tries again, then keeps the event."""

import functools
import importlib
import json
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from .greeting import GREETINGS, Request, greet
from .observability import logger, metrics


class BadObjectError(ValueError):
    """An object that cannot be handled, however often it is read; the text names the field at fault."""


@functools.cache
def s3() -> Any:
    """Return a client of S3. The SDK is Lambda's own, and is loaded once there is something to read."""
    return importlib.import_module("boto3").client("s3")


def read(bucket: str, found: dict[str, Any]) -> bytes:
    """Return what an object of a bucket holds, in the version that was found if the bucket keeps versions."""
    version = {"VersionId": found["version-id"]} if "version-id" in found else {}
    content: bytes = s3().get_object(Bucket=bucket, Key=found["key"], **version)["Body"].read()
    return content


def parse(content: bytes) -> Request:
    """Return the request in an object, such as {"name": "Ada", "language": "en"}; raise BadObjectError."""
    try:
        said = json.loads(content)
    except (RecursionError, ValueError):
        raise BadObjectError("content: must be JSON") from None
    if not isinstance(said, dict):
        raise BadObjectError("content: must be an object")
    name, language = said.get("name"), said.get("language", Request.language)
    if not isinstance(name, str) or not name.strip():
        raise BadObjectError("name: must be a text that is not empty")
    if language not in list(GREETINGS):
        raise BadObjectError(f"language: must be one of {', '.join(GREETINGS)}")
    return Request(name, language)


def take(detail: dict[str, Any]) -> None:
    """Handle an object that has been put; one without content is what S3's console makes as a folder."""
    found = detail["object"]
    if not found["size"]:
        metrics.add_metric(name="EmptyObjects", unit=MetricUnit.Count, value=1)
        logger.info("empty", key=found["key"])
        return
    request = parse(read(detail["bucket"]["name"], found))
    greet(request)
    metrics.add_metric(name="Greetings", unit=MetricUnit.Count, value=1)
    logger.info("greeted", key=found["key"], version=found.get("version-id"), language=request.language)


@logger.inject_lambda_context
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> None:
    """Handle an event of EventBridge, or say which object has failed and raise."""
    try:
        take(event["detail"])
    except Exception:
        metrics.add_metric(name="FailedEvents", unit=MetricUnit.Count, value=1)
        found = event["detail"]["object"]
        logger.exception("failed", key=found["key"], version=found.get("version-id"))
        raise

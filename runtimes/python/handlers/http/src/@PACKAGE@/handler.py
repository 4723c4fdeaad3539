"""What Lambda calls: parses the request, calls the logic, answers.

A client's mistake is answered 4xx. What is raised is ours: API Gateway answers 500, and alarms see it.
"""

import json
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from .greeting import GREETINGS, Request, greet
from .observability import logger, metrics


class BadRequestError(ValueError):
    """A request that cannot be answered: by which status, and in words what is at fault."""

    def __init__(self, status: int, message: str) -> None:
        """Make an error to raise."""
        super().__init__(message)
        self.status = status


def parse(event: dict[str, Any]) -> Request:
    """Return what GET /greeting?name=Ada&language=en asks for; raise BadRequestError."""
    if (event["requestContext"]["http"]["method"], event["rawPath"]) != ("GET", "/greeting"):
        raise BadRequestError(404, "there is only GET /greeting")
    query: dict[str, str] = event.get("queryStringParameters", {})
    name, language = query.get("name", ""), query.get("language", Request.language)
    if not name.strip():
        raise BadRequestError(400, "name: must be a text that is not empty")
    if language not in GREETINGS:
        raise BadRequestError(400, f"language: must be one of {', '.join(GREETINGS)}")
    return Request(name, language)


def answer(status: int, message: str) -> dict[str, Any]:
    """Return an answer as API Gateway wants it."""
    headers = {"content-type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": json.dumps({"message": message})}


@logger.inject_lambda_context
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request with {"message": GREETING}, or with what is wrong with it."""
    metrics.add_metric(name="Requests", unit=MetricUnit.Count, value=1)
    try:
        request = parse(event)
    except BadRequestError as error:
        metrics.add_metric(name="BadRequests", unit=MetricUnit.Count, value=1)
        return answer(error.status, str(error))
    message = greet(request)
    metrics.add_metric(name="Greetings", unit=MetricUnit.Count, value=1)
    logger.info("greeted", language=request.language)
    return answer(200, message)

"""What Lambda calls: finds out what a request asks for, calls the logic, answers.

A client's mistake is answered 4xx. What is raised is ours: API Gateway answers 500, and the function's alarms see it.
"""

import json
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from .greeting import GREETINGS, Request, greet
from .observability import logger, metrics


class BadRequestError(ValueError):
    """A request that cannot be answered; the text names the parameter at fault."""


def parse(query: dict[str, str]) -> Request:
    """Return the request in a query, such as {"name": "Ada", "language": "en"}; raise BadRequestError."""
    name, language = query.get("name", ""), query.get("language", Request.language)
    if not name.strip():
        raise BadRequestError("name: must be a text that is not empty")
    if language not in GREETINGS:
        raise BadRequestError(f"language: must be one of {', '.join(GREETINGS)}")
    return Request(name, language)


def answer(status: int, body: dict[str, str]) -> dict[str, Any]:
    """Return an answer as API Gateway wants it."""
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}


def route(event: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a request; raise BadRequestError."""
    asked = event["requestContext"]["http"]["method"], event["rawPath"]
    if asked != ("GET", "/greeting"):
        return answer(404, {"message": "there is only GET /greeting"})
    request = parse(event.get("queryStringParameters", {}))
    message = greet(request)
    metrics.add_metric(name="Greetings", unit=MetricUnit.Count, value=1)
    logger.info("greeted", language=request.language)
    return answer(200, {"message": message})


@logger.inject_lambda_context
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request."""
    try:
        answered = route(event)
    except BadRequestError as error:
        answered = answer(400, {"message": str(error)})
    if answered["statusCode"] >= 400:
        metrics.add_metric(name="BadRequests", unit=MetricUnit.Count, value=1)
    return answered

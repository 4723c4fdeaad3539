import json
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from {{ cookiecutter.__package }}.handler import BadEventError, handle
from {{ cookiecutter.__package }}.observability import logger

EVENTS = Path(__file__).parents[1] / "events"


class Context(LambdaContext):
    _aws_request_id = "5c8f1d3e"
    _function_name = "tests"
    _invoked_function_arn = "arn:aws:lambda:us-east-1:222222222222:function:tests"
    _memory_limit_in_mb = 256


def logged(event: Any) -> list[dict[str, Any]]:
    """Return what an invocation writes to its log, line by line."""
    with (
        redirect_stdout(StringIO()) as log,
        patch.object(logger.registered_handler, "stream", log),
        suppress(BadEventError),
    ):
        handle(event, Context())
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_an_event_is_answered_with_a_greeting() -> None:
    event = json.loads((EVENTS / "greeting.json").read_text())

    assert handle(event, Context()) == {"message": "Hola, Ada!"}


@pytest.mark.parametrize("file", sorted(EVENTS.iterdir()), ids=lambda file: file.name)
def test_sample_events_are_answered(file: Path) -> None:
    assert handle(json.loads(file.read_text()), Context())["message"]


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (None, "event"),
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": 1}, "name"),
        ({"name": "Ada", "language": "tlh"}, "language"),
        ({"name": "Ada", "language": ["en"]}, "language"),
    ],
)
def test_a_bad_event_is_refused_by_the_field_at_fault(event: Any, field: str) -> None:
    with pytest.raises(BadEventError, match=f"^{field}: "):
        handle(event, Context())


def test_an_invocation_is_logged_in_one_line_and_counted_in_another() -> None:
    line, metrics = logged({"name": "Ada"})

    assert line["message"] == "greeted"
    assert line["function_request_id"] == "5c8f1d3e"
    assert line["service"] == metrics["service"] == "tests"
    assert metrics["Greetings"] == [1]
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "tests"


def test_a_bad_event_is_counted() -> None:
    assert [line["BadEvents"] for line in logged({})] == [[1]]


def test_names_are_not_logged() -> None:
    assert "Ada" not in str(logged({"name": "Ada"}))

"""What docs/costs.md says that a function has, held against what was made for one."""

import re
from collections import Counter
from typing import Any

import pytest

from tests.tools import costs
from tests.worlds import FACTS, Rehearsed

PAGE = costs.PAGE.read_text("utf-8")


@pytest.mark.parametrize(
    ("trigger", "fixture"), [("none", "rehearsed"), ("sqs", "queued"), ("schedule", "scheduled")]
)
def test_what_is_charged_while_nothing_happens_is_what_the_page_counts(
    trigger: str, fixture: str, request: Any
) -> None:
    made: Rehearsed = request.getfixturevalue(fixture)

    environments = made.result.facts["environments"]
    counted = costs.of_function(made.world, made.result.function, environments)
    times = len(FACTS["environments"]) // len(environments)  # each has the same, as the other two show
    row = costs.idle(f"a function, `{trigger}`", Counter({what: times * n for what, n in counted.items()}))
    assert row in PAGE.splitlines()


def test_the_foundation_is_counted_as_it_is_made(rehearsed: Rehearsed) -> None:
    assert costs.idle("the foundation", costs.of_foundation(rehearsed.world)) in PAGE.splitlines()


def test_a_deployment_is_counted_as_the_pipelines_are(rehearsed: Rehearsed) -> None:
    rows = costs.deployment(rehearsed.world, rehearsed.result.function, rehearsed.repository)

    assert set(rows) <= set(PAGE.splitlines())


def test_the_page_is_of_the_prices_that_are_given() -> None:
    assert re.findall(r"read on (\S+)\. Free", PAGE) == [str(costs.GIVEN["read"])]
    for what, price in costs.GIVEN["prices"].items():
        assert f"| {what} | {price['dollars']} | {price['source']} |" in PAGE

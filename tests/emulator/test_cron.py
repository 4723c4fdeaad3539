"""When schedules are due."""

from datetime import UTC, datetime

import pytest

from emulator.cron import due


def times(expression: str, after: str, until: str, zone: str = "UTC") -> list[str]:
    """Return when an expression is due, in UTC, of a schedule that is made at a time, until another."""
    begin, end = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (after, until))
    return [f"{when:%d %H:%M}" for when in due(expression, zone, begin, begin, end)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 6 * * ? *)", ["02 06:00", "03 06:00"]),
        ("cron(0/30 20-21 ? * MON-THU *)", ["02 20:00", "02 20:30", "02 21:00", "02 21:30"]),  # a Thursday
        (
            "cron(15 23-1 * JUL ? 2026)",
            ["01 23:15", "02 00:15", "02 01:15", "02 23:15", "03 00:15", "03 01:15"],
        ),
        ("cron(0,30 6 2 * ? *)", ["02 06:00", "02 06:30"]),
        ("cron(0 6 ? * 6#1 *)", ["03 06:00"]),
        ("cron(0 6 ? * 6#2 *)", []),
        ("rate(12 hours)", ["01 22:00", "02 10:00", "02 22:00", "03 10:00"]),
        ("rate(1 day)", ["01 22:00", "02 22:00"]),
        ("at(2026-07-02T13:00:00)", ["02 13:00"]),
        ("at(2026-07-01T13:00:00)", []),
    ],
)
def test_a_schedule_is_due_as_its_expression_says(expression: str, expected: list[str]) -> None:
    assert times(expression, "2026-07-01T22:00", "2026-07-03T20:00") == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 8 L * ? *)", ["31 08:00", "31 08:00", "30 08:00"]),
        ("cron(0 8 1W * ? *)", ["01 08:00", "03 08:00", "01 08:00"]),  # the first of August is a Saturday
        ("cron(0 8 ? * 6L *)", ["31 08:00", "28 08:00", "25 08:00"]),  # last Fridays
        ("cron(0 8 ? * 3#2 *)", ["14 08:00", "11 08:00", "08 08:00"]),  # second Tuesdays
    ],
)
def test_days_are_counted_from_either_end_of_a_month(expression: str, expected: list[str]) -> None:
    assert times(expression, "2026-07-01T00:00", "2026-10-01T00:00") == expected


def test_an_expression_is_in_its_time_zone() -> None:
    assert times("cron(0 6 * * ? *)", "2026-07-01T00:00", "2026-07-02T00:00", "Europe/Berlin") == ["01 04:00"]
    assert times("at(2026-07-01T06:00:00)", "2026-07-01T00:00", "2026-07-02T00:00", "Asia/Tokyo") == []


def test_a_time_that_summer_time_leaves_out_is_left_out_and_one_that_comes_twice_comes_once() -> None:
    """As AWS tells it of half past two in Los Angeles."""
    daily, zone = "cron(30 2 * * ? *)", "America/Los_Angeles"

    assert times(daily, "2026-03-07T00:00", "2026-03-10T00:00", zone) == ["07 10:30", "09 09:30"]
    assert times("cron(30 1 * * ? *)", "2026-10-31T00:00", "2026-11-03T00:00", zone) == [
        "31 08:30",
        "01 08:30",
        "02 09:30",
    ]


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("cron(0 6 * * * *)", "UTC"),
        ("cron(0 6 ? * ? *)", "UTC"),
        ("cron(0 6 * *)", "UTC"),
        ("cron(60 6 * * ? *)", "UTC"),
        ("cron(0 6 ? * 6#9 *)", "UTC"),
        ("rate(often)", "UTC"),
        ("rate(5 weeks)", "UTC"),
        ("at(tomorrow)", "UTC"),
        ("daily", "UTC"),
        ("rate(5 minutes)", "Europe/Atlantis"),
    ],
)
def test_what_is_no_expression_is_refused(expression: str, zone: str) -> None:
    with pytest.raises((LookupError, ValueError)):
        times(expression, "2026-07-01T00:00", "2026-07-02T00:00", zone)

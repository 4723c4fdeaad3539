"""When a schedule's expression is due, as EventBridge Scheduler understands it: cron, rate or at."""

import re
from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from emulator.calls import claims, doc

EXPRESSION = re.compile(r"^(cron|rate|at)\((.+)\)$")
UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@claims("scheduler knows cron, rate and at", doc("scheduler/latest/UserGuide/schedule-types.html"))
def due(
    expression: str, zone: str | None, made: datetime, after: datetime, until: datetime
) -> Iterator[datetime]:
    """Yield when an expression, in a time zone, is due after a time and until another.

    made: when the schedule was; from then on a rate counts. Raises LookupError or ValueError.
    """
    local = ZoneInfo(zone or "UTC")
    kind, said = EXPRESSION.findall(expression)[0]
    if kind == "at":
        when = datetime.fromisoformat(said).replace(tzinfo=local).astimezone(UTC)
        yield from [when] if after < when <= until else []
    elif kind == "rate":
        number, unit = said.split()
        every = int(number) * UNITS[unit.removesuffix("s")]
        when = made + (after - made) // every * every
        while when <= until:
            if when > after or when == made == after:  # at once, and then at its rate
                yield when
            when += every
    else:
        fits, minute = cron(said), after.replace(second=0, microsecond=0)
        while (minute := minute + timedelta(minutes=1)) <= until:
            here = minute.astimezone(local)
            if fits(here) and not here.fold:  # once, where the end of summer has an hour twice
                yield minute


def cron(said: str) -> Callable[[datetime], bool]:
    """Return what tells whether six fields mean a time. Raises ValueError."""
    minutes, hours, days, months, weekdays, years = said.split()
    if (days == "?") == (weekdays == "?"):
        raise ValueError("one of the two fields for days is ?, and the other is not")
    fields = numbers(minutes, 0, 59), numbers(hours, 0, 23), numbers(months, 1, 12, MONTHS)
    among, on_day = numbers(years, 1970, 2199), of_week(weekdays) if days == "?" else of_month(days)

    def fits(when: datetime) -> bool:
        each = zip((when.minute, when.hour, when.month), fields, strict=True)
        return all(number in field for number, field in each) and when.year in among and on_day(when)

    return fits


def numbers(field: str, low: int, high: int, names: Sequence[str] = ()) -> set[int]:
    """Return the numbers that a field means; names: of those from low on. Raises ValueError."""

    def number(text: str) -> int:
        found = low + names.index(text) if text in names else int(text)
        if not low <= found <= high:
            raise ValueError(f"{text} is not between {low} and {high}")
        return found

    found = set[int]()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        begin, end = (low, high) if span == "*" else (number(first), number(last or first))
        end = high if step and not dash else end
        meant = [*range(begin, end + 1)] if begin <= end else [*range(begin, high + 1), *range(low, end + 1)]
        found |= set(meant[:: int(step or 1)])
    return found


def of_month(field: str) -> Callable[[datetime], bool]:
    """Return what tells whether a field means the day of the month of a time. Raises ValueError."""
    if field == "L":
        return lambda when: when.day == days_in(when)
    if not field.endswith("W"):
        days = numbers(field, 1, 31)
        return lambda when: when.day in days
    (day,) = numbers(field.removesuffix("W"), 1, 31)

    def nearest(when: datetime) -> bool:
        """Return whether it is the weekday of its month that is nearest to the day."""
        all_of_it = [when.replace(day=each) for each in range(1, days_in(when) + 1)]
        weekdays = [each.day for each in all_of_it if each.strftime("%a") not in ("Sat", "Sun")]
        return when.day == min(weekdays, key=lambda each: abs(each - min(day, days_in(when))))

    return nearest


def of_week(field: str) -> Callable[[datetime], bool]:
    """Return what tells whether a field means the day of the week of a time. Raises ValueError."""
    found = re.fullmatch("([^#L]+)(?:#([1-5])|(L))?", "SAT" if field == "L" else field)
    if not found:
        raise ValueError(f"{field} is no day of the week")
    days, count, last = numbers(found[1], 1, 7, DAYS), int(found[2] or 0), found[3]

    def fits(when: datetime) -> bool:
        if when.isoweekday() % 7 + 1 not in days or (count and (when.day - 1) // 7 + 1 != count):
            return False
        return not last or when.day + 7 > days_in(when)

    return fits


def days_in(when: datetime) -> int:
    """Return how many days the month of a time has."""
    return monthrange(when.year, when.month)[1]

"""When things happen: arrivals by local hour and weekday, schedules by the local clock, both right across DST."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from aftershock.simulate.fleet import ZONE

BERLIN: Final = ZoneInfo(ZONE)
_HOURS: Final = (1, 0, 0, 0, 0, 1, 3, 8, 18, 26, 30, 28, 24, 26, 27, 25, 22, 20, 18, 17, 15, 10, 6, 3)
"""How busy each local hour is, against the others."""
_WEEKDAYS: Final = (1.15, 1.0, 1.0, 0.95, 0.9, 0.42, 0.34)
"""How busy each day from Monday to Sunday is, against a working day."""


def local(day: date, at: time) -> datetime:
    """The instant of a local wall-clock time, in UTC."""
    return datetime.combine(day, at, BERLIN).astimezone(UTC)


def midnight(day: date) -> datetime:
    """When a local day begins, in UTC."""
    return local(day, time(0))


def week_of(at: datetime) -> str:
    """The ISO week of an instant in local time: `2026-W47`."""
    year, week, _ = at.astimezone(BERLIN).isocalendar()
    return f"{year}-W{week:02d}"


def days_between(first: date, until: date) -> Iterator[date]:
    """All days, both ends included."""
    for i in range((until - first).days + 1):
        yield first + timedelta(days=i)


def arrivals(
    random: Random,
    first: date,
    until: date,
    a_day: float,
    *,
    weekdays_only: bool = False,
) -> Iterator[datetime]:
    """Arrivals, in order: about `a_day` on a working day, at least two on any, mostly in business hours."""
    for day in days_between(first, until):
        if weekdays_only and day.weekday() > 4:
            continue
        mean = a_day * _WEEKDAYS[day.weekday()]
        count = max(0 if weekdays_only else 2, round(random.gauss(mean, mean**0.5)))
        hours = random.choices(range(24), weights=_HOURS, k=count)
        seconds = sorted(hour * 3600 + random.uniform(0, 3600) for hour in hours)
        for second in seconds:
            yield midnight(day) + timedelta(seconds=second) + _shift(day, second)


def bunches(random: Random, first: date, until: date, a_day: float, size: float, grows: float) -> Iterator[datetime]:
    """Arrivals that come in bunches of about `size` within three quarters of an hour, `a_day` bunches on a working day, in order.

    Bunches differ much in size; they grow by the share `grows` a week, counted back from the last day.
    """
    found = []
    for begin in arrivals(random, first, until, a_day):
        weeks_ago = (midnight(until) - begin) / timedelta(weeks=1)
        many = max(1, round(size * (1 + grows) ** -weeks_ago * random.lognormvariate(-0.15, 0.55)))
        found += [begin + timedelta(minutes=random.uniform(0, 45)) for _ in range(many)]
    yield from sorted(found)


def _shift(day: date, second: float) -> timedelta:
    """Seconds are counted on the wall clock: on the day of a change they are not seconds since midnight."""
    hour = time(min(23, int(second // 3600)))
    return local(day, hour) - midnight(day) - timedelta(hours=hour.hour)


def schedule(first: date, until: date, at: tuple[time, ...]) -> Iterator[datetime]:
    """Every local time of every day, in order. A time that a day does not have is taken an hour later, as clocks do."""
    for day in days_between(first, until):
        for moment in sorted(at):
            yield local(day, moment)

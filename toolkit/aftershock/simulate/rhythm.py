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
    grows: float = 0.0,
    bunched: float = 0.0,
) -> Iterator[datetime]:
    """Arrivals, in order: about `a_day` on a working day, at least two on any, mostly in business hours.

    They grow by the share `grows` a week, counted back from the last day; `bunched`: some days are much busier than others.
    """
    for day in days_between(first, until):
        if weekdays_only and day.weekday() > 4:
            continue
        mean = a_day * _WEEKDAYS[day.weekday()]
        if grows:
            mean *= (1 + grows) ** ((day - until).days / 7)
        if bunched:
            mean *= random.lognormvariate(-bunched * bunched / 2, bunched)
        count = max(0 if weekdays_only else 2, round(random.gauss(mean, mean**0.5)))
        hours = random.choices(range(24), weights=_HOURS, k=count)
        seconds = sorted(hour * 3600 + random.uniform(0, 3600) for hour in hours)
        for second in seconds:
            yield midnight(day) + timedelta(seconds=second) + _shift(day, second)


def _shift(day: date, second: float) -> timedelta:
    """Seconds are counted on the wall clock: on the day of a change they are not seconds since midnight."""
    hour = time(min(23, int(second // 3600)))
    return local(day, hour) - midnight(day) - timedelta(hours=hour.hour)


def schedule(first: date, until: date, at: tuple[time, ...]) -> Iterator[datetime]:
    """Every local time of every day, in order. A time that a day does not have is taken an hour later, as clocks do."""
    for day in days_between(first, until):
        for moment in sorted(at):
            yield local(day, moment)

"""Periods by name: `2026-W47`, `2026-11`, `2026-11-18`, `2026-11-01..2026-11-15`, in a time zone, with bounds in UTC.

A day lasts from one local midnight to the next: 23 or 25 hours when the clocks change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal, Self
from zoneinfo import ZoneInfo

from aftershock.errors import PeriodError

Kind = Literal["day", "week", "month", "range"]
KINDS: Final = ("day", "week", "month")
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """The time from `start` up to, not including, `end` (both UTC), and how people name it in `time_zone`."""

    start: datetime
    end: datetime
    name: str
    time_zone: str = "UTC"

    @classmethod
    def parse(cls, text: str, time_zone: str = "UTC") -> Self:
        """The period that `text` names. The end date of `first..last` is inside it. Raises `PeriodError`."""
        for _, pattern, read in _FORMS:
            match = re.fullmatch(pattern, text.strip())
            if match:
                try:
                    first, last = read(*match.groups())
                    if last < first:
                        break
                    return cls._of(first, last, text.strip(), time_zone)
                except (ValueError, OverflowError):
                    break
        raise PeriodError(text)

    @classmethod
    def spanning(cls, runs: Any, time_zone: str = "UTC") -> Self:
        """The days from the first to the last of `runs`, a table of the ledger. Raises ValueError where none of them has a time."""
        from aftershock.metrics.units import dated

        units = dated(runs)
        moments = units.moment
        row = units.aggregate(first=moments.min().epoch_seconds(), last=moments.max().epoch_seconds()).execute().iloc[0]
        if row.isna().any():
            raise ValueError("runs: none has a time: there is no period to span")
        days = [datetime.fromtimestamp(int(at), ZoneInfo(time_zone)).date() for at in (row["first"], row["last"])]
        return cls._of(days[0], days[1], f"{days[0]}..{days[1]}", time_zone)

    @classmethod
    def _of(cls, first: date, last: date, name: str, time_zone: str) -> Self:
        return cls(_midnight(first, time_zone), _midnight(last + _ONE_DAY, time_zone), name, time_zone)

    @property
    def kind(self) -> Kind:
        """day, week, month or range."""
        return next(kind for kind, pattern, _ in _FORMS if re.fullmatch(pattern, self.name))

    @property
    def first(self) -> date:
        """Its first day."""
        return self._dates()[0]

    @property
    def last(self) -> date:
        """Its last day."""
        return self._dates()[1]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.start).total_seconds()

    @property
    def label(self) -> str:
        """In words: `Week 47 · Mon 16 to Sun 22 November 2026`."""
        if self.kind == "month":
            return f"{_MONTHS[self.first.month - 1]} {self.first.year}"
        if self.kind == "week":
            return f"Week {int(self.name[-2:])} · {_span(self.first, self.last)}"
        return _span(self.first, self.last)

    def previous(self) -> Self:
        """The one before: the day, week or month, or as many days as a range has."""
        last = self.first - _ONE_DAY
        if self.kind != "range":
            return type(self).parse(name_of(self.kind, last), self.time_zone)
        first = last - (self.last - self.first)
        return type(self)._of(first, last, f"{first}..{last}", self.time_zone)

    def days(self) -> tuple[Period, ...]:
        """Its days, each a period."""
        dates = [self.first + timedelta(days=i) for i in range((self.last - self.first).days + 1)]
        return tuple(Period._of(day, day, day.isoformat(), self.time_zone) for day in dates)

    def holds(self, moment: Any) -> Any:
        """Whether a moment lies inside: for a datetime or for an Ibis column."""
        return (moment >= self.start) & (moment < self.end)

    def _dates(self) -> tuple[date, date]:
        for _, pattern, read in _FORMS:
            match = re.fullmatch(pattern, self.name)
            if match:
                return read(*match.groups())
        raise PeriodError(self.name)


def checked_period(period: Any) -> None:
    """Raises TypeError, with the line to write instead, where a period is given as text."""
    if period is not None and not isinstance(period, Period):
        raise TypeError(
            f"period: {period!r}: write Period.parse({str(period)!r}, 'Europe/Berlin'): the time zone says when a day begins"
        )


def newest_whole(until: datetime, kind: str, time_zone: str = "UTC") -> Period:
    """The newest whole day, week or month that had ended at `until`, as people in `time_zone` count days.

    Raises: ValueError for an `until` without a zone or another kind.
    """
    if until.tzinfo is None:
        raise ValueError(f"until: {until.isoformat()}: give it a time zone")
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of period. There are: {', '.join(KINDS)}.")
    today = until.astimezone(ZoneInfo(time_zone)).date()
    return Period.parse(name_of(kind, today), time_zone).previous()


def name_of(kind: str, day: date) -> str:
    """The name of the day, week or month that a date lies in."""
    if kind == "week":
        year, week, _ = day.isocalendar()
        return f"{year:04d}-W{week:02d}"
    return day.isoformat() if kind == "day" else day.isoformat()[:7]


def _day(text: str) -> tuple[date, date]:
    return date.fromisoformat(text), date.fromisoformat(text)


def _week(year: str, week: str) -> tuple[date, date]:
    monday = date.fromisocalendar(int(year), int(week), 1)
    return monday, monday + timedelta(days=6)


def _month(year: str, month: str) -> tuple[date, date]:
    first = date(int(year), int(month), 1)
    return first, (first + timedelta(days=31)).replace(day=1) - _ONE_DAY


def _range(first: str, last: str) -> tuple[date, date]:
    return date.fromisoformat(first), date.fromisoformat(last)


_DATE: Final = r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
_FORMS: Final[Sequence[tuple[Kind, str, Callable[..., tuple[date, date]]]]] = (
    ("day", _DATE, _day),
    ("week", r"([0-9]{4})-W([0-9]{2})", _week),
    ("month", r"([0-9]{4})-([0-9]{2})", _month),
    ("range", rf"{_DATE}\.\.{_DATE}", _range),
)


def _midnight(day: date, time_zone: str) -> datetime:
    """When a local day begins, in UTC. A midnight that clocks skip is when they do; one that comes twice, the first."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(time_zone)).astimezone(UTC)


def _span(first: date, last: date) -> str:
    def words(day: date, *, month: bool, year: bool) -> str:
        parts = [_DAYS[day.weekday()], str(day.day)]
        parts += [_MONTHS[day.month - 1]] if month else []
        parts += [str(day.year)] if year else []
        return " ".join(parts)

    end = words(last, month=True, year=True)
    if first == last:
        return end
    other_year = first.year != last.year
    return f"{words(first, month=other_year or first.month != last.month, year=other_year)} to {end}"

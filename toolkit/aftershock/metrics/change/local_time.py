"""Local hours of moments in arithmetic that every backend shares: UTC microseconds plus the zone's offset at that time.

Backends differ in what they know of time zones and in what their sessions are set to. Offsets come from Python's zone data instead.
The session must count time in UTC, as Ibis and the ledger set it on every connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

from aftershock.metrics.periods import Period

MONDAY: Final = datetime(1970, 1, 5, tzinfo=UTC)
HOURS_A_WEEK: Final = 168
_MICROSECONDS_AN_HOUR: Final = 3_600_000_000
_HOUR: Final = timedelta(hours=1)


def hour_of_week(moment: ir.TimestampValue, period: Period) -> ir.IntegerValue:
    """0 (Monday, midnight to one) to 167 (Sunday, eleven to midnight) of a moment inside `period`, in its zone's local time."""
    # Without a zone in its type a time is a plain number to every backend; with one, DuckDB asks a calendar about each row.
    start = ibis.literal(MONDAY.replace(tzinfo=None), type="timestamp")
    utc = moment.cast("timestamp").delta(start, unit="microsecond").cast("int64")
    hours = (utc + _offset(utc, offsets(period))) // _MICROSECONDS_AN_HOUR
    return (hours % HOURS_A_WEEK).cast("int32")


def hours_by_hour_of_week(period: Period) -> list[float]:
    """How many hours of `period` fall on each hour of the week: where clocks go forward one is missing, back one comes twice."""
    zone, found = ZoneInfo(period.time_zone), [0.0] * HOURS_A_WEEK
    at = period.start
    # Zones lie whole quarters of an hour from UTC, and so do their changes.
    quarter = timedelta(minutes=15)
    while at < period.end:
        local = at.astimezone(zone)
        found[local.weekday() * 24 + local.hour] += 0.25
        at += quarter
    return found


def offsets(period: Period) -> list[tuple[datetime, timedelta]]:
    """(from when, how far local time is ahead of UTC) over the period, the first from its start."""
    zone = ZoneInfo(period.time_zone)
    found: list[tuple[datetime, timedelta]] = []
    at = period.start
    while at < period.end:
        ahead = _ahead(at, zone)
        if not found or found[-1][1] != ahead:
            found.append((_changed(at - _HOUR, at, zone) if found else at, ahead))
        at += _HOUR
    return found


def _changed(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The minute in which the offset changed, between two moments an hour apart."""
    minutes = (before + timedelta(minutes=i) for i in range(1, 61))
    return next((at for at in minutes if _ahead(at, zone) == _ahead(after, zone)), after)


def _ahead(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)


def _offset(utc: Any, changes: Sequence[tuple[datetime, timedelta]]) -> Any:
    """The offset in microseconds: a search tree over the few moments at which clocks change."""
    if len(changes) == 1:
        return ibis.literal(_microseconds(changes[0][1]), type="int64")
    half = len(changes) // 2
    since = _microseconds(changes[half][0] - MONDAY)
    return (utc < since).ifelse(_offset(utc, changes[:half]), _offset(utc, changes[half:]))


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)

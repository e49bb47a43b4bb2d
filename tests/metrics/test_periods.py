from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftershock.errors import AftershockError, PeriodError
from aftershock.metrics import Period, newest_whole

BERLIN = "Europe/Berlin"
ZONES = [BERLIN, "UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana", "Africa/Cairo"]
dates = st.dates(date(1990, 1, 1), date(2060, 1, 1))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("2026-W47", utc(2026, 11, 15, 23), utc(2026, 11, 22, 23)),
        ("2026-11", utc(2026, 10, 31, 23), utc(2026, 11, 30, 23)),
        ("2026-11-18", utc(2026, 11, 17, 23), utc(2026, 11, 18, 23)),
        ("2026-11-01..2026-11-15", utc(2026, 10, 31, 23), utc(2026, 11, 15, 23)),
        ("2026-02", utc(2026, 1, 31, 23), utc(2026, 2, 28, 23)),
        ("2024-02", utc(2024, 1, 31, 23), utc(2024, 2, 29, 23)),
        ("2026-12", utc(2026, 11, 30, 23), utc(2026, 12, 31, 23)),
        ("2026-W53", utc(2026, 12, 27, 23), utc(2027, 1, 3, 23)),
        ("2026-W01", utc(2025, 12, 28, 23), utc(2026, 1, 4, 23)),
    ],
)
def test_a_name_gives_exact_bounds_in_utc(name: str, start: datetime, end: datetime) -> None:
    period = Period.parse(name, BERLIN)
    assert (period.start, period.end) == (start, end)


@pytest.mark.parametrize(
    ("name", "zone", "hours"),
    [
        ("2026-03-29", BERLIN, 23),
        ("2026-10-25", BERLIN, 25),
        ("2026-W43", BERLIN, 169),
        ("2026-03", BERLIN, 743),
        ("2026-10-25", "UTC", 24),
        ("2026-11-01", "America/New_York", 25),
        ("2026-10-04", "Australia/Lord_Howe", 23.5),
        ("2026-04-24", "Africa/Cairo", 23),  # clocks skip midnight itself
        ("2026-10-29", "Africa/Cairo", 25),  # and go back at midnight
        ("2026-11-01", "America/Havana", 25),  # midnight comes twice
    ],
)
def test_a_day_on_which_clocks_change_is_as_long_as_it_is(name: str, zone: str, hours: float) -> None:
    assert Period.parse(name, zone).seconds == hours * 3600


@pytest.mark.parametrize(
    "name",
    [
        *("", "2026", "2026-W54", "2025-W53", "2026-W00", "2026-13", "2026-00", "2026-02-30", "2026-1-1", "W47"),
        *("2026-W47-1", "2026-11-15..2026-11-01", "2026-11..2026-12", "last week", "9999-12-31", "0000-01"),
    ],
)
def test_what_names_no_period_is_refused_with_what_to_write(name: str) -> None:
    with pytest.raises(PeriodError, match=r"names no period. Write 2026-W47, 2026-11, 2026-11-18 or") as caught:
        Period.parse(name, BERLIN)
    assert caught.value.text == name
    assert isinstance(caught.value, AftershockError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("2026-W47", "2026-W46"),
        ("2027-W01", "2026-W53"),
        ("2026-W01", "2025-W52"),
        ("2026-01", "2025-12"),
        ("2026-03", "2026-02"),
        ("2026-01-01", "2025-12-31"),
        ("2026-11-01..2026-11-15", "2026-10-17..2026-10-31"),
        ("2026-11-18..2026-11-18", "2026-11-17..2026-11-17"),
    ],
)
def test_the_period_before_is_of_the_same_kind(name: str, before: str) -> None:
    assert Period.parse(name, BERLIN).previous().name == before


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("2026-W47", "Week 47 · Mon 16 to Sun 22 November 2026"),
        ("2026-W49", "Week 49 · Mon 30 November to Sun 6 December 2026"),
        ("2026-W53", "Week 53 · Mon 28 December 2026 to Sun 3 January 2027"),
        ("2026-11", "November 2026"),
        ("2026-11-18", "Wed 18 November 2026"),
        ("2026-11-01..2026-11-15", "Sun 1 to Sun 15 November 2026"),
        ("2026-11-18..2026-11-18", "Wed 18 November 2026"),
    ],
)
def test_a_period_is_named_in_words(name: str, label: str) -> None:
    assert Period.parse(name, BERLIN).label == label


@pytest.mark.parametrize(
    ("until", "kind", "name"),
    [
        (utc(2026, 11, 23, 4), "week", "2026-W47"),
        (utc(2026, 11, 22, 23), "week", "2026-W47"),  # Monday 00:00 in Berlin, to the second
        (utc(2026, 11, 22, 22, 59, 59), "week", "2026-W46"),
        (utc(2026, 11, 23, 4), "day", "2026-11-22"),
        (utc(2026, 11, 22, 23), "day", "2026-11-22"),
        (utc(2026, 11, 22, 22, 59), "day", "2026-11-21"),
        (utc(2026, 11, 30, 23), "month", "2026-11"),
        (utc(2026, 11, 30, 22, 59), "month", "2026-10"),
        (utc(2027, 1, 1), "month", "2026-12"),
        (utc(2027, 1, 4), "week", "2026-W53"),
    ],
)
def test_the_newest_whole_period_had_ended_by_then(until: datetime, kind: str, name: str) -> None:
    assert newest_whole(until, kind, BERLIN).name == name


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="give it a time zone"):
        newest_whole(datetime(2026, 11, 23), "week")  # noqa: DTZ001


def test_an_unknown_kind_of_period_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'year' is no kind of period. There are: day, week, month."):
        newest_whole(utc(2026, 11, 23), "year")


def test_the_end_does_not_belong_to_a_period() -> None:
    period = Period.parse("2026-11-18")
    assert period.holds(period.start)
    assert not period.holds(period.end)


@settings(deadline=None)
@given(day=dates, zone=st.sampled_from(ZONES), kind=st.sampled_from(["day", "week", "month"]))
def test_a_period_and_the_one_before_meet_without_gap_or_overlap(day: date, zone: str, kind: str) -> None:
    period = newest_whole(datetime(day.year, day.month, day.day, 12, tzinfo=UTC), kind, zone)
    assert period.previous().end == period.start
    assert Period.parse(period.name, zone) == period


@settings(deadline=None)
@given(day=dates, zone=st.sampled_from(ZONES), kind=st.sampled_from(["day", "week", "month"]))
def test_the_days_of_a_period_tile_it(day: date, zone: str, kind: str) -> None:
    period = newest_whole(datetime(day.year, day.month, day.day, 12, tzinfo=UTC), kind, zone)
    days = period.days()
    assert (days[0].start, days[-1].end) == (period.start, period.end)
    assert all(one.end == other.start for one, other in pairwise(days))
    assert (days[0].first, days[-1].last) == (period.first, period.last)


@settings(deadline=None)
@given(
    until=st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    zone=st.sampled_from(ZONES),
    kind=st.sampled_from(["day", "week", "month"]),
)
def test_no_newer_whole_period_had_ended(until: datetime, zone: str, kind: str) -> None:
    period = newest_whole(until, kind, zone)
    following = newest_whole(period.end + timedelta(days=45), kind, zone)
    while following.start > period.end:
        following = following.previous()
    assert period.end <= until < following.end
    assert following.start == period.end
    assert period.start.astimezone(ZoneInfo(zone)).date() == period.first

"""What is due: hand-worked cases on a calendar, then what must hold for every schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftershock.project import Client, Report
from aftershock.schedule.plan import RETRY_AFTER, Due, ReportRun, addressees, due, newest_slot, next_slot, plan

BERLIN = "Europe/Berlin"
WEEKLY = Report(name="weekly", notebook="client.ipynb", audience="fleet", cron="0 7 * * MON", period="week")
MONTHLY = Report(name="monthly", notebook="client.ipynb", audience="fleet", cron="30 6 1 * *", period="month")
DAILY = Report(name="daily", notebook="client.ipynb", audience="fleet", cron="30 2 * * *", period="day")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def what(
    report: Report, now: datetime, *runs: ReportRun, clients: tuple[Client, ...] = (), zone: str = BERLIN
) -> list[Due]:
    return due([report], clients, runs, now, project_zone=zone)


def names(items: list[Due]) -> list[str]:
    return [item.period_name for item in items]


def run_of(item: Due, status: str, started_at: datetime) -> ReportRun:
    return ReportRun(item.report, item.client, item.period_start, item.period_end, status, started_at)


def test_a_fleet_report_has_one_page_and_the_others_one_for_each_client() -> None:
    clients = (Client(id="acme", name="Acme"), Client(id="baker", name="Baker"))
    assert addressees(WEEKLY, clients) == (None,)
    assert addressees(Report(name="client", notebook="client.ipynb"), clients) == clients
    assert addressees(Report(name="client", notebook="client.ipynb"), ()) == ()


def test_on_monday_morning_the_week_that_just_ended_is_due() -> None:
    (item,) = what(WEEKLY, utc("2026-11-23 06:00"))  # 07:00 in Berlin
    assert item == Due(
        "weekly", None, utc("2026-11-15 23:00"), utc("2026-11-22 23:00"), "2026-W47", utc("2026-11-23 06:00")
    )


def test_a_second_before_the_slot_the_week_before_is_still_what_counts() -> None:
    assert names(what(WEEKLY, utc("2026-11-23 05:59:59"))) == ["2026-W46"]


def test_a_report_without_cron_is_never_due() -> None:
    assert what(WEEKLY.model_copy(update={"cron": None}), utc("2026-11-23 06:00")) == []


def test_what_was_rendered_is_not_due_again() -> None:
    now = utc("2026-11-23 06:00")
    (item,) = what(WEEKLY, now)
    assert what(WEEKLY, now + timedelta(minutes=5), run_of(item, "succeeded", now)) == []


def test_a_page_made_by_hand_while_the_week_was_going_on_does_not_stand_for_the_week() -> None:
    (item,) = what(WEEKLY, utc("2026-11-23 06:00"))
    early = run_of(item, "succeeded", utc("2026-11-20 12:00"))
    assert names(what(WEEKLY, utc("2026-11-23 06:00"), early)) == ["2026-W47"]


def test_a_page_made_by_hand_after_the_week_stands_for_it() -> None:
    (item,) = what(WEEKLY, utc("2026-11-23 06:00"))
    by_hand = run_of(item, "succeeded", utc("2026-11-22 23:30"))
    assert what(WEEKLY, utc("2026-11-23 06:00"), by_hand) == []


def test_after_a_fortnight_asleep_only_the_newest_week_is_caught_up() -> None:
    (before,) = what(WEEKLY, utc("2026-11-02 06:00"))
    done = run_of(before, "succeeded", utc("2026-11-02 06:00"))
    assert names(what(WEEKLY, utc("2026-11-19 14:00"), done)) == ["2026-W46"]


def test_a_monday_missed_is_caught_up_once_on_wednesday() -> None:
    now = utc("2026-11-25 10:00")
    (item,) = what(WEEKLY, now)
    assert (item.period_name, item.slot) == ("2026-W47", utc("2026-11-23 06:00"))
    assert what(WEEKLY, utc("2026-11-29 22:59"), run_of(item, "succeeded", now)) == []


def test_a_clock_that_goes_back_renders_nothing_again() -> None:
    (older,) = what(WEEKLY, utc("2026-11-16 06:00"))
    (newer,) = what(WEEKLY, utc("2026-11-23 06:00"))
    history = [run_of(older, "succeeded", older.slot), run_of(newer, "succeeded", newer.slot)]
    assert what(WEEKLY, utc("2026-11-17 09:00"), *history) == []


def test_each_client_has_its_own_period_and_history() -> None:
    clients = (Client(id="acme", name="Acme"), Client(id="baker", name="Baker"))
    report = WEEKLY.model_copy(update={"audience": "clients"})
    now = utc("2026-11-23 06:00")
    acme, baker = what(report, now, clients=clients)
    assert (acme.client, baker.client) == ("acme", "baker")
    assert what(report, now, run_of(acme, "succeeded", now), clients=clients) == [baker]


def test_the_cron_line_runs_in_the_clients_own_zone() -> None:
    client = Client(id="pier", name="Pier 9", time_zone="America/Los_Angeles")
    report = WEEKLY.model_copy(update={"audience": "clients"})
    (item,) = what(report, utc("2026-11-23 15:00"), clients=(client,))  # 07:00 in Los Angeles
    assert (item.slot, item.period_start, item.period_end) == (
        utc("2026-11-23 15:00"),
        utc("2026-11-16 08:00"),
        utc("2026-11-23 08:00"),
    )


def test_a_week_that_is_not_over_where_the_client_lives_is_not_rendered() -> None:
    client = Client(id="pier", name="Pier 9", time_zone="America/Los_Angeles")
    report = WEEKLY.model_copy(update={"audience": "clients", "time_zone": BERLIN})
    (item,) = what(report, utc("2026-11-23 06:00"), clients=(client,))  # Sunday 22:00 in Los Angeles
    assert item.period_name == "2026-W46"


def test_a_now_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="now has no time zone"):
        what(WEEKLY, datetime(2026, 11, 23, 6))  # noqa: DTZ001  that is the point


# Month ends


@pytest.mark.parametrize(
    ("now", "period"),
    [
        ("2026-03-01 05:30", "2026-02"),  # 06:30 CET, February had 28 days
        ("2028-03-01 05:30", "2028-02"),  # 29 days
        ("2026-03-01 05:29", "2026-01"),
        ("2027-01-01 05:30", "2026-12"),
        ("2026-11-30 23:59", "2026-10"),
    ],
)
def test_on_the_first_the_month_that_ended_is_due(now: str, period: str) -> None:
    assert names(what(MONTHLY, utc(now))) == [period]


def test_the_last_day_of_the_month_asks_for_the_month_before_since_this_one_is_not_over() -> None:
    last_evening = MONTHLY.model_copy(update={"cron": "0 20 L * *"})
    (item,) = what(last_evening, utc("2026-02-28 19:00"))
    assert (item.period_name, item.slot) == ("2026-01", utc("2026-02-28 19:00"))


def test_the_31st_comes_only_in_months_that_have_one() -> None:
    on_the_31st = MONTHLY.model_copy(update={"cron": "0 8 31 * *"})
    (item,) = what(on_the_31st, utc("2026-11-30 12:00"))
    assert (item.period_name, item.slot) == ("2026-09", utc("2026-10-31 07:00"))


# Daylight saving: Berlin goes from UTC+1 to UTC+2 on 2026-03-29 at 02:00, and back on 2026-10-25 at 03:00


@pytest.mark.parametrize(
    ("now", "slot"),
    [
        ("2026-03-28 01:30", "2026-03-28 01:30"),  # 02:30 CET
        ("2026-03-29 00:59", "2026-03-28 01:30"),  # 01:59 CET, a minute before the gap
        ("2026-03-29 01:00", "2026-03-29 01:00"),  # 03:00 CEST: 02:30 does not exist, it fires when the gap is over
        ("2026-03-29 02:00", "2026-03-29 01:00"),
        ("2026-03-30 00:30", "2026-03-30 00:30"),  # 02:30 CEST
        ("2026-10-25 00:29", "2026-10-24 00:30"),
        ("2026-10-25 00:30", "2026-10-25 00:30"),  # the first 02:30, CEST
        ("2026-10-25 01:15", "2026-10-25 00:30"),  # 02:15 again, CET
        ("2026-10-25 01:30", "2026-10-25 00:30"),  # 02:30 again: it fires once
        ("2026-10-26 01:30", "2026-10-26 01:30"),
    ],
)
def test_a_slot_inside_the_change_of_clocks_comes_exactly_once(now: str, slot: str) -> None:
    assert newest_slot("30 2 * * *", utc(now), BERLIN) == utc(slot)


def test_the_week_in_which_the_clocks_change_has_its_true_length() -> None:
    (spring,) = what(WEEKLY, utc("2026-03-30 05:00"))
    (autumn,) = what(WEEKLY, utc("2026-10-26 06:00"))
    assert [item.period_end - item.period_start for item in (spring, autumn)] == [
        timedelta(hours=167),
        timedelta(hours=169),
    ]


def test_the_day_of_23_hours_is_rendered_the_next_morning() -> None:
    (item,) = what(DAILY, utc("2026-03-30 00:30"))
    assert (item.period_name, item.period_end - item.period_start) == ("2026-03-29", timedelta(hours=23))


def test_the_next_slot_is_strictly_after_now() -> None:
    assert next_slot("0 7 * * MON", utc("2026-11-23 06:00"), BERLIN) == utc("2026-11-30 06:00")


# Retries


def after(failures: int, minutes: int) -> str:
    """The state of the weekly report some minutes after its newest failure, each at the moment it was due."""
    (item,) = what(WEEKLY, utc("2026-11-23 06:00"))
    at, history = item.slot, []
    for i in range(failures):
        history.append(run_of(item, "failed", at))
        at += RETRY_AFTER[min(i, len(RETRY_AFTER) - 1)]
    now = history[-1].started_at + timedelta(minutes=minutes)
    return plan([WEEKLY], [], history, now, project_zone=BERLIN)[0].state


@pytest.mark.parametrize(
    ("failures", "minutes", "state"),
    [
        (1, 14, "waiting"),
        (1, 15, "due"),
        (2, 59, "waiting"),
        (2, 60, "due"),
        (3, 239, "waiting"),
        (3, 240, "due"),
        (4, 1000, "gave up"),
    ],
)
def test_a_failed_rendering_is_tried_three_times_more_at_growing_distance(
    failures: int, minutes: int, state: str
) -> None:
    assert after(failures, minutes) == state


def test_a_success_after_failures_ends_the_retries() -> None:
    (item,) = what(WEEKLY, utc("2026-11-23 06:00"))
    history = [run_of(item, "failed", item.slot), run_of(item, "succeeded", item.slot + timedelta(minutes=15))]
    assert what(WEEKLY, utc("2026-11-24 06:00"), *history) == []


def test_a_new_week_starts_with_fresh_tries() -> None:
    (item,) = what(WEEKLY, utc("2026-11-16 06:00"))
    history = [run_of(item, "failed", item.slot + timedelta(hours=i)) for i in range(4)]
    assert names(what(WEEKLY, utc("2026-11-23 06:00"), *history)) == ["2026-W47"]


def test_a_failure_noted_in_the_future_does_not_hold_the_report_up() -> None:
    (item,) = what(WEEKLY, utc("2026-11-23 06:00"))
    from_a_wrong_clock = run_of(item, "failed", utc("2036-01-01 00:00"))
    assert names(what(WEEKLY, utc("2026-11-23 06:05"), from_a_wrong_clock)) == ["2026-W47"]


# Whatever the schedule, whatever the clock does

CRONS = st.sampled_from(
    ["0 7 * * MON", "30 2 * * *", "*/20 * * * *", "0 0 1 * *", "15 3 L * *", "59 23 * * SUN", "0 12 * * 2#2"]
)
ZONES = st.sampled_from(["UTC", BERLIN, "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"])
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  zone by `timezones`
REPORTS = st.builds(
    Report,
    name=st.just("any"),
    notebook=st.just("client.ipynb"),
    audience=st.sampled_from(["fleet", "clients"]),
    cron=CRONS,
    time_zone=st.none() | ZONES,
    period=st.sampled_from(["day", "week", "month"]),
)
CLIENTS = (Client(id="acme", name="Acme"), Client(id="pier", name="Pier 9", time_zone="America/Los_Angeles"))


@given(REPORTS, ZONES, st.lists(MOMENTS, max_size=12), st.booleans())
def test_no_period_is_ever_rendered_twice_however_the_clock_jumps(
    report: Report, zone: str, moments: list[datetime], forward: bool
) -> None:
    history: list[ReportRun] = []
    for now in sorted(moments) if forward else moments:
        for item in due([report], CLIENTS, history, now, project_zone=zone):
            history.append(run_of(item, "succeeded", now))
        assert due([report], CLIENTS, history, now, project_zone=zone) == []
    rendered = [(run.client, run.period_start, run.period_end) for run in history]
    assert len(rendered) == len(set(rendered))


@given(REPORTS, ZONES, MOMENTS)
def test_what_is_due_was_over_before_its_slot_and_its_slot_is_not_ahead(
    report: Report, zone: str, now: datetime
) -> None:
    for item in due([report], CLIENTS, [], now, project_zone=zone):
        assert item.period_start < item.period_end <= item.slot <= now


@given(CRONS, ZONES, MOMENTS)
def test_no_slot_lies_between_the_newest_and_the_next(cron: str, zone: str, now: datetime) -> None:
    newest, following = newest_slot(cron, now, zone), next_slot(cron, now, zone)
    assert newest <= now < following
    assert next_slot(cron, newest, zone) == following
    assert newest_slot(cron, following - timedelta(microseconds=1), zone) == newest


@given(REPORTS, ZONES, st.lists(st.integers(0, 600), min_size=40, max_size=60))
def test_a_report_that_always_fails_is_tried_four_times_a_period_at_most(
    report: Report, zone: str, minutes: list[int]
) -> None:
    history: list[ReportRun] = []
    now = utc("2026-03-27 00:00")
    for pause in minutes:
        now += timedelta(minutes=pause)
        for item in due([report], CLIENTS, history, now, project_zone=zone):
            history.append(run_of(item, "failed", now))
    periods = [(run.client, run.period_start, run.period_end) for run in history]
    assert all(periods.count(period) <= 1 + len(RETRY_AFTER) for period in periods)

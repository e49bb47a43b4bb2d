from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import at, rows_of, run, runs

from aftershock.errors import UnknownColumnError, UnknownNameError
from aftershock.metrics import Interval, Period, failure_rate, wilson
from aftershock.model import COUNTED, FAILURES, ROLES, STATUS_WORDS

W47 = Period.parse("2026-W47", "UTC")
TEN = runs(
    *(run(f"s{i}", "intake", at(16 + i, 9)) for i in range(4)),
    run("p", "intake", at(17, 10), "partial"),
    run("f", "intake", at(17, 11), "failed"),
    run("t", "intake", at(18, 11), "timed_out"),
    run("c", "intake", at(19, 11), "crashed"),
    run("x", "intake", at(19, 12), "cancelled"),
    run("k", "intake", at(19, 13), "skipped"),
    run("r", "intake", at(19, 14), "running"),
    run("q", "intake", None, "queued", queued_at=at(19, 15)),
    run("u", "intake", at(19, 16), "unknown"),
    run("m", "intake", at(19, 17), "failed", role="manual"),
    run("other", "sync", at(19, 18), "failed"),
)


def test_a_row_says_how_many_failed_of_how_many_and_what_was_left_out() -> None:
    bounds = wilson(3, 8)
    assert rows_of(failure_rate(TEN).table)[0] == {
        "automation": "intake",
        "n": 8,
        "failures": 3,
        "rate": 0.375,
        "low": pytest.approx(bounds.low),
        "high": pytest.approx(bounds.high),
        "left_out": 2,
        "unfinished": 2,
        "unknown": 1,
        "other_roles": 1,
    }


def test_by_nothing_gives_one_row_over_all() -> None:
    assert [(row["n"], row["failures"]) for row in rows_of(failure_rate(TEN, by=()).table)] == [(9, 4)]


def test_the_totals_are_on_the_result() -> None:
    rates = failure_rate(TEN)
    assert (rates.n, rates.failures, rates.left_out) == (9, 4, 2)
    assert (rates.unfinished, rates.unknown, rates.other_roles) == (2, 1, 1)
    assert rates.overall == wilson(4, 9)


def test_nothing_at_all_by_nothing_still_gives_a_row_without_a_rate() -> None:
    rates = failure_rate(runs(), by=())
    row = rows_of(rates.table)[0]
    assert (row["n"], row["failures"], row["rate"], row["low"], row["high"]) == (0, 0, None, None, None)
    assert rates.overall == Interval(None, None, None, 0, 0.95, "wilson")


def test_nothing_at_all_has_no_groups() -> None:
    rates = failure_rate(runs())
    assert rows_of(rates.table) == []
    assert rates.n == 0


def test_a_group_in_which_nothing_counts_has_no_rate() -> None:
    row = rows_of(failure_rate(runs(run("x", "intake", at(19), "cancelled"))).table)[0]
    assert (row["n"], row["rate"], row["low"], row["high"], row["left_out"]) == (0, None, None, None, 1)


def test_other_roles_count_when_they_are_asked_for() -> None:
    assert failure_rate(TEN, roles=("manual",)).failures == 1
    assert failure_rate(TEN, roles=("work", "manual")).failures == 5


def test_runs_of_no_client_are_a_group_of_their_own() -> None:
    shared = runs(run("1", "a", at(16), client=None), run("2", "a", at(16), "failed"))
    assert {(row["client"], row["n"]) for row in rows_of(failure_rate(shared, by=("client",)).table)} == {
        (None, 1),
        ("acme", 1),
    }


def test_a_run_belongs_to_the_period_in_which_it_started() -> None:
    monday = run("1", "a", datetime(2026, 11, 16, tzinfo=UTC))
    sunday = run("2", "a", datetime(2026, 11, 15, 23, 59, 59, tzinfo=UTC), ended_at=at(16, 1))
    next_monday = run("3", "a", datetime(2026, 11, 23, tzinfo=UTC))
    assert failure_rate(runs(monday, sunday, next_monday), period=W47).n == 1


def test_a_run_that_never_started_belongs_where_it_was_queued_or_ended() -> None:
    queued = run("1", "a", None, "failed", queued_at=at(22, 23), ended_at=at(23, 1))
    ended = run("2", "a", None, "failed", ended_at=at(22, 23))
    assert failure_rate(runs(queued, ended), period=W47).n == 2


def test_a_run_without_any_time_is_in_no_period_and_is_told() -> None:
    rates = failure_rate(runs(run("1", "a", None, "failed"), run("2", "a", at(17))), period=W47)
    assert (rates.n, rates.undated) == (1, 1)


def test_the_period_is_cut_in_its_own_time_zone() -> None:
    late_sunday_in_utc = runs(run("1", "a", datetime(2026, 11, 22, 23, 30, tzinfo=UTC)))
    assert failure_rate(late_sunday_in_utc, period=W47).n == 1
    assert failure_rate(late_sunday_in_utc, period=Period.parse("2026-W47", "Europe/Berlin")).n == 0


def test_days_are_those_of_the_periods_time_zone() -> None:
    period = Period.parse("2026-W47", "Europe/Berlin")
    table = failure_rate(
        runs(run("1", "a", datetime(2026, 11, 16, 23, 30, tzinfo=UTC))), by=("day",), period=period
    ).table
    assert [row["day"] for row in rows_of(table)] == [date(2026, 11, 17)]


def test_the_day_on_which_clocks_go_back_holds_all_of_its_25_hours() -> None:
    period = Period.parse("2026-10-25", "Europe/Berlin")
    hourly = runs(
        *(run(str(i), "a", datetime.fromtimestamp(period.start.timestamp() + 3600 * i, UTC)) for i in range(25))
    )
    assert [(row["day"], row["n"]) for row in rows_of(failure_rate(hourly, by=("day",), period=period).table)] == [
        (date(2026, 10, 25), 25)
    ]
    assert [row["n"] for row in rows_of(failure_rate(hourly, by=("hour",), period=period).table)] == [1] * 25


def test_weeks_are_named_by_iso_across_the_years_end() -> None:
    period = Period.parse("2026-12-25..2027-01-06", "Europe/Berlin")
    three = runs(
        run("1", "a", datetime(2026, 12, 27, 12, tzinfo=UTC)),
        run("2", "a", datetime(2027, 1, 1, 12, tzinfo=UTC)),
        run("3", "a", datetime(2027, 1, 4, 12, tzinfo=UTC)),
    )
    weeks = [row["week"] for row in rows_of(failure_rate(three, by=("week",), period=period).table)]
    assert weeks == ["2026-W52", "2026-W53", "2027-W01"]


def test_an_hour_begins_where_local_clocks_say_in_a_half_hour_zone() -> None:
    period = Period.parse("2026-11-18", "Asia/Kathmandu")  # UTC+5:45
    table = failure_rate(runs(run("1", "a", at(18, 4, 20))), by=("hour",), period=period).table
    assert [row["hour"] for row in rows_of(table)] == [at(18, 4, 15)]


def test_the_sessions_time_zone_changes_nothing() -> None:
    connection = ibis.duckdb.connect()
    connection.raw_sql("set TimeZone = 'America/New_York'").fetchall()
    table = failure_rate(TEN, by=("day", "hour"), period=Period.parse("2026-W47", "Europe/Berlin")).table
    assert connection.to_pyarrow(table).to_pylist() == rows_of(table)


# --- roots ---------------------------------------------------------------------------------------------------------


def chain(*statuses: str, **more: Any) -> list[dict[str, Any]]:
    """A run and its retries, an hour apart."""
    return [
        run(f"r#{i}", "a", at(18, 9 + i), status, root_run_id="r#1", attempt=i, **more)
        for i, status in enumerate(statuses, 1)
    ]


@pytest.mark.parametrize(
    ("statuses", "n", "failures"),
    [
        (("failed", "succeeded"), 1, 0),
        (("failed", "failed", "succeeded"), 1, 0),
        (("succeeded", "failed"), 1, 1),
        (("failed", "running"), 1, 1),  # until the retry has ended, the last word is that it failed
        (("failed", "cancelled"), 1, 1),  # giving up does not undo a failure
        (("cancelled", "skipped"), 0, 0),
        (("running",), 0, 0),
    ],
)
def test_a_root_ends_as_its_last_attempt_that_counts(statuses: tuple[str, ...], n: int, failures: int) -> None:
    rates = failure_rate(runs(*chain(*statuses)), unit="root")
    assert (rates.n, rates.failures) == (n, failures)


def test_a_root_belongs_to_the_period_of_its_first_run() -> None:
    first = run("r1", "a", at(22, 23), "failed", root_run_id="r1")
    retry = run("r2", "a", at(23, 1), root_run_id="r1", attempt=2)
    this, following = W47, Period.parse("2026-W48", "UTC")
    assert [failure_rate(runs(first, retry), unit="root", period=period).n for period in (this, following)] == [1, 0]
    assert failure_rate(runs(first, retry), unit="root", period=this).failures == 0


def test_attempts_that_start_together_are_told_apart_by_their_number() -> None:
    one, two = chain("failed", "succeeded")
    two["started_at"] = one["started_at"]
    assert failure_rate(runs(two, one), unit="root").failures == 0


def test_a_work_run_that_somebody_ran_again_by_hand_is_one_root() -> None:
    first, second = chain("failed", "succeeded")
    rates = failure_rate(runs(first, {**second, "role": "manual"}), unit="root")
    assert (rates.n, rates.failures, rates.other_roles) == (1, 0, 0)


def test_a_run_that_knows_no_root_is_its_own() -> None:
    assert failure_rate(runs(run("1", "a", at(16), root_run_id=None), run("2", "a", at(16))), unit="root").n == 2


# --- the change since before ---------------------------------------------------------------------------------------


def weeks(before: tuple[int, int], now: tuple[int, int]) -> ibis.Table:
    """(failures, runs) in week 46 and in week 47."""
    return runs(
        *(
            run(f"{day}.{i}", "a", at(day), "failed" if i < failures else "succeeded")
            for day, (failures, n) in ((10, before), (17, now))
            for i in range(n)
        )
    )


def test_a_change_stands_beside_the_period_before_with_newcombes_interval() -> None:
    # Newcombe (1998) Stat Med 17:873, Table II (a): 56/70 against 48/80
    row = rows_of(failure_rate(weeks((48, 80), (56, 70)), period=W47, compare=True).table)[0]
    assert (row["n"], row["previous_n"], row["previous_rate"]) == (70, 80, 0.6)
    assert row["change"] == pytest.approx(0.2)
    assert (row["change_low"], row["change_high"]) == pytest.approx((0.0524, 0.3339), abs=6e-5)
    assert row["verdict"] == "beyond chance"


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [
        ((10, 100), (11, 100), "no change beyond chance"),
        ((1, 100), (20, 100), "beyond chance"),
        ((20, 100), (1, 100), "beyond chance"),
        ((0, 5), (5, 5), "beyond chance"),
        ((0, 4), (4, 4), "too few to compare"),
        ((0, 0), (4, 40), "too few to compare"),
        ((4, 40), (0, 0), "too few to compare"),
    ],
)
def test_a_verdict_says_whether_a_change_is_more_than_chance(
    before: tuple[int, int], now: tuple[int, int], verdict: str
) -> None:
    assert rows_of(failure_rate(weeks(before, now), period=W47, compare=True).table)[0]["verdict"] == verdict


def test_a_group_that_fell_silent_is_still_there_to_compare() -> None:
    row = rows_of(failure_rate(weeks((1, 9), (0, 0)), period=W47, compare=True).table)[0]
    assert (row["n"], row["rate"], row["change"], row["previous_n"]) == (0, None, None, 9)


def test_comparing_does_not_change_what_is_counted_now() -> None:
    plain = rows_of(failure_rate(TEN, period=W47).table)
    compared = rows_of(failure_rate(TEN, period=W47, compare=True).table)
    assert [{key: row[key] for key in plain[0]} for row in compared] == plain


# --- what is refused -----------------------------------------------------------------------------------------------


def test_a_column_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownColumnError, match=r"no column 'automatoin'. Did you mean 'automation'\?"):
        failure_rate(TEN, by=("automatoin",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "step"}, "unit: 'step': write 'run' or 'root'"),
        ({"level": 95}, "level: 95: write a share inside"),
        ({"by": ("day",)}, "by 'day' needs a period"),
        ({"compare": True}, "compare needs a period"),
        ({"compare": True, "period": W47, "by": ("day",)}, "compare does not go with by 'day'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        failure_rate(TEN, **options)


def test_an_unknown_role_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match=r"no role 'wrok'. Did you mean 'work'\?"):
        failure_rate(TEN, roles=("wrok",))


# --- properties ----------------------------------------------------------------------------------------------------

some_runs = st.lists(
    st.builds(
        lambda i, automation, status, role, hour, root, attempt: {
            **run(f"{i}", automation, at(14 + hour // 24, hour % 24), status, role=role, attempt=attempt),
            "root_run_id": f"root {root}",
        },
        i=st.integers(0, 10**9),
        automation=st.sampled_from("ab"),
        status=st.sampled_from(STATUS_WORDS),
        role=st.sampled_from(ROLES),
        hour=st.integers(0, 300),
        root=st.integers(0, 5),
        attempt=st.integers(1, 3),
    ),
    max_size=25,
    unique_by=lambda row: row["run_id"],
)
COUNTS = ("n", "left_out", "unfinished", "unknown", "other_roles")


@settings(max_examples=12, deadline=None)
@given(rows=some_runs, unit=st.sampled_from(["run", "root"]), data=st.data())
def test_the_order_of_rows_does_not_matter(rows: list[dict[str, Any]], unit: Any, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows))
    one, other = (failure_rate(runs(*some), unit=unit, by=("automation",)).table for some in (rows, shuffled))
    assert rows_of(one) == rows_of(other)


@settings(max_examples=12, deadline=None)
@given(rows=some_runs)
def test_every_run_is_in_exactly_one_column(rows: list[dict[str, Any]]) -> None:
    rates = failure_rate(runs(*rows), by=())
    assert sum(rates.totals[name] for name in COUNTS) == len(rows)
    work = [row["status"] for row in rows if row["role"] == "work"]
    assert rates.n == sum(status in COUNTED for status in work)
    assert rates.failures == sum(status in FAILURES for status in work)


@settings(max_examples=5, deadline=None)
@given(rows=some_runs, unit=st.sampled_from(["run", "root"]))
def test_splitting_by_day_sums_up_to_the_week(rows: list[dict[str, Any]], unit: Any) -> None:
    period = Period.parse("2026-W47", "Europe/Berlin")
    whole = failure_rate(runs(*rows), by=(), unit=unit, period=period)
    parts = failure_rate(runs(*rows), by=("day",), unit=unit, period=period)
    assert parts.totals == whole.totals
    days = [failure_rate(runs(*rows), by=(), unit=unit, period=day).totals for day in period.days()]
    assert {name: sum(day[name] for day in days) for name in whole.totals} == dict(whole.totals)


def week(automation: str, day: int, failed: int, n: int) -> list[dict[str, Any]]:
    return [
        run(f"{automation} {day} {i}", automation, at(day, 1), "failed" if i < failed else "succeeded")
        for i in range(n)
    ]


MOVED = {"worse": (1, 40, 20, 40), "same": (4, 40, 5, 40), "none": (0, 30, 0, 50), "better": (9, 20, 1, 30)}


def test_a_change_has_the_p_value_of_the_score_test() -> None:
    # scipy's chi2_contingency without correction is R's prop.test(correct=FALSE).
    from scipy.stats import chi2_contingency

    rows = [one for name, (x, n, y, m) in MOVED.items() for one in [*week(name, 9, x, n), *week(name, 16, y, m)]]
    table = failure_rate(runs(*rows), period=W47, compare=True).to_pandas().set_index("automation")
    for name, (x, n, y, m) in MOVED.items():
        exact = chi2_contingency([[x, n - x], [y, m - y]], correction=False).pvalue if x + y else 1.0
        assert table.loc[name, "p_value"] == pytest.approx(exact, rel=3e-7)


def test_q_is_about_all_groups_that_can_be_compared() -> None:
    from aftershock.metrics import benjamini_hochberg

    rows = [one for name, (x, n, y, m) in MOVED.items() for one in [*week(name, 9, x, n), *week(name, 16, y, m)]]
    rows += [*week("new", 16, 3, 30), *week("rare", 9, 1, 2), *week("rare", 16, 1, 2)]
    table = failure_rate(runs(*rows), period=W47, compare=True).to_pandas().set_index("automation")
    assert table.loc[["new", "rare"], ["p_value", "q_value"]].isna().all(axis=None)
    assert list(table["q_value"]) == pytest.approx(
        list(benjamini_hochberg(table["p_value"]).table["q_value"]), nan_ok=True
    )
    assert benjamini_hochberg(table["p_value"]).n == 4


def test_a_single_row_has_its_p_value_for_q() -> None:
    rows = [*week("a", 9, 1, 20), *week("a", 16, 9, 20)]
    row = rows_of(failure_rate(runs(*rows), by=(), period=W47, compare=True).table)[0]
    assert row["q_value"] == row["p_value"]


def test_the_result_has_the_interval_over_all_groups() -> None:
    assert failure_rate(TEN).interval == wilson(4, 9)

"""Trends, time between failures and cumulative failures from a table of runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from aftershock.errors import UnknownColumnError, UnknownNameError
from aftershock.metrics import (
    Result,
    cumulative_failures,
    failure_trends,
    laplace_trend,
    mean_cumulative_function,
    military_handbook_trend,
    mtbf,
    mtbf_by_automation,
)

START = datetime(2026, 3, 2, tzinfo=UTC)
METRICS: tuple[Callable[..., Any], ...] = (failure_trends, mtbf_by_automation, cumulative_failures)


def run_table(rows: Sequence[tuple[str, float, str]], **columns: Any) -> ibis.Table:
    """Runs from (automation, hours since the start, status), each its own root."""
    frame = pd.DataFrame(
        {
            "run_id": [f"r{place}" for place in range(len(rows))],
            "root_run_id": [f"r{place}" for place in range(len(rows))],
            "automation": [row[0] for row in rows],
            "started_at": pd.Series([START + timedelta(hours=row[1]) for row in rows], dtype="datetime64[us, UTC]"),
            "status": [row[2] for row in rows],
            "role": "work",
            "attempt": 1,
        }
    ).assign(**columns)
    frame = frame.assign(queued_at=frame["started_at"], ended_at=frame["started_at"])
    return ibis.memtable(
        frame.astype(dict.fromkeys(("run_id", "root_run_id", "automation", "status", "role"), "object")),
        schema={
            "run_id": "string",
            "root_run_id": "string",
            "automation": "string",
            "started_at": "timestamp('UTC')",
            "status": "string",
            "role": "string",
            "attempt": "int64",
            "queued_at": "timestamp('UTC')",
            "ended_at": "timestamp('UTC')",
        },
    )


def hourly(name: str, failed_at: Sequence[int], hours: int = 100) -> list[tuple[str, float, str]]:
    return [(name, float(hour), "failed" if hour in failed_at else "succeeded") for hour in range(hours)]


def test_sums_in_sql_are_the_tests_on_ages() -> None:
    failed = [3, 10, 11, 40, 77, 99]
    row = failure_trends(run_table(hourly("a", failed)), event="root").table.iloc[0]
    ages = [hour + 0.5 for hour in failed]
    assert row["laplace_z"] == pytest.approx(laplace_trend(ages, 100).statistic)
    assert row["mil_chi2"] == pytest.approx(military_handbook_trend(ages, 100).statistic)
    assert row["p_value"] == pytest.approx(laplace_trend(ages, 100).p_value)
    assert row["mil_p_value"] == pytest.approx(military_handbook_trend(ages, 100).p_value)
    assert row["observed_h"] == pytest.approx(100)


def test_failures_in_a_row_are_one_incident_and_each_is_a_root() -> None:
    runs = run_table(hourly("a", [10, 11, 12, 50, 99]))
    assert [failure_trends(runs, event=event).n for event in ("incident", "root", "run")] == [3, 5, 5]  # type: ignore[arg-type]


def test_a_retry_that_helps_makes_a_run_fail_but_no_root() -> None:
    rows = [("a", 0.0, "succeeded"), ("a", 1.0, "failed"), ("a", 1.1, "succeeded"), ("a", 2.0, "succeeded")]
    runs = run_table(rows, root_run_id=["r0", "r1", "r1", "r3"], attempt=[1, 1, 2, 1])
    assert [failure_trends(runs, event=event).n for event in ("incident", "root", "run")] == [0, 0, 1]  # type: ignore[arg-type]


def test_attempts_of_one_moment_are_ordered_by_their_number() -> None:
    rows = [("a", 0.0, "succeeded"), ("a", 1.0, "succeeded"), ("a", 1.0, "failed"), ("a", 2.0, "succeeded")]
    runs = run_table(rows, root_run_id=["r0", "r1", "r1", "r3"], attempt=[1, 1, 2, 1])
    assert failure_trends(runs, event="root").n == 1


def test_gathering_failures_are_called_worsening_among_steady_automations() -> None:
    rows = hourly("bad", range(60, 100, 4), 100)
    for place in range(8):
        rows += hourly(f"steady {place}", range(5 + place, 100, 20), 100)
    result = failure_trends(run_table(rows))
    assert result.table["automation"].iloc[0] == "bad"
    assert result.table.set_index("automation")["direction"].to_dict()["bad"] == "worsening"
    assert (result.table["direction"] == "no trend").sum() == 8


def test_an_automation_that_merely_runs_more_often_is_worse_by_the_hour_and_not_by_the_run() -> None:
    rows = [("a", float(hour), "failed" if hour % 10 == 5 else "succeeded") for hour in range(100)]
    rows += [("a", 100 + minute / 10, "failed" if minute % 10 == 5 else "succeeded") for minute in range(1000)]
    by_hour, by_run = (failure_trends(run_table(rows), clock=clock).table.iloc[0] for clock in ("hours", "runs"))  # type: ignore[arg-type]
    assert by_hour["direction"] == "worsening"
    assert abs(by_run["laplace_z"]) < 0.2


def test_few_of_many_steady_automations_are_said_to_have_a_trend() -> None:
    rng = np.random.default_rng(3)
    rows = [
        row
        for place in range(150)
        for row in hourly(f"a{place}", np.flatnonzero(rng.uniform(size=300) < 0.05).tolist(), 300)
    ]
    table = failure_trends(run_table(rows), event="root").table
    assert (table["p_value"] < 0.05).mean() == pytest.approx(0.05, abs=0.045)
    assert table["direction"].isin(["improving", "worsening"]).sum() <= 2


@pytest.mark.parametrize("metric", METRICS)
def test_the_order_of_rows_does_not_matter(metric: Callable[..., Any]) -> None:
    rows = hourly("a", [3, 4, 50, 70, 71]) + hourly("b", [20, 30, 40, 90])
    there, back = metric(run_table(rows)), metric(run_table(rows[::-1]))
    pd.testing.assert_frame_equal(there.to_pandas(), back.to_pandas())


def test_mtbf_of_a_table_is_mtbf_of_its_numbers() -> None:
    row = mtbf_by_automation(run_table(hourly("a", [10, 30, 60, 90]))).table.iloc[0]
    alone = mtbf(4, 100)
    assert (row["mtbf"], row["low"], row["high"]) == (
        pytest.approx(25),
        pytest.approx(alone.low),
        pytest.approx(alone.high),
    )
    by_runs = mtbf_by_automation(
        run_table([(name, hour * 7, status) for name, hour, status in hourly("a", [10, 30])]), exposure="runs"
    )
    assert by_runs.table["mtbf"].tolist() == [50.0]


def test_there_is_no_mtbf_for_an_automation_with_a_trend_or_without_failures() -> None:
    rows = hourly("bad", range(60, 100, 4), 100) + hourly("good", [])
    table = mtbf_by_automation(run_table(rows)).table.set_index("automation")
    assert table["mtbf"].isna().all()
    assert table["verdict"].to_dict() == {
        "bad": "worsening: no mean to speak of",
        "good": "no failure: a lower limit only",
    }
    assert table.loc["good", "low"] == pytest.approx(mtbf(0, 100).low)


def test_cumulative_failures_are_the_function_of_its_days() -> None:
    rows = hourly("a", [10, 30, 90], 96) + hourly("b", [25], 48)
    curve = cumulative_failures(run_table(rows), event="root")
    expected = mean_cumulative_function([[1.0, 2.0, 4.0], [2.0]], [4.0, 2.0])
    assert np.allclose(curve.table.to_numpy(), expected.table.to_numpy())
    assert (curve.n, curve.systems) == (4, 2)


def test_on_the_calendar_an_automation_counts_from_its_first_day_on() -> None:
    late = [("b", hour + 72, status) for _, hour, status in hourly("b", [30], 48)]
    by_day = cumulative_failures(run_table(hourly("a", [10], 120) + late), scale="calendar").table
    assert by_day["at_risk"].tolist() == [1, 2]
    assert np.diff(by_day["time"]).tolist() == [4.0]


@pytest.mark.parametrize("metric", METRICS)
def test_other_roles_and_what_never_ran_do_not_count(metric: Callable[..., Any]) -> None:
    rows = [("a", 0.0, "failed"), ("a", 1.0, "cancelled"), ("a", 2.0, "running"), ("a", 3.0, "failed")]
    assert metric(run_table(rows), event="run").n == 2
    assert metric(run_table(rows, role="test"), event="run").n == 0


@pytest.mark.parametrize("metric", METRICS)
def test_no_runs_give_no_rows(metric: Callable[..., Any]) -> None:
    result = metric(run_table([]))
    assert (result.n, len(result.to_pandas())) == (0, 0)
    assert isinstance(result, Result)


def test_a_single_run_has_no_length_of_time() -> None:
    runs = run_table([("a", 0.0, "failed")])
    assert failure_trends(runs).table["direction"].tolist() == ["too few to tell"]
    assert mtbf_by_automation(runs).table["verdict"].tolist() == ["one unit: no length of time"]


@pytest.mark.parametrize("metric", METRICS)
def test_what_is_not_there_is_named(metric: Callable[..., Any]) -> None:
    runs = run_table(hourly("a", []))
    with pytest.raises(UnknownColumnError, match="'automatoin'"):
        metric(runs, by=("automatoin",))
    with pytest.raises(UnknownNameError, match="'wrok'"):
        metric(runs, roles=("wrok",))
    with pytest.raises(ValueError, match="write 'incident', 'root' or 'run'"):
        metric(runs, event="outage")

"""Budgets, burn rates, alerts, Apdex, retry ladders and chains from tables of runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from aftershock.errors import UnknownColumnError
from aftershock.metrics import (
    Result,
    apdex_of_runs,
    burn_alerts,
    burn_rates,
    chain_reliability,
    error_budgets,
    retry_ladder,
    wilson,
)

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
SCHEMA = {
    "run_id": "string", "root_run_id": "string", "automation": "string", "status": "string", "role": "string", "correlation_id": "string",
    "attempt": "int64", "duration_s": "float64", "started_at": "timestamp('UTC')", "queued_at": "timestamp('UTC')", "ended_at": "timestamp('UTC')",
}  # fmt: skip


def run_table(rows: Sequence[tuple[str, float, str]], **columns: Any) -> ibis.Table:
    """Runs from (automation, hours before now, status)."""
    when = pd.Series([NOW - timedelta(hours=row[1]) for row in rows], dtype="datetime64[us, UTC]")
    ids = [f"r{place}" for place in range(len(rows))]
    frame = pd.DataFrame(
        {"run_id": ids, "root_run_id": ids, "automation": [row[0] for row in rows], "status": [row[2] for row in rows]}
    )
    frame = frame.assign(
        role="work", correlation_id=None, attempt=1, duration_s=1.0, started_at=when, queued_at=when, ended_at=when
    )
    return ibis.memtable(
        frame.assign(**columns)[list(SCHEMA)].astype(
            {name: "object" for name, kind in SCHEMA.items() if kind == "string"}
        ),
        schema=SCHEMA,
    )


def daily(name: str, failed: Sequence[int], days: int = 30) -> list[tuple[str, float, str]]:
    """One run a day; `failed` are days ago, 0 is the newest."""
    return [(name, day * 24.0 + 1, "failed" if day in failed else "succeeded") for day in range(days)]


def verdicts(rows: Sequence[tuple[str, float, str]], objective: float = 0.99, **options: Any) -> list[str]:
    return burn_alerts(run_table(rows), objective, now=NOW, **options).table.execute()["verdict"].tolist()


def test_budgets_of_automations_are_their_rates_over_the_objective() -> None:
    table = error_budgets(run_table(daily("a", [1, 2, 3]) + daily("b", [])), 0.9).to_pandas().set_index("automation")
    assert table["allowed"].tolist() == pytest.approx([3.0, 3.0])
    assert table["affordable"].tolist() == [0, 3]
    assert table["left_share"].tolist() == pytest.approx([0.0, 1.0])


def test_budgets_of_groups_add_up_to_that_of_all() -> None:
    runs = run_table(daily("a", [1, 2, 3]) + daily("b", [7]))
    each, all_ = error_budgets(runs, 0.95).to_pandas(), error_budgets(runs, 0.95, by=()).to_pandas()
    assert each[["n", "failures", "allowed"]].sum().tolist() == pytest.approx(
        all_[["n", "failures", "allowed"]].iloc[0].tolist()
    )


def test_burn_is_the_rate_over_the_budget_with_its_interval() -> None:
    rates = burn_rates(run_table(daily("a", [0, 1])), 0.95, now=NOW, windows_h=[240])
    row, expected = rates.to_pandas().iloc[0], wilson(2, 10)
    assert (row["n"], row["burn"]) == (10, pytest.approx(0.2 / 0.05))
    assert (row["low"], row["high"]) == (pytest.approx(expected.low / 0.05), pytest.approx(expected.high / 0.05))  # type: ignore[operator]
    assert rates.n == 10


def test_a_window_without_runs_is_null() -> None:
    table = burn_rates(run_table(daily("a", [])), 0.95, now=NOW, windows_h=[0.5, 48]).to_pandas()
    assert table["n"].tolist() == [0, 2]
    assert table["burn"].isna().tolist() == [True, False]


def test_runs_after_now_are_of_no_window() -> None:
    assert (
        burn_rates(run_table([("a", -1.0, "failed"), ("a", 1.0, "succeeded")]), 0.95, now=NOW).to_pandas()["n"].max()
        == 1
    )


def test_one_failure_of_a_daily_automation_wakes_nobody() -> None:
    assert set(verdicts(daily("a", [0]))) == {"ok"}


def test_an_automation_that_hardly_runs_cannot_be_judged() -> None:
    assert set(verdicts(daily("a", [0], days=3))) == {"cannot tell: 3 runs"}
    assert set(verdicts(daily("a", [0], days=1))) == {"cannot tell: 1 run"}


def test_a_daily_automation_that_fails_half_of_its_runs_alerts() -> None:
    assert "alert" in verdicts(daily("a", [0, 1, 2, 4, 6]))


def test_an_alert_ends_when_the_newest_run_goes_well() -> None:
    assert "alert" not in verdicts(daily("a", [1, 2, 4, 6]))


def test_a_busy_automation_in_an_outage_pages_by_time() -> None:
    rows = [("a", minute / 60, "failed" if minute < 30 else "succeeded") for minute in range(72 * 60)]
    alerts = burn_alerts(run_table(rows), 0.99, now=NOW)
    first = alerts.alerts.execute().iloc[0]
    assert (first["severity"], first["window"], first["n"]) == ("page", "time", 60)
    assert alerts.n == 72 * 60


def test_a_threshold_above_all_rates_can_never_alert_and_says_so() -> None:
    assert verdicts(daily("a", list(range(30))), 0.9)[0] == "cannot tell: no rate is so high"


def test_steady_streams_at_their_objective_seldom_alert() -> None:
    """400 automations that fail exactly as often as the objective allows, a run a day or an hour: in one look all rules together."""
    rng = np.random.default_rng(5)
    for step_h, runs in ((24.0, 30), (1.0, 240)):
        rows = []
        for place in range(400):
            failed = rng.uniform(size=runs) < 0.02
            rows += [(f"a{place}", k * step_h + 0.1, "failed" if bad else "succeeded") for k, bad in enumerate(failed)]
        table = burn_alerts(run_table(rows), 0.98, now=NOW).alerts.execute()
        assert table["automation"].nunique() / 400 < 0.02
        assert table.loc[table["severity"] == "page", "automation"].nunique() / 400 < 0.005


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="give it a time zone"):
        burn_rates(run_table([]), 0.9, now=NOW.replace(tzinfo=None))


def test_apdex_of_runs_takes_failed_ones_as_frustrated() -> None:
    rows = [("a", float(k), "failed" if k == 0 else "succeeded") for k in range(5)]
    scores = apdex_of_runs(run_table(rows, duration_s=[1.0, 10.0, 11.0, 41.0, None]), 10)
    row = scores.to_pandas().iloc[0]
    assert row[["satisfied", "tolerating", "frustrated", "left_out"]].tolist() == [1, 1, 2, 1]
    assert (row["apdex"], scores.interval.estimate, scores.n, scores.left_out) == (0.375, 0.375, 4, 1)


def test_the_ladder_reads_what_retries_do_after_a_failure() -> None:
    """Ten roots: eight go well at once, of two that are retried one is rescued."""
    rows = [("a", 10.0 - k, "succeeded") for k in range(8)]
    rows += [("a", 20.0, "failed"), ("a", 19.9, "succeeded"), ("a", 30.0, "failed"), ("a", 29.9, "failed")]
    roots = [f"r{k}" for k in range(8)] + ["x", "x", "y", "y"]
    ladder = retry_ladder(run_table(rows, root_run_id=roots, attempt=[1] * 8 + [1, 2, 1, 2]))
    assert ladder.table["conditional_failure"].tolist() == pytest.approx([0.2, 0.5])
    assert (ladder.first, ladder.observed, ladder.retried) == (pytest.approx(0.8), pytest.approx(0.9), 2)
    assert ladder.independent == pytest.approx(1 - 0.2 * 0.2)
    assert ladder.table["reliability"].iloc[-1] == pytest.approx(0.9)


def test_ladders_of_groups_add_up_to_that_of_all() -> None:
    rows = [("a" if k % 3 else "b", 50.0 - k, "failed" if k % 5 == 0 else "succeeded") for k in range(30)]
    runs = run_table(rows, root_run_id=[f"x{k // 2}" for k in range(30)], automation="a")
    each, whole = retry_ladder(runs, by=("automation",)).table, retry_ladder(runs).table
    assert each["n"].sum() == whole["n"].sum()


def chained(a: np.ndarray, b: np.ndarray) -> ibis.Table:
    rows = [("a", 1.0, "failed" if bad else "succeeded") for bad in a] + [
        ("b", 0.5, "failed" if bad else "succeeded") for bad in b
    ]
    return run_table(rows, correlation_id=[f"c{k}" for k in range(a.size)] + [f"c{k}" for k in range(b.size)])


def test_parts_that_fail_together_make_the_chain_better_than_their_product() -> None:
    rng = np.random.default_rng(2)
    outage = rng.uniform(size=400) < 0.1
    result = chain_reliability(chained(outage, outage | (rng.uniform(size=400) < 0.02)), ["a", "b"])
    assert result.verdict == "parts fail together"
    assert result.observed > result.predicted  # type: ignore[operator]


def test_dependence_is_seen_in_about_five_of_a_hundred_independent_chains() -> None:
    rng, seen = np.random.default_rng(3), 0
    for _ in range(40):
        result = chain_reliability(chained(rng.uniform(size=200) < 0.2, rng.uniform(size=200) < 0.2), ["a", "b"])
        seen += result.verdict != "no dependence seen"
    assert seen <= 6


def test_of_chains_in_which_one_part_alone_ever_failed_nothing_can_be_told() -> None:
    result = chain_reliability(chained(np.arange(50) < 5, np.zeros(50, dtype=bool)), ["a", "b"])
    assert (result.predicted, result.verdict) == (
        result.observed,
        "cannot tell: fewer than two parts failed in whole chains",
    )


def test_chains_with_a_part_that_never_ran_are_left_out() -> None:
    runs = chained(np.array([True, False]), np.array([False]))
    result = chain_reliability(runs, ["a", "b"])
    assert (result.n, result.left_out, result.table["failures"].tolist()) == (1, 1, [1, 0])


def test_a_parts_last_attempt_decides() -> None:
    rows = [("a", 1.0, "failed"), ("a", 0.9, "succeeded"), ("b", 0.5, "succeeded")]
    result = chain_reliability(run_table(rows, correlation_id="c", attempt=[1, 2, 1]), ["a", "b"])
    assert (result.observed, result.predicted) == (1.0, 1.0)


def test_nothing_to_count_is_null() -> None:
    runs = run_table([])
    results = (
        error_budgets(runs, 0.9),
        burn_rates(runs, 0.9, now=NOW),
        burn_alerts(runs, 0.9, now=NOW),
        apdex_of_runs(runs, 1),
    )
    for result in (*results, retry_ladder(runs), chain_reliability(runs, ["a", "b"])):
        assert (result.n, result.left_out) == (0, 0)
        assert isinstance(result, Result)


def test_unknown_columns_are_named() -> None:
    for call in (lambda runs: burn_rates(runs, 0.9, now=NOW, by=["nme"]), lambda runs: retry_ladder(runs, by=["nme"])):
        with pytest.raises(UnknownColumnError, match="'nme'"):
            call(run_table([]))


def test_burning_says_how_many_runs_it_does_not_count() -> None:
    rows = [
        ("a", 2.0, "failed"),
        ("a", 3.0, "succeeded"),
        ("a", 4.0, "cancelled"),
        ("a", 5.0, "running"),
        ("a", 99.0, "failed"),
    ]
    runs = run_table(rows, role=["work", "test", "work", "work", "work"])
    rates = burn_rates(runs, 0.99, now=NOW, windows_h=(6,))
    assert (rates.n, rates.left_out) == (1, 3)
    assert burn_alerts(runs, 0.99, now=NOW, fewest=1).left_out == 3

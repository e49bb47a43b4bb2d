"""Error budgets, burn rates as arithmetic, Apdex and composition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftershock.metrics import (
    Result,
    allowed_downtime,
    apdex,
    burn_outlook,
    burn_rate_thresholds,
    detection_time,
    error_budget,
    parallel,
    series,
    with_fallback,
    with_retry,
)

shares = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8)


def test_the_budget_is_said_in_runs() -> None:
    budget = error_budget(2, 300, 0.99, planned=500)
    assert (budget.affordable, budget.sentence) == (3, "2 of 5 allowed failures used: you can afford 3 more")
    assert budget.left_share == pytest.approx(0.6)


def test_a_spent_budget_affords_none_and_is_below_zero() -> None:
    budget = error_budget(4, 100, 0.99)
    assert (budget.affordable, budget.left_share) == (0, pytest.approx(-3))
    assert budget.sentence == "4 failures, 1 allowed: the budget is spent"


@pytest.mark.parametrize(
    ("n", "failures", "verdict"),
    [(1000, 0, "met"), (1000, 50, "missed"), (20, 0, "cannot tell"), (0, 0, "cannot tell")],
)
def test_the_verdict_is_about_the_true_rate_and_not_the_luck_of_the_period(n: int, failures: int, verdict: str) -> None:
    assert error_budget(failures, n, 0.99).verdict == verdict


@given(st.integers(0, 500), st.integers(0, 500), st.sampled_from([0.9, 0.95, 0.99, 0.999]))
def test_budgets_of_two_halves_add_up(first: int, second: int, objective: float) -> None:
    whole = error_budget(0, first + second, objective).allowed
    assert error_budget(0, first, objective).allowed + error_budget(0, second, objective).allowed == pytest.approx(
        whole
    )


def test_a_budget_of_ten_is_ten_and_not_nine_point_nine() -> None:
    assert [
        error_budget(0, n, objective).affordable for n, objective in ((1000, 0.99), (100, 0.9), (10_000, 0.999))
    ] == [10, 10, 10]


def test_an_objective_of_everything_leaves_no_budget_to_speak_of() -> None:
    with pytest.raises(ValueError, match="inside"):
        error_budget(0, 10, 1.0)


def test_minutes_follow_the_period() -> None:
    assert allowed_downtime(0.999, period_days=28).estimate == pytest.approx(40.32)


def test_thresholds_follow_the_period_and_not_thirty_days() -> None:
    """28 days: 13.44, 5.6, 2.8, 0.933."""
    policy = burn_rate_thresholds(period_days=28)
    assert policy.table["burn"].tolist() == pytest.approx([13.44, 5.6, 2.8, 0.9333], abs=1e-4)
    assert policy.table["short_h"].tolist() == pytest.approx([1 / 12, 0.5, 2, 6])
    assert policy.table["severity"].tolist() == ["page", "page", "ticket", "ticket"]


def test_a_window_longer_than_the_period_is_refused() -> None:
    with pytest.raises(ValueError, match="no longer than the period, 24 h"):
        burn_rate_thresholds(period_days=1)


def test_half_a_budget_lasts_half_as_long() -> None:
    assert burn_outlook(2, 0.99, left_share=0.5).exhausted_after_days == pytest.approx(7.5)
    assert burn_outlook(0, 0.99).exhausted_after_h is None


def test_more_failures_than_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        burn_outlook(11, 0.9)


def test_an_outage_is_seen_the_sooner_the_worse_it_is() -> None:
    """Workbook, 99.9 % with the 1 h window at 14.4: a full outage after 52 seconds."""
    assert detection_time(1.0, 0.999, burn=14.4, window_h=1).estimate == pytest.approx(51.84 / 3600)
    assert detection_time(0.01, 0.999, burn=14.4, window_h=1).estimate is None


def test_apdex_of_the_specification_with_its_interval() -> None:
    score = apdex(60, 30, 10)
    assert score.estimate == 0.75
    assert score.low < 0.75 < score.high  # type: ignore[operator]
    assert apdex(0, 0, 0).estimate is None
    assert (apdex(5, 0, 0).high, apdex(0, 0, 5).low) == (1.0, 0.0)


def test_apdex_intervals_hold_the_true_score() -> None:
    rng = np.random.default_rng(2)
    drawn = rng.multinomial(40, [0.6, 0.3, 0.1], size=2000)
    held = [one.low <= 0.75 <= one.high for one in (apdex(*map(int, row)) for row in drawn)]  # type: ignore[operator]
    assert np.mean(held) >= 0.95


@given(shares)
def test_series_is_worse_than_its_worst_part_and_parallel_better_than_its_best(parts: list[float]) -> None:
    assert series(parts).estimate <= min(parts) + 1e-12  # type: ignore[operator]
    assert parallel(parts).estimate >= max(parts) - 1e-12  # type: ignore[operator]


@given(shares)
def test_parallel_is_series_of_failures(parts: list[float]) -> None:
    assert 1 - parallel(parts).estimate == pytest.approx(series([1 - p for p in parts]).estimate, abs=1e-12)  # type: ignore[operator]


def test_retries_take_the_share_of_retries_that_failed() -> None:
    assert with_retry([0.1, 0.5]).estimate == pytest.approx(0.95)
    assert with_retry([0.1, 0.1]).estimate == pytest.approx(parallel([0.9, 0.9]).estimate)


def test_a_fallback_helps_by_what_it_does_after_a_failure() -> None:
    assert with_fallback(0.9, 0.5).estimate == pytest.approx(0.95)


def test_bounds_come_with_trials_and_narrow_with_more() -> None:
    few, many = series([0.9, 0.95], n=[20, 20]), series([0.9, 0.95], n=[2000, 2000])
    assert few.low < many.low < 0.855 < many.high < few.high  # type: ignore[operator]
    assert (few.n, series([0.9]).low) == (20, None)


def test_bounds_of_a_series_hold_the_truth() -> None:
    rng, held = np.random.default_rng(1), 0
    for _ in range(200):
        hits = rng.binomial([80, 120], [0.9, 0.95])
        one = series((hits / [80, 120]).tolist(), n=[80, 120])
        held += one.low <= 0.855 <= one.high  # type: ignore[operator]
    assert held / 200 == pytest.approx(0.95, abs=0.04)


def test_the_empty_series_cannot_fail_and_the_empty_parallel_cannot_work() -> None:
    assert (series([]).estimate, parallel([]).estimate) == (1.0, 0.0)


@pytest.mark.parametrize("whole", [series, parallel, with_retry])
def test_shares_outside_their_bounds_are_named(whole: object) -> None:
    with pytest.raises(ValueError, match=r"part 1 is 1\.2: write shares inside"):
        whole([0.5, 1.2])  # type: ignore[operator]


def test_all_are_results() -> None:
    for result in (
        error_budget(0, 1, 0.9),
        burn_rate_thresholds(),
        burn_outlook(1, 0.9),
        apdex(1, 0, 0),
        series([0.5]),
    ):
        assert isinstance(result, Result)
        assert len(result.to_pandas()) >= 1

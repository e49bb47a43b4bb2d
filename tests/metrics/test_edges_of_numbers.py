"""Where formulas lose their digits or their meaning: shares near 1, large n, one system, nothing at all."""

from __future__ import annotations

from decimal import Decimal, getcontext
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aftershock import metrics


def koopman_by_decimals(x1: int, n1: int, x2: int, n2: int, ratio: float) -> float:
    """Koopman's chi-square at a ratio, in sixty digits."""
    getcontext().prec = 60
    r, total = Decimal(ratio), Decimal(x1 + x2)
    b = n1 * r + x1 + n2 + x2 * r
    p2 = (b - (b * b - 4 * (n1 + n2) * r * total).sqrt()) / (2 * (n1 + n2) * r)
    parts = [(Decimal(x) - n * p) ** 2 / (n * p * (1 - p)) for x, n, p in ((x1, n1, p2 * r), (x2, n2, p2))]
    return float(sum(parts))


@pytest.mark.parametrize(
    "counts",
    [(999999, 10**6, 10**6 - 1, 10**6), (10**9 - 1, 10**9, 10**9 - 3, 10**9), (7, 34, 1, 34), (50, 10**6, 30, 10**7)],
)
def test_koopmans_bounds_hold_where_both_shares_are_near_one(counts: tuple[int, int, int, int]) -> None:
    found = metrics.koopman(*counts)
    assert found.low is not None
    assert found.high is not None
    for bound in (found.low, found.high):
        assert koopman_by_decimals(*counts, bound) == pytest.approx(3.841458820694124, rel=1e-5)


@pytest.mark.parametrize("level", [0.001, 0.5, 0.999, 0.999999])
def test_every_interval_has_bounds_at_every_level(level: float) -> None:
    for method in ("wilson", "wilson_cc", "clopper_pearson", "jeffreys", "mid_p", "likelihood_ratio", "agresti_coull"):
        found = getattr(metrics, method)(3, 10, level)
        assert 0 <= found.low < found.high <= 1


def test_a_bound_of_one_failure_in_a_milliard_has_its_digits() -> None:
    # P(X > 1) + P(X = 1)/2 = 0.025 for a Poisson variable: 0.05002527 in all
    assert metrics.mid_p(1, 10**9).low == pytest.approx(0.0500252e-9, rel=1e-5)
    assert metrics.zero_failure_bound(10**12) == pytest.approx(2.995732273554e-12, rel=1e-12)


def test_the_factors_of_the_current_mtbf_go_to_one_for_ten_thousand_failures() -> None:
    low, high = metrics.current_mtbf_factors(10_000, truncation="failure")
    assert low < 1
    assert high is not None
    assert (low, high) == pytest.approx(metrics.current_mtbf_factors(10_000), abs=3e-4)


@pytest.mark.parametrize(("n", "level", "truncation"), [(5, 95, "time"), (2.5, 0.9, "time"), (5, 0.9, "never")])
def test_factors_of_nonsense_are_refused(n: Any, level: float, truncation: Any) -> None:
    with pytest.raises(ValueError, match="write"):
        metrics.current_mtbf_factors(n, level, truncation=truncation)


def test_one_system_gives_a_curve_without_bounds() -> None:
    curve = metrics.mean_cumulative_function([[1, 2, 3]], [5])
    assert [curve.interval.estimate, curve.interval.low, curve.interval.high] == [3.0, None, None]


def test_a_system_that_ended_with_a_failure_and_had_none_was_not_observed() -> None:
    nothing = metrics.mtbf([], None, truncation="failure")  # type: ignore[arg-type]
    assert [nothing.mtbf, nothing.low, nothing.high, nothing.total_time] == [None, None, None, 0.0]
    assert metrics.power_law([], truncation="failure").total_time == 0.0
    alone, beside = (metrics.power_law(times, truncation="failure") for times in ([1, 2, 9.0], [[1, 2, 9.0], []]))
    assert [beside.beta, beside.lam, beside.systems] == [alone.beta, alone.lam, 1]


@pytest.mark.parametrize("failures", [[0, 5], [0, 0, 7], [5, 0]])
def test_failures_in_one_interval_alone_give_no_shape(failures: list[int]) -> None:
    fit = metrics.power_law_grouped([10, 20, 30][: len(failures)], failures)
    assert [fit.beta, fit.lam, fit.n] == [None, None, sum(failures)]


def test_values_all_alike_give_a_mean_without_bounds() -> None:
    assert [metrics.individuals_chart([3.0] * 5).interval.low, metrics.t_chart([0, 0]).interval.low] == [None, None]  # type: ignore[union-attr]


def test_pandas_missing_value_is_named_or_left_out() -> None:
    values = pd.Series([4, None, 9], dtype="Int64")
    with pytest.raises(ValueError, match=r"times\[1\]"):
        metrics.laplace_trend(values, 10)
    with pytest.raises(ValueError, match="part 1 is <NA>"):
        metrics.series(pd.Series([1, None], dtype="Int64"))
    assert metrics.robust_z(values).left_out == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: metrics.ewma_chart([1], target=float("nan"), sigma=1),
        lambda: metrics.cusum_chart([1], target=float("nan")),
        lambda: metrics.cusum_run_length(shift=float("nan")),
        lambda: metrics.detection_time(0.5, 0.999, burn=float("nan"), window_h=1),
        lambda: metrics.apdex(60.5, 30, 10),  # type: ignore[arg-type]
        lambda: metrics.association(float("nan"), 1, 1, 3),  # type: ignore[arg-type]
        lambda: metrics.kaplan_meier(pd.to_timedelta([1, 2], unit="h")),
        lambda: metrics.kaplan_meier([1, 2]).survival_at(float("nan")),
        lambda: metrics.p_chart([], 10, exclude=[1]),
        lambda: metrics.mtbf(2.5, 800),  # type: ignore[arg-type]
        lambda: metrics.wilson(1, 2, "0.95"),  # type: ignore[arg-type]
        lambda: metrics.ranking([1, 2], [10, 10], method="bayes"),
    ],
)
def test_what_cannot_be_meant_is_refused(call: Any) -> None:
    with pytest.raises(ValueError, match=r"write|rank by|names no sample|whole number|both lie above 0"):
        call()


def test_counts_and_times_of_numpy_are_taken_as_numbers() -> None:
    count, time = (np.int64(2), np.int64(800))
    assert metrics.mtbf(count, time, level=0.9).low == pytest.approx(127, abs=0.1)  # type: ignore[arg-type]

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from aftershock import metrics
from aftershock.metrics import Interval, agresti_coull, plus_four, proportion_intervals

METHODS = (
    *("wilson", "wilson_cc", "clopper_pearson", "jeffreys"),
    *("mid_p", "likelihood_ratio", "agresti_coull", "plus_four"),
)


def one(method: str) -> Callable[..., Interval]:
    function: Callable[..., Interval] = getattr(metrics, method)
    return function


def test_p04_two_hits_and_two_misses_more_give_fagerlands_interval() -> None:
    # Fagerland, Lydersen, Laake (2017), chapter 2: 19 of 20, 85 %
    found = plus_four(19, 20, 0.85)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.875, 0.7778, 0.9722), abs=6e-5)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("x", "n"), [(0, 20), (4, 20), (19, 20), (81, 263), (1, 1)])
def test_agresti_coulls_interval_is_statsmodels(x: int, n: int, level: float) -> None:
    found = agresti_coull(x, n, level)
    assert (found.low, found.high) == pytest.approx(proportion_confint(x, n, 1 - level, "agresti_coull"), abs=1e-12)


def test_the_two_that_are_called_agresti_coull_part_ways_off_95_percent() -> None:
    assert plus_four(19, 20, 0.85).estimate != pytest.approx(agresti_coull(19, 20, 0.85).estimate, abs=0.01)
    assert plus_four(19, 20).estimate == pytest.approx(agresti_coull(19, 20).estimate, abs=0.003)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
@pytest.mark.parametrize("method", METHODS)
def test_many_at_once_are_the_same_as_one_by_one(method: str, level: float) -> None:
    generator = np.random.default_rng(7)
    n = np.array([1, 1, 2, 7, 7, 30, 400, 100_000, *generator.integers(1, 3000, 20)])
    x = np.array([0, 1, 1, 0, 7, 4, 399, 3, *generator.binomial(n[8:], 0.02)])
    found = proportion_intervals(x, n, method=method, level=level).table
    expected = [one(method)(int(hits), int(size), level) for hits, size in zip(x, n, strict=True)]
    assert list(found["low"]) == pytest.approx([interval.low for interval in expected], abs=1e-11)
    assert list(found["high"]) == pytest.approx([interval.high for interval in expected], abs=1e-11)


def test_five_thousand_automations_take_well_under_a_second() -> None:
    n = np.arange(1, 5001)
    proportion_intervals(n // 50, n, method="clopper_pearson")  # imports
    began = time.process_time()
    proportion_intervals(n // 50, n, method="clopper_pearson")
    assert time.process_time() - began < 0.5


def test_a_group_without_runs_has_no_share_and_one_without_numbers_is_left_out() -> None:
    found = proportion_intervals([0, None, 2], [0, 5, 8], names=["idle", "lost", "busy"])
    assert (found.n, found.left_out) == (8, 1)
    assert list(found.table["name"]) == ["idle", "busy"]
    assert found.table.loc[0, ["share", "low", "high"]].isna().all()
    assert found.interval == metrics.wilson(2, 8)


def test_a_pandas_series_with_any_index_is_taken_in_order() -> None:
    found = proportion_intervals(pd.Series([1, 2], index=[7, 3]), pd.Series([4, 4], index=[1, 1]))
    assert list(found.table["share"]) == [0.25, 0.5]


@pytest.mark.parametrize(
    ("x", "n", "message"),
    [
        ([1, 5], [4, 4], "place 1: 5 of 4"),
        ([1, -1], [4, 4], "place 1: -1 of 4"),
        ([0.5], [4], "place 0: 0.5 of 4"),
        ([1, 2], [4, 4, 4], "x has 2 values and n has 3"),
    ],
)
def test_counts_that_are_none_are_refused_with_their_place(x: list[float], n: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        proportion_intervals(x, n)


def test_a_method_that_does_not_exist_is_told_with_those_that_do() -> None:
    with pytest.raises(ValueError, match="method: 'wald': there are: wilson, wilson_cc"):
        proportion_intervals([1], [2], method="wald")  # type: ignore[arg-type]


# Brown, Cai, DasGupta (2001): mean coverage near the nominal one, with Clopper-Pearson never below and far above.
@pytest.mark.parametrize(
    ("method", "least", "mean"),
    [
        ("wilson", 0.83, (0.94, 0.96)),
        ("wilson_cc", 0.94, (0.96, 0.99)),
        ("clopper_pearson", 0.95, (0.96, 0.99)),
        ("jeffreys", 0.85, (0.94, 0.96)),
        ("mid_p", 0.90, (0.95, 0.975)),
        ("likelihood_ratio", 0.81, (0.93, 0.96)),
        ("agresti_coull", 0.92, (0.95, 0.98)),
        ("plus_four", 0.92, (0.95, 0.98)),
    ],
)
def test_the_true_share_is_covered_as_often_as_the_method_promises(
    method: str, least: float, mean: tuple[float, float]
) -> None:
    # Exact, by summing over all outcomes of n runs; shares from 0.01 to 0.99.
    shares = np.linspace(0.01, 0.99, 393)
    covered = []
    for n in (10, 30, 100):
        x = np.arange(n + 1)
        found = proportion_intervals(x, n, method=method).table
        low, high = found["low"].to_numpy(), found["high"].to_numpy()
        inside = (low[:, None] <= shares) & (shares <= high[:, None])
        covered.append((binom.pmf(x[:, None], n, shares) * inside).sum(axis=0))
    assert np.min(covered) >= least
    assert mean[0] < np.mean(covered) < mean[1]

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, poisson
from statsmodels.stats.rates import confint_poisson

from aftershock.metrics import Interval, Result, poisson_rate, poisson_ratio


def test_the_rate_is_the_one_of_rs_poisson_test() -> None:
    # R: poisson.test(137, 24.19893)
    found = poisson_rate(137, 24.19893)
    assert (found.estimate, found.low, found.high) == pytest.approx((5.661407, 4.753125, 6.692709), abs=5e-7)


def test_two_rates_are_compared_as_rs_poisson_test_does() -> None:
    # R: poisson.test(c(11, 6 + 8 + 7), c(800, 1083 + 1050 + 878))
    found = poisson_ratio(11, 800, 21, 3011)
    assert (found.ratio, found.low, found.high) == pytest.approx((1.971488, 0.8584264, 4.2772659), abs=5e-7)
    assert found.p_value == pytest.approx(0.07967, abs=5e-6)


def test_no_event_leaves_room_for_the_log_of_the_tail() -> None:
    found = poisson_rate(0, 30)
    assert (found.estimate, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(-log(0.025) / 30)


def test_the_other_ratio_is_asked_by_name() -> None:
    found = poisson_ratio(11, 800, 21, 3011, ratio=2.0)
    assert found.p_value == pytest.approx(binomtest(11, 32, 1600 / 4611).pvalue)


@given(st.integers(0, 5000), st.floats(0.01, 1e6), st.sampled_from([0.8, 0.95, 0.99]))
def test_garwoods_limits_are_statsmodels(count: int, exposure: float, level: float) -> None:
    found = poisson_rate(count, exposure, level=level)
    low, high = confint_poisson(count, exposure, method="exact-c", alpha=1 - level)
    assert found.low == pytest.approx(0.0 if count == 0 else low, rel=1e-9)
    assert found.high == pytest.approx(high, rel=1e-9)


@given(st.integers(0, 500), st.floats(0.1, 1e4), st.floats(1e-3, 1e3))
def test_another_unit_of_time_only_scales_the_rate(count: int, exposure: float, factor: float) -> None:
    one, other = poisson_rate(count, exposure), poisson_rate(count, exposure * factor)
    assert one.high == pytest.approx((other.high or 0) * factor)


@given(st.integers(1, 60), st.floats(1, 100), st.integers(1, 60), st.floats(1, 100))
def test_to_swap_the_two_turns_the_ratio_over(x1: int, t1: float, x2: int, t2: float) -> None:
    one, other = poisson_ratio(x1, t1, x2, t2), poisson_ratio(x2, t2, x1, t1)
    assert one.ratio == pytest.approx(1 / (other.ratio or 0))
    assert one.low == pytest.approx(1 / (other.high or 0), rel=1e-7)
    assert one.p_value == pytest.approx(other.p_value, abs=1e-9)


def test_the_true_rate_is_covered_at_least_as_often_as_the_level_says() -> None:
    counts = np.arange(120)
    bounds = np.array([(found.low, found.high) for found in (poisson_rate(int(x)) for x in counts)])
    for rate in np.linspace(0.2, 40, 80):
        inside = (bounds[:, 0] <= rate) & (rate <= bounds[:, 1])
        assert poisson.pmf(counts, rate)[inside].sum() >= 0.95 - 1e-9


def test_the_test_of_equal_rates_keeps_its_size() -> None:
    # Exact: both counts Poisson with mean 6, exposures 1 and 2 of one rate.
    counts = range(28)
    size = sum(
        poisson.pmf(x1, 6) * poisson.pmf(x2, 12)
        for x1 in counts
        for x2 in counts
        if (poisson_ratio(x1, 1, x2, 2).p_value or 1.0) <= 0.05
    )
    assert 0.02 < size <= 0.05


def test_without_events_in_the_second_no_ratio_is_too_large() -> None:
    found = poisson_ratio(3, 1, 0, 1)
    assert (found.ratio, found.high) == (None, None)
    assert found.low == pytest.approx(0.41323, abs=1e-5)  # R: poisson.test(c(3, 0), c(1, 1))
    assert found.p_value == pytest.approx(0.25)


@pytest.mark.parametrize("given_", [(0, 1.0, 0, 1.0), (0, 0.0, 5, 1.0), (0, 0.0, 0, 0.0)])
def test_without_events_or_exposure_nothing_is_said(given_: tuple[int, float, int, float]) -> None:
    found = poisson_ratio(*given_)
    assert (found.ratio, found.low, found.high, found.p_value) == (None, None, None, None)
    assert isinstance(found, Result)


def test_no_exposure_gives_no_rate() -> None:
    assert poisson_rate(0, 0) == Interval(None, None, None, 0, 0.95, "garwood")


@pytest.mark.parametrize(
    ("count", "exposure", "message"),
    [(-1, 1, "count: -1"), (1.5, 1, "count: 1.5"), (1, -2, "exposure: -2"), (3, 0, "3 events in no exposure")],
)
def test_impossible_counts_and_exposures_are_refused(count: int, exposure: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        poisson_rate(count, exposure)


def test_a_ratio_in_one_row_has_both_rates() -> None:
    row = poisson_ratio(11, 800, 21, 3011).to_pandas().iloc[0]
    assert (row["n"], row["first"], row["second"]) == (32, 11 / 800, 21 / 3011)

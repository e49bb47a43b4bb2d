"""Laplace, military handbook and reverse arrangements; MTBF behind them."""

from __future__ import annotations

from itertools import permutations
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftershock.metrics import Result, laplace_trend, military_handbook_trend, mtbf, reverse_arrangements

# NIST/SEMATECH e-Handbook 8.2.2.3: ten repairs in 1500 hours.
NIST = [5.0, 40.0, 43.0, 175.0, 389.0, 712.0, 747.0, 795.0, 1299.0, 1478.0]
TESTS = (laplace_trend, military_handbook_trend)
times_of_100 = st.lists(st.floats(0.01, 99.0), min_size=2, max_size=30)


def test_the_handbooks_repairs_improve_beyond_chance_by_the_test_for_power_laws() -> None:
    result = military_handbook_trend(NIST, 1500)
    assert (result.direction, result.df) == ("improving", 20)
    assert result.statistic == pytest.approx(37.228081, abs=1e-6)
    assert result.p_improving == pytest.approx(0.010986, abs=1e-6)


def test_laplace_is_negative_where_failures_gather_early() -> None:
    assert laplace_trend(NIST, 1500).statistic == pytest.approx(-1.326949, abs=1e-6)


def test_early_failures_are_improving_and_late_ones_worsening() -> None:
    early, late = [1.0, 2, 3, 4, 5, 6, 7, 8], [92.0, 93, 94, 95, 96, 97, 98, 99]
    assert [test(early, 100).direction for test in TESTS] == ["improving"] * 2
    assert [test(late, 100).direction for test in TESTS] == ["worsening"] * 2


def test_growing_gaps_are_improving() -> None:
    gaps = np.arange(1.0, 9.0)
    assert reverse_arrangements(np.cumsum(gaps)).direction == "improving"
    assert reverse_arrangements(np.cumsum(gaps[::-1])).direction == "worsening"


@pytest.mark.parametrize("size", [3, 5])
def test_reversals_are_judged_by_all_orders_of_the_gaps(size: int) -> None:
    orders = list(permutations([1.0, 2.5, 4.7, 8.1, 16.3][:size]))
    counts = [reverse_arrangements(np.cumsum(order)).statistic for order in orders]
    for order, count in zip(orders, counts, strict=True):
        as_far = sum(other >= count for other in counts) / len(orders)  # type: ignore[operator]
        assert reverse_arrangements(np.cumsum(order)).p_improving == pytest.approx(as_far)


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("truncation", ["time", "failure"])
def test_five_of_a_hundred_steady_systems_show_a_trend(test: object, truncation: str) -> None:
    rng, seen, systems = np.random.default_rng(4), 0, 2000
    for _ in range(systems):
        times = np.cumsum(rng.exponential(10.0, 40))
        times = times[times < 100] if truncation == "time" else times[:10]
        seen += test(times, 100 if truncation == "time" else None, truncation=truncation).direction in (
            "improving",
            "worsening",
        )  # type: ignore[operator]
    assert 0.035 < seen / systems < 0.065


def test_reverse_arrangements_see_a_trend_in_at_most_five_of_a_hundred_steady_systems() -> None:
    rng = np.random.default_rng(5)
    seen = sum(reverse_arrangements(np.cumsum(rng.exponential(1.0, 12))).direction != "no trend" for _ in range(2000))
    assert 0.03 < seen / 2000 < 0.06


@given(times_of_100, st.sampled_from([1 / 3600, 24.0, 1e6]))
def test_the_unit_of_time_does_not_matter(times: list[float], unit: float) -> None:
    scaled = [time * unit for time in times]
    for test in TESTS:
        assert test(scaled, 100 * unit).statistic == pytest.approx(test(times, 100).statistic, rel=1e-9, abs=1e-9)


@given(times_of_100)
def test_the_order_in_which_times_are_given_does_not_matter(times: list[float]) -> None:
    for test in TESTS:
        assert test(times[::-1], 100) == test(times, 100)


def test_several_systems_are_pooled() -> None:
    one, two = [10.0, 50.0], [30.0, 90.0, 95.0]
    pooled = military_handbook_trend([one, two], [60.0, 100.0])
    assert pooled.statistic == pytest.approx(2 * (sum(log(60 / t) for t in one) + sum(log(100 / t) for t in two)))
    assert (pooled.n, pooled.df, pooled.systems) == (5, 10, 2)


def test_the_failure_that_ended_the_observation_is_no_evidence() -> None:
    assert laplace_trend([10.0, 20.0, 30.0], truncation="failure").n == 2


def test_no_failure_is_too_few_to_tell() -> None:
    for result in (laplace_trend([], 10), military_handbook_trend([], 10), reverse_arrangements([])):
        assert (result.n, result.statistic, result.p_value, result.direction) == (0, None, None, "too few to tell")
        assert isinstance(result, Result)


@pytest.mark.parametrize(
    ("times", "total", "told"),
    [
        ([1.0, float("nan")], 10, r"times\[1\]: nan"),
        ([-1.0], 10, "lie above 0"),
        ([11.0], 10, "11 lies after the end of observation, 10"),
        ([1.0], None, "total_time is missing"),
        ([[1.0], [2.0]], [10.0], "1 ends for 2 systems"),
    ],
)
def test_times_outside_the_observation_are_refused(times: list[float], total: float, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        laplace_trend(times, total)


def test_a_failure_truncated_observation_does_not_go_on_after_its_last_failure() -> None:
    with pytest.raises(ValueError, match="that is truncation='time'"):
        laplace_trend([1.0, 5.0], 10, truncation="failure")


def test_there_is_no_mean_time_between_failures_under_a_trend() -> None:
    result = mtbf([1.0, 2, 3, 4, 5, 6, 7, 8], 100)
    assert (result.mtbf, result.low, result.high, result.direction) == (None, None, None, "improving")
    assert mtbf([1.0, 2, 3, 4, 5, 6, 7, 8], 100, despite_trend=True).mtbf == 12.5


def test_times_without_a_trend_give_the_mean_that_their_number_gives() -> None:
    times, count = mtbf([10.0, 35.0, 60.0, 90.0], 100), mtbf(4, 100)
    assert (times.mtbf, times.low, times.high) == (count.mtbf, count.low, count.high)
    assert (times.direction, count.direction) == ("no trend", None)


def test_without_a_failure_there_is_a_lower_limit_only() -> None:
    result = mtbf(0, 1000, level=0.9)
    assert (result.mtbf, result.high) == (None, None)
    assert result.low == pytest.approx(1000 / -log(0.1))


def test_limits_hold_the_true_mean_as_often_as_they_say() -> None:
    rng = np.random.default_rng(6)
    counts, exact = rng.poisson(5.0, 4000), rng.gamma(5, 20.0, 4000)
    held = [one.low <= 20.0 <= (one.high or np.inf) for one in (mtbf(int(r), 100) for r in counts)]  # type: ignore[operator]
    assert np.mean(held) >= 0.945  # time truncation: at least
    held = [one.low <= 20.0 <= one.high for one in (mtbf(5, float(t), truncation="failure") for t in exact)]  # type: ignore[operator]
    assert np.mean(held) == pytest.approx(0.95, abs=0.012)


def test_failure_truncation_takes_two_degrees_of_freedom_less_below() -> None:
    assert mtbf(3, 100, truncation="failure").low > mtbf(3, 100).low  # type: ignore[operator]

"""Score intervals for a difference and a ratio. statsmodels' own are wrong (its issue 10269): papers are the authority here."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binom

from aftershock.metrics import Interval, koopman, mee, miettinen_nurminen, newcombe

Pair = tuple[int, int, int, int]
TABLES: list[Pair] = [
    *((56, 70, 48, 80), (9, 10, 3, 10), (6, 7, 2, 7), (5, 56, 0, 29)),
    *((0, 10, 0, 20), (0, 10, 0, 10), (10, 10, 0, 20), (10, 10, 0, 10)),
]
# Newcombe (1998) Stat Med 17:873, Table II (a) to (h), methods 5 and 6
MEE = [
    *((0.0533, 0.3377), (0.1821, 0.8370), (0.0544, 0.8478), (-0.0313, 0.1926)),
    *((-0.1611, 0.2775), (-0.2775, 0.2775), (0.7225, 1.0), (0.6777, 1.0)),
]
MIETTINEN_NURMINEN = [
    *((0.0528, 0.3382), (0.1700, 0.8406), (0.0342, 0.8534), (-0.0326, 0.1933)),
    *((-0.1658, 0.2844), (-0.2879, 0.2879), (0.7156, 1.0), (0.6636, 1.0)),
]
count = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
pair = st.tuples(count, count).map(lambda two: (*two[0], *two[1]))


def bounds(interval: Interval) -> tuple[float | None, float | None]:
    return interval.low, interval.high


@pytest.mark.parametrize(("case", "expected"), list(zip(TABLES, MEE, strict=True)))
def test_mees_interval_is_newcombes_table_two(case: Pair, expected: tuple[float, float]) -> None:
    assert bounds(mee(*case)) == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize(("case", "expected"), list(zip(TABLES, MIETTINEN_NURMINEN, strict=True)))
def test_miettinen_and_nurminens_interval_is_newcombes_table_two(case: Pair, expected: tuple[float, float]) -> None:
    assert bounds(miettinen_nurminen(*case)) == pytest.approx(expected, abs=6e-5)


def test_koopmans_ratio_is_the_one_of_his_paper() -> None:
    # Koopman (1984) Biometrics 40:513: 36/40 against 16/80, 95 %
    found = koopman(36, 40, 16, 80)
    assert found.estimate == pytest.approx(4.5)
    assert bounds(found) == pytest.approx((2.94, 7.15), abs=0.005)


def score(x1: int, n1: int, x2: int, n2: int, difference: float) -> float:
    """The score statistic with the likeliest pair found by a general optimiser: slow, and nothing of ours."""

    def minus(p2: float) -> float:
        return -float(binom.logpmf(x1, n1, p2 + difference) + binom.logpmf(x2, n2, p2))

    limits = (max(0.0, -difference), min(1.0, 1.0 - difference))
    p2 = minimize_scalar(minus, bounds=limits, method="bounded", options={"xatol": 1e-12}).x
    p1 = p2 + difference
    return (x1 / n1 - x2 / n2 - difference) / sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)


@pytest.mark.parametrize("case", [(56, 70, 48, 80), (6, 7, 2, 7), (5, 56, 1, 29), (3, 9, 200, 1000)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_a_bound_is_the_difference_at_which_the_score_test_turns(case: Pair, level: float) -> None:
    z = NormalDist().inv_cdf((1 + level) / 2)
    found = mee(*case, level=level)
    assert found.low is not None
    assert found.high is not None
    assert score(*case, found.low) == pytest.approx(z, abs=1e-4)
    assert score(*case, found.high) == pytest.approx(-z, abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(pair)
def test_to_swap_the_two_turns_the_difference_around(case: Pair) -> None:
    x1, n1, x2, n2 = case
    one, other = miettinen_nurminen(x1, n1, x2, n2), miettinen_nurminen(x2, n2, x1, n1)
    assert bounds(one) == pytest.approx((-(other.high or 0), -(other.low or 0)), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(pair)
def test_to_count_successes_for_failures_turns_the_difference_around(case: Pair) -> None:
    x1, n1, x2, n2 = case
    one, other = mee(x1, n1, x2, n2), mee(n1 - x1, n1, n2 - x2, n2)
    assert bounds(one) == pytest.approx((-(other.high or 0), -(other.low or 0)), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(pair)
def test_bounds_lie_about_the_difference_and_miettinen_nurminens_about_mees(case: Pair) -> None:
    inner, outer = mee(*case), miettinen_nurminen(*case)
    values = [-1.0, outer.low, inner.low, inner.estimate, inner.high, outer.high, 1.0]
    assert all(a is not None and b is not None and a <= b + 1e-9 for a, b in pairwise(values))


@settings(max_examples=40, deadline=None)
@given(pair)
def test_to_swap_the_two_turns_the_ratio_over(case: Pair) -> None:
    x1, n1, x2, n2 = case
    one, other = koopman(x1, n1, x2, n2), koopman(x2, n2, x1, n1)
    if one.low is not None and one.low > 0:
        assert other.high == pytest.approx(1 / one.low, rel=1e-8)


def test_what_does_not_occur_is_no_ratio() -> None:
    assert koopman(0, 10, 0, 10) == Interval(None, None, None, 20, 0.95, "koopman")
    assert koopman(3, 10, 0, 10).estimate is None
    assert koopman(3, 10, 0, 10).high is None
    assert koopman(0, 10, 3, 10).low == 0.0


@pytest.mark.parametrize("function", [mee, miettinen_nurminen, koopman])
def test_nothing_counted_on_one_side_says_nothing(function: type) -> None:
    found = function(0, 0, 3, 9)
    assert (found.estimate, found.low, found.high, found.n) == (None, None, None, 9)


@pytest.mark.parametrize("function", [mee, miettinen_nurminen, koopman])
def test_more_hits_than_runs_are_refused(function: type) -> None:
    with pytest.raises(ValueError, match="4 of 3: the count must lie between 0 and n"):
        function(1, 2, 4, 3)


def test_in_large_samples_all_methods_agree() -> None:
    case = (52_000, 1_000_000, 50_000, 1_000_000)
    assert bounds(mee(*case)) == pytest.approx(bounds(newcombe(*case)), abs=1e-7)
    assert bounds(mee(*case)) == pytest.approx(bounds(miettinen_nurminen(*case)), abs=1e-8)


def test_rare_failures_of_a_thousand_million_runs_keep_their_digits() -> None:
    # With shares this small the counts are Poisson: the score test solves (3 - 1 - d)² = z² (3~ + 1~).
    found = mee(3, 10**9, 1, 10**9)
    assert bounds(found) == pytest.approx((-2.9104e-9, 7.9250e-9), rel=1e-3)


def test_the_difference_is_covered_as_often_as_it_says() -> None:
    # Exact: every pair of outcomes of 14 and 11 runs, weighted by its probability. Newcombe (1998) has means near 95 %.
    n1, n2 = 14, 11
    outcomes = [(x1, x2) for x1 in range(n1 + 1) for x2 in range(n2 + 1)]
    low, high = np.array([bounds(miettinen_nurminen(x1, n1, x2, n2)) for x1, x2 in outcomes]).T
    covered = []
    for p1, p2 in [(0.1, 0.1), (0.3, 0.1), (0.5, 0.5), (0.7, 0.35), (0.9, 0.2), (0.2, 0.05)]:
        weight = np.array([binom.pmf(x1, n1, p1) * binom.pmf(x2, n2, p2) for x1, x2 in outcomes])
        covered.append(weight[(low <= p1 - p2) & (p1 - p2 <= high)].sum())
    assert min(covered) > 0.92
    assert np.mean(covered) == pytest.approx(0.955, abs=0.02)

"""The power-law process, its bounds, grouped counts, and the projection of fixes."""

from __future__ import annotations

import numpy as np
import pytest

from aftershock.metrics import (
    Result,
    crow_projection,
    crow_projection_of_modes,
    current_mtbf_factors,
    power_law,
    power_law_grouped,
)
from aftershock.metrics.repairable.cramer_von_mises import critical_value

# ReliaWiki, Crow-AMSAA, developmental test: 22 failures, the last at 620 h.
RELIAWIKI = [2.7, 10.3, 12.5, 30.6, 57.0, 61.3, 80.0, 109.5, 125.0, 128.6, 143.8, 167.9, 229.2, 296.7, 320.6]
RELIAWIKI += [328.2, 366.2, 396.7, 421.1, 438.2, 501.2, 620.0]


def drawn(rng: np.random.Generator, beta: float, expected: float, end: float) -> np.ndarray:
    """Failure times of a power-law process until `end`."""
    return end * np.sort(rng.uniform(size=rng.poisson(expected))) ** (1 / beta)


def test_beta_is_what_the_handbook_prints() -> None:
    fit = power_law(RELIAWIKI, truncation="failure")
    assert (fit.beta, fit.lam) == (pytest.approx(0.6142104, abs=5e-8), pytest.approx(0.4239422, abs=5e-8))


def test_fishers_bounds_of_beta_are_what_a_public_test_suite_prints() -> None:
    """RTK prints .46736 to .80719; it labels them 90 %, they are 80 %."""
    bounds = power_law(RELIAWIKI, truncation="failure").bounds("beta", method="fisher", level=0.8)
    assert (bounds.low, bounds.high) == (pytest.approx(0.46736, abs=5e-6), pytest.approx(0.80719, abs=5e-6))


@pytest.mark.parametrize(
    ("n", "truncation", "low", "high"),
    [
        (2, "time", 0.261, 18.66),
        (10, "time", 0.549, 2.136),
        (2, "failure", 0.8065, 33.76),
        (10, "failure", 0.6852, 2.287),
    ],
)
def test_factors_of_the_current_mtbf_are_crows(n: int, truncation: str, low: float, high: float) -> None:
    """Crow (1982) Technometrics 24:67 and MIL-HDBK-189 Appendix C, 80 % two-sided."""
    found = current_mtbf_factors(n, 0.8, truncation=truncation)  # type: ignore[arg-type]
    assert found == (pytest.approx(low, abs=6e-4), pytest.approx(high, abs=6e-3))


def test_factors_under_failure_truncation_are_quantiles_of_a_product_of_gammas() -> None:
    rng = np.random.default_rng(7)
    product = rng.gamma(9, size=400_000) * rng.gamma(10, size=400_000)
    low, high = current_mtbf_factors(10, 0.9, truncation="failure")
    assert (low, high) == (
        pytest.approx(100 / np.quantile(product, 0.95), rel=0.01),
        pytest.approx(100 / np.quantile(product, 0.05), rel=0.01),
    )


def test_a_single_failure_does_not_bound_the_current_mtbf_above() -> None:
    assert current_mtbf_factors(1)[1] is None


@pytest.mark.parametrize(
    ("n", "ten", "five", "one"), [(2, 0.162, 0.175, 0.186), (10, 0.167, 0.212, 0.324), (60, 0.173, 0.221, 0.335)]
)
def test_critical_distances_are_those_of_the_handbooks_table(n: int, ten: float, five: float, one: float) -> None:
    """MIL-HDBK-189, critical values of the Cramér-von Mises statistic; both are simulated."""
    found = [critical_value(n, significance) for significance in (0.1, 0.05, 0.01)]
    assert found == [pytest.approx(ten, abs=0.005), pytest.approx(five, abs=0.005), pytest.approx(one, abs=0.012)]


def test_five_of_a_hundred_true_power_laws_lie_beyond_the_critical_distance_and_a_burst_does() -> None:
    rng = np.random.default_rng(8)
    p = [power_law(drawn(rng, 0.6, 30, 100), 100).cvm_p_value for _ in range(500)]
    assert np.mean(np.array(p, dtype=float) < 0.05) == pytest.approx(0.05, abs=0.025)
    assert power_law(np.linspace(40, 60, 30), 100).cvm_p_value < 0.01  # type: ignore[operator]


@pytest.mark.parametrize("beta", [0.5, 1.0, 1.8])
def test_beta_is_found_again_and_its_exact_bounds_hold_it(beta: float) -> None:
    rng = np.random.default_rng(9)
    fits = [power_law(drawn(rng, beta, 25, 100), 100) for _ in range(600)]
    assert np.mean([fit.beta_unbiased for fit in fits]) == pytest.approx(beta, rel=0.03)
    held = np.mean([fit.interval.low <= beta <= fit.interval.high for fit in fits])  # type: ignore[operator]
    assert held == pytest.approx(0.95, abs=0.025)


@pytest.mark.parametrize("method", ["crow", "fisher"])
def test_bounds_of_the_current_mtbf_hold_it(method: str) -> None:
    rng, beta, expected = np.random.default_rng(10), 0.7, 20
    truth = 100 / (beta * expected)
    fits = [power_law(drawn(rng, beta, expected, 100), 100) for _ in range(400)]
    held = [one.low <= truth <= one.high for one in (fit.bounds("mtbf", method=method, level=0.9) for fit in fits)]  # type: ignore[arg-type, operator]
    assert 0.85 <= np.mean(held) <= 0.97


def test_the_unit_of_time_moves_lambda_and_times_but_not_beta() -> None:
    hours, days = (
        power_law(RELIAWIKI, truncation="failure"),
        power_law([t / 24 for t in RELIAWIKI], truncation="failure"),
    )
    assert days.beta == pytest.approx(hours.beta)
    assert days.mtbf == pytest.approx(hours.mtbf / 24)  # type: ignore[operator]
    assert days.cvm_p_value == hours.cvm_p_value
    for method in ("crow", "fisher"):
        assert days.bounds("mtbf", method=method).low == pytest.approx(hours.bounds("mtbf", method=method).low / 24)  # type: ignore[arg-type, operator]


def test_two_like_systems_are_one_with_twice_the_failures() -> None:
    one, two = power_law(RELIAWIKI[:-1], 700), power_law([RELIAWIKI[:-1]] * 2, 700)
    assert two.beta == pytest.approx(one.beta)
    assert two.mtbf == pytest.approx(one.mtbf)
    assert two.n == 2 * one.n


def test_systems_of_different_length_have_their_maximum_likelihood() -> None:
    systems, ends = [[0.7, 3.7, 13.2, 15, 17.6, 25.3], [1.4, 3.5, 17.6, 18.5, 20.1]], [30.0, 22.0]
    fit = power_law(systems, ends)

    def likelihood(beta: float, lam: float) -> float:
        every = np.concatenate(systems)
        return float(np.log(lam * beta * every ** (beta - 1)).sum() - lam * sum(end**beta for end in ends))

    best = likelihood(fit.beta, fit.lam)  # type: ignore[arg-type]
    for beta, lam in ((1.01, 1), (0.99, 1), (1, 1.01), (1, 0.99)):
        assert likelihood(fit.beta * beta, fit.lam * lam) < best  # type: ignore[operator]
    with pytest.raises(ValueError, match="write 'fisher'"):
        fit.bounds("mtbf", method="crow")


def test_one_solved_for_unequal_ends_equals_the_closed_form_for_nearly_equal_ones() -> None:
    nearly = power_law([RELIAWIKI[:-1]] * 2, [700, 700.000001])
    assert nearly.beta == pytest.approx(power_law([RELIAWIKI[:-1]] * 2, 700).beta, rel=1e-7)
    assert nearly.bounds("mtbf", method="fisher").low == pytest.approx(
        power_law([RELIAWIKI[:-1]] * 2, 700).bounds("mtbf", method="fisher").low, rel=1e-6
    )


def test_no_failure_gives_no_law() -> None:
    for fit in (power_law([], 100), power_law([5.0], truncation="failure")):
        assert (fit.beta, fit.mtbf, fit.interval.estimate, fit.cvm_p_value) == (None, None, None, None)
        assert isinstance(fit, Result)


def test_counts_in_fine_intervals_give_the_law_of_their_times() -> None:
    ends = np.arange(0.1, 620.05, 0.1)
    counts = np.bincount(np.searchsorted(ends, RELIAWIKI), minlength=ends.size)
    assert power_law_grouped(ends, counts).beta == pytest.approx(power_law(RELIAWIKI, 620).beta, rel=0.01)


def test_the_grouped_estimate_is_a_maximum() -> None:
    ends, counts = np.array([62.0, 100, 187, 210, 350]), np.array([12, 6, 15, 3, 18])
    fit = power_law_grouped(ends, counts)

    def likelihood(beta: float) -> float:
        return float((counts * np.log(np.diff(np.concatenate([[0.0], ends / 350]) ** beta))).sum())

    assert likelihood(fit.beta) > max(likelihood(fit.beta * 1.001), likelihood(fit.beta * 0.999))  # type: ignore[arg-type, operator]
    assert fit.lam * 350**fit.beta == pytest.approx(54)  # type: ignore[operator]


def test_the_grouped_fit_is_refused_in_at_most_five_of_a_hundred_true_laws() -> None:
    rng, ends = np.random.default_rng(11), np.arange(10.0, 101.0, 10)
    refused = 0
    for _ in range(500):
        times = drawn(rng, 0.7, 80, 100)
        p = power_law_grouped(ends, np.bincount(np.searchsorted(ends, times), minlength=10)).p_value
        refused += p is not None and p < 0.05
    assert 0.02 < refused / 500 < 0.08


def test_no_failure_at_all_or_only_in_the_first_interval_gives_no_grouped_law() -> None:
    assert power_law_grouped([10, 20], [0, 0]).beta is None
    assert power_law_grouped([10, 20], [3, 0]).beta is None


def test_the_projection_adds_what_fixing_cannot_have_seen() -> None:
    """The sixteen BD modes of the AMSAA-Crow example in MIL-HDBK-189C: mean d .72, beta .747, h(400) .0299."""
    first = [15.04, 25.26, 47.46, 53.96, 56.42, 99.57, 100.31, 111.99, 125.48, 133.43, 192.66, 249.15, 285.01, 379.43]
    d = [0.67, 0.72, 0.77, 0.77, 0.87, 0.92, 0.50, 0.85, 0.89, 0.74, 0.70, 0.63, 0.64, 0.72, 0.69, 0.46]
    result = crow_projection_of_modes([*first, 388.97, 395.25], [2] * 16, d, 400, a_failures=10)
    assert (result.demonstrated, result.lambda_a) == (pytest.approx(0.105), pytest.approx(0.025))
    assert (result.beta, result.h) == (pytest.approx(0.7472, abs=5e-5), pytest.approx(0.0299, abs=5e-5))
    assert result.projected == pytest.approx(result.growth_potential + 0.72125 * result.h)


def test_times_and_modes_give_what_their_sums_give() -> None:
    """Demonstrated 36.36, projected 62.8, growth potential 78.43: what SurPyval's documentation prints for this test."""
    times = [15, 42, 60, 98, 130, 160, 205, 260, 310, 340, 390]
    modes = ["b1", "a1", "b2", "b1", "b3", "a2", "b2", "b4", "b1", "a1", "b3"]
    fixes = {"b1": 0.8, "b2": 0.7, "b3": 0.75, "b4": 0.6}
    result = crow_projection(times, modes, 400, fixes)
    assert result.demonstrated_mtbf == pytest.approx(36.36, abs=0.005)
    assert result.projected_mtbf == pytest.approx(62.8, abs=0.005)
    assert result.growth_potential_mtbf == pytest.approx(78.43, abs=0.005)
    assert result.table["failures"].tolist() == [3, 2, 2, 1]


def test_fixes_that_do_nothing_change_nothing() -> None:
    result = crow_projection([10, 20, 30], ["a", "b", "a"], 40, {"a": 0.0, "b": 0.0})
    assert result.projected == pytest.approx(result.demonstrated)


def test_what_was_fixed_meanwhile_is_in_the_demonstrated_rate() -> None:
    result = crow_projection([10, 20, 30], ["a", "b", "a"], 40, {"a": 0.5}, fixed_meanwhile=["b"])
    assert result.demonstrated == pytest.approx(power_law([10, 20, 30], 40).intensity)


def test_crows_bounds_of_the_projection_hold_as_a_score_interval_does() -> None:
    result = crow_projection_of_modes([10.0], [4], [0.5], 100, a_failures=6)
    low, high = result.interval.low, result.interval.high
    for bound in (low, high):
        assert abs(result.projected - bound) == pytest.approx(1.959964 * (bound / 100) ** 0.5, rel=1e-6)  # type: ignore[operator]


def test_only_a_mode_that_was_seen_can_be_fixed() -> None:
    with pytest.raises(ValueError, match="'c' never failed"):
        crow_projection([10, 20], ["a", "b"], 40, {"c": 0.5})

"""Beta-binomial and James-Stein against the rats of Gelman's book and the batting averages of Efron and Morris."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, betabinom

from aftershock.metrics import Result, beta_binomial, james_stein, wilson
from aftershock.metrics.proportions.shrinkage import Fit


# Tarone (1982) as in Gelman et al., Bayesian Data Analysis, 3rd ed., Table 5.1: tumours of rats, 70 historical groups
def rats() -> tuple[list[int], list[int]]:
    x = [0] * 14 + [1] * 8 + [2] * 9 + [1, 5, 2, 5, 3, 2, 7, 7, 3, 3, 2, 9, 10, 4, 4, 4, 4, 4, 4, 4, 10, 4, 4, 4, 5, 11]
    x += [12, 5, 5, 6, 5, 6, 6, 6, 6, 16, 15, 15, 9]
    n = [20] * 7 + [19] * 4 + [18, 18, 17] + [20] * 4 + [19, 19, 18, 18] + [25, 24, 23] + [20] * 6 + [10, 49, 19, 46]
    n += [27, 17, 49, 47, 20, 20, 13, 48, 50] + [20] * 7 + [48, 19, 19, 19, 22, 46, 49, 20, 20, 23, 19, 22]
    n += [20, 20, 20, 52, 46, 47, 24]
    return x, n


def test_the_moments_of_seventy_groups_of_rats_are_gelmans() -> None:
    # Bayesian Data Analysis, section 5.1: mean 0.136, sd 0.103, so (1.4, 8.6); the group of 4 in 14: 0.223, sd 0.083
    fit = beta_binomial(*rats(), method="moments")
    assert (fit.mean, fit.sd) == pytest.approx((0.136, 0.103), abs=6e-4)
    assert (fit.alpha, fit.beta) == pytest.approx((1.4, 8.6), abs=0.05)
    new = fit.posterior(4, 14)
    assert (new.mean, new.sd) == pytest.approx((0.223, 0.083), abs=6e-4)


def test_the_likeliest_spread_of_all_seventy_one_is_the_one_a_general_optimiser_finds() -> None:
    x, n = rats()
    fit = beta_binomial([*x, 4], [*n, 14])
    assert (fit.alpha, fit.beta) == pytest.approx((2.3416, 14.1148), abs=1e-3)


def test_tarones_test_finds_that_rats_differ_beyond_chance() -> None:
    fit = beta_binomial(*rats())
    assert fit.z == pytest.approx(7.176, abs=1e-3)
    assert fit.p_value is not None
    assert fit.p_value < 1e-12


def test_the_likelihood_is_scipys_and_no_neighbour_is_higher() -> None:
    x, n = rats()
    fit = beta_binomial(x, n)
    assert fit.alpha is not None
    assert fit.beta is not None

    def height(a: float, b: float) -> float:
        return float(betabinom.logpmf(x, n, a, b).sum())

    assert fit.log_likelihood == pytest.approx(height(fit.alpha, fit.beta), abs=1e-8)
    for a, b in [(0.999, 1), (1.001, 1), (1, 0.999), (1, 1.001)]:
        assert height(fit.alpha * a, fit.beta * b) < fit.log_likelihood


def test_the_posterior_is_a_beta_with_its_own_quantiles() -> None:
    fit = beta_binomial(*rats())
    new = fit.posterior(4, 14)
    exact = beta((fit.alpha or 0) + 4, (fit.beta or 0) + 10)
    assert (new.mean, new.sd) == pytest.approx((exact.mean(), exact.std()))
    assert (new.low, new.high) == pytest.approx(tuple(exact.ppf([0.025, 0.975])))


@pytest.mark.parametrize("method", ["likelihood", "moments"])
def test_the_order_of_the_groups_does_not_matter(method: Fit) -> None:
    x, n = (np.array(values) for values in rats())
    expected = beta_binomial(x, n, method=method)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(x.size)
        assert beta_binomial(x[order], n[order], method=method) == expected


@pytest.mark.parametrize(
    ("x", "n"),
    [
        ([0, 0, 0], [20, 5, 9]),
        ([20, 5, 9], [20, 5, 9]),
        ([3], [20]),
        ([0, 1, 1, 0], [1, 1, 1, 1]),
        ([2, 2, 2, 2], [20, 20, 20, 20]),
    ],
    ids=["no hit", "no miss", "one group", "all n one", "no spread beyond chance"],
)
def test_where_no_spread_can_be_seen_every_group_has_the_pooled_rate(x: list[int], n: list[int]) -> None:
    fit = beta_binomial(x, n)
    pooled = wilson(sum(x), sum(n))
    assert (fit.alpha, fit.beta, fit.mean) == (None, None, pooled.estimate)
    found = fit.posterior(1, 3)
    assert (found.mean, found.sd, found.low, found.high) == (pooled.estimate, None, pooled.low, pooled.high)
    assert fit.interval == pooled


def test_no_group_at_all_gives_nothing() -> None:
    fit = beta_binomial([], [])
    assert (fit.alpha, fit.mean, fit.groups, fit.n) == (None, None, 0, 0)
    assert fit.posterior(1, 3).mean is None
    assert isinstance(fit, Result)


def test_idle_groups_say_nothing_and_missing_ones_are_counted() -> None:
    x, n = rats()
    fit = beta_binomial([*x, 0, None], [*n, 0, 7])
    assert (fit.groups, fit.left_out, fit.alpha) == (70, 1, beta_binomial(x, n).alpha)


@pytest.mark.parametrize(("a", "b"), [(0.6, 12.0), (2.0, 60.0), (5.0, 5.0)])
def test_a_known_spread_is_found_again(a: float, b: float) -> None:
    generator = np.random.default_rng(5)
    n = generator.integers(5, 200, 3000)
    fit = beta_binomial(generator.binomial(n, generator.beta(a, b, 3000)), n)
    assert (fit.alpha, fit.beta) == pytest.approx((a, b), rel=0.1)


def test_posteriors_cover_the_true_rates_of_groups_with_few_runs() -> None:
    generator = np.random.default_rng(6)
    n = generator.integers(3, 40, 2000)
    p = generator.beta(1.5, 20, 2000)
    x = generator.binomial(n, p)
    _, low, high = beta_binomial(x, n).posteriors(x.astype(float), n.astype(float))
    assert ((low <= p) & (p <= high)).mean() == pytest.approx(0.95, abs=0.015)


def test_tarones_test_keeps_its_size_where_groups_are_alike() -> None:
    generator = np.random.default_rng(7)
    n = np.full(60, 50)
    tests = [beta_binomial(generator.binomial(n, 0.1), n, method="moments").p_value for _ in range(800)]
    assert np.mean([p is not None and p < 0.05 for p in tests]) == pytest.approx(0.05, abs=0.025)


# Efron and Morris (1977) Scientific American 236:119: hits in the first 45 at bats of 18 players
HITS = [18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7]


def test_the_batting_averages_are_drawn_in_as_efron_and_morris_did() -> None:
    found = james_stein(HITS, 45)
    assert (found.mean, found.shrink_factor) == pytest.approx((0.265, 0.212), abs=6e-4)
    printed = [
        *(0.294, 0.289, 0.285, 0.280, 0.275, 0.275, 0.270, 0.266, 0.261, 0.261),
        *[0.256] * 5,
        0.252,
        0.247,
        0.242,
    ]
    assert found.estimates == pytest.approx(printed, abs=6e-4)


def test_on_average_james_stein_errs_less_than_the_raw_rates() -> None:
    generator = np.random.default_rng(8)
    p = np.clip(generator.normal(0.26, 0.04, 18), 0.01, 0.99)
    raw, drawn = 0.0, 0.0
    for _ in range(300):
        found = james_stein(generator.binomial(45, p), 45)
        raw += ((np.array(found.raw) - p) ** 2).sum()
        drawn += ((np.array(found.estimates) - p) ** 2).sum()
    assert drawn < 0.7 * raw


def test_with_three_groups_nothing_is_drawn_in() -> None:
    found = james_stein([1, 2, 3], 10)
    assert (found.shrink_factor, found.estimates) == (None, pytest.approx((0.1, 0.2, 0.3)))


def test_rates_that_differ_less_than_chance_all_become_the_mean() -> None:
    assert james_stein([5, 5, 5, 6], 100).shrink_factor == 0.0
    assert james_stein([0, 0, 0, 0], 10).estimates == (0.0, 0.0, 0.0, 0.0)


def test_groups_of_two_sizes_are_refused_with_what_serves_them() -> None:
    with pytest.raises(ValueError, match="use beta_binomial"):
        james_stein([1, 2], [10, 20])


def test_no_group_is_drawn_nowhere() -> None:
    found = james_stein([], [])
    assert (found.mean, found.n, len(found.to_pandas())) == (None, 0, 0)
    assert isinstance(found, Result)

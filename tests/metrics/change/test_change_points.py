"""Change points: exact segmentation, posteriors that cover, and silence where nothing changed."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta, binom

from aftershock.metrics import change_point, change_points, sup_f
from aftershock.metrics.change.structural import _argmax_cdf

RNG = np.random.default_rng


def deviance(x: np.ndarray, n: np.ndarray, bounds: list[int]) -> float:
    total = 0.0
    for first, last in pairwise(bounds):
        rate = x[first:last].sum() / n[first:last].sum()
        total -= 2 * binom.logpmf(x[first:last], n[first:last], rate).sum()
    return total


def test_the_segmentation_is_the_best_of_all() -> None:
    rng = RNG(0)
    for _ in range(10):
        n = rng.integers(5, 30, size=11)
        x = rng.binomial(n, np.repeat(rng.uniform(0.05, 0.95, 3), [4, 3, 4]))
        choices = [[0, *ends, 11] for k in range(4) for ends in combinations(range(2, 10), k)]
        choices = [ends for ends in choices if min(np.diff(ends)) >= 2]
        best = min(choices, key=lambda ends: deviance(x, n, ends) + 5 * len(ends))
        assert list(change_points(x, n=n, penalty=5).positions) == best[1:-1]


def test_the_probability_of_a_change_is_the_integral() -> None:
    x, n = np.array([1, 0, 4]), np.array([5, 6, 7])

    def marginal(part: slice) -> float:
        return quad(lambda p: np.prod(binom.pmf(x[part], n[part], p)) * beta.pdf(p, 2, 3), 0, 1)[0]

    factors = [marginal(slice(0, k)) * marginal(slice(k, 3)) / marginal(slice(0, 3)) for k in (1, 2)]
    found = change_point(x, n=n, prior=(2, 3), prior_change=0.3)
    assert found.bayes_factor == pytest.approx(np.mean(factors))
    assert found.probability == pytest.approx(0.3 * np.mean(factors) / (0.3 * np.mean(factors) + 0.7))
    np.testing.assert_allclose(found.table["probability"], np.array(factors) / sum(factors))


@pytest.mark.parametrize(("p", "n"), [(0.02, 20), (0.1, 5), (0.3, 50)])
def test_no_change_of_a_rate_is_found_where_there_is_none(p: float, n: int) -> None:
    x = RNG(1).binomial(n, p, size=(150, 60))
    assert np.mean([bool(change_points(row, n=n).positions) for row in x]) <= 0.05
    assert np.mean([change_point(row, n=n).changed for row in x]) <= 0.05


def test_no_change_of_a_mean_is_found_where_there_is_none() -> None:
    x = RNG(2).normal(size=(200, 60))
    assert np.mean([bool(change_points(row).positions) for row in x]) <= 0.05
    assert np.mean([change_point(row).changed for row in x]) <= 0.05


def test_the_f_test_holds_its_size() -> None:
    x = RNG(3).normal(size=(2000, 80))
    assert np.mean([sup_f(row).p_value < 0.05 for row in x]) == pytest.approx(0.05, abs=0.02)


def test_the_credible_interval_holds_the_position_as_often_as_it_says() -> None:
    rng, held = RNG(4), []
    for _ in range(600):
        at = int(rng.integers(1, 40))
        rates = np.repeat(rng.beta(1, 4, size=2), [at, 40 - at])
        found = change_point(rng.binomial(20, rates), n=20, prior=(1, 4))
        held.append(found.low <= at <= found.high)
    assert 0.935 <= np.mean(held) <= 0.995


def test_bai_s_interval_covers_about_as_often_as_it_says() -> None:
    rng, held = RNG(5), []
    for _ in range(500):
        found = sup_f(np.concatenate([rng.normal(0, 1, 40), rng.normal(1, 1, 40)]))
        held.append(found.low <= 40 <= found.high)
    assert 0.88 <= np.mean(held) <= 0.98


def test_bai_s_distribution_has_its_published_quantiles() -> None:
    """Bai (1997): 7 and 11 for 90 and 95 % where both sides vary alike; symmetric, continuous, from 0 to 1."""
    assert _argmax_cdf(11.033, 1) == pytest.approx(0.975, abs=1e-5)
    assert _argmax_cdf(7.687, 1) == pytest.approx(0.95, abs=1e-4)
    assert _argmax_cdf(-5, 1) == pytest.approx(1 - _argmax_cdf(5, 1))
    for phi in (0.3, 1, 4):
        assert _argmax_cdf(-1e-12, phi) == pytest.approx(_argmax_cdf(1e-12, phi), abs=1e-5)
        assert _argmax_cdf(-900, phi) == pytest.approx(0, abs=1e-5)
        assert _argmax_cdf(900 * phi, phi) == pytest.approx(1, abs=1e-5)


def test_a_planted_change_is_found_with_its_rates() -> None:
    x = RNG(6).binomial(50, np.repeat([0.02, 0.2, 0.05], [30, 20, 40]))
    found = change_points(x, n=50)
    assert len(found.positions) == 2
    assert all(
        low <= at <= high for at, (low, high) in zip((30, 50), found.table[["low", "high"]].to_numpy(), strict=True)
    )
    assert found.segments["events"].sum() == x.sum()


def test_calling_failures_successes_changes_nothing() -> None:
    x = RNG(7).binomial(9, np.repeat([0.1, 0.3], 20))
    there, back = change_point(x, n=9), change_point(9 - x, n=9)
    assert (there.position, there.low, there.high) == (back.position, back.low, back.high)
    assert there.probability == pytest.approx(back.probability)


def test_the_unit_of_exposure_changes_nothing() -> None:
    x = RNG(8).poisson(np.repeat([1, 3], 20))
    hours, minutes = change_point(x, exposure=24), change_point(x, exposure=24 * 60)
    assert (hours.position, hours.low, hours.high) == (minutes.position, minutes.low, minutes.high)
    assert hours.probability == pytest.approx(minutes.probability)
    assert change_points(x, exposure=24).positions == change_points(x, exposure=1440).positions


def test_unit_and_origin_of_values_change_nothing() -> None:
    x = RNG(9).normal(np.repeat([0, 3], 25))
    assert change_points(x).positions == change_points(x * 1000 + 7e5).positions
    assert change_point(x).probability == pytest.approx(change_point(x * 1000 + 7e5).probability)


def test_time_run_backwards_mirrors_the_position() -> None:
    x = RNG(10).binomial(9, np.repeat([0.1, 0.5], [12, 20]))
    assert change_point(x[::-1], n=9).position == 32 - change_point(x, n=9).position


def test_the_change_may_lie_anywhere_in_days_without_runs() -> None:
    found = change_point([0, 0, 0, 0, 0, 0, 9, 9, 9], n=[9, 9, 9, 0, 0, 0, 9, 9, 9])
    assert (found.low, found.high, found.n, found.left_out) == (3, 6, 6, 3)


def test_a_segment_has_at_least_so_many_observations() -> None:
    x = [0, 0, 0, 20, 0, 0, 0]
    assert change_points(x, n=20, min_segment=1).positions == (3, 4)
    assert change_points(x, n=20, min_segment=4).positions == ()


def test_nothing_and_too_little_give_null() -> None:
    for found in (change_point([], n=[]), change_point([1], n=[2]), change_point([0, 0], n=[0, 0])):
        assert (found.position, found.probability, found.changed, found.interval.estimate) == (None, None, False, None)
    assert change_points([], n=[]).positions == ()
    assert sup_f([1, 2]).statistic is None
    assert sup_f([5.0] * 9).position is None


@pytest.mark.parametrize("x", [0, 9])
def test_none_failed_and_all_failed_have_no_change(x: int) -> None:
    assert change_points([x] * 20, n=9).positions == ()
    assert not change_point([x] * 20, n=9).changed


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: change_point([1], n=1, exposure=1), "n and exposure: give one"),
        (lambda: change_point([1, 3], n=2), "values: 3 of 2 at place 1"),
        (lambda: change_point([1], model="gamma"), "model: 'gamma'"),
        (lambda: change_point([1], n=2, prior=(0, 1)), "prior"),
        (lambda: change_point([1], n=2, level=1), "level: 1"),
        (lambda: change_points([1], n=2, penalty="aic"), "penalty: 'aic'"),
        (lambda: change_points([1], n=2, min_segment=0), "min_segment: 0"),
        (lambda: sup_f([1], trim=0.5), "trim: 0.5"),
    ],
)
def test_a_bad_argument_of_a_change_point_is_named(call, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()

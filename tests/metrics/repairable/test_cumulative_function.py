"""The mean cumulative function: against a plain matrix computation, and what may not change it."""

from __future__ import annotations

import numpy as np
import pytest

from aftershock.metrics import Result, mean_cumulative_function

Systems = tuple[list[np.ndarray], np.ndarray, np.ndarray]


def drawn(seed: int) -> Systems:
    """A few systems with ties, staggered entry, and some without a failure."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 12))
    starts = rng.integers(0, 5, k).astype(float)
    ends = starts + rng.integers(1, 20, k)
    times = [
        np.sort(rng.integers(s + 1, e + 1, rng.integers(0, 6))).astype(float) for s, e in zip(starts, ends, strict=True)
    ]
    return times, starts, ends


def by_hand(times: list[np.ndarray], starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """(time, mcf, variance) from the definition: a row per time, an influence per system."""
    rows, influence, mean = [], np.zeros(len(times)), 0.0
    for at in np.unique(np.concatenate(times)):
        here = (starts < at) & (at <= ends)
        failures = np.array([(own == at).sum() for own in times])
        mean += failures.sum() / here.sum()
        influence += np.where(here, (failures - failures.sum() / here.sum()) / here.sum(), 0.0)
        rows.append((at, mean, (influence**2).sum()))
    return np.array(rows).reshape(-1, 3)


@pytest.mark.parametrize("seed", range(25))
def test_the_curve_equals_its_definition(seed: int) -> None:
    times, starts, ends = drawn(seed)
    table = mean_cumulative_function(times, ends, starts=starts).table
    assert np.allclose(table[["time", "mcf", "variance"]].to_numpy(), by_hand(times, starts, ends), atol=1e-12)


def test_the_order_of_systems_does_not_matter() -> None:
    times, starts, ends = drawn(3)
    turned = mean_cumulative_function(times[::-1], ends[::-1], starts=starts[::-1])
    assert np.allclose(turned.table, mean_cumulative_function(times, ends, starts=starts).table)


def test_twice_the_same_systems_are_the_same_curve_with_half_the_variance() -> None:
    times, starts, ends = drawn(4)
    one = mean_cumulative_function(times, ends, starts=starts).table
    two = mean_cumulative_function([*times, *times], [*ends, *ends], starts=[*starts, *starts]).table
    assert np.allclose(two["mcf"], one["mcf"])
    assert np.allclose(two["variance"], one["variance"] / 2)


def test_a_system_that_is_no_longer_observed_is_no_longer_counted() -> None:
    assert mean_cumulative_function([[1.0, 9.0], []], [10.0, 5.0]).table["mcf"].tolist() == [0.5, 1.5]


def test_a_system_that_comes_later_is_not_counted_before() -> None:
    assert mean_cumulative_function([[1.0, 9.0], []], [10.0, 10.0], starts=[0.0, 5.0]).table["mcf"].tolist() == [
        1.0,
        1.5,
    ]


def test_failures_outside_the_observation_are_left_out() -> None:
    curve = mean_cumulative_function([[1.0, 12.0]], [10.0])
    assert (curve.n, curve.left_out) == (1, 1)


def test_independent_variance_is_too_small_where_some_systems_fail_more_than_others() -> None:
    rng = np.random.default_rng(12)
    times = [np.sort(rng.uniform(0, 10, rng.poisson(mean))) for mean in [1] * 15 + [12] * 15]
    robust, naive = (
        mean_cumulative_function(times, [10.0] * 30, variance=kind).table["variance"].iloc[-1]
        for kind in ("robust", "independent")
    )
    assert robust > 2 * naive


def test_robust_bounds_hold_the_mean_although_systems_differ() -> None:
    rng, held = np.random.default_rng(13), 0
    for _ in range(400):
        rates = rng.gamma(2.0, 2.0, 60)
        times = [rng.uniform(0, 1, rng.poisson(rate)) for rate in rates]
        last = mean_cumulative_function(times, np.ones(60)).interval
        held += last.low <= 4.0 <= last.high  # type: ignore[operator]
    assert held / 400 == pytest.approx(0.95, abs=0.03)


def test_nothing_observed_is_null_and_no_failure_is_zero() -> None:
    nobody, quiet = mean_cumulative_function([], []), mean_cumulative_function([[]], [5.0])
    assert (nobody.interval.estimate, nobody.n) == (None, 0)
    assert (quiet.interval.estimate, quiet.interval.low) == (0.0, None)
    assert isinstance(quiet, Result)


def test_the_curve_at_a_time_counts_failures_until_then() -> None:
    curve = mean_cumulative_function([[1.0, 3.0], [2.0]], [4.0, 4.0])
    assert (curve.at(2.5).estimate, curve.at(2.5).n, curve.at(0.5).estimate) == (1.0, 2, 0.0)


@pytest.mark.parametrize(
    ("ends", "starts", "told"),
    [
        ([1.0], None, "2 sequences of times, 1 ends"),
        ([1.0, 2.0], [0.0, 3.0], r"ends\[1\]: the observation ends before"),
    ],
)
def test_observations_that_make_no_sense_are_refused(ends: list[float], starts: list[float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        mean_cumulative_function([[], []], ends, starts=starts)

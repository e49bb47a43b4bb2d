from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from tables import at, run, runs

from aftershock.metrics import ClusterBootstrap, Interval, Period, Result, cluster_bootstrap, wilson

W47 = Period.parse("2026-W47")
Counts = tuple[np.ndarray, np.ndarray]


def days(generator: np.random.Generator, clusters: int, a: float = 1.0, b: float = 19.0) -> Counts:
    """Failures and runs of days that each have a rate of their own: Beta(a, b), 5 % on average."""
    n = generator.integers(40, 80, clusters)
    return generator.binomial(n, generator.beta(a, b, clusters)), n


def independent(generator: np.random.Generator, clusters: int) -> Counts:
    n = generator.integers(40, 80, clusters)
    return generator.binomial(n, 0.05), n


def covered(found: Interval, truth: float) -> bool:
    return found.low is not None and found.high is not None and found.low <= truth <= found.high


def test_the_design_effect_is_the_textbooks_ratio() -> None:
    # By hand: rate 12/60; what each cluster is off by, x - 0.2 n, is 3, -2, 0, -1, 0.
    x, n = np.array([7, 0, 2, 1, 2]), np.array([20, 10, 10, 10, 10])
    squares = (7 - 4) ** 2 + (0 - 2) ** 2 + (2 - 2) ** 2 + (1 - 2) ** 2 + (2 - 2) ** 2
    variance = 5 / 4 * squares / 60**2
    found = cluster_bootstrap(x, n)
    assert found.rate == pytest.approx(0.2)
    assert found.design_effect == pytest.approx(variance / (0.2 * 0.8 / 60))
    assert found.effective_n == pytest.approx(60 / (found.design_effect or 0))


def test_runs_that_fail_together_have_a_design_effect_and_independent_ones_none() -> None:
    generator = np.random.default_rng(1)
    together = [cluster_bootstrap(*days(generator, 60), repetitions=100).design_effect for _ in range(60)]
    alone = [cluster_bootstrap(*independent(generator, 60), repetitions=100).design_effect for _ in range(60)]
    # A Beta(1, 19) has a correlation of 1/21 within days of about 61 runs: about 1 + 60/21.
    assert np.mean([effect or 0 for effect in together]) == pytest.approx(3.9, abs=0.5)
    assert np.mean([effect or 0 for effect in alone]) == pytest.approx(1.0, abs=0.08)


@pytest.mark.parametrize(("clusters", "least"), [(12, 0.88), (60, 0.92)])
def test_clustered_runs_are_covered_by_the_bootstrap_and_not_by_wilson(clusters: int, least: float) -> None:
    generator = np.random.default_rng(2)
    found = [cluster_bootstrap(*days(generator, clusters), repetitions=400, seed=i) for i in range(400)]
    assert least <= np.mean([covered(one.interval, 0.05) for one in found]) <= 0.985
    assert least <= np.mean([covered(one.linearised, 0.05) for one in found]) <= 0.985
    assert np.mean([covered(one.independent, 0.05) for one in found]) < 0.8


def test_independent_runs_are_covered_as_well() -> None:
    generator = np.random.default_rng(3)
    found = [cluster_bootstrap(*independent(generator, 40), repetitions=400, seed=i) for i in range(400)]
    assert np.mean([covered(one.interval, 0.05) for one in found]) == pytest.approx(0.95, abs=0.033)


def test_the_difference_of_two_periods_is_covered() -> None:
    generator = np.random.default_rng(4)
    hits = []
    for _ in range(300):
        before = cluster_bootstrap(*days(generator, 40), repetitions=400)
        now = cluster_bootstrap(*days(generator, 40, 2, 18), repetitions=400)
        hits.append(covered(now.minus(before), 0.05))
    assert np.mean(hits) == pytest.approx(0.95, abs=0.045)


def test_one_seed_for_both_periods_does_not_make_their_difference_look_sure() -> None:
    one = cluster_bootstrap(*days(np.random.default_rng(5), 40))
    width = (one.high or 0) - (one.low or 0)
    found = one.minus(one)
    assert (found.high or 0) - (found.low or 0) == pytest.approx(width * np.sqrt(2), rel=0.1)


def test_the_order_of_the_clusters_does_not_matter() -> None:
    x, n = days(np.random.default_rng(6), 30)
    assert cluster_bootstrap(x, n) == cluster_bootstrap(x[::-1], n[::-1])


def test_the_same_seed_gives_the_same_bounds_and_another_nearly() -> None:
    x, n = days(np.random.default_rng(7), 30)
    one, same, other = (cluster_bootstrap(x, n, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one != other
    assert one.low == pytest.approx(other.low, rel=0.05)


@pytest.mark.parametrize(
    ("clusters", "verdict"), [(4, "too few clusters"), (5, "few clusters"), (20, "enough clusters")]
)
def test_how_many_clusters_there_are_is_said(clusters: int, verdict: str) -> None:
    found = cluster_bootstrap(*days(np.random.default_rng(8), clusters))
    assert (found.verdict, found.low is None) == (verdict, clusters < 5)


def test_few_clusters_are_wider_than_a_plain_percentile_interval() -> None:
    x, n = days(np.random.default_rng(9), 8)
    found = cluster_bootstrap(x, n, method="percentile")
    low, high = np.quantile(found.replicates, [0.025, 0.975])
    assert (found.low or 0) < low
    assert (found.high or 1) > high


def test_days_without_any_failure_bound_the_rate_by_days_not_by_runs() -> None:
    found = cluster_bootstrap([0] * 30, [100] * 30)
    assert (found.low, found.high) == pytest.approx((0.0, wilson(0, 30).high))
    assert found.design_effect is None


def test_days_of_exactly_one_rate_fall_back_to_wilson() -> None:
    found = cluster_bootstrap([1] * 30, [10] * 30)
    assert (found.low, found.high) == pytest.approx((wilson(30, 300).low, wilson(30, 300).high))
    assert (found.design_effect, found.effective_n) == (0.0, None)


@pytest.mark.parametrize(("x", "n"), [([], []), ([0, 0], [0, 0]), ([1], [2])])
def test_with_nothing_to_draw_from_there_are_no_bounds(x: list[int], n: list[int]) -> None:
    found = cluster_bootstrap(x, n)
    assert (found.low, found.high, found.design_effect) == (None, None, None)
    assert found.minus(found).low is None
    assert isinstance(found, Result)


def storm() -> list[dict[str, Any]]:
    """Ten runs a day for a week; on Wednesday all fail, for one reason."""
    return [
        run(
            f"{day}-{i}",
            f"a{i % 3}",
            at(day, i),
            "failed" if day == 18 or (day, i) in ((16, 3), (20, 4)) else "succeeded",
            correlation_id="outage" if day == 18 else None,
        )
        for day in range(16, 23)
        for i in range(10)
    ]


def test_a_table_of_runs_is_clustered_by_its_days() -> None:
    found = cluster_bootstrap(runs(*storm()), period=W47)
    assert found == cluster_bootstrap([1, 0, 10, 0, 1, 0, 0], [10] * 7)
    assert (found.clusters, found.n) == (7, 70)
    assert (found.design_effect or 0) > 5


def test_a_run_without_an_incident_is_a_cluster_of_its_own() -> None:
    found = cluster_bootstrap(runs(*storm()), cluster="correlation_id")
    assert found.clusters == 61
    assert found == cluster_bootstrap([10] + [1] * 2 + [0] * 58, [10] + [1] * 60)


def test_days_are_those_of_the_periods_time_zone() -> None:
    late = [run(str(i), "a", at(16, 23) + timedelta(hours=i), "failed" if i else "succeeded") for i in range(2)]
    assert cluster_bootstrap(runs(*late), period=W47).clusters == 2
    assert cluster_bootstrap(runs(*late), period=Period.parse("2026-W47", "Europe/Berlin")).clusters == 1


def test_cancelled_runs_are_left_out_and_told() -> None:
    found = cluster_bootstrap(runs(*storm(), run("x", "a1", at(17), "cancelled")), period=W47)
    assert (found.n, found.left_out) == (70, 1)


def test_days_without_a_period_are_refused() -> None:
    with pytest.raises(ValueError, match="cluster 'day' needs a period"):
        cluster_bootstrap(runs(*storm()))


def test_unknown_methods_and_too_few_repetitions_are_refused() -> None:
    with pytest.raises(ValueError, match="method: 'normal'"):
        cluster_bootstrap([1], [2], method="normal")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="repetitions: 10"):
        cluster_bootstrap([1], [2], repetitions=10)


def test_one_row_tells_all_of_it() -> None:
    found: ClusterBootstrap = cluster_bootstrap([1, 0, 10, 0, 1, 0, 0], [10] * 7)
    row = found.to_pandas().iloc[0]
    assert (row["clusters"], row["n"], row["linearised_low"]) == (7, 70, found.linearised.low)

"""Control charts: published tables, false alarms near what is promised, and the ends of their range."""

from __future__ import annotations

import numpy as np
import pytest

from aftershock.metrics import (
    c_chart,
    cusum_chart,
    cusum_run_length,
    ewma_chart,
    g_chart,
    individuals_chart,
    laney_p_chart,
    laney_u_chart,
    p_chart,
    run_rules,
    t_chart,
    u_chart,
)

RNG = np.random.default_rng


def test_a_p_chart_is_the_formula() -> None:
    failures, n = np.array([3, 0, 9, 4]), np.array([50, 20, 80, 40])
    chart = p_chart(failures, n)
    p = 16 / 190
    np.testing.assert_allclose(chart.table["upper"], p + 3 * np.sqrt(p * (1 - p) / n))
    np.testing.assert_allclose(chart.table["lower"], np.maximum(p - 3 * np.sqrt(p * (1 - p) / n), 0))


def test_a_revision_leaves_out_what_signals_and_keeps_it_in_the_table() -> None:
    chart = p_chart([1, 2, 1, 2, 30], 50, revisions=1)
    assert (chart.centre, chart.n, chart.left_out, chart.signals) == (0.03, 4, 1, (5,))
    assert chart.table["excluded"].tolist() == [False, False, False, False, True]


def test_samples_are_called_by_their_labels() -> None:
    chart = p_chart([1, 2, 1, 30], 50, labels=["mon", "tue", "wed", "thu"])
    assert chart.signals == ("thu",)
    assert p_chart([1, 2, 1, 30], 50, labels=["mon", "tue", "wed", "thu"], exclude=["thu"]).centre == 4 / 150


def test_a_day_without_runs_has_no_value_and_no_signal() -> None:
    chart = p_chart([0, 0, 1], [0, 5, 5])
    assert (chart.n, chart.left_out) == (2, 1)
    assert chart.table.loc[0, ["value", "lower", "upper"]].isna().all()


@pytest.mark.parametrize("chart", [p_chart, laney_p_chart, u_chart, laney_u_chart])
def test_nothing_gives_null(chart) -> None:
    empty = chart([], [])
    assert (empty.n, empty.centre, empty.lower, empty.signals, empty.interval.estimate) == (0, None, None, (), None)


@pytest.mark.parametrize("failures", [0, 5])
def test_none_failed_and_all_failed_signal_nothing(failures: int) -> None:
    assert p_chart([failures] * 4, 5).signals == ()
    assert laney_p_chart([failures] * 4, 5).signals == ()


def test_laney_widens_the_limits_of_days_that_differ_more_than_chance() -> None:
    rng = RNG(1)
    n = np.full(400, 2000)
    failures = rng.binomial(n, rng.beta(20, 180, size=400))
    assert len(p_chart(failures, n).signals) > 100
    laney = laney_p_chart(failures, n)
    assert laney.sigma_z > 2
    assert len(laney.signals) < 8


def test_laney_is_the_p_chart_where_runs_are_independent() -> None:
    assert laney_p_chart(RNG(2).binomial(500, 0.1, 5000), 500).sigma_z == pytest.approx(1, abs=0.03)


def test_a_u_chart_does_not_know_the_unit_of_exposure() -> None:
    counts, hours = [3, 9, 1, 4], np.array([10.0, 12, 8, 30])
    assert u_chart(counts, hours).signals == u_chart(counts, hours * 60).signals
    np.testing.assert_allclose(u_chart(counts, hours).table["upper"], u_chart(counts, hours * 60).table["upper"] * 60)


def test_a_c_chart_is_a_u_chart_of_exposure_one() -> None:
    assert c_chart([3, 9, 1, 4]).table.equals(u_chart([3, 9, 1, 4], 1).table)


def test_three_standard_deviations_signal_falsely_once_in_370() -> None:
    chart = individuals_chart(RNG(3).normal(size=200_000))
    assert len(chart.signals) / chart.n == pytest.approx(0.0027, abs=0.0004)


def test_the_spread_of_individuals_does_not_see_a_shift() -> None:
    x = np.concatenate([RNG(4).normal(0, 1, 500), RNG(5).normal(20, 1, 500)])
    assert individuals_chart(x).sigma == pytest.approx(1, abs=0.1)


def test_exact_ewma_limits_grow_to_the_asymptotic_ones() -> None:
    exact = ewma_chart([0.0] * 60, target=0, sigma=1, weight=0.2)
    assert exact.table["upper"][0] == pytest.approx(3 * 0.2)
    assert exact.table["upper"][59] == pytest.approx(exact.upper)
    assert exact.upper == pytest.approx(3 * np.sqrt(0.2 / 1.8))


def test_an_ewma_of_weight_one_is_a_chart_of_individuals() -> None:
    x = [0.0, 3.1, -3.1, 2.9]
    assert ewma_chart(x, target=0, sigma=1, weight=1).signals == (2, 3)


def test_an_ewma_signals_falsely_as_seldom_as_published() -> None:
    """Lucas and Saccucci (1990), table 3: weight 0.1, width 2.814: 500 samples between false alarms."""
    x = RNG(6).normal(size=(3000, 1500))
    z = np.zeros(3000)
    limit = 2.814 * np.sqrt(0.1 / 1.9)
    alive, lived = np.ones(3000, dtype=bool), np.zeros(3000)
    for column in x.T:
        z = 0.1 * column + 0.9 * z
        lived += alive
        alive &= np.abs(z) <= limit
    rate = (~alive).sum() / lived.sum()
    assert 1 / rate == pytest.approx(500, rel=0.08)
    one = ewma_chart(x[0], target=0, sigma=1, weight=0.1, width=2.814, limits="asymptotic")
    np.testing.assert_allclose(one.upper, limit)


@pytest.mark.parametrize(
    ("h", "shift", "length"),
    [(4, 0, 168), (4, 1, 8.38), (4, 2, 3.34), (5, 0, 465), (5, 0.5, 38.0), (5, 1, 10.4), (5, 2, 4.01)],
)
def test_cusum_run_lengths_are_those_of_montgomery_s_table(h: float, shift: float, length: float) -> None:
    """Montgomery, Introduction to Statistical Quality Control, table 9.3, k = 1/2."""
    assert cusum_run_length(k=0.5, h=h, shift=shift) == pytest.approx(length, rel=0.006)


def test_a_cusum_says_after_which_sample_the_shift_began() -> None:
    chart = cusum_chart([0, 0, -1, 0, 2, 2, 2, 2, 2], target=0)
    assert (chart.first_signal, chart.shifted_after) == (8, 4)


def test_a_cusum_of_mirrored_values_is_mirrored() -> None:
    x = RNG(7).normal(size=50)
    up, down = cusum_chart(x, target=0).table, cusum_chart(-x, target=0).table
    np.testing.assert_allclose(up["high"], down["low"])


def test_a_cusum_in_standard_deviations_does_not_know_the_unit() -> None:
    x = RNG(8).normal(size=200)
    assert cusum_chart(x, target=0, h=3).signals == cusum_chart(x * 60, target=0, sigma=60, h=3).signals


def test_a_head_start_signals_sooner() -> None:
    x = [1.0] * 20
    assert cusum_chart(x, target=0, head_start=0.5).first_signal < cusum_chart(x, target=0).first_signal


def test_a_g_chart_of_probability_limits_keeps_its_promise() -> None:
    gaps = RNG(9).geometric(1 / 3001, size=100_000) - 1
    chart = g_chart(gaps)
    assert (gaps < chart.lower).mean() == pytest.approx(0.00135, abs=0.0005)
    assert (gaps > chart.upper).mean() == pytest.approx(0.00135, abs=0.0005)


def test_a_g_chart_of_short_gaps_has_no_lower_limit() -> None:
    assert (g_chart([5, 2, 0, 7]).lower, g_chart([5, 2, 0, 7], limits="sigma").lower) == (None, 0.0)


def test_a_t_chart_of_probability_limits_keeps_its_promise() -> None:
    gaps = RNG(10).exponential(24, size=100_000)
    chart = t_chart(gaps)
    assert (gaps < chart.lower).mean() == pytest.approx(0.00135, abs=0.0005)
    assert (gaps > chart.upper).mean() == pytest.approx(0.00135, abs=0.0005)


def test_nelson_s_transformation_gives_montgomery_s_valve_values() -> None:
    """Montgomery, example 7.6: hours between failures of a valve, to the power 0.2777 (1 / 3.6 is 0.2778)."""
    chart = t_chart([286, 948, 536, 124], limits="transformed")
    np.testing.assert_allclose(chart.table["value"], [4.80986, 6.70903, 5.72650, 3.81367], atol=0.004)


def test_western_electric_s_rules_signal_falsely_once_in_92() -> None:
    """Champ and Woodall (1987): 91.75 samples to the first signal."""
    z = RNG(11).normal(size=(1500, 700))
    first = [signals[0] for row in z if (signals := run_rules(row, centre=0, sigma=1).signals)]
    assert np.mean(first) == pytest.approx(91.75, rel=0.08)
    assert run_rules([], centre=0, sigma=1).false_alarm_every == 91.75


@pytest.mark.parametrize(
    ("rule", "values", "at"),
    [
        (1, [0, 3.1, 0], (2,)),
        (2, [0.1] * 8, (8,)),
        (3, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5], (6,)),
        (4, [0.1, -0.1] * 7, (14,)),
        (5, [2.1, 0, 2.1], (3,)),
        (5, [2.1, 0, -2.1], ()),
        (6, [1.1, 1.1, 0, 1.1, 1.1], (5,)),
        (7, [0.5, -0.5] * 7 + [0.5], (15,)),
        (8, [1.5, -1.5] * 4, (8,)),
    ],
)
def test_a_pattern_is_found_where_it_is_complete(rule: int, values: list[float], at: tuple[int, ...]) -> None:
    assert run_rules(values, centre=0, sigma=1, rules=[rule]).signals == at


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: p_chart([3], [2]), "failures: 3 of 2 at place 0"),
        (lambda: p_chart([1, None], 5), "failures: nan at place 1"),
        (lambda: p_chart([1], [1, 2]), "n: 2 for 1 samples"),
        (lambda: p_chart([1], 5, exclude=[9]), "exclude: 9 names no sample"),
        (lambda: u_chart([1], 0), "counts: 1 without exposure at place 0"),
        (lambda: c_chart([1], width=0), "width: 0"),
        (lambda: ewma_chart([1], target=0, sigma=1, weight=0), "weight: 0"),
        (lambda: cusum_chart([1], target=0, head_start=1), "head_start: 1"),
        (lambda: g_chart([1], limits="x"), "limits: 'x'"),
        (lambda: run_rules([1], centre=0, sigma=1, rules=[9]), "rules: 9"),
    ],
)
def test_a_bad_argument_is_named(call, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()

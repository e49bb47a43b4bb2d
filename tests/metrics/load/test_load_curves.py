from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from scipy import optimize
from support import SHARED, needs_shared
from tables import at, run, runs

from aftershock import LogisticKnee, logistic_knee, scalability_law, volume_knee, volume_trend

RAYTRACER = ([1, 4, 8, 12, 16, 20, 24, 28, 32, 48, 64], [20, 78, 130, 170, 190, 200, 210, 230, 260, 280, 310])


def hours(rng: np.random.Generator, kind: str, days: int = 60, spread: float = 0.3) -> tuple[np.ndarray, ...]:
    hour = np.arange(days * 24)
    load = rng.poisson(20 + 180 * np.exp(-(((hour % 24) - 13) ** 2) / 32)) + 1
    shape = {"flat": 0 * load - 3.5, "line": 0.008 * load - 3.8, "bend": 0.02 * np.maximum(0, load - 120) - 3.8}[kind]
    p = 1 / (1 + np.exp(-shape - rng.normal(0, spread, days)[hour // 24]))
    return load, rng.binomial(load, p), load, hour // 24


def knee_of(rows: tuple[np.ndarray, ...], **options: object) -> LogisticKnee:
    return logistic_knee(*rows[:3], clusters=rows[3], **options)


@needs_shared
def test_the_transformed_law_equals_r_usl_before_version_2_on_sdm91() -> None:
    # README of the R package usl 1.8.0: sigma 1.704689e-02, kappa 7.892498e-05, scale factor 64.9.
    rows = [line.split(",") for line in (SHARED / "truth" / "specsdm91.csv").read_text().splitlines()[1:]]
    law = scalability_law([float(row[0]) for row in rows], [float(row[1]) for row in rows], method="transformed")
    found = (law.alpha.estimate, law.beta.estimate, law.gamma.estimate)
    assert found == pytest.approx((1.704689e-02, 7.892498e-05, 64.9), rel=1e-6)


def test_gunthers_ray_tracer_has_his_alpha() -> None:
    # Gunther (2007), ray tracer on a NUMA machine, as R's usl printed it before version 2: sigma 5.002e-02 (standard error 3.209e-03),
    # kappa 4.708e-06 (6.923e-05).
    law = scalability_law(*RAYTRACER, method="transformed")
    assert (law.alpha.estimate, law.beta.estimate) == pytest.approx((5.002e-02, 4.708e-06), rel=1e-4)
    assert law.se[:2] == pytest.approx((3.209e-03, 6.923e-05), rel=1e-4)


def test_the_ray_tracer_equals_r_usl_from_version_2_on() -> None:
    # tests/confint.Rout.save of the R package usl: alpha 0.0578, beta 0.0000, gamma 21.8488.
    law = scalability_law(*RAYTRACER)
    assert (law.alpha.estimate, law.gamma.estimate) == pytest.approx((0.0578, 21.8488), abs=5e-5)
    assert (law.beta.estimate, law.warnings) == (0.0, ("beta is held at 0",))


def test_holding_beta_at_0_does_not_make_alpha_surer() -> None:
    law = scalability_law(*RAYTRACER)
    assert law.alpha.low <= 0.05 <= law.alpha.high
    assert law.beta.low <= 4.7e-6 <= law.beta.high


@pytest.mark.parametrize("method", ["nonlinear", "transformed"])
def test_of_the_fits_within_the_bounds_the_best_is_given(method: str) -> None:
    rng, load = np.random.default_rng(11), np.array([1, 2, 4, 8, 16, 32, 64, 96.0])
    for alpha, beta in ((0.0, 1e-3), (1.2, 0.0), (0.0, 0.0)):
        for _ in range(5):
            noise = np.exp(rng.normal(0, 0.08, 8))
            measured = noise * 50 * load / (1 + alpha * (load - 1) + beta * load * (load - 1))
            law = scalability_law(load, measured, gamma=50, method=method)

            def missed(a: float, b: float, measured: np.ndarray = measured) -> float:
                below = 1 + a * (load - 1) + b * load * (load - 1)
                rest = measured - 50 * load / below if method == "nonlinear" else 50 * load / measured - below
                return float(rest @ rest)

            best = optimize.minimize(
                lambda p, missed=missed: missed(p[0], p[1] / 1000),
                [0.1, 0.1],
                bounds=[(0, 1), (0, None)],
                method="L-BFGS-B",
            )
            assert missed(law.alpha.estimate, law.beta.estimate) <= best.fun * (1 + 1e-6)


def test_a_peak_beyond_the_loads_measured_is_not_settled() -> None:
    law = scalability_law(*RAYTRACER, gamma=20)
    assert not law.is_identified
    assert "lies below the peak" in law.verdict


def test_the_law_finds_its_own_parameters_whatever_the_unit_of_throughput() -> None:
    load = np.array([1, 2, 4, 8, 16, 32, 64, 128])
    for unit in (1.0, 3600.0):
        law = scalability_law(load, unit * 50 * load / (1 + 0.03 * (load - 1) + 2e-4 * load * (load - 1)))
        found = (law.alpha.estimate, law.beta.estimate, law.gamma.estimate / unit)
        assert found == pytest.approx((0.03, 2e-4, 50), rel=1e-6)


def test_too_few_loads_give_no_law() -> None:
    law = scalability_law([1, 2, 3, -1], [1, 2, 3, 4])
    assert (law.n, law.left_out, law.peak_load.estimate, law.verdict) == (
        3, 1, None, "cannot tell: 3 different loads are too few, 4 are needed",
    )  # fmt: skip


def test_without_an_effect_of_load_no_knee_is_reported_in_95_of_100() -> None:
    rng = np.random.default_rng(2)
    knees = [knee_of(hours(rng, "flat", days=30)).knee.estimate is not None for _ in range(120)]
    assert np.mean(knees) <= 0.05


def test_a_slope_whose_interval_holds_zero_is_called_that_and_never_makes_a_knee() -> None:
    rng = np.random.default_rng(7)
    found = [knee_of(hours(rng, "flat", days=30)) for _ in range(20)]
    holds = [knee for knee in found if knee.slope.low <= 0 <= knee.slope.high]
    assert len(holds) >= 15
    assert {(knee.verdict, knee.knee.estimate) for knee in holds} == {("no knee: slope interval holds 0", None)}


def test_the_knees_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(3), []
    for _ in range(100):
        knee = knee_of(hours(rng, "line", days=30))
        base = 1 / (1 + np.exp(3.8 - 0.008 * knee.baseline_load))
        truth = (np.log(2 * base / (1 - 2 * base)) + 3.8) / 0.008
        held.append(knee.knee.low <= truth <= knee.knee.high)
    assert 0.88 <= np.mean(held) <= 1


def test_a_bend_is_found_where_there_is_one() -> None:
    knee = knee_of(hours(np.random.default_rng(4), "bend"))
    assert knee.shape == "broken"
    assert knee.bend == pytest.approx(120, abs=10)
    assert knee.knee.low <= 157 <= knee.knee.high


def test_the_slope_equals_statsmodels() -> None:
    sm = pytest.importorskip("statsmodels.api")
    load, failures, n, day = hours(np.random.default_rng(5), "line")
    model = sm.GLM(
        np.column_stack([failures, n - failures]), sm.add_constant(load), family=sm.families.Binomial()
    ).fit()
    assert knee_of((load, failures, n, day)).slope.estimate == pytest.approx(model.params[1], rel=1e-7)


def test_neither_order_nor_the_names_of_days_change_the_knee() -> None:
    rows = hours(np.random.default_rng(6), "bend", days=20)
    mixed = np.random.default_rng(7).permutation(len(rows[0]))
    turned = tuple(part[mixed] for part in rows)
    assert knee_of((*turned[:3], turned[3] + 100)).knee == knee_of(rows).knee


def test_an_estimate_that_few_hours_bear_is_not_told() -> None:
    load = np.r_[np.tile(np.arange(10, 50), 10), 200, 201, 202]
    failures = np.r_[np.tile(np.arange(10, 50) // 25, 10), 40, 41, 40]
    knee = logistic_knee(load, failures, load, clusters=np.arange(len(load)) % 20)
    assert knee.verdict.startswith(("cannot tell: only", "no knee: slope interval holds 0"))
    assert knee.knee.estimate is None


def test_few_days_few_failures_or_nothing_cannot_tell() -> None:
    assert logistic_knee([], [], []).verdict == "cannot tell: only 0 days or clusters, 8 are needed"
    assert logistic_knee(range(1, 21), [0] * 20, [5] * 20).verdict == "cannot tell: only 0 failures, 10 are needed"
    assert logistic_knee([5] * 20, [1] * 20, [5] * 20).verdict == "cannot tell: there is only one load"


def test_counts_that_do_not_fit_are_an_error_that_names_the_row() -> None:
    with pytest.raises(ValueError, match="row 1: load 2, 3 failures of 2"):
        logistic_knee([1, 2], [0, 3], [2, 2])


@pytest.mark.parametrize(("memory", "off_days"), [(0.0, 4), (0.4, 7)])
def test_growth_and_the_date_of_a_height_are_found_and_their_intervals_hold(memory: float, off_days: int) -> None:
    days = [date(2026, 1, 1) + timedelta(days=i) for i in range(90)]
    rng, due = np.random.default_rng(8), days[-1] + timedelta(days=30)
    off, held, grown = [], [], []
    for _ in range(200):
        noise = rng.normal(0, 0.05, 90)
        for i in range(1, 90):
            noise[i] += memory * noise[i - 1]
        trend = volume_trend(days, np.exp(0.01 * np.arange(90) + 5 + noise))
        arrival = trend.reaches(float(np.exp(5 + 0.01 * 119)))
        off.append((arrival.on - due).days)
        held.append(arrival.earliest <= due <= arrival.latest)
        grown.append(trend.growth.low <= np.exp(0.3) <= trend.growth.high)
    assert np.mean(off) == pytest.approx(0, abs=0.5)
    assert np.quantile(np.abs(off), 0.95) <= off_days
    assert np.mean(held) == pytest.approx(0.95, abs=0.035)
    assert np.mean(grown) == pytest.approx(0.95, abs=0.035)


def test_a_height_that_is_passed_or_never_met_is_said_so() -> None:
    days = [date(2026, 1, 1) + timedelta(days=i) for i in range(60)]
    falling = volume_trend(days, np.exp(5 - 0.01 * np.arange(60)))
    assert (str(falling.reaches(10)), str(falling.reaches(1000))) == ("already beyond", "never at this trend")
    assert str(volume_trend(days[:5], [1, 2, 3, 4, 5]).reaches(9)) == "cannot tell"


def test_the_interval_of_growth_holds_the_truth_when_days_are_alike() -> None:
    rng, held = np.random.default_rng(9), []
    days = [date(2026, 1, 1) + timedelta(days=i) for i in range(120)]
    for _ in range(200):
        noise = rng.normal(0, 0.1, 120)
        for i in range(1, 120):
            noise[i] += 0.4 * noise[i - 1]
        growth = volume_trend(days, np.exp(5 + noise)).growth
        held.append(growth.low <= 1 <= growth.high)
    assert 0.9 <= np.mean(held) <= 1


def test_a_knee_is_told_from_runs() -> None:
    rng = np.random.default_rng(10)
    rows = []
    for day in range(1, 15):
        for hour in range(0, 24, 2):
            load = int(5 + 5 * (hour // 2))
            failed = rng.random(load) < 1 / (1 + np.exp(4 - 0.06 * load))
            rows += [
                run(f"{day}-{hour}-{i}", "a", at(day, hour, i % 60), "failed" if bad else "succeeded")
                for i, bad in enumerate(failed)
            ]
    result = volume_knee(runs(*rows))
    assert result.verdict.startswith("knee at ")
    assert result.interval.low <= result.knee <= result.interval.high
    assert result.n == len(rows)

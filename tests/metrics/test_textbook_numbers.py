"""Numbers printed in books, papers and programs beside the published cases: typed here with their source, held by public functions."""

from __future__ import annotations

from typing import Any

import ibis
import numpy as np
import pytest

from aftershock import metrics

MAINTAINED = ([9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161], [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0])
NONMAINTAINED = ([5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45], [1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1])
SIX_MP = (
    [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35],
    [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0],
)
PLACEBO = ([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], [1] * 21)
GEHAN = (SIX_MP[0] + PLACEBO[0], SIX_MP[1] + PLACEBO[1], ["6-MP"] * 21 + ["placebo"] * 21)
# Montgomery, Introduction to Statistical Quality Control, 6th ed., Table 9.1
SHIFTED = [
    9.45,
    7.99,
    9.29,
    11.66,
    12.16,
    10.18,
    8.04,
    11.46,
    9.20,
    10.34,
    9.03,
    11.47,
    10.51,
    9.40,
    10.08,
    9.37,
    10.62,
    10.31,
]
SHIFTED += [8.52, 10.84, 10.90, 9.33, 12.29, 11.50, 10.60, 11.08, 10.38, 11.62, 11.31, 10.52]


def bounds(interval: Any) -> list[float | None]:
    return [interval.low, interval.high]


# Newcombe (1998) Stat Med 17:857, Table I
@pytest.mark.parametrize(
    ("method", "printed"),
    [
        ("wilson_cc", [(0.2535, 0.3682), (0.0598, 0.1644), (0, 0.2005), (0.0018, 0.1963)]),
        ("mid_p", [(0.2544, 0.3658), (0.0601, 0.1581), (0, 0.1391), (0.0017, 0.1585)]),
        ("likelihood_ratio", [(0.2542, 0.3655), (0.0596, 0.1567), (0, 0.0916), (0.0020, 0.1432)]),
    ],
)
def test_newcombes_single_proportions(method: str, printed: list[tuple[float, float]]) -> None:
    cases = [(81, 263), (15, 148), (0, 20), (1, 29)]
    for (x, n), expected in zip(cases, printed, strict=True):
        assert bounds(getattr(metrics, method)(x, n)) == pytest.approx(expected, abs=6e-5)


# Newcombe (1998) Stat Med 17:873, Table II: methods 5 (Mee) and 6 (Miettinen-Nurminen)
@pytest.mark.parametrize(
    ("counts", "mee", "miettinen_nurminen"),
    [
        ((56, 70, 48, 80), (0.0533, 0.3377), (0.0528, 0.3382)),
        ((9, 10, 3, 10), (0.1821, 0.8370), (0.1700, 0.8406)),
        ((6, 7, 2, 7), (0.0544, 0.8478), (0.0342, 0.8534)),
        ((5, 56, 0, 29), (-0.0313, 0.1926), (-0.0326, 0.1933)),
        ((0, 10, 0, 20), (-0.1611, 0.2775), (-0.1658, 0.2844)),
        ((0, 10, 0, 10), (-0.2775, 0.2775), (-0.2879, 0.2879)),
        ((10, 10, 0, 20), (0.7225, 1), (0.7156, 1)),
        ((10, 10, 0, 10), (0.6777, 1), (0.6636, 1)),
    ],
)
def test_newcombes_score_differences(
    counts: tuple[int, int, int, int], mee: tuple[float, float], miettinen_nurminen: tuple[float, float]
) -> None:
    assert bounds(metrics.mee(*counts)) == pytest.approx(mee, abs=6e-5)
    assert bounds(metrics.miettinen_nurminen(*counts)) == pytest.approx(miettinen_nurminen, abs=6e-5)


def test_the_vegetarians_of_agresti() -> None:
    # Agresti, An Introduction to Categorical Data Analysis, section 1.4: none of 25
    assert metrics.wilson(0, 25).high == pytest.approx(0.133, abs=6e-4)
    assert metrics.likelihood_ratio(0, 25).high == pytest.approx(0.074, abs=6e-4)
    assert metrics.clopper_pearson(0, 25).high == pytest.approx(0.137, abs=6e-4)
    assert metrics.plus_four(0, 25).high == pytest.approx(0.161, abs=6e-4)


def test_the_examples_on_rs_help_pages() -> None:
    # ?binom.test (Mendel's peas), ?prop.test (smokers), ?fisher.test (Convictions), ?poisson.test of a plain count
    assert bounds(metrics.clopper_pearson(682, 925)) == pytest.approx([0.7076683, 0.7654066], abs=6e-8)
    assert metrics.funnel([83, 90, 129, 70], [86, 93, 136, 82]).p_alike == pytest.approx(0.005585, abs=6e-7)
    twins = metrics.association(2, 10, 15, 3)
    assert twins.p_less == pytest.approx(0.0004652, abs=6e-8)
    assert bounds(metrics.poisson_rate(10)) == pytest.approx([4.795389, 18.39036], abs=6e-6)


def test_the_full_posterior_of_seventy_one_groups_of_rats() -> None:
    # Gelman et al., Bayesian Data Analysis, section 5.3: E(alpha | y) = 2.4, E(beta | y) = 14.3
    x = [0] * 14 + [1] * 8 + [2] * 9 + [1, 5, 2, 5, 3, 2, 7, 7, 3, 3, 2, 9, 10] + [4] * 7 + [10, 4, 4, 4, 5, 11, 12]
    x += [5, 5, 6, 5, 6, 6, 6, 6, 16, 15, 15, 9, 4]
    n = (
        [20] * 7
        + [19] * 4
        + [18, 18, 17]
        + [20] * 4
        + [19, 19, 18, 18, 25, 24, 23]
        + [20] * 6
        + [10, 49, 19, 46, 27, 17]
    )
    n += (
        [49, 47, 20, 20, 13, 48, 50]
        + [20] * 7
        + [48, 19, 19, 19, 22, 46, 49, 20, 20, 23, 19, 22, 20, 20, 20, 52, 46, 47]
    )
    fit = metrics.beta_binomial(x, [*n, 24, 14], method="bayes")
    assert [fit.alpha, fit.beta] == pytest.approx([2.4, 14.3], abs=0.05)
    # Averaged over alpha and beta a group is less sure than with them taken as known.
    known = metrics.beta_binomial(x, [*n, 24, 14]).posterior(4, 14)
    wide = fit.posterior(4, 14)
    assert wide.high is not None
    assert known.high is not None
    assert wide.high > known.high


@pytest.mark.parametrize(("x", "n"), [([], 10), ([5], 10), ([0, 10, 0, 10], 10), ([1, 2, 1, 2], 10), ([0, 0], 10)])
def test_where_the_data_do_not_bound_the_spread_the_full_posterior_says_so(x: list[int], n: int) -> None:
    fit = metrics.beta_binomial(x, n, method="bayes")
    assert (fit.alpha, fit.beta, fit.mean) == (None, None, fit.pooled.estimate)


def test_the_factors_of_nist_for_a_mean_time_between_failures() -> None:
    # NIST/SEMATECH e-Handbook 8.4.5.1, tables of factors: failures, level, both factors
    table = [(1, 0.9, 0.2108, 19.4958), (1, 0.8, 0.2571, 9.4912), (2, 0.8, 0.3758, 3.7607), (10, 0.9, 0.5895, 1.8432)]
    for r, level, low, high in table:
        found = metrics.mtbf(r, 1000.0, level=level)
        assert [bound / 1000 * r for bound in bounds(found) if bound] == pytest.approx([low, high], abs=1.1e-4)


def test_crows_three_systems_of_simulated_failures() -> None:
    # Crow (1990) RAMS 275; ReliaWiki, repairable systems: lambda 0.461, beta 0.615
    first = [4.3, 4.4, 10.2, 23.5, 23.8, 26.4, 74.0, 77.1, 92.1, 197.2]
    second = [0.1, 5.6, 18.6, 19.5, 24.2, 26.7, 45.1, 45.8, 75.7, 79.7, 98.6, 120.1, 161.8, 180.6, 190.8]
    third = [8.4, 32.5, 44.7, 48.4, 50.6, 73.6, 98.7, 112.2, 129.8, 136.0, 195.8]
    fit = metrics.power_law([first, second, third], 200)
    assert [fit.beta, fit.lam] == pytest.approx([0.615, 0.461], abs=6e-4)


def test_the_grouped_generators_of_the_military_handbook() -> None:
    # MIL-HDBK-189 (1981), Appendix C, grouped data: beta 0.753, lambda 1.53
    fit = metrics.power_law_grouped([20, 40, 60, 80, 100], [13, 16, 5, 8, 7])
    assert [fit.beta, fit.lam] == pytest.approx([0.753, 1.53], abs=1.1e-3)


def test_the_grouped_failures_of_reliawiki() -> None:
    # ReliaWiki, Crow-AMSAA, grouped data: beta 0.81361, lambda 0.44585
    fit = metrics.power_law_grouped([62, 100, 187, 210, 350, 500], [12, 6, 15, 3, 18, 16])
    assert [fit.beta, fit.lam] == pytest.approx([0.81361, 0.44585], abs=6e-6)


@pytest.mark.parametrize(
    ("n", "level", "factors"),
    [
        (2, 0.8, (0.261, 18.66)),
        (3, 0.9, (0.263, 9.736)),
        (4, 0.95, (0.262, 8.093)),
        (5, 0.8, (0.426, 3.386)),
        (6, 0.8, (0.459, 2.915)),
        (3, 0.98, (0.174, 24.10)),
    ],
)
def test_the_handbooks_factors_for_the_current_mtbf(n: int, level: float, factors: tuple[float, float]) -> None:
    # MIL-HDBK-189 (1981), Appendix C, time-truncated testing
    assert metrics.current_mtbf_factors(n, level) == pytest.approx(factors, rel=2.1e-3)


def test_crows_factors_where_a_failure_ended_the_test() -> None:
    # Crow (1982) Technometrics 24:67: n = 2 and 5
    assert metrics.current_mtbf_factors(2, 0.9, truncation="failure") == pytest.approx((0.5552, 72.67), rel=1e-3)
    assert metrics.current_mtbf_factors(5, 0.9, truncation="failure") == pytest.approx((0.5290, 5.424), rel=1e-3)


def test_the_first_occurrences_of_crows_projection() -> None:
    # Crow (1982); ReliaWiki, Crow extended: 16 modes in 400 h: beta 0.7970, unbiased 0.7472, h 0.0299
    first = [15.04, 25.26, 47.46, 53.96, 56.42, 99.57, 100.31, 111.99, 125.48, 133.43, 192.66, 249.15, 285.01]
    first += [379.43, 388.97, 395.25]
    fixed = metrics.crow_projection_of_modes(first, [2] * 16, [0.72] * 16, 400, a_failures=10)
    assert [fixed.beta, fixed.h] == pytest.approx([0.7472, 0.0299], abs=6e-5)
    assert fixed.demonstrated_mtbf == pytest.approx(9.52, abs=6e-3)  # 42 failures in 400 h


def test_the_leukaemia_patients_of_rs_survival() -> None:
    # Miller (1997) Survival Analysis; R: summary(survfit(Surv(time, status) ~ x, aml)), survdiff, coxph
    curve = metrics.kaplan_meier(*MAINTAINED, transform="log")
    steps = curve.table[curve.table["events"] > 0]
    assert list(steps["survival"]) == pytest.approx([0.9091, 0.8182, 0.7159, 0.6136, 0.4909, 0.3682, 0.1841], abs=6e-5)
    assert list(steps["se"]) == pytest.approx([0.0867, 0.1163, 0.1397, 0.1526, 0.1642, 0.1627, 0.1535], abs=6e-5)
    assert [curve.median, *bounds(curve.interval)] == [31, 18, None]
    other = metrics.kaplan_meier(*NONMAINTAINED, transform="log")
    assert [other.median, *bounds(other.interval)] == [23, 8, None]
    times, seen = MAINTAINED[0] + NONMAINTAINED[0], MAINTAINED[1] + NONMAINTAINED[1]
    groups = [0] * 11 + [1] * 12
    assert metrics.log_rank(times, seen, groups).chi2 == pytest.approx(3.396, abs=6e-4)
    row = metrics.cox_regression(times, seen, {"x": groups}).to_pandas().iloc[0]
    assert [row["coef"], row["se"]] == pytest.approx([0.9155, 0.5119], abs=6e-5)


@pytest.mark.parametrize(("weights", "chi2"), [("gehan", 13.46), ("tarone-ware", 15.12), ("peto", 14.08)])
def test_the_weighted_tests_of_kleinbaum(weights: Any, chi2: float) -> None:
    # Kleinbaum and Klein, Survival Analysis, chapter 2: remission of leukaemia
    assert metrics.log_rank(*GEHAN, weights=weights).chi2 == pytest.approx(chi2, abs=6e-3)


@pytest.mark.parametrize(("ties", "printed"), [("efron", [1.5721, 0.4124]), ("breslow", [1.5092, 0.4096])])
def test_coxs_coefficient_of_the_remission_data(ties: Any, printed: list[float]) -> None:
    # R: coxph(Surv(time, cens) ~ treat, MASS::gehan), both ways with ties
    placebo = [int(group == "placebo") for group in GEHAN[2]]
    row = metrics.cox_regression(GEHAN[0], GEHAN[1], {"placebo": placebo}, ties=ties).to_pandas().iloc[0]
    assert [row["coef"], row["se"]] == pytest.approx(printed, abs=6e-5)


def test_the_restricted_mean_of_the_remission_data() -> None:
    # R: print(survfit(Surv(time, cens) ~ 1, 6-MP), rmean=35): 23.29, se 2.83
    curve = metrics.kaplan_meier(*SIX_MP)
    assert [curve.rmst(35).estimate, curve.rmst_se(35)] == pytest.approx([23.29, 2.83], abs=6e-3)


@pytest.mark.parametrize(
    ("h", "printed"),
    [
        (4, {0: 168, 0.25: 74.2, 0.5: 26.6, 0.75: 13.3, 1: 8.38, 1.5: 4.75, 2: 3.34, 2.5: 2.62, 3: 2.19, 4: 1.71}),
        (5, {0: 465, 0.25: 139, 0.5: 38, 0.75: 17, 1: 10.4, 1.5: 5.75, 2: 4.01, 2.5: 3.11, 3: 2.57, 4: 2.01}),
    ],
)
def test_montgomerys_run_lengths_of_the_cusum(h: float, printed: dict[float, float]) -> None:
    # Montgomery, 6th ed., Table 9.3 (Lucas 1976), k = 1/2
    found = [metrics.cusum_run_length(h=h, shift=shift) for shift in printed]
    assert found == pytest.approx(list(printed.values()), rel=6e-3)


def test_montgomerys_cusum_and_ewma_of_a_shifted_mean() -> None:
    # Tables 9.2 and 9.10: the sum passes 5 at sample 29, having begun after 22; EWMA with 0.1 and 2.7
    sums = metrics.cusum_chart(SHIFTED, target=10, k=0.5, h=5)
    assert (sums.first_signal, sums.shifted_after) == (29, 22)
    assert sums.table["high"][28] == pytest.approx(5.28, abs=6e-3)
    moving = metrics.ewma_chart(SHIFTED, target=10, sigma=1, weight=0.1, width=2.7)
    assert list(moving.table["value"][:4]) == pytest.approx([9.945, 9.7495, 9.70355, 9.8992], abs=6e-5)
    assert [moving.lower, moving.upper] == pytest.approx([9.38, 10.62], abs=6e-3)


def test_montgomerys_dyed_cloth() -> None:
    # Example 7.5 and R's qcc::dyedcloth: 153 in 107.5 units: centre 1.42, first roll 0.29 to 2.55
    rolls = [10, 8, 13, 10, 9.5, 10, 12, 10.5, 12, 12.5]
    chart = metrics.u_chart([14, 12, 20, 11, 7, 10, 21, 16, 19, 23], rolls)
    first = chart.table.iloc[0]
    assert [chart.centre, first["lower"], first["upper"]] == pytest.approx([1.42, 0.29, 2.55], abs=6e-3)
    assert chart.signals == ()


def test_the_outliers_of_iglewicz_and_hoaglin() -> None:
    # How to Detect and Handle Outliers (1993): 2.1 ... 8.3, median 2.45, median distance 0.15
    found = metrics.robust_z([2.1, 2.6, 2.4, 2.5, 2.3, 2.1, 2.3, 2.6, 8.2, 8.3])
    assert list(found.table["z"][-2:]) == pytest.approx([25.86, 26.30], abs=6e-3)
    assert found.outliers == 2


def test_the_beer_and_diapers_of_tan_steinbach_and_kumar() -> None:
    # Introduction to Data Mining, Table 6.1: {milk, diapers} -> beer has support 0.4 and confidence 0.67
    baskets = ["bread milk", "bread diapers beer eggs", "milk diapers beer cola", "bread milk diapers beer"]
    rows = [
        {"basket": place, "item": item}
        for place, items in enumerate([*baskets, "bread milk diapers cola"])
        for item in items.split()
    ]
    rules = metrics.association_rules(ibis.memtable(rows), min_count=1, max_size=3, redundant=True).table
    rule = rules[(rules["antecedent"] == ("diapers", "milk")) & (rules["consequent"] == "beer")].iloc[0]
    assert [rule["support"], rule["confidence"]] == pytest.approx([0.4, 2 / 3])


def test_the_raytracer_of_gunther_as_rs_usl_fits_it() -> None:
    # R usl 3, tests/confint.Rout.save: 0.0578, 0, 21.8488; before version 2 (Gunther's own way): 0.0500, 4.71e-06
    load = [1, 4, 8, 12, 16, 20, 24, 28, 32, 48, 64]
    done = [20, 78, 130, 170, 190, 200, 210, 230, 260, 280, 310]
    fit = metrics.scalability_law(load, done)
    found = [fit.alpha.estimate, fit.beta.estimate, fit.gamma.estimate]
    assert found == pytest.approx([0.0578, 0.0, 21.8488], abs=6e-5)
    own = metrics.scalability_law(load, done, gamma=20, method="transformed")
    assert [own.alpha.estimate, own.beta.estimate] == pytest.approx([0.0500, 4.71e-6], rel=1e-3)


def test_six_made_up_loads_give_back_what_made_them() -> None:
    # R usl, tests/coef.Rout.save: 0.02, 0.02, 1
    fit = metrics.scalability_law([1, 2, 4, 6, 8, 10], [1, 1.8868, 3.0769, 3.5294, 3.5398, 3.3557])
    found = [fit.alpha.estimate, fit.beta.estimate, fit.gamma.estimate]
    assert found == pytest.approx([0.02, 0.02, 1.0], rel=5e-3)


def test_a_full_outage_is_seen_after_the_workbooks_seconds() -> None:
    # The Site Reliability Workbook, chapter 5: (1 - SLO) / error rate * window * burn
    found = metrics.detection_time(1, 0.999, burn=14.4, window_h=1)
    assert found.estimate == pytest.approx(51.84 / 3600)


FOUR: Any = np.int32(4)
THREE: Any = np.int64(3)
TEN: Any = np.int64(10)
SIXTY: Any = np.int64(60)


@pytest.mark.parametrize(
    "one",
    [
        metrics.wilson(THREE, TEN),
        metrics.agresti_coull(THREE, TEN),
        metrics.newcombe(THREE, TEN, FOUR, 20),
        metrics.mee(THREE, TEN, 4, 20),
        metrics.koopman(THREE, TEN, 4, 20),
        metrics.poisson_rate(THREE, np.float64(4.0)),
        metrics.apdex(SIXTY, 30, 10),
    ],
    ids=lambda one: one.method,
)
def test_numpys_numbers_do_not_reach_the_result(one: metrics.Interval) -> None:
    assert [type(value) for value in (one.estimate, one.low, one.high, one.n)] == [float, float, float, int]


@pytest.mark.parametrize("count", [2.5, "3", None, float("nan"), float("inf")])
def test_what_is_no_count_is_refused_with_a_sentence(count: Any) -> None:
    for method in ("wilson", "clopper_pearson", "mid_p", "plus_four"):
        with pytest.raises(ValueError, match="write counts, whole numbers"):
            getattr(metrics, method)(count, 10)
    with pytest.raises(ValueError, match="write counts, whole numbers"):
        metrics.newcombe(count, 10, 4, 20)


def test_shares_are_not_charted_as_counts() -> None:
    with pytest.raises(ValueError, match="write counts, whole numbers, not shares"):
        metrics.p_chart([0.1, 0.2], 10)

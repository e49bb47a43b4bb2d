from __future__ import annotations

import numpy as np
import pytest

from aftershock.metrics import cox_regression, log_rank

SIX_MP = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
SIX_MP_SEEN = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
TIMES, SEEN = SIX_MP + PLACEBO, SIX_MP_SEEN + [1] * 21
GROUPS = ["6-MP"] * 21 + ["placebo"] * 21
AML = [9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161, 5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45]
AML_SEEN = [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
AML_GROUPS = ["Maintained"] * 11 + ["Nonmaintained"] * 12


def sample(n: int = 80, seed: int = 5) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    times = np.ceil(rng.exponential(1, n) * np.exp(-x[:, 0] * 0.5) * 5)  # with ties
    entry = np.where(rng.random(n) < 0.4, times * 0.37 + 0.01, 0)
    return x, times, rng.random(n) < 0.8, entry, rng.integers(0, 3, n)


def covariates(x: np.ndarray) -> dict[str, np.ndarray]:
    return {"load": x[:, 0], "size": x[:, 1]}


def test_log_rank_of_the_remission_times_is_as_printed() -> None:
    found = log_rank(TIMES, SEEN, GROUPS)
    assert (found.chi2, found.df, found.p_value) == (
        pytest.approx(16.79294, abs=1e-5),
        1,
        pytest.approx(4.169e-5, abs=1e-8),
    )
    assert list(found.table["observed"]) == [9, 21]
    assert list(found.table["expected"]) == pytest.approx([19.2505, 10.7495], abs=5e-5)


def test_log_rank_of_aml_is_the_one_r_prints() -> None:
    """survdiff(Surv(time, status) ~ x, data = aml): Chisq = 3.4 on 1 df, p = 0.07; expected 10.69 and 7.31."""
    found = log_rank(AML, AML_SEEN, AML_GROUPS)
    assert (round(found.chi2 or 0, 1), round(found.p_value or 0, 2)) == (3.4, 0.07)
    assert list(found.table["expected"].round(2)) == [10.69, 7.31]


@pytest.mark.parametrize(
    ("ours", "theirs", "powers"),
    [
        ("log-rank", None, {}),
        ("gehan", "gb", {}),
        ("tarone-ware", "tw", {}),
        ("fleming-harrington", "fh", {"rho": 1.0}),
        ("fleming-harrington", "fh", {"rho": 0.5}),
    ],
)
def test_weighted_tests_agree_with_statsmodels(ours: str, theirs: str | None, powers: dict[str, float]) -> None:
    survfunc = pytest.importorskip("statsmodels.duration.survfunc")
    more = {"fh_p": powers["rho"]} if powers else {}
    chi2, p_value = survfunc.survdiff(np.array(TIMES), np.array(SEEN), np.array(GROUPS), weight_type=theirs, **more)
    found = log_rank(TIMES, SEEN, GROUPS, weights=ours, **powers)  # type: ignore[arg-type]
    assert (found.chi2, found.p_value) == (pytest.approx(chi2), pytest.approx(p_value))


@pytest.mark.filterwarnings("ignore")  # lifelines' own, about pandas
def test_petos_weights_and_late_weights_agree_with_lifelines() -> None:
    statistics = pytest.importorskip("lifelines.statistics")
    for ours, theirs in (
        ({"weights": "peto"}, {"weightings": "peto"}),
        (
            {"weights": "fleming-harrington", "rho": 1, "gamma": 0.5},
            {"weightings": "fleming-harrington", "p": 1, "q": 0.5},
        ),
    ):
        expected = statistics.multivariate_logrank_test(TIMES, GROUPS, SEEN, **theirs).test_statistic
        assert log_rank(TIMES, SEEN, GROUPS, **ours).chi2 == pytest.approx(expected)  # type: ignore[arg-type]


def test_strata_agree_with_statsmodels() -> None:
    survfunc = pytest.importorskip("statsmodels.duration.survfunc")
    strata = np.arange(len(TIMES)) % 3
    chi2, _ = survfunc.survdiff(np.array(TIMES), np.array(SEEN), np.array(GROUPS), strata=strata)
    assert log_rank(TIMES, SEEN, GROUPS, strata=strata).chi2 == pytest.approx(chi2)


def test_one_stratum_a_group_leaves_nothing_to_compare() -> None:
    found = log_rank(TIMES, SEEN, GROUPS, strata=GROUPS)
    assert (found.chi2, found.df, found.p_value) == (None, 0, None)


def test_the_order_the_unit_and_the_names_of_groups_do_not_matter() -> None:
    order = np.random.default_rng(0).permutation(len(TIMES))
    names = {"6-MP": "z", "placebo": "a"}
    other = log_rank([TIMES[i] * 3600 for i in order], [SEEN[i] for i in order], [names[GROUPS[i]] for i in order])
    assert other.chi2 == pytest.approx(log_rank(TIMES, SEEN, GROUPS).chi2)


def test_a_group_that_was_never_at_risk_takes_no_degree_of_freedom() -> None:
    found = log_rank([*TIMES, 0.5], [*SEEN, 0], [*GROUPS, "gone at once"])
    assert (found.df, found.chi2) == (1, pytest.approx(16.79294, abs=1e-5))


def test_rows_without_a_group_are_left_out_and_counted() -> None:
    found = log_rank([*TIMES, 7], [*SEEN, 1], [*GROUPS, None])
    assert (found.n, found.left_out, found.chi2) == (42, 1, pytest.approx(16.79294, abs=1e-5))


def test_two_groups_have_petos_hazard_ratio() -> None:
    ratio = log_rank(TIMES, SEEN, GROUPS).interval
    assert ratio is not None
    assert ratio.estimate == pytest.approx(np.exp(10.2505 / 6.25696), rel=1e-4)
    assert log_rank(TIMES, SEEN, GROUPS, weights="gehan").interval is None


def test_five_of_a_hundred_tests_of_equal_groups_say_different() -> None:
    rng = np.random.default_rng(2)
    groups = np.repeat([0, 1, 2], 25)
    hits = 0
    for _ in range(800):
        times, ends = rng.exponential(1, 75), rng.exponential(2, 75)
        hits += (log_rank(np.minimum(times, ends), times <= ends, groups).p_value or 1) < 0.05
    assert 0.03 <= hits / 800 <= 0.07


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("late", [False, True])
def test_cox_agrees_with_statsmodels(ties: str, late: bool) -> None:
    regression = pytest.importorskip("statsmodels.duration.hazard_regression")
    x, times, seen, entry, strata = sample()
    theirs = regression.PHReg(times, x, status=seen, ties=ties, strata=strata, entry=entry if late else None).fit()
    ours = cox_regression(
        times,
        seen,
        covariates(x),
        ties=ties,
        strata=strata,
        entry=entry if late else None,  # type: ignore[arg-type]
    )
    assert ours.table["coef"].to_numpy() == pytest.approx(theirs.params)
    assert ours.table["se"].to_numpy() == pytest.approx(theirs.bse)
    assert ours.table["p_value"].to_numpy() == pytest.approx(theirs.pvalues)
    assert ours.log_likelihood == pytest.approx(theirs.llf)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_the_robust_error_is_what_leaving_each_cluster_a_little_out_does(ties: str) -> None:
    """The derivative of the estimate by the weight of a cluster, taken numerically from the weighted score equations."""
    x, times, seen, entry, _ = sample(60)
    cluster = np.arange(60) // 3
    ours = cox_regression(times, seen, covariates(x), ties=ties, entry=entry, clusters=cluster)  # type: ignore[arg-type]
    beta, step = ours.table["coef"].to_numpy(), 1e-6

    def slope(b: np.ndarray, weight: np.ndarray) -> np.ndarray:
        total = np.zeros(2)
        for moment in np.unique(times[seen]):
            dead = (times == moment) & seen
            there = (times >= moment) & ((entry < moment) | (entry == 0))
            share = weight * np.exp(x @ b)
            total += (weight[dead, None] * x[dead]).sum(0)
            for rank in range(dead.sum()):
                part = rank / dead.sum() if ties == "efron" else 0
                s0 = share[there].sum() - part * share[dead].sum()
                s1 = (share[there, None] * x[there]).sum(0) - part * (share[dead, None] * x[dead]).sum(0)
                total -= weight[dead].mean() * s1 / s0
        return total

    even = np.ones(60)
    pulls = [
        (slope(beta, even + step * (cluster == one)) - slope(beta, even - step * (cluster == one))) / (2 * step)
        for one in range(20)
    ]
    hessian = np.array(
        [(slope(beta + step * one, even) - slope(beta - step * one, even)) / (2 * step) for one in np.eye(2)]
    )
    moves = np.array(pulls) @ np.linalg.inv(-hessian)
    assert ours.table["robust_se"].to_numpy() == pytest.approx(np.sqrt((moves**2).sum(0)), rel=1e-5)


def test_concordance_agrees_with_lifelines() -> None:
    utils = pytest.importorskip("lifelines.utils")
    x, times, seen, _, _ = sample()
    ours = cox_regression(times, seen, covariates(x))
    score = x @ ours.table["coef"].to_numpy()
    assert ours.concordance == pytest.approx(utils.concordance_index(times, -score, seen))


def test_the_score_of_two_groups_without_ties_starts_from_the_log_rank_test() -> None:
    rng = np.random.default_rng(8)
    times, group = rng.exponential(1, 400), rng.integers(0, 2, 400)
    ours = cox_regression(times, [True] * 400, {"group": group})
    assert (ours.likelihood_ratio or 0) == pytest.approx(log_rank(times, [True] * 400, group).chi2, rel=0.02, abs=0.01)


def test_a_unit_of_a_covariate_scales_its_coefficient_and_nothing_else() -> None:
    x, times, seen, _, _ = sample()
    one = cox_regression(times, seen, covariates(x))
    other = cox_regression(times * 60, seen, {"load": x[:, 0] * 1000, "size": x[:, 1]})
    assert other.coefficients["load"] == pytest.approx((one.coefficients["load"] or 0) / 1000)
    assert (other.log_likelihood, other.concordance) == (pytest.approx(one.log_likelihood), one.concordance)


def test_a_covariate_that_tells_events_apart_fully_is_said_not_to_converge() -> None:
    assert not cox_regression([1, 2, 3, 4, 5, 6], [1] * 6, {"x": [1, 1, 1, 0, 0, 0]}).converged
    assert cox_regression(TIMES, SEEN, {"placebo": [group == "placebo" for group in GROUPS]}).converged


def test_constant_and_doubled_covariates_are_refused() -> None:
    with pytest.raises(ValueError, match="x: the same in every row"):
        cox_regression([1, 2, 3], [1, 1, 1], {"x": [2, 2, 2]})
    with pytest.raises(ValueError, match="a, b: one of them"):
        cox_regression([1, 2, 3, 4], [1, 1, 1, 1], {"a": [1, 0, 2, 5], "b": [2, 0, 4, 10]})


def test_no_event_gives_no_coefficient() -> None:
    found = cox_regression([1, 2], [False, False], {"x": [0, 1]})
    assert (found.n, found.events, found.coefficients, found.converged) == (2, 0, {"x": None}, False)
    assert cox_regression([], [], {"x": []}).n == 0


def test_rows_without_a_covariate_are_left_out_and_counted() -> None:
    x, times, seen, _, _ = sample()
    longer = {"load": [*x[:, 0], None], "size": [*x[:, 1], 1]}
    found = cox_regression([*times, 3], [*seen, True], longer)
    assert (found.n, found.left_out) == (80, 1)
    assert found.log_likelihood == pytest.approx(cox_regression(times, seen, covariates(x)).log_likelihood)

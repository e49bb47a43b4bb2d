from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftershock.metrics import cumulative_incidence, geometric_mean, kaplan_meier, nelson_aalen

# Freireich et al. (1963): weeks in remission with 6-MP. Acute myelogenous leukaemia (Miller 1997): R's survival::aml.
SIX_MP = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
SIX_MP_SEEN = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
MAINTAINED = [9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161]
MAINTAINED_SEEN = [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0]
OTHERS = [5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45]
OTHERS_SEEN = [1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1]

spells = st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=40)


def test_the_curve_of_the_six_mp_patients_is_as_printed() -> None:
    table = kaplan_meier(SIX_MP, SIX_MP_SEEN).table
    steps = table[table["events"] > 0]
    assert list(steps["time"]) == [6, 7, 10, 13, 16, 22, 23]
    assert list(steps["at_risk"]) == [21, 17, 15, 12, 11, 7, 6]
    assert list(steps["survival"]) == pytest.approx([0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=6e-4)
    assert list(steps["se"]) == pytest.approx([0.0764, 0.0869, 0.0963, 0.1068, 0.1141, 0.1282, 0.1346], abs=6e-5)


@pytest.mark.parametrize(
    ("times", "seen", "median"),
    [(MAINTAINED, MAINTAINED_SEEN, (31, 18, None)), (OTHERS, OTHERS_SEEN, (23, 8, None))],
)
def test_medians_of_the_aml_data_are_those_r_prints(times: list[int], seen: list[int], median: tuple[int, ...]) -> None:
    found = kaplan_meier(times, seen, transform="log").interval  # R's default; UCL is NA in both
    assert (found.estimate, found.low, found.high) == median


def test_the_interval_of_the_aml_data_is_rs() -> None:
    """summary(survfit(Surv(time, status) ~ 1, aml, subset = x == "Maintained")), time 13: 0.818 0.1163 0.6192 1.000."""
    row = kaplan_meier(MAINTAINED, MAINTAINED_SEEN, transform="log").table.set_index("time").loc[13]
    assert list(row[["survival", "se", "low", "high"]]) == pytest.approx([0.818, 0.1163, 0.6192, 1.0], abs=5e-4)


@pytest.mark.parametrize("transform", ["log-log", "log", "plain", "logit", "arcsine"])
def test_every_interval_holds_the_curve_and_stays_within_0_and_1(transform: str) -> None:
    table = kaplan_meier(SIX_MP, SIX_MP_SEEN, transform=transform).table  # type: ignore[arg-type]
    assert (table["low"] <= table["survival"]).all()
    assert (table["survival"] <= table["high"]).all()
    assert table["low"].min() >= 0
    assert table["high"].max() <= 1


def test_log_log_bounds_are_those_of_lifelines() -> None:
    lifelines = pytest.importorskip("lifelines")
    theirs = lifelines.KaplanMeierFitter().fit(SIX_MP, SIX_MP_SEEN).confidence_interval_.iloc[1:]
    ours = kaplan_meier(SIX_MP, SIX_MP_SEEN).table
    assert ours[["low", "high"]].to_numpy() == pytest.approx(theirs.to_numpy())


def test_a_curve_that_does_not_fall_to_half_has_no_median() -> None:
    curve = kaplan_meier([1, 2, 3, 4], [True, False, False, False])
    assert curve.median is None
    assert curve.n == 4


def test_an_open_incident_makes_the_estimate_longer_than_leaving_it_out() -> None:
    dropped = kaplan_meier([1, 2, 3, 4, 5])
    kept = kaplan_meier([1, 2, 3, 4, 5, 30], [1, 1, 1, 1, 1, 0])
    assert (dropped.median, kept.median) == (3, 3.5)
    assert (dropped.n, kept.n) == (5, 6)
    assert kept.rmst(5).estimate > dropped.rmst(5).estimate


def test_where_the_curve_lies_exactly_at_half_the_middle_of_that_stretch_is_the_median() -> None:
    assert kaplan_meier([10, 20]).median == 15
    assert kaplan_meier([10, 20, 30], [1, 1, 0]).quantile(1 / 3).estimate == 15


def test_nobody_left_leaves_no_bounds() -> None:
    last = kaplan_meier([1, 2]).table.iloc[-1]
    assert last["survival"] == 0
    assert last[["se", "low", "high"]].isna().all()


def test_nothing_given_gives_nothing() -> None:
    curve = kaplan_meier([])
    assert (curve.n, curve.median, curve.rmst().estimate, len(curve.table)) == (0, None, None, 0)
    assert nelson_aalen([]).interval is None
    assert cumulative_incidence([], []).n == 0
    assert geometric_mean([]).estimate is None


def test_rows_without_a_duration_are_left_out_and_counted() -> None:
    curve = kaplan_meier([1, None, float("nan"), 2])
    assert (curve.n, curve.left_out) == (2, 2)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (([1, -2],), r"durations\[1\]: -2.0: write a time of 0 or more"),
        (([1, 2], [True]), "observed: 1 values for 2 durations"),
        (([1, 2], [True, 2]), r"observed\[1\]: 2: write True where the event was seen"),
    ],
)
def test_bad_times_are_refused_with_their_place(arguments: tuple[list[float], ...], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        kaplan_meier(*arguments)


def test_an_entry_that_is_not_before_the_exit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"entry\[1\]: 2.0 is not before the exit at 2.0"):
        kaplan_meier([1, 2], entry=[0, 2])


def test_who_enters_late_is_not_at_risk_before() -> None:
    table = kaplan_meier([1, 2, 3, 4], entry=[0, 0, 1, 2.5]).table
    assert list(table["at_risk"]) == [2, 2, 2, 1]


def test_late_entry_agrees_with_statsmodels() -> None:
    survfunc = pytest.importorskip("statsmodels.duration.survfunc")
    rng = np.random.default_rng(3)
    exits, seen = rng.exponential(10, 200), rng.random(200) < 0.7
    entry = exits * rng.random(200) * 0.9
    theirs = survfunc.SurvfuncRight(exits, seen, entry=entry)
    ours = kaplan_meier(exits, seen, entry=entry).table
    ours = ours[ours["events"] > 0]
    assert ours["survival"].to_numpy() == pytest.approx(theirs.surv_prob)


@given(spells)
@settings(max_examples=60)
def test_without_censoring_the_curve_is_the_share_still_open(rows: list[tuple[int, bool]]) -> None:
    times = np.array([time for time, _ in rows])
    table = kaplan_meier(times).table
    assert list(table["survival"]) == pytest.approx([(times > time).mean() for time in table["time"]])
    inside = table[table["survival"] > 0]
    binomial = np.sqrt(inside["survival"] * (1 - inside["survival"]) / len(times))
    assert list(inside["se"]) == pytest.approx(list(binomial))


@given(spells, st.floats(0.001, 5000), st.randoms())
@settings(max_examples=60)
def test_the_curve_does_not_depend_on_order_or_unit(rows: list[tuple[int, bool]], unit: float, random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = kaplan_meier([time for time, _ in rows], [seen for _, seen in rows])
    other = kaplan_meier([time * unit for time, _ in shuffled], [seen for _, seen in shuffled])
    assert other.table["survival"].to_numpy() == pytest.approx(one.table["survival"].to_numpy())
    assert other.rmst().estimate == pytest.approx(one.rmst().estimate * unit)
    assert (one.median is None) == (other.median is None)
    if one.median is not None:
        assert other.median == pytest.approx(one.median * unit)


@given(spells)
@settings(max_examples=40)
def test_merging_two_halves_agrees_with_the_whole(rows: list[tuple[int, bool]]) -> None:
    half = len(rows) // 2
    parts = [kaplan_meier([t for t, _ in part], [s for _, s in part]).table for part in (rows[:half], rows[half:])]
    whole = kaplan_meier([t for t, _ in rows], [s for _, s in rows]).table.set_index("time")
    for column in ("events", "censored"):
        merged = sum(part.set_index("time")[column].reindex(whole.index).fillna(0) for part in parts)
        assert list(merged) == list(whole[column])


@given(spells)
@settings(max_examples=40)
def test_each_row_its_own_cluster_gives_greenwoods_error(rows: list[tuple[int, bool]]) -> None:
    times, seen = [t for t, _ in rows], [s for _, s in rows]
    plain, robust = kaplan_meier(times, seen), kaplan_meier(times, seen, clusters=range(len(rows)))
    assert robust.table["se"].to_numpy() == pytest.approx(plain.table["se"].to_numpy(), nan_ok=True)
    assert robust.rmst_se() == pytest.approx(plain.rmst_se(), abs=1e-9)


def test_copies_in_one_cluster_leave_the_error_as_it_was() -> None:
    once = kaplan_meier(SIX_MP, SIX_MP_SEEN)
    thrice = kaplan_meier(SIX_MP * 3, SIX_MP_SEEN * 3, clusters=list(range(21)) * 3)
    assert thrice.table["se"].to_numpy() == pytest.approx(once.table["se"].to_numpy())
    assert kaplan_meier(SIX_MP * 3, SIX_MP_SEEN * 3).table["se"].iloc[0] < once.table["se"].iloc[0]


def test_the_restricted_mean_without_censoring_is_the_mean_of_what_is_cut_at_tau() -> None:
    times = np.array([1.0, 4, 6, 9, 12])
    found = kaplan_meier(times).rmst(8)
    cut = np.minimum(times, 8)
    assert found.estimate == pytest.approx(cut.mean())
    assert kaplan_meier(times).rmst_se(8) == pytest.approx(cut.std() / sqrt(5))


def test_the_restricted_mean_of_aml_is_the_one_r_prints() -> None:
    """print(survfit(Surv(time, status) ~ x, aml), rmean = 161): 52.6 (19.83) maintained; rmean = "individual" of the others 22.7 (4.18)."""
    kept = kaplan_meier(MAINTAINED, MAINTAINED_SEEN)
    others = kaplan_meier(OTHERS, OTHERS_SEEN)
    assert (kept.rmst(161).estimate, kept.rmst_se(161)) == pytest.approx((52.6, 19.83), abs=0.06)
    assert (others.rmst().estimate, others.rmst_se()) == pytest.approx((22.7, 4.18), abs=0.06)


def test_a_mean_to_beyond_what_was_seen_is_not_given() -> None:
    assert kaplan_meier(SIX_MP, SIX_MP_SEEN).rmst(36).estimate is None
    assert kaplan_meier([1, 2, 3]).rmst(36).estimate == pytest.approx(2)


def test_one_incident_has_a_mean_and_no_bounds() -> None:
    found = kaplan_meier([5]).rmst()
    assert (found.estimate, found.low, found.high) == (5, None, None)


def test_the_interval_of_the_median_holds_the_true_one_in_95_of_100_samples() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(800):
        times, ends = rng.exponential(1, 60), rng.exponential(2, 60)
        found = kaplan_meier(np.minimum(times, ends), times <= ends).interval
        held += (found.low or 0) <= np.log(2) <= (found.high or np.inf)
    assert 0.93 <= held / 800 <= 0.975


def test_the_cumulative_hazard_is_as_printed_and_ties_are_not_smoothed() -> None:
    table = nelson_aalen(SIX_MP, SIX_MP_SEEN).table
    steps = table[table["events"] > 0]
    printed = [0.1428, 0.2017, 0.2683, 0.3517, 0.4426, 0.5854, 0.7521]
    assert list(steps["hazard"]) == pytest.approx(printed, abs=1.1e-4)
    std_chaz = [0.08248, 0.10131, 0.12127, 0.14715, 0.17296, 0.22433, 0.27947]  # R survfit
    assert list(steps["se_aalen"]) == pytest.approx(std_chaz, abs=6e-6)


def test_both_variances_of_the_hazard_have_their_formula() -> None:
    table = nelson_aalen([1, 1, 2, 3], variance="klein").table
    assert table["se_aalen"].iloc[0] == pytest.approx(sqrt(2 / 16))
    assert table["se_klein"].iloc[0] == pytest.approx(sqrt(2 * 2 / (16 * 3)))


def test_one_outcome_is_one_minus_kaplan_meier_with_greenwoods_error() -> None:
    ours = cumulative_incidence(SIX_MP, ["recovered" if seen else None for seen in SIX_MP_SEEN]).table
    curve = kaplan_meier(SIX_MP, SIX_MP_SEEN).table
    assert ours["incidence"].to_numpy() == pytest.approx(1 - curve["survival"].to_numpy())
    assert ours["se"].to_numpy() == pytest.approx(curve["se"].to_numpy())


@given(st.lists(st.tuples(st.integers(1, 12), st.sampled_from([None, "recovered", "abandoned"])), min_size=1))
@settings(max_examples=60)
def test_what_ended_and_what_is_open_add_up_to_one(rows: list[tuple[int, str | None]]) -> None:
    times, ends = [t for t, _ in rows], [end for _, end in rows]
    found = cumulative_incidence(times, ends).table.groupby("time")["incidence"].sum()
    if len(found):
        open_still = kaplan_meier(times, [end is not None for end in ends]).table["survival"].to_numpy()
        assert found.to_numpy() + open_still == pytest.approx(np.ones(len(open_still)))


def test_the_error_of_an_incidence_is_that_of_lifelines() -> None:
    lifelines = pytest.importorskip("lifelines")
    rng = np.random.default_rng(4)
    times, code = np.arange(1.0, 61), rng.integers(0, 3, 60)
    theirs = lifelines.AalenJohansenFitter(calculate_variance=True).fit(times, code, 1).variance_.to_numpy()[1:]
    found = cumulative_incidence(times, [[None, "a", "b"][one] for one in code]).table
    assert found[found["outcome"] == "a"]["se"].to_numpy() ** 2 == pytest.approx(theirs, nan_ok=True, abs=1e-12)


def test_the_incidence_at_a_time_is_read_off_the_steps() -> None:
    found = cumulative_incidence([1, 2, 3, 4], ["a", "b", "a", None])
    assert found.incidence_at("a", 2.5).estimate == pytest.approx(0.25)
    assert found.incidence_at("a", 5).estimate is None
    assert found.events == {"a": 2, "b": 1}


def test_the_geometric_mean_is_exp_of_the_mean_logarithm_with_students_interval() -> None:
    from scipy import stats

    times = np.array([30.0, 45, 60, 600, 4000])
    logs = np.log(times)
    low, high = stats.t.interval(0.95, 4, logs.mean(), logs.std(ddof=1) / sqrt(5))
    found = geometric_mean(times)
    assert (found.estimate, found.low, found.high) == pytest.approx(tuple(np.exp([logs.mean(), low, high])))


def test_the_geometric_mean_grows_with_an_open_incident() -> None:
    assert geometric_mean([10, 20, 500], [1, 1, 0]).estimate > geometric_mean([10, 20]).estimate  # type: ignore[operator]
    assert "restricted" in geometric_mean([10, 20, 500], [1, 1, 0]).method


def test_times_below_the_floor_count_as_the_floor() -> None:
    assert geometric_mean([0, 0.2, 8]).estimate == pytest.approx(2)

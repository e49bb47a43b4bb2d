"""Intervals against published tables. `../shared/truth/visible_cases.json` says where each number was read."""

from __future__ import annotations

import json
from collections.abc import Callable

import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint
from support import SHARED, needs_shared

from aftershock.metrics.proportions import intervals
from aftershock.metrics.proportions.intervals import newcombe, newcombe_expr, wilson, wilson_expr
from aftershock.metrics.results import Interval

METHODS: dict[str, Callable[[int, int, float], Interval]] = {
    name: getattr(intervals, name)
    for name in ("wilson", "wilson_cc", "clopper_pearson", "jeffreys", "mid_p", "likelihood_ratio")
}
counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def close(interval: Interval, low: float, high: float, tolerance: float = 6e-5) -> None:
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=tolerance)


def test_p01_clopper_pearson_gives_nists_bounds_for_four_failures_in_twenty() -> None:
    # NIST/SEMATECH e-Handbook 7.2.4.1, 90 % two-sided
    close(intervals.clopper_pearson(4, 20, 0.90), 0.071354, 0.401029, 2e-6)


@pytest.mark.parametrize(
    ("method", "low", "high"),
    [
        ("clopper_pearson", 0.5435, 0.9595),
        ("mid_p", 0.5699, 0.9500),
        ("jeffreys", 0.5792, 0.9442),
        ("likelihood_ratio", 0.5828, 0.9497),
        ("wilson", 0.5699, 0.9341),
        ("wilson_cc", 0.5369, 0.9503),
    ],
)
def test_p02_six_intervals_for_13_of_16_are_fagerlands(method: str, low: float, high: float) -> None:
    # Fagerland, Lydersen, Laake (2017), chapter 2: Ligarden (2010)
    close(METHODS[method](13, 16, 0.95), low, high)


@pytest.mark.parametrize(
    ("x", "n", "by_wilson", "exact"),
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_p05_wilson_and_clopper_pearson_are_newcombes_table_one(
    x: int, n: int, by_wilson: tuple[float, float], exact: tuple[float, float]
) -> None:
    # Newcombe (1998) Stat Med 17:857, Table I
    close(wilson(x, n), *by_wilson)
    close(intervals.clopper_pearson(x, n), *exact)


NEWCOMBE = [  # Newcombe (1998) Stat Med 17:873, Table II (a) to (h), method 10
    ((56, 70, 48, 80), (0.0524, 0.3339)),
    ((9, 10, 3, 10), (0.1705, 0.8090)),
    ((6, 7, 2, 7), (0.0582, 0.8062)),
    ((5, 56, 0, 29), (-0.0381, 0.1926)),
    ((0, 10, 0, 20), (-0.1611, 0.2775)),
    ((0, 10, 0, 10), (-0.2775, 0.2775)),
    ((10, 10, 0, 20), (0.6791, 1.0)),
    ((10, 10, 0, 10), (0.6075, 1.0)),
]


@pytest.mark.parametrize(("case", "bounds"), NEWCOMBE)
def test_p06_the_difference_of_two_shares_is_newcombes_table_two(
    case: tuple[int, int, int, int], bounds: tuple[float, float]
) -> None:
    close(newcombe(*case), *bounds)


@pytest.mark.parametrize(("n", "three", "exact"), [(14, 0.2143, 0.1926), (100, 0.03, 0.0295), (300, 0.01, 0.0099)])
def test_p09_no_failure_in_n_leaves_room_for_about_three_in_n(n: int, three: float, exact: float) -> None:
    # Hanley and Lippman-Hand (1983) JAMA 249:1743
    assert intervals.rule_of_three(n) == pytest.approx(three, abs=6e-5)
    assert intervals.zero_failure_bound(n) == pytest.approx(exact, abs=6e-5)


@needs_shared
def test_the_cases_of_the_shared_truth_file_hold_as_written_there() -> None:
    cases = {case["id"]: case for case in json.loads((SHARED / "truth" / "visible_cases.json").read_text())}
    p01, p02, p05, p06, p09 = (cases[name] for name in ("P01", "P02", "P05", "P06", "P09"))
    sums = p01["inputs"]
    close(
        intervals.clopper_pearson(sums["x"], sums["n"], sums["conf"]),
        p01["expected"]["lower"],
        p01["expected"]["upper"],
        p01["tolerance"],
    )
    for method, bounds in p02["expected"].items():
        close(METHODS[method](p02["inputs"]["x"], p02["inputs"]["n"], p02["inputs"]["conf"]), *bounds, p02["tolerance"])
    for method, expected in p05["expected"].items():
        for (x, n), bounds in zip(p05["inputs"]["cases"], expected, strict=True):
            close(METHODS[method](x, n, 0.95), *bounds, p05["tolerance"])
    for case, bounds in zip(p06["inputs"]["cases"], p06["expected"]["ci"], strict=True):
        close(newcombe(**case, level=p06["inputs"]["conf"]), *bounds, p06["tolerance"])
    for (_, n), three, exact in zip(p09["inputs"]["cases"], *p09["expected"].values(), strict=True):
        assert intervals.rule_of_three(n) == pytest.approx(three, abs=p09["tolerance"])
        assert intervals.zero_failure_bound(n) == pytest.approx(exact, abs=p09["tolerance"])


@pytest.mark.parametrize("method", METHODS)
def test_nothing_counted_gives_no_estimate_and_no_bounds(method: str) -> None:
    assert METHODS[method](0, 0, 0.95) == Interval(None, None, None, 0, 0.95, method)


def test_a_difference_with_nothing_on_one_side_has_no_estimate() -> None:
    assert newcombe(1, 4, 0, 0) == Interval(None, None, None, 4, 0.95, "newcombe")
    assert intervals.zero_failure_bound(0) is None
    assert intervals.rule_of_three(0) is None


@pytest.mark.parametrize(("x", "n", "level"), [(-1, 5, 0.95), (6, 5, 0.95), (1, 5, 0.0), (1, 5, 1.0), (1, 5, 95)])
@pytest.mark.parametrize("method", METHODS)
def test_counts_and_levels_that_cannot_be_are_refused(method: str, x: int, n: int, level: float) -> None:
    with pytest.raises(ValueError, match=r"the count must lie|write a share inside"):
        METHODS[method](x, n, level)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=40, deadline=None)
@given(case=counts)
def test_bounds_enclose_the_estimate_and_stay_between_zero_and_one(method: str, case: tuple[int, int]) -> None:
    x, n = case
    interval = METHODS[method](x, n, 0.95)
    assert interval.low is not None
    assert interval.high is not None
    assert 0 <= interval.low <= x / n <= interval.high <= 1


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=40, deadline=None)
@given(case=counts)
def test_counting_successes_instead_mirrors_the_interval(method: str, case: tuple[int, int]) -> None:
    x, n = case
    one, other = METHODS[method](x, n, 0.95), METHODS[method](n - x, n, 0.95)
    assert (one.low, one.high) == pytest.approx((1 - (other.high or 0), 1 - (other.low or 0)), abs=1e-9)


@settings(deadline=None)
@given(case=counts, level=st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_wilson_and_clopper_pearson_equal_statsmodels(case: tuple[int, int], level: float) -> None:
    for method, name in (("wilson", "wilson"), ("clopper_pearson", "beta")):
        ours = METHODS[method](*case, level)
        assert (ours.low, ours.high) == pytest.approx(proportion_confint(*case, 1 - level, name), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(cases=st.lists(st.one_of(counts, st.just((0, 0))), min_size=1, max_size=30), level=st.sampled_from([0.9, 0.95]))
def test_wilson_as_a_query_equals_wilson_as_a_function(cases: list[tuple[int, int]], level: float) -> None:
    table = ibis.memtable(
        [(i, x, n) for i, (x, n) in enumerate(cases)], schema={"i": "int64", "x": "int64", "n": "int64"}
    )
    rate, low, high = wilson_expr(table.x, table.n, level)
    rows = table.select("i", rate=rate, low=low, high=high).order_by("i").to_pyarrow().to_pylist()
    for (x, n), row in zip(cases, rows, strict=True):
        expected = wilson(x, n, level)
        assert [row["rate"], row["low"], row["high"]] == pytest.approx(
            [expected.estimate, expected.low, expected.high], abs=1e-12
        )


@pytest.mark.parametrize(("case", "bounds"), NEWCOMBE)
def test_newcombe_as_a_query_equals_newcombes_table_too(
    case: tuple[int, int, int, int], bounds: tuple[float, float]
) -> None:
    table = ibis.memtable([case], schema=dict.fromkeys(("x1", "n1", "x2", "n2"), "int64"))
    _, low, high = newcombe_expr(wilson_expr(table.x1, table.n1), wilson_expr(table.x2, table.n2))
    row = table.select(low=low, high=high).to_pyarrow().to_pylist()[0]
    assert (row["low"], row["high"]) == pytest.approx(bounds, abs=6e-5)


def test_wilson_holds_the_true_share_about_as_often_as_it_says() -> None:
    # Exact, not simulated: over shares from 1 % to 99 %, the mean coverage at n = 50 is close to 95 %.
    n, shares = 50, [share / 100 for share in range(1, 100)]
    bounds = [wilson(x, n) for x in range(n + 1)]
    covered = [
        sum(binom.pmf(x, n, p) for x, bound in enumerate(bounds) if (bound.low or 0) <= p <= (bound.high or 0))
        for p in shares
    ]
    assert sum(covered) / len(covered) == pytest.approx(0.95, abs=0.01)

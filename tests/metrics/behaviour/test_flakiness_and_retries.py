from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tables import at, rows_of, run, runs

from aftershock.errors import UnknownColumnError
from aftershock.metrics import (
    flakiness,
    flip_rate,
    masked_failures,
    newcombe,
    outcome_entropy,
    retry_effectiveness,
    wilson,
)


def test_apples_example_flips_once_in_three_steps() -> None:
    # Kowalczyk and others (2020): outcomes 0 0 1 1 within one version.
    assert (flip_rate([0, 0, 1, 1]).mean, outcome_entropy([0, 0, 1, 1]).mean) == (pytest.approx(1 / 3), 1.0)


def test_a_change_of_version_is_never_a_flip() -> None:
    assert flip_rate([0, 0, 1, 1], ["v1", "v1", "v2", "v2"]).mean == 0.0


def test_an_older_version_weighs_less() -> None:
    decayed = flip_rate([0, 1, 0, 0, 0, 0], [1, 1, 2, 2, 3, 3], decay=0.1).decayed
    assert decayed == pytest.approx(0.81 / (0.81 + 0.9 + 1))


def test_a_version_with_one_outcome_is_left_out() -> None:
    result = flip_rate([0, 1, None, 1], ["a", "a", "a", "b"])
    assert (result.mean, result.n, result.left_out) == (1.0, 2, 2)


def test_nothing_to_count_is_null() -> None:
    assert (flip_rate([]).mean, outcome_entropy([1]).decayed, flip_rate([]).n) == (None, None, 0)


@given(st.lists(st.integers(0, 1), min_size=2, max_size=30))
def test_exchanging_failed_and_passed_changes_neither(outcomes: list[int]) -> None:
    other = [1 - outcome for outcome in outcomes]
    assert flip_rate(outcomes).mean == flip_rate(other).mean
    assert outcome_entropy(outcomes).mean == pytest.approx(outcome_entropy(other).mean)


def test_an_outcome_that_is_neither_is_refused() -> None:
    with pytest.raises(ValueError, match=r"outcomes\[1\]: 2"):
        flip_rate([0, 2])


Ladder = tuple[int, list[bool]]
LADDERS = st.lists(
    st.tuples(st.integers(0, 2), st.lists(st.booleans(), min_size=1, max_size=4)), min_size=1, max_size=12
)


def table_of(ladders: list[Ladder]) -> Any:
    """A root per ladder, one an hour, attempts a minute apart; the version is the ladder's number."""
    rows = [
        run(f"{i}-{k}", "intake", at(16 + i // 20, i % 20, k), "failed" if failed else "succeeded", root_run_id=f"{i}-0",
            attempt=k + 1, version=f"v{version}", fingerprint=f"f{version}", duration_s=10.0)
        for i, (version, outcomes) in enumerate(ladders)
        for k, failed in enumerate(outcomes)
    ]  # fmt: skip
    return runs(*rows[::-1])


@settings(max_examples=25, deadline=None)
@given(LADDERS)
def test_flakiness_of_random_ladders_equals_the_functions_on_arrays(ladders: list[Ladder]) -> None:
    (row,) = rows_of(flakiness(table_of(ladders)).table)
    outcomes = [failed for _, attempts in ladders for failed in attempts]
    versions = [version for version, attempts in ladders for _ in attempts]
    flips, bits = flip_rate(outcomes, versions), outcome_entropy(outcomes, versions)
    good = [attempts for _, attempts in ladders if not all(attempts)]
    ours = [row[name] for name in ("flip_rate", "decayed_flip_rate", "entropy", "decayed_entropy")]
    for actual, expected in zip(ours, (flips.mean, flips.decayed, bits.mean, bits.decayed), strict=True):
        assert actual == (None if expected is None else pytest.approx(expected, abs=1e-12))
    assert (row["good_n"], row["good_failures"]) == (sum(map(len, good)), sum(map(sum, good)))


def test_the_posterior_equals_scipys() -> None:
    result = flakiness(table_of([(0, [True, False]), (0, [False]), (0, [True, True]), (0, [False])]))
    row = result.to_pandas().iloc[0]
    posterior = stats.beta(1.5, 3.5)  # one failure of four attempts in roots that passed, and Jeffreys' prior
    assert (row.good_n, row.good_failures) == (4, 1)
    assert (row.p_fail_good, row.low, row.high) == pytest.approx((posterior.mean(), *posterior.interval(0.95)))


def test_a_retry_on_another_version_does_not_show_a_good_state() -> None:
    first = run("1", "intake", at(16, 1), "failed", version="v1")
    table = runs(first, run("2", "intake", at(16, 2), root_run_id="1", version="v2"))
    assert rows_of(flakiness(table).table)[0]["good_failures"] == 0


def test_runs_without_a_version_are_left_out_unless_none_is_asked_for() -> None:
    table = runs(run("1", "intake", at(16, 1), "failed"), run("2", "intake", at(16, 2)))
    assert (flakiness(table).n, flakiness(table).left_out) == (0, 2)
    assert rows_of(flakiness(table, version=(), by=()).table)[0]["flip_rate"] == 1.0


@settings(max_examples=25, deadline=None)
@given(LADDERS)
def test_retries_of_random_ladders_equal_a_count_by_hand(ladders: list[Ladder]) -> None:
    result = retry_effectiveness(table_of(ladders), by=("attempt",))
    steps = [
        (k + 2, a, b) for _, ladder in ladders for k, (a, b) in enumerate(zip(ladder, [*ladder[1:], None], strict=True))
    ]
    expected = {}
    for k in sorted({k for k, failed, _ in steps if failed}):
        after = [then for place, failed, then in steps if place == k and failed]
        expected[k] = (len(after), len(after) - after.count(None), after.count(False))
    found = {row["attempt"]: (row["failures"], row["n"], row["rescued"]) for row in rows_of(result.table)}
    assert found == expected


@settings(max_examples=25, deadline=None)
@given(LADDERS)
def test_masked_failures_of_random_ladders_equal_numpy(ladders: list[Ladder]) -> None:
    (row,) = rows_of(masked_failures(table_of(ladders), by=()).table)
    first, last = np.array([[ladder[0], ladder[-1]] for _, ladder in ladders]).T
    assert (row["n"], row["first_failures"], row["final_failures"]) == (len(ladders), first.sum(), last.sum())
    assert row["masked"] == (first & ~last).sum()
    assert row["attempts"] == sum(len(ladder) for _, ladder in ladders)
    assert row["retried"] == sum(len(ladder) > 1 for _, ladder in ladders)


def test_a_retry_is_held_beside_a_fresh_run_and_priced() -> None:
    ladders = [(0, [True, True, False])] * 3 + [(0, [True, True])] * 2 + [(0, [False])] * 15
    (row,) = rows_of(retry_effectiveness(table_of(ladders)).table)
    rate, gap = wilson(3, 8), newcombe(3, 8, 15, 20)
    assert (row["failures"], row["n"], row["not_retried"], row["rescued"], row["roots"]) == (10, 8, 2, 3, 5)
    assert (row["rate"], row["low"], row["high"]) == pytest.approx((rate.estimate, rate.low, rate.high))
    assert (row["retry_s"], row["seconds_per_rescue"]) == pytest.approx((80.0, 80 / 3))
    assert (row["base_n"], row["base_rate"]) == (20, pytest.approx(0.75))
    assert (row["difference"], row["difference_low"]) == pytest.approx((gap.estimate, gap.low))


def test_a_cancelled_attempt_is_no_step_of_the_ladder() -> None:
    table = runs(
        run("1", "intake", at(16, 1), "failed"),
        run("2", "intake", at(16, 2), "cancelled", root_run_id="1"),
        run("3", "intake", at(16, 3), root_run_id="1"),
    )
    result = retry_effectiveness(table, by=())
    assert (result.n, result.left_out, result.interval) == (1, 1, wilson(1, 1))


@pytest.mark.parametrize("metric", [flakiness, retry_effectiveness, masked_failures])
def test_no_runs_give_no_rows_and_n_0(metric: Any) -> None:
    assert (metric(runs()).n, metric(runs()).left_out, len(metric(runs()).to_pandas())) == (0, 0, 0)


@pytest.mark.parametrize("metric", [flakiness, retry_effectiveness, masked_failures])
def test_an_unknown_column_is_told(metric: Any) -> None:
    with pytest.raises(UnknownColumnError):
        metric(runs(), by=("automaton",))

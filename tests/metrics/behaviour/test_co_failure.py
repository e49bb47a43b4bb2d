from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pytest

from aftershock import co_failure, failure_pairs, lagged_failures
from aftershock.metrics.behaviour.week_shifts import shifted

COLUMNS = ("fingerprint", "error_type", "source", "tool")


def hourly(failed: dict[str, np.ndarray]) -> ibis.Table:
    """A run each hour per automation, from Monday 2026-06-01."""
    frames = []
    for name, bad in failed.items():
        starts = pd.Timestamp("2026-06-01", tz="UTC") + pd.to_timedelta(np.arange(len(bad)) * 3600 + 180, unit="s")
        status = np.where(bad, "failed", "succeeded")
        frames.append(
            pd.DataFrame(
                {
                    "run_id": [f"{name}{i}" for i in range(len(bad))],
                    "automation": name,
                    "started_at": starts,
                    "status": status,
                }
            )
        )
    frame = pd.concat(frames, ignore_index=True)
    frame["queued_at"], frame["ended_at"], frame["role"] = frame["started_at"], frame["started_at"], "work"
    return ibis.memtable(frame.assign(**dict.fromkeys(COLUMNS, "x")))


def planted(seed: int, weeks: int = 10) -> dict[str, np.ndarray]:
    """a and b share outages of two hours; c and d share a bad hour of the day and nothing else."""
    rng = np.random.default_rng(seed)
    hour = np.arange(weeks * 168)
    outage = rng.random(len(hour)) < 0.02
    outage |= np.roll(outage, 1)
    nine = np.where(hour % 24 == 9, 0.5, 0.01)
    shared = {name: (outage & (rng.random(len(hour)) < 0.8)) | (rng.random(len(hour)) < 0.02) for name in "ab"}
    return shared | {name: rng.random(len(hour)) < nine for name in "cd"}


def test_the_planted_pair_is_found_and_the_pair_that_shares_a_timetable_is_not() -> None:
    result = co_failure(hourly(planted(3)), permutations=1999)
    words = {(row.a, row.b): row.verdict for row in result.table.itertuples()}
    assert (words["a", "b"], words["c", "d"]) == ("together", "shared timetable or spells")
    assert [group.automations for group in result.groups] == [("a", "b")]
    assert ("fingerprint", "x") in result.groups[0].shared


def test_under_four_weeks_a_common_timetable_cannot_be_ruled_out() -> None:
    result = co_failure(hourly(planted(3, weeks=3)), permutations=99)
    assert result.groups == ()
    assert result.verdict.startswith("cannot tell: under 4 weeks")


def test_the_counts_of_pairs_equal_those_by_numpy() -> None:
    failed = planted(5, weeks=4)
    table = failure_pairs(hourly(failed), min_both=1).to_pandas()
    for row in table.itertuples():
        a, b = failed[row.a], failed[row.b]
        assert (row.n, row.a_failed, row.b_failed, row.both) == (len(a), a.sum(), b.sum(), (a & b).sum())
        assert row.phi == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-12)
        assert row.jaccard == pytest.approx((a & b).sum() / (a | b).sum())


def test_only_hours_in_which_both_ran_count() -> None:
    runs = hourly({"a": np.ones(10, bool), "b": np.array([True] * 6)})
    row = failure_pairs(runs, min_both=2).to_pandas().iloc[0]
    assert (row["n"], row["both"], row["a_failed"]) == (6, 6, 6)


def test_the_shift_test_keeps_its_size_when_bad_hours_come_in_spells_and_at_set_times() -> None:
    rng, weeks = np.random.default_rng(6), 10
    slots = np.arange(weeks * 168) % 24
    rate = np.where((slots > 8) & (slots < 12), 0.15, 0.01)
    p = []
    for draw in range(400):
        pair = []
        for _ in range(2):
            bad = rng.random(weeks * 168) < rate
            bad |= np.roll(bad, 1)
            pair.append(bad.reshape(weeks, 7, 24))
        ran = np.ones_like(pair[0])
        p.append(shifted(ran, pair[0], ran, pair[1]).p_value([draw], 199))
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.025)


def test_neither_the_order_of_rows_nor_new_names_change_what_is_found() -> None:
    failed = planted(3)
    plain = co_failure(hourly(failed), permutations=199).table
    renamed = hourly({{"a": "w", "b": "x", "c": "y", "d": "z"}[name]: bad for name, bad in reversed(failed.items())})
    other = co_failure(renamed, permutations=199).table
    columns = ["n", "both", "phi", "p_fisher", "p_shift"]
    pd.testing.assert_frame_equal(plain[columns], other[columns])


def test_of_nothing_there_are_no_pairs() -> None:
    result = co_failure(hourly({"a": np.zeros(3, bool)}))
    assert (len(result.table), result.groups, result.tested, result.n) == (0, (), 0, 3)


def test_failures_that_follow_others_by_two_hours_are_told_so() -> None:
    rng = np.random.default_rng(7)
    first = rng.random(8 * 168) < 0.03
    then = (np.roll(first, 2) & (rng.random(len(first)) < 0.7)) | (rng.random(len(first)) < 0.02)
    result = lagged_failures(
        hourly({"a": first, "b": then}), "a", "b", bin_s=3600, max_lag_s=6 * 3600, permutations=499
    )
    assert result.verdict == "failures of b follow those of a after about 120 min"
    assert (result.best_lag_s, result.n) == (7200, 2 * len(first))


def test_failures_that_have_nothing_to_do_with_each_other_follow_no_lag() -> None:
    rng = np.random.default_rng(8)
    runs = hourly({name: rng.random(8 * 168) < 0.03 for name in "ab"})
    result = lagged_failures(runs, "a", "b", bin_s=3600, max_lag_s=6 * 3600, permutations=499)
    assert result.verdict.startswith("no lag stands out")

from __future__ import annotations

from datetime import datetime
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import at, rows_of, run, runs, stretch, table

from aftershock.errors import UnknownColumnError, UnknownNameError
from aftershock.metrics import geometric_mean, incidents, kaplan_meier, recovery_times, time_between_failures

UNTIL = at(25)
HOUR = 3600


def log(text: str, **more: Any) -> list[dict[str, Any]]:
    """Runs an hour apart from the 16th on, a letter each: s, f, p (partial), c (cancelled), r (running), u (unknown)."""
    words = dict(zip("sfpcru", ["succeeded", "failed", "partial", "cancelled", "running", "unknown"], strict=True))
    name = more.pop("automation", "intake")
    return [run(f"{name} {i:03}", name, at(16 + i // 24, i % 24), words[one], **more) for i, one in enumerate(text)]


def found(rows: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
    return sorted(rows_of(incidents(runs(*rows), **{"until": UNTIL, **options}).table), key=lambda row: row["run_id"])


def told(rows: list[dict[str, Any]], *names: str, **options: Any) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in found(rows, **options)]


def test_an_incident_goes_from_the_first_failure_after_a_good_run_to_the_next_good_run() -> None:
    assert told(log("sffsfs"), "run_id", "duration_s", "failures", "observed", "outcome") == [
        ("intake 001", 2 * HOUR, 2, True, "recovered"),
        ("intake 004", 1 * HOUR, 1, True, "recovered"),
    ]


def test_an_open_incident_lasts_until_the_end_of_what_was_watched() -> None:
    row = found(log("sff"), until=at(16, 9, 1))[0]
    assert (row["recovered_at"], row["observed"], row["outcome"]) == (None, False, None)
    assert (row["duration_s"], row["failures"]) == (8 * HOUR, 2)


def test_without_an_end_the_newest_run_of_all_automations_says_how_long_was_watched() -> None:
    rows = log("sf") + log("s" * 11, automation="other")
    assert told(rows, "duration_s", until=None) == [(9 * HOUR,)]


def test_what_happens_after_the_end_is_not_known_yet() -> None:
    assert told(log("sfffs"), "observed", "failures", until=at(16, 2, 30)) == [(False, 2)]


@pytest.mark.parametrize("word", "cru")
def test_a_cancelled_unfinished_or_unknown_run_neither_begins_nor_ends_an_incident(word: str) -> None:
    assert told(log(f"s{word}f{word}s{word}"), "run_id", "duration_s") == [("intake 002", 2 * HOUR)]


def test_a_partial_run_ends_an_incident() -> None:
    assert told(log("sfps"), "duration_s") == [(HOUR,)]


def test_runs_of_other_roles_do_not_count_unless_asked_for() -> None:
    rows = [*log("sffs"), run("by hand", "intake", at(16, 1, 30), role="manual")]
    assert told(rows, "duration_s") == [(2 * HOUR,)]
    assert told(rows, "duration_s", roles=("work", "manual")) == [(1800,), (HOUR,)]


def test_a_log_that_begins_with_a_failure_does_not_show_the_start() -> None:
    assert told(log("ffsfs"), "start_seen", "failures") == [(False, 2), (True, 1)]


def test_automations_of_the_same_name_are_told_apart() -> None:
    rows = [*log("sf"), run("x", "intake", at(16, 5), automation_id="another")]
    assert told(rows, "observed") == [(False,)]


def test_a_recovery_by_another_version_is_superseded() -> None:
    rows = [
        *log("sff", version="1"),
        *[{**row, "run_id": f"new {row['run_id']}", "version": "2"} for row in log("cccs")],
    ]
    assert told(rows, "outcome", "observed") == [("superseded", True)]


def test_an_automation_that_no_longer_runs_is_abandoned_when_ten_of_its_gaps_are_over() -> None:
    rows = log("sssff")
    assert told(rows, "outcome", "outcome_s", "observed", until=at(16, 14, 1)) == [(None, 11 * HOUR, False)]
    assert told(rows, "outcome", "outcome_s", "observed", until=at(20)) == [("abandoned", 11 * HOUR, False)]
    assert told(rows, "outcome", until=at(20), abandoned_after=None) == [(None,)]
    assert told(rows, "outcome", "outcome_s", until=at(16, 9), abandoned_after=2) == [("abandoned", 3 * HOUR)]


def test_two_runs_are_too_few_to_have_a_cadence() -> None:
    assert told(log("sf"), "outcome", until=at(25)) == [(None,)]


def retried() -> list[dict[str, Any]]:
    first = {"root_run_id": "intake 001"}
    return [*log("s"), *[{**row, **first} for row in log("cfs")[1:]], *log("ccccfs")[4:]]


def test_a_failure_that_its_retry_mends_is_an_incident_of_runs_and_none_of_roots() -> None:
    assert told(retried(), "run_id") == [("intake 001",), ("intake 004",)]
    assert told(retried(), "run_id", unit="root") == [("intake 004",)]


def test_runs_that_do_not_count_are_left_out_and_counted() -> None:
    rows = [*log("sfcrus"), run("undated", "intake", None, "failed", ended_at=None)]
    for unit in ("run", "root"):
        result = incidents(runs(*rows), until=UNTIL, unit=unit)  # type: ignore[arg-type]
        assert (result.n, result.open, result.left_out) == (1, 0, 4)


def test_a_recovery_behind_a_gap_in_the_log_is_censored_where_the_gap_begins() -> None:
    covers = table("coverage", [stretch(at(16), at(16, 5)), stretch(at(16, 8), at(25))])
    rows = log("sfcccccccs")
    assert told(rows, "observed", "duration_s", "outcome", coverage=covers) == [(False, 4 * HOUR - 60, None)]
    whole = table("coverage", [stretch(at(16), at(16, 5)), stretch(at(16, 6), at(25))])
    assert told(rows, "observed", "duration_s", coverage=whole) == [(True, 8 * HOUR)]


def test_an_open_incident_is_watched_until_its_log_ends() -> None:
    covers = table("coverage", [stretch(at(16), at(18, 0, 1))])
    assert told(log("sssf"), "duration_s", "outcome", coverage=covers) == [(45 * HOUR, None)]


def test_the_columns_of_by_come_from_the_first_failing_run() -> None:
    rows = [{**row, "client": client} for row, client in zip(log("sffs"), "abcd", strict=True)]
    assert told(rows, "client", by=("client",)) == [("b",)]


def test_wrong_options_are_refused() -> None:
    table_of_runs = runs(*log("s"))
    with pytest.raises(UnknownColumnError):
        incidents(table_of_runs, by=("team",))
    with pytest.raises(UnknownNameError):
        incidents(table_of_runs, roles=("works",))
    with pytest.raises(ValueError, match="has no time zone"):
        incidents(table_of_runs, until=datetime(2026, 11, 25))  # noqa: DTZ001
    with pytest.raises(ValueError, match="abandoned_after: 0"):
        incidents(table_of_runs, abandoned_after=0)
    with pytest.raises(ValueError, match="transform: 'loglog'"):
        recovery_times(table_of_runs, transform="loglog")  # type: ignore[arg-type]


def test_no_runs_give_no_incident_and_a_row_of_nothing() -> None:
    nothing = runs()
    assert incidents(nothing).n == 0
    assert len(recovery_times(nothing).to_pandas()) == 0
    whole = recovery_times(nothing, by=())
    assert (whole.n, whole.interval.n, whole.interval.estimate) == (0, 0, None)  # type: ignore[union-attr]
    assert rows_of(whole.table)[0]["rmst_s"] is None


def test_a_group_whose_curve_does_not_fall_to_half_has_no_median() -> None:
    row = rows_of(recovery_times(runs(*log("sf")), until=UNTIL).table)[0]
    assert (row["n"], row["open"], row["median_s"], row["rmst_low_s"]) == (1, 1, None, None)


letters = st.text("sssfffpc", min_size=1, max_size=30)
names = ("median", "p90", "rmst", "geometric_mean")


@given(letters, letters, st.sampled_from(["log-log", "log", "plain"]), st.randoms())
@settings(max_examples=5)
def test_sql_equals_numpy(one: str, other: str, transform: Any, random: Any) -> None:
    rows = log(one) + log(other, automation="other")
    random.shuffle(rows)
    held = incidents(runs(*rows), until=UNTIL)
    frame = held.to_pandas()
    for row in rows_of(recovery_times(held, transform=transform).table):
        mine = frame[frame["automation"] == row["automation"]]
        curve = kaplan_meier(mine["duration_s"], mine["observed"], transform=transform)
        expected = [
            curve.quantile(0.5),
            curve.quantile(0.9),
            curve.rmst(),
            geometric_mean(mine["duration_s"], mine["observed"]),
        ]
        for name, interval in zip(names, expected, strict=True):
            ours = [row[f"{name}{suffix}_s"] for suffix in ("", "_low", "_high")]
            theirs = [interval.estimate, interval.low, interval.high]
            # A spread of nothing but rounding has bounds on one side and none on the other.
            assert _floats(ours) == pytest.approx(_floats(theirs), nan_ok=True, rel=1e-7)


def _floats(values: list[Any]) -> list[float]:
    return [np.nan if value is None else float(value) for value in values]


@given(letters)
@settings(max_examples=8)
def test_incidents_equal_reading_the_log_line_by_line(text: str) -> None:
    expected, began = [], None
    for i, one in enumerate(text):
        if one == "f" and began is None:
            began = i
        elif one in "sp" and began is not None:
            expected.append((f"intake {began:03}", (i - began) * HOUR, True, text[began:i].count("f")))
            began = None
    if began is not None:
        seconds = (UNTIL - at(16 + began // 24, began % 24, 1)).total_seconds()
        expected.append((f"intake {began:03}", seconds, False, text[began:].count("f")))
    assert told(log(text), "run_id", "duration_s", "observed", "failures") == expected


def test_the_curve_of_a_group_is_kaplan_meiers() -> None:
    result = recovery_times(runs(*log("sfsffsfffsff")), until=at(18))
    frame = result.incidents.to_pandas()
    ours = result.curves.execute()
    theirs = kaplan_meier(frame["duration_s"], frame["observed"]).table
    for name in ("at_risk", "events", "censored", "survival", "se", "low", "high"):
        assert ours[name].to_numpy(dtype=float) == pytest.approx(theirs[name].to_numpy(dtype=float), nan_ok=True)


def test_a_given_tau_cuts_every_group_at_the_same_time() -> None:
    row = rows_of(recovery_times(runs(*log("sfsffsfffs")), until=UNTIL, tau_s=1.5 * HOUR).table)[0]
    assert row["rmst_s"] == pytest.approx((1 + 1.5 + 1.5) / 3 * HOUR)
    assert row["tau_s"] == 1.5 * HOUR


def test_time_between_failures_goes_from_one_beginning_to_the_next_and_the_last_is_open() -> None:
    result = time_between_failures(runs(*log("ssffssfss" + "s" * 20)), until=at(17, 6))
    spells = sorted(rows_of(result.spells), key=lambda row: row["began_at"])
    assert [(row["duration_s"], row["observed"]) for row in spells] == [
        (2 * HOUR, True),
        (4 * HOUR, True),
        (24 * HOUR - 60, False),
    ]
    assert (result.n, result.open, result.left_out) == (3, 1, 0)


def test_an_automation_that_never_failed_counts_as_watched_all_the_time() -> None:
    rows = log("sssss") + log("sfsss", automation="other")
    table_of_both = rows_of(time_between_failures(runs(*rows), until=at(16, 5), by=()).table)
    assert (table_of_both[0]["n"], table_of_both[0]["open"]) == (3, 2)


def test_an_automation_that_no_longer_runs_is_not_watched_any_more() -> None:
    spells = rows_of(time_between_failures(runs(*log("ssss")), until=UNTIL).spells)
    assert [row["duration_s"] for row in spells] == [3 * HOUR]
    kept = rows_of(time_between_failures(runs(*log("ssss")), until=UNTIL, abandoned_after=None).spells)
    assert kept[0]["duration_s"] == (UNTIL - at(16, 0, 1)).total_seconds()


def test_rows_in_any_order_give_the_same() -> None:
    frame = pd.DataFrame(log("sffsfsffs")).assign(started_at=lambda one: one["started_at"])
    orders = [frame, frame.sample(frac=1, random_state=1)]
    tables = [incidents(runs(*one.to_dict("records")), until=UNTIL).to_pandas() for one in orders]
    ordered = [one.sort_values("run_id", ignore_index=True) for one in tables]
    pd.testing.assert_frame_equal(*ordered)
    assert isinstance(incidents(runs(*log("s"))).table, ibis.Table)

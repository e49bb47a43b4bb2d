from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from tables import at, rows_of, run, runs

from aftershock import concurrency, failure_by_load, volumes, wilson
from aftershock.errors import UnknownColumnError, UnknownNameError


def lasting(run_id: str, minute: int, minutes: int | None, automation: str = "a", **more: object) -> dict[str, object]:
    start = at(16, 0, minute)
    status = "succeeded" if minutes is not None else "running"
    end = start + timedelta(minutes=minutes) if minutes is not None else None
    return run(run_id, automation, start, status) | {"ended_at": end} | more


def running(*rows: dict[str, object], **options: object) -> dict[str, int]:
    table = concurrency(runs(*rows), **options).to_pandas()
    return dict(sorted(zip(table["run_id"], table["running"].astype(int), strict=True)))


def test_a_run_that_begins_when_another_ends_does_not_meet_it() -> None:
    assert running(lasting("1", 0, 10), lasting("2", 5, 10), lasting("3", 10, 1)) == {"1": 0, "2": 1, "3": 1}


def test_two_that_start_at_the_same_moment_count_each_other() -> None:
    assert running(lasting("1", 0, 10), lasting("2", 0, 1)) == {"1": 1, "2": 1}


def test_a_run_without_any_length_counts_others_but_not_itself() -> None:
    assert running(lasting("1", 0, 10), lasting("2", 5, 0), lasting("3", 6, 1)) == {"1": 0, "2": 1, "3": 1}


def test_an_unfinished_run_is_under_way_until_the_log_ends() -> None:
    assert running(lasting("1", 0, None), lasting("2", 50, 1)) == {"1": 0, "2": 1}


def test_groups_do_not_meet_unless_by_says_what_they_share() -> None:
    rows = (lasting("1", 0, 10), lasting("2", 5, 10, "b"))
    assert (running(*rows), running(*rows, by=("source",))) == ({"1": 0, "2": 0}, {"1": 0, "2": 1})


def test_runs_of_other_roles_are_load_without_a_row_of_their_own() -> None:
    result = concurrency(runs(lasting("1", 0, 10, role="test"), lasting("2", 5, 10)))
    assert (result.n, result.left_out, result.most) == (1, 1, 1)


def test_concurrency_of_nothing_is_empty() -> None:
    result = concurrency(runs())
    assert (result.n, result.left_out, result.most, len(result.to_pandas())) == (0, 0, 0, 0)


def test_concurrency_equals_counting_each_pair_in_any_order_of_rows() -> None:
    rng = np.random.default_rng(0)
    rows = [
        lasting(f"{i:03d}", int(m), int(d) if d else 0, "ab"[i % 2])
        for i, (m, d) in enumerate(zip(rng.integers(0, 50, 200), rng.integers(0, 9, 200), strict=True))
    ]
    expected = {
        one["run_id"]: sum(
            other is not one
            and other["automation"] == one["automation"]
            and other["started_at"] <= one["started_at"] < other["ended_at"]
            for other in rows
        )
        for one in rows
    }
    rng.shuffle(rows)
    assert running(*rows) == expected


def test_an_hour_has_runs_items_failures_and_those_that_were_called_too_often() -> None:
    limited = {"error_message": "HTTP 429 Too Many Requests"}
    table = volumes(
        runs(
            run("1", "a", at(16, 8, 5), items_in=3),
            run("2", "a", at(16, 8, 59), "failed", items_out=2, **limited),
            run("3", "a", at(16, 8, 59), "failed", error_message="order 4290 is wrong"),
            run("4", "a", at(16, 9), "cancelled"),
            run("5", "a", at(16, 9), role="test"),
        )
    ).table
    first, second = rows_of(table)
    assert [first[name] for name in ("start", "runs", "items", "n", "failures", "rate_limited")] == [
        at(16, 8),
        3,
        5,
        3,
        2,
        1,
    ]
    assert first["low"] == pytest.approx(wilson(2, 3).low)
    assert [second[name] for name in ("runs", "n", "rate", "other_roles")] == [1, 0, None, 1]


def test_hours_add_up_to_days() -> None:
    rng = np.random.default_rng(1)
    table = runs(
        *(
            run(str(i), "a", at(16 + int(d), int(h)), "failed" if h % 3 else "succeeded")
            for i, (d, h) in enumerate(rng.integers(0, 9, (99, 2)))
        )
    )
    hours, days = (volumes(table, per=per).to_pandas() for per in ("hour", "day"))
    assert hours.groupby(hours["start"].dt.floor("D"))["failures"].sum().tolist() == days["failures"].tolist()


def test_volumes_say_what_they_leave_out() -> None:
    result = volumes(runs(run("1", "a", at(16)), run("2", "a", None, "queued"), run("3", "a", at(16), "skipped")))
    assert (result.n, result.left_out, result.interval.estimate) == (1, 2, 0.0)


def test_bins_of_load_hold_all_runs_and_never_part_equal_loads() -> None:
    rows = [
        run(f"{h}-{i}", "a", at(16, h, i), "failed" if h > 5 else "succeeded")
        for h in range(12)
        for i in range(1 + h % 6)
    ]
    result = failure_by_load(runs(*rows), bins=3)
    assert (int(result.table["n"].sum()), result.n, result.left_out) == (len(rows), len(rows), 0)
    assert (result.table["from_load"].to_numpy()[1:] > result.table["to_load"].to_numpy()[:-1]).all()


def test_load_of_nothing_has_no_bins() -> None:
    result = failure_by_load(runs(), measure="concurrency")
    assert (result.n, result.interval.estimate, len(result.table)) == (0, None, 0)


def test_a_wrong_name_is_an_error_that_says_what_there_is() -> None:
    with pytest.raises(UnknownColumnError):
        concurrency(runs(), by=("automaton",))
    with pytest.raises(UnknownNameError):
        volumes(runs(), roles=("worker",))
    with pytest.raises(ValueError, match="write 'hour' or 'day'"):
        volumes(runs(), per="week")  # type: ignore[arg-type]

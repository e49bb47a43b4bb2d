from __future__ import annotations

import pytest
from tables import at, rows_of, run, runs

from aftershock.metrics import Period, silent_failures, wilson

MIXED = runs(
    *(run(f"s{i}", "a", at(17, i)) for i in range(6)),
    run("p1", "a", at(17, 7), "partial"),
    run("p2", "a", at(17, 8), "partial"),
    run("f", "a", at(17, 9), "failed"),
    run("c", "a", at(17, 10), "cancelled"),
    run("r", "a", at(17, 11), "running"),
    run("e", "a", at(17, 12), "partial", role="error_handler"),
)


def test_a_silent_failure_is_a_partial_run_among_those_that_are_called_successful() -> None:
    bounds = wilson(2, 8)
    assert rows_of(silent_failures(MIXED).table) == [
        {
            "automation": "a",
            "n": 8,
            "silent": 2,
            "rate": 0.25,
            "low": pytest.approx(bounds.low),
            "high": pytest.approx(bounds.high),
            "failed": 1,
            "left_out": 1,
            "unfinished": 1,
            "unknown": 0,
            "other_roles": 1,
        }
    ]


def test_the_totals_are_on_the_result() -> None:
    silent = silent_failures(MIXED)
    assert (silent.n, silent.silent, silent.failed, silent.overall.estimate) == (8, 2, 1, 0.25)


def test_where_nothing_is_called_successful_there_is_no_rate() -> None:
    row = rows_of(silent_failures(runs(run("f", "a", at(17), "failed")), by=()).table)[0]
    assert (row["n"], row["rate"], row["failed"]) == (0, None, 1)


def test_it_compares_with_the_period_before() -> None:
    week = Period.parse("2026-W47", "UTC")
    row = rows_of(silent_failures(MIXED, period=week, compare=True).table)[0]
    assert (row["previous_n"], row["previous_rate"], row["verdict"]) == (0, None, "too few to compare")


def test_a_partial_run_that_a_retry_put_right_is_no_silent_root() -> None:
    chain = runs(run("1", "a", at(17), "partial"), run("2", "a", at(17, 1), root_run_id="1", attempt=2))
    assert silent_failures(chain, unit="root").silent == 0

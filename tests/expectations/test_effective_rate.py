from __future__ import annotations

import pytest
from tables import at, rows_of, run, runs, stretch, table, touch

from aftershock.expectations import effective_rate, reconcile
from aftershock.metrics import Period, wilson
from aftershock.project import Expectation

CRM = Expectation(name="reaches the CRM", entity="order", after="intake", then="crm", within="30m")  # type: ignore[arg-type]
RUNS = runs(
    *(run(f"in{i}", "intake", at(18, i)) for i in range(8)),
    *(run(f"crm{i}", "crm", at(18, i, 5)) for i in range(6)),
    run("crm6", "crm", at(18, 6, 5), "failed"),
    run("crm7", "crm", at(18, 9)),
    run("handler", "crm", at(18, 10), "failed", role="error_handler"),
    run("other", "sync", at(18, 10), "failed"),
)
TOUCHES = table(
    "touches",
    [touch(f"in{i}", str(i), at(18, i)) for i in range(8)]
    + [touch(f"crm{i}", str(i), at(18, i, 5)) for i in range(5)]  # the sixth run said success and touched nothing
    + [touch("crm6", "6", at(18, 6, 5)), touch("crm7", "7", at(18, 9))],
)
COVERED = table("coverage", [stretch(at(1), at(30))])


def test_the_share_of_records_that_arrived_stands_beside_the_share_of_green_runs() -> None:
    (row,) = rows_of(effective_rate(reconcile(RUNS, TOUCHES, COVERED, [CRM], as_of=at(19))))
    arrived, green = wilson(5, 8), wilson(15, 16)
    assert row == {
        "expectation": "reaches the CRM",
        "n": 8,
        "in_step": 5,
        "rate": 0.625,
        "low": pytest.approx(arrived.low),
        "high": pytest.approx(arrived.high),
        "green_n": 16,
        "green": 15,
        "green_rate": 0.9375,
        "green_low": pytest.approx(green.low),
        "green_high": pytest.approx(green.high),
    }


def test_both_are_of_the_same_period() -> None:
    week = Period.parse("2026-W46", "UTC")
    (row,) = rows_of(effective_rate(reconcile(RUNS, TOUCHES, COVERED, [CRM], as_of=at(19), period=week)))
    assert (row["n"], row["rate"], row["green_n"], row["green_rate"]) == (0, None, 0, None)

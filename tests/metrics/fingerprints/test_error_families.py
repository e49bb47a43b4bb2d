"""Failures by what went wrong: one family each, with a fingerprint that stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import pandas as pd
import pytest

from aftershock.errors import UnknownColumnError, UnknownNameError
from aftershock.metrics import Result, error_families, wilson

START = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMA = dict.fromkeys(
    ("run_id", "tool", "client", "automation_id", "role", "status", "error_type", "error_message"), "string"
) | {
    "started_at": "timestamp('UTC')",
    "queued_at": "timestamp('UTC')",
    "ended_at": "timestamp('UTC')",
}


def run(number: int, message: str | None, *, day: float = 0, **other: Any) -> dict[str, Any]:
    fixed = {
        "run_id": str(number),
        "tool": "n8n",
        "client": "acme",
        "automation_id": "a",
        "role": "work",
        "status": "failed",
    }
    times = {"started_at": START + timedelta(days=day), "queued_at": None, "ended_at": None}
    return fixed | times | {"error_type": "Error", "error_message": message} | other


def table(*rows: dict[str, Any]) -> ibis.Table:
    return ibis.memtable(pd.DataFrame(list(rows), columns=list(SCHEMA)), schema=SCHEMA)


LOG = [
    *(run(k, f"order {k} not found", day=k, automation_id=f"a{k % 2}") for k in range(6)),
    *(run(k, "disk full", client="globex", day=2) for k in range(10, 13)),
    run(20, None, error_type=None),
    run(21, None, status="succeeded", error_type=None),
    run(22, "order 5 not found", role="test"),
]


def test_a_row_per_family_with_its_share_of_all_failures() -> None:
    found = error_families(table(*LOG))
    rows = found.table[["template", "n", "automations", "clients", "example"]].to_numpy().tolist()
    assert rows == [["order <*> not found", 6, 2, 1, "order 0 not found"], ["disk full", 3, 1, 1, "disk full"]]
    assert (found.n, found.left_out) == (9, 1)
    share = wilson(6, 10)
    assert tuple(found.table.loc[0, ["share", "low", "high"]]) == (share.estimate, share.low, share.high)
    assert found.table.cumulative.tolist() == [0.6, 0.9]


def test_a_family_spans_from_its_first_to_its_last_failure() -> None:
    first = error_families(table(*LOG)).table.iloc[0]
    assert (first.first_seen, first.last_seen) == (START, START + timedelta(days=5))


def test_another_tool_type_frame_or_http_status_is_another_family() -> None:
    trace = 'Traceback (most recent call last):\n  File "/app/{}.py", line 3, in push\n    x()\nError: no such order'
    rows = [
        run(1, "order refused"),
        run(2, "order refused", tool="make"),
        run(3, "order refused", error_type="Other"),
        run(4, trace.format("crm")),
        run(5, trace.format("erp")),
        run(6, "Request failed with status code 404"),
        run(7, "Request failed with status code 500"),
    ]
    found = error_families(table(*rows)).table
    assert len(found) == 7
    assert set(found.frame.dropna()) == {"crm.py:push", "erp.py:push"}
    assert set(found.code.dropna()) == {"404", "500"}


def test_lines_and_addresses_in_a_traceback_do_not_tell_families_apart() -> None:
    trace = (
        'Traceback (most recent call last):\n  File "/v{0}/app/crm.py", line {0}, in push\n    x()\nError: no order {0}'
    )
    assert error_families(table(*(run(k, trace.format(k)) for k in range(4)))).table.n.tolist() == [4]


def test_a_type_that_the_tool_does_not_name_is_read_from_the_message() -> None:
    assert error_families(table(run(1, "ValueError: no such day", error_type=None))).table.error_type.tolist() == [
        "ValueError"
    ]


def test_the_name_of_the_own_client_does_not_tell_families_apart() -> None:
    clients = ("acme", "globex", "initech")
    found = error_families(
        table(*(run(k, f"CRM of {name.title()} is down", client=name) for k, name in enumerate(clients)))
    )
    assert found.table[["template", "n", "clients"]].to_numpy().tolist() == [["CRM of <*> is down", 3, 3]]


def test_a_message_without_a_type_joins_the_only_type_that_it_has_elsewhere() -> None:
    rows = [run(1, "5 != 4 rows"), run(2, "6 != 4 rows", error_type=None), run(3, "disk full", error_type=None)]
    found = error_families(table(*rows)).table
    assert found[["error_type", "n"]].to_numpy().tolist() == [["Error", 2], [None, 1]]
    torn = error_families(table(*rows, run(4, "7 != 4 rows", error_type="Other"))).table
    assert sorted(torn.error_type.fillna("").tolist()) == ["", "", "Error", "Other"]


def test_a_known_family_without_a_type_keeps_its_fingerprint_when_a_typed_one_comes() -> None:
    before = error_families(table(run(1, "5 != 4 rows", error_type=None)))
    now = error_families(table(run(2, "6 != 4 rows", error_type=None), run(3, "6 != 4 rows")), known=before).table
    assert set(now.fingerprint[~now.is_new]) == set(before.table.fingerprint)


def test_a_quoted_name_alone_is_the_error_until_there_are_many() -> None:
    few = error_families(
        table(*(run(k, f"'{name}'", error_type="KeyError") for k, name in enumerate(("total", "sku"))))
    )
    assert set(few.table.template) == {"'total'", "'sku'"}
    names = ("total", "sku", "price", "city", "zip", "street")
    many = error_families(table(*(run(k, f"'{name}'", error_type="KeyError") for k, name in enumerate(names))))
    assert many.table[["template", "n"]].to_numpy().tolist() == [["<*>", 6]]
    one = table(run(1, "'total'", error_type="KeyError"))
    for known in (few, many):
        assert set(error_families(one, known=known).table.is_new) == {False}


def test_the_order_of_rows_plays_no_part() -> None:
    pd.testing.assert_frame_equal(error_families(table(*LOG)).table, error_families(table(*LOG[::-1])).table)


def test_known_families_keep_their_fingerprints_and_others_are_new() -> None:
    first = error_families(table(run(1, "disk full on alpha today"), run(2, "disk full on beta today")))
    names = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta")
    second = error_families(
        table(*(run(k, f"disk full on {name} today", day=40) for k, name in enumerate(names))), known=first
    )
    old = second.table[~second.table.is_new]
    assert set(old.fingerprint) == set(first.table.fingerprint)
    assert second.table[second.table.is_new].template.tolist() == ["disk full on <*> today"]
    assert set(first.families.fingerprint) < set(second.families.fingerprint)


def test_a_family_that_fails_again_after_thirty_quiet_days_has_returned() -> None:
    before = error_families(table(run(1, "disk full"), run(2, "login refused", day=1)))
    now = error_families(
        table(run(3, "disk full", day=30), run(4, "login refused", day=30)), known=before
    ).table.set_index("template")
    assert now.returned.to_dict() == {"disk full": True, "login refused": False}
    assert not now.is_new.any()


def test_it_is_told_from_the_whole_log_as_from_its_new_part() -> None:
    old, new = [run(1, "disk full")], [run(2, "disk full", day=45)]
    before = error_families(table(*old))
    assert error_families(table(*old, *new), known=before).table.returned.tolist() == [True]
    assert error_families(table(*old), known=before).table.returned.tolist() == [False]


def test_without_known_nothing_is_said_of_news() -> None:
    found = error_families(table(*LOG)).table
    assert found.is_new.isna().all()
    assert found.returned.isna().all()


def test_a_known_result_may_come_as_its_table_of_families() -> None:
    before = error_families(table(*LOG))
    assert not error_families(table(*LOG), known=before.families).table.is_new.any()


def test_no_failure_gives_no_row() -> None:
    found = error_families(table(LOG[-2]))
    assert (found.n, found.left_out, len(found.table), found.interval) == (0, 0, 0, None)
    assert isinstance(found, Result)
    again = error_families(table(*LOG), known=found)
    assert again.table.is_new.all()
    assert len(error_families(table(LOG[-2]), known=again).families) == 2


def test_steps_have_families_too_without_automations() -> None:
    steps = table(*LOG).drop("tool", "client", "automation_id", "role", "queued_at")
    found = error_families(steps).table
    assert found.n.tolist() == [7, 3]
    assert found.automations.isna().all()


def test_a_missing_column_and_bad_options_are_told() -> None:
    runs = table(*LOG)
    with pytest.raises(UnknownColumnError, match="error_message"):
        error_families(runs.drop("error_message"))
    with pytest.raises(UnknownNameError, match="role"):
        error_families(runs, roles=("wrk",))
    with pytest.raises(ValueError, match="level"):
        error_families(runs, level=1)
    with pytest.raises(ValueError, match="quiet_days: -1"):
        error_families(runs, quiet_days=-1)

"""Every automation's timetable from the ledger's runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tables import at, run, runs, stretch, table

from aftershock import learned_schedule, learned_schedules
from aftershock.errors import UnknownColumnError


def daily(automation: str, *without: int, until: int = 29) -> list[dict[str, Any]]:
    days = [day for day in range(1, until + 1) if day not in without]
    return [run(f"{automation} {day}", automation, at(day, 6)) for day in days]


WHOLE = table("coverage", [stretch(at(1), at(30))])


def test_each_automation_has_the_timetable_that_its_starts_alone_give() -> None:
    rows = [*daily("export", 7, 8), *daily("sync")]
    found = learned_schedules(runs(*rows), coverage=WHOLE).table.set_index("automation")
    alone = learned_schedule([row["started_at"] for row in daily("export", 7, 8)], covered=[(at(1), at(30))])
    assert found.loc["export", "verdict"] == alone.verdict == "every day by UTC, 29 expected, 2 missed"
    assert (found.loc["sync", "missed"], found.index[0]) == (0, "export")


def test_an_automation_that_fell_silent_has_missed_its_runs_since() -> None:
    found = learned_schedules(runs(*daily("export", until=20), *daily("sync")), coverage=WHOLE)
    assert found.table.set_index("automation")["missed"].to_dict() == {"export": 8, "sync": 0}
    assert (found.gaps.iloc[0].automation, found.gaps.iloc[0].from_slot) == ("export", at(21, 6))


def test_where_no_log_tells_nothing_is_missed() -> None:
    half = table("coverage", [stretch(at(1), at(8))])
    found = learned_schedules(runs(*daily("export", 7, 8), *daily("sync")), coverage=half).table.iloc[0]
    assert (found.missed, found.untold) == (1, 1)
    assert learned_schedules(runs(*daily("export", 7, 8))).table.iloc[0].untold == 2


def test_retries_keep_no_timetable_and_do_not_hide_one() -> None:
    retries = [
        run(f"again {day}", "export", at(day, 6) + timedelta(minutes=17 * day), root_run_id=f"export {day}", attempt=2)
        for day in range(1, 30)
    ]
    found = learned_schedules(runs(*daily("export"), *retries), coverage=WHOLE)
    assert (found.n, found.table.iloc[0].period_s) == (29, 86_400)


def test_no_runs_give_no_row_and_an_unknown_column_is_told() -> None:
    empty = learned_schedules(runs(), coverage=WHOLE)
    assert (empty.n, len(empty.to_pandas()), len(empty.gaps), empty.until) == (0, 0, 0, None)
    with pytest.raises(UnknownColumnError, match="automaton"):
        learned_schedules(runs(*daily("export")), by="automaton")

"""`temporal_profile` against pm4py's own numbers, and by hand."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from typing import Any

import ibis
import pytest
from support import SHARED

from aftershock.errors import UnknownColumnError
from aftershock.metrics import temporal_profile

TRUTH = SHARED / "truth" / "temporal_profile_running-example.json"
SCHEMA = {"case": "string", "activity": "string", "at": "timestamp('UTC')"}


def events(*rows: tuple[str | None, str | None, int | None]) -> Any:
    at = [None if hour is None else datetime(2026, 11, 16, hour, tzinfo=UTC) for _, _, hour in rows]
    told = [{"case": row[0], "activity": row[1], "at": when} for row, when in zip(rows, at, strict=True)]
    return ibis.memtable(told, schema=SCHEMA)


@pytest.mark.skipif(not TRUTH.is_file(), reason="the published cases lie in ../shared/truth, which is not here")
def test_every_pair_of_pm4pys_running_example_has_its_mean_and_deviation() -> None:
    with (TRUTH.parent / "declare_running-example_log.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            {
                "case": row["case:concept:name"],
                "activity": row["concept:name"],
                "at": datetime.fromisoformat(row["time:timestamp"]),
            }
            for row in csv.DictReader(file)
        ]
    ours = temporal_profile(ibis.memtable(rows, schema=SCHEMA)).to_pandas()
    found = {f"{row.a}|{row.b}": [row.mean_s, row.sd_s] for row in ours.itertuples()}
    theirs = json.loads(TRUTH.read_text(encoding="utf-8"))
    assert found.keys() == theirs.keys()
    for pair, numbers in theirs.items():
        assert found[pair] == pytest.approx(numbers, rel=1e-12)


def test_every_a_is_paired_with_every_b_after_it() -> None:
    row = temporal_profile(events(("1", "a", 1), ("1", "a", 2), ("1", "b", 4))).to_pandas().set_index(["a", "b"])
    told = row.loc[("a", "b")]
    assert [told[name] for name in ("n", "mean_s", "shortest_s", "longest_s")] == [2, 9000.0, 7200.0, 10800.0]
    assert row.loc[("a", "a"), "n"] == 1
    assert row.loc[("a", "a"), "sd_s"] == 0


def test_events_without_case_activity_or_time_are_left_out_and_counted() -> None:
    found = temporal_profile(events(("1", "a", 1), (None, "b", 2), ("1", None, 2), ("1", "b", None)))
    assert (found.n, found.left_out) == (0, 3)


def test_a_log_without_events_gives_no_pair() -> None:
    found = temporal_profile(events())
    assert (found.n, found.left_out, len(found.to_pandas())) == (0, 0, 0)


def test_an_unknown_column_is_named() -> None:
    with pytest.raises(UnknownColumnError, match="ticket"):
        temporal_profile(events(), case="ticket")

"""Toy: a made-up tool with every container, for tests of ingestion that shall not depend on a real format."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aftershock.adapters.base import TIME, Export, Fidelity, StatusTable

TOOL = "toy"
DOCS = "https://example.invalid/toy"
FIDELITY = Fidelity(
    attempts=True,
    steps=False,
    items=True,
    trigger=False,
    versions=False,
    parents=False,
    keys=True,
    evidence="documented",
)
STATUS = StatusTable({"ok": "succeeded", "bad": "failed", "busy": "running", "wait": "queued"})
_COLUMNS = {
    "run": "VARCHAR",
    "job": "VARCHAR",
    "state": "VARCHAR",
    "begin": TIME,
    "end": TIME,
    "items": "BIGINT",
    "note": "JSON",
    "error": "VARCHAR",
}
_RUNS = """
select place, run as native_id, job as automation, state as status_raw, "begin" as started_at, "end" as ended_at,
       items as items_out, error as error_message, note as payload, coalesce("end", "begin") as updated_at
from records where state <> 'plan' or state is null
"""
_ASIDE = "select place, 'planned' as reason from records where state = 'plan'"
_MARKS = frozenset({"run", "job", "state"})


def _from_database(path: Path) -> Iterator[Mapping[str, Any]]:
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        yield from (dict(row) for row in connection.execute("select * from toy_runs"))
    finally:
        connection.close()


_SELECT = {"runs": _RUNS, "set_aside": _ASIDE}
EXPORTS = (
    Export(name="records", form="json", requires=_MARKS, columns=_COLUMNS, select=_SELECT),
    Export(name="page", form="json", records="page.toys", requires=_MARKS, columns=_COLUMNS, select=_SELECT),
    Export(name="table", form="csv", requires=_MARKS, columns=_COLUMNS | {"note": "VARCHAR"}, select=_SELECT),
    Export(name="columns", form="parquet", requires=_MARKS, columns=_COLUMNS | {"note": "VARCHAR"}, select=_SELECT),
    Export(
        name="database",
        form="sqlite",
        requires=frozenset({"toy_runs"}),
        columns=_COLUMNS | {"note": "VARCHAR"},
        select=_SELECT,
        reader=_from_database,
    ),
)

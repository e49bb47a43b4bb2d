"""n8n's own SQLite database, `database.sqlite`: executions with their data, and workflow definitions.

What the API gives and more: queued times, rows marked as deleted. Before n8n 1.0 an execution kept its data beside itself.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._n8n import COLUMNS, SELECT, unflatten
from aftershock.adapters._n8n import STATUS as STATUS
from aftershock.adapters.base import Export, RecordError
from aftershock.adapters.n8n import FIDELITY as FIDELITY

TOOL = "n8n"
DOCS = "https://docs.n8n.io/hosting/architecture/database-structure/"

_TIMES: Final = ("createdAt", "updatedAt", "startedAt", "stoppedAt", "deletedAt")
_EXECUTIONS: Final = """select e.*, d.data, d.workflowData from execution_entity e
    left join execution_data d on d.executionId = e.id order by e.id"""
_OLD_EXECUTIONS: Final = "select * from execution_entity order by id"
_CUSTOM_DATA: Final = "select executionId, key, value from execution_metadata order by id"
_WORKFLOWS: Final = "select * from workflow_entity order by id"


def read(database: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """Every execution in the shape of the public API's, then every workflow.

    An execution whose data cannot be read comes without it, followed by a `RecordError`.
    """
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        tables = {row[0] for row in connection.execute("select name from sqlite_master")}
        custom: dict[int, dict[str, str]] = {}
        for execution, key, value in connection.execute(_CUSTOM_DATA) if "execution_metadata" in tables else ():
            custom.setdefault(execution, {})[key] = value
        for row in connection.execute(_EXECUTIONS if "execution_data" in tables else _OLD_EXECUTIONS):
            record = _in_utc(row) | {
                "id": str(row["id"]),
                "customData": custom.get(row["id"], {}),
                "data": None,
                "workflowData": None,
            }
            error = None
            try:
                record["workflowData"] = json.loads(row["workflowData"] or "null")
                record["data"] = unflatten(row["data"]) if row["data"] else None
            except (ValueError, IndexError, RecursionError) as reason:
                error = RecordError(f"its data cannot be read: {reason}", raw=str(row["data"])[:2000], field="data")
            yield record
            if error:
                yield error
        for row in connection.execute(_WORKFLOWS) if "workflow_entity" in tables else ():
            yield _in_utc(row) | {"active": bool(row["active"]), "nodes": json.loads(row["nodes"] or "[]")}


def _in_utc(row: sqlite3.Row) -> dict[str, Any]:
    """The columns we know. n8n writes SQLite times in UTC and does not say so."""
    known = {name: row[name] for name in row.keys() if name in COLUMNS}  # noqa: SIM118 - a Row iterates over its values
    return known | {name: f"{known[name]}Z" for name in _TIMES if known.get(name)}


EXPORTS = (
    Export(
        name="database",
        form="sqlite",
        requires=frozenset({"execution_entity", "workflow_entity"}),
        columns=COLUMNS,
        select=SELECT,
        reader=read,
    ),
)

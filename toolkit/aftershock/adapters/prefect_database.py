"""Prefect's own SQLite database, `~/.prefect/prefect.db`, or its text (`sqlite3 prefect.db .dump`).

What the API tells, and more: whose subflow a run is, and the state history of every run. Other tables (events, workers,
blocks, variables) are not looked at. A server on PostgreSQL is read over its API.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aftershock.adapters import _prefect
from aftershock.adapters._prefect import FIDELITY as FIDELITY
from aftershock.adapters._prefect import STATUS as STATUS
from aftershock.adapters._sql_dump import Tables, in_utc, parsed, tables
from aftershock.adapters.base import Export, RecordError, Sample

TOOL = "prefect"
DOCS = "https://docs.prefect.io/v3/concepts/server"

_TIMES: Final = ("created", "updated", "timestamp", "expected_start_time", "start_time", "end_time")
_JSON: Final = ("tags", "parameters", "created_by", "state_details", "schedule", "data")
_TABLES: Final = (
    "flow", "deployment", "deployment_schedule", "flow_run", "task_run", "flow_run_state", "task_run_state", "log", "artifact",
)  # fmt: skip
_ONLY_PREFECTS: Final = frozenset(("task_run_state_cache", "flow_run_state", "task_run_state"))
_DUMPED: Final = re.compile(
    r"(?im)^(?:CREATE TABLE|INSERT INTO)\s+(?:IF NOT EXISTS\s+)?[\"'`\[]?"
    r"(flow_run|task_run|flow_run_state|task_run_state|task_run_state_cache|flow|deployment)\b"
)
_OURS: Final = re.compile(r"\b(?:flow_run_id|parent_task_run_id|task_key|infra_overrides|parameter_openapi_schema)\b")


def read(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """Every row of the tables about runs, in the shape of the API's objects, with the `table` it is of."""
    with tables(path, _TABLES) as database:
        yield from database.broken
        yield from _definitions(database)
        parents = {row["id"]: row.get("flow_run_id") for row in database.rows("task_run")}
        for table, history in (("flow_run", "flow_run_state"), ("task_run", "task_run_state")):
            ends = {row.get("state_id"): row["id"] for row in database.rows(table)}
            last = {row["id"]: _plain(row) for row in database.rows(history) if row["id"] in ends}
            for row in database.rows(table):
                parent = parents.get(row.get("parent_task_run_id"))
                yield _plain(row) | {
                    "table": table,
                    "state": last.get(row.get("state_id")),
                    "parent_flow_run_id": parent,
                }
        for row in database.rows("flow_run_state"):
            yield _plain(row) | {"table": "state", "state_details": {"flow_run_id": row["flow_run_id"]}}
        for row in database.rows("task_run_state"):
            yield _plain(row) | {"table": "state", "state_details": {"task_run_id": row["task_run_id"]}}
        for table in ("log", "artifact"):
            for row in database.rows(table):
                yield _plain(row) | {"table": table}


def _definitions(database: Tables) -> Iterator[Mapping[str, Any]]:
    """Flows and deployments; since Prefect 2.16 the schedules stand in a table of their own."""
    for row in database.rows("flow"):
        yield _plain(row) | {"table": "flow"}
    schedules: dict[str, list[dict[str, Any]]] = {}
    for row in database.rows("deployment_schedule"):
        schedules.setdefault(row["deployment_id"], []).append(_plain(row))
    for row in database.rows("deployment"):
        yield _plain(row) | {"table": "deployment", "schedules": schedules.get(row["id"])}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Columns with their JSON read and their times in UTC, as Prefect writes them without saying so."""
    return parsed(in_utc(row, *_TIMES), *_JSON)


def _is_dump(sample: Sample) -> bool:
    """A table that no other tool has, or one of a name that another may have with columns that none has."""
    found = {name.lower() for name in _DUMPED.findall(sample.text)}
    return bool(found & _ONLY_PREFECTS) or (bool(found) and bool(_OURS.search(sample.text)))


_COLUMNS: Final = {
    "table": "VARCHAR",
    **_prefect.FLOW_RUN,
    **_prefect.TASK_RUN,
    **_prefect.DEPLOYMENT,
    **_prefect.STATE,
    **_prefect.LOG,
    **_prefect.ARTIFACT,
}


def _of(table: str) -> str:
    return f"(from records where \"table\" = '{table}')"


_PARTS: Final = (
    _prefect.flow_runs(_of("flow_run")),
    _prefect.task_runs(_of("task_run")),
    _prefect.flows(_of("flow")),
    _prefect.deployments(_of("deployment")),
    _prefect.states(_of("state")),
    _prefect.logs(_of("log")),
    _prefect.artifacts(_of("artifact")),
)
_SELECT: Final = {
    table: " union all by name ".join(f"select * from ({part[table]})" for part in _PARTS if table in part)
    for table in ("runs", "steps", "automations", "set_aside")
}

EXPORTS = (
    Export(
        name="database",
        form="sqlite",
        requires=frozenset({"flow_run", "task_run", "flow_run_state"}),
        reader=read,
        columns=_COLUMNS,
        select=_SELECT,
    ),
    Export(name="dump", form="text", claims=_is_dump, reader=read, columns=_COLUMNS, select=_SELECT),
)

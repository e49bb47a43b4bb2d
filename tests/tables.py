"""Ledger tables from a few rows, for tests of metrics and expectations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir

from aftershock.model import BY_NAME, FINISHED

_IBIS = {
    "VARCHAR": "string",
    "INTEGER": "int32",
    "BIGINT": "int64",
    "DOUBLE": "float64",
    "BOOLEAN": "boolean",
    "TIMESTAMPTZ": "timestamp('UTC')",
    "VARCHAR[]": "array<string>",
}
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)


def table(name: str, rows: Sequence[dict[str, Any]]) -> ir.Table:
    """A ledger table that holds these rows; columns not given are null."""
    schema = {column.name: _IBIS[column.type] for column in BY_NAME[name].columns}
    return ibis.memtable([{column: row.get(column) for column in schema} for row in rows], schema=schema)


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment in November 2026, UTC. The 16th is a Monday, the first day of 2026-W47."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def run(
    run_id: str, automation: str, started: datetime | None, status: str = "succeeded", **more: Any
) -> dict[str, Any]:
    """A run of one minute."""
    ended = started + timedelta(minutes=1) if started and status in FINISHED else None
    return {
        "run_id": run_id,
        "root_run_id": run_id,
        "tool": "n8n",
        "source": "n8n",
        "client": "acme",
        "automation": automation,
        "automation_id": f"id of {automation}",
        "attempt": 1,
        "role": "work",
        "status": status,
        "is_finished": status in FINISHED,
        "started_at": started,
        "ended_at": ended,
        **more,
    }


def runs(*rows: dict[str, Any]) -> ir.Table:
    """The table of runs."""
    return table("runs", rows)


def touch(run_id: str, key: str, moment: datetime | None = None, **more: Any) -> dict[str, Any]:
    """A run touched an order."""
    row = {"touch_id": f"{run_id} {key}", "run_id": run_id, "client": "acme", "entity_type": "order", "entity_key": key}
    return {**row, "step_id": f"{run_id} step", "at": moment, **more}


def stretch(start: datetime, end: datetime, completeness: str = "complete", **more: Any) -> dict[str, Any]:
    """A file covers n8n from start to end."""
    return {
        "import_id": "1",
        "source": "n8n",
        "covers_from": start,
        "covers_to": end,
        "completeness": completeness,
        **more,
    }


def rows_of(expression: ir.Table) -> list[dict[str, Any]]:
    """All rows, nulls as None."""
    return expression.to_pyarrow().to_pylist()

"""Settling on its own: observations put into a store in memory, as files of an adapter would, and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from aftershock.ledger.migrations import migrate
from aftershock.ledger.settle import Settled, prepare, settle
from aftershock.model import TABLES

Row = dict[str, Any]
Record = tuple[str, Row]
BEGIN = datetime(2026, 11, 16, tzinfo=UTC)
CLIENT_RULES = "(rule VARCHAR, client VARCHAR, source VARCHAR, automation VARCHAR, needs_payload BOOLEAN)"
TOLD = {
    "runs": "*",
    "steps": "*",
    "touches": "*",
    "status_history": "* exclude (import_id)",
    "automations": "*",
    "notices": "*",
}


def at(minute: int) -> datetime:
    """So many minutes into the night."""
    return BEGIN + timedelta(minutes=minute)


def run(number: int | str, seen: int, **facts: Any) -> Record:
    """What a file says about a run, `seen` minutes into the night. `job`: the number of its automation."""
    row = {"run_id": f"toy:{number}", "native_id": str(number), "tool": "toy", "source": "toy", "rank": 0} | facts
    if "job" in row:
        row["automation_id"] = f"toy:job{row.pop('job')}"
    for name in ("retry_of", "parent_run_id"):
        if row.get(name) is not None:
            row[name] = f"toy:{row[name]}"
    return "told_now", row | {"observed_at": at(seen)}


def step(number: int, key: str, seen: int, *, attempt: int = 1, **facts: Any) -> Record:
    """What a file says about a step attempt of a run."""
    row = {"run_id": f"toy:{number}", "step_id": f"toy:{number}/{key}#{attempt}", "step_key": key, "attempt": attempt}
    return "step_observations", row | {"rank": 0, "name": key, "observed_at": at(seen)} | facts


def touch(number: int, key: str, **facts: Any) -> Record:
    """What a file says about a record that a run touched."""
    row = {"run_id": f"toy:{number}", "touch_id": f"{number}|{key}", "entity_type": "order", "entity_key": key}
    return "touch_observations", row | facts


def job(number: int, seen: int, **facts: Any) -> Record:
    """What a file says about an automation."""
    row = {"automation_id": f"toy:job{number}", "native_id": f"job{number}", "tool": "toy", "source": "toy"}
    return "automation_observations", row | {"observed_at": at(seen)} | facts


def _automation_of(row: Row) -> Row:
    """What a run says of its automation, as every adapter's run does."""
    kept = ("automation_id", "tool", "source", "observed_at")
    return {"native_id": row["automation_id"].removeprefix("toy:")} | {name: row[name] for name in kept}


class Observed:
    """A store in memory, and the files it took in."""

    def __init__(self, rules: Sequence[tuple[str, str | None]] = ()) -> None:
        self.con = duckdb.connect()
        self.con.execute("set TimeZone = 'UTC'; set threads = 1").fetchall()
        migrate(self.con, Path("memory"))
        self.con.execute(f"create temp table client_rules {CLIENT_RULES}").fetchall()
        for client, automation in rules:
            self.con.execute(
                "insert into client_rules values ($1, $1, null, $2, $3)",
                [client, automation, automation is None],
            ).fetchall()
        self.files = 0

    def clear(self) -> None:
        """Forget everything but the client rules."""
        for table in TABLES:
            if table.name not in ("schema_version", "ledger_state") and not table.rows:
                self.con.execute(f"delete from {table.name}").fetchall()

    def take(self, *records: Record, touched_automations: Sequence[str] = ()) -> Settled:
        """Take in one file with these records, which may touch more automations than it speaks of."""
        self.files += 1
        self.con.begin()
        prepare(self.con)
        for automation in touched_automations:
            self.con.execute("insert into touched_automations values (?)", [automation]).fetchall()
        named = [("automation_observations", _automation_of(row)) for _, row in records if "automation_id" in row]
        for table, row in (*records, *named):
            row = row | {"import_id": f"i{self.files:04d}"}
            names, values = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
            if table != "automation_observations":
                names, values = f"{names}, write_no", f"{values}, getvariable('write_no')"
            self.con.execute(f"insert into {table} ({names}) values ({values})", list(row.values())).fetchall()
            touched = "automation" if table == "automation_observations" else "run"
            self.con.execute(f"insert into touched_{touched}s values (?)", [row[f"{touched}_id"]]).fetchall()
        settled = settle(self.con)
        self.con.execute(
            f"insert into imports (import_id, write_no) values ('i{self.files:04d}', getvariable('write_no'))"
        )
        self.con.execute("update ledger_state set commits = commits + 1").fetchall()
        self.con.commit()
        return settled

    def told(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every settled table, up to import ids."""
        return {table: self.rows(f"select {what} from {table} order by all") for table, what in TOLD.items()}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.con.execute(query).fetchall()

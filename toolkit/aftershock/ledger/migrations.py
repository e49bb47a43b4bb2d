"""Numbered migrations: how a store of an older version becomes one of this version.

A new store is made from `model.TABLES`. A change of the model raises `model.SCHEMA_VERSION`; a missing table or column is
added by `complete`, so most changes need no step here. `STEPS` holds what `complete` cannot know: renames and back-filling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb

from aftershock.errors import NewerLedgerError
from aftershock.model import SCHEMA_VERSION, TABLES

STEPS: Final[Mapping[int, Sequence[str]]] = {
    2: (
        # steps were known by their name alone
        "alter table steps add column if not exists step_key VARCHAR",
        "alter table step_observations add column if not exists step_key VARCHAR",
        "update steps set step_key = name where step_key is null",
        "update step_observations set step_key = name where step_key is null",
        # only observations knew the run before in the chain
        "alter table runs add column if not exists retry_of VARCHAR",
        """update runs set retry_of = told.retry_of
           from (select run_id, arg_max(retry_of, observed_at) as retry_of from run_observations group by run_id) told
           where told.run_id = runs.run_id and told.retry_of is not null""",
    ),
    3: (
        # settling looks no further back than to when a run was first seen, and to the write that told of it then
        *(
            statement
            for table in ("run_observations", "step_observations", "touch_observations")
            for statement in (
                f"alter table {table} add column if not exists write_no BIGINT",
                f"update {table} set write_no = 0 where write_no is null",
            )
        ),
        *(
            statement
            for table in ("steps", "touches")
            for statement in (
                f"alter table {table} add column if not exists run_seen_at TIMESTAMPTZ",
                f"update {table} set run_seen_at = first_seen_at from runs where runs.run_id = {table}.run_id",
            )
        ),
    ),
    4: (
        # changes were kept as the last file told them
        "alter table changes add column if not exists import_id VARCHAR",
        """create table if not exists change_observations (import_id VARCHAR, observed_at TIMESTAMPTZ, change_id VARCHAR, automation_id VARCHAR,
               version VARCHAR, "at" TIMESTAMPTZ, "by" VARCHAR, kind VARCHAR)""",
        """insert into change_observations by name
           select import_id, "at" as observed_at, change_id, automation_id, version, "at", "by", kind from changes
           where change_id not in (select change_id from change_observations)""",
        # notices that name no run had no row
        "alter table notice_observations add column if not exists source VARCHAR",
        """update notice_observations set source = imports.source from imports
           where imports.import_id = notice_observations.import_id and notice_observations.source is null""",
        "alter table notices add column if not exists source VARCHAR",
        "alter table notices add column if not exists automation_id VARCHAR",
        """update notices set source = runs.source, automation_id = runs.automation_id from runs
           where runs.run_id = notices.run_id and notices.source is null""",
    ),
    # a run that one file alone told of has all its words in itself: `runs` shows its row without what only settling reads,
    # and `status_history` its status, beside those of the other runs
    5: (
        "alter table if exists runs rename to run_rows",
        "alter table if exists status_history rename to status_changes",
    ),
}
"""Version -> the statements that bring a store of the version before to it. What stands here is never changed again.

Each version is a transaction of its own, and statements may be run twice: by whoever comes after one that was killed.
"""


def migrate(connection: duckdb.DuckDBPyConnection, file: Path, first_commit: int = 0) -> None:
    """Bring the store to `SCHEMA_VERSION`; commits are counted from `first_commit`.

    Raises: `NewerLedgerError` for a store of the future, which stays as it is.
    """
    found = _version(connection)
    if found > SCHEMA_VERSION:
        raise NewerLedgerError(file, found, SCHEMA_VERSION)
    if found == SCHEMA_VERSION:
        return
    if found:
        for number in range(found + 1, SCHEMA_VERSION + 1):
            with _transaction(connection):
                for statement in STEPS.get(number, ()):
                    connection.execute(statement).fetchall()
    with _transaction(connection):
        complete(connection)
        connection.execute(
            f"insert into schema_version select unnest(range({found + 1}, {SCHEMA_VERSION + 1})), now()"
        ).fetchall()
        connection.execute(
            f"insert into ledger_state (commits) select {first_commit} where not exists (from ledger_state)"
        ).fetchall()


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def complete(connection: duckdb.DuckDBPyConnection) -> None:
    """Add every table and column of the model that the store lacks."""
    for table in sorted(TABLES, key=lambda table: bool(table.rows)):  # views last: they read tables
        connection.execute(table.ddl()).fetchall()
        have = {row[0] for row in connection.execute(f"select column_name from (describe {table.name})").fetchall()}
        for column in table.columns:
            if column.name not in have:
                connection.execute(f'alter table {table.name} add column "{column.name}" {column.type}').fetchall()


def _version(connection: duckdb.DuckDBPyConnection) -> int:
    """The newest migration that was applied; 0 for an empty file."""
    known = "select count(*) from duckdb_tables() where table_name = 'schema_version'"
    if not connection.execute(known).fetchall()[0][0]:
        return 0
    return int(connection.execute("select coalesce(max(version), 0) from schema_version").fetchall()[0][0])

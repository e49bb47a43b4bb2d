"""Numbered migrations: how a store of an older version becomes one of this version.

Version 1 is made from `model.TABLES`. A later change of the model adds a step here and raises `model.SCHEMA_VERSION`; a
missing table or column is added by `complete`, so a step only holds what that cannot know (renames, back-filling).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import duckdb

from aftershock.errors import NewerLedgerError
from aftershock.model import SCHEMA_VERSION, TABLES

STEPS: Final[Mapping[int, Callable[[duckdb.DuckDBPyConnection], None]]] = {}
"""Version -> what brings a store of the version before to it."""


def migrate(connection: duckdb.DuckDBPyConnection, file: Path, first_commit: int = 0) -> None:
    """Bring the store to `SCHEMA_VERSION`, in one transaction. Raises `NewerLedgerError` for a store of the future."""
    found = _version(connection)
    if found > SCHEMA_VERSION:
        raise NewerLedgerError(file, found, SCHEMA_VERSION)
    if found == SCHEMA_VERSION:
        return
    connection.begin()
    try:
        for number in range(found + 1, SCHEMA_VERSION + 1):
            if found and number in STEPS:
                STEPS[number](connection)
        complete(connection)
        for number in range(found + 1, SCHEMA_VERSION + 1):
            connection.execute("insert into schema_version values (?, now())", [number]).fetchall()
        if not found:
            connection.execute("insert into ledger_state values (?)", [first_commit]).fetchall()
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def complete(connection: duckdb.DuckDBPyConnection) -> None:
    """Add every table and column of the model that the store lacks."""
    for table in TABLES:
        connection.execute(table.ddl()).fetchall()
        have = {row[0] for row in connection.execute(f"select column_name from (describe {table.name})").fetchall()}
        for column in table.columns:
            if column.name not in have:
                connection.execute(f'alter table {table.name} add column "{column.name}" {column.type}').fetchall()


def _version(connection: duckdb.DuckDBPyConnection) -> int:
    known = "select count(*) from duckdb_tables() where table_name = 'schema_version'"
    if not connection.execute(known).fetchall()[0][0]:
        return 0
    return int(connection.execute("select coalesce(max(version), 0) from schema_version").fetchall()[0][0])

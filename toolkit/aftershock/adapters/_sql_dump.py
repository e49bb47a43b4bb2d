"""Tables of a database: a SQLite file, or the text of a dump (`sqlite3 FILE .dump`), which is loaded and never simply run.

A dump is hostile input: of its statements only `CREATE TABLE` and `INSERT INTO ... VALUES` of the wanted tables are
executed, in memory, and an authorizer denies all that they might hold beside literals.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aftershock.adapters.base import RecordError

_STATEMENT: Final = re.compile(
    r"\s*(?P<verb>CREATE TABLE|INSERT INTO)\s+(?:IF NOT EXISTS\s+)?[\"'`\[]?(?:\w+[\"'`\]]?\.[\"'`\[]?)?(?P<table>\w+)",
    re.I,
)
_MAX_STATEMENT: Final = 64 * 1024**2
_KEPT: Final = 16000
_DENIED_FUNCTIONS: Final = frozenset(
    ("load_extension", "zeroblob", "randomblob", "printf", "format", "readfile", "writefile", "edit", "fts3_tokenizer")
)
_ALLOWED: Final = frozenset(
    (sqlite3.SQLITE_CREATE_TABLE, sqlite3.SQLITE_CREATE_INDEX, sqlite3.SQLITE_INSERT, sqlite3.SQLITE_READ)
)
_NAIVE: Final = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?")


@dataclass
class Tables:
    """The wanted tables of a database that are there, and what of them could not be loaded."""

    connection: sqlite3.Connection
    names: frozenset[str]
    broken: list[RecordError] = field(default_factory=list)

    def rows(self, table: str, order: str = "rowid") -> Iterator[dict[str, Any]]:
        """The rows of a table as dicts; none where there is no such table."""
        if table in self.names:
            for row in self.connection.execute(f'select * from "{table}" order by {order}'):
                yield dict(zip(row.keys(), row, strict=True))


@contextmanager
def tables(path: Path, wanted: Collection[str]) -> Iterator[Tables]:
    """The wanted tables of a SQLite file or of a dump."""
    with path.open("rb") as file:
        is_database = file.read(16) == b"SQLite format 3\x00"
    connection = sqlite3.connect(path if is_database else ":memory:")
    try:
        connection.row_factory = sqlite3.Row
        connection.text_factory = lambda text: text.decode("utf-8", errors="replace")
        broken = [] if is_database else _load(connection, path, wanted)
        found = {row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")}
        yield Tables(connection, frozenset(found & set(wanted)), broken)
    finally:
        connection.close()


def _load(connection: sqlite3.Connection, path: Path, wanted: Collection[str]) -> list[RecordError]:
    broken = []
    connection.isolation_level = None
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_STATEMENT)
    connection.execute("pragma ignore_check_constraints = on")
    connection.set_authorizer(_authorized)
    for statement in _statements(path):
        head = _STATEMENT.match(statement)
        if not head or head["table"] not in wanted:
            continue
        try:
            connection.execute(statement)
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            if "already exists" in str(error):  # several dumps after one another
                continue
            broken.append(RecordError(f"a statement of the dump cannot be loaded: {error}", raw=statement[:_KEPT]))
    connection.set_authorizer(None)
    return broken


def _authorized(action: int, one: str | None, two: str | None, _database: str | None, _trigger: str | None) -> int:
    if action in _ALLOWED or (action == sqlite3.SQLITE_UPDATE and one == "sqlite_master"):
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and two not in _DENIED_FUNCTIONS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _statements(path: Path) -> Iterator[str]:
    """Statements end with a line that ends with `;` outside of quotes; one that is cut off comes as it is."""
    lines: list[str] = []
    quotes = size = 0
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for line in file:
            if not lines and (not line.strip() or line.startswith("--")):
                continue
            quotes += line.count("'")
            size += len(line)
            if size <= _MAX_STATEMENT:
                lines.append(line)
            if quotes % 2 == 0 and line.rstrip().endswith(";"):
                yield "".join(lines)
                lines, quotes, size = [], 0, 0
    if lines:
        yield "".join(lines)


def in_utc(row: Mapping[str, Any], *times: str) -> dict[str, Any]:
    """The row with the zone that its database does not write: UTC."""
    naive = {name: f"{row[name]}+00:00" for name in times if _NAIVE.fullmatch(str(row.get(name)))}
    return {**row, **naive}


def parsed(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The row with its JSON texts as values; what cannot be read stays text."""
    values = {}
    for name in names:
        if isinstance(row.get(name), str):
            try:
                values[name] = json.loads(row[name])
            except (ValueError, RecursionError):
                continue
    return {**row, **values}

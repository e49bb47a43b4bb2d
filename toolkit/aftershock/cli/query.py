"""`sql`: a query on the current snapshot."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aftershock.cli.common import CommandError, ProjectOption, load_project, show_table

if TYPE_CHECKING:
    import duckdb

_FORMULA = ("=", "+", "-", "@")
_BREAKS = ("\t", "\r", "\n")
_ROWS_AT_ONCE = 10_000


class Format(StrEnum):
    """How the answer is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def sql(
    query: Annotated[
        str, typer.Argument(metavar='"SELECT ..."', help="In DuckDB's SQL. The snapshot cannot be changed.")
    ],
    style: Annotated[Format, typer.Option("--format", help="How to write the answer.")] = Format.TABLE,
    project: ProjectOption = None,
) -> None:
    """Ask the ledger's current snapshot."""
    import duckdb

    from aftershock.ledger.reader import Ledger

    with Ledger(load_project(project)) as ledger:
        try:
            answer = ledger.sql(query)
            if answer is None:
                raise CommandError("this statement has no answer; ask with SELECT")
            _WRITERS[style](answer)
        except duckdb.Error as error:
            raise CommandError(str(error)) from error


def cell_for_csv(value: object) -> object:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front; everything else stays as it is.

    Log text is written by others: `=HYPERLINK(...)` in an error message must not run when somebody opens the file.
    """
    if isinstance(value, str) and (value.lstrip().startswith(_FORMULA) or value.startswith(_BREAKS)):
        return f"'{value}"
    return value


def _rows(answer: duckdb.DuckDBPyRelation) -> Iterator[tuple[Any, ...]]:
    while rows := answer.fetchmany(_ROWS_AT_ONCE):
        yield from rows


def _table(answer: duckdb.DuckDBPyRelation) -> None:
    rows = [[_readable(value) for value in row] for row in _rows(answer)]
    numbers = [i for i, kind in enumerate(answer.types) if str(kind).rstrip("0123456789") in _NUMERIC]
    show_table(answer.columns, rows, numbers=numbers)
    typer.echo(f"({len(rows):,} row{'' if len(rows) == 1 else 's'})")


def _csv(answer: duckdb.DuckDBPyRelation) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([cell_for_csv(name) for name in answer.columns])
    writer.writerows(
        [cell_for_csv(_readable(value)) if value is not None else "" for value in row] for row in _rows(answer)
    )


def _json(answer: duckdb.DuckDBPyRelation) -> None:
    names = answer.columns
    typer.echo("[", nl=False)
    for i, row in enumerate(_rows(answer)):
        record = json.dumps(
            dict(zip(names, map(_for_json, row), strict=True)), ensure_ascii=False, allow_nan=False, default=str
        )
        typer.echo(f"{',' if i else ''}\n{record}", nl=False)
    typer.echo("\n]")


def _readable(value: Any) -> Any:
    """Times in ISO form with Z; everything else as it is."""
    from datetime import UTC, datetime

    if isinstance(value, datetime):
        return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat()}Z" if value.tzinfo else value.isoformat()
    return value


def _for_json(value: Any) -> Any:
    """Decimals become numbers. JSON knows no NaN and no infinity: they become null, also inside lists and structs."""
    from decimal import Decimal

    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and not float("-inf") < value < float("inf"):
        return None
    if isinstance(value, dict):
        return {str(key): _for_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_for_json(inner) for inner in value]
    return _readable(value)


_NUMERIC = {"BIGINT", "INTEGER", "DOUBLE", "FLOAT", "HUGEINT", "SMALLINT", "TINYINT", "UBIGINT", "UINTEGER"}
_WRITERS = {Format.TABLE: _table, Format.CSV: _csv, Format.JSON: _json}

"""Names and values inside SQL."""

from __future__ import annotations

from datetime import datetime


def literal(value: str | int | datetime | None) -> str:
    """A value as SQL.

    Statements that every ingestion runs have no parameters: to bind one, DuckDB's client imports pandas, which takes longer than a small file.
    """
    if value is None:
        return "null"
    if isinstance(value, datetime):
        return f"TIMESTAMPTZ '{value.isoformat()}'"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def identifier(name: str) -> str:
    """A column or table name, quoted."""
    return '"' + name.replace('"', '""') + '"'

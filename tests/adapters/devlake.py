"""DevLake's raw tables: a CSV file whose column `data` holds, row by row, the objects that a tool's API gave it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from support import SHARED


def raw_rows(tool: str, table: str) -> list[dict[str, Any]]:
    """The rows of a raw table of a tool, `data` and `input` as values."""
    csv.field_size_limit(1 << 30)
    file = SHARED / "samples" / tool / f"devlake_raw_{table}.csv"
    with file.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return [
        {
            **row,
            "data": json.loads(row["data"]),
            "input": json.loads(row["input"] or "null") if "input" in row else None,
        }
        for row in rows
    ]


def objects(tool: str, table: str) -> list[Any]:
    """The API's objects in a raw table."""
    return [row["data"] for row in raw_rows(tool, table)]


def page(file: Path, value: Any) -> Path:
    """What the API answers, written into a file."""
    file.write_text(json.dumps(value), encoding="utf-8")
    return file

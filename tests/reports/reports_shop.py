"""A log of a few rows, each as its test wants it."""

from __future__ import annotations

import csv
from pathlib import Path

SHOP = """
name = "Northlight"
time_zone = "UTC"

[[sources]]
name = "shop"
tool = "shop"
mapping = "shop"
covers = "day"
time_zone = "UTC"

[mappings.shop]
tool = "shop"
requires = ["run", "job", "order_id"]
payload = ["client", "order_id"]
time_format = "%Y-%m-%d %H:%M:%S"
time_zone = "UTC"

[mappings.shop.fields]
native_id = "run"
automation = "job"
status_raw = "state"
started_at = "began"
ended_at = "ended"
error_message = "error"
retry_of = "again"

[mappings.shop.status]
good = "succeeded"
half = "partial"
bad = "failed"
stopped = "cancelled"

"""
_COLUMNS = ("run", "job", "client", "order_id", "state", "began", "ended", "error", "again")
_USUAL = {"run": "1", "job": "acme intake", "client": "acme", "order_id": "ACME-1001", "state": "good",
          "began": "2026-11-18 08:00:00", "ended": "2026-11-18 08:01:00", "error": "", "again": ""}  # fmt: skip


def shop_log(folder: Path, *rows: dict[str, str]) -> list[Path]:
    """A log file with these rows, or one usual row; what a row leaves out is as usual."""
    path = folder / "shop.csv"
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, _COLUMNS)
        writer.writeheader()
        writer.writerows(_USUAL | row for row in rows or ({},))
    return [path]

"""ledgerline, an accounting tool with nothing but a CSV: a file a day, German, read through a mapping."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from aftershock.simulate.rhythm import BERLIN, midnight
from aftershock.simulate.world import Run
from aftershock.simulate.writers.files import write_text

HEADER: Final = (
    "Belegnr",
    "Mandant",
    "Vorgang",
    "Bestellnummer",
    "Eingang",
    "Gebucht am",
    "Status",
    "Betrag",
    "Meldung",
)
_WORD: Final = {
    "succeeded": "gebucht", "failed": "abgelehnt", "cancelled": "storniert", "waiting": "in Prüfung",
    "running": "in Bearbeitung", "queued": "in Bearbeitung",
}  # fmt: skip
_DOUBLED_DAY: Final = 12
"""The export of this day, counted back from the last, gives its third line twice."""


def write(folder: Path, runs: Sequence[Run], days: Sequence[date]) -> None:
    """A file for each of the days, made an hour after its end; the last one is made at once."""
    for day in days:
        start, end = midnight(day), midnight(day + timedelta(days=1))
        moment = end if day == days[-1] else end + timedelta(hours=1)
        there = [run for run in runs if run.automation.tool == "ledgerline" and start <= run.queued_at < end]
        rows = [_row(run, moment) for run in there]
        if day == days[-1] - timedelta(days=_DOUBLED_DAY) and len(rows) > 2:
            rows.insert(3, rows[2])
        text = io.StringIO()
        writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
        writer.writerow(HEADER)
        writer.writerows(rows)
        write_text(folder / f"buchungen_{day}.csv", text.getvalue())


def _row(run: Run, moment: datetime) -> tuple[str, ...]:
    status = run.status_at(moment) or "queued"
    order = run.order
    over = status in ("succeeded", "failed", "cancelled")
    message = run.steps[-1].error.message if over and run.steps and run.steps[-1].error else ""
    return (
        run.native_id,
        (run.client or "").upper(),
        run.automation.name,
        order.number if order else "",
        _german(run.started_at or run.queued_at),
        _german(run.ended_at) if over else "",
        _WORD[status],
        f"{order.amount:.2f}".replace(".", ",") if order else "",
        message,
    )


def _german(at: datetime | None) -> str:
    return f"{at.astimezone(BERLIN):%d.%m.%Y %H:%M:%S}" if at else ""

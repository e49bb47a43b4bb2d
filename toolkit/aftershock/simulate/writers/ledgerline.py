"""ledgerline, an accounting tool with nothing but a CSV: German, read through a mapping."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from aftershock.simulate.rhythm import BERLIN
from aftershock.simulate.world import Run
from aftershock.simulate.writers.files import Week, write_bytes

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
_DOUBLED_LINE: Final = 11
"""Each export gives this line twice: ledgerline does that now and then."""


def write(folder: Path, runs: Sequence[Run], week: Week, withheld: Collection[date]) -> None:
    """What was booked in a week, without the days `withheld`. The last export is made at once, the others an hour later."""
    last = not any(run.queued_at >= week.end for run in runs)
    moment = week.end if last else week.end + timedelta(hours=1)
    there = [run for run in runs if run.automation.tool == "ledgerline" and week.start <= run.queued_at < week.end]
    rows = [_row(run, moment) for run in there if run.queued_at.astimezone(BERLIN).date() not in withheld]
    rows[_DOUBLED_LINE:_DOUBLED_LINE] = rows[_DOUBLED_LINE - 1 : _DOUBLED_LINE]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(HEADER)
    writer.writerows(rows)
    write_bytes(folder / f"{week.label}.buchungen.csv", text.getvalue().encode())


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

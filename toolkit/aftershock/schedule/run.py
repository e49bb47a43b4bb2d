"""Rendering what is due, and what came of it. One failing report does not stop the others.

What came of all pages is written down in one go after the last of them: each write publishes a copy of the whole ledger. A
process that is killed before has its pages rendered again.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

from filelock import FileLock, Timeout

from aftershock.errors import AftershockError, LedgerBusyError
from aftershock.ledger.reader import Ledger
from aftershock.ledger.store import Store
from aftershock.metrics.periods import Period
from aftershock.project import Project, Report
from aftershock.reports import render as renderer
from aftershock.reports.index import write_index
from aftershock.reports.views.scope import newest_period
from aftershock.schedule.plan import FAILED, SUCCEEDED, Planned, ReportRun, plan

MOST_AT_ONCE: Final = 4
"""So many pages are rendered at a time, where there are as many cores: each has a kernel of its own."""
_RECORD_TRIES: Final = 30
"""How often what came of the pages waits another minute for the ledger to be written down in: ingestion may hold it for long."""

_Row: TypeAlias = Mapping[str, object]


class ScheduleBusyError(AftershockError, TimeoutError):
    """Another process is rendering what is due."""

    def __init__(self, project: Project) -> None:
        super().__init__(f"{project.folder}: another schedule run is at work. Nothing was rendered twice.")


@dataclass(frozen=True)
class Outcome:
    """What came of one rendering. `period` and `path`: which page it became; `error`: why there is none, for the operator.

    `unrecorded`: why `report_runs` does not know of it. The schedule will ask for that page again.
    """

    report: str
    client: str | None
    period: str | None
    path: Path | None
    error: str | None
    seconds: float
    unrecorded: str | None = None


def planned(project: Project, now: datetime) -> list[Planned]:
    """Where every scheduled report stands at `now`. Raises `NoSnapshotError` for an empty ledger."""
    return plan(project.reports, project.clients, report_runs(project), now, project_zone=project.time_zone)


def run_due(project: Project, now: datetime, *, on_outcome: Callable[[Outcome], None] | None = None) -> list[Outcome]:
    """Render everything that is due at `now`. What came of it stands in `report_runs`.

    Raises: `ScheduleBusyError` while another process does the same; `NoSnapshotError` for an empty ledger.
    """
    project.ledger_folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(project.ledger_folder / "schedule.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ScheduleBusyError(project) from None
    try:
        items = [each.due for each in planned(project, now) if each.state == "due"]
        pages = [(project.report(item.report), item.client, item.period_name) for item in items]
        return render_all(project, pages, now, on_outcome=on_outcome)
    finally:
        lock.release()


def render_all(
    project: Project,
    pages: Sequence[tuple[Report, str | None, str | None]],
    now: datetime,
    *,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Render pages, each given as report, client and name of the period, some at a time: most of the work is in the kernels.

    Without a period: the newest whole one that the logs cover. `on_outcome` is called for each page in the order of `pages` as
    soon as it is there. The outcomes come in that order too, once they stand in `report_runs`; one that cannot be written down
    tells so.
    """
    outcomes, rows = [], []
    with ThreadPoolExecutor(max_workers=min(MOST_AT_ONCE, os.cpu_count() or 1)) as pool:
        for outcome, row in pool.map(
            lambda page: _render_one(project, page[0], client=page[1], period=page[2], now=now), pages
        ):
            outcomes.append(outcome)
            rows += [row] if row else []
            if on_outcome:
                on_outcome(outcome)
    unrecorded = _record(project, rows)
    if any(outcome.path for outcome in outcomes):  # once all are there: two at once may have missed each other
        write_index(project.reports_folder, brand=project.name)
    return [replace(outcome, unrecorded=unrecorded) for outcome in outcomes] if unrecorded else outcomes


def _render_one(
    project: Project, report: Report, *, client: str | None, period: str | None, now: datetime
) -> tuple[Outcome, _Row | None]:
    """Render one page; also the row of `report_runs` that tells of it, where it came as far as to know its period.

    Never raises for a report that fails: the outcome tells.
    """
    began = time.monotonic()
    span: Period | None = None
    path: Path | None = None
    snapshot: int | None = None
    error: str | None = None
    try:
        span = Period.parse(period, project.zone_of(client)) if period else _newest(project, report, client)
        page = renderer.render(project, report, client=client, period=span, now=now)
        path, snapshot = page.path, page.snapshot
    except Exception as failure:  # whatever broke this report, the others still have their turn
        error = _told(failure)
    row: _Row | None = None
    if span:
        row = {"report_run_id": uuid.uuid4().hex, "report": report.name, "client": client, "period_start": span.start,
               "period_end": span.end, "snapshot": snapshot, "status": FAILED if error else SUCCEEDED, "started_at": now,
               "ended_at": datetime.now(UTC), "path": _within(project, path) if path else None, "error": error}  # fmt: skip
    return Outcome(report.name, client, span.name if span else period, path, error, time.monotonic() - began), row


def report_runs(project: Project) -> list[ReportRun]:
    """The past renderings that the newest snapshot knows. Raises `NoSnapshotError` for an empty ledger."""
    with Ledger(project) as ledger:
        rows = ledger.sql(
            "select report, client, period_start, period_end, status, started_at from report_runs"
        ).fetchall()
    return [ReportRun(*row) for row in rows]


def _newest(project: Project, report: Report, client: str | None) -> Period:
    with Ledger(project) as ledger:
        return newest_period(ledger, client, report.period)


def _within(project: Project, path: Path) -> str:
    """As seen from the project folder, which may be moved."""
    return path.relative_to(project.folder).as_posix() if path.is_relative_to(project.folder) else str(path)


def _record(project: Project, rows: Sequence[_Row]) -> str | None:
    """Write down what came of the pages, in one write. Never raises: why it could not be done, else None."""
    for tries_left in reversed(range(_RECORD_TRIES)):
        try:
            Store(project.ledger_folder).record_report_runs(rows)
        except LedgerBusyError as busy:
            if not tries_left:
                return _told(busy)
        except Exception as failure:  # whatever it was, the pages are there and the outcomes must say so
            return _told(failure)
        else:
            return None
    return None


def _told(failure: Exception) -> str:
    return str(failure) if isinstance(failure, AftershockError) else f"{type(failure).__name__}: {failure}"

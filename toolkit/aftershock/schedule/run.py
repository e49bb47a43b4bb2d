"""Rendering what is due, and what came of it. One failing report does not stop the others."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from aftershock.errors import AftershockError, LedgerBusyError
from aftershock.ledger.reader import Ledger
from aftershock.ledger.store import Store
from aftershock.project import Project, Report
from aftershock.reports import render as renderer
from aftershock.reports.index import write_index
from aftershock.schedule.plan import FAILED, Due, Planned, ReportRun, plan

MOST_AT_ONCE: Final = 4
"""So many pages are rendered at a time, where there are as many cores: each has a kernel of its own."""
_RECORD_TRIES: Final = 30
"""How often a failure waits another minute for the ledger to be written down in: ingestion may hold it for long."""


class ScheduleBusyError(AftershockError, TimeoutError):
    """Another process is rendering what is due."""

    def __init__(self, project: Project) -> None:
        super().__init__(f"{project.folder}: another schedule run is at work. Nothing was rendered twice.")


@dataclass(frozen=True)
class Outcome:
    """What came of one rendering. `period` and `path`: which page it became; `error`: why there is none, for the operator."""

    report: str
    client: str | None
    period: str | None
    path: Path | None
    error: str | None
    seconds: float


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
        outcomes = render_all(project, pages, now, on_outcome=on_outcome)
        for item, outcome in zip(items, outcomes, strict=True):
            if outcome.error and not _is_recorded(project, item, now):
                _record(project, item, now, outcome.error)
        return outcomes
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

    `on_outcome` is called for each in the order of `pages`. The outcomes come in that order too.
    """
    outcomes = []
    with ThreadPoolExecutor(max_workers=min(MOST_AT_ONCE, os.cpu_count() or 1)) as pool:
        for outcome in pool.map(
            lambda page: render_one(project, page[0], client=page[1], period=page[2], now=now), pages
        ):
            outcomes.append(outcome)
            if on_outcome:
                on_outcome(outcome)
    if any(outcome.path for outcome in outcomes):
        write_index(
            project.reports_folder, brand=project.name
        )  # once all are there: two at once may have missed each other
    return outcomes


def render_one(project: Project, report: Report, *, client: str | None, period: str | None, now: datetime) -> Outcome:
    """Render one page; without `period`, for the newest whole one that the logs cover.

    Never raises for a report that fails: the outcome tells.
    """
    began = time.monotonic()
    try:
        page = renderer.render(project, report, client=client, period=period, now=now)
    except Exception as failure:  # whatever broke this report, the others still have their turn
        told = str(failure) if isinstance(failure, AftershockError) else f"{type(failure).__name__}: {failure}"
        return Outcome(report.name, client, period, None, told, time.monotonic() - began)
    return Outcome(report.name, client, page.period.name, page.path, None, time.monotonic() - began)


def report_runs(project: Project) -> list[ReportRun]:
    """The past renderings that the newest snapshot knows. Raises `NoSnapshotError` for an empty ledger."""
    with Ledger(project) as ledger:
        rows = ledger.sql(
            "select report, client, period_start, period_end, status, started_at from report_runs"
        ).fetchall()
    return [ReportRun(*row) for row in rows]


def _is_recorded(project: Project, item: Due, now: datetime) -> bool:
    """`render` writes down what it foresees. What broke it otherwise must be known all the same, or it is tried for ever."""
    wanted = (item.report, item.client, item.period_start, now)
    return any((run.report, run.client, run.period_start, run.started_at) == wanted for run in report_runs(project))


def _record(project: Project, item: Due, now: datetime, error: str) -> None:
    row = {
        "report_run_id": uuid.uuid4().hex,
        "report": item.report,
        "client": item.client,
        "period_start": item.period_start,
        "period_end": item.period_end,
        "status": FAILED,
        "started_at": now,
        "ended_at": datetime.now(UTC),
        "error": error,
    }
    for tries_left in reversed(range(_RECORD_TRIES)):
        try:
            Store(project.ledger_folder).record_report_run(row)
            return
        except LedgerBusyError:
            if not tries_left:
                raise

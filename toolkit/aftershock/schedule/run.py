"""Rendering what is due, and writing down what came of it. One failing report does not stop the others."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from filelock import FileLock, Timeout

from aftershock.errors import AftershockError, LedgerBusyError
from aftershock.ledger.reader import Ledger
from aftershock.ledger.store import Store
from aftershock.metrics.periods import Period, name_of, newest_whole
from aftershock.project import Project, Report
from aftershock.schedule.plan import FAILED, SUCCEEDED, Due, Planned, ReportRun, plan

_RECORD_TRIES: Final = 30
"""How often a finished page waits another minute for the ledger to be written down in: ingestion may hold it for long."""


class ScheduleBusyError(AftershockError, TimeoutError):
    """Another process is rendering what is due."""

    def __init__(self, project: Project) -> None:
        super().__init__(f"{project.folder}: another schedule run is at work. Nothing was rendered twice.")


@dataclass(frozen=True)
class Outcome:
    """What came of one rendering. `path`: the page, None where it failed; `error`: why, for the operator's eyes."""

    report: str
    client: str | None
    period: Period
    path: Path | None
    error: str | None
    seconds: float


def planned(project: Project, now: datetime) -> list[Planned]:
    """Where every scheduled report stands at `now`."""
    return plan(project.reports, project.clients, report_runs(project), now, project_zone=project.time_zone)


def run_due(project: Project, now: datetime, *, on_outcome: Callable[[Outcome], None] | None = None) -> list[Outcome]:
    """Render everything that is due at `now`, each recorded in `report_runs` as soon as it is done.

    Raises: `ScheduleBusyError` while another process does the same; `NoSnapshotError` for an empty ledger.
    """
    project.ledger_folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(project.ledger_folder / "schedule.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ScheduleBusyError(project) from None
    try:
        outcomes = []
        for item in (each.due for each in planned(project, now) if each.state == "due"):
            outcome = render_due(project, item, now)
            outcomes.append(outcome)
            if on_outcome:
                on_outcome(outcome)
        return outcomes
    finally:
        lock.release()


def render_due(project: Project, item: Due, now: datetime) -> Outcome:
    """Render one report that is due."""
    period = Period.parse(item.period_name, project.zone_of(item.client))
    return render_and_record(project, project.report(item.report), client=item.client, period=period, now=now)


def render_and_record(
    project: Project, report: Report, *, client: str | None, period: Period, now: datetime
) -> Outcome:
    """Render a report and add its row to `report_runs`. Never raises for a report that fails: the outcome tells."""
    from aftershock.reports.render import render

    began = time.monotonic()
    page: Path | None = None
    error: str | None = None
    snapshot: int | None = None
    try:
        rendered = render(project, report, client=client, period=period, now=now)
        page, snapshot = rendered.path, rendered.snapshot
    except Exception as failure:  # whatever broke this report, the others still have their turn
        error = str(failure) if isinstance(failure, AftershockError) else f"{type(failure).__name__}: {failure}"
    seconds = time.monotonic() - began
    _record(
        project,
        {
            "report_run_id": uuid.uuid4().hex,
            "report": report.name,
            "client": client,
            "period_start": period.start,
            "period_end": period.end,
            "snapshot": snapshot,
            "status": FAILED if error else SUCCEEDED,
            "started_at": now,
            "ended_at": now + timedelta(seconds=seconds),
            "path": str(page.relative_to(project.folder))
            if page and page.is_relative_to(project.folder)
            else page and str(page),
            "error": error,
        },
    )
    return Outcome(report.name, client, period, page, error, seconds)


def newest_covered(project: Project, kind: str, time_zone: str, now: datetime) -> Period:
    """The newest whole day, week or month of which the ledger knows anything; where there is none, the one that is going on.

    Raises: `NoSnapshotError` for an empty ledger.
    """
    with Ledger(project) as ledger:
        first, last = ledger.sql(_KNOWN_SPAN).fetchall()[0]
    whole = newest_whole(now, kind, time_zone)
    if last is None:
        return whole
    of_last = Period.parse(name_of(kind, last.astimezone(ZoneInfo(time_zone)).date()), time_zone)
    return of_last if of_last.end <= whole.end or first >= whole.end else whole


def report_runs(project: Project) -> list[ReportRun]:
    """The past renderings that the newest snapshot knows. Raises `NoSnapshotError` for an empty ledger."""
    with Ledger(project) as ledger:
        rows = ledger.sql(
            "select report, client, period_start, period_end, status, started_at, ended_at from report_runs"
        ).fetchall()
    return [
        ReportRun(report, client, start.astimezone(UTC), end.astimezone(UTC), status, started_at, ended_at)
        for report, client, start, end, status, started_at, ended_at in rows
    ]


def _record(project: Project, row: dict[str, object]) -> None:
    for tries_left in reversed(range(_RECORD_TRIES)):
        try:
            Store(project.ledger_folder).record_report_run(row)
            return
        except LedgerBusyError:
            if not tries_left:
                raise


# A stretch that vouches for being complete counts to its end, runs or no runs; any other log only shows the runs it holds.
_KNOWN_SPAN: Final = """
select min(moment), max(moment) from (
    select unnest([covers_from, covers_to - interval 1 microsecond]) as moment from coverage where completeness = 'complete'
    union all
    select coalesce(started_at, queued_at, ended_at) from runs
)
"""

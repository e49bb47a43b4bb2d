"""What is due at a given moment: a pure function of the configured reports, what was rendered before, and `now`.

A report's newest slot is the last time at or before `now` that its cron line names. The slot stands for one period: the
newest day, week or month that was over by then, in the client's own time zone. From this everything follows:

- A machine that slept a fortnight catches up once: only the newest slot counts, and the older ones are gone.
- A period is never rendered twice: a successful rendering of it, made after it was over, settles it.
- A failed rendering is tried again after each of `RETRY_AFTER`, then left to a person.
- A clock that goes back finds periods that are settled already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from cronsim import CronSim

from aftershock.metrics.periods import Period, newest_whole
from aftershock.project import Client, Report

RETRY_AFTER: Final = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4))
"""How long after a failed rendering the next one is tried: three retries, each further away."""

SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"

# Wall-clock time can run backwards by the width of a DST change. Starting this far ahead, the walk back to `now` misses no slot.
_MARGIN: Final = timedelta(hours=3)


@dataclass(frozen=True)
class ReportRun:
    """One past rendering: the columns of `report_runs` that decide what is due."""

    report: str
    client: str | None
    period_start: datetime
    period_end: datetime
    status: str
    started_at: datetime


@dataclass(frozen=True)
class Due:
    """A report to be rendered now: for whom, for which period, and the slot that asks for it."""

    report: str
    client: str | None
    period_start: datetime
    period_end: datetime
    period_name: str
    slot: datetime


@dataclass(frozen=True)
class Planned:
    """Where one report of one client stands at `now`.

    `state`: `due`; `done` (the newest slot's period is rendered); `waiting` (it failed, the next try is at `next_at`); `gave up`
    (it failed as often as it is tried). `next_at`: when it is due next, which for `due` is the slot that asks for it.
    """

    due: Due
    state: Literal["due", "done", "waiting", "gave up"]
    failures: int
    next_at: datetime


def due(
    definitions: Sequence[Report],
    clients: Sequence[Client],
    report_runs: Iterable[ReportRun],
    now: datetime,
    *,
    project_zone: str,
) -> list[Due]:
    """What is to be rendered at `now`, in the order of `definitions`, then of `clients`. Reports without cron never are."""
    planned = plan(definitions, clients, report_runs, now, project_zone=project_zone)
    return [each.due for each in planned if each.state == "due"]


def plan(
    definitions: Sequence[Report],
    clients: Sequence[Client],
    report_runs: Iterable[ReportRun],
    now: datetime,
    *,
    project_zone: str,
) -> list[Planned]:
    """Where every scheduled report stands at `now`: a row per report and client (one row for a fleet report).

    Raises: `ValueError` for a `now` without a time zone.
    """
    if now.tzinfo is None:
        raise ValueError(f"now has no time zone: {now!r}")
    history = list(report_runs)
    return [
        _standing(report, client, history, now.astimezone(UTC), project_zone)
        for report in definitions
        if report.cron
        for client in addressees(report, clients)
    ]


def addressees(report: Report, clients: Sequence[Client]) -> tuple[Client | None, ...]:
    """Whom the pages of a report are for, a page each: every client; or None alone, which stands for the whole fleet."""
    return (None,) if report.audience == "fleet" else tuple(clients)


def newest_slot(cron: str, now: datetime, time_zone: str) -> datetime:
    """The last time at or before `now` that the cron line names, in UTC. DST as Debian's cron has it.

    A time that the clocks skip in spring falls on the first minute after the gap; one that they show twice in autumn counts
    once, the first time. Raises: `cronsim.CronSimError` for a line that is no cron line.
    """
    back = CronSim(cron, (now + _MARGIN).astimezone(ZoneInfo(time_zone)), reverse=True)
    return next(slot for slot in (each.astimezone(UTC) for each in back) if slot <= now)


def next_slot(cron: str, now: datetime, time_zone: str) -> datetime:
    """The first time after `now` that the cron line names, in UTC."""
    forward = CronSim(cron, (now - _MARGIN).astimezone(ZoneInfo(time_zone)))
    return next(slot for slot in (each.astimezone(UTC) for each in forward) if slot > now)


def _standing(
    report: Report, client: Client | None, history: list[ReportRun], now: datetime, project_zone: str
) -> Planned:
    client_zone = (client.time_zone if client else None) or project_zone
    cron_zone = report.time_zone or client_zone
    cron = str(report.cron)
    slot = newest_slot(cron, now, cron_zone)
    period = newest_whole(slot, report.period, client_zone)
    item = Due(report.name, client.id if client else None, period.start, period.end, period.name, slot)
    runs = [run for run in history if _is_of(run, item, period)]
    if any(_settles(run) for run in runs):
        return Planned(item, "done", 0, next_slot(cron, now, cron_zone))
    failures = [run for run in runs if run.status == FAILED]
    if not failures:
        return Planned(item, "due", 0, slot)
    if len(failures) > len(RETRY_AFTER):
        return Planned(item, "gave up", len(failures), next_slot(cron, now, cron_zone))
    # A failure that lies in the future was written by a clock that has been put back since: nothing to wait for.
    past = [run.started_at for run in failures if run.started_at <= now]
    next_at = max(past) + RETRY_AFTER[len(failures) - 1] if past else slot
    return Planned(item, "due" if next_at <= now else "waiting", len(failures), next_at)


def _is_of(run: ReportRun, item: Due, period: Period) -> bool:
    return (run.report, run.client, run.period_start, run.period_end) == (
        item.report,
        item.client,
        period.start,
        period.end,
    )


def _settles(run: ReportRun) -> bool:
    """A page made while its period was still going on shows only a part of it: the schedule renders it again."""
    return run.status == SUCCEEDED and run.started_at >= run.period_end

"""What a report looks at: one snapshot, one client or the whole fleet, one period."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import ibis

import aftershock
from aftershock.errors import NoSnapshotError
from aftershock.expectations import Reconciliation, reconcile
from aftershock.ledger.reader import Ledger
from aftershock.metrics import Coverage, Period, coverage, newest_whole
from aftershock.metrics.log_coverage import COVERING
from aftershock.metrics.periods import name_of

if TYPE_CHECKING:
    import ibis.expr.types as ir

_SAID = ("error_type", "error_message", "fingerprint")


class Scope:
    """The rows of one client (or of all), and how much of a period the logs of its sources cover.

    `runs`, `touches` and `notices` hold that client's rows alone. `handling` adds runs that several clients share, which only
    matter for what became of this client's records.
    """

    def __init__(self, ledger: Ledger, client: str | None, period: Period) -> None:
        self.ledger, self.project, self.period = ledger, ledger.project, period
        self.client = self.project.client(client) if client else None

    @property
    def client_id(self) -> str | None:
        """The client's id; None for the fleet."""
        return self.client.id if self.client else None

    @property
    def who(self) -> str:
        """Whose page this is."""
        return self.client.name if self.client else "All clients"

    @cached_property
    def runs(self) -> ir.Table:
        """The client's runs."""
        return _of(self.ledger.runs, self.client_id)

    @cached_property
    def handling(self) -> ir.Table:
        """The client's runs and the shared ones. Of these a client learns what ran and how it ended, but not what its log said."""
        runs = self.ledger.runs
        if not self.client_id:
            return runs
        mine = (runs.client == self.client_id).fill_null(False)
        runs = runs.filter(mine | runs.shared.fill_null(False))
        return runs.mutate(**{field: mine.ifelse(runs[field], ibis.null(runs[field].type())) for field in _SAID})

    @cached_property
    def touches(self) -> ir.Table:
        """Touches of the client's records."""
        return _of(self.ledger.touches, self.client_id)

    @cached_property
    def notices(self) -> ir.Table:
        """Notices about the client's runs."""
        return _of(self.ledger.notices, self.client_id)

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The sources that the client's runs come from; for the fleet also those that are configured and gave nothing yet."""
        return sources_of(self.ledger, self.client_id)

    @cached_property
    def coverage(self) -> Coverage:
        """How much of the period the logs of these sources cover."""
        return coverage(self.ledger.coverage, self.period, sources=self.sources)

    @cached_property
    def as_of(self) -> datetime | None:
        """Up to when the logs of these sources tell; None where there is none."""
        return known_until(self.ledger, self.sources)

    def records(self, period: Period | None = None) -> Reconciliation:
        """What became of the records that entered in the report's period, or in the one before it."""
        period = period or self.period
        found = self._both_periods
        return replace(found, period=period, table=found.table.filter(period.holds(found.table.activated_at)))

    @cached_property
    def _both_periods(self) -> Reconciliation:
        """Of the period and the one before. Many parts of a page ask about these rows: they are worked out and fetched once."""
        before, zone = self.period.previous(), self.period.time_zone
        found = reconcile(
            self.handling,
            self.touches,
            self.ledger.coverage,
            [item for item in self.project.expectations if item.client in (None, self.client_id) or not self.client_id],
            as_of=self.as_of or self.ledger.published_at,
            period=Period.parse(f"{before.first}..{self.period.last}", zone),
            client=self.client_id,
        )
        return replace(found, table=ibis.memtable(found.table.to_pyarrow()))

    def stretch(self, days: int) -> Period:
        """That many days up to the period's last one."""
        last = self.period.last
        return Period.parse(f"{last - timedelta(days=days - 1)}..{last}", self.period.time_zone)


def open_scope(
    project: str | Path = ".", *, client: str = "", period: str = "", snapshot: int = 0, kind: str = "week"
) -> Scope:
    """Open a project's ledger for a report. Empty `period`: the newest whole one with coverage; `snapshot` 0: the newest.

    Raises: what `aftershock.open` raises; `UnknownNameError` for a client; `PeriodError`.
    """
    ledger = aftershock.open(project, snapshot=snapshot or None)
    who = client or None
    zone = ledger.project.zone_of(who)
    return Scope(ledger, who, Period.parse(period, zone) if period else newest_period(ledger, who, kind))


def newest_period(ledger: Ledger, client: str | None, kind: str) -> Period:
    """The newest whole day, week or month of which the logs of the client's sources cover anything, in the client's time zone.

    Where the logs begin later than any whole one ended: the one that is going on. A client without runs has the fleet's sources.
    Raises: `NoSnapshotError` where no log covers anything.
    """
    zone = ledger.project.zone_of(client)
    sources = sources_of(ledger, client) or sources_of(ledger, None)
    until = known_until(ledger, sources)
    if until is None:
        raise NoSnapshotError(ledger.project.ledger_folder, None, [])
    whole = newest_whole(until, kind, zone)
    claims = ledger.coverage
    claims = claims.filter(
        claims.source.isin(list(sources)), claims.completeness.isin(COVERING), claims.covers_from < whole.end
    )
    latest = claims.covers_to.max().execute()
    if latest is None or latest != latest:
        return _holding(until, kind, zone)
    newest = _python(latest)
    return whole if newest > whole.start else _holding(newest, kind, zone)


def _holding(moment: datetime, kind: str, zone: str) -> Period:
    """The day, week or month that a log up to `moment` speaks of."""
    last = (moment - timedelta(microseconds=1)).astimezone(ZoneInfo(zone))
    return Period.parse(name_of(kind, last.date()), zone)


def sources_of(ledger: Ledger, client: str | None) -> tuple[str, ...]:
    """The names of the sources that a client's runs come from; all sources for the fleet."""
    found = set(_of(ledger.runs, client).select("source").distinct().execute()["source"].dropna())
    if client is None:
        found |= {source.name for source in ledger.project.sources}
        found |= set(ledger.coverage.select("source").distinct().execute()["source"].dropna())
    return tuple(sorted(found))


def known_until(ledger: Ledger, sources: tuple[str, ...]) -> datetime | None:
    """The latest moment that a log of these sources covers."""
    claims = ledger.coverage.filter(ledger.coverage.source.isin(list(sources) or [""]))
    latest = claims.covers_to.max().execute()
    return None if latest is None or latest != latest else _python(latest)


def _of(table: ir.Table, client: str | None) -> ir.Table:
    return table.filter(table.client == client) if client else table


def _python(moment: Any) -> datetime:
    found: datetime = moment.to_pydatetime() if hasattr(moment, "to_pydatetime") else moment
    return found

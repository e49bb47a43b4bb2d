"""`incidents`: from the first failure after a good run to the next good run of the same automation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import pandas as pd

from aftershock.metrics.log_coverage import COVERING, merged_stretches
from aftershock.metrics.results import Told
from aftershock.metrics.units import Unit, check_groups, named
from aftershock.model import COUNTED, FAILURES

ABANDONED_AFTER: Final = 10.0
_BRIDGE_S: Final = 3600
_MICROSECONDS: Final = 1e6


@dataclass(frozen=True, repr=False)
class Incidents(Told):
    """What `incidents` gives. `table` is lazy, a row per incident; `counted` are the outcomes it is made from."""

    table: ir.Table
    by: tuple[str, ...]
    unit: Unit
    counted: ir.Table = field(repr=False)
    runs: ir.Table = field(repr=False)

    @cached_property
    def _totals(self) -> dict[str, int]:
        observed = self.table.observed
        row = self.table.aggregate(n=self.table.count(), open=observed.ifelse(0, 1).sum().fill_null(0)).execute()
        return {name: int(row[name].iloc[0]) for name in ("n", "open")}

    @property
    def n(self) -> int:
        """How many incidents there are, the open ones too."""
        return self._totals["n"]

    @property
    def open(self) -> int:
        """How many had not recovered when the watching ended."""
        return self._totals["open"]

    @cached_property
    def left_out(self) -> int:
        """Runs that neither begin nor end an incident: cancelled, skipped, unfinished, unknown, undated, late, of other roles."""
        used = self.counted.aggregate(n=self.counted.runs_in_it.sum().fill_null(0)).execute()["n"].iloc[0]
        return int(self.runs.count().execute()) - int(used)

    @property
    def interval(self) -> None:
        """None: a list of incidents is no estimate."""
        return

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched."""
        return self.table.execute()


def incidents(
    runs: ir.Table,
    *,
    until: datetime | None = None,
    by: Sequence[str] = ("automation",),
    unit: Unit = "run",
    coverage: ir.Table | None = None,
    abandoned_after: float | None = ABANDONED_AFTER,
    roles: Sequence[str] = ("work",),
) -> Incidents:
    """Incidents: each begins with the first failure of an automation after a good run and ends with its next good run.

    One row per incident: automation_id, the columns of `by` (of the first failing run), run_id, version, began_at, recovered_at
    (null while open), watched_until, duration_s (while open: so far), observed (False while open), failures (runs or roots that
    failed inside), start_seen (False where no good run was seen before: it may have begun earlier), outcome, outcome_s.

    A run counts at its end (else start, else queueing). Failed, timed out and crashed begin an incident; succeeded and partial end
    it; cancelled, skipped, unfinished and unknown ones do neither, nor do those of other `roles` or after `until`.
    `until`: the end of what the log covers; without it the newest time among the runs that count. `unit="root"` takes a run and
    its retries as one, which fails when its last attempt has failed.

    outcome: `recovered`; `superseded` where the good run is of another version than the first failing one; `abandoned` where it is
    open and the automation has not run for `abandoned_after` times its own mean gap (three runs or more; None: never); null while
    open. outcome_s is the time to that: for abandoned, when the wait was over; while open, so far.
    `coverage`: the ledger's coverage table. Where a source's log has a gap (over an hour) before the recovery, the incident is
    censored where the gap begins. Stretches about one automation only are not used.

    Raises: UnknownColumnError if `by` names no column; UnknownNameError for an unknown role; ValueError for an unknown unit, an
    `until` without a time zone, or an `abandoned_after` that is not above 0.
    Source: the project's definition; outcomes as in Putter, Fiocco, Geskus (2007) Stat Med 26:2389 (competing risks).
    """
    by, roles = named(by), named(roles)
    if abandoned_after is not None and not abandoned_after > 0:
        raise ValueError(f"abandoned_after: {abandoned_after!r}: write a number above 0, or None")
    counted = outcomes(runs, until=until, by=by, unit=unit, roles=roles)
    edges = turns(counted)
    edges = edges.mutate(watched_until=end_of(edges, until))
    rows = _censored_at_gaps(_paired(edges.filter(edges.turns)), coverage)
    table = _told(rows, key_of(runs), by, abandoned_after)
    return Incidents(table, tuple(by), unit, counted, runs)


def outcomes(
    runs: ir.Table, *, until: datetime | None, by: Sequence[str], unit: Unit, roles: Sequence[str]
) -> ir.Table:
    """A row per run (or root) that counts: key, run_id, version, happened_at, is_failed, runs_in_it, and by."""
    _check(runs, until, by, unit, roles)
    rows = runs.mutate(happened_at=ibis.coalesce(runs.ended_at, runs.started_at, runs.queued_at))
    rows = rows.filter(
        rows.role.fill_null("work").isin(list(roles)), rows.status.isin(COUNTED), rows.happened_at.notnull()
    )
    if until is not None:
        rows = rows.filter(rows.happened_at <= moment(until))
    failed = rows.status.isin(FAILURES)
    carried = {name: rows[name] for name in ("source", "version", *by)}
    columns = {"incident_key": rows[key_of(runs)], "run_id": rows.run_id, **carried, "happened_at": rows.happened_at}
    if unit == "run":
        return rows.select(**columns, is_failed=failed, runs_in_it=ibis.literal(1, type="int64"))
    # A root is good where its last attempt that counts was: only its good attempts can be the newest.
    columns["run_id"] = ibis.coalesce(rows.root_run_id, rows.run_id)
    rows = rows.select(**columns, good_at=failed.ifelse(ibis.null(rows.happened_at.type()), rows.happened_at))
    whole = rows.group_by(["incident_key", "run_id"]).aggregate(
        **{name: rows[name].max() for name in carried},
        happened_at=rows.happened_at.max(),
        good_at=rows.good_at.max(),
        runs_in_it=rows.count(),
    )
    return whole.mutate(is_failed=whole.good_at.isnull() | (whole.good_at < whole.happened_at)).drop("good_at")


def turns(counted: ir.Table) -> ir.Table:
    """Where something changes: first failures, first good ones after them, and each automation's first and last row.

    Adds place (from 0), first_at, begins, and turns (it belongs to the list of incidents). All else is dropped here, in one pass
    over the log: what follows works on the few rows that are left.
    """
    order = ibis.window(group_by=counted.incident_key, order_by=[counted.happened_at, counted.run_id])
    marked = counted.mutate(
        was_failed=counted.is_failed.lag(1).over(order),
        will_fail=counted.is_failed.lead(1).over(order),
        place=ibis.row_number().over(order).cast("int64"),
    )
    begins = marked.is_failed & ~marked.was_failed.fill_null(False)
    ends = ~marked.is_failed & marked.was_failed.fill_null(False)
    last = marked.will_fail.isnull()
    kept = marked.filter(begins | ends | last | marked.was_failed.isnull())
    # The first row of each automation is among them, so the first time need not be looked up for every row of the log.
    kept = kept.mutate(first_at=kept.happened_at.min().over(ibis.window(group_by=kept.incident_key)))
    begins = kept.is_failed & ~kept.was_failed.fill_null(False)
    ends = ~kept.is_failed & kept.was_failed.fill_null(False)
    return kept.mutate(begins=begins, turns=begins | ends | (kept.is_failed & kept.will_fail.isnull()))


def _paired(edges: ir.Table) -> ir.Table:
    """Each beginning with the row that follows it: the recovery, or the automation's last failure, or nothing."""
    order = ibis.window(group_by=edges.incident_key, order_by=edges.place)
    rows = edges.mutate(
        next_failed=edges.is_failed.lead(1).over(order),
        next_at=edges.happened_at.lead(1).over(order),
        next_place=edges.place.lead(1).over(order),
        next_version=edges.version.lead(1).over(order),
    )
    rows = rows.filter(rows.begins)
    is_recovered = ~rows.next_failed.fill_null(True)
    inside = rows.next_place - rows.place + is_recovered.ifelse(0, 1)
    return rows.mutate(
        recovered_at=is_recovered.ifelse(rows.next_at, ibis.null(rows.next_at.type())),
        failures=ibis.coalesce(inside, ibis.literal(1, type="int64")),
        last_at=ibis.coalesce(rows.next_at, rows.happened_at),
        gaps=ibis.coalesce(rows.next_place, rows.place),
    )


def _censored_at_gaps(rows: ir.Table, coverage: ir.Table | None) -> ir.Table:
    if coverage is None:
        return rows
    used = coverage.filter(coverage.completeness.isin(COVERING), coverage.automation.isnull())
    islands = merged_stretches(used, ["source"], _BRIDGE_S)
    islands = islands.select(log_of="source", log_from="covers_from", log_to="covers_to")
    inside = [
        rows.source == islands.log_of,
        rows.happened_at >= islands.log_from,
        rows.happened_at <= islands.log_to,
    ]
    met = rows.left_join(islands, inside)
    met = met.mutate(lost=(met.recovered_at > met.log_to).fill_null(False))
    open_now = met.lost | met.recovered_at.isnull()
    # `least` skips nulls on some engines and not on others: outside of every stretch nothing is cut.
    cut = (open_now & (met.log_to < met.watched_until)).fill_null(False)
    return met.mutate(
        recovered_at=met.lost.ifelse(ibis.null(met.recovered_at.type()), met.recovered_at),
        watched_until=cut.ifelse(met.log_to.cast(met.watched_until.type()), met.watched_until),
        last_at=met.lost.ifelse(met.happened_at, met.last_at),
        cut=cut,
    )


def _told(rows: ir.Table, key: str, by: Sequence[str], abandoned_after: float | None) -> ir.Table:
    observed = rows.recovered_at.notnull()
    open_s = seconds(rows.happened_at, rows.watched_until)
    duration = observed.ifelse(seconds(rows.happened_at, rows.recovered_at), open_s)
    changed = (rows.version != rows.next_version).fill_null(False)
    wait = stopped = None
    if abandoned_after is not None:
        wait, stopped = waited(rows, abandoned_after)
        if "cut" in rows.columns:  # where the log ends, nobody can say that an automation does not run
            stopped = stopped & ~rows.cut
    gone = ibis.literal(False) if stopped is None else ~observed & stopped
    until_gone = open_s if wait is None else seconds(rows.happened_at, rows.last_at) + wait
    outcome = ibis.cases(
        (observed & changed, "superseded"), (observed, "recovered"), (gone, "abandoned"), else_=ibis.null("string")
    )
    columns = {
        key: rows.incident_key,
        **{name: rows[name] for name in by},
        "run_id": rows.run_id,
        "version": rows.version,
        "began_at": rows.happened_at,
        "recovered_at": rows.recovered_at,
        "watched_until": rows.watched_until,
        "duration_s": duration,
        "observed": observed,
        "failures": rows.failures,
        "start_seen": rows.was_failed.notnull(),
        "outcome": outcome,
        "outcome_s": gone.ifelse(until_gone, duration),
    }
    return rows.select(**columns)


def waited(rows: ir.Table, abandoned_after: float) -> tuple[ir.FloatingValue, ir.BooleanValue]:
    """(how long one waits for a further run before giving up, whether that time is over); reads last_at, gaps, first_at."""
    gaps = rows.gaps.cast("float64")
    wait = seconds(rows.first_at, rows.last_at) / gaps.nullif(0.0) * abandoned_after
    return wait, ((rows.gaps >= 2) & (seconds(rows.last_at, rows.watched_until) > wait)).fill_null(False)


def end_of(edges: ir.Table, until: datetime | None) -> ir.TimestampValue:
    """Until when is watched: as told, else the newest outcome. Each automation's last row is among its `turns`."""
    return moment(until) if until is not None else edges.happened_at.max().over(ibis.window())


def key_of(runs: ir.Table) -> str:
    """What tells automations apart."""
    return "automation_id" if "automation_id" in runs.columns else "automation"


def moment(value: datetime) -> ir.TimestampScalar:
    """A moment as a literal."""
    return ibis.literal(value, type="timestamp('UTC')")


def seconds(start: Any, end: Any) -> ir.FloatingValue:
    """Seconds between two moments, to the microsecond."""
    return end.delta(start, unit="microsecond").cast("float64") / _MICROSECONDS


def _check(runs: ir.Table, until: datetime | None, by: Sequence[str], unit: str, roles: Sequence[str]) -> None:
    if unit not in ("run", "root"):
        raise ValueError(f"unit: {unit!r}: write 'run' or 'root'")
    if until is not None and until.tzinfo is None:
        raise ValueError(f"until: {until.isoformat()} has no time zone: give it a time zone")
    check_groups(runs, by, roles)

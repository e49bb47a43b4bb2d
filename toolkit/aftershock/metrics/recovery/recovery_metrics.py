"""`recovery_times` and `time_between_failures`: how long until it works again, and until it fails again. No bare means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
import pandas as pd

from aftershock.errors import UnknownColumnError
from aftershock.metrics.recovery.incident_tables import (
    ABANDONED_AFTER,
    Incidents,
    end_of,
    incidents,
    outcomes,
    seconds,
    turns,
    waited,
)
from aftershock.metrics.recovery.survival_tables import curves, summaries, told_curves
from aftershock.metrics.results import Interval, Told
from aftershock.metrics.units import Unit, named

_FLOOR_S = 1.0
TableTransform = Literal["log-log", "log", "plain"]


@dataclass(frozen=True, repr=False)
class Spells(Told):
    """Durations per group. `table` is lazy, a row per group; `curves` a row per group and distinct duration."""

    table: ir.Table
    curves: ir.Table = field(repr=False)
    by: tuple[str, ...]
    level: float
    transform: str

    @cached_property
    def _totals(self) -> dict[str, int]:
        row = self.table.aggregate(n=self.table.n.sum().fill_null(0), open=self.table.open.sum().fill_null(0)).execute()
        return {name: int(row[name].iloc[0]) for name in ("n", "open")}

    @property
    def n(self) -> int:
        """How many durations there are, those not over yet too."""
        return self._totals["n"]

    @property
    def open(self) -> int:
        """How many were not over when the watching ended."""
        return self._totals["open"]

    @property
    def interval(self) -> Interval | None:
        """The median with its interval where all is one group (`by=()`); else None: the table has one per group."""
        if self.by:
            return None
        row = self.table.execute().iloc[0]
        found = [
            None if pd.isna(row[name]) else float(row[name]) for name in ("median_s", "median_low_s", "median_high_s")
        ]
        return Interval(found[0], found[1], found[2], int(row["n"]), self.level, f"Kaplan-Meier, {self.transform}")

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched."""
        return self.table.execute()


@dataclass(frozen=True, repr=False)
class RecoveryTimes(Spells):
    """What `recovery_times` gives; `incidents` is what it was made from."""

    incidents: Incidents = field(repr=False)

    @property
    def left_out(self) -> int:
        """Runs that neither begin nor end an incident."""
        return self.incidents.left_out


@dataclass(frozen=True, repr=False)
class FailureTimes(Spells):
    """What `time_between_failures` gives; `spells` is what it was made from: a row per beginning."""

    spells: ir.Table = field(repr=False)
    counted: ir.Table = field(repr=False)
    runs: ir.Table = field(repr=False)

    @cached_property
    def left_out(self) -> int:
        """Runs that do not count: cancelled, skipped, unfinished, unknown, undated, late, of other roles."""
        used = self.counted.aggregate(n=self.counted.runs_in_it.sum().fill_null(0)).execute()["n"].iloc[0]
        return int(self.runs.count().execute()) - int(used)


def recovery_times(
    runs: ir.Table | Incidents,
    *,
    by: Sequence[str] = ("automation",),
    tau_s: float | None = None,
    transform: TableTransform = "log-log",
    level: float = 0.95,
    **options: Any,
) -> RecoveryTimes:
    """How long incidents last, per group, by Kaplan-Meier: an open one counts in n and as lasting longer than it has so far.

    Takes runs, with the options of `incidents` (until, unit, coverage, abandoned_after, roles), or the result of `incidents`. One row
    per group of `by` that had an incident: n, ended, open, median_s, p90_s, rmst_s (the mean, none counted for more than tau_s),
    tau_s (without `tau_s`: the group's longest), geometric_mean_s (none counted for under a second), each with _low_s and _high_s,
    and superseded, abandoned, start_unseen. Any good run ends an incident here, of whatever version: `ended` holds the superseded,
    `open` the abandoned. `by=()` gives one row.

    Null: a median or p90 the curve does not fall to ("not reached"), bounds the data do not give, a mean to a `tau_s` beyond what
    was seen. `transform` names the scale of the quantiles' intervals. `curves` holds each group's curve.

    Raises: what `incidents` raises; UnknownColumnError for a `by` that is no column of the incidents; ValueError for a level
    outside (0, 1), an unknown transform or a tau_s that is not above 0.
    Source: Kaplan and Meier (1958) JASA 53:457; equals R's survfit per group; restricted mean: Klein and Moeschberger (2003), 4.5.
    """
    by = named(by)
    found = runs if isinstance(runs, Incidents) else incidents(runs, by=by, **options)
    if isinstance(runs, Incidents) and options:
        raise ValueError(f"{', '.join(options)}: said already when the incidents were made")
    for name in by:
        if name not in found.table.columns:
            raise UnknownColumnError(name, found.table.columns)
    steps = curves(found.table, by, level, transform)
    table = _with_outcomes(summaries(steps, by, level, tau_s, _FLOOR_S), found.table, by)
    table = table.order_by(list(by)) if by else table
    return RecoveryTimes(table, told_curves(steps, by), tuple(by), level, transform, found)


def time_between_failures(
    runs: ir.Table,
    *,
    until: datetime | None = None,
    by: Sequence[str] = ("automation",),
    unit: Unit = "run",
    abandoned_after: float | None = ABANDONED_AFTER,
    roles: Sequence[str] = ("work",),
    tau_s: float | None = None,
    transform: TableTransform = "log-log",
    level: float = 0.95,
) -> FailureTimes:
    """How long from the beginning of one incident to the beginning of the next, per group, by Kaplan-Meier.

    One row per group, as `recovery_times` gives it without the outcomes. Failures inside an incident are no beginnings of their own.
    Each automation also gives the time from its first run to its first failure, and the time since its last: not over yet, so
    censored at `until`, or at its last run where it has not run for `abandoned_after` times its mean gap. One that never failed
    counts too: watched all the time, n = 1, open = 1. Times that follow each other in one automation are taken as alike: where
    they get longer or shorter (a trend test tells), this is a mixture.

    Options as for `incidents`. Raises: what `incidents` and `recovery_times` raise.
    Source: Kaplan and Meier (1958) JASA 53:457; gap times: Cook and Lawless (2007), chapter 4.
    """
    by, roles = named(by), named(roles)
    if abandoned_after is not None and not abandoned_after > 0:
        raise ValueError(f"abandoned_after: {abandoned_after!r}: write a number above 0, or None")
    counted = outcomes(runs, until=until, by=by, unit=unit, roles=roles)
    edges = turns(counted)
    edges = edges.mutate(watched_until=end_of(edges, until))
    every = ibis.window(group_by=edges.incident_key)
    rows = edges.mutate(last_at=edges.happened_at.max().over(every), gaps=edges.place.max().over(every))
    rows = rows.filter(rows.begins | (rows.place == 0))
    order = ibis.window(group_by=rows.incident_key, order_by=rows.place)
    rows = rows.mutate(next_at=rows.happened_at.lead(1).over(order))
    end = rows.watched_until
    if abandoned_after is not None:
        end = waited(rows, abandoned_after)[1].ifelse(rows.last_at.cast(end.type()), end)
    observed = rows.next_at.notnull()
    duration = observed.ifelse(seconds(rows.happened_at, rows.next_at), seconds(rows.happened_at, end))
    carried = {name: rows[name] for name in by}
    spells = rows.select(
        **carried, run_id=rows.run_id, began_at=rows.happened_at, duration_s=duration, observed=observed
    )
    steps = curves(spells, by, level, transform)
    table = summaries(steps, by, level, tau_s, _FLOOR_S)
    table = table.order_by(list(by)) if by else table
    return FailureTimes(table, told_curves(steps, by), tuple(by), level, transform, spells, counted, runs)


def _with_outcomes(table: ir.Table, found: ir.Table, by: Sequence[str]) -> ir.Table:
    tallies = {
        "superseded": (found.outcome == "superseded").ifelse(1, 0).sum().fill_null(0),
        "abandoned": (found.outcome == "abandoned").ifelse(1, 0).sum().fill_null(0),
        "start_unseen": found.start_seen.ifelse(0, 1).sum().fill_null(0),
    }
    if not by:
        return table.cross_join(found.aggregate(**tallies))
    counts = found.group_by(list(by)).aggregate(**tallies).rename({f"its_{name}": name for name in by})
    joined = table.left_join(counts, [table[name].identical_to(counts[f"its_{name}"]) for name in by])
    return joined.select(*table.columns, *tallies)

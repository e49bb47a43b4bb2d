"""`daily_counts`: runs and failures per automation and day, days without any included; `failure_control` charts them all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir

from aftershock.metrics.change.control_chart import D2, check_width
from aftershock.metrics.log_coverage import covered_days
from aftershock.metrics.periods import checked_period
from aftershock.metrics.proportions.shares import bucket
from aftershock.metrics.results import Interval, Told
from aftershock.metrics.units import Unit, check_groups, dated, named, roots
from aftershock.model import COUNTED, FAILURES, FINISHED

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.periods import Period

_COUNTS = ("n", "failures", "left_out", "unfinished")
_OTHERWISE_ENDED = tuple(word for word in FINISHED if word not in COUNTED)


@dataclass(frozen=True, repr=False)
class DailyCounts(Told):
    """What `daily_counts` gives. `table` is lazy, a row per group and day; the totals are read once, when first asked for."""

    table: ir.Table = field(repr=False, compare=False)
    by: tuple[str, ...]
    period: Period

    @cached_property
    def totals(self) -> Mapping[str, int]:
        """The sums of n, failures, left_out and unfinished over all rows."""
        row = self.table.aggregate(**{name: self.table[name].sum().fill_null(0) for name in _COUNTS}).execute()
        return {name: int(row[name].iloc[0]) for name in _COUNTS}

    @property
    def n(self) -> int:
        """Runs that ended and count."""
        return self.totals["n"]

    @property
    def left_out(self) -> int:
        """Runs that do not: cancelled, skipped, unfinished or unknown."""
        return self.totals["left_out"] + self.totals["unfinished"]

    @property
    def interval(self) -> Interval | None:
        """None: the result is a table of many."""
        return None

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched."""
        return self.table.execute()


@dataclass(frozen=True, repr=False)
class FailureControl(Told):
    """What `failure_control` gives. `table` is lazy: a row per group and day with runs; `groups`: a row per group."""

    table: ir.Table = field(repr=False, compare=False)
    groups: ir.Table = field(repr=False, compare=False)
    width: float

    @cached_property
    def totals(self) -> Mapping[str, int]:
        """How many group-days have limits (charted), how many signal, how many have no limits (uncharted)."""
        table = self.table
        row = table.aggregate(
            charted=table.upper.notnull().sum().fill_null(0),
            signals=table.signal.sum().fill_null(0),
            uncharted=table.upper.isnull().sum().fill_null(0),
        ).execute()
        return {name: int(row[name].iloc[0]) for name in ("charted", "signals", "uncharted")}

    @property
    def n(self) -> int:
        """Days with limits, over all groups."""
        return self.totals["charted"]

    @property
    def left_out(self) -> int:
        """Days without limits: of groups with one day, or in which nothing or everything failed."""
        return self.totals["uncharted"]

    @property
    def interval(self) -> Interval | None:
        """None: the result is a table of many."""
        return None

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched."""
        return self.table.execute()


def daily_counts(
    runs: ir.Table,
    period: Period,
    *,
    by: Sequence[str] = ("automation",),
    roles: Sequence[str] = ("work",),
    unit: Unit = "run",
    coverage: ir.Table | None = None,
    fill: bool = True,
) -> DailyCounts:
    """Runs and failures per group and local day of `period`: what charts and change points of many automations are made of.

    One row per group and day, also for days without runs (n = 0; `fill=False` leaves them out), of groups with a run in the period.
    Columns: `by`, day, n (ended, counting), failures, left_out (cancelled, skipped), unfinished (not ended, or unknown), and, where
    `coverage` (the ledger's table) is given, covered: which share of that day the group's source has logs for. n = 0 with covered
    1 is a day without runs; with covered 0 nothing is known of that day. Groups of several sources take their least covered one.

    `unit="root"` takes a run and its retries as one, as `failure_rate` does. Reads started_at, queued_at, ended_at, status, role,
    `by`, source with `coverage`, and run_id, root_run_id, attempt for roots.

    Raises: UnknownColumnError if `by` names no column; UnknownNameError for an unknown role; ValueError for an unknown unit, for
    coverage without fill.
    """
    by, roles = named(by), named(roles)
    check_groups(runs, by, roles)
    if coverage is not None and not fill:
        raise ValueError("coverage says what days without runs are: it needs fill=True")
    if unit not in ("run", "root"):
        raise ValueError(f"unit: {unit!r}: write 'run' or 'root'")
    units = in_period(runs if unit == "run" else roots(runs), period, roles)
    keys = [*by, "day"]
    units = units.mutate(day=bucket(units.moment, "day", period))
    rows = units.group_by(keys).aggregate(**tallies(units))
    if not fill:
        return DailyCounts(rows.order_by(keys), tuple(by), period)
    days = ibis.memtable({"day": [day.first for day in period.days()]}, schema={"day": "date"})
    cells = rows.select(*by).distinct().cross_join(days) if by else days
    table = _filled(cells, rows, keys, _COUNTS)
    if coverage is not None:
        table = _with_coverage(table, units, coverage, period, list(by))
    return DailyCounts(table.order_by(keys), tuple(by), period)


def failure_control(
    runs: ir.Table,
    period: Period,
    *,
    by: Sequence[str] = ("automation",),
    roles: Sequence[str] = ("work",),
    width: float = 3.0,
) -> FailureControl:
    """Laney's p′ chart of the daily failure share of many automations at once: which days stand out from an automation's others.

    `table`, one row per group and day with runs: `by`, day, n, failures, rate, centre, lower, upper, signal. `groups`, one row per
    group: n, failures, centre, sigma_z, days, signals. Limits as in `laney_p_chart`, with sigma_z not below 1: days that agree too
    well do not narrow them. No limits (null, no signal) for groups with one day, and where nothing or everything failed. A normal
    day crosses a limit by chance about once in 370 days: 5,000 automations over 90 days give some 1,200 such days, more where
    failures are few, since their distribution is skewed.

    Raises: what `daily_counts` raises; ValueError for a width that is not positive.
    Source: Laney (2002) Quality Engineering 14:531.
    """
    by, roles = named(by), named(roles)
    check_width(width)
    daily = daily_counts(runs, period, by=by, roles=roles, fill=False).table
    rows = daily.filter(daily.n > 0)
    group = ibis.window(group_by=list(by))
    in_order = ibis.window(group_by=list(by), order_by=["day"])
    size = rows.n.cast("float64")
    events = rows.failures.cast("float64")
    rows = rows.mutate(rate=events / size, centre=events.sum().over(group) / size.sum().over(group))
    spread = (rows.centre * (1 - rows.centre) / rows.n.cast("float64")).sqrt()
    rows = rows.mutate(z=(rows.rate - rows.centre) / spread.nullif(0.0), spread=spread)
    rows = rows.mutate(step=(rows.z - rows.z.lag(1).over(in_order)).abs())
    rows = rows.mutate(sigma_z=rows.step.mean().over(group) / D2)
    reach = ibis.greatest(rows.sigma_z, 1.0) * rows.spread * width
    # greatest skips nulls: where nothing is known of the spread there are no limits.
    reach = rows.sigma_z.isnull().ifelse(ibis.null("float64"), reach)
    rows = rows.mutate(lower=ibis.greatest(rows.centre - reach, 0.0), upper=ibis.least(rows.centre + reach, 1.0))
    none, charted = ibis.null("float64"), rows.sigma_z.notnull()
    rows = rows.mutate(lower=charted.ifelse(rows.lower, none), upper=charted.ifelse(rows.upper, none))
    beyond = charted & ((rows.rate > rows.upper) | (rows.rate < rows.lower))
    rows = rows.mutate(signal=beyond.fill_null(False))
    columns = ("day", "n", "failures", "rate", "centre", "lower", "upper", "signal")
    groups = rows.group_by(list(by)).aggregate(
        **{name: rows[name].sum() for name in ("n", "failures")},
        **{name: rows[name].max() for name in ("centre", "sigma_z")},
        days=rows.count(),
        signals=rows.signal.sum(),
    )
    groups = groups.select(*by, "n", "failures", "centre", "sigma_z", "days", "signals")
    return FailureControl(
        rows.select(*by, *columns).order_by([*by, "day"]), groups.order_by(list(by)) if by else groups, width
    )


def in_period(runs: ir.Table, period: Period, roles: Sequence[str]) -> ir.Table:
    """The runs of these roles that belong to `period`, with their `moment`."""
    checked_period(period)
    units = dated(runs)
    return units.filter(period.holds(units.moment) & units.role.isin(list(roles)))


def tallies(units: ir.Table) -> dict[str, ir.Value]:
    """n, failures, left_out and unfinished of each group."""
    placed = (*COUNTED, *_OTHERWISE_ENDED)
    return {
        "n": units.count(where=units.status.isin(COUNTED)),
        "failures": units.count(where=units.status.isin(FAILURES)),
        "left_out": units.count(where=units.status.isin(_OTHERWISE_ENDED)),
        "unfinished": units.count(where=~units.status.isin(placed)),
    }


def _filled(cells: ir.Table, rows: ir.Table, keys: Sequence[str], counts: Sequence[str]) -> ir.Table:
    """A row per cell, with 0 where there are no rows."""
    renamed = rows.rename({f"found_{key}": key for key in keys})
    joined = cells.left_join(renamed, [cells[key].identical_to(renamed[f"found_{key}"]) for key in keys])
    return joined.select(*keys, **{name: joined[name].fill_null(0) for name in counts})


def _with_coverage(table: ir.Table, units: ir.Table, coverage: ir.Table, period: Period, by: list[str]) -> ir.Table:
    shares: Any = covered_days(coverage, period)
    sources = units.select(*{name: units[name] for name in by}, of_source=units.source).distinct()
    shares = shares.rename(of_day="day")
    met = sources.cross_join(ibis.memtable({"at": [day.first for day in period.days()]}, schema={"at": "date"}))
    met = met.left_join(shares, [met.of_source == shares.source, met.at == shares.of_day])
    # A source that no file speaks of is not covered.
    least = met.group_by([*by, "at"]).aggregate(least=met.share.fill_null(0.0).min())
    least = least.rename({f"of_{key}": key for key in by})
    on = [table[key].identical_to(least[f"of_{key}"]) for key in by]
    joined = table.left_join(least, [*on, table.day == least["at"]])
    return joined.select(*table.columns, covered=joined.least.fill_null(0.0))

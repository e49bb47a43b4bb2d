"""`hour_of_week_baseline`: what is usual for an automation at this hour of the week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir

from aftershock.errors import UnknownColumnError
from aftershock.metrics.change.daily import in_period, tallies
from aftershock.metrics.change.local_time import hour_of_week, hours_by_hour_of_week
from aftershock.metrics.change.robust import NORMAL_MAD
from aftershock.metrics.proportions.intervals import wilson_expr
from aftershock.metrics.results import Interval, Told
from aftershock.metrics.units import check_groups, named
from aftershock.model import COUNTED

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.periods import Period


@dataclass(frozen=True, repr=False)
class HourOfWeekBaseline(Told):
    """What `hour_of_week_baseline` gives. `table` is lazy; the totals are read once, when first asked for."""

    table: ir.Table = field(repr=False, compare=False)
    by: tuple[str, ...]
    period: Period
    level: float

    @cached_property
    def totals(self) -> Mapping[str, int]:
        """The sums of n, failures, left_out and unfinished over all rows."""
        names = ("n", "failures", "left_out", "unfinished")
        row = self.table.aggregate(**{name: self.table[name].sum().fill_null(0) for name in names}).execute()
        return {name: int(row[name].iloc[0]) for name in names}

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


def hour_of_week_baseline(
    runs: ir.Table,
    period: Period,
    *,
    by: Sequence[str] = ("automation",),
    values: Sequence[str] = ("duration_s",),
    roles: Sequence[str] = ("work",),
    level: float = 0.95,
) -> HourOfWeekBaseline:
    """What is usual per group and hour of the week, in the time zone of `period`: how many runs, how many fail, how long they take.

    One row per group and hour of the week that has a run. Columns: `by`, hour_of_week (0 is Monday 00:00 to 01:00, 167 Sunday 23:00
    to 24:00), hours (how many such hours the period holds; where clocks change one more or less), n, runs_per_hour, failures, rate, low,
    high (Wilson), left_out, unfinished, and for each of `values` its median and mad (times 1.4826: a robust standard deviation)
    over counting runs that have a value, named duration_s_median, duration_s_mad. Exact medians; null where there is no value.

    runs_per_hour takes every hour of the period as covered. Reads started_at, queued_at, ended_at, status, role, `by`, `values`.

    Raises: UnknownColumnError if `by` or `values` name no column; UnknownNameError for an unknown role; ValueError for the level.
    Source: Hampel (1974) JASA 69:383 for the MAD; Wilson (1927) JASA 22:209.
    """
    by, values, roles = named(by), named(values), named(roles)
    check_groups(runs, by, roles)
    for name in values:
        if name not in runs.columns:
            raise UnknownColumnError(name, runs.columns)
    units = in_period(runs, period, roles)
    units = units.mutate(hour_of_week=hour_of_week(units.moment, period))
    counting = units.status.isin(COUNTED)
    lists = {
        f"{name}_all": units[name].cast("float64").collect(where=counting & units[name].notnull()) for name in values
    }
    keys = [*by, "hour_of_week"]
    rows = units.group_by(keys).aggregate(**tallies(units), **lists)
    for name in values:
        rows = _with_spread(rows, name)
    rows = _with_hours(rows, period)
    rate, low, high = wilson_expr(rows.failures, rows.n, level)
    spreads = [f"{name}_{kind}" for name in values for kind in ("median", "mad")]
    runs_per_hour = rows.n.cast("float64") / rows.hours
    columns: list[Any] = [*keys, "hours", "n", runs_per_hour.name("runs_per_hour"), "failures"]
    columns += [rate.name("rate"), low.name("low"), high.name("high"), "left_out", "unfinished", *spreads]
    return HourOfWeekBaseline(rows.select(*columns).order_by(keys), tuple(by), period, level)


def _with_spread(rows: ir.Table, name: str) -> ir.Table:
    """Median and MAD of a column of lists. One pass over the runs; no backend's own quantile is asked."""
    rows = rows.mutate(**{f"{name}_all": rows[f"{name}_all"].sort()})
    rows = rows.mutate(**{f"{name}_median": _middle(rows[f"{name}_all"])})
    centre = rows[f"{name}_median"]
    rows = rows.mutate(**{f"{name}_all": rows[f"{name}_all"].map(lambda value: (value - centre).abs()).sort()})
    return rows.mutate(**{f"{name}_mad": _middle(rows[f"{name}_all"]) * NORMAL_MAD}).drop(f"{name}_all")


def _middle(sorted_values: Any) -> Any:
    """The median of a sorted list, null for an empty one: Spark refuses places that are not there, null ones too."""
    size = sorted_values.length()
    low, high = ((place // 2).cast("int32") for place in (size - 1, size))
    return ibis.cases((size > 0, (sorted_values[low] + sorted_values[high]) / 2.0), else_=ibis.null("float64"))


def _with_hours(rows: ir.Table, period: Period) -> ir.Table:
    found = hours_by_hour_of_week(period)
    hours = ibis.memtable(
        {"at_hour": list(range(len(found))), "hours": found}, schema={"at_hour": "int32", "hours": "float64"}
    )
    joined = rows.inner_join(hours, rows.hour_of_week == hours.at_hour)
    return joined.drop("at_hour")

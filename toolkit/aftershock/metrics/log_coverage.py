"""`coverage`: which share of a period the logs of each source cover. Where there is no log, nothing is known.

Stretches that are `complete` or `unknown` cover; `filtered` ones (one status only, say) do not. A stretch that names an
automation covers that one; a source is covered where all automations that its stretches speak of are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import ibis

from aftershock.errors import UnknownColumnError
from aftershock.metrics.periods import Period, checked_period
from aftershock.metrics.results import Told
from aftershock.metrics.units import named

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

COVERING: Final = ("complete", "unknown")
_MICROSECONDS: Final = 1e6


@dataclass(frozen=True, repr=False)
class Coverage(Told):
    """What `coverage` gives. `gaps` has a row per uncovered stretch: the columns of `by`, gap_from, gap_to."""

    table: ir.Table
    gaps: ir.Table
    period: Period
    bridge_s: int

    @cached_property
    def share(self) -> float | None:
        """The covered share over all rows; null where there is no row."""
        row = self.table.aggregate(covered=self.table.covered_s.sum(), period=self.table.period_s.sum()).execute()
        covered, period = row["covered"].iloc[0], row["period"].iloc[0]
        return float(covered / period) if period and period > 0 else None

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched."""
        return self.table.execute()


def coverage(
    coverage_table: ir.Table,
    period: Period,
    *,
    bridge_s: int = 3600,
    by: Sequence[str] = ("source",),
    sources: Sequence[str] | None = None,
) -> Coverage:
    """Share of `period` that each source's logs cover: the union of what files claim, seams up to `bridge_s` closed.

    One row per source (or per source and automation): covered_s, complete_s (covered by files that vouch for being
    complete; the rest rests on files that do not say), filtered (stretches in the period that do not count),
    period_s, share. `sources` names those to answer for, else those in the table; one without a stretch has share 0.

    Raises: UnknownColumnError for a `by` other than source and automation.
    """
    checked_period(period)
    names = list(named(by))
    for name in names:
        if name not in ("source", "automation"):
            raise UnknownColumnError(name, ("source", "automation"))
    if "source" not in names:
        raise ValueError("by needs source: coverage is a claim about one source's log")
    asked = _asked(coverage_table, sources)
    covering = coverage_table.filter(coverage_table.completeness.isin(COVERING))
    complete = coverage_table.filter(coverage_table.completeness == "complete")
    gaps = _gaps(asked, covering, period, bridge_s, names)
    unsure = _gaps(asked, complete, period, bridge_s, names)
    groups = asked.distinct() if "automation" in names else asked.select("source").distinct()
    table = _joined(groups, gaps, "gap_s", names)
    table = _joined(table, unsure, "unsure_s", names)
    table = _with_filtered(table, coverage_table, period, names)
    table = table.mutate(
        covered_s=ibis.literal(period.seconds) - table.gap_s,
        complete_s=ibis.literal(period.seconds) - table.unsure_s,
        period_s=ibis.literal(period.seconds),
    )
    table = table.mutate(share=(table.covered_s / table.period_s.nullif(0.0)))
    table = table.select(*names, "covered_s", "complete_s", "filtered", "period_s", "share").order_by(names)
    return Coverage(table, gaps.order_by([*names, "gap_from"]), period, bridge_s)


def covered_days(
    coverage_table: ir.Table, period: Period, *, bridge_s: int = 3600, sources: Sequence[str] | None = None
) -> ir.Table:
    """A row per source and day of the period: source, day, and the share of that day that the source's logs cover."""
    asked = _asked(coverage_table, sources)
    covering = coverage_table.filter(coverage_table.completeness.isin(COVERING))
    gaps = _gaps(asked, covering, period, bridge_s, ["source"])
    days = ibis.memtable(
        {
            "day": [day.first for day in period.days()],
            "day_from": [day.start for day in period.days()],
            "day_to": [day.end for day in period.days()],
        },
        schema={"day": "date", "day_from": "timestamp('UTC')", "day_to": "timestamp('UTC')"},
    )
    cells = asked.select("source").distinct().cross_join(days)
    met = cells.left_join(
        gaps, [cells.source == gaps.source, gaps.gap_from < cells.day_to, gaps.gap_to > cells.day_from]
    )
    met = met.mutate(
        lost_s=_seconds(ibis.greatest(met.gap_from, met.day_from), ibis.least(met.gap_to, met.day_to)),
        whole_s=_seconds(met.day_from, met.day_to),
    )
    # greatest and least skip nulls: without a gap they would give the whole day.
    met = met.mutate(lost_s=met.gap_from.isnull().ifelse(0.0, met.lost_s))
    rows = met.group_by(["source", "day"]).aggregate(lost_s=met.lost_s.sum(), whole_s=met.whole_s.max())
    rows = rows.mutate(share=(rows.whole_s - rows.lost_s) / rows.whole_s.nullif(0.0))
    return rows.select("source", "day", "share").order_by(["source", "day"])


def merged_stretches(stretches: ir.Table, keys: Sequence[str], bridge_s: int) -> ir.Table:
    """The union of stretches (`covers_from`, `covers_to`) per `keys`: disjoint, with seams up to `bridge_s` closed."""
    rows = stretches.filter(stretches.covers_from <= stretches.covers_to)
    # The ledger's times carry their precision in their type, literals do not: a union wants them alike.
    moments = {name: rows[name].cast("timestamp('UTC')") for name in ("covers_from", "covers_to")}
    rows = rows.select(*keys, **moments)
    order = [rows.covers_from, rows.covers_to]
    before = ibis.window(group_by=list(keys), order_by=order, preceding=(None, 1))
    rows = rows.mutate(reached=rows.covers_to.max().over(before))
    starts = rows.reached.isnull() | (rows.covers_from > rows.reached + ibis.interval(seconds=bridge_s))
    rows = rows.mutate(starts=starts.ifelse(1, 0))
    upto = ibis.window(group_by=list(keys), order_by=[rows.covers_from, rows.covers_to], preceding=None, following=0)
    rows = rows.mutate(island=rows.starts.sum().over(upto))
    islands = rows.group_by([*keys, "island"]).aggregate(
        covers_from=rows.covers_from.min(), covers_to=rows.covers_to.max()
    )
    return islands.drop("island")


def _asked(coverage_table: ir.Table, sources: Sequence[str] | None) -> ir.Table:
    """What is to be covered: (source, automation) as covering stretches name them; null: all others of the source."""
    named = coverage_table.filter(coverage_table.completeness.isin(COVERING)).select("source", "automation").distinct()
    if sources is None:
        wanted = coverage_table.select(wanted=coverage_table.source).distinct()
    else:
        wanted = ibis.memtable({"wanted": list(dict.fromkeys(sources))}, schema={"wanted": "string"})
    joined = wanted.left_join(named, wanted.wanted == named.source)
    return joined.select(source=joined.wanted, automation=joined.automation).distinct()


def _gaps(asked: ir.Table, stretches: ir.Table, period: Period, bridge_s: int, by: Sequence[str]) -> ir.Table:
    """The stretches of `period` that are not covered, per `by`."""
    stretches = stretches.filter(stretches.covers_to >= period.start - timedelta(seconds=bridge_s))
    stretches = stretches.filter(stretches.covers_from <= period.end + timedelta(seconds=bridge_s))
    keys = ["source", "automation"]
    named = stretches.select(
        named_source=stretches.source,
        named=stretches.automation,
        covers_from=stretches.covers_from,
        covers_to=stretches.covers_to,
    )
    # A stretch about all automations covers each one that is named elsewhere as well.
    own = asked.inner_join(
        named,
        [asked.source == named.named_source, named.named.isnull() | asked.automation.identical_to(named.named)],
    )
    islands = merged_stretches(own.select(*keys, "covers_from", "covers_to"), keys, bridge_s)
    gaps = _between(asked, islands, period, keys)
    if "automation" in by:
        return gaps
    # The source has a gap where any of its automations has one.
    joined = gaps.select(source=gaps.source, covers_from=gaps.gap_from, covers_to=gaps.gap_to)
    union = merged_stretches(joined, ["source"], 0)
    return union.select("source", gap_from=union.covers_from, gap_to=union.covers_to)


def _between(asked: ir.Table, islands: ir.Table, period: Period, keys: list[str]) -> ir.Table:
    """What lies between islands, before the first and after the last, inside the period."""
    edge = asked.select(*keys, covers_from=_moment(period.start), covers_to=_moment(period.start))
    inside = islands.filter((islands.covers_to > period.start) & (islands.covers_from < period.end))
    inside = inside.select(
        *keys,
        covers_from=ibis.greatest(inside.covers_from, _moment(period.start)),
        covers_to=inside.covers_to,
    )
    rows = edge.union(inside)
    order = ibis.window(group_by=keys, order_by=[rows.covers_from, rows.covers_to])
    following = rows.covers_from.lead(1).over(order)
    gaps = rows.select(*keys, gap_from=rows.covers_to, gap_to=ibis.coalesce(following, _moment(period.end)))
    return gaps.filter(gaps.gap_from < gaps.gap_to)


def _joined(table: ir.Table, gaps: ir.Table, name: str, keys: list[str]) -> ir.Table:
    lost = gaps.group_by(keys).aggregate(**{name: _seconds(gaps.gap_from, gaps.gap_to).sum()})
    renamed = lost.rename({f"lost_{key}": key for key in keys})
    joined = table.left_join(renamed, [table[key].identical_to(renamed[f"lost_{key}"]) for key in keys])
    return joined.select(*table.columns, **{name: joined[name].fill_null(0.0)})


def _with_filtered(table: ir.Table, coverage_table: ir.Table, period: Period, keys: list[str]) -> ir.Table:
    left = coverage_table.filter(~coverage_table.completeness.isin(COVERING))
    left = left.filter((left.covers_to >= period.start) & (left.covers_from < period.end))
    counts = left.group_by(keys).aggregate(filtered=left.count()).rename({f"left_{key}": key for key in keys})
    joined = table.left_join(counts, [table[key].identical_to(counts[f"left_{key}"]) for key in keys])
    return joined.select(*table.columns, filtered=joined.filtered.fill_null(0))


def _seconds(start: Any, end: Any) -> Any:
    return end.delta(start, unit="microsecond").cast("float64") / _MICROSECONDS


def _moment(value: Any) -> Any:
    return ibis.literal(value, type="timestamp('UTC')")

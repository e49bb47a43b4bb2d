"""What `failure_rate` and `silent_failures` have in common: units, groups, tallies, intervals, the change since before.

Every unit lands in exactly one column of a row: counted (`n`), set aside by its status, or set aside by its role.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, reduce
from operator import add
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import pandas as pd

from aftershock.errors import UnknownColumnError
from aftershock.metrics.periods import Period, checked_period, name_of
from aftershock.metrics.proportions.intervals import newcombe_expr, wilson, wilson_expr
from aftershock.metrics.proportions.two_rates import score_p_value, with_q_values
from aftershock.metrics.results import Interval, Told
from aftershock.metrics.units import Unit, check_groups, dated, roots
from aftershock.model import COUNTED, FINISHED, STATUSES

BUCKETS: Final = ("day", "week", "hour")
LEFT_OUT: Final = tuple(word for word in FINISHED if word not in COUNTED)
UNFINISHED: Final = tuple(status.word for status in STATUSES if not status.is_finished and status.word != "unknown")
# Below this, in either period, equal rates look different too often: at 5 and above Newcombe's interval
# leaves out zero in at most 1 of 11 pairs of equal rates, whatever the rate; at 2 in 1 of 8.
FEWEST_TO_COMPARE: Final = 5


@dataclass(frozen=True)
class Question:
    """Which statuses stand in n, which of them are hits, what hits are called, and what is set aside by name."""

    hits_name: str
    counted: tuple[str, ...]
    hits: tuple[str, ...]
    set_aside: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, repr=False)
class Shares(Told):
    """A share per group. `table` is lazy; the totals beside it are read once, when first asked for."""

    table: ir.Table
    unit: Unit
    level: float
    period: Period | None
    hits_name: str
    units: ir.Table = field(repr=False)

    @cached_property
    def totals(self) -> Mapping[str, int]:
        """The sums of the counting columns over all groups."""
        columns = [name for name, type_ in self.table.schema().items() if name in self._counting and type_.is_integer()]
        row = self.table.aggregate(**{name: self.table[name].sum().fill_null(0) for name in columns}).execute()
        return {name: int(row[name].iloc[0]) for name in columns}

    @property
    def _counting(self) -> tuple[str, ...]:
        return ("n", self.hits_name, "failed", "left_out", "unfinished", "unknown", "other_roles")

    @property
    def n(self) -> int:
        """How many units the shares are of."""
        return self.totals["n"]

    @property
    def left_out(self) -> int:
        """Cancelled and skipped units."""
        return self.totals["left_out"]

    @property
    def unfinished(self) -> int:
        """Units that are queued, running or waiting."""
        return self.totals["unfinished"]

    @property
    def unknown(self) -> int:
        """Units whose record cannot say how they ended."""
        return self.totals["unknown"]

    @property
    def other_roles(self) -> int:
        """Units of roles that were not asked for."""
        return self.totals["other_roles"]

    @cached_property
    def undated(self) -> int:
        """Units without any time: in no period, so in no row as soon as a period is given."""
        return int(self.units.filter(self.units.moment.isnull()).count().execute())

    @cached_property
    def overall(self) -> Interval:
        """The share over all groups with its Wilson interval; null where nothing counts."""
        return wilson(self.totals[self.hits_name], self.n, self.level)

    @property
    def interval(self) -> Interval:
        """`overall`, under the name that every result has."""
        return self.overall

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched."""
        return self.table.execute()


def shares(
    runs: ir.Table,
    question: Question,
    *,
    by: Sequence[str],
    unit: Unit,
    period: Period | None,
    level: float,
    roles: Sequence[str],
    compare: bool,
) -> tuple[ir.Table, ir.Table]:
    """(a row per group, the units they are made of). Rows stand in the order of their groups."""
    _check(runs, by, unit, period, roles, compare)
    units = dated(runs) if unit == "run" else roots(runs)
    grouped = _in_period(units, by, period, compare)
    now = period.holds(grouped.moment) if period and compare else ibis.literal(True)
    tallies = _tally(grouped, question, roles, now)
    if period and compare:
        before = period.previous().holds(grouped.moment)
        earlier = _tally(grouped, question, roles, before)
        tallies |= {"previous_n": earlier["n"], "previous_hits": earlier[question.hits_name]}
    rows = grouped.group_by(list(by)).aggregate(**tallies) if by else grouped.aggregate(**tallies)
    table = _with_intervals(rows, question, list(by), level, compare)
    return (table.order_by(list(by)) if by else table), units


def _in_period(units: ir.Table, by: Sequence[str], period: Period | None, compare: bool) -> ir.Table:
    if period is None:
        return units
    inside = period.holds(units.moment)
    units = units.filter(inside | period.previous().holds(units.moment) if compare else inside)
    return units.mutate(**{name: bucket(units.moment, name, period) for name in by if name in BUCKETS})


def bucket(moment: ir.TimestampValue, name: str, period: Period) -> ir.Value:
    """The local day (date), week (`2026-W47`) or hour (the moment it began) of a moment inside `period`.

    A search tree over literal bounds: right across clock changes, and the same on every backend and session time zone.
    """
    days = period.days()
    if name == "hour":
        starts = [day.start + i * timedelta(hours=1) for day in days for i in range(-int(-day.seconds // 3600))]
        return _choose(moment, starts, [ibis.literal(start, type="timestamp('UTC')") for start in starts])
    if name == "week":
        first_days = {name_of("week", day.first): day.start for day in reversed(days)}
        weeks = sorted(first_days, key=lambda week: first_days[week])
        return _choose(moment, [first_days[week] for week in weeks], [ibis.literal(week) for week in weeks])
    return _choose(moment, [day.start for day in days], [ibis.date(day.name) for day in days])


def _choose(moment: ir.TimestampValue, starts: Sequence[datetime], values: Sequence[ir.Value]) -> ir.Value:
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    left, right = _choose(moment, starts[:half], values[:half]), _choose(moment, starts[half:], values[half:])
    return (moment < starts[half]).ifelse(left, right)


def _tally(units: ir.Table, question: Question, roles: Sequence[str], when: Any) -> dict[str, ir.Value]:
    asked = when & units.role.isin(list(roles))
    counts: dict[str, tuple[str, ...]] = {
        "n": question.counted,
        question.hits_name: question.hits,
        **question.set_aside,
        "left_out": LEFT_OUT,
        "unfinished": UNFINISHED,
    }
    tallies = {name: units.count(where=asked & units.status.isin(words)) for name, words in counts.items()}
    # What is left of all: cheaper than to compare every row with every known word once more.
    of_roles = units.count(where=asked)
    apart = [tallies[name] for name in counts if name != question.hits_name]
    tallies["unknown"] = of_roles - reduce(add, apart)
    tallies["other_roles"] = units.count(where=when) - of_roles
    return tallies


def _with_intervals(rows: ir.Table, question: Question, by: list[str], level: float, compare: bool) -> ir.Table:
    rate, low, high = wilson_expr(rows[question.hits_name], rows.n, level)
    aside = (*question.set_aside, "left_out", "unfinished", "unknown", "other_roles")
    columns: list[Any] = [*by, "n", question.hits_name, rate.name("rate"), low.name("low"), high.name("high"), *aside]
    if not compare:
        return rows.select(*columns)
    before = wilson_expr(rows.previous_hits, rows.previous_n, level)
    change, change_low, change_high = newcombe_expr((rate, low, high), before)
    too_few = (rows.n < FEWEST_TO_COMPARE) | (rows.previous_n < FEWEST_TO_COMPARE)
    verdict = ibis.cases(
        (too_few, "too few to compare"),
        ((change_low > 0) | (change_high < 0), "beyond chance"),
        else_="no change beyond chance",
    )
    p_value = score_p_value(rows[question.hits_name], rows.n, rows.previous_hits, rows.previous_n)
    changes = {
        "previous_n": rows.previous_n,
        "previous_rate": before[0],
        "change": change,
        "change_low": change_low,
        "change_high": change_high,
        "verdict": verdict,
        "p_value": too_few.ifelse(ibis.null("float64"), p_value),
    }
    return with_q_values(rows.select(*columns, **changes), by)


def _check(
    runs: ir.Table, by: Sequence[str], unit: str, period: Period | None, roles: Sequence[str], compare: bool
) -> None:
    if unit not in ("run", "root"):
        raise ValueError(f"unit: {unit!r}: write 'run' or 'root'")
    checked_period(period)
    check_groups(runs, roles=roles)
    for name in by:
        if name not in runs.columns and name not in BUCKETS:
            raise UnknownColumnError(name, (*runs.columns, *BUCKETS))
    buckets = [name for name in by if name in BUCKETS]
    if buckets and period is None:
        raise ValueError(f"by {buckets[0]!r} needs a period: its time zone says when a {buckets[0]} begins")
    if compare and period is None:
        raise ValueError("compare needs a period to compare with the one before")
    if compare and buckets:
        raise ValueError(f"compare does not go with by {buckets[0]!r}: the period before has other {buckets[0]}s")

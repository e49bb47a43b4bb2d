"""`volumes`: runs, items, failures and rate-limit errors per hour or day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import ibis

from aftershock.metrics.load.time_bins import DAY_S, bin_start, time_bin
from aftershock.metrics.proportions import wilson
from aftershock.metrics.proportions.intervals import wilson_expr
from aftershock.metrics.results import Told
from aftershock.metrics.units import check_groups, dated, named
from aftershock.model import COUNTED, FAILURES

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from aftershock.metrics.results import Interval

Step = Literal["hour", "day"]
STEP_S: Final[Mapping[str, int]] = {"hour": 3600, "day": DAY_S}
# What services say when they are called too often. Without case; the same in RE2 and in Java.
RATE_LIMITS: Final = r"(?i)(\b429\b|too many requests|rate.?limit|throttl|quota.?exceeded|exceeded.{0,20}quota|request.?limit|slow ?down)"
_COUNTS: Final = ("runs", "n", "failures", "rate_limited", "other_roles")


@dataclass(frozen=True, repr=False)
class Volumes(Told):
    """What `volumes` gives. `table` is lazy; the totals are read once, when first asked for."""

    table: ir.Table = field(repr=False, compare=False)
    per: str
    by: tuple[str, ...]
    level: float
    units: ir.Table = field(repr=False, compare=False)

    @cached_property
    def totals(self) -> Mapping[str, int]:
        """The sums of runs, n, failures, rate_limited and other_roles over all rows."""
        row = self.table.aggregate(**{name: self.table[name].sum().fill_null(0) for name in _COUNTS}).execute()
        return {name: int(row[name].iloc[0]) for name in _COUNTS}

    @cached_property
    def undated(self) -> int:
        """Runs without any time: in no row."""
        return int(self.units.filter(self.units.moment.isnull()).count().execute())

    @property
    def n(self) -> int:
        """Runs that succeeded or failed: what the rates are of."""
        return self.totals["n"]

    @property
    def left_out(self) -> int:
        """Runs that are not in n: cancelled, skipped, unfinished, unknown, of other roles, without any time."""
        return self.totals["runs"] - self.n + self.totals["other_roles"] + self.undated

    @cached_property
    def interval(self) -> Interval:
        """The failure rate over all rows with its Wilson interval; null where nothing counts."""
        return wilson(self.totals["failures"], self.n, self.level)

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched."""
        return self.table.execute()


def volumes(
    runs: ir.Table,
    *,
    by: Sequence[str] = ("automation",),
    per: Step = "hour",
    level: float = 0.95,
    roles: Sequence[str] = ("work",),
) -> Volumes:
    """How much ran, and how much of it failed, per hour or day and group.

    One row per group of `by` and hour or day (UTC) in which anything ran: the group, start, runs (all of the roles asked
    for), items (items_in, else items_out; null where the tool counts none), n (succeeded or failed), failures, rate with low and high
    (Wilson; null where n is 0), rate_limited (failures whose error says 429, too many requests, throttled or a quota), other_roles.
    An hour without runs has no row: whether nothing ran or nothing was logged is for `coverage` to say.

    A run belongs to where it started, else was queued, else ended. Runs without any time are in no row and counted in `undated`.

    Raises: UnknownColumnError if `by` names no column; UnknownNameError for an unknown role; ValueError for another `per`.
    Source: rate intervals from Wilson (1927) JASA 22:209.
    """
    by, roles = named(by), named(roles)
    names = check_groups(runs, by, roles)
    if per not in STEP_S:
        raise ValueError(f"per: {per!r}: write 'hour' or 'day'")
    units = dated(runs)
    rows = units.filter(units.moment.notnull())
    rows = rows.mutate(bin=time_bin(rows.moment, STEP_S[per]), asked=rows.role.isin(list(roles)))
    failed = rows.asked & rows.status.isin(FAILURES)
    tallies: dict[str, Any] = {
        "runs": rows.count(where=rows.asked),
        # DuckDB sums whole numbers to a wider type, which pandas would get as decimals.
        "items": ibis.coalesce(rows.items_in, rows.items_out).sum(where=rows.asked).cast("float64"),
        "n": rows.count(where=rows.asked & rows.status.isin(COUNTED)),
        "failures": rows.count(where=failed),
        "rate_limited": rows.count(where=failed & _rate_limited(rows)),
        "other_roles": rows.count(where=~rows.asked),
    }
    table = rows.group_by([*names, "bin"]).aggregate(**tallies)
    rate, low, high = wilson_expr(table.failures, table.n, level)
    start = bin_start(table.bin, STEP_S[per])
    shares = {"rate": rate, "low": low, "high": high}
    table = table.select(
        *names, "runs", "items", "n", "failures", "rate_limited", "other_roles", start=start, **shares
    ).order_by([*names, "start"])
    order = [*names, "start", "runs", "items", "n", "failures", "rate", "low", "high", "rate_limited", "other_roles"]
    return Volumes(table.select(*order), per, tuple(names), level, units)


def _rate_limited(rows: ir.Table) -> Any:
    said = rows.error_type.fill_null("") + " " + rows.error_message.fill_null("")
    return said.re_search(RATE_LIMITS)

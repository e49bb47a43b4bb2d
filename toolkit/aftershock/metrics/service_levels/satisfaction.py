"""Apdex: one number from 0 to 1 for how soon runs are done, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir

from aftershock.metrics.periods import checked_period
from aftershock.metrics.results import Interval, Told
from aftershock.metrics.units import check_groups, dated, named
from aftershock.model import COUNTED, FAILURES

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.periods import Period

_METHOD = "wilson, binomial variance"


def apdex(satisfied: int, tolerating: int, frustrated: int, *, level: float = 0.95) -> Interval:
    """(satisfied + tolerating / 2) / all, with Wilson's interval; null for none at all.

    A tolerating sample counts half, so its variance is below that of a share: the interval is never too narrow.

    Raises: ValueError for a count below 0 or a level outside (0, 1).
    Source: Apdex Alliance (2007), Application Performance Index technical specification 1.1.
    """
    for name, count in (("satisfied", satisfied), ("tolerating", tolerating), ("frustrated", frustrated)):
        if count is None or not count >= 0 or count == float("inf") or count != int(count):
            raise ValueError(f"{name}: {count}: a count is a whole number at 0 or above")
    satisfied, tolerating, frustrated = int(satisfied), int(tolerating), int(frustrated)
    if not 0 < level < 1:
        raise ValueError(f"level: {level!r}: write a share inside (0, 1), such as 0.95")
    n = satisfied + tolerating + frustrated
    if n == 0:
        return Interval(None, None, None, 0, level, _METHOD)
    score, z = (satisfied + tolerating / 2) / n, NormalDist().inv_cdf((1 + level) / 2)
    middle = (score + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * sqrt(score * (1 - score) / n + z * z / (4 * n * n))
    return Interval(
        score, 0.0 if score == 0 else middle - reach, 1.0 if score == 1 else middle + reach, n, level, _METHOD
    )


@dataclass(frozen=True, repr=False)
class ApdexScores(Told):
    """What `apdex_of_runs` gives: `table` (lazy) with a row per group."""

    table: ir.Table = field(repr=False, compare=False)
    threshold_s: float
    level: float

    @cached_property
    def _totals(self) -> dict[str, int]:
        names = ("satisfied", "tolerating", "frustrated", "left_out")
        row = self.table.aggregate(**{name: self.table[name].sum().fill_null(0) for name in names}).execute()
        return {name: int(row[name].iloc[0]) for name in names}

    @property
    def n(self) -> int:
        """Runs that count."""
        return sum(self._totals[name] for name in ("satisfied", "tolerating", "frustrated"))

    @property
    def left_out(self) -> int:
        """Runs that went well but have no duration."""
        return self._totals["left_out"]

    @property
    def interval(self) -> Interval:
        """The score over all groups."""
        return apdex(*(self._totals[name] for name in ("satisfied", "tolerating", "frustrated")), level=self.level)

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched."""
        return self.table.execute()


def apdex_of_runs(
    runs: ir.Table,
    threshold_s: float,
    *,
    by: Sequence[str] = ("automation",),
    period: Period | None = None,
    roles: Sequence[str] = ("work",),
    level: float = 0.95,
) -> ApdexScores:
    """Apdex per automation: runs within `threshold_s` satisfy, within four times of it are tolerated; slower and failed ones frustrate.

    A row per group of `by`: the group, n, satisfied, tolerating, frustrated, apdex, low, high (null where n is 0), left_out: runs that went
    well and have no duration. Cancelled, skipped and unfinished runs and other roles are not counted at all.

    Raises: UnknownColumnError, UnknownNameError for a role, ValueError for a threshold not above 0 or a level outside (0, 1).
    Source: Apdex Alliance (2007), technical specification 1.1; failed runs are frustrated, its 3.3.
    """
    by, roles = named(by), named(roles)
    if not 0 < threshold_s < float("inf"):
        raise ValueError(f"threshold_s: {threshold_s!r}: write seconds, above 0")
    check_groups(runs, by, roles)
    checked_period(period)
    units = dated(runs)
    units = units.filter(units.status.isin(COUNTED), units.role.isin(list(roles)))
    units = units.filter(period.holds(units.moment)) if period else units
    failed, took = units.status.isin(FAILURES), units.duration_s.cast("float64")
    tallies: dict[str, Any] = {
        "satisfied": units.count(where=~failed & (took <= threshold_s)),
        "tolerating": units.count(where=~failed & (took > threshold_s) & (took <= 4 * threshold_s)),
        "frustrated": units.count(where=failed | (took > 4 * threshold_s)),
        "left_out": units.count(where=~failed & took.isnull()),
    }
    rows = units.group_by(list(by)).aggregate(**tallies) if by else units.aggregate(**tallies)
    return ApdexScores(_scored(rows, list(by), level), float(threshold_s), level)


def _scored(rows: ir.Table, by: list[str], level: float) -> ir.Table:
    apdex(0, 0, 0, level=level)  # the level, checked
    z = NormalDist().inv_cdf((1 + level) / 2)
    zz = z * z
    n = rows.satisfied + rows.tolerating + rows.frustrated
    total = n.cast("float64").nullif(0.0)
    score = (rows.satisfied.cast("float64") + rows.tolerating.cast("float64") / 2.0) / total
    middle = (score + zz / (total * 2)) / (zz / total + 1)
    reach = (score * (1 - score) / total + zz / (total * total * 4)).sqrt() * z / (zz / total + 1)
    none = ibis.null("float64")
    low = ibis.cases((n == 0, none), (score == 0, ibis.literal(0.0)), else_=middle - reach)
    high = ibis.cases((n == 0, none), (score == 1, ibis.literal(1.0)), else_=middle + reach)
    columns: list[Any] = [
        *by,
        n.name("n"),
        "satisfied",
        "tolerating",
        "frustrated",
        score.name("apdex"),
        low.name("low"),
        high.name("high"),
        "left_out",
    ]
    table = rows.select(*columns)
    return table.order_by(by) if by else table

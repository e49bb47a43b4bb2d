"""Error budgets: how many failures an objective allows, and how many are left. In runs first: an automation has runs, not minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import floor
from typing import TYPE_CHECKING, Any, Final

import ibis
import ibis.expr.types as ir

from aftershock.metrics.proportions.failure_rates import failure_rate
from aftershock.metrics.proportions.intervals import wilson
from aftershock.metrics.results import Interval, Told, one_row
from aftershock.metrics.units import Unit, named

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.periods import Period

# A budget of 10 is often 9.999999999999998 in floating point: that much is forgiven before rounding down.
_SLACK: Final = 1e-9
_MINUTES_A_DAY: Final = 1440.0


@dataclass(frozen=True)
class ErrorBudget:
    """What `error_budget` gives. `allowed` failures in `planned` runs, `failures` used, `affordable` whole ones left (0 when overspent).

    `left_share` is the share of the budget that is left, below 0 when overspent, null where nothing is allowed. `verdict` is about the true
    rate: met, missed, or cannot tell, by Wilson's interval of the share of runs that went well.
    """

    objective: float
    n: int
    failures: int
    planned: int
    allowed: float
    affordable: int
    used_share: float | None
    left_share: float | None
    verdict: str
    level: float
    left_out: int = 0

    @property
    def interval(self) -> Interval:
        """The share of runs that went well."""
        return wilson(self.n - self.failures, self.n, self.level)

    @property
    def sentence(self) -> str:
        """To say aloud."""
        if self.failures > self.allowed + _SLACK:
            return f"{self.failures} failures, {self.allowed:.3g} allowed: the budget is spent"
        return f"{self.failures} of {self.allowed:.3g} allowed failures used: you can afford {self.affordable} more"

    def to_pandas(self) -> pd.DataFrame:
        """One row."""
        return one_row(self)


def error_budget(
    failures: int, n: int, objective: float, *, planned: int | None = None, level: float = 0.95
) -> ErrorBudget:
    """The error budget in runs: (1 - objective) * planned failures are allowed in a period.

    `failures` of `n` runs so far failed. `planned` is how many runs the whole period will have; by default n: no more to come.

    Raises: ValueError for an objective outside (0, 1), counts that do not fit, planned below n, a level outside (0, 1).
    Source: Beyer et al. (2018), The Site Reliability Workbook, chapter 2; the verdict by Wilson (1927) JASA 22:209.
    """
    objective_checked(objective)
    if not 0 <= failures <= n:
        raise ValueError(f"{failures} failures of {n} runs: write the failures first, 0 <= failures <= n")
    whole = n if planned is None else planned
    if whole < n:
        raise ValueError(f"planned: {whole} is below the {n} runs there were already")
    share = wilson(n - failures, n, level)
    allowed = (1 - objective) * whole
    used = failures / allowed if allowed else None
    return ErrorBudget(
        objective, n, failures, whole, allowed, max(floor(allowed - failures + _SLACK), 0),
        used, None if used is None else 1 - used, _verdict(share, objective), level,
    )  # fmt: skip


def allowed_downtime(objective: float, *, period_days: float = 30.0, level: float = 0.95) -> Interval:
    """The error budget in minutes of a period: (1 - objective) * period. Plain arithmetic: no n and no bounds.

    Raises: ValueError for an objective outside (0, 1) or a period not above 0.
    Source: Beyer et al. (2016), Site Reliability Engineering, Appendix A.
    """
    objective_checked(objective)
    if not 0 < period_days < float("inf"):
        raise ValueError(f"period_days: {period_days!r}: write a number above 0")
    return Interval((1 - objective) * period_days * _MINUTES_A_DAY, None, None, 0, level, "minutes, arithmetic")


@dataclass(frozen=True, repr=False)
class ErrorBudgets(Told):
    """What `error_budgets` gives: `table` (lazy) with a row per automation."""

    table: ir.Table = field(repr=False, compare=False)
    objective: float
    level: float
    unit: Unit

    @cached_property
    def _totals(self) -> tuple[int, int, int]:
        row = self.table.aggregate(
            n=self.table.n.sum(), failures=self.table.failures.sum(), left_out=self.table.left_out.sum()
        )
        first = row.execute().fillna(0).iloc[0]
        return int(first["n"]), int(first["failures"]), int(first["left_out"])

    @property
    def n(self) -> int:
        """Units that count, over all rows."""
        return self._totals[0]

    @property
    def left_out(self) -> int:
        """Cancelled and skipped units."""
        return self._totals[2]

    @property
    def interval(self) -> Interval:
        """The share of all units that went well."""
        n, failures, _ = self._totals
        return wilson(n - failures, n, self.level)

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched."""
        return self.table.execute()


def error_budgets(
    runs: ir.Table,
    objective: float,
    *,
    by: Sequence[str] = ("automation",),
    unit: Unit = "run",
    period: Period | None = None,
    level: float = 0.95,
    roles: Sequence[str] = ("work",),
) -> ErrorBudgets:
    """The error budget of each automation in a period, in runs (or roots: a run with its retries).

    A row per group of `by`: the group, n, failures, rate, low, high (as `failure_rate`), allowed, affordable, used_share, left_share (null
    where n is 0), verdict: met, missed, cannot tell; left_out. The budget is of the runs there were; ask `error_budget` with `planned` ahead.

    Raises: as `failure_rate`, and ValueError for an objective outside (0, 1).
    Source: Beyer et al. (2018), The Site Reliability Workbook, chapter 2; Wilson (1927) JASA 22:209.
    """
    by, roles = named(by), named(roles)
    objective_checked(objective)
    rows = failure_rate(runs, by=by, unit=unit, period=period, level=level, roles=roles).table
    target = 1 - objective
    allowed = rows.n.cast("float64") * target
    used = rows.failures.cast("float64") / allowed.nullif(0.0)
    affordable = ibis.greatest((allowed - rows.failures.cast("float64") + _SLACK).floor(), 0.0).cast("int64")
    verdict = ibis.cases(
        (rows.n == 0, "cannot tell"), (rows.high <= target, "met"), (rows.low > target, "missed"), else_="cannot tell"
    )
    columns: dict[str, Any] = {
        "allowed": allowed, "affordable": affordable, "used_share": used, "left_share": 1.0 - used, "verdict": verdict, "left_out": rows.left_out,
    }  # fmt: skip
    names = [*by, "n", "failures", "rate", "low", "high"]
    return ErrorBudgets(rows.select(*names, **columns), objective, level, unit)


def objective_checked(objective: float) -> float:
    """The objective itself. Raises: ValueError outside (0, 1)."""
    if not 0 < objective < 1:
        raise ValueError(
            f"objective: {objective!r}: write the share of runs that must go well, inside (0, 1), such as 0.99"
        )
    return objective


def _verdict(good: Interval, objective: float) -> str:
    if good.low is None or good.high is None or good.low < objective <= good.high:
        return "cannot tell"
    return "met" if good.low >= objective else "missed"

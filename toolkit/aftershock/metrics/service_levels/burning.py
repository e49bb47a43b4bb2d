"""`burn_rates` and `burn_alerts`: how fast each automation spends its error budget now, and whether to wake anybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import ibis
import ibis.expr.types as ir

from aftershock.metrics.proportions.intervals import wilson_expr
from aftershock.metrics.results import Interval, Told
from aftershock.metrics.service_levels.budgets import objective_checked
from aftershock.metrics.service_levels.burn_policy import SHORT, WORKBOOK_POLICY, burn_rate_thresholds
from aftershock.metrics.units import Unit, check_groups, dated, named, roots
from aftershock.model import COUNTED, FAILURES

if TYPE_CHECKING:
    import pandas as pd

Policy = Sequence[tuple[float, float, str]]
ALERT: Final = "alert"


@dataclass(frozen=True, repr=False)
class BurnRates(Told):
    """What `burn_rates` gives: `table` (lazy) with a row per automation and window."""

    table: ir.Table = field(repr=False, compare=False)
    objective: float
    now: datetime
    windows_h: tuple[float, ...]
    level: float
    given: ir.Table = field(repr=False, compare=False)

    @cached_property
    def left_out(self) -> int:
        """Units of the longest window that do not count: of other roles, cancelled, skipped, unfinished or unknown."""
        return int(self.given.count().execute()) - self.n

    @cached_property
    def n(self) -> int:
        """Units in the longest window."""
        longest = self.table.filter(self.table.window_h == max(self.windows_h))
        return int(longest.n.sum().fill_null(0).execute())

    @property
    def interval(self) -> Interval | None:
        """None: a row each."""
        return None

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched."""
        return self.table.execute()


def burn_rates(
    runs: ir.Table,
    objective: float,
    *,
    now: datetime,
    windows_h: Sequence[float] = (1.0, 6.0, 24.0, 72.0),
    by: Sequence[str] = ("automation",),
    unit: Unit = "run",
    roles: Sequence[str] = ("work",),
    level: float = 0.95,
) -> BurnRates:
    """Failure rate over (1 - objective) per automation in the last hours before `now`, with Wilson's interval.

    A row per group of `by` that ran in the longest window, and window: the group, window_h, n, failures, rate, burn, low, high (bounds of the
    burn). Null where n is 0. A unit belongs to a window by when it started: after now - window, not after now. Burn 1 spends the budget exactly
    in its period, whatever the period is.

    Raises: ValueError for a `now` without a zone, an objective outside (0, 1), a window not above 0; UnknownColumnError, UnknownNameError.
    Source: Beyer et al. (2018), The Site Reliability Workbook, chapter 5; Wilson (1927) JASA 22:209.
    """
    by, roles = named(by), named(roles)
    objective_checked(objective)
    windows = tuple(float(hours) for hours in windows_h)
    if not windows or min(windows) <= 0:
        raise ValueError(f"windows_h: {list(windows_h)!r}: write hours above 0")
    groups = list(by)
    given = _recent(runs, groups, now, max(windows), unit, roles)
    units = _counted(given, roles)
    failed = units.status.isin(FAILURES)
    tallies: dict[str, Any] = {}
    for place, hours in enumerate(windows):
        inside = units.moment > now - timedelta(hours=hours)
        tallies |= {f"n_{place}": units.count(where=inside), f"f_{place}": units.count(where=inside & failed)}
    rows = _longer(_grouped(units, groups, tallies), len(windows))
    n, failures = _of_row(rows, "n", len(windows)), _of_row(rows, "f", len(windows))
    rate, low, high = wilson_expr(failures, n, level)
    budget = 1 - objective
    window = _literal(rows, windows)
    columns: list[Any] = [*groups, window.name("window_h"), n.name("n"), failures.name("failures"), rate.name("rate")]
    columns += [(rate / budget).name("burn"), (low / budget).name("low"), (high / budget).name("high")]
    return BurnRates(rows.select(*columns).order_by([*groups, "window_h"]), objective, now, windows, level, given)


@dataclass(frozen=True, repr=False)
class BurnAlerts(Told):
    """What `burn_alerts` gives: `table` (lazy) with a row per automation and rule of the policy."""

    table: ir.Table = field(repr=False, compare=False)
    objective: float
    now: datetime
    period_days: float
    fewest: int
    level: float
    rules: int
    given: ir.Table = field(repr=False, compare=False)
    counted: ir.Table = field(repr=False, compare=False)

    @cached_property
    def left_out(self) -> int:
        """Units of the period that do not count: of other roles, cancelled, skipped, unfinished or unknown."""
        return int(self.given.count().execute()) - int(self.counted.count().execute())

    @property
    def alerts(self) -> ir.Table:
        """The rows that alert."""
        return self.table.filter(self.table.verdict == ALERT)

    @cached_property
    def n(self) -> int:
        """Units that the rules with the longest window looked at."""
        longest = self.table.filter(self.table.long_h == self.table.long_h.max())
        most = longest.group_by([name for name in longest.columns if name in self._groups]).aggregate(n=longest.n.max())
        return int(most.n.sum().fill_null(0).execute())

    @property
    def _groups(self) -> list[str]:
        return list(self.table.columns[: self.table.columns.index("severity")])

    @property
    def interval(self) -> Interval | None:
        """None: a row each."""
        return None

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched."""
        return self.table.execute()


def burn_alerts(
    runs: ir.Table,
    objective: float,
    *,
    now: datetime,
    policy: Policy = WORKBOOK_POLICY,
    period_days: float = 30.0,
    by: Sequence[str] = ("automation",),
    unit: Unit = "run",
    roles: Sequence[str] = ("work",),
    fewest: int = 10,
    fewest_failures: int = 2,
    level: float = 0.95,
) -> BurnAlerts:
    """Multiwindow multi-burn-rate alerts that do not page for one failure of an automation that runs once a day.

    A row per group of `by` that ran in the period, and rule of `policy`: the group, severity, long_h, short_h, threshold (a burn), n, failures,
    burn, low (Wilson's lower bound of the burn), short_n, short_burn, window (`time`, or `runs` where it was widened), verdict.

    Where the long window holds fewer than `fewest` units it is widened to the newest `fewest` of the period; the short one to a twelfth of that.
    `alert`: both windows burn at or above the threshold, at least `fewest_failures` failed, and chance alone would not do it (low above the
    threshold). `cannot tell: 3 runs` where even the period holds fewer than `fewest`; `cannot tell: no rate is so high` where the threshold asks
    for more failures than runs. Else `ok`.

    Raises: ValueError for a `now` without a zone, a policy or objective that makes no sense, fewest below 1; UnknownColumnError, UnknownNameError.
    Source: Beyer et al. (2018), The Site Reliability Workbook, chapter 5, alert 6 and its section on low-traffic services.
    """
    by, roles = named(by), named(roles)
    objective_checked(objective)
    if fewest < 1 or fewest_failures < 1:
        raise ValueError(f"fewest: {fewest!r}, fewest_failures: {fewest_failures!r}: write 1 or more")
    rules = burn_rate_thresholds(policy, period_days=period_days).rules
    groups = list(by)
    given = _recent(runs, groups, now, period_days * 24, unit, roles)
    units = counted = _counted(given, roles)
    newest = ibis.window(group_by=groups or None, order_by=[ibis.desc(units.moment), ibis.desc(units.run_id)])
    units = units.mutate(rank=ibis.row_number().over(newest))
    tallies = _tallies(units, rules, now, fewest)
    rows = _longer(_grouped(units, groups, tallies), len(rules))
    counts = {name: _of_row(rows, name, len(rules)) for name in ("n", "f", "timed", "short_n", "short_f")}
    names = ("severity", "long_h", "short_h", "threshold")
    values = [[rule[4], rule[1], rule[2], rule[3]] for rule in rules]
    facts = {name: _literal(rows, [row[place] for row in values]) for place, name in enumerate(names)}
    table = _judged(rows.select(*groups, **facts, **counts), groups, objective, level, (fewest, fewest_failures))
    return BurnAlerts(table, objective, now, period_days, fewest, level, len(rules), given, counted)


def _tallies(units: ir.Table, rules: Any, now: datetime, fewest: int) -> dict[str, Any]:
    failed, confirming = units.status.isin(FAILURES), -(-fewest // SHORT)
    tallies: dict[str, Any] = {}
    for place, (_, long_h, short_h, _, _) in enumerate(rules):
        timed = units.moment > now - timedelta(hours=long_h)
        long = timed | (units["rank"] < fewest)
        short = (units.moment > now - timedelta(hours=short_h)) | (units["rank"] < confirming)
        tallies |= {f"n_{place}": units.count(where=long), f"f_{place}": units.count(where=long & failed)}
        tallies |= {f"timed_{place}": units.count(where=timed)}
        tallies |= {f"short_n_{place}": units.count(where=short), f"short_f_{place}": units.count(where=short & failed)}
    return tallies


def _judged(rows: ir.Table, groups: list[str], objective: float, level: float, fewest: tuple[int, int]) -> ir.Table:
    budget = 1 - objective
    rate, low, _ = wilson_expr(rows.f, rows.n, level)
    short_rate = rows.short_f.cast("float64") / rows.short_n.cast("float64").nullif(0.0)
    burn, low_burn, short_burn = rate / budget, low / budget, short_rate / budget
    burning = (burn >= rows.threshold) & (short_burn >= rows.threshold) & (low_burn > rows.threshold)
    verdict = ibis.cases(
        (rows.threshold * budget > 1, "cannot tell: no rate is so high"),
        (
            rows.n < fewest[0],
            ibis.literal("cannot tell: ") + rows.n.cast("string") + (rows.n == 1).ifelse(" run", " runs"),
        ),
        (burning.fill_null(False) & (rows.f >= fewest[1]), ALERT),
        else_="ok",
    )
    columns: list[Any] = [
        *groups,
        "severity",
        "long_h",
        "short_h",
        "threshold",
        "n",
        rows.f.name("failures"),
        burn.name("burn"),
    ]
    columns += [low_burn.name("low"), "short_n", short_burn.name("short_burn")]
    columns += [(rows.timed < rows.n).ifelse("runs", "time").name("window"), verdict.name("verdict")]
    return rows.select(*columns).order_by([*groups, "long_h", ibis.desc("threshold")])


def _recent(runs: ir.Table, by: list[str], now: datetime, hours: float, unit: Unit, roles: Sequence[str]) -> ir.Table:
    """The units that started after now - hours, not after now."""
    if now.tzinfo is None:
        raise ValueError(f"now: {now.isoformat()}: give it a time zone")
    if unit not in ("run", "root"):
        raise ValueError(f"unit: {unit!r}: write 'run' or 'root'")
    check_groups(runs, by, roles)
    units = dated(runs) if unit == "run" else roots(runs)
    return units.filter((units.moment > now - timedelta(hours=hours)) & (units.moment <= now))


def _counted(units: ir.Table, roles: Sequence[str]) -> ir.Table:
    return units.filter(units.status.isin(COUNTED), units.role.isin(list(roles)))


def _grouped(units: ir.Table, by: list[str], tallies: dict[str, Any]) -> ir.Table:
    return units.group_by(by).aggregate(**tallies) if by else units.aggregate(**tallies)


def _longer(rows: ir.Table, many: int) -> ir.Table:
    """A row per group and `place`, from one row with a column for each."""
    return rows.mutate(place=ibis.array([ibis.literal(place, type="int64") for place in range(many)]).unnest())


def _of_row(rows: ir.Table, name: str, many: int) -> Any:
    return (
        ibis.cases(
            *[(rows.place == place, rows[f"{name}_{place}"]) for place in range(many - 1)],
            else_=rows[f"{name}_{many - 1}"],
        )
        if many > 1
        else rows[f"{name}_0"]
    )


def _literal(rows: ir.Table, values: Sequence[Any]) -> Any:
    literals = [ibis.literal(value) for value in values]
    return (
        ibis.cases(*[(rows.place == place, value) for place, value in enumerate(literals[:-1])], else_=literals[-1])
        if len(literals) > 1
        else literals[0]
    )

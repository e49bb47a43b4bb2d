"""`mtbf_by_automation`: exposure, failures and time between failures of each automation, from a table of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import ibis.expr.types as ir
import numpy as np

from aftershock.metrics.repairable.fleet_trends import failure_trends
from aftershock.metrics.repairable.run_events import Clock, Event
from aftershock.metrics.results import Interval
from aftershock.metrics.units import named

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class MtbfByAutomation:
    """What `mtbf_by_automation` gives: `table` with a row per automation, shortest time between failures first."""

    table: pd.DataFrame = field(repr=False, compare=False)
    n: int
    automations: int
    event: Event
    exposure: Clock
    level: float
    left_out: int = 0

    @property
    def interval(self) -> Interval | None:
        """None: a row each."""
        return None

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table


def mtbf_by_automation(
    runs: ir.Table,
    *,
    by: Sequence[str] = ("automation",),
    event: Event = "incident",
    exposure: Clock = "hours",
    roles: Sequence[str] = ("work",),
    level: float = 0.95,
    despite_trend: bool = False,
) -> MtbfByAutomation:
    """Time (or runs) between failures per automation, with chi-square limits, only where `failure_trends` sees no trend.

    A row per group of `by`: the group, units, n (failure events), observed (hours, or units for `exposure="runs"`), mtbf, low, high in the same,
    direction, verdict. `mtbf` is null where there was no failure (then `low` is one-sided) and, unless `despite_trend`, where there is a trend.

    Events, roles and what observed means: as in `failure_trends`. `left_out` counts units of groups without a length of time: one unit alone.

    Raises: as `failure_trends`.
    Source: Epstein and Sobel (1953) JASA 48:486; NIST/SEMATECH e-Handbook 8.4.5.1.
    """
    from scipy.stats import chi2  # slow to import

    by, roles = named(by), named(roles)
    trends = failure_trends(runs, by=by, event=event, clock=exposure, roles=roles, level=level).table
    n, tail = trends["n"].to_numpy(dtype=float), (1 - level) / 2
    observed = trends["observed_h" if exposure == "hours" else "units"].to_numpy(dtype=float)
    able = observed > 0
    trend = trends["direction"].isin(["improving", "worsening"]).to_numpy()
    mute = ~able | (trend & (not despite_trend))
    some = np.where(n > 0, n, 1.0)
    below = np.where(n > 0, chi2.ppf(1 - tail, 2 * n + 2), chi2.ppf(level, 2))
    verdict = np.where(n == 0, "no failure: a lower limit only", trends["direction"])
    verdict = np.where(trend, np.char.add(trends["direction"].to_numpy(dtype=str), ": no mean to speak of"), verdict)
    table = trends[[*by, "units", "n"]].assign(
        observed=np.where(able, observed, np.nan),
        mtbf=np.where(mute | (n == 0), np.nan, observed / some),
        low=np.where(mute, np.nan, 2 * observed / below),
        high=np.where(mute | (n == 0), np.nan, 2 * observed / chi2.ppf(tail, 2 * some)),
        direction=trends["direction"],
        verdict=np.where(able, verdict, "one unit: no length of time"),
    )
    table = table.sort_values(["mtbf", "low", *by], kind="stable", na_position="last").reset_index(drop=True)
    return MtbfByAutomation(
        table, int(n.sum()), len(table), event, exposure, level, int(table.loc[~(table["observed"] > 0), "units"].sum())
    )

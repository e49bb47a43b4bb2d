"""`kaplan_meier`: the share not yet recovered over time, with what is still open counted as long as it was watched."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from aftershock.metrics.recovery.step_curves import TRANSFORMS, Transform, area, bounds, crossing
from aftershock.metrics.recovery.survival_data import (
    Durations,
    Floats,
    RiskTable,
    coded,
    durations_of,
    labels_of,
    number,
    one_of,
    risk_table,
    z_of,
)
from aftershock.metrics.results import Interval

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class KaplanMeier:
    """What `kaplan_meier` gives. `table` has a row per distinct time: time, at_risk, events, censored, survival, se, low, high."""

    n: int
    events: int
    censored: int
    left_out: int
    level: float
    transform: str
    variance: str
    table: pd.DataFrame = field(repr=False, compare=False)
    relative_se: Floats = field(repr=False, compare=False)
    pieces: RobustPieces | None = field(repr=False, compare=False, default=None)

    @property
    def interval(self) -> Interval:
        """The median with its interval."""
        return self.quantile(0.5)

    @property
    def median(self) -> float | None:
        """When half have had the event; None: the curve does not fall to half."""
        return self.quantile(0.5).estimate

    def quantile(self, share: float) -> Interval:
        """When this share (0.9: the 90th percentile) have had the event; None where the curve, or its bound, never gets there.

        Raises: ValueError for a share outside (0, 1).
        """
        if not 0 < share < 1:
            raise ValueError(f"quantile: {share!r}: write a share inside (0, 1), such as 0.5 for the median")
        times = self.table["time"].to_numpy()
        found = [crossing(times, self.table[name].to_numpy(), 1 - share) for name in ("survival", "low", "high")]
        return Interval(
            found[0], found[1], found[2], self.n, self.level, f"Kaplan-Meier, {self.transform}", self.left_out
        )

    def survival_at(self, time: float) -> Interval:
        """The share without the event at `time`, with its interval; None after the last time at which somebody was watched."""
        if np.isnan(time):
            raise ValueError("time: nan: write a number")
        times = self.table["time"].to_numpy()
        method = f"Kaplan-Meier, {self.transform}"
        place = int(np.searchsorted(times, time, side="right")) - 1
        if not self.n or (time > times[-1] and self.table["survival"].iloc[-1] > 0):
            return Interval(None, None, None, self.n, self.level, method, self.left_out)
        if place < 0:
            return Interval(1.0, 1.0, 1.0, self.n, self.level, method, self.left_out)
        row = [number(self.table[name].iloc[place]) for name in ("survival", "low", "high")]
        return Interval(row[0], row[1], row[2], self.n, self.level, method, self.left_out)

    def rmst(self, tau: float | None = None) -> Interval:
        """The mean time, no unit counted for more than `tau`: the area under the curve up to there, with a normal interval.

        Without `tau`, up to the longest time seen. None where `tau` lies beyond that and some had no event: nothing is known there.
        Bounds are None where no spread was seen before `tau`: one event, or all alike.
        Raises: ValueError for a `tau` that is not above 0.
        """
        estimate, se, end = self._area(tau)
        method = "restricted mean, normal" if end is None else f"restricted mean to {end:g}, normal"
        if estimate is None or se is None or end is None:
            return Interval(None, None, None, self.n, self.level, method, self.left_out)
        reach = z_of(self.level) * se
        if not reach:  # no spread was seen before tau: that is no certainty
            return Interval(estimate, None, None, self.n, self.level, method, self.left_out)
        low, high = max(estimate - reach, 0.0), min(estimate + reach, end)
        return Interval(estimate, low, high, self.n, self.level, method, self.left_out)

    def rmst_se(self, tau: float | None = None) -> float | None:
        """The standard error of `rmst`."""
        return self._area(tau)[1]

    def _area(self, tau: float | None) -> tuple[float | None, float | None, float | None]:
        if tau is not None and not tau > 0:
            raise ValueError(f"tau: {tau!r}: write a time above 0")
        if not self.n:
            return None, None, tau
        columns = {name: self.table[name].to_numpy(dtype=np.float64) for name in self.table.columns}
        last = float(columns["time"][-1])
        end = last if tau is None else float(tau)
        if end > last and columns["survival"][-1] > 0:
            return None, None, end
        estimate, variance = area(columns["time"], columns["survival"], columns["events"], columns["at_risk"], end)
        if self.pieces is not None:
            variance = self.pieces.area_variance(columns["time"], columns["survival"], end)
        return estimate, sqrt(variance), end

    def to_pandas(self) -> pd.DataFrame:
        """The table: a row per distinct time."""
        return self.table


@dataclass(frozen=True)
class RobustPieces:
    """Each cluster's pull on the logarithm of the curve: a row per cluster, a column per time."""

    influence: Floats

    def relative_se(self) -> Floats:
        """The standard error of log S at each time."""
        return np.asarray(np.sqrt((self.influence**2).sum(axis=0)), dtype=np.float64)

    def area_variance(self, time: Floats, survival: Floats, tau: float) -> float:
        """The variance of the area up to `tau`."""
        upto = time < tau
        widths = np.diff(np.concatenate([time[upto], [tau]]))
        return float(((self.influence[:, upto] * survival[upto] * widths).sum(axis=1) ** 2).sum())


def kaplan_meier(
    durations: Any,
    observed: Any = None,
    *,
    entry: Any = None,
    clusters: Any = None,
    transform: Transform = "log-log",
    level: float = 0.95,
) -> KaplanMeier:
    """The share that has not had the event yet, over time (product limit), with pointwise intervals.

    `durations` are times from the start to the event, or to where the watching ended; `observed` says which (left out: all had it).
    An incident that is still open goes in with the time it has been open and False: it counts in n and in who is at risk.
    `entry`: the time, on the same scale, from which on a unit was watched. `clusters`: units that go together (one outage, one
    automation); the variance is then the robust one over clusters, else Greenwood's. At equal times events come before censorings.

    `transform` is the scale on which the interval is made (R's conf.type): "log-log" by default, as in Klein and Moeschberger;
    R's own default is "log". Bounds are null where the curve is at 0. Quantiles follow R: where the curve lies exactly at the
    height, the middle of that stretch; null where it never falls so far. Any unit of time; results are in the same.

    Rows whose duration (or entry) is None or NaN are left out and counted. Nothing given: n = 0, an empty table, median None.
    Raises: ValueError for negative times, an entry not before the exit, unequal lengths, an unknown transform or level.
    Source: Kaplan and Meier (1958) JASA 53:457; equals R's survival::survfit.
    """
    z = z_of(level)
    one_of("transform", transform, TRANSFORMS)
    data = durations_of(durations, observed, entry)
    risk = risk_table(data)
    left = risk.at_risk - risk.events
    survival = np.cumprod(left / np.maximum(risk.at_risk, 1.0))
    pieces = None
    if clusters is None:
        with np.errstate(divide="ignore"):
            relative_se = np.sqrt(np.cumsum(risk.events / (risk.at_risk * left)))
    else:
        every = labels_of("clusters", clusters, len(data.kept))
        names = [name for name, kept in zip(every, data.kept, strict=True) if kept]
        pieces = RobustPieces(_influence(data, risk, coded(names)[1]))
        relative_se = pieces.relative_se()
    low, high = bounds(survival, relative_se, z, transform)
    table = _table(risk, survival, relative_se, low, high)
    counts = int(data.observed.sum()), int((~data.observed).sum())
    kind = "Greenwood" if clusters is None else "robust over clusters"
    return KaplanMeier(len(data), *counts, data.left_out, level, transform, kind, table, relative_se, pieces)


def _influence(data: Durations, risk: RiskTable, cluster: Any) -> Floats:
    """How log S at each time answers to a little more weight on each cluster (infinitesimal jackknife)."""
    left = risk.at_risk - risk.events
    rest = np.where(left > 0, left, np.inf)  # where nobody is left, S is 0 whatever the weights
    hazard = risk.events / risk.at_risk
    rows = []
    for one in range(int(cluster.max()) + 1 if len(cluster) else 0):
        mine = data.of(cluster == one)
        seen = mine.exit[mine.observed]
        died = np.bincount(np.searchsorted(risk.time, seen), minlength=len(risk.time))
        here = (mine.exit[:, None] >= risk.time) & ((mine.entry[:, None] < risk.time) | (mine.entry[:, None] == 0))
        rows.append(-np.cumsum((died - here.sum(axis=0) * hazard) / rest))
    return np.array(rows, dtype=np.float64).reshape(-1, len(risk.time))


def _table(risk: RiskTable, survival: Floats, relative_se: Floats, low: Floats, high: Floats) -> pd.DataFrame:
    import pandas as pd

    se = np.where(survival > 0, survival * np.where(survival > 0, relative_se, 0.0), np.nan)
    return pd.DataFrame(
        {
            "time": risk.time,
            "at_risk": risk.at_risk.astype(np.int64),
            "events": risk.events.astype(np.int64),
            "censored": risk.censored.astype(np.int64),
            "survival": survival,
            "se": se,
            "low": low,
            "high": high,
        }
    )

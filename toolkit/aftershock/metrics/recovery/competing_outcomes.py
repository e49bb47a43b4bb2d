"""`cumulative_incidence`: how an incident ended, where it can end in several ways and each forecloses the others."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from aftershock.metrics.recovery.step_curves import TRANSFORMS, Transform, bounds
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
class CumulativeIncidence:
    """What `cumulative_incidence` gives.

    `table` has a row per outcome and distinct time: outcome, time, at_risk, events, incidence, se, low, high.
    """

    n: int
    events: dict[Hashable, int]
    censored: int
    left_out: int
    level: float
    transform: str
    table: pd.DataFrame = field(repr=False, compare=False)

    @property
    def interval(self) -> None:
        """None: there is one estimate per outcome and time, see `incidence_at`."""
        return

    @property
    def outcomes(self) -> tuple[Hashable, ...]:
        """The outcomes, in their order."""
        return tuple(self.events)

    def incidence_at(self, outcome: Hashable, time: float) -> Interval:
        """The share that have ended this way by `time`; None after the last time at which somebody was watched.

        Raises: ValueError for an outcome that does not occur.
        """
        method = f"Aalen-Johansen, {self.transform}"
        if outcome not in self.events:
            raise ValueError(f"outcome: {outcome!r}: there are {', '.join(map(str, self.events)) or 'none'}")
        rows = self.table[self.table["outcome"] == outcome]
        place = int(np.searchsorted(rows["time"].to_numpy(), time, side="right")) - 1
        still_open = 1 - self.table.groupby("time")["incidence"].sum().iloc[-1] > 1e-12
        if time > rows["time"].iloc[-1] and still_open:
            return Interval(None, None, None, self.n, self.level, method, self.left_out)
        if place < 0:
            return Interval(0.0, 0.0, 0.0, self.n, self.level, method, self.left_out)
        row = [number(rows[name].iloc[place]) for name in ("incidence", "low", "high")]
        return Interval(row[0], row[1], row[2], self.n, self.level, method, self.left_out)

    def to_pandas(self) -> pd.DataFrame:
        """The table: a row per outcome and distinct time."""
        return self.table


def cumulative_incidence(
    durations: Any,
    outcomes: Any,
    *,
    entry: Any = None,
    transform: Transform = "log-log",
    level: float = 0.95,
) -> CumulativeIncidence:
    """The share that has ended in each way by each time (recovered, abandoned, superseded), with pointwise intervals.

    `outcomes` holds a label per row, None where it is still open. One minus Kaplan-Meier per outcome, the others taken as censored,
    is too high: what was superseded will not recover later. These curves and the share still open add up to 1 at every time.

    Variance by the delta method (Greenwood's where there is one outcome only). `transform` is the scale of the interval, applied to
    the share that has NOT ended this way; "log-log" by default. Arguments and left-out rows as for `kaplan_meier`.
    Raises: ValueError as `kaplan_meier` does.
    Source: Aalen and Johansen (1978) Scand J Stat 5:141; variance: Dinse and Larson (1986) Biometrika 73:379; Marubini and
    Valsecchi (1995), formula 10.12; R's survfit with a factor as event (its standard errors are the same) and cmprsk::cuminc.
    """
    import pandas as pd

    z = z_of(level)
    one_of("transform", transform, TRANSFORMS)
    every = labels_of("outcomes", outcomes, len(list(durations)))
    ended = [label is not None for label in every]
    data = durations_of(durations, ended, entry)
    labels = [label for label, kept in zip(every, data.kept, strict=True) if kept]
    kinds, place = coded([label for label in labels if label is not None])
    risk = risk_table(data)
    curves = [_curve(data, risk, place == one) for one in range(len(kinds))]
    frames = [_frame(kind, risk, curve, z, transform) for kind, curve in zip(kinds, curves, strict=True)]
    names = ["outcome", "time", "at_risk", "events", "incidence", "se", "low", "high"]
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=names)
    counts = {kind: int((place == one).sum()) for one, kind in enumerate(kinds)}
    return CumulativeIncidence(
        len(data), counts, len(data) - sum(counts.values()), data.left_out, level, transform, table
    )


def _curve(data: Durations, risk: RiskTable, mine: Any) -> tuple[Floats, Floats, Floats]:
    """(events of this kind, its cumulative incidence, its standard error) at each time."""
    seen = data.exit[data.observed][mine]
    kind = np.bincount(np.searchsorted(risk.time, seen), minlength=len(risk.time)).astype(np.float64)
    n, d = risk.at_risk, risk.events
    survival = np.cumprod(1 - d / n)
    before = np.concatenate([[1.0], survival[:-1]])
    incidence = np.cumsum(before * kind / n)
    # Var F(t) = sum of (F(t)-F(j))² a + b - 2 (F(t)-F(j)) c over j up to t. Where all leave at once nothing comes after: a = 0.
    a = np.where(n > d, d / (n * np.where(n > d, n - d, 1.0)), 0.0)
    b = before**2 * kind * (n - kind) / n**3
    c = before * kind / n**2
    f = incidence
    sums = {
        name: np.cumsum(value) for name, value in {"a": a, "fa": f * a, "ffa": f * f * a, "c": c, "fc": f * c}.items()
    }
    variance = f**2 * sums["a"] - 2 * f * sums["fa"] + sums["ffa"] + np.cumsum(b) - 2 * (f * sums["c"] - sums["fc"])
    return kind, incidence, np.sqrt(np.maximum(variance, 0.0))


def _frame(
    kind: Hashable, risk: RiskTable, curve: tuple[Floats, Floats, Floats], z: float, transform: str
) -> pd.DataFrame:
    import pandas as pd

    events, incidence, se = curve
    rest = 1 - incidence
    relative = np.where(rest > 0, se / np.where(rest > 0, rest, 1.0), 0.0)
    low, high = bounds(rest, relative, z, transform)
    return pd.DataFrame(
        {
            "outcome": [kind] * len(risk.time),
            "time": risk.time,
            "at_risk": risk.at_risk.astype(np.int64),
            "events": events.astype(np.int64),
            "incidence": incidence,
            "se": se,
            "low": 1 - high,
            "high": 1 - low,
        }
    )

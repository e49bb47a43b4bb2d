"""`nelson_aalen`: the cumulative hazard, ties taken as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from aftershock.metrics.recovery.survival_data import durations_of, number, one_of, risk_table, z_of
from aftershock.metrics.results import Interval

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class NelsonAalen:
    """What `nelson_aalen` gives.

    `table` has a row per distinct time: time, at_risk, events, censored, hazard, se_aalen, se_klein, low, high.
    """

    n: int
    events: int
    censored: int
    left_out: int
    level: float
    variance: str
    transform: str
    table: pd.DataFrame = field(repr=False, compare=False)

    @property
    def interval(self) -> Interval | None:
        """The cumulative hazard at the last time; None where nothing was given."""
        if not self.n:
            return None
        row = [number(self.table[name].iloc[-1]) for name in ("hazard", "low", "high")]
        method = f"Nelson-Aalen, {self.variance}, {self.transform}"
        return Interval(row[0], row[1], row[2], self.n, self.level, method, self.left_out)

    def to_pandas(self) -> pd.DataFrame:
        """The table: a row per distinct time."""
        return self.table


def nelson_aalen(
    durations: Any,
    observed: Any = None,
    *,
    entry: Any = None,
    variance: Literal["aalen", "klein"] = "aalen",
    transform: Literal["log", "plain"] = "log",
    level: float = 0.95,
) -> NelsonAalen:
    """The cumulative hazard H(t): the sum of events / at risk. Its slope is the rate of recovery per unit of time.

    Tied events are one step d/n, not smoothed into 1/n + 1/(n-1) + ... (lifelines does that unless told not to). Both standard
    errors are columns: `se_aalen`, from d/n² (R's std.chaz), and `se_klein`, from d(n-d)/(n²(n-1)); `variance` says which makes
    low and high. `transform` "log" keeps them above 0. Arguments as for `kaplan_meier`; null bounds before the first event.

    Raises: ValueError as `kaplan_meier` does, and for an unknown variance or transform.
    Source: Aalen (1978) Ann Stat 6:701; Klein (1991) Scand J Stat 18:333; Klein and Moeschberger (2003), section 4.2; equals
    the cumhaz of R's survival::survfit.
    """
    import pandas as pd

    z = z_of(level)
    one_of("variance", variance, ("aalen", "klein"))
    one_of("transform", transform, ("log", "plain"))
    data = durations_of(durations, observed, entry)
    risk = risk_table(data)
    n, d = risk.at_risk, risk.events
    hazard = np.cumsum(d / n)
    errors = {
        "se_aalen": np.sqrt(np.cumsum(d / n**2)),
        # Alone at risk the event was certain: nothing to add, and 0/0 without this.
        "se_klein": np.sqrt(np.cumsum(d * (n - d) / (n**2 * np.maximum(n - 1, 1)))),
    }
    se = errors[f"se_{variance}"]
    with np.errstate(divide="ignore", invalid="ignore"):
        if transform == "log":
            low, high = hazard * np.exp(-z * se / hazard), hazard * np.exp(z * se / hazard)
        else:
            low, high = np.maximum(hazard - z * se, 0.0), hazard + z * se
    none_yet = hazard == 0
    columns = {
        "time": risk.time,
        "at_risk": n.astype(np.int64),
        "events": d.astype(np.int64),
        "censored": risk.censored.astype(np.int64),
        "hazard": hazard,
        **errors,
        "low": np.where(none_yet, np.nan, low),
        "high": np.where(none_yet, np.nan, high),
    }
    counts = int(data.observed.sum()), int((~data.observed).sum())
    return NelsonAalen(len(data), *counts, data.left_out, level, variance, transform, pd.DataFrame(columns))

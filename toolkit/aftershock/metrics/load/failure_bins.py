"""`failure_by_load`: which share of runs failed, by how much was going on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from aftershock.metrics.load.load_cells import Measure, load_cells
from aftershock.metrics.proportions import wilson
from aftershock.metrics.units import named

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from aftershock.metrics.results import Interval


@dataclass(frozen=True)
class FailureByLoad:
    """What `failure_by_load` gives. `interval` is the share over all loads."""

    table: pd.DataFrame = field(repr=False, compare=False)
    measure: Measure
    n: int
    left_out: int
    interval: Interval

    def to_pandas(self) -> pd.DataFrame:
        """A row per bin of load."""
        return self.table


def failure_by_load(
    runs: ir.Table,
    *,
    measure: Measure = "volume",
    within: Sequence[str] = (),
    bins: int = 10,
    level: float = 0.95,
    roles: Sequence[str] = ("work",),
) -> FailureByLoad:
    """Share of ended runs that failed, by load, with a Wilson score interval and n.

    `measure="volume"`: load is the runs started in the same hour (UTC), of all roles; `"concurrency"`: the others under way when the run
    started. `within` says what shares the load: `("source",)`, say; without it everything in `runs` does. Runs are parted
    into at most `bins` bins of about the same n; runs with the same load are never parted.

    One row per bin, lightest first: from_load, to_load, load (mean over runs), n, failures, rate, low, high, days (different days in it).
    Empty where nothing ended. `left_out` counts runs of other roles and statuses, and those without any time.
    The intervals take runs as independent: those of one incident are not. `volume_knee` allows for that.

    Raises: UnknownColumnError if `within` names no column; UnknownNameError for an unknown role; ValueError for another measure,
    fewer than one bin, a level outside (0, 1).
    Source: Wilson (1927) JASA 22:209; equals R's prop.test(correct=FALSE) in each bin.
    """
    within, roles = named(within), named(roles)
    if bins < 1:
        raise ValueError(f"bins: {bins!r}: at least 1 is needed")
    overall = wilson(0, 0, level)
    cells = load_cells(runs, measure, within, roles).execute()
    given = int(runs.count().execute())
    cells = cells[cells["n"] > 0]
    n = int(cells["n"].sum())
    if n:
        overall = wilson(int(cells["failures"].sum()), n, level)
    return FailureByLoad(_binned(cells, bins, level), measure, n, given - n, overall)


def quantile_bins(load: np.ndarray, weight: np.ndarray, bins: int) -> np.ndarray:
    """The number of the bin of each load: bins of about the same weight; equal loads lie in the same one."""
    values, place = np.unique(load, return_inverse=True)
    per_value = np.bincount(place, weights=weight, minlength=len(values))
    middle = np.cumsum(per_value) - per_value / 2
    numbers = np.minimum((middle / per_value.sum() * bins).astype(int), bins - 1)
    return np.unique(numbers, return_inverse=True)[1][place]


def _binned(cells: pd.DataFrame, bins: int, level: float) -> pd.DataFrame:
    import pandas as pd

    columns = ["from_load", "to_load", "load", "n", "failures", "rate", "low", "high", "days"]
    if cells.empty:
        return pd.DataFrame({name: pd.Series(dtype="float64") for name in columns})
    cells = cells.assign(bin=quantile_bins(cells["load"].to_numpy(), cells["n"].to_numpy(), bins))
    cells["weighted"] = cells["load"] * cells["n"]
    grouped = cells.groupby("bin").agg(
        from_load=("load", "min"),
        to_load=("load", "max"),
        weighted=("weighted", "sum"),
        n=("n", "sum"),
        failures=("failures", "sum"),
        days=("day", "nunique"),
    )
    grouped["load"] = grouped["weighted"] / grouped["n"]
    shares = [wilson(int(x), int(n), level) for x, n in zip(grouped["failures"], grouped["n"], strict=True)]
    grouped["rate"] = [share.estimate for share in shares]
    grouped["low"], grouped["high"] = [share.low for share in shares], [share.high for share in shares]
    return grouped.reset_index(drop=True)[columns]

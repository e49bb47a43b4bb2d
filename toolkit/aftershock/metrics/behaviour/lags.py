"""`cross_correlation` and `lagged_failures`: does one thing go before another?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from aftershock.metrics.behaviour.failure_cells import failure_cells
from aftershock.metrics.behaviour.week_shifts import Calendar, Shifted, shifted
from aftershock.metrics.results import Interval
from aftershock.metrics.units import named

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd


@dataclass(frozen=True)
class CrossCorrelation:
    """What `cross_correlation` gives: a row per lag in `table` (lag, correlation), `peak` the one farthest from 0 with its limits.

    A correlation outside plus or minus `limit` is beyond chance at one lag if neither series depends on its own past (R draws this line);
    `limit_autocorrelated` allows for that they do, by `effective_n`.
    """

    table: pd.DataFrame = field(repr=False, compare=False)
    peak_lag: int | None
    peak: Interval
    limit: float | None
    limit_autocorrelated: float | None
    effective_n: float | None
    n: int
    left_out: int = 0

    @property
    def interval(self) -> Interval:
        """The correlation at the peak, Fisher's z with the effective n."""
        return self.peak

    def to_pandas(self) -> pd.DataFrame:
        """A row per lag."""
        return self.table


def cross_correlation(
    x: Sequence[float], y: Sequence[float], *, max_lag: int | None = None, level: float = 0.95
) -> CrossCorrelation:
    """Correlation of x[t + k] with y[t] for lags k: a peak at a positive lag says that y goes first, by k steps.

    Both series are regular and of one length; sums are divided by n at all lags, as R does. `max_lag` is floor(10 log10(n / 2)) unless
    given. Null where a series is constant or has fewer than 3 values.

    Raises: ValueError for two lengths, a value that is not finite, a max_lag below 0, a level outside (0, 1).
    Source: Box, Jenkins and Reinsel (1994) Time Series Analysis, chapter 11; Bartlett (1935) J R Stat Soc 98:536 (effective n);
    equals R's ccf(x, y).
    """
    a, b = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    _check(a, b, max_lag, level)
    n = len(a)
    lags = min(int(np.floor(10 * np.log10(n / 2))) if max_lag is None and n > 2 else max_lag or 0, max(n - 1, 0))
    if n < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return _nothing(n, level)
    import pandas as pd

    a, b = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
    places = np.arange(-lags, lags + 1)
    values = np.array([_at(a, b, int(k)) for k in places])
    alike = sum(_at(a, a, k) * _at(b, b, k) * (1 - k / n) for k in range(1, n // 4))
    effective = float(min(n, n / max(1 + 2 * alike, 1e-9)) if 1 + 2 * alike > 1 else n)
    z = NormalDist().inv_cdf((1 + level) / 2)
    best = int(np.argmax(np.abs(values).round(12)))
    peak = _fisher_z(float(values[best]), effective, n, z, level)
    frame = pd.DataFrame({"lag": places, "correlation": values})
    limits = z / n**0.5, z / effective**0.5
    return CrossCorrelation(frame, int(places[best]), peak, limits[0], limits[1], effective, n)


def _at(a: np.ndarray, b: np.ndarray, k: int) -> float:
    n = len(a)
    return float(a[k:] @ b[: n - k] if k >= 0 else a[: n + k] @ b[-k:]) / n


def _fisher_z(r: float, effective: float, n: int, z: float, level: float) -> Interval:
    if effective <= 4 or abs(r) >= 1:
        return Interval(r, None, None, n, level, "Fisher z, effective n")
    reach = z / (effective - 3) ** 0.5
    low, high = (float(np.tanh(np.arctanh(r) + sign * reach)) for sign in (-1, 1))
    return Interval(r, low, high, n, level, "Fisher z, effective n")


def _nothing(n: int, level: float) -> CrossCorrelation:
    import pandas as pd

    frame = pd.DataFrame({"lag": pd.Series(dtype="int64"), "correlation": pd.Series(dtype="float64")})
    none = Interval(None, None, None, n, level, "Fisher z, effective n")
    return CrossCorrelation(frame, None, none, None, None, None, n)


def _check(a: np.ndarray, b: np.ndarray, max_lag: int | None, level: float) -> None:
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"series of {a.size} and {b.size} values: both are to have the same steps")
    for name, values in (("x", a), ("y", b)):
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise ValueError(f"{name}[{bad[0]}]: {values[bad[0]]}: a gap has no correlation; fill it, or cut there")
    if max_lag is not None and max_lag < 0:
        raise ValueError(f"max_lag: {max_lag!r}: write 0 or more")
    if not 0 < level < 1:
        raise ValueError(f"level: {level!r}: write a share between 0 and 1, such as 0.95")


@dataclass(frozen=True)
class LaggedFailures:
    """What `lagged_failures` gives: a row per lag in `table` (lag_s, both, expected, p_value, p_adjusted).

    `best_lag_s` is the lag with the most above what is expected; `p_value` is its p over all lags; null under four weeks.
    """

    table: pd.DataFrame = field(repr=False, compare=False)
    verdict: str
    best_lag_s: int | None
    p_value: float | None
    first_failures: int
    then_failures: int
    weeks: int
    n: int
    left_out: int
    interval: Interval | None = None

    def to_pandas(self) -> pd.DataFrame:
        """A row per lag."""
        return self.table


def lagged_failures(
    runs: ir.Table,
    first: str,
    then: str,
    *,
    by: str = "automation",
    bin_s: int = 600,
    max_lag_s: int = 7200,
    time_zone: str = "UTC",
    permutations: int = 2000,
    roles: Sequence[str] = ("work",),
    level: float = 0.95,
    seed: int = 0,
) -> LaggedFailures:
    """Does a failure of `first` go before failures of `then`, by how many minutes, and beyond chance?

    One row per lag from 0 to `max_lag_s` in bins of `bin_s`: both (bins in which `first` failed and `then` failed a lag later), expected
    (as many in arrangements of shifted weeks, see `co_failure`), p_value, p_adjusted (against the most extreme of all lags). Bins in which one of the
    two did not run at that lag do not count. p-values are null under four weeks. Lag 0 says nothing about who was first.

    Raises: as `failure_pairs`; ValueError for a lag shorter than a bin.
    Source: Westfall and Young (1993) Resampling-Based Multiple Testing (p over all lags); Phipson and Smyth (2010).
    """
    roles = named(roles)
    if max_lag_s < bin_s:
        raise ValueError(f"max_lag_s: {max_lag_s!r}: at least one bin of {bin_s} s is needed")
    cells = failure_cells(runs, by=by, bin_s=bin_s, roles=roles)
    rows = cells.filter(cells.who.isin([first, then])).execute()
    n, given = int(rows["n"].sum()), int(runs.count().execute())
    one, two = (rows[rows["who"] == name] for name in (first, then))
    lags = np.arange(max_lag_s // bin_s + 1)
    bins = rows["bin"].to_numpy()
    calendar = Calendar.spanning(np.concatenate([bins, bins - lags[-1]]), bin_s, time_zone)
    grid = _grids(calendar, one, 0)
    counts = [shifted(*grid, *_grids(calendar, two, int(lag))) for lag in lags] if len(one) and len(two) else []
    failures = int((one["failures"] > 0).sum()), int((two["failures"] > 0).sum())
    table, best, p = _table(counts, lags * bin_s, permutations, seed)
    verdict = _lag_words(first, then, best, p, 1 - level)
    return LaggedFailures(table, verdict, best, p, *failures, calendar.weeks, n, given - n)


def _grids(calendar: Calendar, own: pd.DataFrame, lag: int) -> tuple[np.ndarray, np.ndarray]:
    bins = own["bin"].to_numpy() - lag
    return calendar.grid(bins), calendar.grid(bins[own["failures"].to_numpy() > 0])


def _table(
    counts: list[Shifted], lags_s: np.ndarray, permutations: int, seed: int
) -> tuple[pd.DataFrame, int | None, float | None]:
    import pandas as pd

    columns = ["lag_s", "both", "expected", "p_value", "p_adjusted"]
    if not counts:
        return pd.DataFrame({name: pd.Series(dtype="float64") for name in columns}), None, None
    both = np.array([one.both[:, 0].sum() for one in counts])
    # The same arrangements for all lags, so that the most extreme of each can be compared.
    draws = np.stack([one.draws([seed], permutations) for one in counts])
    actual = np.array([one.excess for one in counts])
    spread = np.maximum(draws.std(axis=1), 1e-9)
    expected = both - actual + draws.mean(axis=1)
    known = counts[0].n.shape[1] >= 4
    scores, drawn = (actual - draws.mean(axis=1)) / spread, (draws - draws.mean(axis=1)[:, None]) / spread[:, None]
    p = ((draws >= actual[:, None] - 1e-9).sum(axis=1) + 1) / (permutations + 1)
    adjusted = ((drawn.max(axis=0)[None] >= scores[:, None] - 1e-9).sum(axis=1) + 1) / (permutations + 1)
    frame = pd.DataFrame({"lag_s": lags_s, "both": both.astype(int), "expected": expected})
    frame["p_value"], frame["p_adjusted"] = (p, adjusted) if known else (np.nan, np.nan)
    best = int(np.argmax(scores))
    return frame, int(lags_s[best]), float(adjusted[best]) if known else None


def _lag_words(first: str, then: str, best: int | None, p: float | None, alpha: float) -> str:
    if best is None or p is None:
        return "cannot tell: fewer than 4 weeks in which both ran"
    if p > alpha:
        return f"no lag stands out: failures of {then} do not follow those of {first} beyond chance"
    if best == 0:
        return f"{first} and {then} fail at the same time"
    return f"failures of {then} follow those of {first} after about {best / 60:g} min"

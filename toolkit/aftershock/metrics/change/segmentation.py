"""`change_points`: several changes of a rate or mean, by exact segmentation, each with its interval."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from aftershock.metrics.change.control_chart import Floats
from aftershock.metrics.change.positions import (
    Model,
    check_shares,
    default_prior,
    log_bayes_factors,
    series,
    shortest,
    side,
)
from aftershock.metrics.results import Interval

if TYPE_CHECKING:
    import pandas as pd

Penalty = Literal["mbic", "bic"]
PENALTIES: Final = ("mbic", "bic")
FEWEST: Final = 40


@dataclass(frozen=True)
class ChangePoints:
    """The changes of a series and the segments between them. Positions count from 1; a change comes after its `position`.

    `table`, a row per change: position, low, high (credible interval, the changes beside it taken as known), before, after.
    `segments`, a row per segment: first, last, n, events (or the sum), rate (or mean), low, high. `n` counts observations, `left_out`
    those of n or exposure 0.
    """

    model: Model
    positions: tuple[int, ...]
    penalty: float
    level: float
    n: int
    left_out: int
    interval: Interval | None = None
    table: pd.DataFrame = field(repr=False, compare=False, kw_only=True)
    segments: pd.DataFrame = field(repr=False, compare=False, kw_only=True)

    def to_pandas(self) -> pd.DataFrame:
        """A row per change."""
        return self.table


def change_points(
    values: Any,
    *,
    n: Any = None,
    exposure: Any = None,
    model: Model | None = None,
    penalty: Penalty | float = "mbic",
    min_segment: int = 2,
    level: float = 0.95,
) -> ChangePoints:
    """Where a rate or mean changed, any number of times, with an interval for each and the rate of each segment.

    The models are those of `change_point`. Binomial and Poisson: the segmentation with the least deviance plus penalty among all
    (dynamic programming, exact). Normal means: ruptures' KernelCPD with the linear kernel, exact too; the variance comes from the
    differences of neighbours. `penalty`: `mbic` is Zhang and Siegmund's 3 log(n) a change (n of at least 40) and log(length / n) a
    segment (not for normal means), `bic` 2 log(n): it finds more, also where there is nothing; a number: deviance a change must save.
    `min_segment`: the fewest observations between changes. n counts observations, not runs.

    Raises: what `change_point` raises, and ValueError for an unknown penalty.
    Source: Jackson et al. (2005) IEEE Signal Processing Letters 12:105; Zhang and Siegmund (2007) Biometrics 63:22; Celisse et al.
    (2018) Computational Statistics and Data Analysis 128:200; ruptures: Truong et al. (2020) Signal Processing 167:107299.
    """
    check_shares(level)
    check_penalty(penalty, min_segment)
    kind, x, sizes = series(values, n, exposure, model)
    filled = sizes > 0
    cost, by_length = costs_of(penalty, np.array([filled.sum()]))
    ends = (
        _kernel(x, float(cost[0]), min_segment)
        if kind == "normal"
        else segment(kind, x[None, :], sizes[None, :], cost, by_length, min_segment)[0]
    )
    found = changes_of(kind, x, sizes, ends, level)
    left_out = int((~filled).sum())
    tables = {"table": _changes_table(found), "segments": _segments_table(kind, x, sizes, ends, level)}
    return ChangePoints(kind, tuple(ends), float(cost[0]), level, len(x) - left_out, left_out, **tables)


Change = tuple[int, int, int, Interval, Interval]


def changes_of(kind: Model, x: Floats, sizes: Floats, ends: list[int], level: float) -> list[Change]:
    """(position, low, high, before, after) of each change, from the posterior between its neighbours."""
    bounds = [0, *ends, len(x)]
    found = []
    for first, at, last in zip(bounds, bounds[1:], bounds[2:], strict=False):
        part, part_sizes = x[first:last], sizes[first:last]
        prior = default_prior(kind, float(part.sum()), float(part_sizes.sum()))
        logs = log_bayes_factors(kind, part, part_sizes, prior)
        weights = np.exp(logs - logs.max()) if np.isfinite(logs).all() else np.ones(len(logs))
        low, high = shortest(weights / weights.sum(), level, at - first - 1)
        before = side(kind, x[first:at], sizes[first:at], level)
        after = side(kind, x[at:last], sizes[at:last], level)
        found.append((at, first + low + 1, first + high + 1, before, after))
    return found


def check_penalty(penalty: Penalty | float, min_segment: int) -> None:
    """Refuses an unknown penalty and a segment without observations."""
    if isinstance(penalty, str) and penalty not in PENALTIES:
        raise ValueError(f"penalty: {penalty!r}: write 'mbic', 'bic' or a number")
    if not isinstance(penalty, str) and not penalty > 0:
        raise ValueError(f"penalty: {penalty!r}: write a number above 0")
    if min_segment < 1:
        raise ValueError(f"min_segment: {min_segment!r}: write a whole number of at least 1")


def costs_of(penalty: Penalty | float, counts: Any) -> tuple[Floats, bool]:
    """(penalty a change for series of `counts` observations each, whether a segment costs by its length too)."""
    logs = np.log(np.maximum(np.asarray(counts, dtype="float64"), 2.0))
    if penalty == "mbic":
        # Asymptotic, it finds changes in one of ten short series without any: 40 observations are the fewest it is taken for.
        return 3 * np.maximum(logs, np.log(FEWEST)), True
    return (2 * logs, False) if penalty == "bic" else (np.full(len(logs), float(penalty)), False)


def segment(
    kind: Model, x: Floats, sizes: Floats, penalty: Floats, by_length: bool, min_segment: int
) -> list[list[int]]:
    """The best segmentation of each row of `x` and `sizes`: the positions after which a new segment begins.

    Optimal partitioning for all rows at once: the best split of the first t is the best of the first s with a segment s..t.
    Observations of size 0 do not lengthen a segment; of splits that cost the same the earliest is taken.
    """
    rows, length = x.shape
    events, totals, filled = (_summed(part) for part in (x, sizes, sizes > 0))
    best = np.full((rows, length + 1), np.inf)
    best[:, 0] = -penalty
    came_from = np.zeros((rows, length + 1), dtype=np.int64)
    pick = np.arange(rows)
    whole = np.maximum(filled[:, -1:], 1)
    for t in range(1, length + 1):
        size = totals[:, t : t + 1] - totals[:, :t]
        cost = _deviance(kind, events[:, t : t + 1] - events[:, :t], size)
        long = filled[:, t : t + 1] - filled[:, :t]
        if by_length:
            cost = cost + np.log(np.maximum(long, 1) / whole)
        total = best[:, :t] + cost + penalty[:, None]
        # Where no split is long enough all cost the same, and the first is taken: no change.
        total[long < min_segment] = np.inf
        came_from[:, t] = np.argmin(total, axis=1)
        best[:, t] = total[pick, came_from[:, t]]
    return [_traced(came_from[row]) for row in range(rows)]


def _traced(came_from: Any) -> list[int]:
    ends, at = [], len(came_from) - 1
    while at > 0:
        at = int(came_from[at])
        if at > 0:
            ends.append(at)
    return ends[::-1]


def _deviance(kind: Model, x: Floats, size: Floats) -> Floats:
    """-2 log likelihood at the best rate, without what all segmentations share."""
    if kind == "binomial":
        return np.asarray(-2 * (_x_log_x(x) + _x_log_x(size - x) - _x_log_x(size)))
    rate_log = np.log(np.where(size > 0, size, 1.0))
    return np.asarray(-2 * (_x_log_x(x) - x * rate_log - x))


def _x_log_x(x: Floats) -> Floats:
    return np.asarray(x * np.log(np.where(x > 0, x, 1.0)))


def _summed(part: Any) -> Floats:
    return np.concatenate([np.zeros((len(part), 1)), np.cumsum(part, axis=1, dtype="float64")], axis=1)


def _kernel(x: Floats, penalty: float, min_segment: int) -> list[int]:
    """ruptures in units of the noise: the spread of neighbours' differences, which a few shifts do not widen."""
    if len(x) < 2 * min_segment:
        return []
    steps = np.diff(x)
    noise = float(np.median(np.abs(steps))) * 1.4826 / np.sqrt(2)
    # Where most neighbours are equal the median says nothing: take their mean square.
    noise = noise or float(np.sqrt((steps**2).mean() / 2))
    if noise == 0:
        return []
    import ruptures

    model = ruptures.KernelCPD(kernel="linear", min_size=min_segment).fit(((x - np.median(x)) / noise)[:, None])
    return [int(at) for at in model.predict(pen=penalty)[:-1]]


def _changes_table(found: list[Change]) -> pd.DataFrame:
    import pandas as pd

    rows = [(at, low, high, before.estimate, after.estimate) for at, low, high, before, after in found]
    return pd.DataFrame(rows, columns=["position", "low", "high", "before", "after"])


def _segments_table(kind: Model, x: Floats, sizes: Floats, ends: list[int], level: float) -> pd.DataFrame:
    import pandas as pd

    bounds = [0, *ends, len(x)] if len(x) else [0]
    rows = []
    for first, last in pairwise(bounds):
        part = side(kind, x[first:last], sizes[first:last], level)
        size, total = float(sizes[first:last].sum()), float(x[first:last].sum())
        rows.append((first + 1, last, size, total, part.estimate, part.low, part.high))
    return pd.DataFrame(rows, columns=["first", "last", "n", "events", "rate", "low", "high"])

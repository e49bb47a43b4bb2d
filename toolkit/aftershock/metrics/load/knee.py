"""`logistic_knee`: the load at which failures become twice as frequent, from counts, with its interval and a verdict in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from aftershock.metrics.load.failure_bins import quantile_bins
from aftershock.metrics.load.logistic import Counts, Line, clustered_line, doubled, fieller, fitted
from aftershock.metrics.results import Interval

if TYPE_CHECKING:
    import pandas as pd

Shape = Literal["straight", "broken"]
_FEWEST_CLUSTERS = 8
_FEWEST_FAILURES = 10
_FEWEST_ABOVE = 5
_BINS = 60
_REPLICATES = 400


@dataclass(frozen=True)
class LogisticKnee:
    """What `logistic_knee` gives. `knee` has an estimate only where the data bear one; `verdict` says so in words.

    `slope` is what one unit of load adds to the log odds of failing. `baseline` is the rate at `baseline_load`. `shape` is the curve
    that fits better, `bend` the load at which a broken one turns up. `se_log` is the standard error of the knee's logarithm.
    """

    verdict: str
    knee: Interval
    slope: Interval
    baseline_load: float | None
    baseline: float | None
    shape: Shape
    bend: float | None
    aic_straight: float | None
    aic_broken: float | None
    dispersion: float | None
    clusters: int
    n: int
    left_out: int
    table: pd.DataFrame = field(repr=False, compare=False)

    @property
    def interval(self) -> Interval:
        """The load at which the rate is twice the baseline."""
        return self.knee

    @property
    def se_log(self) -> float:
        """The standard error of the knee's logarithm, from its bounds; 0 where there is no knee."""
        if self.knee.low is None or self.knee.high is None or self.knee.low <= 0:
            return 0.0
        return float(np.log(self.knee.high / self.knee.low) / 3.92)

    def to_pandas(self) -> pd.DataFrame:
        """The curve: load, rate (fitted), and the share observed in bins of load: n, failures."""
        return self.table


def logistic_knee(
    load: Sequence[float],
    failures: Sequence[int],
    n: Sequence[int],
    *,
    clusters: Sequence[Any] | None = None,
    repeats: Sequence[int] | None = None,
    level: float = 0.95,
    unit: str = "runs/h",
    seed: int = 0,
) -> LogisticKnee:
    """The load at which failures are twice as frequent as at light load, where a logistic curve says so beyond chance.

    A row per observation (an hour, say): its load, and how many of its n runs failed; `clusters` names the day or incident
    it belongs to (without it each row is its own), `repeats`
    how many observations it stands for (without it one). Light load is where the lightest tenth of the runs ends. The slope's interval lets
    runs of a cluster hang together (CR3, t with clusters - 1). The curve is straight in the log odds, or flat up to a bend
    where that fits better by AIC (deviance over dispersion, so QAIC). The knee's interval is Fieller's for a straight curve, a bootstrap over clusters
    (400, percentiles) for a broken one. Rows with n 0 are left out and counted.

    No knee: the slope's interval holds 0, or the rate falls with load, or would double only beyond the loads seen. Cannot tell: fewer
    than 8 clusters or 10 failures, one load only, or fewer than 5 observations at or above the knee.

    Raises: ValueError for different lengths, counts that do not fit, a load that is not finite, a level outside (0, 1).
    Source: McCullagh and Nelder (1989) Generalized Linear Models, chapter 4; Bell and McCaffrey (2002); Fieller (1954); Muggeo (2003) Stat Med 22:3055
    for broken lines.
    """
    counts, left_out = _counts(load, failures, n, clusters, repeats, level)
    total, hits = int(counts.n.sum()), int(counts.failures.sum())
    why = _too_little(counts, hits)
    if why:
        return _untold(why, counts, total, left_out, level)
    from scipy.stats import t

    scale = float(counts.load.max())
    z = counts.load / scale
    line = clustered_line(z, counts)
    quantile = float(t.ppf((1 + level) / 2, counts.clusters - 1))
    error = float(line.covariance[1, 1]) ** 0.5
    slope = Interval(
        line.b / scale,
        (line.b - quantile * error) / scale,
        (line.b + quantile * error) / scale,
        total,
        level,
        "logistic, CR3 by cluster",
    )
    base = _weighted_quantile(z, counts.n, 0.1)
    bend, aics = _bend(z, counts, line, base)
    if bend is None:
        estimate, low, high = fieller(line, base, quantile)
        method = "Fieller"
    else:
        estimate, low, high = _bootstrap(z, counts, bend, level, seed)
        method = "bootstrap over clusters"
    found = [None if value is None or not np.isfinite(value) else value * scale for value in (estimate, low, high)]
    curve = _curve(z, counts, line, bend)
    verdict, told = _verdict(slope, found, counts, unit, curve[1](base), base * scale)
    knee = Interval(
        found[0] if told else None, found[1] if told else None, found[2] if told else None, total, level, method
    )
    return LogisticKnee(
        verdict,
        knee,
        slope,
        base * scale,
        curve[1](base),
        "straight" if bend is None else "broken",
        None if bend is None else bend * scale,
        aics[0],
        aics[1],
        line.dispersion,
        counts.clusters,
        total,
        left_out,
        curve[0],
    )


def _counts(load: Any, failures: Any, n: Any, clusters: Any, repeats: Any, level: float) -> tuple[Counts, int]:
    x, y, of = (np.asarray(values, dtype=float) for values in (load, failures, n))
    if not x.shape == y.shape == of.shape or x.ndim != 1:
        raise ValueError(f"{x.size} loads, {y.size} failures, {of.size} n: each row needs all three")
    if clusters is not None and len(clusters) != len(x):
        raise ValueError(f"{len(clusters)} clusters for {len(x)} rows: each row needs its cluster")
    if not 0 < level < 1:
        raise ValueError(f"level: {level!r}: write a share between 0 and 1, such as 0.95")
    bad = np.flatnonzero(~(np.isfinite(x) & (x >= 0) & (y >= 0) & (y <= of)))
    if len(bad):
        at = int(bad[0])
        raise ValueError(f"row {at}: load {x[at]:g}, {y[at]:g} failures of {of[at]:g}: 0 <= failures <= n, load from 0")
    names = np.arange(len(x)) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    good = of > 0
    numbers = np.unique(names[good], return_inverse=True)[1]
    times = np.ones_like(x) if repeats is None else np.asarray(repeats, dtype=float)
    # In one order, whatever order the rows came in: sums of doubles depend on it.
    order = np.lexsort((y[good], of[good], x[good], numbers))
    one, two, three, four = (column[good][order] for column in (x, y, of, times))
    return Counts(one, two, three, numbers[order], four), int((~good).sum())


def _too_little(counts: Counts, hits: int) -> str | None:
    if counts.clusters < _FEWEST_CLUSTERS:
        return f"only {counts.clusters} days or clusters, {_FEWEST_CLUSTERS} are needed"
    if hits < _FEWEST_FAILURES:
        return f"only {hits} failures, {_FEWEST_FAILURES} are needed"
    if hits == counts.n.sum():
        return "everything failed"
    return "there is only one load" if len(np.unique(counts.load)) < 3 else None


def _weighted_quantile(z: np.ndarray, weight: np.ndarray, share: float) -> float:
    order = np.argsort(z, kind="stable")
    reached = np.cumsum(weight[order])
    return float(z[order][np.searchsorted(reached, share * reached[-1])])


def _bends(z: np.ndarray, weight: np.ndarray, base: float) -> np.ndarray:
    places = np.array([_weighted_quantile(z, weight, share) for share in np.linspace(0.15, 0.95, 25)])
    return np.unique(places[places > base])


def _bend(
    z: np.ndarray, counts: Counts, line: Line, base: float
) -> tuple[float | None, tuple[float | None, float | None]]:
    """The load at which a broken line turns up, where it fits better than a straight one by QAIC."""
    bends = _bends(z, counts.n, base)
    straight = line.deviance / line.dispersion + 2 * 2
    if not len(bends):
        return None, (straight, None)
    _, slopes, likelihood = fitted(np.maximum(0, z - bends[:, None]), counts.failures[None], counts.n[None])
    best = int(np.argmax(likelihood))
    broken = float(-2 * likelihood[best]) / line.dispersion + 2 * 3
    better = broken < straight and slopes[best] > 0
    return (float(bends[best]) if better else None), (straight, broken)


def _bootstrap(z: np.ndarray, counts: Counts, bend: float, level: float, seed: int) -> tuple[float, float, float]:
    """The doubling load of a broken line, with percentiles over clusters drawn anew; infinite where the line does not turn up."""
    number = quantile_bins(z, counts.n, _BINS)
    bins = int(number.max()) + 1
    shape = (counts.clusters, bins)
    sums = [
        np.bincount(counts.cluster * bins + number, weights=weight, minlength=shape[0] * bins).reshape(shape)
        for weight in (counts.n, counts.failures)
    ]
    centre = np.bincount(number, weights=z * counts.n) / np.bincount(number, weights=counts.n)
    bends = np.unique([*_bends(z, counts.n, _weighted_quantile(z, counts.n, 0.1)), bend])
    drawn = np.random.default_rng(seed).multinomial(shape[0], np.full(shape[0], 1 / shape[0]), size=_REPLICATES)
    n, failures = ((drawn @ part)[:, None, :] for part in sums)
    a, b, likelihood = fitted(np.maximum(0, centre - bends[:, None])[None], failures, n)
    best, at = np.argmax(likelihood, axis=1), np.arange(_REPLICATES)
    draws = _turned(a[at, best], b[at, best], bends[best])
    one_a, one_b, _ = fitted(np.maximum(0, z - bend), counts.failures, counts.n)
    tail = (1 - level) / 2
    # Order statistics, not interpolation: infinity stands in the list.
    low, high = (float(np.quantile(draws, share, method="nearest")) for share in (tail, 1 - tail))
    estimate = float(_turned(np.asarray([one_a]), np.asarray([one_b]), np.asarray([bend]))[0])
    return estimate, min(low, estimate), max(high, estimate)


def _turned(a: np.ndarray, b: np.ndarray, bend: np.ndarray) -> np.ndarray:
    target, _ = doubled(a, b, np.zeros_like(a))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b > 1e-9, bend + (target - a) / b, np.inf)


def _curve(z: np.ndarray, counts: Counts, line: Line, bend: float | None) -> tuple[pd.DataFrame, Any]:
    import pandas as pd

    scale = float(counts.load.max())
    a, b, start = line.a, line.b, 0.0
    if bend is not None:
        (a, b, _), start = fitted(np.maximum(0, z - bend), counts.failures, counts.n), bend

    def rate(at: Any) -> Any:
        share = 1 / (1 + np.exp(-(a + b * (np.maximum(0, at - start) if bend is not None else at))))
        return float(share) if np.ndim(share) == 0 else share

    number = quantile_bins(z, counts.n, 20)
    n, failures = (np.bincount(number, weights=weight) for weight in (counts.n, counts.failures))
    load = np.bincount(number, weights=z * counts.n) / n
    frame = pd.DataFrame(
        {"load": load * scale, "rate": rate(load), "n": n.astype(int), "failures": failures.astype(int)}
    )
    return frame, rate


def _verdict(
    slope: Interval, found: list[float | None], counts: Counts, unit: str, rate: float, base: float
) -> tuple[str, bool]:
    estimate, low, high = found
    highest = float(counts.load.max())
    if slope.high is not None and slope.high < 0:
        return "no knee: failures become rarer as load grows", False
    if slope.low is not None and slope.low <= 0:
        return "no knee: slope interval holds 0", False
    if estimate is None or low is None:
        return "no knee: the rate does not double at any load", False
    if estimate > highest:
        return f"no knee up to {highest:.0f} {unit}, the highest seen: the rate would double at {estimate:.0f}", False
    above = int(counts.repeats[counts.load >= estimate].sum())
    word = "hours" if unit == "runs/h" else "runs"
    if above < _FEWEST_ABOVE:
        return f"cannot tell: only {above} {word if above != 1 else word[:-1]} above {estimate:.0f} {unit}", False
    if high is None:
        return f"cannot tell: the knee's interval has no upper end above {low:.0f} {unit}", False
    words = f"knee at {estimate:.0f} {unit} ({low:.0f} to {high:.0f})"
    return f"{words}: there failures are twice as frequent as at {base:.0f} ({rate:.2%})", True


def _untold(why: str, counts: Counts, total: int, left_out: int, level: float) -> LogisticKnee:
    import pandas as pd

    none = Interval(None, None, None, total, level, "none")
    empty = pd.DataFrame({name: pd.Series(dtype="float64") for name in ("load", "rate", "n", "failures")})
    tail = (None, None, "straight", None, None, None, None)
    return LogisticKnee(f"cannot tell: {why}", none, none, *tail, counts.clusters, total, left_out, empty)  # type: ignore[arg-type]

"""`cluster_bootstrap`: the interval of a rate whose runs fail together: by day, by incident, by whatever they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, log, sqrt
from typing import TYPE_CHECKING, Any, Final, Literal

import ibis
import ibis.expr.types as ir
import numpy as np
from numpy.typing import ArrayLike

from aftershock.metrics.proportions.counts import Counts, Floats, counts
from aftershock.metrics.proportions.failure_rates import failure_rate
from aftershock.metrics.proportions.intervals import check_level, wilson
from aftershock.metrics.proportions.many_intervals import wilson_bounds
from aftershock.metrics.proportions.shares import BUCKETS
from aftershock.metrics.results import Interval, one_row
from aftershock.metrics.units import named

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.periods import Period

Tails = Literal["bca", "percentile"]
# Resampling cannot show more than was seen: from four days it says next to nothing, from nineteen too little.
FEWEST_CLUSTERS: Final = 5
ENOUGH_CLUSTERS: Final = 20
_CELLS: Final = 2_000_000  # of one block of resamples: memory


@dataclass(frozen=True)
class ClusterBootstrap:
    """What `cluster_bootstrap` gives: the rate with bounds from whole clusters drawn again and again.

    `design_effect` is the variance between clusters over that of as many independent runs, `effective_n` is
    n / design_effect: how many independent runs would tell as much. `linearised` holds the bounds of the ratio
    estimator's variance (logit, t with clusters - 1 degrees of freedom), `independent` Wilson's, as if there were no
    clusters. `verdict`: `enough clusters`, `few clusters` (under 20: bounds are widened by t, and may still be too
    narrow) or `too few clusters` (under 5: no bounds; look at `linearised`).
    """

    rate: float | None
    low: float | None
    high: float | None
    n: int
    left_out: int
    clusters: int
    design_effect: float | None
    effective_n: float | None
    linearised: Interval
    independent: Interval
    level: float
    method: str
    verdict: str
    replicates: Floats = field(repr=False, compare=False)

    @property
    def interval(self) -> Interval:
        """The rate with its bootstrap bounds."""
        return Interval(self.rate, self.low, self.high, self.n, self.level, self.method, self.left_out)

    def minus(self, other: ClusterBootstrap) -> Interval:
        """This rate less that of other clusters (another period, say), with percentile bounds from both resamples.

        The bounds are null where either has too few clusters, or no resample differs. `n` is that of both.
        """
        n, method = self.n + other.n, "cluster bootstrap, difference"
        if self.rate is None or other.rate is None:
            return Interval(None, None, None, n, self.level, method)
        change = self.rate - other.rate
        size = min(self.replicates.size, other.replicates.size)
        if size == 0:
            return Interval(change, None, None, n, self.level, method)
        # One seed serves both: in one order they would move together, and the difference would look too sure.
        mixed = np.random.default_rng(size).permutation(other.replicates)[:size]
        tail = _tail(min(self.clusters, other.clusters), self.level)
        low, high = np.quantile(self.replicates[:size] - mixed, [tail, 1 - tail])
        return Interval(change, float(low), float(high), n, self.level, method)

    def to_pandas(self) -> pd.DataFrame:
        """One row."""
        return one_row(self)


def cluster_bootstrap(
    runs_or_x: ir.Table | ArrayLike,
    n: ArrayLike | None = None,
    *,
    cluster: str = "day",
    period: Period | None = None,
    roles: Sequence[str] = ("work",),
    method: Tails = "bca",
    level: float = 0.95,
    repetitions: int = 5000,
    seed: int = 0,
) -> ClusterBootstrap:
    """A failure rate with the interval of runs that fail together: clusters, not runs, are what is independent.

    Takes a table of runs or arrays: x failures of n runs for each cluster. `cluster` is `day`, `week` or `hour` of the
    period, or a column (`correlation_id`, `root_run_id`, `fingerprint` of an outage); a run without a value is a cluster
    of its own. Days serve where outages end by night; where they last for days, take weeks.

    Where all clusters failed, or none, resampling has nothing to draw: the bounds are Wilson's with clusters for n, as if
    a cluster said one thing. Where all clusters have one rate that is neither, they are Wilson's with n.
    `left_out` counts cancelled and skipped runs, or clusters without numbers; clusters with n = 0 are none.

    Raises: what `failure_rate` raises; ValueError for another method, a level outside (0, 1), repetitions under 100.
    Source: Davison and Hinkley (1997) Bootstrap Methods, 2.4 and 3.8; Efron (1987) JASA 82:171 (BCa); Hesterberg (2015)
    American Statistician 69:371 (wider with few clusters); Kish (1965) Survey Sampling (design effect). `linearised`
    equals svyciprop(method="logit") of R's survey.
    """
    roles = named(roles)
    check_level(level)
    if method not in ("bca", "percentile"):
        raise ValueError(f"method: {method!r}: write 'bca' or 'percentile'")
    if repetitions < 100:
        raise ValueError(f"repetitions: {repetitions!r}: fewer than 100 say nothing about a tail; 5000 do")
    kinds, left_out = _clusters(runs_or_x, n, cluster, period, roles)
    x, size, times = kinds
    hits, total, clusters = int(times @ x), int(times @ size), int(times.sum())
    plain = wilson(hits, total, level)
    effect = _design_effect(kinds)
    linear = _linearised(kinds, effect, plain, level)
    verdict = "too few" if clusters < FEWEST_CLUSTERS else "few" if clusters < ENOUGH_CLUSTERS else "enough"
    low, high, told, drawn = None, None, f"cluster bootstrap, {method}", np.empty(0)
    if clusters >= FEWEST_CLUSTERS and effect:
        drawn = _replicates(kinds, repetitions, seed)
        low, high = _bounds(drawn, kinds, method, level)
    elif clusters >= FEWEST_CLUSTERS:
        low, high, told = linear.low, linear.high, linear.method
    return ClusterBootstrap(
        rate=plain.estimate,
        low=low,
        high=high,
        n=total,
        left_out=left_out,
        clusters=clusters,
        design_effect=effect,
        effective_n=total / effect if effect else None,
        linearised=linear,
        independent=plain,
        level=level,
        method=told,
        verdict=f"{verdict} clusters",
        replicates=drawn,
    )


Kinds = tuple[Floats, Floats, Floats]  # x, n, and how many clusters are of this kind


def _clusters(
    runs_or_x: ir.Table | ArrayLike, n: ArrayLike | None, cluster: str, period: Period | None, roles: Sequence[str]
) -> tuple[Kinds, int]:
    """The distinct (x, n) of clusters: ten million runs in a million clusters are a few hundred kinds."""
    if not isinstance(runs_or_x, ir.Table):
        if n is None:
            raise ValueError("n is missing: give x and n per cluster, or a table of runs")
        given = counts(runs_or_x, n)
        some = given.n > 0
        return Counts(given.x[some], given.n[some], given.kept[some], 0).pairs, given.left_out
    if n is not None:
        raise ValueError("n goes with an array of counts: a table of runs has its own")
    runs = runs_or_x
    if cluster in runs.columns:
        runs = runs.mutate(**{cluster: ibis.coalesce(runs[cluster].cast("string"), runs.run_id)})
    elif cluster in BUCKETS and period is None:
        raise ValueError(f"cluster {cluster!r} needs a period: its time zone says when a {cluster} begins")
    rows = failure_rate(runs, by=(cluster,), period=period, roles=roles).table
    kinds = rows.group_by(["failures", "n"]).aggregate(times=rows.count(), left_out=rows.left_out.sum()).to_pandas()
    some_rows = kinds[kinds["n"] > 0].sort_values(["failures", "n"])
    x, size, times = (some_rows[name].to_numpy(dtype="float64") for name in ("failures", "n", "times"))
    return (x, size, times), int(kinds["left_out"].sum())


def _design_effect(kinds: Kinds) -> float | None:
    """Between-cluster variance of the ratio over the binomial's; null for one cluster, or where all or none failed."""
    x, n, times = kinds
    clusters, total = float(times.sum()), float(times @ n)
    rate = float(times @ x) / total if total else 0.0
    if clusters < 2 or not 0 < rate < 1:
        return None
    variance = clusters / (clusters - 1) * float(times @ (x - rate * n) ** 2) / total**2
    # What is left of equal rates after subtraction is rounding, no spread.
    return variance * total / (rate * (1 - rate)) if variance * total > 1e-12 else 0.0


def _linearised(kinds: Kinds, effect: float | None, plain: Interval, level: float) -> Interval:
    from scipy.stats import t

    clusters, rate = int(kinds[2].sum()), plain.estimate
    if rate is None:
        return Interval(None, None, None, 0, level, "linearised")
    if not 0 < rate < 1:
        low, high = wilson_bounds(np.array([rate * clusters]), np.array([float(clusters)]), level)
        return Interval(rate, float(low[0]), float(high[0]), plain.n, level, "wilson of clusters")
    if effect is None:
        return Interval(rate, None, None, plain.n, level, "linearised")
    if effect == 0:
        return Interval(rate, plain.low, plain.high, plain.n, level, "wilson")
    reach = float(t.ppf((1 + level) / 2, clusters - 1)) * sqrt(effect / (plain.n * rate * (1 - rate)))
    odds = log(rate / (1 - rate))
    return Interval(rate, _share(odds - reach), _share(odds + reach), plain.n, level, "linearised")


def _share(odds: float) -> float:
    return 1 / (1 + exp(-odds)) if odds > -700 else 0.0


def _replicates(kinds: Kinds, repetitions: int, seed: int) -> Floats:
    """Rates of resampled clusters. How often each kind is drawn is multinomial: the same as drawing one by one."""
    x, n, times = kinds
    generator = np.random.default_rng(seed)
    clusters, shares = int(times.sum()), times / times.sum()
    block = max(_CELLS // x.size, 1)
    drawn: list[Any] = []
    for first in range(0, repetitions, block):
        often = generator.multinomial(clusters, shares, size=min(block, repetitions - first))
        drawn.append((often @ x) / (often @ n))
    return np.concatenate(drawn)


def _bounds(drawn: Floats, kinds: Kinds, method: str, level: float) -> tuple[float, float]:
    from scipy.stats import norm

    x, n, times = kinds
    tail = _tail(int(times.sum()), level)
    shares = np.array([tail, 1 - tail])
    if method == "bca":
        rate = float(times @ x) / float(times @ n)
        below = float((drawn < rate).mean() + (drawn == rate).mean() / 2)
        bias = float(norm.ppf(min(max(below, 1 / drawn.size), 1 - 1 / drawn.size)))
        # The clusters left out one at a time say how the spread changes with the rate.
        without = (times @ x - x) / (times @ n - n)
        off = float(times @ without / times.sum()) - without
        bend = float(times @ off**3) / (6 * float(times @ off**2) ** 1.5)
        moved = bias + norm.ppf(shares)
        shares = norm.cdf(bias + moved / np.maximum(1 - bend * moved, 1e-9))
    low, high = np.quantile(drawn, shares)
    return float(low), float(high)


def _tail(clusters: int, level: float) -> float:
    """The tail to read off: wider than asked, as t is wider than z and a resample's spread narrower than the truth's."""
    from scipy.stats import norm, t

    return float(norm.cdf(-sqrt(clusters / (clusters - 1)) * t.ppf((1 + level) / 2, clusters - 1)))

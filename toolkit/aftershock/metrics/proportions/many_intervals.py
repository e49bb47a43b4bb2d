"""`proportion_intervals`: the interval of each of thousands of shares at once, by any method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from aftershock.metrics.proportions.counts import Counts, Floats, counts, labels
from aftershock.metrics.proportions.intervals import check_level, normal_quantile, wilson
from aftershock.metrics.results import Interval

if TYPE_CHECKING:
    import pandas as pd

Method = Literal[
    "wilson", "wilson_cc", "clopper_pearson", "jeffreys", "mid_p", "likelihood_ratio", "agresti_coull", "plus_four"
]
_Bounds = tuple[Floats, Floats]


@dataclass(frozen=True)
class ProportionIntervals:
    """What `proportion_intervals` gives. `table`: a row per group with name, x, n, share, low, high; null where n is 0.

    `n` is the sum over all groups, `left_out` counts groups without numbers, `interval` is Wilson's of all together.
    """

    n: int
    left_out: int
    interval: Interval
    level: float
    method: str
    table: pd.DataFrame = field(repr=False, compare=False)

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table


def proportion_intervals(
    x: ArrayLike, n: ArrayLike, *, method: Method = "wilson", level: float = 0.95, names: Sequence[Any] | None = None
) -> ProportionIntervals:
    """An interval per group for x of n, all at once: five thousand automations take milliseconds.

    The numbers are those of the function called like the method; `share` is x/n whatever the method. A group whose x or n
    is missing is left out and counted.

    Raises: ValueError for an unknown method, a level outside (0, 1), or the first group that is not 0 <= x <= n.
    Source: that of each method's own function.
    """
    import pandas as pd

    check_level(level)
    if method not in _METHODS:
        raise ValueError(f"method: {method!r}: there are: {', '.join(_METHODS)}")
    given = counts(x, n)
    called = labels(names, given.x.size + given.left_out)
    share, low, high = bounds(given, method, level)
    table = pd.DataFrame(
        {"name": [called[at] for at in given.kept], "x": given.x.astype(int), "n": given.n.astype(int)}
    )
    table = table.assign(share=share, low=low, high=high)
    hits, total = int(given.x.sum()), int(given.n.sum())
    return ProportionIntervals(total, given.left_out, wilson(hits, total, level), level, method, table)


def bounds(given: Counts, method: str, level: float) -> tuple[Floats, Floats, Floats]:
    """(share, low, high) per group; NaN where n is 0."""
    share, low, high = (np.full(given.n.shape, np.nan) for _ in range(3))
    some = given.n > 0
    x, n = given.x[some], given.n[some]
    share[some] = x / n
    if some.any():
        low[some], high[some] = (np.clip(bound, 0.0, 1.0) for bound in _METHODS[method](x, n, level))
    return share, low, high


def wilson_bounds(x: Floats, n: Floats, level: float) -> _Bounds:
    """Wilson's bounds for arrays; x and n need not be whole, n is above 0."""
    z = normal_quantile(level)
    p, spread = x / n, z * z / n
    middle = (p + spread / 2) / (1 + spread)
    reach = z / (1 + spread) * np.sqrt(p * (1 - p) / n + spread / (4 * n))
    return np.where(x == 0, 0.0, middle - reach), np.where(x == n, 1.0, middle + reach)


def _wilson_cc(x: Floats, n: Floats, level: float) -> _Bounds:
    z, p = normal_quantile(level), x / n
    zz = z * z
    down = 2 * x + zz - 1 - z * np.sqrt(np.maximum(zz - 2 - 1 / n + 4 * p * (n - x + 1), 0.0))
    up = 2 * x + zz + 1 + z * np.sqrt(np.maximum(zz + 2 - 1 / n + 4 * p * (n - x - 1), 0.0))
    return np.where(x == 0, 0.0, down / (2 * (n + zz))), np.where(x == n, 1.0, up / (2 * (n + zz)))


def _clopper_pearson(x: Floats, n: Floats, level: float) -> _Bounds:
    return _beta_bounds((x, n - x + 1), (x + 1, n - x), x, n, (1 - level) / 2)


def _jeffreys(x: Floats, n: Floats, level: float) -> _Bounds:
    shape = (x + 0.5, n - x + 0.5)
    return _beta_bounds(shape, shape, x, n, (1 - level) / 2)


def _beta_bounds(low: _Bounds, high: _Bounds, x: Floats, n: Floats, tail: float) -> _Bounds:
    from scipy.special import betaincinv

    none, all_ = x == 0, x == n
    lower = betaincinv(np.where(none, 1.0, low[0]), low[1], tail)
    upper = betaincinv(high[0], np.where(all_, 1.0, high[1]), 1 - tail)
    return np.where(none, 0.0, lower), np.where(all_, 1.0, upper)


def _mid_p(x: Floats, n: Floats, level: float) -> _Bounds:
    from scipy.special import bdtr

    tail = (1 - level) / 2

    def below(p: Floats, hits: Floats) -> Floats:
        """P(fewer than x) and half of P(x)."""
        fewer = np.where(hits > 0, bdtr(np.maximum(hits - 1, 0), n.astype(int), p), 0.0)
        halved: Floats = (bdtr(hits, n.astype(int), p) + fewer) / 2
        return halved

    # The lower bound is one less the upper bound of the misses.
    high = _rising(lambda p: tail - below(p, x), x / n, np.ones_like(n))
    low = 1 - _rising(lambda p: tail - below(p, n - x), 1 - x / n, np.ones_like(n))
    return np.where(x == 0, 0.0, low), np.where(x == n, 1.0, high)


def _likelihood_ratio(x: Floats, n: Floats, level: float) -> _Bounds:
    from scipy.special import xlogy

    threshold = normal_quantile(level) ** 2 / 2

    def excess(p: Floats, hits: Floats) -> Floats:
        share = hits / n
        misses = xlogy(n - hits, (1 - share) / np.maximum(1 - p, 1e-300))
        over: Floats = xlogy(hits, share / p) + misses - threshold
        return over

    high = _rising(lambda p: excess(p, x), x / n, np.ones_like(n))
    low = 1 - _rising(lambda p: excess(p, n - x), 1 - x / n, np.ones_like(n))
    return np.where(x == 0, 0.0, low), np.where(x == n, 1.0, high)


def _rising(function: Callable[[Floats], Floats], low: Floats, high: Floats) -> Floats:
    """Where a rising function crosses zero between two bounds, for all places at once, by halving."""
    for _ in range(52):
        middle = (low + high) / 2
        above = function(middle) > 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return (low + high) / 2


def _added(x: Floats, n: Floats, level: float, added: float) -> _Bounds:
    z = NormalDist().inv_cdf((1 + level) / 2)
    total = n + 2 * added
    p = (x + added) / total
    reach = z * np.sqrt(p * (1 - p) / total)
    return p - reach, p + reach


_METHODS: Final[dict[str, Callable[[Floats, Floats, float], _Bounds]]] = {
    "wilson": wilson_bounds,
    "wilson_cc": _wilson_cc,
    "clopper_pearson": _clopper_pearson,
    "jeffreys": _jeffreys,
    "mid_p": _mid_p,
    "likelihood_ratio": _likelihood_ratio,
    "agresti_coull": lambda x, n, level: _added(x, n, level, normal_quantile(level) ** 2 / 2),
    "plus_four": lambda x, n, level: _added(x, n, level, 2.0),
}

"""The two intervals that both go by the name Agresti-Coull: counts are added, then it is Wald. At 95 % they nearly agree."""

from __future__ import annotations

from math import sqrt

from aftershock.metrics.proportions.intervals import check_count, normal_quantile, nothing
from aftershock.metrics.results import Interval


def agresti_coull(x: int, n: int, level: float = 0.95) -> Interval:
    """The interval of Agresti and Coull: z²/2 hits and z²/2 misses are added, whatever z the level asks for.

    `estimate` is the middle of the interval, (x + z²/2) / (n + z²), not x/n; bounds are cut at 0 and 1.
    Raises: ValueError unless 0 <= x <= n and 0 < level < 1.
    Source: Agresti and Coull (1998) American Statistician 52:119; equals R's binom.confint(methods="agresti-coull").
    """
    return _with_added(x, n, level, normal_quantile(level) ** 2 / 2 if 0 < level < 1 else 0.0, "agresti_coull")


def plus_four(x: int, n: int, level: float = 0.95) -> Interval:
    """The interval that adds two hits and two misses at every level: what many books print as Agresti-Coull.

    `estimate` is the middle of the interval, (x + 2) / (n + 4), not x/n; bounds are cut at 0 and 1.
    Raises: ValueError unless 0 <= x <= n and 0 < level < 1.
    Source: Agresti and Caffo (2000) American Statistician 54:280; Fagerland, Lydersen, Laake (2017), chapter 2.
    """
    return _with_added(x, n, level, 2.0, "plus_four")


def _with_added(x: int, n: int, level: float, added: float, method: str) -> Interval:
    x, n = check_count(x, n, level)
    if n == 0:
        return nothing(level, method)
    total = n + 2 * added
    p = (x + added) / total
    reach = normal_quantile(level) * sqrt(p * (1 - p) / total)
    return Interval(p, max(p - reach, 0.0), min(p + reach, 1.0), n, level, method)

"""`sup_f`: the classical test for a change of the mean, with Bai's confidence interval of its position."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, floor, log, pi, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from aftershock.metrics.change.control_chart import mean_with_t, numbers
from aftershock.metrics.change.positions import check_shares
from aftershock.metrics.results import Interval, one_row

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SupF:
    """The largest F statistic over all positions of one change of the mean.

    `statistic`, its `p_value`, the `position` that leaves the least variance (the change comes after that observation, from 1),
    `low` and `high` by Bai, `before` and `after` the two means. Null where there is too little, or no variance.
    """

    statistic: float | None
    p_value: float | None
    position: int | None
    low: int | None
    high: int | None
    before: Interval
    after: Interval
    trim: float
    level: float
    n: int
    left_out: int = 0

    @property
    def interval(self) -> Interval:
        """The position with its confidence interval."""
        return Interval(self.position, self.low, self.high, self.n, self.level, "bai", self.left_out)

    def to_pandas(self) -> pd.DataFrame:
        """One row."""
        return one_row(self)


def sup_f(values: Any, *, trim: float = 0.15, level: float = 0.95) -> SupF:
    """Whether the mean changed once: the largest F over positions that leave `trim` of the values on either side.

    F compares one mean with two and one variance. The p-value is Miller and Siegmund's tail of the largest of many correlated
    tests: good where it is small. The interval of the position is Bai's for independent values, each side with its own variance;
    it supposes that there is a change. Values must not depend on the ones before: autocorrelation makes any test find changes.

    Raises: ValueError for a trim outside [0, 0.5), a level outside (0, 1), a value that is no finite number.
    Source: Andrews (1993) Econometrica 61:821; Miller and Siegmund (1982) Biometrics 38:1011; Bai (1997) Review of Economics and
    Statistics 79:551; equals R's strucchange Fstats, breakpoints(breaks=1) and confint.
    """
    check_shares(level)
    if not 0 <= trim < 0.5:
        raise ValueError(f"trim: {trim!r}: write a share from 0 up to, not including, 0.5")
    x = numbers(values, "values")
    n = len(x)
    least = max(floor(trim * n), 1)
    centred = x - x.mean() if n else x
    total = float((centred**2).sum())
    none = Interval(None, None, None, 0, level, "t")
    if n < 4 or n - 2 * least < 0 or total <= 0:
        return SupF(None, None, None, None, None, none, none, trim, level, n)
    at = np.arange(least, n - least + 1)
    explained = np.cumsum(centred)[at - 1] ** 2 * n / (at * (n - at))
    best = int(np.argmax(explained))
    position, left = int(at[best]), max(total - float(explained[best]), 0.0)
    before, after = x[:position], x[position:]
    low, high = _bai(before, after, position, level)
    # A step without any noise: there is no F, and no doubt.
    f = float(explained[best]) / (left / (n - 2)) if left > 1e-12 * total else None
    p_value = 0.0 if f is None else _tail(f, least / n)
    return SupF(f, p_value, position, low, high, mean_with_t(before, level), mean_with_t(after, level), trim, level, n)


def _tail(f: float, share: float) -> float:
    """The chance of an F this large somewhere between `share` and 1 - `share`, without a change."""
    c = sqrt(f)
    if c <= 1:
        return 1.0
    density = exp(-f / 2) / sqrt(2 * pi)
    return min(1.0, density * ((c - 1 / c) * 2 * log((1 - share) / share) + 4 / c))


def _bai(before: Any, after: Any, position: int, level: float) -> tuple[int, int]:
    from scipy.optimize import brentq

    first, second = float(before.var()), float(after.var())
    shift = float(after.mean() - before.mean())
    if min(first, second) <= 1e-12 * shift**2:
        return position, position
    phi = second / first
    scale = first / shift**2
    tail = (1 - level) / 2
    reach = 1000.0 * max(1.0, phi)
    lowest = float(brentq(lambda s: _argmax_cdf(s, phi) - tail, -reach, -1e-12)) if _argmax_cdf(0, phi) > tail else 0.0
    highest = (
        float(brentq(lambda s: _argmax_cdf(s, phi) - (1 - tail), 1e-12, reach))
        if _argmax_cdf(0, phi) < 1 - tail
        else 0.0
    )
    n = len(before) + len(after)
    return max(floor(position - highest * scale), 1), min(ceil(position - lowest * scale), n - 1)


def _argmax_cdf(s: float, phi: float) -> float:
    """Where a two-sided Brownian motion with drift has its top: the chance of at most s (Bai 1997, appendix B, equal regressors).

    Time runs in units of the first side's variance; `phi` is the second side's variance over it.
    """
    a = abs(s)
    if s < 0:
        value = -sqrt(a / (2 * pi)) * exp(-a / 8)
        value -= phi * (phi + 2) / (phi + 1) * _exp_normal((1 + 1 / phi) * a / (2 * phi), -(0.5 + 1 / phi) * sqrt(a))
        return value + (a / 2 - 2 + (phi + 2) ** 2 / (phi + 1)) * NormalDist().cdf(-sqrt(a) / 2)
    b = a / phi
    value = 1 + sqrt(b / (2 * pi)) * exp(-b / 8)
    value += (2 * phi + 1) / (phi * (phi + 1)) * _exp_normal((phi + 1) * a / 2, -(phi + 0.5) / sqrt(phi) * sqrt(a))
    return value - ((2 * phi + 1) ** 2 / ((phi + 1) * phi) - 2 + b / 2) * NormalDist().cdf(-sqrt(b) / 2)


def _exp_normal(power: float, z: float) -> float:
    """exp(power) times the normal distribution function at z: one overflows, the other vanishes, the product is small."""
    from scipy.special import log_ndtr

    return exp(power + float(log_ndtr(z)))

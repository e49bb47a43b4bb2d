"""The spread of many rates with its own uncertainty: alpha and beta of a beta-binomial averaged over what the data leave open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from aftershock.metrics.proportions.counts import Floats

_POINTS: Final = 120  # a side of the grid
_NEGLIGIBLE: Final = 1e-9  # of the highest density
_DIP: Final = 1e-3
_PLACES: Final = (-12.0, 12.0)  # logit of the mean
_LOG_PRECISIONS: Final = (-6.0, 22.0)


@dataclass(frozen=True)
class Grid:
    """Pairs of alpha and beta with the posterior probability of each."""

    alpha: Floats
    beta: Floats
    weight: Floats

    @property
    def means(self) -> tuple[float, float]:
        """The posterior means of alpha and beta."""
        return float(self.weight @ self.alpha), float(self.weight @ self.beta)

    def posterior(self, x: int, n: int, level: float) -> tuple[float, float, float, float]:
        """(mean, sd, low, high) of the rate of a group that had x of n, averaged over all pairs."""
        from scipy.optimize import brentq
        from scipy.special import betainc

        a, b, weight = self.alpha + x, self.beta + n - x, self.weight
        means = a / (a + b)
        mean = float(weight @ means)
        variance = float(weight @ (a * b / (a + b + 1) / (a + b) ** 2 + means**2)) - mean**2
        low, high = (
            float(brentq(lambda p, share=share: float(weight @ betainc(a, b, p)) - share, 0.0, 1.0, xtol=1e-12))
            for share in ((1 - level) / 2, (1 + level) / 2)
        )
        return mean, float(np.sqrt(max(variance, 0.0))), low, high


def posterior_grid(x: Floats, n: Floats, times: Floats) -> Grid | None:
    """The posterior of (alpha, beta) under the prior (alpha + beta)^(-5/2); null where the data do not bound alpha + beta.

    It needs a group with both hits and misses: without one nothing keeps alpha + beta from 0. Strictly alpha has no posterior
    mean: groups all alike are never excluded. Where the data speak against it, the integrand has a dip on the way there, and the
    grid ends in it (as the book's does); where there is no such dip, there is nothing to average.
    """
    if not ((x > 0) & (x < n)).any():
        return None
    coarse = _density(x, n, times, *(np.linspace(*span, 97) for span in (_PLACES, _LOG_PRECISIONS)))
    logs = np.linspace(*_LOG_PRECISIONS, 97)
    weighed = coarse.max(axis=0) + logs  # that of the mean of alpha, along alpha + beta
    inside = coarse.max(axis=0)
    peak = int(np.argmax(inside))
    dip = peak + int(np.argmin(weighed[peak:]))
    if weighed[dip] > weighed[peak] + np.log(_DIP):
        return None
    near = coarse[:, : dip + 1] > coarse.max() + np.log(_NEGLIGIBLE)
    places, precisions = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    step = (_PLACES[1] - _PLACES[0]) / 96, (_LOG_PRECISIONS[1] - _LOG_PRECISIONS[0]) / 96
    u = np.linspace(_PLACES[0] + (places[0] - 1) * step[0], _PLACES[0] + (places[-1] + 1) * step[0], _POINTS)
    top = min(precisions[-1] + 1, dip)
    v = np.linspace(_LOG_PRECISIONS[0] + (precisions[0] - 1) * step[1], logs[top], _POINTS)
    log = _density(x, n, times, u, v)
    weight = np.exp(log - log.max())
    mean, precision = (1 / (1 + np.exp(-u)))[:, None], np.exp(v)[None, :]
    kept = weight > _NEGLIGIBLE
    total = weight[kept] / weight[kept].sum()
    return Grid((mean * precision)[kept], ((1 - mean) * precision)[kept], total)


def _density(x: Floats, n: Floats, times: Floats, u: Floats, v: Floats) -> Floats:
    """The log posterior over (logit of the mean, log of alpha + beta): a row per place, a column per precision."""
    from scipy.special import betaln

    mean, precision = (1 / (1 + np.exp(-u)))[:, None], np.exp(v)[None, :]
    a, b = mean * precision, (1 - mean) * precision
    # alpha beta is the Jacobian of the two scales.
    log: Floats = np.log(a) + np.log(b) - 2.5 * np.log(precision) - times.sum() * betaln(a, b)
    for hits, size, often in zip(x, n, times, strict=True):
        log = log + often * betaln(hits + a, size - hits + b)
    return log

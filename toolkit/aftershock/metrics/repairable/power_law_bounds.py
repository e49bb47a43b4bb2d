"""Bounds of a fitted power law by name: `crow` (exact), `fisher` (information matrix), `nist` (normal approximation of the e-Handbook)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist
from typing import Final, Literal

import numpy as np

from aftershock.metrics.repairable.arrays import TRUNCATIONS, Truncation, level_checked

Method = Literal["crow", "fisher", "nist"]
METHODS: Final = ("crow", "fisher", "nist")
_SEARCH: Final = (-40.0, 40.0)


@dataclass(frozen=True)
class Fit:
    """What the bounds need: n failures, m of them informative, w = sum of ln(T / t) over these, and the fit itself."""

    n: int
    m: int
    w: float
    beta: float
    ends: tuple[float, ...]
    truncation: Truncation


def bounds(fit: Fit, of: str, method: Method, level: float, estimate: float) -> tuple[float, float | None]:
    """(low, high) of beta, lam or mtbf; high is null where the data do not bound it."""
    if method == "fisher":
        reach = exp(_z(level) * _fisher_spread(fit, of))
        return estimate / reach, estimate * reach
    if len(set(fit.ends)) > 1:
        raise ValueError(f"method {method!r} needs systems that were observed for the same time; write 'fisher'")
    if method == "nist":
        return _nist(fit, of, level, estimate)
    if of == "beta":
        return _beta(fit, level)
    if of == "lam":
        return _lam(fit, level)
    low, high = current_mtbf_factors(fit.n, level, truncation=fit.truncation, systems=len(fit.ends))
    return estimate * low, None if high is None else estimate * high


def _beta(fit: Fit, level: float) -> tuple[float, float]:
    """2 * beta * w is chi-square with 2m degrees of freedom: exact."""
    from scipy.stats import chi2

    tail = (1 - level) / 2
    low, high = chi2.ppf([tail, 1 - tail], 2 * fit.m) / (2 * fit.w)
    return float(low), float(high)


def _lam(fit: Fit, level: float) -> tuple[float, float]:
    """Crow's: beta is taken as known, the number of failures as Poisson."""
    from scipy.stats import chi2

    tail, more = (1 - level) / 2, 2 if fit.truncation == "time" else 0
    scale = 2 * len(fit.ends) * fit.ends[0] ** fit.beta
    return float(chi2.ppf(tail, 2 * fit.n)) / scale, float(chi2.ppf(1 - tail, 2 * fit.n + more)) / scale


def _fisher_spread(fit: Fit, of: str) -> float:
    """The standard error of the logarithm, from the information about (ln lam, beta); of the MTBF at the longest observation."""
    logs = np.log(fit.ends)
    weights = np.exp(fit.beta * (logs - logs.max()))
    mean, square = float(np.average(logs, weights=weights)), float(np.average(logs**2, weights=weights))
    own = 1 / fit.beta**2 + square - mean**2
    if of == "beta":
        return sqrt(1 / (fit.n * own)) / fit.beta
    along = 1 / fit.beta + float(logs.max()) if of == "mtbf" else 0.0
    return sqrt(max(1 / fit.beta**2 + square + along**2 - 2 * along * mean, 0.0) / (fit.n * own))


def _nist(fit: Fit, of: str, level: float, estimate: float) -> tuple[float, float | None]:
    if of != "mtbf" or fit.truncation != "time":
        raise ValueError("method 'nist' is for the MTBF of a time-truncated observation; write 'crow'")
    n, z = fit.n, _z(level)
    low = n * (n - 1) / (n + z * z / 4 + sqrt(n * z * z / 2 + z**4 / 16)) ** 2
    down = n - z * sqrt(n / 2)
    return estimate * low, estimate * n * (n - 1) / down**2 if down > 0 else None


def current_mtbf_factors(
    n: int, level: float = 0.95, *, truncation: Truncation = "time", systems: int = 1
) -> tuple[float, float | None]:
    """(low, high): what the maximum likelihood instantaneous MTBF is multiplied with for Crow's exact two-sided bounds.

    `n` counts all failures. High is null for a single failure. Conservative for time truncation, as Crow's tables are.

    Raises: ValueError for n below 1 (below 2 where a failure ended the observation), or several failure-truncated systems.
    Source: Crow (1982) Technometrics 24:67; MIL-HDBK-189 (1981), tables of Appendix C.
    """
    tail = (1 - level_checked(level)) / 2
    if truncation not in TRUNCATIONS:
        raise ValueError(f"truncation: {truncation!r}: write 'time' or 'failure'")
    if n != int(n):
        raise ValueError(f"n: {n!r}: write how many failures there were, a whole number")
    n = int(n)
    if truncation == "failure":
        if n < 2 or systems != 1:
            raise ValueError(
                "bounds of the MTBF by 'crow' need one system and at least 2 failures here; write 'fisher'"
            )
        return n * n / _product_quantile(n, 1 - tail), n * n / _product_quantile(n, tail)
    if n < 1:
        raise ValueError(f"n: {n}: bounds of the MTBF need a failure")
    low = n * n / _exposure(n, tail)
    return low, n * n / _exposure(n - 1, 1 - tail) if n > 1 else None


def _exposure(k: int, share: float) -> float:
    """y at which P(N <= k) = share, where P(N = j) goes as y**j / (j! (j - 1)!), j = 1, 2, ...

    That is the number of failures given the sum of their logarithms: beta has dropped out (Crow's ratio with the Bessel function I1).
    """
    from scipy.special import gammaln, ive

    j = np.arange(1, k + 1)
    constant = gammaln(j + 1) + gammaln(j)

    def excess(log_y: float) -> float:
        root = exp(log_y / 2)
        scale = log_y / 2 + 2 * root + log(ive(1, 2 * root))
        return float(np.exp(j * log_y - constant - scale).sum()) - share

    return _solved(excess)


def _product_quantile(n: int, share: float) -> float:
    """The quantile of Gamma(n - 1) * Gamma(n), independent: the distribution of n**2 * estimate / truth under failure truncation."""
    from scipy.special import gammainc, gammaln

    nodes, weights = np.polynomial.legendre.leggauss(400)
    # Over x, the logarithm of the first factor: its density has no weight outside.
    middle, reach = log(n - 1) if n > 1 else 0.0, 12 / sqrt(n - 1) + 6 / (n - 1)
    x = middle + reach * nodes
    density = np.exp((n - 1) * x - np.exp(x) - gammaln(n - 1)) * weights * reach

    def excess(log_c: float) -> float:
        return float((density * gammainc(n, np.exp(log_c - x))).sum()) - share

    return _solved(excess)


def _solved(excess: Callable[[float], float]) -> float:
    from scipy.optimize import brentq

    low, high = _SEARCH
    while excess(low) * excess(high) > 0 and high > 1:
        high -= 1
    return exp(float(brentq(excess, low, high, xtol=1e-13)))


def _z(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)

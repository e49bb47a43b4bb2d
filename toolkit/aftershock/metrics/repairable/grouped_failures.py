"""`power_law_grouped`: the power-law process from failures per interval, where nobody wrote down when each one came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

from aftershock.metrics.repairable.arrays import Floats, level_checked, numbers
from aftershock.metrics.results import Interval, one_row

if TYPE_CHECKING:
    import pandas as pd

FEWEST_EXPECTED: Final = 5.0


@dataclass(frozen=True)
class PowerLawGrouped:
    """A power law fitted to counts. `chi2` tests the fit on `df` degrees of freedom, intervals joined until each expects 5 failures.

    `mtbf` and `intensity` are those of one system at the end, `total_time`. Null where there is no failure, or where all lie in the first
    interval (beta would be 0) or in the last (beta would have no limit); `chi2` and `p_value` where too few intervals are left.
    """

    beta: float | None
    lam: float | None
    n: int
    total_time: float
    level: float
    chi2: float | None = None
    df: int | None = None
    p_value: float | None = None
    beta_error: float | None = None
    left_out: int = 0

    @property
    def intensity(self) -> float | None:
        """lam * beta * T**(beta - 1)."""
        return None if self.beta is None else self.n * self.beta / self.total_time

    @property
    def mtbf(self) -> float | None:
        """The instantaneous MTBF at the end."""
        return 1 / self.intensity if self.intensity else None

    @property
    def growth_rate(self) -> float | None:
        """1 - beta."""
        return None if self.beta is None else 1 - self.beta

    @property
    def interval(self) -> Interval:
        """beta with Fisher-matrix bounds, normal on the logarithm."""
        spread = None if self.beta is None or self.beta_error is None else self.beta_error / self.beta
        return self._around("beta", self.beta, spread)

    @property
    def mtbf_interval(self) -> Interval:
        """The instantaneous MTBF with Fisher-matrix bounds."""
        if self.beta is None or self.beta_error is None:
            return self._around("mtbf", None, None)
        return self._around("mtbf", self.mtbf, sqrt(1 / self.n + (self.beta_error / self.beta) ** 2))

    def to_pandas(self) -> pd.DataFrame:
        """One row."""
        return one_row(self).assign(intensity=self.intensity, mtbf=self.mtbf, growth_rate=self.growth_rate)

    def _around(self, of: str, estimate: float | None, spread: float | None) -> Interval:
        if estimate is None or spread is None:
            return Interval(estimate, None, None, self.n, self.level, f"{of}, fisher")
        reach = exp(NormalDist().inv_cdf((1 + self.level) / 2) * spread)
        return Interval(estimate, estimate / reach, estimate * reach, self.n, self.level, f"{of}, fisher")


def power_law_grouped(ends: Sequence[float], failures: Sequence[int], *, level: float = 0.95) -> PowerLawGrouped:
    """Fit the power-law process to failures per interval: `failures[i]` between `ends[i - 1]` (0 before the first) and `ends[i]`.

    Raises: ValueError for ends that do not rise from above 0, negative counts, or sequences of unequal length.
    Source: Crow (1974), in Reliability and Biometry, SIAM, 379; MIL-HDBK-189 (1981) Appendix C, grouped data.
    """
    level_checked(level)
    times, counts = numbers(ends, "ends"), numbers(failures, "failures")
    _check(times, counts)
    n, total = int(counts.sum()), float(times[-1])
    if n == 0 or n in (counts[0], counts[-1]):
        return PowerLawGrouped(None, None, n, total, level)
    edges = np.concatenate([[0.0], times / total])
    beta = _beta(edges, counts)
    shares = np.diff(edges**beta)
    slopes = _slopes(edges, beta)
    error = 1 / sqrt(n * float((shares * slopes**2).sum())) if times.size > 1 else None
    chi2, df, p = _fit(counts, n * shares)
    return PowerLawGrouped(beta, n / total**beta, n, total, level, chi2, df, p, error)


def _beta(edges: Floats, counts: Floats) -> float:
    from scipy.optimize import brentq  # slow to import

    def score(log_beta: float) -> float:
        return float((counts * _slopes(edges, exp(log_beta))).sum())

    return exp(float(brentq(score, log(1e-4), log(200.0), xtol=1e-14)))


def _slopes(edges: Floats, beta: float) -> Floats:
    """d ln(share) / d beta of each interval; edges are shares of the whole, so that the last logarithm is 0."""
    logs = np.log(np.where(edges > 0, edges, 1.0))
    powers = np.where(edges > 0, edges**beta, 0.0)
    # An interval that lies far before the rest has no share that a float can hold: its slope is the logarithm itself.
    width = np.diff(powers)
    return np.asarray(np.divide(np.diff(powers * logs), width, out=logs[1:].copy(), where=width > 0))


def _fit(counts: Floats, expected: Floats) -> tuple[float | None, int | None, float | None]:
    """(chi-square, degrees of freedom, p) over intervals joined until each expects enough."""
    from scipy.stats import chi2 as chi_square

    seen, meant = [0.0], [0.0]
    for count, expect in zip(counts, expected, strict=True):
        if meant[-1] >= FEWEST_EXPECTED:
            seen.append(0.0)
            meant.append(0.0)
        seen[-1] += float(count)
        meant[-1] += float(expect)
    if len(meant) > 1 and meant[-1] < FEWEST_EXPECTED:  # the rest joins the one before
        last_seen, last_meant = seen.pop(), meant.pop()
        seen[-1] += last_seen
        meant[-1] += last_meant
    df = len(seen) - 2
    if df < 1:
        return None, None, None
    value = sum((a - b) ** 2 / b for a, b in zip(seen, meant, strict=True))
    return value, df, float(chi_square.sf(value, df))


def _check(times: Floats, counts: Floats) -> None:
    if times.size == 0 or times.size != counts.size:
        raise ValueError(f"{times.size} ends and {counts.size} counts: write one count for each interval, at least one")
    if times[0] <= 0 or (np.diff(times) <= 0).any():
        raise ValueError("ends: they must rise from above 0")
    if (counts < 0).any() or (counts != np.round(counts)).any():
        raise ValueError("failures: whole numbers at 0 or above are needed")

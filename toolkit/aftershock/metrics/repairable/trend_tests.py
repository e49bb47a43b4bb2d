"""Is there a trend in the failures of a repairable system? To be asked before any mean time between failures.

Three tests that look at different things: Laplace at the centre of the failure times (good against an exponential trend), the military
handbook test at their logarithms (best against a power law), reverse arrangements at the order of the gaps (no model at all).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from aftershock.metrics.repairable.arrays import Floats, Truncation, level_checked, systems_of, used
from aftershock.metrics.results import Interval, one_row

if TYPE_CHECKING:
    import pandas as pd

Direction = Literal["improving", "worsening", "no trend", "too few to tell"]
LONGEST_EXACT: Final = 60  # gaps; above, the normal approximation is right to the third digit


@dataclass(frozen=True)
class TrendTest:
    """What a trend test gives. `statistic` is z (laplace), chi-square (military handbook) or the number of reversals.

    `p_value` is two-sided; `p_improving` and `p_worsening` are the probabilities of a statistic at least as far to that side where
    there is no trend. All are null where too few failures can carry a test. `n` counts the failures that carry it (gaps for reversals).
    """

    test: str
    statistic: float | None
    p_value: float | None
    p_improving: float | None
    p_worsening: float | None
    direction: Direction
    n: int
    level: float
    df: int | None = None
    most: int | None = None
    systems: int = 1
    left_out: int = 0

    @property
    def interval(self) -> Interval | None:
        """A test has none."""
        return None

    def to_pandas(self) -> pd.DataFrame:
        """One row."""
        return one_row(self)


def laplace_trend(
    times: Sequence[Any],
    total_time: float | Sequence[float] | None = None,
    *,
    truncation: Truncation = "time",
    level: float = 0.95,
) -> TrendTest:
    """Do failures gather early (improving) or late (worsening)? Laplace's centroid test; positive z is worsening.

    `times` from the start of observation, of one system or a sequence of them for several (then pooled). `total_time` is when the
    observation ended; with `truncation="failure"` it ended with the last failure, which then is no longer one of n.

    Raises: ValueError for times that are not inside the observation, a wrong truncation or level.
    Source: Cox and Lewis (1966), The Statistical Analysis of Series of Events, 3.3; NIST/SEMATECH e-Handbook 8.2.3.4.
    """
    level_checked(level)
    systems = systems_of(times, total_time, truncation)
    counted = [used(one, truncation) for one in systems]
    n = sum(one.size for one in counted)
    if n == 0:
        return _nothing("laplace", level, len(systems))
    off = sum(float((one - system.end / 2).sum()) for one, system in zip(counted, systems, strict=True))
    spread = sqrt(sum(one.size * system.end**2 / 12 for one, system in zip(counted, systems, strict=True)))
    z = off / spread
    up = NormalDist().cdf(-z)
    return _result("laplace", z, (NormalDist().cdf(z), up), n, level, systems=len(systems))


def military_handbook_trend(
    times: Sequence[Any],
    total_time: float | Sequence[float] | None = None,
    *,
    truncation: Truncation = "time",
    level: float = 0.95,
) -> TrendTest:
    """The military handbook test: 2 * sum(ln(T / t)) is chi-square with 2n degrees of freedom where there is no trend. Large is improving.

    Arguments as for `laplace_trend`. It is the best test where the alternative is a power law.

    Source: MIL-HDBK-189 (1981); Rigdon and Basu (2000), Statistical Methods for the Reliability of Repairable Systems, 3; NIST 8.2.3.4.
    """
    from scipy.stats import chi2  # slow to import

    level_checked(level)
    systems = systems_of(times, total_time, truncation)
    counted = [used(one, truncation) for one in systems]
    n = sum(one.size for one in counted)
    if n == 0:
        return _nothing("military handbook", level, len(systems))
    value = 2 * sum(float(np.log(system.end / one).sum()) for one, system in zip(counted, systems, strict=True))
    tails = float(chi2.sf(value, 2 * n)), float(chi2.cdf(value, 2 * n))
    return _result("military handbook", value, tails, n, level, df=2 * n, systems=len(systems))


def reverse_arrangements(times: Sequence[Any], *, level: float = 0.95) -> TrendTest:
    """Do the gaps between failures grow? Counts the pairs of gaps of which the later one is longer; many are improving.

    `times` from the start of observation, of one system or of several; the first gap begins at the start. The time after the last
    failure is not used. `statistic` counts pairs that are strictly longer, as NIST does; `most` is the largest number possible. Exact up
    to 60 gaps where no two are equal; else normal, a pair of equal gaps counting half.

    Source: Kendall (1938) Biometrika 30:81; NIST/SEMATECH e-Handbook 8.2.3.4.
    """
    level_checked(level)
    systems = systems_of(times, None, "failure")
    gaps = [np.diff(system.times, prepend=0.0) for system in systems]
    n, most = sum(one.size for one in gaps), sum(one.size * (one.size - 1) // 2 for one in gaps)
    if most == 0:
        return _nothing("reverse arrangements", level, len(systems))
    pairs = [np.triu_indices(one.size, 1) for one in gaps]
    count = sum(int((one[i] < one[j]).sum()) for one, (i, j) in zip(gaps, pairs, strict=True))
    ties = sum(int((one[i] == one[j]).sum()) for one, (i, j) in zip(gaps, pairs, strict=True))
    exact = not ties and n <= LONGEST_EXACT
    tails = _exact_tails(gaps, count) if exact else _normal_tails(gaps, count + ties / 2, most)
    return _result("reverse arrangements", count, tails, n, level, most=most, systems=len(systems))


def _exact_tails(gaps: list[Floats], count: int) -> tuple[float, float]:
    """(improving, worsening) from how many orders of the gaps give each number of reversals."""
    chance = np.ones(1)
    for one in gaps:
        for size in range(2, one.size + 1):
            chance = np.convolve(chance, np.full(size, 1 / size))
    return min(float(chance[count:].sum()), 1.0), min(float(chance[: count + 1].sum()), 1.0)


def _normal_tails(gaps: list[Floats], count: float, most: int) -> tuple[float, float]:
    variance = 0.0
    for one in gaps:
        n, ties = one.size, np.unique(one, return_counts=True)[1]
        variance += (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 72
    if variance == 0:  # all gaps alike
        return 1.0, 1.0
    off, reach = count - most / 2, sqrt(variance)
    return NormalDist().cdf(-(off - 0.5) / reach), NormalDist().cdf((off + 0.5) / reach)


def _result(
    test: str,
    statistic: float,
    tails: tuple[float, float],
    n: int,
    level: float,
    *,
    df: int | None = None,
    most: int | None = None,
    systems: int = 1,
) -> TrendTest:
    improving, worsening = tails
    p = min(1.0, 2 * min(tails))
    direction: Direction = "no trend" if p >= 1 - level else ("improving" if improving < worsening else "worsening")
    return TrendTest(test, float(statistic), p, improving, worsening, direction, n, level, df, most, systems)


def _nothing(test: str, level: float, systems: int) -> TrendTest:
    return TrendTest(test, None, None, None, None, "too few to tell", 0, level, systems=systems)

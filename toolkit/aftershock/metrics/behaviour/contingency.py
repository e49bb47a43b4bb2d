"""`association`: two things that happen or not, and whether they go together."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isnan, log, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from aftershock.metrics.proportions.multiplicity import benjamini_hochberg
from aftershock.metrics.results import Interval, one_row

if TYPE_CHECKING:
    import pandas as pd

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Association:
    """What a table of two by two says about "when A, then B". Null wherever a margin is empty and nothing can be said.

    support = P(A and B), confidence = P(B | A), lift = confidence / P(B), leverage = P(A and B) - P(A) P(B), conviction =
    P(not B) / P(not B | A) (null where B never fails A), phi = the correlation of the two, jaccard = both / either,
    odds_ratio = (both * neither) / (a_only * b_only) (null where that divides by 0); `interval` is its own, Woolf's.
    p_greater: Fisher's exact chance of so many or more together; p_less; p_value: as far or farther on either side. chi2 with chi2_p_value,
    and with Yates' correction chi2_yates and chi2_yates_p_value.
    """

    n: int
    support: float | None
    confidence: float | None
    lift: float | None
    leverage: float | None
    conviction: float | None
    phi: float | None
    jaccard: float | None
    odds_ratio: float | None
    p_greater: float | None
    p_less: float | None
    p_value: float | None
    chi2: float | None
    chi2_p_value: float | None
    chi2_yates: float | None
    chi2_yates_p_value: float | None
    interval: Interval | None
    left_out: int = 0

    def to_pandas(self) -> pd.DataFrame:
        """One row."""
        return one_row(self)


def association(both: int, a_only: int, b_only: int, neither: int, *, level: float = 0.95) -> Association:
    """The table of two by two: counts with A and B, with A alone, with B alone, with neither.

    A and B change places in support, lift, leverage, phi, jaccard, the odds ratio and all tests; not in confidence and conviction.
    The odds ratio's interval needs all four counts above 0; it is null otherwise.

    Raises: ValueError for a count that is negative or not whole, or a level outside (0, 1).
    Source: Tan, Steinbach, Kumar (2005) Introduction to Data Mining, chapter 6 (the measures); Fisher (1935) The Design of
    Experiments, chapter 2; Woolf (1955) Ann Hum Genet 19:251 (interval). p values equal R's fisher.test and chisq.test.
    """
    counts = {"both": both, "a_only": a_only, "b_only": b_only, "neither": neither}
    for name, count in counts.items():
        if count is None or not 0 <= count < float("inf") or count != int(count):
            raise ValueError(f"{name}: {count!r}: write a whole number from 0")
    if not 0 < level < 1:
        raise ValueError(f"level: {level!r}: write a share inside (0, 1), such as 0.95")
    both, a_only, b_only, neither = (int(count) for count in counts.values())
    cells = [np.array([float(count)]) for count in (both, a_only, b_only, neither)]
    found: dict[str, Any] = {name: _plain(value) for name, value in measures(*cells).items()}
    found |= _tests(both, a_only, b_only, neither)
    n = both + a_only + b_only + neither
    return Association(n=n, interval=_woolf(both, a_only, b_only, neither, level), **found)


def measures(both: Numbers, a_only: Numbers, b_only: Numbers, neither: Numbers) -> dict[str, Numbers]:
    """The measures of many tables at once; NaN where nothing can be said."""
    with np.errstate(divide="ignore", invalid="ignore"):
        n = both + a_only + b_only + neither
        a, b = both + a_only, both + b_only
        found = {
            "support": both / n,
            "confidence": both / a,
            "lift": both * n / (a * b),
            "leverage": both / n - (a / n) * (b / n),
            "conviction": a * (n - b) / (n * a_only),
            "phi": (both * neither - a_only * b_only) / np.sqrt(a * (n - a)) / np.sqrt(b * (n - b)),
            "jaccard": both / (n - neither),
            "odds_ratio": both * neither / (a_only * b_only),
        }
    return {name: np.where(np.isfinite(value), value, np.nan) for name, value in found.items()}


def fisher_greater(both: Numbers, a_only: Numbers, b_only: Numbers, neither: Numbers) -> Numbers:
    """Fisher's chance of so many or more together, given the margins, for many tables at once."""
    from scipy.stats import hypergeom

    n = both + a_only + b_only + neither
    p: Numbers = np.clip(hypergeom.sf(both - 1, n, both + a_only, both + b_only), 0.0, 1.0)
    return p


def fisher_two_sided(both: Numbers, a_only: Numbers, b_only: Numbers, neither: Numbers) -> Numbers:
    """Fisher's chance of a table no likelier than this one, for many tables at once: this tail and the far one.

    The far tail begins where the probability first falls to that of the table; seen from the mode it only falls, so halving finds it.
    """
    from scipy.stats import hypergeom

    n, a, b = both + a_only + b_only + neither, both + a_only, both + b_only
    below = both < np.floor((a + 1) * (b + 1) / (n + 2))
    # A table below the mode is one above it with "B" and "not B" exchanged.
    k, b = np.where(below, a_only, both), np.where(below, n - b, b)
    least = np.maximum(0, a + b - n)
    limit = hypergeom.pmf(k, n, a, b) * (1 + 1e-7)  # as R does: equally likely tables differ by rounding
    low, high = least - 1, np.minimum(np.floor((a + 1) * (b + 1) / (n + 2)), k)
    while np.any(high - low > 1):
        middle = np.floor((low + high) / 2)
        rare = (middle <= low) | (hypergeom.pmf(middle, n, a, b) <= limit)
        low, high = np.where(rare, middle, low), np.where(rare, high, middle)
    far = np.where(low >= least, hypergeom.cdf(low, n, a, b), 0.0)
    p: Numbers = np.clip(hypergeom.sf(k - 1, n, a, b) + far, 0.0, 1.0)
    return p


def q_values(p: Numbers) -> Numbers:
    """Benjamini and Hochberg's q of each p in one family."""
    return np.asarray(benjamini_hochberg(p).table["q_value"], dtype=float)


def _tests(both: int, a_only: int, b_only: int, neither: int) -> dict[str, Any]:
    n = both + a_only + b_only + neither
    a, b = both + a_only, both + b_only
    if 0 in (n, a, b, n - a, n - b):  # one margin is empty: every table with these margins is this one
        names = ("p_greater", "p_less", "p_value", "chi2", "chi2_p_value", "chi2_yates", "chi2_yates_p_value")
        return dict.fromkeys(names)
    from scipy.stats import chi2 as chi_squared
    from scipy.stats import fisher_exact

    table = [[both, a_only], [b_only, neither]]
    p = {side: float(fisher_exact(table, side).pvalue) for side in ("greater", "less", "two-sided")}
    gap = abs(both * neither - a_only * b_only)
    scale = n / (a * (n - a)) / (b * (n - b))
    plain, yates = scale * gap**2, scale * max(gap - n / 2, 0.0) ** 2
    return {
        "p_greater": p["greater"],
        "p_less": p["less"],
        "p_value": p["two-sided"],
        "chi2": plain,
        "chi2_p_value": float(chi_squared.sf(plain, 1)),
        "chi2_yates": yates,
        "chi2_yates_p_value": float(chi_squared.sf(yates, 1)),
    }


def _woolf(both: int, a_only: int, b_only: int, neither: int, level: float) -> Interval | None:
    n = int(both + a_only + b_only + neither)
    if 0 in (both, a_only, b_only, neither):
        return None
    middle = log(both) + log(neither) - log(a_only) - log(b_only)
    reach = NormalDist().inv_cdf((1 + level) / 2) * sqrt(1 / both + 1 / a_only + 1 / b_only + 1 / neither)
    return Interval(both * neither / (a_only * b_only), exp(middle - reach), exp(middle + reach), n, level, "woolf")


def _plain(value: Numbers) -> float | None:
    number = float(value[0])
    return None if isnan(number) else number

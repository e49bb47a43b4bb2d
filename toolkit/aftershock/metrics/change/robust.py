"""Baselines that a few wild values do not move: median, MAD, modified z; and quantiles by the name of their definition."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import floor
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aftershock.metrics.results import Interval

if TYPE_CHECKING:
    import pandas as pd

NORMAL_MAD: Final = 1.4826  # 1 / 0.6745: the MAD of a normal variable is 0.6745 of its standard deviation
MODIFIED_Z: Final = 0.6745
# Hyndman and Fan's nine definitions, by number and by the name people know them under.
DEFINITIONS: Final = {
    "inverted_cdf": 1,
    "averaged_inverted_cdf": 2,
    "closest_observation": 3,
    "interpolated_inverted_cdf": 4,
    "hazen": 5,
    "weibull": 6,
    "nist": 6,
    "minitab": 6,
    "spss": 6,
    "linear": 7,
    "r": 7,
    "numpy": 7,
    "excel": 7,
    "quantile_cont": 7,
    "median_unbiased": 8,
    "normal_unbiased": 9,
}
_PLOTTING: Final = {4: (0.0, 1.0), 5: (0.5, 0.5), 6: (0.0, 0.0), 7: (1.0, 1.0), 8: (1 / 3, 1 / 3), 9: (3 / 8, 3 / 8)}


@dataclass(frozen=True)
class RobustZ:
    """How far values lie from their median, in robust standard deviations. `table`: value, z, outlier; a row per value given.

    `median`, `mad` (times 1.4826), `threshold`, `outliers` (how many lie beyond). `n` counts finite values, `left_out` the others.
    """

    median: float | None
    mad: float | None
    threshold: float
    outliers: int
    n: int
    left_out: int
    interval: Interval | None = None
    table: pd.DataFrame = field(repr=False, compare=False, kw_only=True)

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table


def mad(values: Any, *, scale: float = NORMAL_MAD) -> float | None:
    """The median distance from the median, times `scale`; null for no value. Missing values do not count.

    Source: Hampel (1974) JASA 69:383; equals R's mad().
    """
    x = _finite(values)[0]
    return float(np.median(np.abs(x - np.median(x))) * scale) if len(x) else None


def robust_z(values: Any, *, threshold: float = 3.5) -> RobustZ:
    """The modified z score: 0.6745 · (value - median) / median distance; an outlier beyond `threshold` either way.

    Where more than half of the values are equal the MAD is 0 and nothing can be said: z is null and nothing is an outlier.
    Missing and infinite values get no z and are counted in `left_out`.

    Raises: ValueError for a threshold that is not positive.
    Source: Iglewicz and Hoaglin (1993) How to Detect and Handle Outliers, ASQC; NIST/SEMATECH e-Handbook 1.3.5.17.
    """
    import pandas as pd

    if not threshold > 0:
        raise ValueError(f"threshold: {threshold!r}: write a positive number, such as 3.5")
    x, given = _finite(values)
    middle = float(np.median(x)) if len(x) else None
    raw = float(np.median(np.abs(x - middle))) if middle is not None else None
    known = np.where(np.isfinite(given), given, np.nan)
    z = MODIFIED_Z * (known - middle) / raw if middle is not None and raw else np.full(len(given), np.nan)
    outlier = np.abs(z) > threshold
    table = pd.DataFrame({"value": given, "z": z, "outlier": outlier})
    spread = None if raw is None else raw * NORMAL_MAD
    return RobustZ(middle, spread, threshold, int(outlier.sum()), len(x), len(given) - len(x), table=table)


def quantile(values: Any, share: float, *, definition: int | str = 7) -> float | None:
    """The quantile by a named definition: Hyndman and Fan's types 1 to 9, or a name; null for no value.

    7 (`linear`, `r`, `numpy`, `excel`, `quantile_cont`) is what R, numpy and DuckDB's quantile_cont give; 6 (`weibull`, `nist`,
    `minitab`, `spss`) what the NIST handbook does; 8 (`median_unbiased`) is what Hyndman and Fan recommend. Of a few values the
    definitions differ visibly: name the one you used. Missing values do not count.

    Raises: ValueError for a share outside [0, 1] or an unknown definition.
    Source: Hyndman and Fan (1996) The American Statistician 50:361; equals R's quantile(type=).
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share: {share!r}: write a share from 0 to 1, such as 0.9")
    kind = _kind(definition)
    x = np.sort(_finite(values)[0])
    n = len(x)
    if n == 0:
        return None
    if kind in _PLOTTING:
        a, b = _PLOTTING[kind]
        place = a + share * (n + 1 - a - b)
        # Floating point puts a whole place a hair below itself; R forgives four epsilons, so do we.
        whole = floor(place + 4 * np.finfo(float).eps)
        part = place - whole if abs(place - whole) > 4 * np.finfo(float).eps else 0.0
    else:
        place = n * share - (0.5 if kind == 3 else 0.0)
        whole = floor(place + 4 * np.finfo(float).eps)
        on = abs(place - whole) < 4 * np.finfo(float).eps * max(1, n)
        part = {1: 0.0, 2: 0.5, 3: 0.0 if whole % 2 == 0 else 1.0}[kind] if on else 1.0
    low, high = (float(x[min(max(at, 1), n) - 1]) for at in (whole, whole + 1))
    return low + part * (high - low)


def _kind(definition: int | str) -> int:
    kind = DEFINITIONS.get(definition.lower()) if isinstance(definition, str) else definition
    if kind is None or kind not in range(1, 10):
        names = ", ".join(DEFINITIONS)
        raise ValueError(f"definition: {definition!r}: write a number from 1 to 9, or one of {names}")
    return int(kind)


def _finite(values: Any) -> tuple[Any, Any]:
    """(the finite values, all of them) as doubles; None is missing."""
    missing = ("NoneType", "NAType")  # pandas' NA is no float
    given = np.asarray([np.nan if type(value).__name__ in missing else value for value in values], dtype="float64")
    return given[np.isfinite(given)], given

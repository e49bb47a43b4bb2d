"""`mtbf`: the mean time between failures of a system whose failures show no trend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aftershock.metrics.repairable.arrays import TRUNCATIONS, Truncation, level_checked, systems_of
from aftershock.metrics.repairable.trend_tests import Direction, laplace_trend, military_handbook_trend
from aftershock.metrics.results import Interval, one_row

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Mtbf:
    """What `mtbf` gives. `mtbf`, `low`, `high` are in the unit of `total_time`; `rate` is its inverse.

    `direction` is what the trend tests say, null where only a count was given. With a trend, `mtbf` and its bounds are null: `verdict` says so.
    With no failure, `mtbf` and `high` are null and `low` is one-sided.
    """

    mtbf: float | None
    low: float | None
    high: float | None
    n: int
    total_time: float
    level: float
    truncation: Truncation
    direction: Direction | None
    verdict: str
    left_out: int = 0

    @property
    def rate(self) -> float | None:
        """Failures per unit of time."""
        return None if self.mtbf is None else 1 / self.mtbf

    @property
    def interval(self) -> Interval:
        """The mean time with its chi-square limits."""
        return Interval(self.mtbf, self.low, self.high, self.n, self.level, f"chi-square, {self.truncation}-truncated")

    def to_pandas(self) -> pd.DataFrame:
        """One row."""
        return one_row(self)


def mtbf(
    failures: int | Sequence[Any],
    total_time: float | Sequence[float],
    *,
    truncation: Truncation = "time",
    level: float = 0.95,
    despite_trend: bool = False,
) -> Mtbf:
    """Time between failures T/r with chi-square limits, for a constant rate of failure.

    `failures` is their number, or their times (of one system, or a sequence for each of several): then Laplace's and the military
    handbook test are asked first, each at half of 5 %, and where either sees a trend there is no mean to speak of: `mtbf` is null unless
    `despite_trend`. `total_time` is the time of all systems together for a number, the end of observation (one, or one each) for times.

    Limits are two-sided at `level`: 2(r+1) degrees of freedom below, 2r above; where the last failure ended the observation, 2r on
    both sides. Without a failure the lower limit alone, T / -ln(1 - level), one-sided.

    Raises: ValueError for a negative count, a time outside the observation, a total_time not above 0.
    Source: Epstein and Sobel (1953) JASA 48:486; NIST/SEMATECH e-Handbook 8.4.5.1.
    """
    from scipy.stats import chi2  # slow to import

    level_checked(level)
    r, time, direction = _counted(failures, total_time, truncation)
    if direction in ("improving", "worsening") and not despite_trend:
        verdict = f"{direction}: a mean time between failures would be of no moment; see power_law"
        return Mtbf(None, None, None, r, time, level, truncation, direction, verdict)
    if r == 0 and time == 0:
        return Mtbf(None, None, None, 0, time, level, truncation, direction, "no failure in no time: nothing to say")
    if r == 0:
        low = 2 * time / float(chi2.ppf(level, 2))
        return Mtbf(None, low, None, 0, time, level, truncation, direction, "no failure: a lower limit only")
    tail, below = (1 - level) / 2, 2 * r + (2 if truncation == "time" else 0)
    low, high = 2 * time / float(chi2.ppf(1 - tail, below)), 2 * time / float(chi2.ppf(tail, 2 * r))
    verdict = {None: "holds where there is no trend: not tested", "no trend": "no trend seen"}.get(
        direction, str(direction)
    )
    return Mtbf(time / r, low, high, r, time, level, truncation, direction, verdict)


def _counted(
    failures: int | Sequence[Any], total_time: float | Sequence[float], truncation: Truncation
) -> tuple[int, float, Direction | None]:
    """(number of failures, time of all systems together, direction or null)."""
    if truncation not in TRUNCATIONS:
        raise ValueError(f"truncation: {truncation!r}: write 'time' or 'failure'")
    if isinstance(failures, int | float | np.number):
        if failures < 0 or failures != int(failures):
            raise ValueError(f"failures: {failures}: a count is a whole number from 0; write times in a list")
        if not isinstance(total_time, int | float | np.number) or not 0 < total_time < float("inf"):
            raise ValueError(f"total_time: {total_time!r}: write the time of all systems together, above 0")
        if truncation == "failure" and failures == 0:
            raise ValueError("truncation: 'failure' needs a failure that ended the observation")
        return int(failures), float(total_time), None
    systems = systems_of(failures, total_time, truncation)
    # Two tests of one question: each at 2.5 %, so that together they cry wolf at most in 5 of 100 steady systems.
    told = [
        test(failures, total_time, truncation=truncation, level=0.975)
        for test in (laplace_trend, military_handbook_trend)
    ]
    seen: Direction = next(
        (one.direction for one in told if one.direction in ("improving", "worsening")), told[0].direction
    )
    return sum(one.times.size for one in systems), float(sum(one.end for one in systems)), seen

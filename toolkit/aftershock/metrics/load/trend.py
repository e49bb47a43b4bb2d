"""`volume_trend`: how fast volume grows, and when it will be at a given height."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import exp, log, sqrt
from typing import TYPE_CHECKING

import numpy as np

from aftershock.metrics.results import Interval

if TYPE_CHECKING:
    import pandas as pd

_FEWEST = 14
_FARTHEST_DAYS = 3650
_METHOD = "least squares on log volume with weekday effects, AR(1) standard error"


@dataclass(frozen=True)
class Arrival:
    """When a height is reached. `word` is reached, already beyond, never at this trend, or cannot tell; dates only for reached.

    `latest` is null where the interval of the trend also holds one that never gets there.
    """

    word: str
    on: date | None = None
    earliest: date | None = None
    latest: date | None = None

    def __str__(self) -> str:
        """In words."""
        if self.word != "reached" or self.on is None:
            return self.word
        return f"reached about {self.on} ({self.earliest or 'now'} to {self.latest or 'never'})"


@dataclass(frozen=True)
class VolumeTrend:
    """What `volume_trend` gives: `growth` is the factor per 30 days, with its interval; null for fewer than 14 days."""

    growth: Interval
    today: float | None
    last_day: date | None
    n: int
    left_out: int
    _line: tuple[float, float, float, float, float, float] | None = field(default=None, repr=False)
    table: pd.DataFrame = field(default=None, repr=False, compare=False)

    @property
    def interval(self) -> Interval:
        """The growth per 30 days."""
        return self.growth

    def reaches(self, volume: float, *, se_log: float = 0.0) -> Arrival:
        """When the trend is at `volume`; `se_log` is the standard error of that volume's logarithm, where it is an estimate.

        The dates are those at which the band of the line holds the volume (Fieller). `volume` is compared with a typical day: the mean
        over the weekdays.
        """
        if self._line is None or self.last_day is None:
            return Arrival("cannot tell")
        level, slope, v_level, v_both, v_slope, quantile = self._line
        gap = log(volume) - level
        if gap <= 0:
            return Arrival("already beyond")
        # Days t from the last day with |level + slope t - log(volume)| <= q se(t): a quadratic in t.
        q2 = quantile**2
        square, half = slope**2 - q2 * v_slope, -slope * gap - q2 * v_both
        rest = gap**2 - q2 * (v_level + se_log**2)
        root = half**2 - square * rest
        if slope <= 0 or gap / slope > _FARTHEST_DAYS:
            return Arrival("never at this trend")
        on = self.last_day + timedelta(days=round(gap / slope))
        if square <= 0 or root < 0:
            first = (-half - sqrt(root)) / square if root >= 0 and square != 0 else None
            ends = [] if first is None else [t for t in (first, (-half + sqrt(root)) / square) if t > 0]
            return Arrival("reached", on, self._date(min(ends)) if ends else None, None)
        low, high = (-half - sqrt(root)) / square, (-half + sqrt(root)) / square
        return Arrival("reached", on, self._date(max(low, 0.0)), self._date(high))

    def _date(self, days: float) -> date | None:
        return self.last_day + timedelta(days=round(days)) if self.last_day and days <= _FARTHEST_DAYS else None

    def to_pandas(self) -> pd.DataFrame:
        """A row per day: day, volume, fitted (weekday effect and trend)."""
        return self.table


def volume_trend(days: Sequence[date], volume: Sequence[float], *, level: float = 0.95) -> VolumeTrend:
    """The growth of daily volume: a straight line through log volume, beside an effect of each weekday.

    A row per day; days may be missing. Volumes that are not above 0 (or not finite) have no logarithm: left out and counted.
    Neighbouring days are alike: the variance is multiplied by (1 + r) / (1 - r), r the correlation of residuals of
    neighbouring days where above 0, and the t quantile has the days that are then left. Null for fewer than 14 days.

    Raises: ValueError for two lengths, a level outside (0, 1).
    Source: Bayley and Hammersley (1946) Suppl J R Stat Soc 8:184 (effective n); Fieller (1954) for dates.
    """
    values = np.asarray(volume, dtype=float)
    if len(days) != len(values):
        raise ValueError(f"{len(days)} days and {len(values)} volumes: each day needs its volume")
    if not 0 < level < 1:
        raise ValueError(f"level: {level!r}: write a share between 0 and 1, such as 0.95")
    good = np.isfinite(values) & (values > 0)
    kept = sorted((day, float(value)) for day, value, ok in zip(days, values, good, strict=True) if ok)
    left_out = int((~good).sum())
    if len({day for day, _ in kept}) < _FEWEST:
        return VolumeTrend(Interval(None, None, None, len(kept), level, _METHOD), None, None, len(kept), left_out)
    return _fitted(kept, level, left_out)


def _fitted(kept: list[tuple[date, float]], level: float, left_out: int) -> VolumeTrend:
    import pandas as pd
    from scipy.stats import t as student

    ordinal = np.array([day.toordinal() for day, _ in kept], dtype=float)
    since, y = ordinal - ordinal[-1], np.log([value for _, value in kept])
    weekday = (ordinal.astype(int) + 6) % 7
    present = np.unique(weekday)
    # Effects that sum to 0 over the weekdays present: the constant is then the mean day.
    effects = (weekday[:, None] == present[None, :-1]).astype(float) - (weekday == present[-1])[:, None]
    design = np.column_stack([np.ones_like(since), since, effects])
    inverse = np.linalg.pinv(design.T @ design)
    coefficients = inverse @ design.T @ y
    rest = y - design @ coefficients
    freedom = len(y) - design.shape[1]
    spread = float(rest @ rest)
    r = float(np.clip((rest[1:] @ rest[:-1]) / spread, 0.0, 0.9)) if spread > 1e-20 else 0.0
    inflate = (1 + r) / (1 - r)
    covariance = inverse[:2, :2] * spread / freedom * inflate
    quantile = float(student.ppf((1 + level) / 2, max(freedom / inflate, 2.0)))
    slope, error = float(coefficients[1]), sqrt(float(covariance[1, 1]))
    bounds = [exp(30 * (slope + sign * quantile * error)) for sign in (-1, 1)]
    growth = Interval(exp(30 * slope), bounds[0], bounds[1], len(y), level, _METHOD)
    v_level, v_both, v_slope = (float(covariance[place]) for place in ((0, 0), (0, 1), (1, 1)))
    line = (float(coefficients[0]), slope, v_level, v_both, v_slope, quantile)
    table = pd.DataFrame(
        {"day": [day for day, _ in kept], "volume": np.exp(y), "fitted": np.exp(design @ coefficients)}
    )
    return VolumeTrend(growth, exp(float(coefficients[0])), kept[-1][0], len(y), left_out, line, table)

"""Events per exposure: failures per day, per thousand items, per hour of running, and two such rates compared."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

from aftershock.metrics.proportions.intervals import check_level, clopper_pearson
from aftershock.metrics.results import Interval, one_row

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RateRatio:
    """What `poisson_ratio` gives: the first rate over the second. `high` is null where no ratio is too large."""

    ratio: float | None
    low: float | None
    high: float | None
    p_value: float | None
    first: Interval
    second: Interval
    level: float

    @property
    def n(self) -> int:
        """Events in both."""
        return self.first.n + self.second.n

    @property
    def left_out(self) -> int:
        """Nothing is."""
        return 0

    @property
    def interval(self) -> Interval:
        """The ratio with its bounds."""
        return Interval(self.ratio, self.low, self.high, self.n, self.level, "conditional binomial, exact")

    def to_pandas(self) -> pd.DataFrame:
        """One row: the ratio, its bounds and p-value, and both rates with theirs."""
        return one_row(self).assign(n=self.n)


def poisson_rate(count: int, exposure: float = 1.0, *, level: float = 0.95) -> Interval:
    """Events per unit of exposure with exact limits: it holds the true rate at least as often as `level` says.

    `exposure` is time, items or whatever the events could happen in; the rate has its unit. `n` is the count of events.
    All is null for an exposure of 0. Meant for events that come independently: bursts make the truth wider.

    Raises: ValueError for a count that is no whole number from 0, an exposure below 0 or infinite, or a level outside
    (0, 1); an event without exposure.
    Source: Garwood (1936) Biometrika 28:437; equals R's poisson.test.
    """
    from scipy.stats import chi2

    check_level(level)
    count, exposure = _check_events(count, exposure)
    if exposure == 0:
        return Interval(None, None, None, 0, level, "garwood")
    tail = (1 - level) / 2
    low = float(chi2.ppf(tail, 2 * count)) / 2 if count else 0.0
    high = float(chi2.isf(tail, 2 * count + 2)) / 2
    return Interval(count / exposure, low / exposure, high / exposure, count, level, "garwood")


def poisson_ratio(
    count1: int, exposure1: float, count2: int, exposure2: float, *, ratio: float = 1.0, level: float = 0.95
) -> RateRatio:
    """The first rate over the second: given all events, those of the first are binomial, so the answer is exact.

    `p_value` is two-sided against `ratio`: all outcomes no likelier than the one seen, as R does it (not twice a tail, so
    interval and p-value can disagree a little at the edge). Without events in the second the ratio and `high` are null;
    without any event, or without exposure, nothing can be said and all are null.

    Raises: what `poisson_rate` raises; ValueError for a ratio that is not above 0.
    Source: Przyborowski and Wilenski (1940) Biometrika 31:313; equals R's poisson.test of two counts.
    """
    first, second = poisson_rate(count1, exposure1, level=level), poisson_rate(count2, exposure2, level=level)
    (count1, exposure1), (count2, exposure2) = _check_events(count1, exposure1), _check_events(count2, exposure2)
    if not 0 < ratio < inf:
        raise ValueError(f"ratio: {ratio!r}: write a number above 0; 1 asks whether the rates are equal")
    total = count1 + count2
    if total == 0 or exposure1 == 0 or exposure2 == 0:
        return RateRatio(None, None, None, None, first, second, level)
    from scipy.stats import binomtest

    share = clopper_pearson(count1, total, level)
    low, high = (_odds(bound) * (exposure2 / exposure1) for bound in (share.low or 0.0, share.high or 0.0))
    expected = ratio * exposure1 / (ratio * exposure1 + exposure2)
    p_value = float(binomtest(count1, total, expected).pvalue)
    found = first.estimate / second.estimate if first.estimate is not None and second.estimate else None
    return RateRatio(found, low, high if isfinite(high) else None, min(p_value, 1.0), first, second, level)


def _odds(share: float) -> float:
    return share / (1 - share) if share < 1 else inf


def _check_events(count: Any, exposure: Any) -> tuple[int, float]:
    try:
        events, whole = float(count), float(exposure)
    except (TypeError, ValueError):
        raise ValueError(f"{count!r} events in {exposure!r}: write numbers") from None
    if not (events >= 0 and isfinite(events) and events == int(events)):
        raise ValueError(f"count: {count!r}: events are whole numbers from 0")
    if not (whole >= 0 and isfinite(whole)):
        raise ValueError(f"exposure: {exposure!r}: write a time or an amount of 0 or more")
    if whole == 0 and events:
        raise ValueError(f"{events:g} events in no exposure: say in how much they happened")
    return int(events), whole

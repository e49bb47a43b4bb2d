"""Burn rates as arithmetic: thresholds from a policy and a period, how long a budget lasts, how soon an alert would see an outage.

A burn rate of 1 spends the budget exactly in the period. Nothing here knows of 30 days but the default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aftershock.metrics.results import Interval, one_row
from aftershock.metrics.service_levels.budgets import objective_checked

if TYPE_CHECKING:
    import pandas as pd

# (share of the budget spent, in hours, what to do): the four rows of the Workbook's table.
WORKBOOK_POLICY: Final = ((0.02, 1.0, "page"), (0.05, 6.0, "page"), (0.10, 24.0, "ticket"), (0.10, 72.0, "ticket"))
SHORT: Final = 12  # a long window is confirmed by a short one of a twelfth
_HOURS_A_DAY: Final = 24.0


@dataclass(frozen=True)
class BurnRatePolicy:
    """`table` has a row per rule: share (of the budget), long_h, short_h, burn (the threshold), severity."""

    table: pd.DataFrame = field(repr=False, compare=False)
    rules: tuple[tuple[float, float, float, float, str], ...]
    period_days: float
    n: int = 0
    left_out: int = 0
    interval: None = None

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table


def burn_rate_thresholds(
    policy: Sequence[tuple[float, float, str]] = WORKBOOK_POLICY, *, period_days: float = 30.0
) -> BurnRatePolicy:
    """The burn rate at which a share of the budget is spent within a window: share * period / window.

    `policy` has (share, window in hours, severity) per rule. 2 % of a 30-day budget in an hour is a burn of 14.4; of a 28-day one 13.44.

    Raises: ValueError for a share outside (0, 1], a window that is not inside the period, a period not above 0.
    Source: Beyer et al. (2018), The Site Reliability Workbook, chapter 5, tables 5-6 and 5-8.
    """
    import pandas as pd

    period_h = _period_h(period_days)
    for share, window_h, _ in policy:
        if not 0 < share <= 1:
            raise ValueError(f"policy: share {share!r}: write the share of the budget, inside (0, 1]")
        if not 0 < window_h <= period_h:
            raise ValueError(
                f"policy: window {window_h!r} h: it must be above 0 and no longer than the period, {period_h:g} h"
            )
    rules = tuple(
        (share, hours, hours / SHORT, share * period_h / hours, severity) for share, hours, severity in policy
    )
    return BurnRatePolicy(
        pd.DataFrame(rules, columns=["share", "long_h", "short_h", "burn", "severity"]), rules, period_days
    )


@dataclass(frozen=True)
class BurnOutlook:
    """What a burn rate means: the failure rate that makes it, and after how many hours of it the budget is gone."""

    burn: float
    error_rate: float
    exhausted_after_h: float | None
    objective: float
    period_days: float
    n: int = 0
    left_out: int = 0
    interval: None = None

    @property
    def exhausted_after_days(self) -> float | None:
        """In days; null where nothing burns."""
        return None if self.exhausted_after_h is None else self.exhausted_after_h / _HOURS_A_DAY

    @property
    def exhausted_after_minutes(self) -> float | None:
        """In minutes."""
        return None if self.exhausted_after_h is None else self.exhausted_after_h * 60

    def to_pandas(self) -> pd.DataFrame:
        """One row."""
        return one_row(self)


def burn_outlook(burn: float, objective: float, *, period_days: float = 30.0, left_share: float = 1.0) -> BurnOutlook:
    """From a burn rate to the failure rate behind it, burn * (1 - objective), and the time until the budget is gone, left * period / burn.

    `left_share` is how much of the budget is left now. A burn above 1 / (1 - objective) would need more failures than runs: refused.

    Raises: ValueError for such a burn or one below 0, an objective outside (0, 1), a left_share outside [0, 1].
    Source: Beyer et al. (2018), The Site Reliability Workbook, chapter 5, table 5-4.
    """
    objective_checked(objective)
    period_h = _period_h(period_days)
    burn, objective, left_share = float(burn), float(objective), float(left_share)
    error_rate = burn * (1 - objective)
    if not 0 <= error_rate <= 1 + 1e-9:
        raise ValueError(f"burn: {burn!r}: it lies between 0 and 1 / (1 - objective) = {1 / (1 - objective):g}")
    if not 0 <= left_share <= 1:
        raise ValueError(f"left_share: {left_share!r}: write a share inside [0, 1]")
    hours = left_share * period_h / burn if burn > 0 else None
    return BurnOutlook(burn, min(error_rate, 1.0), hours, objective, period_days)


def detection_time(
    error_rate: float, objective: float, *, burn: float, window_h: float, level: float = 0.95
) -> Interval:
    """Hours until a rule with this threshold and window sees an outage of this failure rate: (1 - objective) / error_rate * window * burn.

    Null where it never does: the failure rate stays below burn * (1 - objective). Assumes runs that come evenly, and none failing before.

    Raises: ValueError for shares outside their bounds or a window not above 0.
    Source: Beyer et al. (2018), The Site Reliability Workbook, chapter 5, table 5-3.
    """
    objective_checked(objective)
    if not 0 <= error_rate <= 1:
        raise ValueError(f"error_rate: {error_rate!r}: write a share inside [0, 1]")
    if not (0 < burn < float("inf") and 0 < window_h < float("inf")):
        raise ValueError(f"burn: {burn!r}, window_h: {window_h!r}: both lie above 0")
    needed = float((1 - objective) * burn)
    seen = error_rate > 0 and error_rate >= needed * (1 - 1e-12)
    return Interval(float(needed / error_rate * window_h) if seen else None, None, None, 0, level, "hours, arithmetic")


def _period_h(period_days: float) -> float:
    if not 0 < period_days < float("inf"):
        raise ValueError(f"period_days: {period_days!r}: write a number above 0")
    return period_days * _HOURS_A_DAY

"""`geometric_mean`: the typical time on the scale on which recovery times are even."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log, sqrt
from typing import Any, Final

import numpy as np

from aftershock.metrics.recovery.step_curves import area
from aftershock.metrics.recovery.survival_data import durations_of, risk_table, z_of
from aftershock.metrics.results import Interval

_WIDEST: Final = 600.0  # beyond, exp has no finite value


def geometric_mean(durations: Any, observed: Any = None, *, floor: float = 1.0, level: float = 0.95) -> Interval:
    """The geometric mean of times: exp of the mean logarithm, with Student's t interval on the log scale.

    Where some are still open (`observed` False) it is the mean log time under the Kaplan-Meier curve, no unit counted for more than
    the longest time seen: too low where the longest are open, and `method` says "restricted". Without open ones it is the plain
    one. Times below `floor` count as `floor` (0 has no logarithm): 1.0 is a second where times are seconds; the result is in the
    same unit. The t has events - 1 degrees of freedom: with fewer than two events, or all alike, there is an estimate but no
    interval. Null for nothing, and where nothing has ended.

    Raises: ValueError as `kaplan_meier` does, and for a floor that is not above 0.
    Source: Olsson (2005) J Stat Educ 13(1), "naive" and t intervals on the log scale; Klein and Moeschberger (2003), section 4.5.
    """
    z_of(level)
    if not floor > 0:
        raise ValueError(f"floor: {floor!r}: write a time above 0")
    data = durations_of(durations, observed)
    events = int(data.observed.sum())
    kind = "geometric mean, t" if data.observed.all() else "geometric mean, restricted, t"
    if not events:
        return Interval(None, None, None, len(data), level, kind, data.left_out)
    risk = risk_table(replace(data, exit=np.log(np.maximum(data.exit, floor) / floor)))
    survival = np.cumprod(1 - risk.events / risk.at_risk)
    mean, variance = area(risk.time, survival, risk.events, risk.at_risk, float(risk.time[-1]))
    estimate = floor * exp(mean)
    if events < 2:
        return Interval(estimate, None, None, len(data), level, kind, data.left_out)
    from scipy.stats import t

    reach = float(t.ppf((1 + level) / 2, events - 1)) * sqrt(variance * events / (events - 1))
    if not 0 < reach < _WIDEST:
        return Interval(estimate, None, None, len(data), level, kind, data.left_out)
    low, high = exp(log(estimate) - reach), exp(log(estimate) + reach)
    return Interval(estimate, low, high, len(data), level, kind, data.left_out)

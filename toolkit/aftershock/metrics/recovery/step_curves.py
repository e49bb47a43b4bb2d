"""A survival curve as a step function: its interval, quantiles and area, as R's survfit takes them."""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np

from aftershock.metrics.recovery.survival_data import Floats

Transform = Literal["log-log", "log", "plain", "logit", "arcsine"]
TRANSFORMS: Final = ("log-log", "log", "plain", "logit", "arcsine")
# Equal to a share up to rounding: R's survfit uses the same square root of the machine's precision.
TOLERANCE: Final = 1.4901161193847656e-08


def bounds(survival: Floats, relative_se: Floats, z: float, transform: str) -> tuple[Floats, Floats]:
    """(low, high) of S from the standard error of log S; NaN where S is 0, as in R: nobody is left to say."""
    s: Any = survival
    reach: Any = z * relative_se
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if transform == "plain":
            low, high = s - s * reach, s + s * reach
        elif transform == "log":
            low, high = s * np.exp(-reach), s * np.exp(reach)
        elif transform == "log-log":
            wide = reach / np.abs(np.log(s))
            low, high = s ** np.exp(wide), s ** np.exp(-wide)
        elif transform == "logit":
            odds, wide = np.log(s / (1 - s)), reach / (1 - s)
            low, high = 1 - 1 / (1 + np.exp(odds - wide)), 1 - 1 / (1 + np.exp(odds + wide))
        else:
            angle, wide = np.arcsin(np.sqrt(s)), 0.5 * reach * np.sqrt(s / (1 - s))
            low, high = np.sin(np.maximum(0, angle - wide)) ** 2, np.sin(np.minimum(np.pi / 2, angle + wide)) ** 2
    certain = (s >= 1) & (relative_se == 0)
    low, high = np.where(certain, 1.0, np.maximum(low, 0.0)), np.where(certain, 1.0, np.minimum(high, 1.0))
    gone = s <= 0
    return np.where(gone, np.nan, low), np.where(gone, np.nan, high)


def crossing(time: Floats, curve: Floats, height: float) -> float | None:
    """When a falling step curve reaches `height`: the middle of the stretch where it lies exactly there; None if it never does."""
    if not len(time):
        return None
    known = ~np.isnan(curve)
    reached = known & (curve <= height + TOLERANCE)
    if not reached.any():
        return None
    first = time[reached][0]
    below = known & (curve < height - TOLERANCE)
    return float((first + (time[below][0] if below.any() else time[-1])) / 2)


def area(time: Floats, survival: Floats, events: Floats, at_risk: Floats, tau: float) -> tuple[float, float]:
    """(the area under the curve from 0 to tau, its variance): the mean of the time restricted to tau."""
    upto = time < tau
    edges = np.concatenate([[0.0], time[upto], [tau]])
    heights = np.concatenate([[1.0], survival[upto]])
    pieces = heights * np.diff(edges)
    remaining = pieces[::-1].cumsum()[::-1][1:]
    left = at_risk[upto] - events[upto]
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(left > 0, events[upto] / (at_risk[upto] * left), 0.0)
    return float(pieces.sum()), float((remaining**2 * weight).sum())

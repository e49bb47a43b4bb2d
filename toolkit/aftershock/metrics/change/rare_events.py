"""Control charts for failures so rare that most days have none: runs between failures (g), time between failures (t)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import log, log1p, sqrt
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from aftershock.metrics.change.control_chart import (
    D2,
    ControlChart,
    Limits,
    chart,
    check_width,
    counts_of,
    keep,
    mean_with_t,
    moving_range,
    named,
    numbers,
)
from aftershock.metrics.results import Interval


def g_chart(
    gaps: Any,
    *,
    width: float = 3.0,
    limits: Literal["probability", "sigma"] = "probability",
    exclude: Sequence[Hashable] = (),
    labels: Sequence[Hashable] | None = None,
) -> ControlChart:
    """The g chart: how many runs succeeded between one failure and the next; a gap too short means failures come faster.

    Gaps are whole numbers from 0. `probability`: limits that a geometric variable with this mean passes with the chance that a normal
    one passes `width` standard deviations (0.00135 a side at 3). `sigma`: mean ± width · sqrt(mean · (mean + 1)), the textbook's, whose
    lower limit is always 0: it cannot see failures coming faster. The lower limit is null where even a gap of 0 is likelier than
    that chance (means under about 740 at width 3): then look at `cusum_chart`, or give a smaller `width`.

    Raises: ValueError for a gap that is no number or below 0, another kind of limits, `exclude` that names no sample.
    Source: Benneyan (2001) Health Care Management Science 4:305; Kaminsky et al. (1992) J Quality Technology 24:63.
    """
    check_width(width)
    x = counts_of(gaps, "gaps")
    kept = keep(named(labels, len(x)), exclude, np.ones(len(x), dtype=bool))
    mean = float(x[kept].mean()) if kept.any() else None
    low = high = np.nan
    if _is_sigma(limits):
        if mean is not None:
            low, high = max(0.0, mean - width * sqrt(mean * (mean + 1))), mean + width * sqrt(mean * (mean + 1))
    elif mean:
        tail, stay = NormalDist().cdf(-width), log(mean / (mean + 1))
        # P(gap >= g) = stay^g: the largest g with P(gap < g) <= tail is the last that is not yet too short.
        low = np.floor(log1p(-tail) / stay)
        low, high = (low if low >= 1 else np.nan), float(np.ceil(log(tail) / stay) - 1)
    sigma = None if mean is None else sqrt(mean * (mean + 1))
    rows = np.ones(len(x))
    centre = Interval(mean, None, None, int(kept.sum()), 0.95, "geometric")
    return chart("g", rows, x, kept, Limits(mean, sigma, rows * low, rows * high, centre), labels)


def t_chart(
    gaps_h: Any,
    *,
    width: float = 3.0,
    limits: Literal["probability", "transformed"] = "probability",
    exclude: Sequence[Hashable] = (),
    labels: Sequence[Hashable] | None = None,
) -> ControlChart:
    """The t chart: the time between one failure and the next; a gap too short means failures come faster.

    `probability`: the centre is the mean and the limits are what an exponential time with this mean passes with the chance of
    `width` standard deviations (0.00135 a side at 3), with the mean's chi-square interval (95 %). `transformed`: Nelson's
    y = gap^(1/3.6), near normal, on an individuals chart: value, centre and limits are in y. Any unit of time will do.

    Raises: ValueError for a gap that is no number or below 0, another kind of limits, `exclude` that names no sample.
    Source: Nelson (1994) J Quality Technology 26:239; Montgomery, Introduction to Statistical Quality Control, 7.3.5.
    """
    from scipy.special import gammaincinv

    check_width(width)
    x = numbers(gaps_h, "gaps_h", low=0)
    kept = keep(named(labels, len(x)), exclude, np.ones(len(x), dtype=bool))
    rows, count = np.ones(len(x)), int(kept.sum())
    if limits == "transformed":
        return _transformed(x ** (1 / 3.6), kept, width, labels)
    if limits != "probability":
        raise ValueError(f"limits: {limits!r}: write 'probability' or 'transformed'")
    total, tail = float(x[kept].sum()), NormalDist().cdf(-width)
    mean = total / count if count else None
    # Gaps of no length at all tell of no rate.
    bounds = [total / float(gammaincinv(count, share)) if total else None for share in (0.975, 0.025)]
    middle = np.nan if mean is None else mean
    low, high = rows * middle * -log1p(-tail), rows * middle * -log(tail)
    made = Limits(mean, mean, low, high, Interval(mean, bounds[0], bounds[1], count, 0.95, "chi_square"))
    return chart("t", rows, x, kept, made, labels)


def _transformed(y: Any, kept: Any, width: float, labels: Sequence[Hashable] | None) -> ControlChart:
    spread, rows = moving_range(y[kept]), np.ones(len(y))
    sigma = None if spread is None else spread / D2
    mean = float(y[kept].mean()) if kept.any() else None
    middle, reach = rows * (np.nan if mean is None else mean), np.nan if sigma is None else width * sigma
    made = Limits(mean, sigma, middle - reach, middle + reach, mean_with_t(y[kept]))
    return chart("t", rows, y, kept, made, labels)


def _is_sigma(limits: str) -> bool:
    if limits not in ("probability", "sigma"):
        raise ValueError(f"limits: {limits!r}: write 'probability' or 'sigma'")
    return limits == "sigma"

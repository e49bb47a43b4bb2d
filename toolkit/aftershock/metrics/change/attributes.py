"""Control charts of counts: shares of n (p), counts per exposure (u), plain counts (c), and Laney's p′ and u′."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from math import ceil, floor, sqrt
from typing import Any

import numpy as np

from aftershock.metrics.change.control_chart import (
    D2,
    ControlChart,
    Flags,
    Floats,
    Limits,
    beyond,
    chart,
    check_width,
    counts_of,
    keep,
    moving_range,
    named,
    sizes_of,
)
from aftershock.metrics.proportions.intervals import wilson
from aftershock.metrics.results import Interval

Make = Callable[[Flags], Limits]


def p_chart(
    failures: Any,
    n: Any,
    *,
    width: float = 3.0,
    centre: float | None = None,
    exclude: Sequence[Hashable] = (),
    revisions: int = 0,
    labels: Sequence[Hashable] | None = None,
) -> ControlChart:
    """Shewhart's p chart: the share of failures per sample against limits that follow each sample's n.

    `failures` is a sequence, `n` one too or a number for all. Centre: all failures over all n of the samples kept, with Wilson's
    interval (95 %). Limits: centre ± `width` standard deviations of a share of that n, cut at 0 and 1. `centre` sets a standard
    instead of estimating one. `exclude` leaves samples with a known cause out of the estimate (they stay in the table);
    `revisions` leaves out that many times whatever signals, and estimates anew. Samples with n = 0 have no value, no limits and
    no signal. It supposes that runs fail independently: where a day's failures come together use `laney_p_chart`.

    Raises: ValueError for a count that is no number, below 0 or above n, for `exclude` that names no sample.
    Source: Shewhart (1931); Montgomery, Introduction to Statistical Quality Control, 7.2; equals R's qcc(type="p").
    """
    return _shares("p", failures, n, width, centre, exclude, revisions, labels, laney=False)


def laney_p_chart(
    failures: Any,
    n: Any,
    *,
    width: float = 3.0,
    exclude: Sequence[Hashable] = (),
    revisions: int = 0,
    labels: Sequence[Hashable] | None = None,
) -> ControlChart:
    """Laney's p′ chart: the p chart's limits times `sigma_z`, how much more days differ than independent runs would.

    `sigma_z` is the mean moving range of the standardised shares over 1.128: near 1 the chart is the p chart; above 1 days differ
    more (overdispersion: outages, large n), below 1 less. Null, with no limits, under two usable samples or where nothing or
    everything failed. The centre's Wilson interval takes n / sigma_z² runs where sigma_z > 1.

    Raises: what `p_chart` raises.
    Source: Laney (2002) Quality Engineering 14:531; equals R's qcc with sigma from the moving range of z.
    """
    return _shares("laney_p", failures, n, width, None, exclude, revisions, labels, laney=True)


def u_chart(
    counts: Any,
    exposure: Any,
    *,
    width: float = 3.0,
    centre: float | None = None,
    exclude: Sequence[Hashable] = (),
    revisions: int = 0,
    labels: Sequence[Hashable] | None = None,
) -> ControlChart:
    """The u chart: events per exposure (incidents per hour, errors per thousand items) for samples of any exposure.

    Centre: all events over all exposure, with Garwood's interval (95 %); limits: centre ± `width` · sqrt(centre / exposure),
    the lower not below 0. The options are those of `p_chart`. Samples without exposure have no value and no signal.

    Raises: ValueError for a count or exposure that is no number or below 0, and for events without exposure.
    Source: Montgomery, Introduction to Statistical Quality Control, 7.3; equals R's qcc(type="u").
    """
    return _rates("u", counts, exposure, width, centre, exclude, revisions, labels, laney=False)


def laney_u_chart(
    counts: Any,
    exposure: Any,
    *,
    width: float = 3.0,
    exclude: Sequence[Hashable] = (),
    revisions: int = 0,
    labels: Sequence[Hashable] | None = None,
) -> ControlChart:
    """Laney's u′ chart: the u chart's limits times `sigma_z`, as in `laney_p_chart`.

    Raises: what `u_chart` raises.
    Source: Laney (2002) Quality Engineering 14:531.
    """
    return _rates("laney_u", counts, exposure, width, None, exclude, revisions, labels, laney=True)


def c_chart(
    counts: Any,
    *,
    width: float = 3.0,
    centre: float | None = None,
    exclude: Sequence[Hashable] = (),
    revisions: int = 0,
    labels: Sequence[Hashable] | None = None,
) -> ControlChart:
    """The c chart: events per sample where all samples have the same exposure (failures a day, each day alike).

    Limits: centre ± `width` · sqrt(centre), the lower not below 0. The options are those of `p_chart`.

    Raises: ValueError for a count that is no number or below 0.
    Source: Montgomery, Introduction to Statistical Quality Control, 7.3; equals R's qcc(type="c").
    """
    return _rates("c", counts, 1, width, centre, exclude, revisions, labels, laney=False)


def _shares(
    kind: str,
    failures: Any,
    n: Any,
    width: float,
    centre: float | None,
    exclude: Sequence[Hashable],
    revisions: int,
    labels: Sequence[Hashable] | None,
    *,
    laney: bool,
) -> ControlChart:
    check_width(width)
    x = counts_of(failures, "failures")
    sizes = sizes_of(n, len(x))
    if (x > sizes).any():
        place = int(np.flatnonzero(x > sizes)[0])
        raise ValueError(
            f"failures: {x[place]:g} of {sizes[place]:g} at place {place}: the count must lie between 0 and n"
        )
    if centre is not None and not 0 <= centre <= 1:
        raise ValueError(f"centre: {centre!r}: write a share from 0 to 1")

    def limits(kept: Flags) -> Limits:
        total = float(sizes[kept].sum())
        p = centre if centre is not None else float(x[kept].sum()) / total if total else None
        deviation = np.full(len(x), np.nan) if p is None else np.sqrt(p * (1 - p) / _positive(sizes))
        z = _sigma_z(x / _positive(sizes), p, deviation, kept) if laney else None
        reach = width * deviation * (_factor(z) if laney else 1.0)
        middle = np.nan if p is None else p
        share = _wilson(float(x[kept].sum()), total, z) if centre is None else None
        lower, upper = np.maximum(middle - reach, 0.0), np.minimum(middle + reach, 1.0)
        return Limits(p, None if p is None else sqrt(p * (1 - p)), lower, upper, share, z)

    return _revised(kind, sizes, x / _positive(sizes), limits, exclude, revisions, labels)


def _rates(
    kind: str,
    counts: Any,
    exposure: Any,
    width: float,
    centre: float | None,
    exclude: Sequence[Hashable],
    revisions: int,
    labels: Sequence[Hashable] | None,
    *,
    laney: bool,
) -> ControlChart:
    check_width(width)
    x = counts_of(counts, "counts")
    sizes = sizes_of(exposure, len(x), "exposure")
    if (x[sizes == 0] > 0).any():
        place = int(np.flatnonzero((sizes == 0) & (x > 0))[0])
        raise ValueError(f"counts: {x[place]:g} without exposure at place {place}: events need an exposure above 0")
    if centre is not None and not centre >= 0:
        raise ValueError(f"centre: {centre!r}: write a rate of at least 0")

    def limits(kept: Flags) -> Limits:
        total = float(sizes[kept].sum())
        rate = centre if centre is not None else float(x[kept].sum()) / total if total else None
        deviation = np.full(len(x), np.nan) if rate is None else np.sqrt(rate / _positive(sizes))
        z = _sigma_z(x / _positive(sizes), rate, deviation, kept) if laney else None
        reach = width * deviation * (_factor(z) if laney else 1.0)
        middle = np.nan if rate is None else rate
        bounds = _garwood(float(x[kept].sum()), total, z) if centre is None else None
        sigma = None if rate is None else sqrt(rate)
        return Limits(rate, sigma, np.maximum(middle - reach, 0.0), middle + reach, bounds, z)

    return _revised(kind, sizes, x / _positive(sizes), limits, exclude, revisions, labels)


def _revised(
    kind: str,
    sizes: Floats,
    values: Floats,
    make: Make,
    exclude: Sequence[Hashable],
    revisions: int,
    labels: Sequence[Hashable] | None,
) -> ControlChart:
    """The chart after leaving out what is excluded by name, and `revisions` times what signals."""
    kept = keep(named(labels, len(values)), exclude, sizes > 0)
    limits = make(kept)
    for _ in range(revisions):
        out = beyond(values, limits) & kept
        if not out.any():
            break
        kept = kept & ~out
        limits = make(kept)
    return chart(kind, sizes, values, kept, limits, labels)


def _sigma_z(values: Floats, centre: float | None, deviation: Floats, kept: Flags) -> float | None:
    if centre is None or not (deviation[kept] > 0).all():
        return None
    spread = moving_range((values[kept] - centre) / deviation[kept])
    return None if spread is None else spread / D2


def _factor(sigma_z: float | None) -> float:
    return np.nan if sigma_z is None else sigma_z


def _positive(sizes: Floats) -> Floats:
    """Sizes with nothing for 0: what is divided by it becomes missing, without a warning."""
    return np.where(sizes > 0, sizes, np.nan)


def _wilson(x: float, n: float, sigma_z: float | None) -> Interval:
    """Wilson's interval; days that differ more than chance count for fewer runs. Counts that are weights are rounded."""
    inflation = max(1.0, sigma_z or 1.0) ** 2
    runs = ceil(n / inflation)
    share = wilson(min(round(x / inflation), runs), runs)
    estimate = x / n if n else None
    if inflation == 1.0 or estimate is None:
        return Interval(estimate, share.low, share.high, floor(n), share.level, "wilson")
    # The effective numbers are no whole numbers: the formula takes them as they are.
    z = 1.959963984540054
    size = n / inflation
    middle = (estimate + z * z / (2 * size)) / (1 + z * z / size)
    reach = z / (1 + z * z / size) * sqrt(estimate * (1 - estimate) / size + z * z / (4 * size * size))
    return Interval(estimate, max(middle - reach, 0.0), min(middle + reach, 1.0), floor(n), 0.95, "wilson")


def _garwood(x: float, exposure: float, sigma_z: float | None) -> Interval:
    """Garwood's interval of a rate per exposure, at 95 %."""
    from scipy.special import gammaincinv

    if not exposure:
        return Interval(None, None, None, 0, 0.95, "garwood")
    inflation = max(1.0, sigma_z or 1.0) ** 2
    events, size = x / inflation, exposure / inflation
    low = float(gammaincinv(events, 0.025)) / size if x else 0.0
    return Interval(x / exposure, low, float(gammaincinv(events + 1, 0.975)) / size, round(x), 0.95, "garwood")

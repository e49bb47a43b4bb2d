"""What every control chart gives, and what charts of counts and of values have in common."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aftershock.metrics.results import Interval

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
D2: Final = 1.128  # the mean range of two standard normals, to the three digits that handbooks use
_SLACK: Final = 1e-12  # a value that floating point puts a hair beyond its own limit is on it


@dataclass(frozen=True)
class ControlChart:
    """A control chart: `table` has a row per sample: sample, n, value, centre, lower, upper, signal, excluded.

    `centre` and `sigma` (of one observation, or of a sample where all are of one size) are what the limits are made of, null where
    nothing counts. `lower` and `upper` are the limits where all samples share them, else null. `signals` names the samples beyond
    their limits. `n` counts the samples that made centre and limits, `left_out` those that did not: excluded, or empty.
    `interval` is the centre with its confidence interval, null where it was given and not estimated.
    """

    kind: str
    centre: float | None
    sigma: float | None
    lower: float | None
    upper: float | None
    signals: tuple[Hashable, ...]
    n: int
    left_out: int
    interval: Interval | None
    sigma_z: float | None = None
    table: pd.DataFrame = field(repr=False, compare=False, kw_only=True)

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table


@dataclass(frozen=True)
class Limits:
    """What a kind of chart makes of the samples that are kept: a centre, its interval, and limits for every sample."""

    centre: float | None
    sigma: float | None
    lower: Floats
    upper: Floats
    interval: Interval | None
    sigma_z: float | None = None


def chart(
    kind: str, sizes: Floats, values: Floats, kept: Flags, limits: Limits, labels: Sequence[Hashable] | None
) -> ControlChart:
    """The chart of these samples; `labels` name them, else 1, 2, 3 ..."""
    import pandas as pd

    names = named(labels, len(values))
    signal = beyond(values, limits)
    table = pd.DataFrame(
        {
            "sample": names,
            "n": sizes,
            "value": values,
            "centre": np.nan if limits.centre is None else limits.centre,
            "lower": limits.lower,
            "upper": limits.upper,
            "signal": signal,
            "excluded": ~kept,
        }
    )
    return ControlChart(
        kind,
        limits.centre,
        limits.sigma,
        shared(limits.lower),
        shared(limits.upper),
        tuple(name for name, out in zip(names, signal, strict=True) if out),
        int(kept.sum()),
        int((~kept).sum()),
        limits.interval,
        limits.sigma_z,
        table=table,
    )


def beyond(values: Floats, limits: Limits) -> Flags:
    """Which values lie outside their limits; a missing value or limit never does."""
    slack = _SLACK * np.maximum(np.abs(values), 1e-300)
    with np.errstate(invalid="ignore"):
        return np.asarray((values > limits.upper + slack) | (values < limits.lower - slack))


def shared(limits: Floats) -> float | None:
    """The limit that all samples share; null where they differ or there is none."""
    known = limits[np.isfinite(limits)]
    return float(known[0]) if len(known) and np.ptp(known) <= _SLACK * abs(known[0]) else None


def named(labels: Sequence[Hashable] | None, size: int) -> list[Hashable]:
    """A name per sample."""
    if labels is None:
        return list(range(1, size + 1))
    names = list(labels)
    if len(names) != size:
        raise ValueError(f"labels: {len(names)} for {size} samples: give one for each")
    return names


def keep(names: Sequence[Hashable], exclude: Sequence[Hashable], usable: Flags) -> Flags:
    """The samples that make the limits: usable, and not excluded by name."""
    unknown = [name for name in exclude if name not in set(names)]
    if unknown:
        there = f"samples are {names[0]!r} to {names[-1]!r}" if names else "there are none"
        raise ValueError(f"exclude: {unknown[0]!r} names no sample: {there}")
    left = set(exclude)
    return np.asarray(usable & np.array([name not in left for name in names], dtype=bool))


def numbers(values: Any, name: str, *, low: float | None = None) -> Floats:
    """Any sequence as doubles. Raises ValueError, naming the place, for what is no finite number or below `low`."""
    array = np.asarray(values, dtype="float64")
    if array.ndim != 1:
        raise ValueError(f"{name}: {array.ndim} dimensions: give a plain sequence of numbers")
    bad = ~np.isfinite(array) if low is None else ~np.isfinite(array) | (array < low)
    if bad.any():
        place = int(np.flatnonzero(bad)[0])
        least = "" if low is None else f" of at least {low:g}"
        raise ValueError(f"{name}: {array[place]!s} at place {place}: write a number{least}")
    return array


def counts_of(values: Any, name: str) -> Floats:
    """`numbers` that count something: whole, from 0. Shares and percentages are refused rather than charted as counts."""
    array = numbers(values, name, low=0)
    part = np.flatnonzero(array != np.floor(array))
    if part.size:
        raise ValueError(f"{name}: {array[part[0]]:g} at place {part[0]}: write counts, whole numbers, not shares")
    return array


def sizes_of(n: Any, size: int, name: str = "n", *, low: float = 0) -> Floats:
    """A size per sample: one number for all, or a sequence as long as the samples."""
    if isinstance(n, int | float | np.number):
        return numbers([n] * size, name, low=low)
    array = numbers(n, name, low=low)
    if len(array) != size:
        raise ValueError(f"{name}: {len(array)} for {size} samples: give one number, or one for each")
    return array


def moving_range(values: Floats) -> float | None:
    """The mean difference between neighbours, without sign; null under two values."""
    return float(np.abs(np.diff(values)).mean()) if len(values) > 1 else None


def mean_with_t(values: Floats, level: float = 0.95) -> Interval:
    """The mean with Student's interval; without bounds under two values or where all are alike, null for none."""
    from scipy.special import stdtrit  # scipy is slow to import

    n = len(values)
    if n < 2 or np.ptp(values) == 0:  # no spread was seen: that is no certainty
        return Interval(float(values[0]) if n else None, None, None, n, level, "t")
    mean, reach = float(values.mean()), float(stdtrit(n - 1, (1 + level) / 2) * values.std(ddof=1) / np.sqrt(n))
    return Interval(mean, mean - reach, mean + reach, n, level, "t")


def check_target(target: float, name: str = "target") -> None:
    """Refuses what is no finite number."""
    if not np.isfinite(target):
        raise ValueError(f"{name}: {target!r}: write a finite number")


def check_width(width: float, name: str = "width") -> None:
    """Refuses a width that is not positive."""
    if not (np.isfinite(width) and width > 0):
        raise ValueError(f"{name}: {width!r}: write a positive number of standard deviations, such as 3")

"""`periodicity`: on which beat a series goes, by its periodogram and confirmed by its autocorrelation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from aftershock.metrics.results import Interval

if TYPE_CHECKING:
    import pandas as pd

Detrend = Literal["linear", "mean"]
Background = Literal["white", "red"]
_FEWEST = 16


@dataclass(frozen=True)
class Periodicity:
    """What `periodicity` gives. `candidate` is the strongest period of the periodogram (its length over a whole number); `period` is the hill
    of the autocorrelation there, sharpened on a fine periodogram, with the width of a frequency bin as bounds; null where no beat is beyond chance.

    `p_value` is that of the candidate over all frequencies; `is_confirmed` says that it lies on a hill of the autocorrelation.
    """

    verdict: str
    period: Interval
    candidate: float | None
    p_value: float | None
    autocorrelation: float | None
    is_confirmed: bool
    n: int
    left_out: int
    table: pd.DataFrame = field(repr=False, compare=False)

    @property
    def interval(self) -> Interval:
        """The refined period."""
        return self.period

    def to_pandas(self) -> pd.DataFrame:
        """The periodogram: period, power, background (what chance makes likely)."""
        return self.table


def periodicity(
    values: Sequence[float],
    *,
    step: float = 1.0,
    detrend: Detrend = "linear",
    background: Background = "red",
    level: float = 0.95,
) -> Periodicity:
    """The dominant period of a regular series (counts per hour, say), in units of `step`.

    The periodogram (a tenth of each end tapered, padded to a length of factors 2, 3 and 5) gives the candidate: the period that stands highest above the
    background.
    `red` takes a series that only remembers its last value as chance, `white` one without memory. A candidate counts
    if its p over all frequencies is at most 1 - level and the autocorrelation has a hill there (Vlachos:
    a rise, then a fall). Null for fewer than 16 values or a constant series.

    Raises: ValueError for a value that is not finite, a step not above 0, another detrend or background, a level outside (0, 1).
    Source: Vlachos, Yu and Castelli (2005) SIAM SDM 449 (autoperiod); Torrence and Compo (1998) BAMS 79:61 (red background);
    taper, detrending and padding as R's spec.pgram.
    """
    y = np.asarray(values, dtype=float)
    _check(y, step, detrend, background, level)
    n = len(y)
    if n < _FEWEST or np.ptp(y) == 0:
        return _none("cannot tell: the series is constant" if n >= _FEWEST else f"cannot tell: {n} values", n, level)
    y = _detrended(y, detrend)
    power, length = periodogram(y)
    frequency = np.arange(1, len(power) + 1) / length
    expected = _background(y, frequency, background)
    above = power / expected
    # Fewer than two whole periods in the series are no beat.
    above[frequency * n < 2] = 0
    k = int(np.argmax(above))
    # A beat of which only the overtone shows is left alone: the autocorrelation decides.
    p_value = float(-np.expm1((n // 2) * np.log1p(-np.exp(-min(float(above[k]), 700.0)))))
    candidate = 1 / float(frequency[k])
    top, height = _hill(autocorrelation(y), n, float(frequency[k]), length)
    sure = p_value <= 1 - level
    top = None if top is None else _sharpened(y, top)
    table = _frame(frequency, power, expected, step)
    found = sure and top is not None
    bounds: tuple[float | None, float | None, float | None] = (None, None, None)
    if found and top is not None:
        half = 0.5 / n
        bounds = top * step, step / (1 / top + half), step / (1 / top - half)
    period = Interval(*bounds, n, level, "autoperiod, frequency bin")
    return Periodicity(
        _words(period, sure, candidate * step), period, candidate * step, p_value, height, found, n, 0, table
    )


def _sharpened(y: np.ndarray, period: float) -> float:
    """The period at which the periodogram, drawn finely, peaks near the hill: the whole series tells more than one lag."""
    n = len(y)
    near = 1 / period + np.linspace(-1, 1, 65) / n
    near = near[near > 1 / n]
    waves = np.exp(-2j * np.pi * near[:, None] * np.arange(n)[None]) @ (y * np.hanning(n))
    best = int(np.argmax(np.abs(waves)))
    return float(1 / near[best]) if 0 < best < len(near) - 1 else period


def periodogram(y: np.ndarray) -> tuple[np.ndarray, int]:
    """(power at k = 1, 2, ..., the padded length): as R's spec.pgram, a tenth of each end tapered."""
    n = len(y)
    edge = n // 10
    taper = np.ones(n)
    ramp = 0.5 * (1 - np.cos(np.pi * np.arange(1, 2 * edge, 2) / (2 * edge)))
    taper[:edge], taper[n - edge :] = ramp, ramp[::-1]
    length = next(size for size in range(n, 2 * n + 2) if _smooth(size))
    spectrum = np.abs(np.fft.rfft(y * taper, length)) ** 2 / float((taper**2).sum())
    return spectrum[1:], length


def _smooth(size: int) -> bool:
    for factor in (2, 3, 5):
        while size % factor == 0:
            size //= factor
    return size == 1


def autocorrelation(y: np.ndarray) -> np.ndarray:
    """The autocorrelation at lags 0, 1, ..., n - 1."""
    n = len(y)
    spectrum = np.abs(np.fft.rfft(y - y.mean(), 2 * n)) ** 2
    products = np.fft.irfft(spectrum)[:n]
    return np.asarray(products / products[0])


def _detrended(y: np.ndarray, detrend: str) -> np.ndarray:
    y = y - y.mean()
    if detrend == "mean":
        return y
    time = np.arange(len(y)) - (len(y) - 1) / 2
    return np.asarray(y - time * (time @ y) / (time @ time))


def _background(y: np.ndarray, frequency: np.ndarray, background: str) -> np.ndarray:
    level = float(y @ y) / len(y)
    if background == "white":
        return np.full(len(frequency), level)
    memory = float(np.clip(y[1:] @ y[:-1] / (y @ y), 0.0, 0.99))
    return level * (1 - memory**2) / (1 + memory**2 - 2 * memory * np.cos(2 * np.pi * frequency))


def _hill(acf: np.ndarray, n: int, frequency: float, length: int) -> tuple[float | None, float | None]:
    """(the top of the autocorrelation's hill around a candidate, its height); null where there is a valley or a slope."""
    step = 1 / length
    low = (1 / (frequency + step) + 1 / frequency) / 2 - 1
    high = (1 / frequency + 1 / max(frequency - step, step)) / 2 + 1
    first, last = max(1, int(np.floor(low))), min(n - 2, int(np.ceil(high)))
    if last - first < 2:
        return None, None
    at = first + int(np.argmax(acf[first : last + 1]))
    # The hill may have its top just outside a narrow window: climb.
    while 1 < at < n - 2 and acf[at + 1] > acf[at] and at < 1.25 / frequency:
        at += 1
    while at > 2 and acf[at - 1] > acf[at] and at > 0.75 / frequency:
        at -= 1
    left, mid, right = (float(value) for value in acf[at - 1 : at + 2])
    if not (mid >= left and mid >= right and mid > 0 and left - 2 * mid + right < 0):
        return None, None
    return at + 0.5 * (left - right) / (left - 2 * mid + right), mid


def _words(period: Interval, sure: bool, candidate: float) -> str:
    if period.estimate is not None:
        return f"a period of {period.estimate:.4g} ({period.low:.4g} to {period.high:.4g})"
    if sure:
        return f"no period: {candidate:.4g} is a candidate, but the autocorrelation has no hill there"
    return "no period beyond chance"


def _frame(frequency: np.ndarray, power: np.ndarray, expected: np.ndarray, step: float) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({"period": step / frequency, "power": power, "background": expected})


def _none(verdict: str, n: int, level: float) -> Periodicity:
    import pandas as pd

    period = Interval(None, None, None, n, level, "autoperiod, frequency bin")
    table = pd.DataFrame({name: pd.Series(dtype="float64") for name in ("period", "power", "background")})
    return Periodicity(verdict, period, None, None, None, False, n, 0, table)


def _check(y: np.ndarray, step: float, detrend: str, background: str, level: float) -> None:
    bad = np.flatnonzero(~np.isfinite(y))
    if len(bad):
        raise ValueError(f"values[{bad[0]}]: {y[bad[0]]}: a regular series has no gaps; fill it, or cut there")
    if not step > 0:
        raise ValueError(f"step: {step!r}: write the time from one value to the next, above 0")
    if detrend not in ("linear", "mean"):
        raise ValueError(f"detrend: {detrend!r}: write 'linear' or 'mean'")
    if background not in ("white", "red"):
        raise ValueError(f"background: {background!r}: write 'white' or 'red'")
    if not 0 < level < 1:
        raise ValueError(f"level: {level!r}: write a share between 0 and 1, such as 0.95")

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
    """What `periodicity` gives. `candidate` is the strongest period of the periodogram (its padded length over a whole number); `period` is
    where a finely drawn periodogram peaks there, with the width of a frequency bin as bounds; null where no beat is beyond chance.

    `p_value` is that of the whole periodogram; `is_confirmed` says that the candidate lies on a hill of the autocorrelation.
    `peak` is where the plain periodogram (not tapered, not padded) is highest: n over a whole number, beyond chance or not.
    """

    verdict: str
    period: Interval
    candidate: float | None
    peak: float | None
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
    taper: float = 0.0,
    level: float = 0.95,
) -> Periodicity:
    """The dominant period of a regular series (counts per hour, say), in units of `step`.

    The periodogram (padded to a length of factors 2, 3 and 5, the share `taper` of each end faded out: R's default is 0.1) gives the candidate: the strongest of the
    periods that stand out of the background, their p over all frequencies at most 1 - level; the most outstanding one where none does.
    `red` takes a series that only remembers its last value as chance, `white` one without memory. A candidate counts
    if it stands out and the autocorrelation has a hill there (Vlachos: a rise, then a fall). Null for fewer than 16 values or
    a constant series.

    Raises: ValueError for a value that is not finite, a step not above 0, another detrend or background, a level outside (0, 1), a taper outside 0 to 0.5.
    Source: Vlachos, Yu and Castelli (2005) SIAM SDM 449 (autoperiod); Torrence and Compo (1998) BAMS 79:61 (red background);
    taper, detrending and padding as R's spec.pgram.
    """
    y = np.asarray(values, dtype=float)
    _check(y, step, detrend, background, level)
    if not 0 <= taper <= 0.5:
        raise ValueError(f"taper: {taper!r}: write the share of each end that is faded out, 0 to 0.5")
    n = len(y)
    if n < _FEWEST or np.ptp(y) == 0:
        return _none("cannot tell: the series is constant" if n >= _FEWEST else f"cannot tell: {n} values", n, level)
    y = _detrended(y, detrend)
    power, length = periodogram(y, taper)
    frequency = np.arange(1, len(power) + 1) / length
    expected = _background(y, frequency, background)
    above = power / expected
    # Fewer than two whole periods in the series are no beat.
    above[frequency * n < 2] = 0
    p = -np.expm1((n // 2) * np.log1p(-np.exp(-np.clip(above, 1e-9, 700.0))))
    p_value = float(p.min())
    sure = p_value <= 1 - level
    # A steep background would choose the shorter of two neighbours; a beat of which only the overtone shows is left to the autocorrelation.
    k = int(np.argmax(np.where(p <= 1 - level, power, 0.0) if sure else above))
    candidate = 1 / float(frequency[k])
    top, height = _hill(autocorrelation(y), n, float(frequency[k]), length)
    top = None if top is None else _sharpened(y, candidate) or top
    table = _frame(frequency, power, expected, step)
    found = sure and top is not None
    bounds: tuple[float | None, float | None, float | None] = (None, None, None)
    if found and top is not None:
        half = 0.5 / n
        bounds = top * step, step / (1 / top + half), step / (1 / top - half)
    period = Interval(*bounds, n, level, "autoperiod, frequency bin")
    return Periodicity(
        _words(period, sure, candidate * step),
        period,
        candidate * step,
        step * n / (1 + int(np.argmax(np.abs(np.fft.rfft(y)[1:])))),
        p_value,
        height,
        found,
        n,
        0,
        table,
    )


def _sharpened(y: np.ndarray, period: float) -> float | None:
    """The period at which the periodogram, drawn finely, peaks near the candidate: the whole series tells more than one lag."""
    n = len(y)
    near = 1 / period + np.linspace(-1, 1, 129) / n
    near = near[near > 1 / n]
    waves = np.exp(-2j * np.pi * near[:, None] * np.arange(n)[None]) @ y
    best = int(np.argmax(np.abs(waves)))
    return float(1 / near[best]) if 0 < best < len(near) - 1 else None


def periodogram(y: np.ndarray, taper: float = 0.0) -> tuple[np.ndarray, int]:
    """(power at k = 1, 2, ..., the padded length): as R's spec.pgram, the share `taper` of each end faded out."""
    n = len(y)
    edge = int(n * taper)
    weights = np.ones(n)
    if edge:
        ramp = 0.5 * (1 - np.cos(np.pi * np.arange(1, 2 * edge, 2) / (2 * edge)))
        weights[:edge], weights[n - edge :] = ramp, ramp[::-1]
    length = next(size for size in range(n, 2 * n + 2) if _smooth(size))
    spectrum = np.abs(np.fft.rfft(y * weights, length)) ** 2 / float((weights**2).sum())
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
    return Periodicity(verdict, period, None, None, None, None, False, n, 0, table)


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

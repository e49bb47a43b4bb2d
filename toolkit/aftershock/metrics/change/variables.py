"""Control charts of values: individuals with their moving range, EWMA and CUSUM for small shifts."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from aftershock.metrics.change.control_chart import (
    D2,
    ControlChart,
    Limits,
    chart,
    check_target,
    check_width,
    keep,
    mean_with_t,
    moving_range,
    named,
    numbers,
)

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.results import Interval

D4: Final = 3.267  # the upper limit of a moving range of two, in mean ranges


def individuals_chart(
    values: Any,
    *,
    width: float = 3.0,
    exclude: Sequence[Hashable] = (),
    labels: Sequence[Hashable] | None = None,
) -> ControlChart:
    """The individuals chart: single values against mean ± `width` · (mean moving range / 1.128).

    The spread comes from neighbours, so a shift in the middle does not widen the limits. `sigma` is that spread; the centre's
    interval is Student's (95 %). No limits under two values. It supposes values that are near normal and not correlated with the
    one before: for durations chart their logarithm.

    Raises: ValueError for a value that is no finite number, for `exclude` that names no sample.
    Source: NIST/SEMATECH e-Handbook 6.3.2.2; equals R's qcc(type="xbar.one").
    """
    check_width(width)
    x = numbers(values, "values")
    kept = keep(named(labels, len(x)), exclude, np.ones(len(x), dtype=bool))
    spread = moving_range(x[kept])
    centre = float(x[kept].mean()) if kept.any() else None
    sigma = None if spread is None else spread / D2
    reach = np.nan if sigma is None else width * sigma
    middle = np.full(len(x), np.nan if centre is None else centre)
    limits = Limits(centre, sigma, middle - reach, middle + reach, mean_with_t(x[kept]))
    return chart("individuals", np.ones(len(x)), x, kept, limits, labels)


def ewma_chart(
    values: Any,
    *,
    target: float,
    sigma: float,
    weight: float = 0.2,
    width: float = 3.0,
    limits: Literal["exact", "asymptotic"] = "exact",
    labels: Sequence[Hashable] | None = None,
) -> ControlChart:
    """The EWMA chart: a moving mean in which each value has `weight`, for shifts of half to two standard deviations.

    z = weight · x + (1 - weight) · z before, from `target`. Limits: target ± width · sigma · sqrt(weight / (2 - weight)), and under
    `exact` times sqrt(1 - (1 - weight)^2i), which lets the first samples signal earlier. `lower` and `upper` are the limits it
    settles at. `value` in the table is z; the observation is `observed`.

    Raises: ValueError for a weight outside (0, 1], a sigma or width that is not positive, a value that is no finite number.
    Source: Roberts (1959) Technometrics 1:239; NIST/SEMATECH e-Handbook 6.3.2.4; equals R's qcc::ewma.
    """
    check_width(width)
    check_width(sigma, "sigma")
    check_target(target)
    if not 0 < weight <= 1:
        raise ValueError(f"weight: {weight!r}: write a share above 0, up to 1, such as 0.2")
    if limits not in ("exact", "asymptotic"):
        raise ValueError(f"limits: {limits!r}: write 'exact' or 'asymptotic'")
    x = numbers(values, "values")
    z, smoothed = target, np.empty(len(x))
    for place, value in enumerate(x):
        z = weight * value + (1 - weight) * z
        smoothed[place] = z
    settled = width * sigma * np.sqrt(weight / (2 - weight))
    grown = np.sqrt(1 - (1 - weight) ** (2 * np.arange(1, len(x) + 1))) if limits == "exact" else np.ones(len(x))
    made = Limits(target, sigma, target - settled * grown, target + settled * grown, None)
    drawn = chart("ewma", np.ones(len(x)), smoothed, np.ones(len(x), dtype=bool), made, labels)
    table = drawn.table.assign(observed=x)
    lower, upper = float(target - settled), float(target + settled)
    return ControlChart("ewma", target, sigma, lower, upper, drawn.signals, len(x), 0, None, table=table)


@dataclass(frozen=True)
class CusumChart:
    """A tabular CUSUM: `table` has a row per sample: sample, value, high, low, high_since, low_since, signal.

    `high` and `low` are the sums above and below target, `high_since` and `low_since` how many samples each has been above 0.
    `first_signal` names the first sample beyond `h`; `shifted_after` the last sample before that sum rose from 0: where the shift
    began, as the chart sees it (null where it had begun before the first sample). `n` counts the samples; `interval` is null.
    """

    target: float
    k: float
    h: float
    first_signal: Hashable | None
    shifted_after: Hashable | None
    signals: tuple[Hashable, ...]
    n: int
    left_out: int = 0
    interval: Interval | None = None
    table: pd.DataFrame = field(repr=False, compare=False, kw_only=True)

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table


def cusum_chart(
    values: Any,
    *,
    target: float,
    k: float = 0.5,
    h: float = 5.0,
    sigma: float = 1.0,
    head_start: float = 0.0,
    labels: Sequence[Hashable] | None = None,
) -> CusumChart:
    """The tabular CUSUM: sums of what exceeds `target` by more than k · sigma, and of what falls short; signal above h · sigma.

    `k` is half the shift to find quickly, `h` the decision limit. With sigma = 1 both are in the unit of the values. In standard
    deviations k = 0.5 and h = 5 give one false alarm in about 465 samples and find a shift of one standard deviation in about 10.
    `head_start` begins both sums at that share of h (fast initial response; 0.5 is usual). The sums go on after a signal.

    Raises: ValueError for k below 0, h or sigma not positive, head_start outside [0, 1), a value that is no finite number.
    Source: Page (1954) Biometrika 41:100; NIST/SEMATECH e-Handbook 6.3.2.3; Lucas and Crosier (1982) Technometrics 24:199.
    """
    import pandas as pd

    check_width(sigma, "sigma")
    check_width(h, "h")
    check_target(target)
    if not k >= 0:
        raise ValueError(f"k: {k!r}: write a number of at least 0, such as 0.5")
    if not 0 <= head_start < 1:
        raise ValueError(f"head_start: {head_start!r}: write a share of h from 0 up to, not including, 1")
    x = numbers(values, "values")
    names = named(labels, len(x))
    limit = h * sigma
    high, high_since = _sums(x - target - k * sigma, head_start * limit)
    low, low_since = _sums(target - k * sigma - x, head_start * limit)
    signal = (high > limit) | (low > limit)
    table = pd.DataFrame(
        {
            "sample": names,
            "value": x,
            "high": high,
            "low": low,
            "high_since": high_since,
            "low_since": low_since,
            "signal": signal,
        }
    )
    signals = tuple(name for name, out in zip(names, signal, strict=True) if out)
    first = int(np.argmax(signal)) if signal.any() else None
    began = None
    if first is not None:
        before = first - int(high_since[first] if high[first] > limit else low_since[first])
        began = names[before] if before >= 0 else None
    return CusumChart(target, k, h, None if first is None else names[first], began, signals, len(x), table=table)


def _sums(steps: Any, start: float) -> tuple[Any, Any]:
    total, since = start, 0
    sums, lengths = np.empty(len(steps)), np.empty(len(steps), dtype=np.int64)
    for place, step in enumerate(steps):
        total = max(0.0, total + step)
        since = since + 1 if total > 0 else 0
        sums[place], lengths[place] = total, since
    return sums, lengths


def cusum_run_length(*, k: float = 0.5, h: float = 5.0, shift: float = 0.0, two_sided: bool = True) -> float:
    """How many samples a CUSUM of normal values takes to signal on average, when the mean is `shift` standard deviations off.

    With shift 0: the samples between false alarms. k and h in standard deviations. Markov chain of 400 states (Brook and Evans).

    Raises: ValueError for k below 0 or h not positive.
    Source: Brook and Evans (1972) Biometrika 59:539; equals R's spc::xcusum.arl to three digits.
    """
    check_width(h, "h")
    check_target(shift, "shift")
    if not k >= 0:
        raise ValueError(f"k: {k!r}: write a number of at least 0, such as 0.5")
    up = _one_sided_run_length(k, h, shift)
    return float(up) if not two_sided else float(1 / (1 / up + 1 / _one_sided_run_length(k, h, -shift)))


def _one_sided_run_length(k: float, h: float, shift: float) -> float:
    from scipy.special import ndtr

    states = 400
    wide = 2 * h / (2 * states - 1)
    at = np.arange(states) * wide
    ends = at[None, :] - at[:, None] + k - shift
    move = ndtr(ends + wide / 2) - ndtr(ends - wide / 2)
    move[:, 0] = ndtr(ends[:, 0] + wide / 2)
    return float(np.linalg.solve(np.eye(states) - move, np.ones(states))[0])

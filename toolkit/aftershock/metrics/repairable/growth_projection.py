"""`crow_projection`: what the rate of failure will be once the fixes are in. Did they help, and is it worth looking for more?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from aftershock.metrics.repairable.arrays import Floats, level_checked, numbers
from aftershock.metrics.repairable.power_law_model import power_law
from aftershock.metrics.results import Interval, one_row

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class CrowProjection:
    """What a projection gives. Intensities are failures per unit of `total_time`; their inverses are the MTBFs.

    `lambda_a` is what nobody fixes, `lambda_bd` what the delayed fixes are for, `h` the rate at which modes never seen before still
    turn up at the end, `mean_effectiveness` the mean share of a mode's failures that its fix prevents. `table` has a row per fixed mode.
    """

    demonstrated: float
    projected: float
    growth_potential: float
    lambda_a: float
    lambda_bd: float
    h: float
    beta: float | None
    mean_effectiveness: float | None
    modes: int
    n: int
    total_time: float
    level: float
    left_out: int = 0
    table: pd.DataFrame = field(default=None, repr=False, compare=False)

    @property
    def demonstrated_mtbf(self) -> float | None:
        """Before the delayed fixes; null without a failure."""
        return _inverse(self.demonstrated)

    @property
    def projected_mtbf(self) -> float | None:
        """After them."""
        return _inverse(self.projected)

    @property
    def growth_potential_mtbf(self) -> float | None:
        """The most that fixing in this way can reach: all modes found, each fixed as well as these. Null where nothing is left."""
        return _inverse(self.growth_potential)

    @property
    def interval(self) -> Interval:
        """The projected intensity with Crow's bounds: |estimate - truth| = z * sqrt(truth / T). Effectiveness is taken as known."""
        square = NormalDist().inv_cdf((1 + self.level) / 2) ** 2 / self.total_time
        reach = sqrt(self.projected * square + square**2 / 4)
        low, high = self.projected + square / 2 - reach, self.projected + square / 2 + reach
        return Interval(self.projected, max(low, 0.0), high, self.n, self.level, "crow projection")

    @property
    def mtbf_interval(self) -> Interval:
        """The projected MTBF with the same bounds."""
        one = self.interval
        return Interval(_inverse(one.estimate), _inverse(one.high), _inverse(one.low), self.n, self.level, one.method)

    def to_pandas(self) -> pd.DataFrame:
        """One row: the intensities and the MTBFs."""
        names = ("demonstrated_mtbf", "projected_mtbf", "growth_potential_mtbf")
        return one_row(self).assign(**{name: getattr(self, name) for name in names})


def crow_projection(
    times: Sequence[Any],
    modes: Sequence[Hashable],
    total_time: float,
    effectiveness: Mapping[Any, float],
    *,
    fixed_meanwhile: Sequence[Hashable] = (),
    level: float = 0.95,
) -> CrowProjection:
    """The rate of failure after the fixes of some failure modes, with the part that fixing cannot have seen yet.

    `times` are the failures' times, `modes` their kinds (an error fingerprint, say), `effectiveness` says for each mode to be fixed at the
    end which share of its failures the fix will prevent (BD modes). Modes in `fixed_meanwhile` were fixed during the observation (BC modes): the
    demonstrated intensity then is the power law's at the end. All others stay as they are (A modes).

    projected = demonstrated - lambda_BD + sum((1 - d) * lambda_mode) + mean(d) * h(T)

    Raises: ValueError for unequal lengths, an effectiveness outside [0, 1], a fixed mode that never failed, or times outside (0, T].
    Source: Crow (1983), AMSAA TR-357; Crow (2004), Proc. RAMS, 98; MIL-HDBK-189C, 6.
    """
    found = numbers(times, "times")
    if len(modes) != found.size:
        raise ValueError(f"modes: {len(modes)} for {found.size} times: write one each")
    both = [mode for mode in effectiveness if mode in set(fixed_meanwhile)]
    if both:
        raise ValueError(f"{both[0]!r} is fixed meanwhile and at the end: write it in one of them")
    never = [mode for mode in (*effectiveness, *fixed_meanwhile) if mode not in set(modes)]
    if never:
        raise ValueError(f"{never[0]!r} never failed: only a mode that was seen can be fixed")
    own = {mode: found[[one == mode for one in modes]] for mode in effectiveness}
    bc = sum(mode in set(fixed_meanwhile) for mode in modes)
    other = found.size - sum(one.size for one in own.values())
    demonstrated = power_law(found.tolist(), total_time).intensity if bc else None
    return crow_projection_of_modes(
        [float(one.min()) for one in own.values()],
        [one.size for one in own.values()],
        [float(effectiveness[mode]) for mode in own],
        total_time,
        a_failures=other,
        demonstrated=demonstrated,
        names=list(own),
        level=level,
    )


def crow_projection_of_modes(
    first: Sequence[float],
    failures: Sequence[int],
    effectiveness: Sequence[float],
    total_time: float,
    *,
    a_failures: int = 0,
    demonstrated: float | None = None,
    names: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> CrowProjection:
    """`crow_projection` from sums: per mode to be fixed when it was `first` seen, its number of `failures`, and the fix's `effectiveness`.

    `total_time` is the time of all systems together, `a_failures` the number of all other failures. `demonstrated` is the intensity before
    the fixes; by default all failures over `total_time`.

    Raises: ValueError as `crow_projection` does.
    """
    level_checked(level)
    when, counts, shares = (
        numbers(first, "first"),
        numbers(failures, "failures"),
        numbers(effectiveness, "effectiveness"),
    )
    _check(when, counts, shares, total_time, a_failures)
    k, n = when.size, int(counts.sum()) + a_failures
    log_sum = float(np.log(total_time / when).sum())
    # The unbiased shape of first occurrences; one mode alone, or all at the very end, tell of none.
    beta = (k - 1) / log_sum if k > 1 and log_sum > 0 else None
    h = k * beta / total_time if beta is not None else 0.0
    lambda_bd = float(counts.sum()) / total_time
    before = n / total_time if demonstrated is None else demonstrated
    lambda_a = before - lambda_bd
    potential = lambda_a + float(((1 - shares) * counts).sum()) / total_time
    mean = float(shares.mean()) if k else None
    projected = potential + (mean or 0.0) * h
    return CrowProjection(
        before, projected, potential, lambda_a, lambda_bd, h, beta, mean, k, n, float(total_time), level,
        table=_table(names, when, counts, shares, total_time),
    )  # fmt: skip


def _table(
    names: Sequence[Hashable] | None, when: Floats, counts: Floats, shares: Floats, total_time: float
) -> pd.DataFrame:
    import pandas as pd

    rate = counts / total_time
    columns = {
        "first": when,
        "failures": counts.astype(int),
        "effectiveness": shares,
        "rate": rate,
        "rate_after": rate * (1 - shares),
    }
    return pd.DataFrame({"mode": list(names) if names is not None else list(range(when.size)), **columns})


def _check(when: Floats, counts: Floats, shares: Floats, total_time: float, a_failures: int) -> None:
    if not (when.size == counts.size == shares.size):
        raise ValueError(
            f"{when.size} first times, {counts.size} counts, {shares.size} effectivenesses: write one each per mode"
        )
    if not 0 < total_time < float("inf"):
        raise ValueError(f"total_time: {total_time!r}: write how long all were observed together, above 0")
    if when.size and (when.min() <= 0 or when.max() > total_time):
        raise ValueError(f"times: from {when.min():g} to {when.max():g}: they must lie inside (0, {total_time:g}]")
    if shares.size and (shares.min() < 0 or shares.max() > 1):
        raise ValueError("effectiveness: write shares from 0 (the fix does nothing) to 1 (it never fails so again)")
    if (counts < 1).any() or a_failures < 0:
        raise ValueError("failures: a mode has failed at least once, and other failures lie at 0 or above")


def _inverse(value: float | None) -> float | None:
    return 1 / value if value and value > 0 else None

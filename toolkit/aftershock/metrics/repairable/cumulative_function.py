"""`mean_cumulative_function`: how many failures a system has had by each age, on average, without any model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from aftershock.metrics.repairable.arrays import Floats, level_checked, numbers
from aftershock.metrics.results import Interval

if TYPE_CHECKING:
    import pandas as pd

Variance = Literal["robust", "independent"]
Bounds = Literal["log", "plain"]
VARIANCES: Final = ("robust", "independent")
_NO_SPREAD: Final = 1e-7  # of the mean: what rounding leaves of a variance of 0


@dataclass(frozen=True)
class MeanCumulativeFunction:
    """The curve. `table`: a row per time of failure: time, at_risk, events, mcf, variance, low, high (pointwise at `level`).

    `n` counts the failures, `systems` the systems observed; `left_out` the failures that lie outside their system's observation.
    """

    table: pd.DataFrame = field(repr=False, compare=False)
    n: int
    systems: int
    level: float
    variance: Variance
    bounds: Bounds
    left_out: int = 0

    @property
    def interval(self) -> Interval:
        """The mean number of failures at the last time of one."""
        return self.at(float("inf"))

    def at(self, time: float) -> Interval:
        """The mean number of failures by a time: 0 without bounds before the first; null where no system was observed."""
        rows = self.table[self.table["time"] <= time]
        if rows.empty:
            return Interval(0.0 if self.systems else None, None, None, 0, self.level, self.variance)
        row = rows.iloc[-1]
        low, high = (None if np.isnan(row[name]) else float(row[name]) for name in ("low", "high"))
        return Interval(float(row["mcf"]), low, high, int(rows["events"].sum()), self.level, self.variance)

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table


def mean_cumulative_function(
    times: Sequence[Any],
    ends: Sequence[float],
    *,
    starts: Sequence[float] | None = None,
    variance: Variance = "robust",
    bounds: Bounds = "log",
    level: float = 0.95,
) -> MeanCumulativeFunction:
    """Mean cumulative number of failures per system over age: sum of failures / systems under observation, at each time of failure.

    `times` has a sequence of failure times for each system (empty for none), `ends` when its observation ended, `starts` when it began
    (0 by default; later for staggered entry). A system counts at t where start < t <= end.

    `variance`: `robust` (Nelson; Lawless and Nadeau) lets the failures of one system hang together in any way; `independent` is ReliaSoft's,
    which takes every failure by itself, tied ones one after another (a row each), and is too small where some systems fail more than others.
    `bounds`: `log` keeps them above 0, `plain` does not. Both are two-sided at `level`: for one-sided 95 % write 0.9. Null where the
    variance is 0: a single system cannot tell how systems differ.

    Raises: ValueError for unequal lengths, a value that is not finite, or an observation that ends before it begins.
    Source: Nelson (1995) Technometrics 37:147; Lawless and Nadeau (1995) Technometrics 37:158; equals R's survival::survfit with id.
    """
    level_checked(level)
    if variance not in VARIANCES or bounds not in ("log", "plain"):
        raise ValueError(
            f"variance: {variance!r}, bounds: {bounds!r}: write 'robust' or 'independent', 'log' or 'plain'"
        )
    until = numbers(ends, "ends")
    since = numbers(starts, "starts") if starts is not None else np.zeros(until.size)
    if not (len(times) == until.size == since.size):
        raise ValueError(
            f"{len(times)} sequences of times, {until.size} ends, {since.size} starts: write one each per system"
        )
    if (until < since).any():
        raise ValueError(f"ends[{int(np.flatnonzero(until < since)[0])}]: the observation ends before it begins")
    when, who, left_out = _events(times, since, until)
    tied = variance == "independent"
    table = curve(when, np.ones(when.size), who, since, until, one_by_one=tied)
    return MeanCumulativeFunction(
        with_bounds(table, level, bounds), when.size, until.size, level, variance, bounds, left_out
    )


def _events(times: Sequence[Any], since: Floats, until: Floats) -> tuple[Floats, Any, int]:
    own = [numbers(one, f"times[{place}]") for place, one in enumerate(times)]
    when = np.concatenate(own) if own else np.empty(0)
    who = np.repeat(np.arange(len(own)), [one.size for one in own])
    inside = (when > since[who]) & (when <= until[who])
    return when[inside], who[inside], int((~inside).sum())


def curve(
    when: Floats, count: Floats, who: Any, since: Floats, until: Floats, *, one_by_one: bool = False
) -> pd.DataFrame:
    """time, at_risk, events, mcf, variance from (time, number, system) of failures and the systems' observations.

    Robust variance without a matrix of systems by times: each system's influence is c - B, where B is common and c its own, so that
    the sum of squares follows from sums of c and c * c, which change only when a system fails, enters or leaves.
    """
    import pandas as pd

    order = np.argsort(when, kind="stable")
    when, count, who = when[order], count[order], np.asarray(who)[order]
    times, place = np.unique(when, return_inverse=True)
    at_risk = np.searchsorted(np.sort(since), times, "left") - np.searchsorted(np.sort(until), times, "left")
    events = np.bincount(place, weights=count, minlength=times.size)
    if one_by_one:
        risk = at_risk[place]
        columns = {"time": when, "at_risk": risk, "events": count.astype(int), "mcf": np.cumsum(1 / risk)}
        return pd.DataFrame({**columns, "variance": np.cumsum((1 - 1 / risk) / risk**2)})
    steps = events / at_risk**2
    common = np.cumsum(steps)
    variance = _sum_of_squares(times, common, at_risk, (place, count, who), since, until)
    columns = {"time": times, "at_risk": at_risk, "events": events.astype(int), "mcf": np.cumsum(events / at_risk)}
    return pd.DataFrame({**columns, "variance": variance})


def _sum_of_squares(
    times: Floats, common: Floats, at_risk: Any, failures: tuple[Any, Floats, Any], since: Floats, until: Floats
) -> Floats:
    """At each time the sum over systems of (own share - common share while observed) squared."""
    place, count, who = failures
    upto = np.concatenate([[0.0], common])
    first, last = np.searchsorted(times, since, "right"), np.searchsorted(times, until, "right")
    entry, gone = upto[first], upto[last]  # the common share when each system entered, and when it left
    # A failure of system i at place k moves its c by a; c*c then grows by a * (c before + c after).
    move = count / at_risk[place]
    by_system = np.lexsort((place, who))
    total = np.cumsum(move[by_system])
    newcomer = np.concatenate([[True], np.diff(who[by_system]) != 0])
    before = np.where(newcomer, total - move[by_system], 0.0)
    own = total - np.maximum.accumulate(before)  # cumulative within the system
    after = np.empty_like(own)
    after[by_system] = own + entry[who[by_system]]
    k = times.size
    grow = np.bincount(place, weights=move * (2 * after - move), minlength=k)
    drift = np.bincount(place, weights=move, minlength=k)
    final = np.bincount(who, weights=move, minlength=since.size) + entry
    alive_n, alive_c, alive_cc = np.zeros(k + 1), np.zeros(k + 1), np.zeros(k + 1)
    frozen = np.zeros(k + 1)
    for where, sign, c in ((first, 1.0, entry), (last, -1.0, final)):
        np.add.at(alive_n, where, sign)
        np.add.at(alive_c, where, sign * c)
        np.add.at(alive_cc, where, sign * c * c)
    np.add.at(frozen, last, (final - gone) ** 2)
    n, c = np.cumsum(alive_n)[:k], (np.cumsum(alive_c)[:k] + np.cumsum(drift))
    cc = np.cumsum(alive_cc)[:k] + np.cumsum(grow)
    return np.asarray(np.maximum(cc - 2 * common * c + n * common**2 + np.cumsum(frozen)[:k], 0.0))


def with_bounds(table: pd.DataFrame, level: float, bounds: Bounds) -> pd.DataFrame:
    """The table with low and high, null where the variance is 0."""
    z, mean, error = NormalDist().inv_cdf((1 + level) / 2), table["mcf"], np.sqrt(table["variance"])
    # One system, or all alike: no difference was seen, and that is no certainty.
    error = error.where(error > _NO_SPREAD * mean)
    if bounds == "plain":
        return table.assign(low=mean - z * error, high=mean + z * error)
    reach = np.exp(z * error / mean)
    return table.assign(low=mean / reach, high=mean * reach)

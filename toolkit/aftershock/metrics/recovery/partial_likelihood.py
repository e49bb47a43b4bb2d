"""Cox's partial likelihood of one stratum, with its slope, curvature, and each row's share in the slope."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aftershock.metrics.recovery.survival_data import Durations, Floats, Places


@dataclass(frozen=True)
class Likelihood:
    """The logarithm of the likelihood at `beta`, its gradient, and the information (minus the second derivatives)."""

    beta: Floats
    value: float
    gradient: Floats
    information: Floats

    @staticmethod
    def total(parts: Sequence[Likelihood]) -> Likelihood:
        """The sum over strata, all at the same beta."""
        sums = [sum(part.value for part in parts), sum(part.gradient for part in parts)]
        return Likelihood(
            parts[0].beta, float(sums[0]), np.asarray(sums[1]), np.asarray(sum(p.information for p in parts))
        )


@dataclass(frozen=True)
class Stratum:
    """The rows of a stratum, and what does not change with beta.

    `row_time` is the place of each event's time among `time`; `phi` is how much of the tied deaths each of them takes out of the
    risk set: 0, 1/d, ... with Efron, all 0 with Breslow.
    """

    data: Durations
    x: Floats
    time: Floats
    row_time: Places
    phi: Floats

    @staticmethod
    def of(data: Durations, x: Floats, ties: str) -> Stratum:
        """Rows with covariates `x` (a row each)."""
        time, counts = np.unique(data.exit[data.observed], return_counts=True)
        row_time = np.repeat(np.arange(len(time)), counts)
        within = np.arange(len(row_time)) - np.repeat(np.cumsum(counts) - counts, counts)
        phi = within / np.repeat(counts, counts) if ties == "efron" else np.zeros(len(row_time))
        return Stratum(data, x, time, row_time, phi)

    def at(self, beta: Floats) -> Likelihood:
        """The likelihood and its derivatives at `beta`."""
        p = len(beta)
        score = self.x @ beta
        top = score.max() if len(score) else 0.0  # keeps exp within range; cancels below
        weight = np.exp(score - top)
        squares = (self.x[:, :, None] * self.x[:, None, :]).reshape(len(self.x), p * p)
        s0 = self._sums(weight[:, None])[:, 0]
        s1 = self._sums(weight[:, None] * self.x)
        s2 = self._sums(weight[:, None] * squares)
        mean = s1 / s0[:, None]
        dead = self.data.observed
        value = float(score[dead].sum() - (np.log(s0) + top).sum())
        gradient = self.x[dead].sum(axis=0) - mean.sum(axis=0)
        information = (s2 / s0[:, None]).sum(axis=0).reshape(p, p) - mean.T @ mean
        return Likelihood(beta, value, gradient, information)

    def score_residuals(self, beta: Floats) -> Floats:
        """Each row's share in the gradient (they add up to it); after Therneau and Grambsch (2000), section 7.2."""
        score = self.x @ beta
        weight = np.exp(score - (score.max() if len(score) else 0.0))
        s0 = self._sums(weight[:, None])[:, 0]
        mean = self._sums(weight[:, None] * self.x) / s0[:, None]
        step = np.column_stack([1 / s0, mean / s0[:, None]])
        per_time = np.zeros((len(self.time) + 1, step.shape[1]))
        np.add.at(per_time[1:], self.row_time, step)
        upto = per_time.cumsum(axis=0)
        seen = [np.searchsorted(self.time, edge, side="right") for edge in (self.data.exit, self.data.entry)]
        seen[1] = np.where(self.data.entry > 0, seen[1], 0)
        path = upto[seen[0]] - upto[seen[1]]
        dead = np.flatnonzero(self.data.observed)
        own = np.searchsorted(self.time, self.data.exit[dead])
        tied = np.zeros_like(per_time[1:])
        np.add.at(tied, self.row_time, step * self.phi[:, None])
        path[dead] -= tied[own]
        residuals = -weight[:, None] * (self.x * path[:, :1] - path[:, 1:])
        average = np.zeros((len(self.time), self.x.shape[1]))
        np.add.at(average, self.row_time, mean)
        residuals[dead] += self.x[dead] - average[own] / np.bincount(self.row_time)[own][:, None]
        return np.asarray(residuals, dtype=np.float64)

    def _sums(self, values: Floats) -> Floats:
        """Sums of `values` over the risk set of each event, less its share of those that die at the same time."""
        everybody = _after(self.data.exit, values, self.time)
        late = self.data.entry > 0
        everybody = everybody - _after(self.data.entry[late], values[late], self.time)
        tied = np.zeros((len(self.time), values.shape[1]))
        dead = self.data.observed
        np.add.at(tied, np.searchsorted(self.time, self.data.exit[dead]), values[dead])
        return np.asarray(everybody[self.row_time] - self.phi[:, None] * tied[self.row_time], dtype=np.float64)


def concordance(data: Durations, score: Floats, stratum: Places) -> float | None:
    """Harrell's C: of the pairs whose order of events is known, the share where the higher score came first; ties count half."""
    right = known = 0.0
    for one in np.unique(stratum):
        mine = stratum == one
        exits, seen, scores = data.exit[mine], data.observed[mine], score[mine]
        later: list[float] = []
        # From the latest time on. At equal times those still open outlast those with the event; two events at once are no pair.
        for time in np.unique(exits)[::-1]:
            here = exits == time
            for value in scores[here & ~seen]:
                insort(later, float(value))
            for value in scores[here & seen]:
                lower = bisect_left(later, float(value))
                right += lower + (bisect_right(later, float(value)) - lower) / 2
                known += len(later)
            for value in scores[here & seen]:
                insort(later, float(value))
    return right / known if known else None


def _after(edge: Floats, values: Floats, time: Floats) -> Floats:
    """Sums of `values` over rows whose edge is at or after each time."""
    order = np.argsort(edge, kind="stable")
    tail = np.concatenate([values[order][::-1].cumsum(axis=0)[::-1], np.zeros((1, values.shape[1]))])
    return np.asarray(tail[np.searchsorted(edge[order], time, side="left")], dtype=np.float64)

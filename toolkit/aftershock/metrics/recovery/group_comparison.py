"""`log_rank`: do groups recover alike?"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, sqrt
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from aftershock.metrics.recovery.survival_data import (
    Durations,
    Floats,
    Places,
    at_risk,
    coded,
    durations_of,
    labels_of,
    one_of,
    z_of,
)
from aftershock.metrics.results import Interval

if TYPE_CHECKING:
    import pandas as pd

Weights = Literal["log-rank", "gehan", "tarone-ware", "peto", "fleming-harrington"]
WEIGHTS: Final = ("log-rank", "gehan", "tarone-ware", "peto", "fleming-harrington")


@dataclass(frozen=True)
class LogRank:
    """What `log_rank` gives. `table` has a row per group: group, n, observed, expected (both unweighted), score, variance.

    `score` is the weighted sum of observed minus expected, `variance` its variance. `ratio` is Peto's one-step hazard ratio of the
    second group against the first, for two groups and plain weights: above 1 the second has its events sooner.
    """

    chi2: float | None
    df: int
    p_value: float | None
    n: int
    left_out: int
    weights: str
    ratio: Interval | None
    table: pd.DataFrame = field(repr=False, compare=False)

    @property
    def interval(self) -> Interval | None:
        """The hazard ratio of two groups; None for other weights or more groups."""
        return self.ratio

    def to_pandas(self) -> pd.DataFrame:
        """The table: a row per group."""
        return self.table


def log_rank(
    durations: Any,
    observed: Any,
    groups: Any,
    *,
    entry: Any = None,
    strata: Any = None,
    weights: Weights = "log-rank",
    rho: float = 0.0,
    gamma: float = 0.0,
    level: float = 0.95,
) -> LogRank:
    """Whether two or more groups have the event at the same rate: chi2 on groups - 1 degrees of freedom.

    `durations` and `observed` as for `kaplan_meier`, `groups` a label per row, `strata` a label per row within which alone groups
    are compared (severity, tool). `weights`: "log-rank" all times alike; "gehan" (Gehan-Breslow-Wilcoxon) by how many were at risk,
    "tarone-ware" by its root, "peto" by the pooled survival of Peto and Peto: all three look at early times; "fleming-harrington"
    S^rho (1-S)^gamma with S just before t: rho=1 is R's survdiff(rho=1), gamma=1 looks at late times.

    Rows without a duration or group are left out and counted. Fewer than two groups with anything expected: chi2 is None, df 0.
    Raises: ValueError as `kaplan_meier` does, and for unknown weights or a negative rho or gamma.
    Source: Mantel (1966); Peto and Peto (1972) JRSS A 135:185; Harrington and Fleming (1982) Biometrika 69:553; equals R's survdiff.
    """
    import pandas as pd
    from scipy.stats import chi2 as chi_square

    z_of(level)
    one_of("weights", weights, WEIGHTS)
    if rho < 0 or gamma < 0:
        raise ValueError(f"rho {rho!r}, gamma {gamma!r}: write 0 or more")
    data = durations_of(durations, observed, entry)
    rows = len(data.kept)
    group = np.array(labels_of("groups", groups, rows), dtype=object)[data.kept]
    stratum = np.array(labels_of("strata", strata, rows) if strata is not None else [0] * rows, dtype=object)[data.kept]
    named = np.array([one is not None and other is not None for one, other in zip(group, stratum, strict=True)], bool)
    left_out = data.left_out + int((~named).sum())
    data, names, place = data.of(named), *coded(list(group[named]))
    sums = _Sums.nothing(len(names))
    for one in range(len(coded(list(stratum[named]))[0])):
        mine = coded(list(stratum[named]))[1] == one
        sums = sums + _stratum(data.of(mine), place[mine], len(names), weights, (rho, gamma))
    chi2, df = _statistic(sums)
    p_value = float(chi_square.sf(chi2, df)) if chi2 is not None else None
    table = pd.DataFrame(
        {
            "group": names,
            "n": np.bincount(place, minlength=len(names)),
            "observed": np.bincount(place, weights=data.observed, minlength=len(names)).astype(np.int64),
            "expected": sums.expected,
            "score": sums.score,
            "variance": np.diag(sums.variance),
        }
    )
    ratio = _ratio(sums, len(data), left_out, level) if weights == "log-rank" and len(names) == 2 else None
    return LogRank(chi2, df, p_value, len(data), left_out, weights, ratio, table)


@dataclass(frozen=True)
class _Sums:
    expected: Floats
    score: Floats
    variance: Floats

    @staticmethod
    def nothing(groups: int) -> _Sums:
        return _Sums(np.zeros(groups), np.zeros(groups), np.zeros((groups, groups)))

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(self.expected + other.expected, self.score + other.score, self.variance + other.variance)


def _stratum(data: Durations, group: Places, groups: int, weights: str, powers: tuple[float, float]) -> _Sums:
    time = np.unique(data.exit[data.observed])
    if not len(time):
        return _Sums.nothing(groups)
    at = np.array([at_risk(data.of(group == one), time) for one in range(groups)])
    seen = [data.exit[data.observed & (group == one)] for one in range(groups)]
    died = np.array([np.bincount(np.searchsorted(time, one), minlength=len(time)) for one in seen], dtype=np.float64)
    n, d = at.sum(axis=0), died.sum(axis=0)
    weight = _weights(weights, n, d, powers)
    share = at / n
    expected = share * d
    spread = weight**2 * d * (n - d) / np.maximum(n - 1, 1)
    variance = np.diag((share * spread).sum(axis=1)) - (share * spread) @ share.T
    return _Sums(expected.sum(axis=1), ((died - expected) * weight).sum(axis=1), variance)


def _weights(weights: str, n: Floats, d: Floats, powers: tuple[float, float]) -> Floats:
    if weights == "gehan":
        return n
    if weights == "tarone-ware":
        return np.asarray(np.sqrt(n), dtype=np.float64)
    if weights == "peto":
        return np.asarray(np.cumprod(1 - d / (n + 1)), dtype=np.float64)
    if weights == "fleming-harrington":
        before = np.concatenate([[1.0], np.cumprod(1 - d / n)[:-1]])
        return np.asarray(before ** powers[0] * (1 - before) ** powers[1], dtype=np.float64)
    return np.ones_like(n)


def _statistic(sums: _Sums) -> tuple[float | None, int]:
    # A group in which nothing could happen says nothing; one of the others follows from the rest.
    live = np.flatnonzero(np.diag(sums.variance) > 0)
    if len(live) < 2:
        return None, 0
    used = live[:-1]
    score, variance = sums.score[used], sums.variance[np.ix_(used, used)]
    rank = int(np.linalg.matrix_rank(variance, hermitian=True))
    return float(score @ np.linalg.pinv(variance, hermitian=True) @ score), rank


def _ratio(sums: _Sums, n: int, left_out: int, level: float) -> Interval:
    method, variance = "Peto one-step hazard ratio, normal", float(sums.variance[1, 1])
    if variance <= 0:
        return Interval(None, None, None, n, level, method, left_out)
    log, reach = float(sums.score[1]) / variance, z_of(level) / sqrt(variance)
    return Interval(exp(log), exp(log - reach), exp(log + reach), n, level, method, left_out)

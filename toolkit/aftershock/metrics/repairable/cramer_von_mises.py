"""How far failure times lie from a power law, and how far those of a true one would."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from aftershock.metrics.repairable.arrays import Floats

# The distance's distribution hardly changes above 60 failures (MIL-HDBK-189, table of critical values): simulating more is for nothing.
MOST_SIMULATED: Final = 100
REPETITIONS: Final = 20_000


def cramer_von_mises(shares: Floats, beta: float, seed: int = 0) -> tuple[float, float]:
    """(distance, p-value). `shares` are the failure times as shares of the observation, `beta` the unbiased estimate.

    The distribution does not depend on beta: it is simulated for this number of failures, 20,000 times, with beta estimated each time.
    """
    distance = float(_distances(np.sort(shares)[None, :] ** beta)[0])
    null = _null(min(shares.size, MOST_SIMULATED), seed)
    beyond = null.size - int(np.searchsorted(null, distance, side="left"))
    return distance, (beyond + 1) / (null.size + 1)


def critical_value(n: int, significance: float = 0.05, seed: int = 0) -> float:
    """The distance that a true power law exceeds in this share of cases, for n failures that carry information."""
    return float(np.quantile(_null(min(max(n, 2), MOST_SIMULATED), seed), 1 - significance))


def _distances(powers: Floats) -> Floats:
    m = powers.shape[1]
    middles = (2 * np.arange(1, m + 1) - 1) / (2 * m)
    return np.asarray(1 / (12 * m) + ((powers - middles) ** 2).sum(axis=1))


@lru_cache(maxsize=64)
def _null(m: int, seed: int) -> Floats:
    """Distances of true power laws, in order."""
    logs = np.random.default_rng(seed).standard_exponential((REPETITIONS, m))
    beta = (m - 1) / logs.sum(axis=1, keepdims=True)
    return np.sort(_distances(np.sort(np.exp(-logs * beta), axis=1)))

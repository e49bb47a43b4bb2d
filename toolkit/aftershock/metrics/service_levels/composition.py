"""How reliable a whole is, from its parts: in series, in parallel, with retries, with a fallback.

Series and parallel multiply as if parts failed independently. Retries and fallbacks do not: after one failure the next is far likelier, so
they take the *conditional* shares, which a log can tell and an assumption cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Final

import numpy as np

from aftershock.metrics.results import Interval

DRAWS: Final = 20_000


def series(parts: Sequence[float], *, n: Sequence[int] | None = None, level: float = 0.95, seed: int = 0) -> Interval:
    """The share of wholes that go well where every part must: the product of the parts' shares, if they fail independently.

    With `n`, how many trials stand behind each share, bounds come along: each part's share drawn from its Jeffreys posterior. The interval's
    n is the fewest trials of a part, 0 without `n`. An empty whole cannot fail: 1.

    Raises: ValueError for shares outside [0, 1], or `n` of another length or below 1.
    Source: Barlow and Proschan (1975), Statistical Theory of Reliability and Life Testing; Jeffreys: Brown et al. (2001) Stat Sci 16:101.
    """
    return _whole(parts, n, level, seed, "series", lambda p: np.prod(p, axis=-1))


def parallel(parts: Sequence[float], *, n: Sequence[int] | None = None, level: float = 0.95, seed: int = 0) -> Interval:
    """The share where one part that goes well is enough: 1 - product of failures, if parts fail independently. They seldom do.

    Arguments and errors as for `series`. No part at all: 0.
    """
    return _whole(parts, n, level, seed, "parallel", lambda p: 1 - np.prod(1 - p, axis=-1))


def with_retry(
    conditional_failures: Sequence[float], *, n: Sequence[int] | None = None, level: float = 0.95, seed: int = 0
) -> Interval:
    """The share that goes well with retries: 1 - P(1st fails) * P(2nd fails | 1st failed) * P(3rd fails | both failed) ...

    `conditional_failures` in the order of attempts: the first is the plain failure rate, each next one the share of *retries* that failed; n
    the attempts behind each. `retry_ladder` reads them from a table of runs. Repeating the first number assumes independence, and flatters.

    Raises: ValueError as `series`.
    """
    return _whole(conditional_failures, n, level, seed, "with retry", lambda q: 1 - np.prod(q, axis=-1))


def with_fallback(
    primary: float, fallback_after_failure: float, *, n: Sequence[int] | None = None, level: float = 0.95, seed: int = 0
) -> Interval:
    """The share that goes well with a fallback: p + (1 - p) * P(fallback goes well | primary failed). `n`: trials behind each of the two.

    Raises: ValueError as `series`.
    """
    parts = [primary, fallback_after_failure]
    return _whole(parts, n, level, seed, "with fallback", lambda p: p[..., 0] + (1 - p[..., 0]) * p[..., 1])


def _whole(
    parts: Sequence[float], n: Sequence[int] | None, level: float, seed: int, method: str, combine: Any
) -> Interval:
    missing = ("NoneType", "NAType")  # pandas' NA is no float
    shares = np.asarray([np.nan if type(part).__name__ in missing else part for part in parts], dtype=float)
    if not ((shares >= 0) & (shares <= 1)).all():
        place = int(np.flatnonzero(~((shares >= 0) & (shares <= 1)))[0])
        raise ValueError(f"{method}: part {place} is {list(parts)[place]!r}: write shares inside [0, 1]")
    if not 0 < level < 1:
        raise ValueError(f"level: {level!r}: write a share inside (0, 1), such as 0.95")
    estimate = float(combine(shares)) if shares.size else (0.0 if method in ("parallel", "with retry") else 1.0)
    if method == "series" and shares.size:
        estimate = prod(shares.tolist())
    if n is None:
        return Interval(estimate, None, None, 0, level, f"{method}, parts as known")
    trials = np.asarray(n, dtype=float)
    if trials.size != shares.size or (trials < 1).any():
        raise ValueError(f"n: {list(n)!r}: write the number of trials of each of the {shares.size} parts, 1 or more")
    if not shares.size:
        return Interval(estimate, None, None, 0, level, method)
    hits = shares * trials
    drawn = np.random.default_rng(seed).beta(hits + 0.5, trials - hits + 0.5, size=(DRAWS, shares.size))
    low, high = np.quantile(combine(drawn), [(1 - level) / 2, (1 + level) / 2])
    # A median-unbiased posterior can leave out an estimate at the very edge, 0 or 1: the bound then is the edge.
    return Interval(
        estimate,
        min(float(low), estimate),
        max(float(high), estimate),
        int(trials.min()),
        level,
        f"{method}, jeffreys draws",
    )

"""Counts handed in as arrays, x hits of n for each of many groups, checked before anybody calculates with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """x hits of n per group, whole numbers as floats. `kept` holds each group's place in what was handed in."""

    x: Floats
    n: Floats
    kept: NDArray[np.int64]
    left_out: int

    @property
    def pooled(self) -> float | None:
        """All hits of all n; null where nothing was counted."""
        total = float(self.n.sum())
        return float(self.x.sum()) / total if total else None

    @property
    def pairs(self) -> tuple[Floats, Floats, Floats]:
        """The distinct (x, n) with how many groups have them, sorted: the order of the groups cannot matter."""
        pairs, times = np.unique(np.column_stack([self.x, self.n]), axis=0, return_counts=True)
        return pairs[:, 0], pairs[:, 1], times.astype(float)


def counts(x: ArrayLike, n: ArrayLike) -> Counts:
    """x and n as arrays; a single n serves every x. A group whose x or n is null is left out and counted.

    Raises: ValueError for lengths that differ, and for the first group that is not 0 <= x <= n in whole numbers.
    """
    hits, totals = numbers(x), numbers(n)
    if totals.size == 1 and hits.size != 1:
        totals = np.full(hits.shape, totals[0])
    if hits.size != totals.size:
        raise ValueError(f"x has {hits.size} values and n has {totals.size}: give one of each for every group")
    known = ~(np.isnan(hits) | np.isnan(totals))
    wrong = known & ~((hits >= 0) & (hits <= totals) & (hits == np.floor(hits)) & (totals == np.floor(totals)))
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"place {at}: {hits[at]:g} of {totals[at]:g}: whole numbers with 0 <= x <= n are counts")
    return Counts(hits[known], totals[known], np.flatnonzero(known), int((~known).sum()))


def numbers(values: ArrayLike) -> Floats:
    """Any sequence of numbers (or one) as floats; None and missing values of any library become NaN."""
    import pandas as pd

    flat = pd.Series(values if isinstance(values, pd.Series) else np.atleast_1d(np.asarray(values)).ravel())
    found: Floats = pd.to_numeric(flat).to_numpy(dtype="float64", na_value=np.nan)
    return found


def labels(names: Sequence[Any] | None, given: int) -> list[Any]:
    """What the groups are called: the names, else their places from 0. Raises ValueError where there are not enough."""
    if names is None:
        return list(range(given))
    if len(names) != given:
        raise ValueError(f"names has {len(names)} entries for {given} groups")
    return list(names)


def optional(value: Any) -> float | None:
    """A number for people: null for NaN and infinity."""
    return float(value) if np.isfinite(value) else None

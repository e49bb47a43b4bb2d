"""`james_stein`: rates of groups of one size, each drawn towards the mean of all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from aftershock.metrics.proportions.counts import counts

if TYPE_CHECKING:
    import pandas as pd

_FEWEST = 4  # with three groups and a mean that is estimated too, nothing is gained


@dataclass(frozen=True)
class Shrunken:
    """What `james_stein` gives: estimate = mean + shrink_factor x (raw - mean), in the order given.

    `shrink_factor` is 1 where nothing is drawn in, 0 where all that differs is chance; null for fewer than four groups.
    """

    mean: float | None
    shrink_factor: float | None
    raw: tuple[float, ...] = field(repr=False)
    estimates: tuple[float, ...] = field(repr=False)
    n: int
    left_out: int
    interval: None = None

    def to_pandas(self) -> pd.DataFrame:
        """A row per group: raw, estimate."""
        import pandas as pd

        return pd.DataFrame({"raw": self.raw, "estimate": self.estimates}, dtype="float64")


def james_stein(x: ArrayLike, n: ArrayLike) -> Shrunken:
    """Rates x/n drawn towards their mean, with less squared error over all groups than the raw ones, whatever is true.

    All groups must be of one size n (a single number will do): `beta_binomial` serves groups of different sizes. The
    factor is 1 - (k - 3) v / S, not below 0: k groups, S the sum of squares about the mean, v = mean (1 - mean) / n.
    `n` of the result is the number of groups. Groups without numbers are left out and counted.

    Raises: ValueError for groups of different n, n = 0, or the first group that is not 0 <= x <= n.
    Source: Efron and Morris (1977) Scientific American 236:119; Efron and Hastie (2016) Computer Age Statistical
    Inference, section 7.2.
    """
    given = counts(x, n)
    if given.n.size == 0:
        return Shrunken(None, None, (), (), 0, given.left_out)
    size = float(given.n[0])
    if (given.n != size).any() or size == 0:
        raise ValueError(
            "n differs between groups, or is 0: James-Stein wants one size; use beta_binomial for such groups"
        )
    raw = given.x / size
    mean = float(raw.mean())
    factor = None
    if raw.size >= _FEWEST:
        squares = float(((raw - mean) ** 2).sum())
        chance = mean * (1 - mean) / size
        factor = max(1 - (raw.size - 3) * chance / squares, 0.0) if squares > 0 else 0.0
    estimates = mean + (1.0 if factor is None else factor) * (raw - mean)
    listed = (tuple(float(value) for value in np.asarray(values)) for values in (raw, estimates))
    first, second = listed
    return Shrunken(mean, factor, first, second, int(raw.size), given.left_out)

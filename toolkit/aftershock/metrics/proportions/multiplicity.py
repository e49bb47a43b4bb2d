"""`benjamini_hochberg`: which of many tests stand, when all of them were looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from aftershock.metrics.proportions.counts import Floats, labels, numbers

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Discoveries:
    """What `benjamini_hochberg` gives. `n` is the size of the family: how many p-values were judged together.

    `q_values` holds the adjusted p-value of each test in the order given, null where there was no p-value; `table` a row per
    test: name, p_value, q_value, rejected, and the adjusted p-values by Holm, Bonferroni and Benjamini-Yekutieli.
    """

    n: int
    left_out: int
    alpha: float
    rejected: int
    holm_rejected: int
    bonferroni_rejected: int
    yekutieli_rejected: int
    threshold: float | None
    q_values: tuple[float | None, ...] = field(repr=False)
    table: pd.DataFrame = field(repr=False, compare=False)
    interval: None = None

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table


def benjamini_hochberg(p_values: ArrayLike, *, alpha: float = 0.05, names: Sequence[Any] | None = None) -> Discoveries:
    """Of all tests called significant, at most the share `alpha` is expected to be false: q-values and what is rejected.

    `p_values` are those of one family, each in [0, 1]: everything that was looked at, not only what looked interesting. A missing
    p-value (null, NaN) is in no family: it is counted in left_out and its q_value is null. `threshold` is the largest p that is
    rejected, null where none is. Holm and Bonferroni stand beside it: they hold the chance of even one false call.
    Benjamini-Hochberg asks for tests that are independent or positively dependent; Yekutieli's column for none of that.

    Raises: ValueError for a p-value outside [0, 1] or an alpha outside (0, 1).
    Source: Benjamini and Hochberg (1995) JRSS B 57:289; Holm (1979) Scand J Stat 6:65; Benjamini and Yekutieli (2001)
    Annals of Statistics 29:1165. Equals R's p.adjust.
    """
    import pandas as pd

    if not 0 < alpha < 1:
        raise ValueError(f"alpha: {alpha!r}: write a share inside (0, 1), such as 0.05")
    given = numbers(p_values)
    known = np.flatnonzero(~np.isnan(given))
    wrong = known[(given[known] < 0) | (given[known] > 1)]
    if wrong.size:
        raise ValueError(f"place {wrong[0]}: {given[wrong[0]]:g} is no p-value: it must lie between 0 and 1")
    adjusted = {name: _spread(values, known, given.size) for name, values in _adjusted(given[known]).items()}
    rejected = {name: int((values <= alpha).sum()) for name, values in adjusted.items()}
    table = pd.DataFrame({"name": labels(names, given.size), "p_value": given, **adjusted})
    table.insert(3, "rejected", adjusted["q_value"] <= alpha)
    return Discoveries(
        n=int(known.size),
        left_out=int(given.size - known.size),
        alpha=alpha,
        rejected=rejected["q_value"],
        holm_rejected=rejected["holm"],
        bonferroni_rejected=rejected["bonferroni"],
        yekutieli_rejected=rejected["yekutieli"],
        threshold=float(given[adjusted["q_value"] <= alpha].max()) if rejected["q_value"] else None,
        q_values=tuple(None if np.isnan(value) else float(value) for value in adjusted["q_value"]),
        table=table,
    )


def _adjusted(p: Floats) -> dict[str, Floats]:
    size = p.size
    order = np.argsort(p, kind="stable")
    place = np.arange(1, size + 1)
    from_largest = np.minimum.accumulate((p[order] * size / place)[::-1])[::-1]
    from_smallest = np.maximum.accumulate(p[order] * (size + 1 - place))
    harmonic = float((1 / place).sum())
    by_rank = {"q_value": from_largest, "holm": from_smallest, "yekutieli": from_largest * harmonic}
    found = {"bonferroni": np.minimum(p * size, 1.0)}
    for name, values in by_rank.items():
        found[name] = np.empty(size)
        found[name][order] = np.minimum(values, 1.0)
    return {name: found[name] for name in ("q_value", "holm", "bonferroni", "yekutieli")}


def _spread(values: Floats, known: np.ndarray[Any, Any], size: int) -> Floats:
    """Values of the known places among all places, NaN elsewhere."""
    spread = np.full(size, np.nan)
    spread[known] = values
    return spread

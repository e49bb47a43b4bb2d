"""`grouping_accuracy`: how well found groups of messages are the labelled ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aftershock.metrics.results import one_row

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class GroupingAccuracy:
    """What `grouping_accuracy` gives: shares in [0, 1], null where there is nothing to compare.

    `ga` is of messages, `precision`, `recall` and `fga` (their harmonic mean) of groups, the `pair_` ones and `rand_index` of
    pairs of messages. `found_groups`, `true_groups` and `right_groups` count groups.
    """

    ga: float | None
    fga: float | None
    precision: float | None
    recall: float | None
    pair_f1: float | None
    pair_precision: float | None
    pair_recall: float | None
    rand_index: float | None
    found_groups: int
    true_groups: int
    right_groups: int
    n: int
    left_out: int = 0

    @property
    def interval(self) -> None:
        """None: the labelled messages are all there is; they are no sample."""
        return

    def to_pandas(self) -> pd.DataFrame:
        """One row."""
        return one_row(self)


def grouping_accuracy(found: Sequence[object], true: Sequence[object]) -> GroupingAccuracy:
    """How a grouping of messages agrees with the true one; what the groups are called plays no part.

    A found group is right if it holds exactly the messages of one true group. `ga` is the share of messages in right groups:
    frequent templates weigh much. `fga` is the F1 of groups: each weighs the same. The `pair_` numbers ask of each pair of messages
    whether it is together in both, and forgive a stray message. With one message there is no pair: null. A message whose true label
    is null is left out.

    Raises: ValueError if the two do not have the same length.
    Source: GA: Zhu et al. (2019) ICSE-SEIP, pp. 121-130; FGA: Jiang et al. (2024) ISSTA, LogHub-2.0; Rand (1971) JASA 66:846.
    """
    import numpy as np
    import pandas as pd

    if len(found) != len(true):
        raise ValueError(f"found has {len(found)} labels and true {len(true)}: give one of each per message")
    theirs, _ = pd.factorize(_column(true))
    ours, _ = pd.factorize(_column(found), use_na_sentinel=False)
    labelled = theirs >= 0
    ours, theirs = ours[labelled], theirs[labelled]
    n = len(ours)
    _, ours, ours_sizes = np.unique(ours, return_inverse=True, return_counts=True)
    _, theirs, true_sizes = np.unique(theirs, return_inverse=True, return_counts=True)
    cells, cell_sizes = np.unique(ours.astype(np.int64) * max(len(true_sizes), 1) + theirs, return_counts=True)
    of_ours, of_true = np.divmod(cells, max(len(true_sizes), 1))
    right = (cell_sizes == ours_sizes[of_ours]) & (cell_sizes == true_sizes[of_true])
    hits, lines = int(right.sum()), int(cell_sizes[right].sum())
    together, ours_pairs, true_pairs = (
        sum(int(k) * (int(k) - 1) // 2 for k in sizes) for sizes in (cell_sizes, ours_sizes, true_sizes)
    )
    every = n * (n - 1) // 2
    return GroupingAccuracy(
        ga=_share(lines, n),
        fga=_share(2 * hits, len(ours_sizes) + len(true_sizes)),
        precision=_share(hits, len(ours_sizes)),
        recall=_share(hits, len(true_sizes)),
        pair_f1=_share(2 * together, ours_pairs + true_pairs),
        pair_precision=_share(together, ours_pairs),
        pair_recall=_share(together, true_pairs),
        rand_index=_share(every - ours_pairs - true_pairs + 2 * together, every),
        found_groups=len(ours_sizes),
        true_groups=len(true_sizes),
        right_groups=hits,
        n=n,
        left_out=len(labelled) - n,
    )


def _column(labels: Sequence[object]) -> pd.Series:
    import pandas as pd

    return pd.Series(labels, dtype=None if hasattr(labels, "dtype") else object)


def _share(part: int, of: int) -> float | None:
    return part / of if of else None

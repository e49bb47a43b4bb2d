"""`flip_rate` and `outcome_entropy`: how much outcomes change their mind while the version stays the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import isnan, log2
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.results import Interval


@dataclass(frozen=True)
class WithinVersions:
    """One number per version, and two means over versions.

    `mean` weighs all versions alike; in `decayed` each older version weighs (1 - decay) times the next newer one. Both are null
    where no version has enough outcomes. `table`: a row per version, oldest first: version, n, failures, value, weight.
    """

    mean: float | None
    decayed: float | None
    decay: float
    n: int
    left_out: int
    table: pd.DataFrame = field(repr=False, compare=False)

    @property
    def interval(self) -> Interval | None:
        """None: successive outcomes depend on one another, and no interval is known to hold."""
        return None

    def to_pandas(self) -> pd.DataFrame:
        """The row per version."""
        return self.table


def flip_rate(outcomes: Sequence[Any], versions: Sequence[Any] | None = None, *, decay: float = 0.1) -> WithinVersions:
    """Flips / (n - 1) inside each version: 0 for outcomes all alike, 1 for ones that alternate.

    `outcomes` in order of time, 1 or True for failed, 0 or False for not; `versions`, one each: what code, configuration and
    input the outcome belongs to (one version where none are given). From one version to the next is never a flip. Versions
    stand in the order of their newest outcome.

    Outcomes that are null, or whose version is null, are left out and counted, and so are versions with a single outcome: it
    cannot flip. Nothing to count gives null.

    Raises: ValueError for an outcome other than 0 and 1, for versions of another length, for a decay outside [0, 1).
    Source: Kowalczyk, Nair, Gao, Silberstein, Long, Memon (2020) ICSE-SEIP, "Modeling and ranking flaky tests at Apple".
    """
    return _within(outcomes, versions, decay, _flips_per_step)


def outcome_entropy(
    outcomes: Sequence[Any], versions: Sequence[Any] | None = None, *, decay: float = 0.1
) -> WithinVersions:
    """Entropy in bits inside each version: 0 for outcomes all alike, 1 where half of them failed, in whatever order.

    Arguments, what is left out and what comes back are as in `flip_rate`. The paper's own table prints 1 for outcomes all alike;
    its formula gives 0, and so does this.

    Source: Kowalczyk and others (2020) ICSE-SEIP, as for `flip_rate`.
    """
    return _within(outcomes, versions, decay, _entropy)


def _flips_per_step(outcomes: list[int]) -> float:
    return sum(a != b for a, b in pairwise(outcomes)) / (len(outcomes) - 1)


def _entropy(outcomes: list[int]) -> float:
    shares = (sum(outcomes) / len(outcomes), 1 - sum(outcomes) / len(outcomes))
    return -sum(share * log2(share) for share in shares if share > 0) + 0.0


def _within(outcomes: Sequence[Any], versions: Sequence[Any] | None, decay: float, measure: Any) -> WithinVersions:
    import pandas as pd

    check_decay(decay)
    given = list(outcomes)
    labels = [""] * len(given) if versions is None else list(versions)
    if len(labels) != len(given):
        raise ValueError(f"versions: {len(labels)} for {len(given)} outcomes: give one each")
    by_version: dict[Any, list[int]] = {}
    newest: dict[Any, int] = {}
    for place, (outcome, label) in enumerate(zip(given, labels, strict=True)):
        if _missing(outcome) or _missing(label):
            continue
        if outcome not in (0, 1):
            raise ValueError(f"outcomes[{place}]: {outcome!r}: write 1 for failed and 0 for not")
        by_version.setdefault(label, []).append(int(outcome))
        newest[label] = place
    told = {
        label: by_version[label]
        for label in sorted(newest, key=lambda label: newest[label])
        if len(by_version[label]) > 1
    }
    values = [measure(outcomes) for outcomes in told.values()]
    weights = [(1 - decay) ** age for age in reversed(range(len(told)))]
    table = pd.DataFrame(
        {
            "version": list(told),
            "n": [len(outcomes) for outcomes in told.values()],
            "failures": [sum(outcomes) for outcomes in told.values()],
            "value": values,
            "weight": weights,
        }
    )
    n = sum(len(outcomes) for outcomes in told.values())
    return WithinVersions(
        mean=sum(values) / len(values) if values else None,
        decayed=sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights) if values else None,
        decay=decay,
        n=n,
        left_out=len(given) - n,
        table=table,
    )


def check_decay(decay: float) -> None:
    """Raises ValueError where it is no share below 1: every older version must keep some weight."""
    if not 0 <= decay < 1:
        raise ValueError(f"decay: {decay!r}: write a share in [0, 1), such as 0.1")


def _missing(value: Any) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and isnan(value))

"""`chain_reliability`: is a chain as reliable as the product of its parts says, or do its parts fail together?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import ibis
import ibis.expr.types as ir
import numpy as np

from aftershock.errors import UnknownColumnError
from aftershock.metrics.proportions.intervals import wilson
from aftershock.metrics.results import Interval
from aftershock.model import COUNTED, FAILURES

if TYPE_CHECKING:
    import pandas as pd

REPETITIONS: Final = 10_000
MOST_PARTS: Final = 20
_ATTEMPTS: Final = 1024


@dataclass(frozen=True)
class ChainReliability:
    """What `chain_reliability` gives. `n` counts chains in which every part is known, `left_out` those with a part missing.

    `predicted` is the product of the parts' shares, `observed` the share of chains in which all went well; `difference` is observed minus
    predicted, with `difference_low` and `difference_high` from a bootstrap over chains. `verdict`: parts fail together (observed is above),
    parts fail in turn (below), no dependence seen, or cannot tell (no chain is whole, or in whole ones fewer than two parts ever failed:
    then the product is the outcome). `table` has a row per part: part, n, failures, reliability, low, high.
    """

    n: int
    left_out: int
    predicted: float | None
    observed: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    verdict: str
    level: float
    table: pd.DataFrame = field(repr=False, compare=False)

    @property
    def interval(self) -> Interval:
        """The observed share with Wilson's interval."""
        return wilson(round((self.observed or 0.0) * self.n), self.n, self.level)

    def to_pandas(self) -> pd.DataFrame:
        """The table of the parts."""
        return self.table


def chain_reliability(
    units: ir.Table,
    chain: Sequence[str],
    *,
    link: str = "correlation_id",
    part: str = "automation",
    level: float = 0.95,
    seed: int = 0,
) -> ChainReliability:
    """Predicted (product of the parts) against observed (all parts went well) reliability of a chain.

    `units` are runs or steps; `chain` names the parts, values of the column `part`; `link` says which belong together: for runs
    `correlation_id`, `parent_run_id` or `root_run_id`, for the steps of one run `link="run_id", part="step_key"`. A part of a chain went well if
    its last attempt that counts did. Only chains in which every part ran are compared: a part that is never reached after a failure says
    nothing about dependence, and leaving such chains in would make the product equal the outcome by construction.

    Dependence is told by a bootstrap over chains (10,000, `seed`) of observed - predicted; percentile interval at `level`.

    Raises: UnknownColumnError; ValueError for a chain of fewer than two parts, more than 20, or a part twice.
    Source: Barlow and Proschan (1975), on association; Efron and Tibshirani (1993), chapter 13.
    """
    import pandas as pd

    parts = [str(name) for name in chain]
    if not 2 <= len(parts) <= MOST_PARTS or len(set(parts)) < len(parts):
        raise ValueError(f"chain: {parts!r}: write two to {MOST_PARTS} different parts")
    for name in (link, part):
        if name not in units.columns:
            raise UnknownColumnError(name, tuple(units.columns))
    frame = _patterns(units, parts, link, part).execute()
    missing = frame["known"].to_numpy() < len(parts)
    left_out = int(frame["chains"].to_numpy()[missing].sum())
    kept = frame[~missing].sort_values("failed_parts")
    counts, masks = kept["chains"].to_numpy(dtype=np.int64), kept["failed_parts"].to_numpy(dtype=np.int64)
    n = int(counts.sum())
    failed = (masks[:, None] >> np.arange(len(parts))) & 1
    losses = counts @ failed if n else np.zeros(len(parts), dtype=int)
    rows = [(name, n, int(lost), wilson(n - int(lost), n, level)) for name, lost in zip(parts, losses, strict=True)]
    table = pd.DataFrame(
        [(name, n, lost, one.estimate, one.low, one.high) for name, n, lost, one in rows],
        columns=["part", "n", "failures", "reliability", "low", "high"],
    )
    if n == 0:
        return ChainReliability(0, left_out, None, None, None, None, None, "cannot tell", level, table)
    predicted, observed = _both(counts[None, :], failed, masks == 0)
    drawn = np.random.default_rng(seed).multinomial(n, counts / n, size=REPETITIONS)
    products, wholes = _both(drawn, failed, masks == 0)
    low, high = (float(x) for x in np.quantile(wholes - products, [(1 - level) / 2, (1 + level) / 2]))
    together = "parts fail together" if low > 0 else "parts fail in turn" if high < 0 else "no dependence seen"
    if np.count_nonzero(losses) < 2:  # then the product is the outcome, whatever hangs together
        together = "cannot tell: fewer than two parts failed in whole chains"
    gap = float(observed[0] - predicted[0])
    return ChainReliability(
        n, left_out, float(predicted[0]), float(observed[0]), gap, low, high, together, level, table
    )


def _both(counts: Any, failed: Any, whole: Any) -> tuple[Any, Any]:
    """(product of the parts, share of whole chains) for each row of pattern counts."""
    n = counts.sum(axis=1, keepdims=True)
    return (1 - counts @ failed / n).prod(axis=1), (counts[:, whole].sum(axis=1) / n[:, 0])


def _patterns(units: ir.Table, parts: Sequence[str], link: str, part: str) -> ir.Table:
    """How many chains knew how many parts, and which of these failed (a bit each)."""
    status = units.status.fill_null("unknown")
    kept = units.filter(status.isin(COUNTED), units[part].isin(list(parts)), units[link].notnull())
    begun = kept.started_at
    attempt = ibis.least(ibis.greatest(kept.attempt.fill_null(1), 0), _ATTEMPTS - 1).cast("int64")
    moment = begun.epoch_seconds().cast("int64").fill_null(0)
    key = (moment * _ATTEMPTS + attempt) * 2 + kept.status.isin(FAILURES).ifelse(0, 1)
    keyed = kept.select(chain=kept[link], part=kept[part], key=key)
    last = keyed.group_by(["chain", "part"]).aggregate(last=keyed.key.max())
    bit: Any = ibis.cases(*[(last.part == name, 2**place) for place, name in enumerate(parts)], else_=0)
    bits = last.mutate(bit=(last["last"] % 2 == 0).ifelse(bit, 0).cast("int64"))
    chains = bits.group_by("chain").aggregate(known=bits.count(), failed_parts=bits.bit.sum())
    return chains.group_by(["known", "failed_parts"]).aggregate(chains=chains.count())

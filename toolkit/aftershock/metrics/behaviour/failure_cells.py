"""Hours (or other bins) in which an automation ran, and whether it failed in them; and pairs that failed in the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import ibis

from aftershock.errors import UnknownColumnError
from aftershock.metrics.results import Told
from aftershock.metrics.units import check_groups, dated, named
from aftershock.model import COUNTED, FAILURES

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from aftershock.metrics.results import Interval

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, repr=False)
class FailurePairs(Told):
    """What `failure_pairs` gives. `table` is lazy, a row per pair; `cells` a row per automation and bin in which it ran."""

    table: ir.Table = field(repr=False, compare=False)
    cells: ir.Table = field(repr=False, compare=False)
    runs: ir.Table = field(repr=False, compare=False)
    bin_s: int
    min_both: int
    interval: Interval | None = None

    @cached_property
    def n(self) -> int:
        """Runs that succeeded or failed: what the bins are made of."""
        return int(self.cells.aggregate(n=self.cells.n.sum().fill_null(0)).execute()["n"].iloc[0])

    @property
    def left_out(self) -> int:
        """Runs of other roles and statuses, without any time, or of no automation."""
        return int(self.runs.count().execute()) - self.n

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched."""
        return self.table.execute()


def failure_pairs(
    runs: ir.Table,
    *,
    by: str = "automation",
    bin_s: int = 3600,
    min_both: int = 5,
    roles: Sequence[str] = ("work",),
) -> FailurePairs:
    """Pairs of automations that failed in the same hour at least `min_both` times: how often, and how strongly they go together.

    One row per pair (a before b by name): a, b, n (bins in which both ran), a_failed, b_failed (of those), both, phi, jaccard, lift.
    A bin is `bin_s` seconds long; an automation ran in it if one of its runs that ended (succeeded or failed) began there, and failed
    if one of those failed. phi, jaccard and lift are null where they would divide by 0. Empty where no pair failed together often enough.

    Raises: UnknownColumnError if `by` is no column; UnknownNameError for an unknown role; ValueError for bins that do not
    part a day evenly, or min_both below 1.
    Source: Yule (1912) J R Stat Soc 75:579 (phi); Jaccard (1912) New Phytologist 11:37; Brin et al. (1997) SIGMOD 255 (lift).
    """
    roles = named(roles)
    if min_both < 1:
        raise ValueError(f"min_both: {min_both!r}: at least 1 is needed")
    cells = failure_cells(runs, by=by, bin_s=bin_s, roles=roles)
    failed = cells.filter(cells.failures > 0).select(a="who", bin="bin")
    other = failed.select(b=failed.a, b_bin=failed.bin)
    together = failed.inner_join(other, [failed.bin == other.b_bin, failed.a < other.b])
    pairs = together.group_by(["a", "b"]).aggregate(both=together.count())
    pairs = pairs.filter(pairs.both >= min_both)
    first = cells.select(a_who=cells.who, a_bin=cells.bin, a_bad=(cells.failures > 0).cast("int64"))
    second = cells.select(b_who=cells.who, b_bin=cells.bin, b_bad=(cells.failures > 0).cast("int64"))
    met = pairs.inner_join(first, pairs.a == first.a_who).inner_join(
        second, [pairs.b == second.b_who, first.a_bin == second.b_bin]
    )
    counts = met.group_by(["a", "b"]).aggregate(
        n=met.count(), a_failed=met.a_bad.sum(), b_failed=met.b_bad.sum(), both=met.both.max()
    )
    return FailurePairs(_associated(counts).order_by(["a", "b"]), cells, runs, bin_s, min_both)


def failure_cells(runs: ir.Table, *, by: str, bin_s: int, roles: Sequence[str]) -> ir.Table:
    """A row per automation and bin in which runs of it that ended began: who, bin (number since 1970), n, failures."""
    if by not in runs.columns:
        raise UnknownColumnError(by, runs.columns)
    check_groups(runs, roles=roles)
    if bin_s < 1 or 86_400 % bin_s:
        raise ValueError(f"bin_s: {bin_s!r}: a day (86400 s) is to hold a whole number of bins")
    units = dated(runs)
    units = units.filter(
        units.moment.notnull() & units[by].notnull() & units.role.isin(list(roles)) & units.status.isin(COUNTED)
    )
    units = units.select(who=units[by], bin=time_bin(units.moment, bin_s), bad=units.status.isin(FAILURES))
    return units.group_by(["who", "bin"]).aggregate(n=units.count(), failures=units.count(where=units.bad))


def time_bin(moment: Any, bin_s: int) -> Any:
    """How many whole bins lie between 1970 and a moment: the same on every backend and in every session time zone."""
    since = moment.delta(ibis.literal(_EPOCH, type="timestamp('UTC')"), unit="microsecond")
    return since // (bin_s * 1_000_000)


def _associated(counts: ir.Table) -> ir.Table:
    n, a, b, both = (counts[name].cast("float64") for name in ("n", "a_failed", "b_failed", "both"))
    margins = (a * (n - a) * b * (n - b)).nullif(0.0)
    return counts.select(
        "a",
        "b",
        "n",
        "a_failed",
        "b_failed",
        "both",
        phi=(both * n - a * b) / margins.sqrt(),
        jaccard=both / (a + b - both).nullif(0.0),
        lift=both * n / (a * b).nullif(0.0),
    )

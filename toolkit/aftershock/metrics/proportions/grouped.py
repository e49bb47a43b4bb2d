"""Groups with x hits of n, from a table of runs or from arrays: what ranking, funnel and bootstrap begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis.expr.types as ir
from numpy.typing import ArrayLike

from aftershock.metrics.proportions.counts import Counts, counts, labels
from aftershock.metrics.proportions.failure_rates import failure_rate

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.periods import Period


@dataclass(frozen=True)
class Groups:
    """`table` has a row per group: its keys, n, failures. `left_out` counts what was given and stands in no row's n."""

    table: pd.DataFrame
    keys: tuple[str, ...]
    left_out: int

    @property
    def counts(self) -> Counts:
        """Failures and n of the rows."""
        return counts(self.table["failures"], self.table["n"])


def groups(
    runs_or_x: ir.Table | ArrayLike,
    n: ArrayLike | None,
    *,
    by: Sequence[str],
    period: Period | None,
    roles: Sequence[str],
    names: Sequence[Any] | None,
) -> Groups:
    """Ended runs per group of `by`, or the arrays as they are, called by `names`, else by their places from 0.

    Raises: what `failure_rate` raises for runs; ValueError for n or names beside a table, or an x without n.
    """
    import pandas as pd

    if isinstance(runs_or_x, ir.Table):
        if n is not None or names is not None:
            raise ValueError("n and names go with an array of counts: a table of runs has its own")
        rates = failure_rate(runs_or_x, by=by, period=period, roles=roles)
        table = rates.table.select(*by, "n", "failures", "left_out").to_pandas()
        return Groups(table[[*by, "n", "failures"]], tuple(by), int(table["left_out"].sum()))
    if n is None:
        raise ValueError("n is missing: give x and n, or a table of runs")
    given = counts(runs_or_x, n)
    called = labels(names, given.x.size + given.left_out)
    columns = {"name": [called[at] for at in given.kept], "n": given.n.astype(int), "failures": given.x.astype(int)}
    return Groups(pd.DataFrame(columns), ("name",), given.left_out)

"""`failure_attributes`: what failed runs have that fine runs have not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import ibis
import ibis.expr.types as ir
import numpy as np

from aftershock.metrics.behaviour.contingency import fisher_two_sided, measures, q_values
from aftershock.metrics.proportions.intervals import newcombe_expr, wilson_expr
from aftershock.metrics.results import Told
from aftershock.metrics.units import check_groups, dated, named
from aftershock.model import COUNTED, FAILURES

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.results import Interval

COLUMNS: Final = ("automation", "version", "trigger", "client", "tool", "source")


@dataclass(frozen=True, repr=False)
class FailureAttributes(Told):
    """A row per value of each column. `table` is lazy; p_value, q_value, phi, odds_ratio and the rank are added when it is fetched."""

    table: ir.Table
    level: float
    columns: tuple[str, ...]
    counted: ir.Table = field(repr=False, compare=False)
    runs: ir.Table = field(repr=False, compare=False)

    @cached_property
    def n(self) -> int:
        """How many runs count."""
        return int(self.counted.count().execute())

    @cached_property
    def left_out(self) -> int:
        """Runs of other roles, and those that were cancelled, skipped or have not ended."""
        return int(self.runs.count().execute()) - self.n

    @property
    def interval(self) -> Interval | None:
        """None: each row has its own."""
        return None

    def to_pandas(self) -> pd.DataFrame:
        """The values that separate best first: those beyond chance (q_value up to 1 - level) before the others, each by how far from
        0 the difference is at least, then by its size; of two that part the runs alike (a column of two values), the one that fails more.
        """
        frame = self.table.execute()
        hit = frame.failures.to_numpy(dtype=float)
        other_hit = frame.other_failures.to_numpy(dtype=float)
        cells = (hit, frame.n.to_numpy(dtype=float) - hit, other_hit, frame.other_n.to_numpy(dtype=float) - other_hit)
        found = measures(*cells)
        p = fisher_two_sided(*cells)
        frame = frame.assign(
            lift=found["lift"], phi=found["phi"], odds_ratio=found["odds_ratio"], p_value=p, q_value=q_values(p)
        )
        at_least = np.maximum(np.maximum(frame.low, -frame.high), 0.0)
        ranked = frame.assign(
            at_least=at_least,
            chance=frame.q_value > 1 - self.level,
            size=frame.difference.abs().round(12),
            near=at_least.round(12),
            word=frame.value.fillna("").astype(str),
        )
        ranked = ranked.sort_values(
            ["chance", "near", "size", "difference", "column", "word"],
            ascending=[True, False, False, False, True, True],
        )
        return ranked.drop(columns=["chance", "size", "near", "word"]).reset_index(drop=True)


def failure_attributes(
    runs: ir.Table,
    columns: Sequence[str] = COLUMNS,
    *,
    min_count: int = 1,
    level: float = 0.95,
    roles: Sequence[str] = ("work",),
) -> FailureAttributes:
    """For each value of each column: the failure rate of runs that have it beside that of runs that have it not.

    Counts runs that ended and were not cancelled or skipped; all columns are taken as text, and null is a value of its own (the
    record does not say). One row per column and value with at least `min_count` runs, and at least one run without it: column,
    value, n, failures, rate, other_n, other_failures, other_rate, difference = rate - other_rate with Newcombe's interval low
    and high. `to_pandas()` adds lift, phi, odds_ratio, p_value (Fisher, two-sided), q_value (Benjamini-Hochberg over all rows), at_least
    (the end of the interval that is nearer to 0, 0 where it holds 0), and ranks by that: rows with a q_value up to 1 - level first.

    What separates is not yet a cause: columns hang together (an automation has one tool), and the retries of one outage are not
    independent, so p_value and q_value are too sure of themselves where failures come in clumps. No runs give no rows.

    Raises: UnknownColumnError; UnknownNameError for an unknown role; ValueError for no columns, a column twice, a level outside (0, 1).
    Source: Newcombe (1998) Stat Med 17:873, method 10; Fisher (1935); Benjamini and Hochberg (1995) J R Stat Soc B 57:289.
    """
    columns, roles = named(columns), named(roles)
    _check(runs, columns, roles)
    units = dated(runs)
    counted = units.filter(units.role.isin(list(roles)), units.status.isin(COUNTED))
    cells = _cells(counted, columns)
    totals = cells.aggregate(total=_sum(cells.n), total_failures=_sum(cells.failures))
    parts = [_values(cells, place, name) for place, name in enumerate(columns)]
    values = ibis.union(*parts) if len(parts) > 1 else parts[0]
    rows = values.filter(values.n >= min_count).cross_join(totals)
    rows = rows.mutate(other_n=rows.total - rows.n, other_failures=rows.total_failures - rows.failures)
    rows = rows.filter(rows.other_n > 0)
    rate, other = wilson_expr(rows.failures, rows.n, level), wilson_expr(rows.other_failures, rows.other_n, level)
    difference, low, high = newcombe_expr(rate, other)
    table = rows.select(
        "column",
        "value",
        "n",
        "failures",
        "other_n",
        "other_failures",
        rate=rate[0],
        other_rate=other[0],
        difference=difference,
        low=low,
        high=high,
    )
    return FailureAttributes(table.order_by("column", "value"), level, tuple(columns), counted, runs)


def _cells(counted: ir.Table, columns: Sequence[str]) -> ir.Table:
    """A row per combination of values: one pass over the runs, whatever the number of columns."""
    values = {f"value_{place}": counted[name].cast("string") for place, name in enumerate(columns)}
    rows = counted.select(**values, failed=counted.status.isin(FAILURES))
    return rows.group_by(list(values)).aggregate(n=rows.count(), failures=rows.count(where=rows.failed))


def _values(cells: ir.Table, place: int, name: str) -> ir.Table:
    rows = cells.select("n", "failures", value=cells[f"value_{place}"])
    counts = rows.group_by("value").aggregate(n=_sum(rows.n), failures=_sum(rows.failures))
    return counts.select("value", "n", "failures", column=ibis.literal(name))


def _sum(counts: Any) -> Any:
    return counts.sum().fill_null(0).cast("int64")


def _check(runs: ir.Table, columns: Sequence[str], roles: Sequence[str]) -> None:
    if not columns:
        raise ValueError("columns: none given: name at least one, such as 'version'")
    check_groups(runs, columns)
    if len(set(columns)) < len(columns):
        raise ValueError(f"columns: {', '.join(columns)}: name each once")
    check_groups(runs, roles=roles)

"""`concurrency`: how many other runs were under way when each run started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import ibis

from aftershock.metrics.results import Told
from aftershock.metrics.units import check_groups, named
from aftershock.model import FINISHED

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from aftershock.metrics.results import Interval


@dataclass(frozen=True, repr=False)
class Concurrency(Told):
    """What `concurrency` gives. `table` is lazy; the counts are read once, when first asked for."""

    table: ir.Table = field(repr=False, compare=False)
    by: tuple[str, ...]
    runs: ir.Table = field(repr=False, compare=False)
    interval: Interval | None = None

    @cached_property
    def _counts(self) -> Mapping[str, int]:
        given = self.runs.count().name("given")
        row = self.table.aggregate(n=self.table.count(), most=self.table.running.max()).execute()
        most = row["most"].iloc[0]
        return {
            "n": int(row["n"].iloc[0]),
            "most": 0 if most != most or most is None else int(most),
            "given": int(given.execute()),
        }

    @property
    def n(self) -> int:
        """Runs that have a row."""
        return self._counts["n"]

    @property
    def left_out(self) -> int:
        """Runs without a row: never started, or of another role."""
        return self._counts["given"] - self.n

    @property
    def most(self) -> int:
        """The highest number of others under way that any run met; 0 where there is no run."""
        return self._counts["most"]

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched."""
        return self.table.execute()


def concurrency(
    runs: ir.Table, *, by: Sequence[str] = ("automation",), roles: Sequence[str] = ("work",)
) -> Concurrency:
    """How many other runs of the same group were under way when each run started.

    One row per run that has started: run_id, the columns of `by`, started_at, status, role, running (others under way, 0 or more).
    Reads run_id, started_at, ended_at, status and role. `by` says what is shared: an automation, a tool, a source, a
    connection; `by=()` counts all. A run is under way from its start up to, not including, its end; two that start at
    the same moment count each other. One that is unfinished is under way until the log ends; one that is finished but has no end
    is taken as a moment, so `running` is then a lower bound.

    Runs of every role are load; `roles` says whose rows are given. Empty where no run has started.

    Raises: UnknownColumnError if `by` names no column; UnknownNameError for an unknown role.
    Source: the counting process of arrivals minus departures, N(t) = A(t) - D(t); Little (1961) Oper Res 9:383.
    """
    by, roles = named(by), named(roles)
    names = check_groups(runs, by, roles)
    started = runs.filter(runs.started_at.notnull())
    started = started.mutate(
        status=started.status.fill_null("unknown"), role=started.role.fill_null("work"), until=_until(started)
    )
    kept = list(dict.fromkeys(["run_id", *names, "started_at", "status", "role"]))
    # A run that lasts meets itself in the sum; one without any length has already been taken off again.
    itself = (started.until.isnull() | (started.until > started.started_at)).cast("int64")
    begins = started.select(
        *kept, itself=itself, at=started.started_at.cast("timestamp('UTC')"), change=ibis.literal(1, type="int64")
    )
    blank: dict[str, Any] = {name: ibis.null(begins[name].type()) for name in kept if name not in names}
    ended = started.filter(started.until.notnull())
    ends = ended.select(
        **{name: blank.get(name, ended[name]) for name in kept},
        itself=ibis.null("int64"),
        at=ended.until.cast("timestamp('UTC')"),
        change=ibis.literal(-1, type="int64"),
    )
    events = begins.union(ends)
    # A range frame takes in all events of the same moment, so no order among them matters.
    upto = ibis.range_window(preceding=None, following=0, group_by=names, order_by=events["at"])
    swept = events.mutate(running=events.change.sum().over(upto) - events.itself)
    rows = swept.filter((swept.change == 1) & swept.role.isin(list(roles)))
    return Concurrency(rows.select(*kept, "running"), tuple(names), runs)


def _until(runs: ir.Table) -> Any:
    """When a run stopped being load: null for one that is still under way."""
    finished = runs.status.isin(FINISHED)
    end = ibis.coalesce(runs.ended_at, finished.ifelse(runs.started_at, ibis.null(runs.started_at.type())))
    return (end < runs.started_at).ifelse(runs.started_at, end)

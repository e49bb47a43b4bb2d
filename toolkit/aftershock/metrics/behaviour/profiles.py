"""`temporal_profile`: how long after each activity each other one comes, in the same case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import ibis.expr.types as ir

from aftershock.metrics.behaviour.sequences import placed

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.results import Interval


@dataclass(frozen=True)
class TemporalProfile:
    """What `temporal_profile` gives: a row per ordered pair of activities that occurs, lazy: a, b, n, mean_s, sd_s, shortest_s, longest_s."""

    table: ir.Table
    events: ir.Table = field(repr=False, compare=False)
    log: ir.Table = field(repr=False, compare=False)

    @cached_property
    def n(self) -> int:
        """Delays over all pairs."""
        return int(self.table.n.sum().fill_null(0).execute())

    @cached_property
    def left_out(self) -> int:
        """Events without a case, an activity or a time."""
        return int(self.events.count().execute() - self.log.count().execute())

    @property
    def interval(self) -> Interval | None:
        """None: each row has its own mean and standard deviation."""
        return None

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched."""
        return self.table.execute()


def temporal_profile(
    events: ir.Table, *, case: str = "case", activity: str = "activity", at: str = "at", order: Sequence[str] = ()
) -> TemporalProfile:
    """Mean and standard deviation of the time from every A to every later B of its case, for each pair of activities.

    `events` as for `declare_constraints`. Every A is paired with every B after it, so an activity that comes often weighs more, and
    a pair of an activity with itself is one too. One row per pair: a, b, n (delays), mean_s, sd_s (sample; 0 for a single delay, as
    pm4py gives it), shortest_s, longest_s, in seconds. What has not come yet is not waited for: where cases are cut off by the end of
    the log, `response_delays` tells the truth and this is too short. It compares every two events of a case: not for cases of thousands.

    Raises: UnknownColumnError.
    Source: Stertz, Mangler, Rinderle-Ma (2020), "Temporal conformance checking at runtime based on time-infused process models",
    arXiv:2008.07262; equals pm4py's discover_temporal_profile.
    """
    log = placed(events, case, activity, at, order)
    a = log.select("case_id", place_a="place", a="activity", at_a="at")
    b = log.select(case_b="case_id", place_b="place", b="activity", at_b="at")
    pairs = a.join(b, [a.case_id == b.case_b, a.place_a < b.place_b])
    delays = pairs.select("a", "b", delay_s=pairs.at_b.delta(pairs.at_a, unit="microsecond").cast("float64") / 1e6)
    table = delays.group_by("a", "b").aggregate(
        n=delays.count(),
        mean_s=delays.delay_s.mean(),
        sd_s=delays.delay_s.std(how="sample").fill_null(0.0),
        shortest_s=delays.delay_s.min(),
        longest_s=delays.delay_s.max(),
    )
    return TemporalProfile(table.order_by("a", "b"), events, log)

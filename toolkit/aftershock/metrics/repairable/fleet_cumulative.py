"""`cumulative_failures`: the mean cumulative number of failures of a fleet of automations, from a table of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import ibis
import ibis.expr.types as ir
import numpy as np

from aftershock.metrics.repairable.arrays import level_checked
from aftershock.metrics.repairable.cumulative_function import Bounds, MeanCumulativeFunction, curve, with_bounds
from aftershock.metrics.repairable.run_events import Event, checked, marked, units_of
from aftershock.metrics.units import named

Scale = Literal["age", "calendar"]
_DAY: Final = 86_400


def cumulative_failures(
    runs: ir.Table,
    *,
    by: Sequence[str] = ("automation",),
    event: Event = "incident",
    scale: Scale = "age",
    roles: Sequence[str] = ("work",),
    bounds: Bounds = "log",
    level: float = 0.95,
) -> MeanCumulativeFunction:
    """Failures per automation over its age (days since its first run), or over the calendar with staggered entry; robust variance.

    A row per day with a failure: `time` (age in days, 1 is the first; or days since 1970-01-01 UTC, the day's end), at_risk (automations under
    observation), events, mcf, variance, low, high. An automation is observed from the day of its first run to that of its last, by UTC days.
    What one event is: `incident` (default), `root` or `run`, as in `failure_trends`.

    The curve bends upward where automations get worse, downward where they get better, whatever the model.

    Raises: UnknownColumnError, UnknownNameError for a role, ValueError for another event, scale, level.
    Source: Nelson (1995) Technometrics 37:147; Lawless and Nadeau (1995) Technometrics 37:158.
    """
    by, roles = named(by), named(roles)
    level_checked(level)
    if scale not in ("age", "calendar"):
        raise ValueError(f"scale: {scale!r}: write 'age' or 'calendar'")
    groups = checked(runs, by, event, roles)
    frame = _daily(runs, groups, event, roles).execute()
    who = frame.groupby(groups, dropna=False, sort=True).ngroup().to_numpy()
    day, events = frame["day"].to_numpy(dtype=float), frame["events"].to_numpy(dtype=float)
    systems = int(who.max()) + 1 if who.size else 0
    first, last = np.full(systems, np.inf), np.full(systems, -np.inf)
    np.minimum.at(first, who, day)
    np.maximum.at(last, who, day)
    begin = first if scale == "age" else np.zeros(systems)
    # A day counts whole: its failures lie at its end, an automation is at risk from the beginning of its first day.
    table = curve(
        (day - begin[who] + 1)[events > 0], events[events > 0], who[events > 0], first - begin, last - begin + 1
    )
    total = int(events.sum())
    return MeanCumulativeFunction(with_bounds(table, level, bounds), total, systems, level, "robust", bounds, 0)


def _daily(runs: ir.Table, by: list[str], event: Event, roles: Sequence[str]) -> ir.Table:
    """A row per group and UTC day with units: how many failure events began on it."""
    units: Any = marked(units_of(runs, by, event, roles), by, event)
    day = (units["at"] / float(_DAY)).floor().cast("int64")
    return units.mutate(day=day).group_by([*by, "day"]).aggregate(events=ibis._.event.ifelse(1, 0).sum())

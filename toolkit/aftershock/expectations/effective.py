"""`effective_rate`: the share of records that arrived, beside the share of runs that their tools call successful."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from aftershock.metrics.proportions.intervals import wilson_expr
from aftershock.metrics.units import dated
from aftershock.model import COUNTED

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from aftershock.expectations.reconciliation import Reconciliation


def effective_rate(reconciliation: Reconciliation) -> ir.Table:
    """Of the records that should have gone through by now, the share in step; and how green the runs on their way were.

    One row per expectation: n (judged records), in_step, rate, low, high; green_n (ended work runs of the automations
    on both its sides, in the period if there is one), green (those that the tool calls successful: succeeded and
    partial), green_rate, green_low, green_high.
    The two are about different things and are never mixed. Null where n is 0.
    """
    effective = reconciliation.summary(by=("expectation",)).select("expectation", "n", "in_step", "rate", "low", "high")
    runs = dated(reconciliation.runs)
    runs = runs.filter(runs.role == "work", runs.status.isin(COUNTED))
    if reconciliation.period:
        runs = runs.filter(reconciliation.period.holds(runs.moment))
    parts = []
    for expectation in reconciliation.expectations:
        both = reconciliation.sides[expectation.name]
        mine = runs.filter(runs.automation.isin([*both.after, *both.then]))
        if expectation.client:
            mine = mine.filter(mine.client == expectation.client)
        parts.append(
            mine.aggregate(
                green_n=mine.count(), green=mine.count(where=mine.status.isin(["succeeded", "partial"]))
            ).mutate(green_of=ibis.literal(expectation.name))
        )
    if not parts:
        return effective
    counted = ibis.union(*parts) if len(parts) > 1 else parts[0]
    rate, low, high = wilson_expr(counted.green, counted.green_n)
    counted = counted.mutate(green_rate=rate, green_low=low, green_high=high)
    joined = effective.left_join(counted, effective.expectation == counted.green_of).drop("green_of")
    return joined.select(*effective.columns, "green_n", "green", "green_rate", "green_low", "green_high").order_by(
        "expectation"
    )

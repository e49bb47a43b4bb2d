"""At what volume automations begin to fail: each on its own, judged together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import ibis

from aftershock.metrics import benjamini_hochberg, volume_knee
from aftershock.model import FAILURES
from aftershock.reports.blocks.volume import Knee
from aftershock.reports.views.pictures import within

if TYPE_CHECKING:
    from aftershock.metrics import VolumeKnee
    from aftershock.metrics.periods import Period
    from aftershock.reports.views.scope import Scope

_FEWEST: Final = 10  # failures: with fewer `volume_knee` cannot tell
_MOST: Final = 20  # automations: those with most failures
_FALSE: Final = 0.05


@dataclass(frozen=True)
class Knees:
    """The knees that stand when all automations are judged together; `looked` at so many, `too_few` failures in so many of them."""

    found: list[Knee]
    looked: int
    too_few: int


def knees_of(scope: Scope, stretch: Period) -> Knees:
    """The volume at which each automation's failures double, where the logs bear it.

    On a client's page only automations that run for that client alone: of others one sees no more than a part of the volume.
    """
    runs = within(scope.runs, stretch)
    work = runs.filter(runs.role == "work", runs.automation_id.notnull())
    if scope.client is not None:
        everybody = scope.ledger.runs
        others = everybody.filter(everybody.client.isnull() | (everybody.client != scope.client_id))
        work = work.anti_join(others.select("automation_id").distinct(), "automation_id")
    groups = work.group_by("automation_id").aggregate(
        name=work.automation.max(),
        client=work.client.min(),
        clients=work.client.nunique(),
        bad=work.count(where=work.status.isin(FAILURES)),
    )
    rows = groups.order_by(ibis.desc("bad"), "automation_id").execute()
    able = rows[rows.bad >= _FEWEST].head(_MOST)
    fitted = [(row, volume_knee(runs.filter(runs.automation_id == row.automation_id))) for row in able.itertuples()]
    told = [(row, knee, p) for row, knee in fitted if (p := _p_value(knee)) is not None]
    q = benjamini_hochberg([p for *_, p in told]).q_values if told else ()
    found = [
        _knee(row, knee, each)
        for (row, knee, _), each in zip(told, q, strict=True)
        if knee.knee is not None and each is not None and each <= _FALSE
    ]
    return Knees(found, len(rows), len(rows) - len(told))


def _p_value(knee: VolumeKnee) -> float | None:
    """Of a slope of 0, two-sided, from the slope's interval (Student's t over days); None where nothing could be fitted."""
    from scipy.stats import t

    slope, freedom = knee.curve.slope, knee.curve.clusters - 1
    if slope.estimate is None or slope.low is None or slope.high is None or freedom < 1 or slope.high <= slope.low:
        return None
    error = (slope.high - slope.low) / (2 * float(t.ppf((1 + slope.level) / 2, freedom)))
    return float(2 * t.sf(abs(slope.estimate) / error, freedom))


def _knee(row: Any, knee: VolumeKnee, q: float) -> Knee:
    arrival, found = knee.arrival, knee.interval
    return Knee(
        automation=str(row.name),
        client=row.client if row.clients == 1 else None,
        n=knee.n,
        at=float(found.estimate or 0.0),
        low=float(found.low or 0.0),
        high=float(found.high or 0.0),
        light=float(knee.curve.baseline_load or 0.0),
        rate=float(knee.curve.baseline or 0.0),
        today=knee.trend.today,
        arrival=arrival.word if arrival else "cannot tell",
        on=arrival.on if arrival else None,
        earliest=arrival.earliest if arrival else None,
        latest=arrival.latest if arrival else None,
        q_value=q,
    )

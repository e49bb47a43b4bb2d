"""`response_delays`: how long after an A the next B of the same case comes, with those still waiting counted as waiting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

import ibis
import ibis.expr.types as ir

from aftershock.metrics.behaviour.sequences import placed
from aftershock.metrics.proportions.intervals import wilson_expr
from aftershock.metrics.results import Told

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.results import Interval

QUANTILES: Final = (0.5, 0.9, 0.95)
# ln(0) is no number on any engine: far enough below, exp gives 0 on all of them.
_LOG_OF_ZERO: Final = -1e6
# A share that equals the quantile on paper may miss it by rounding: 1 - 0.9 is above 0.1.
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, repr=False)
class ResponseDelays(Told):
    """What `response_delays` gives: a row per pair, lazy."""

    table: ir.Table
    within_s: float | None
    level: float
    events: ir.Table = field(repr=False, compare=False)
    log: ir.Table = field(repr=False, compare=False)

    @cached_property
    def n(self) -> int:
        """Activations over all pairs."""
        return int(self.table.activations.sum().fill_null(0).execute())

    @cached_property
    def left_out(self) -> int:
        """Events without a case, an activity or a time, and those later than `until`."""
        return int(self.events.count().execute() - self.log.count().execute())

    @property
    def interval(self) -> Interval | None:
        """None: each row has its own."""
        return None

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched."""
        return self.table.execute()


def response_delays(
    events: ir.Table,
    pairs: Sequence[tuple[str, str]],
    *,
    within_s: float | None = None,
    until: datetime | None = None,
    quantiles: Sequence[float] = QUANTILES,
    case: str = "case",
    activity: str = "activity",
    at: str = "at",
    order: Sequence[str] = (),
    level: float = 0.95,
) -> ResponseDelays:
    """The delay from each A to the first B after it in the same case, for each pair (A, B): quantiles by Kaplan-Meier.

    An A without a B has been waiting until `until` (the newest event where none is given; later events are as if not yet seen):
    it counts as waiting that long, not as never answered and not as absent. One row per pair: a, b, activations, answered, open,
    and p50_s, p90_s, ... in seconds: null where so many have not been answered that nobody can say.

    `within_s` judges each activation against a deadline: on_time, missed (answered later, or not at all though that long ago),
    pending (not answered and still younger than that); rate = on_time / (on_time + missed) with its Wilson interval low, high.

    Raises: UnknownColumnError; ValueError for no pairs, a quantile or level outside (0, 1), a deadline that is not above 0, an
    `until` without a zone.
    Source: Kaplan and Meier (1958) JASA 53:457; the quantile is the first time at which the curve reaches 1 - q.
    """
    _check(pairs, within_s, until, quantiles)
    log = placed(events, case, activity, at, order)
    log = log.filter(log.at <= until) if until else log
    waits = _waits(log, pairs, until)
    tallies = {
        "activations": waits.count(),
        "answered": waits.count(where=waits.answered),
        "open": waits.count(where=~waits.answered),
    }
    if within_s is not None:
        tallies["on_time"] = waits.count(where=waits.answered & (waits.wait_s <= within_s))
        tallies["pending"] = waits.count(where=~waits.answered & (waits.wait_s < within_s))
    counts = waits.group_by("a", "b").aggregate(**tallies)
    table = counts.left_join(_quantiles(waits, quantiles), ["a", "b"]).drop("a_right", "b_right")
    if within_s is not None:
        missed = table.activations - table.on_time - table.pending
        rate, low, high = wilson_expr(table.on_time, table.on_time + missed, level)
        table = table.mutate(missed=missed, rate=rate, low=low, high=high)
    return ResponseDelays(table.order_by("a", "b"), within_s, level, events, log)


def _waits(log: ir.Table, pairs: Sequence[tuple[str, str]], until: datetime | None) -> ir.Table:
    """A row per A of each pair: how long it waited, and whether a B ended that."""
    answers: dict[str, list[str]] = {}
    for first, second in dict.fromkeys(pairs):
        answers.setdefault(first, []).append(second)
    activations = log.filter(log.activity.isin(list(answers)))
    wanted = ibis.cases(*((activations.activity == a, ibis.array(bs)) for a, bs in answers.items()))
    a = activations.select("case_id", "place", a="activity", at_a="at", b=wanted.unnest())
    b = log.select(case_b="case_id", place_b="place", answer="activity", at_b="at")
    found = a.left_join(b, [a.case_id == b.case_b, a.b == b.answer, a.place < b.place_b])
    waits = found.group_by("case_id", "a", "b", "place").aggregate(at_a=found.at_a.min(), at_b=found.at_b.min())
    if until is None:
        waits = waits.cross_join(log.aggregate(until=log.at.max()))
        end = waits.until
    else:
        end = ibis.literal(until, type="timestamp('UTC')")
    answered = waits.at_b.notnull()
    waited = ibis.coalesce(waits.at_b, end).delta(waits.at_a, unit="microsecond")
    return waits.select("a", "b", answered=answered, wait_s=waited.cast("float64") / 1e6)


def _quantiles(waits: ir.Table, quantiles: Sequence[float]) -> ir.Table:
    """A row per pair: when its Kaplan-Meier curve first comes down to 1 - q, for each q."""
    times = waits.group_by("a", "b", "wait_s").aggregate(all=waits.count(), ended=waits.count(where=waits.answered))
    longest_first = ibis.window(group_by=["a", "b"], order_by=ibis.desc("wait_s"), preceding=None, following=0)
    at_risk = times["all"].sum().over(longest_first)
    left = 1.0 - times.ended.cast("float64") / at_risk.cast("float64")
    stepped = times.mutate(step=(times.ended == at_risk).ifelse(_LOG_OF_ZERO, left.ln()))
    shortest_first = ibis.window(group_by=["a", "b"], order_by="wait_s", preceding=None, following=0)
    curve = stepped.mutate(waiting=stepped.step.sum().over(shortest_first).exp())
    found = {
        f"p{100 * q:g}_s".replace(".", "_"): curve.wait_s.min(where=curve.waiting <= 1 - q + _ROUNDING)
        for q in quantiles
    }
    return curve.group_by("a", "b").aggregate(**found)


def _check(
    pairs: Sequence[tuple[str, str]],
    within_s: float | None,
    until: datetime | None,
    quantiles: Sequence[float],
) -> None:
    if not pairs:
        raise ValueError("pairs: none given: name at least one, such as ('order placed', 'invoice sent')")
    for a, b in pairs:
        if a == b:
            raise ValueError(f"pairs: {a!r} answers itself: name two different activities")
    for q in quantiles:
        if not 0 < q < 1:
            raise ValueError(f"quantiles: {q!r}: write shares inside (0, 1), such as 0.9")
    if within_s is not None and not within_s > 0:
        raise ValueError(f"within_s: {within_s!r}: write a number of seconds above 0")
    if until is not None and until.tzinfo is None:
        raise ValueError(f"until: {until.isoformat()}: give it a time zone")

"""`declare_constraints`: which order of activities a log keeps to, and how often (Declare templates, mined in SQL).

A case activates a constraint, or says nothing about it. `support` counts the cases that activate it, `satisfied` those of them in
which it holds: in which every single activation is answered. `confidence` is satisfied / support.

    template                  activated by     holds in a case where
    existence(A)              every case       A occurs
    absence(A)                every case       A does not occur at all
    exactly_one(A)            every case       A occurs once
    init(A)                   every case       A is the first event
    choice(A, B)              every case       A or B occurs
    exclusive_choice(A, B)    every case       A or B occurs, not both
    responded_existence(A, B) A                B occurs too, before or after
    response(A, B)            A                every A is followed by a B, some time
    alternate_response(A, B)  A                every A is followed by a B before the next A
    chain_response(A, B)      A                every A is followed by a B at once
    not_response(A, B)        A                no A is followed by a B, ever
    not_chain_response(A, B)  A                no A is followed by a B at once
    precedence(A, B)          B                every B has an A somewhere before it
    alternate_precedence(A,B) B                every B has an A before it, after the B before
    chain_precedence(A, B)    B                every B has an A right before it
    co_existence(A, B)        A or B           both occur
    succession(A, B)          A or B           response and precedence hold (alternate_, chain_succession likewise)
    not_co_existence(A, B)    A or B           not both occur
    not_succession(A, B)      A or B           succession does not hold (not_chain_succession likewise)

This is pm4py's reading, number for number. Its two last templates are weaker than their names: for "after A never B" ask `not_response`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import ibis
import ibis.expr.types as ir

from aftershock.errors import UnknownColumnError, UnknownNameError
from aftershock.metrics.proportions.intervals import wilson_expr
from aftershock.metrics.results import Told

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.results import Interval

ONE_ACTIVITY: Final = ("existence", "absence", "exactly_one", "init")
# template -> (which cases activate it, in which of them it holds), in the columns that `_of_pairs` makes
TWO_ACTIVITIES: Final = {
    "responded_existence": ("with_a", "both"),
    "response": ("with_a", "response"),
    "alternate_response": ("with_a", "alternate_response"),
    "chain_response": ("with_a", "chain_response"),
    "not_response": ("with_a", "not_response"),
    "not_chain_response": ("with_a", "not_chain_response"),
    "precedence": ("with_b", "precedence"),
    "alternate_precedence": ("with_b", "alternate_precedence"),
    "chain_precedence": ("with_b", "chain_precedence"),
    "co_existence": ("either", "both"),
    "succession": ("either", "succession"),
    "alternate_succession": ("either", "alternate_succession"),
    "chain_succession": ("either", "chain_succession"),
    "not_co_existence": ("either", "only_one"),
    "not_succession": ("either", "not_succession"),
    "not_chain_succession": ("either", "not_chain_succession"),
    "choice": ("cases", "either"),
    "exclusive_choice": ("cases", "only_one"),
}
TEMPLATES: Final = (*ONE_ACTIVITY, *TWO_ACTIVITIES)


@dataclass(frozen=True, repr=False)
class DeclareConstraints(Told):
    """What `declare_constraints` gives: a row per template and activities, lazy."""

    table: ir.Table
    level: float
    events: ir.Table = field(repr=False, compare=False)

    @cached_property
    def n(self) -> int:
        """How many cases there are."""
        return int(complete(self.events).case_id.nunique().execute())

    @cached_property
    def left_out(self) -> int:
        """Events without a case, an activity or a time."""
        return int(self.events.count().execute() - complete(self.events).count().execute())

    @property
    def interval(self) -> Interval | None:
        """None: each row has its own."""
        return None

    def to_pandas(self) -> pd.DataFrame:
        """The table, fetched."""
        return self.table.execute()


def declare_constraints(
    events: ir.Table,
    *,
    templates: Sequence[str] = TEMPLATES,
    case: str = "case",
    activity: str = "activity",
    at: str = "at",
    order: Sequence[str] = (),
    min_support: int = 1,
    level: float = 0.95,
) -> DeclareConstraints:
    """How many cases activate each Declare constraint, and in how many of those it holds.

    `events`: one row per event; its case, activity and time stand in the columns so named. Events of one moment stand in the
    order of the columns `order`, then by name of the activity. Events without a case, activity or time are left out, counted.
    One row per template and activity, or ordered pair of different activities: template, a, b (null for one activity),
    cases, support, satisfied, confidence (share, with its Wilson interval low and high). Rows with a support under
    `min_support` are not given; a log without events gives none. What each template means stands in the module's table.

    The alternate_ templates compare every two events of a case: leave them out where cases have thousands of events.

    Raises: UnknownNameError for an unknown template; UnknownColumnError for an unknown column; ValueError for a level outside (0, 1).
    Source: Pesic, Schonenberg, van der Aalst (2007) EDOC 287 (templates); equals pm4py's discover_declare on every number.
    """
    for template in templates:
        if template not in TEMPLATES:
            raise UnknownNameError("template", template, TEMPLATES)
    log = placed(events, case, activity, at, order)
    one = [name for name in ONE_ACTIVITY if name in templates]
    two = [name for name in TWO_ACTIVITIES if name in templates]
    occurrences = _occurrences(log)
    activities = _of_activities(occurrences, log)
    parts = [_rows(activities, {name: ("cases", name) for name in one}, ibis.null("string"))] if one else []
    if two:
        pairs = _of_pairs(
            log, occurrences, activities, {kind for kind in ("alternate", "chain") if kind in " ".join(two)}
        )
        parts.append(_rows(pairs, {name: TWO_ACTIVITIES[name] for name in two}, pairs.b))
    if not parts:
        raise ValueError("templates: none given: name at least one, such as 'response'")
    rows = ibis.union(*parts) if len(parts) > 1 else parts[0]
    confidence, low, high = wilson_expr(rows.satisfied, rows.support, level)
    table = rows.mutate(confidence=confidence, low=low, high=high).filter(rows.support >= min_support)
    named = events.mutate(case_id=events[case], activity=events[activity], at=events[at])
    return DeclareConstraints(table.order_by("template", "a", "b"), level, named)


def complete(events: ir.Table) -> ir.Table:
    """The events that have a case, an activity and a time."""
    return events.filter(events.case_id.notnull(), events.activity.notnull(), events.at.notnull())


def placed(events: ir.Table, case: str, activity: str, at: str, order: Sequence[str]) -> ir.Table:
    """Complete events as case_id, activity, at, with their `place` in the case and the `next` activity there."""
    for name in (case, activity, at, *order):
        if name not in events.columns:
            raise UnknownColumnError(name, events.columns)
    ties = {f"tie_{i}": events[name] for i, name in enumerate(order)}
    named = complete(
        events.select(case_id=events[case], activity=events[activity].cast("string"), at=events[at], **ties)
    )
    in_turn = ibis.window(group_by="case_id", order_by=["at", *ties, "activity"])
    return named.select(
        "case_id",
        "activity",
        "at",
        place=ibis.row_number().over(in_turn),
        next=named.activity.lead().over(in_turn),
    )


def _occurrences(log: ir.Table) -> ir.Table:
    """A row per case and activity in it: how often, first and last place."""
    return log.group_by("case_id", "activity").aggregate(times=log.count(), first=log.place.min(), last=log.place.max())


def _of_activities(occurrences: ir.Table, log: ir.Table) -> ir.Table:
    """A row per activity: cases that satisfy each template of one activity, and all cases."""
    counts = occurrences.group_by(a="activity").aggregate(
        existence=occurrences.count(),
        exactly_one=occurrences.count(where=occurrences.times == 1),
        init=occurrences.count(where=occurrences["first"] == 0),
    )
    total = log.aggregate(cases=log.count(where=log.place == 0))
    both = counts.cross_join(total)
    return both.mutate(absence=both.cases - both.existence)


def _of_pairs(log: ir.Table, occurrences: ir.Table, activities: ir.Table, kinds: set[str]) -> ir.Table:
    """A row per ordered pair of activities: cases with a, b, both, either, and those that satisfy each template of two."""
    first = activities.select("a", "cases", with_a="existence")
    second = activities.select(b="a", with_b="existence")
    met = _in_both(log, occurrences, kinds)
    pairs = first.join(second, first.a != second.b)
    pairs = pairs.left_join(met, ["a", "b"]).drop("a_right", "b_right")
    pairs = pairs.mutate(**{name: pairs[name].fill_null(0) for name in met.columns if name not in ("a", "b")})
    pairs = pairs.mutate(either=pairs.with_a + pairs.with_b - pairs.both)
    if "chain" in kinds:
        pairs = pairs.mutate(
            not_chain_response=pairs.with_a - pairs.at_once,
            not_chain_succession=pairs.either - pairs.chain_succession,
        )
    return pairs.mutate(
        only_one=pairs.either - pairs.both,
        not_response=pairs.with_a - pairs.later,
        not_succession=pairs.either - pairs.succession,
    )


def _in_both(log: ir.Table, occurrences: ir.Table, kinds: set[str]) -> ir.Table:
    """A row per pair that shares a case: in how many of the shared cases each template holds, from first and last places.

    What only the `chain` and `alternate` templates ask costs a pass and a join each, so it is made for them alone.
    """
    a = occurrences.select("case_id", a="activity", times_a="times", first_a="first", last_a="last")
    b = occurrences.select("case_id", b="activity", times_b="times", first_b="first", last_b="last")
    shared = a.join(b, ["case_id", a.a != b.b])
    if "chain" in kinds:
        shared = _beside(shared, _steps(log))
    if "alternate" in kinds:
        shared = _beside(shared, _turns(log))
    response, precedence = shared.last_b > shared.last_a, shared.first_a < shared.first_b
    holds: dict[str, Any] = {
        "response": response,
        "precedence": precedence,
        "succession": response & precedence,
        "later": shared.first_a < shared.last_b,
    }
    if "chain" in kinds:
        chain_response, chain_precedence = shared.steps == shared.times_a, shared.steps == shared.times_b
        holds |= {
            "chain_response": chain_response,
            "chain_precedence": chain_precedence,
            "chain_succession": chain_response & chain_precedence,
            "at_once": shared.steps > 0,
        }
    if "alternate" in kinds:
        every_a, every_b = shared.turns == shared.times_a, shared.turns == shared.times_b
        holds |= {
            "alternate_response": every_a,
            "alternate_precedence": every_b,
            "alternate_succession": every_a & every_b,
        }
    return shared.group_by("a", "b").aggregate(
        both=shared.count(), **{name: shared.count(where=condition) for name, condition in holds.items()}
    )


def _steps(log: ir.Table) -> ir.Table:
    """How often b comes right after a in a case."""
    moved = log.filter(log.next.notnull(), log.next != log.activity)
    return moved.group_by("case_id", a="activity", b="next").aggregate(steps=moved.count())


def _beside(shared: ir.Table, counts: ir.Table) -> ir.Table:
    """`shared` with the count of `counts`, 0 where it has none."""
    joined = shared.left_join(counts, ["case_id", "a", "b"])
    name = counts.columns[-1]
    return joined.select(*shared.columns, **{name: joined[name].fill_null(0)})


def _turns(log: ir.Table) -> ir.Table:
    """How often a and b take turns in a case: how many a are the last a before some b.

    That many a have a b before the next a, and that many b have an a after the b before: both alternate templates at once.
    """
    a = log.select("case_id", a="activity", place_a="place")
    b = log.select("case_id", b="activity", place_b="place")
    before = a.join(b, ["case_id", a.place_a < b.place_b, a.a != b.b])
    newest = before.group_by("case_id", "a", "b", "place_b").aggregate(last_a=before.place_a.max())
    return newest.group_by("case_id", "a", "b").aggregate(turns=newest.last_a.nunique())


def _rows(wide: ir.Table, columns: dict[str, tuple[str, str]], b: Any) -> ir.Table:
    """A row per template from a column per template: one pass over a table that is small already."""
    long = wide.mutate(b_name=b).mutate(template=ibis.array(list(columns)).unnest())

    def pick(place: int) -> ir.Value:
        return ibis.cases(*((long.template == name, long[column[place]]) for name, column in columns.items()))

    return long.select("template", "a", b=long.b_name, cases=long.cases, support=pick(0), satisfied=pick(1))

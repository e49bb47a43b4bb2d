"""Records in step: what became of each, the worst of all expectations that it stands under."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis

from aftershock.metrics.proportions.intervals import newcombe, wilson
from aftershock.metrics.results import Interval
from aftershock.reports.blocks.in_step import OutOfStep, Pair
from aftershock.reports.blocks.markup import lasting, moment

if TYPE_CHECKING:
    from aftershock.expectations import Reconciliation

_RANK = {"pending": 0, "cannot_tell": 1, "in_step": 2, "late": 3, "missing": 4}


@dataclass(frozen=True)
class Arrived:
    """Records by the worst verdict among the expectations that could be judged for them.

    `pending` and `cannot_tell` are those for which none could; `unclear` are all for which at least one could not.
    """

    entity: str
    in_step: int = 0
    late: int = 0
    missing: int = 0
    pending: int = 0
    cannot_tell: int = 0
    unclear: int = 0

    @property
    def n(self) -> int:
        """Records that could be judged."""
        return self.in_step + self.late + self.missing

    @property
    def overall(self) -> Interval:
        """The share in step, with its Wilson interval."""
        return wilson(self.in_step, self.n)

    def change(self, before: Arrived) -> Interval:
        """The difference to another period's share, with Newcombe's interval."""
        return newcombe(self.in_step, self.n, before.in_step, before.n)


def arrived_of(records: Reconciliation) -> Arrived:
    """Each record once."""
    rows = records.table
    rank = ibis.cases(*((rows.verdict == verdict, rank) for verdict, rank in _RANK.items()), else_=1)
    worst = rows.group_by(["client", "entity_type", "entity_key"]).aggregate(
        rank=rank.max(), unclear=(rows.verdict == "cannot_tell").any()
    )
    counted = worst.group_by("rank").aggregate(records=worst.count(), unclear=worst.unclear.sum()).execute()
    by_rank = {int(row.rank): int(row.records) for row in counted.itertuples()} if len(counted) else {}
    kinds = list(dict.fromkeys(expectation.entity for expectation in records.expectations))
    entity = kinds[0] if len(kinds) == 1 else "record"
    return Arrived(
        entity, **{verdict: by_rank.get(rank, 0) for verdict, rank in _RANK.items()}, unclear=int(counted.unclear.sum())
    )


def pairs_of(records: Reconciliation) -> list[Pair]:
    """How each expectation was kept."""
    rows = {row.expectation: row for row in records.summary(by=("expectation",)).execute().itertuples()}
    why = _missing_inputs(records)
    pairs = []
    for expectation in records.expectations:
        row = rows.get(expectation.name)
        counts = {verdict: int(getattr(row, verdict)) if row is not None else 0 for verdict in _RANK}
        low, high = (_number(row.low), _number(row.high)) if row is not None else (None, None)
        pairs.append(
            Pair(
                expectation=expectation.name,
                after=short(expectation.after),
                then=short(expectation.then),
                entity=expectation.entity,
                within=lasting(expectation.within.total_seconds()),
                low=low,
                high=high,
                missing_input=why.get(expectation.name, ""),
                **counts,
            )
        )
    return pairs


def out_of_step_of(records: Reconciliation, zone: str, *, with_client: bool = False) -> list[OutOfStep]:
    """Records that are missing or late, missing first, oldest first; then those of which nobody can tell."""
    rows = records.table.filter(records.table.verdict.isin(["missing", "late", "cannot_tell"])).execute()
    thens = {expectation.name: short(expectation.then) for expectation in records.expectations}
    within = {expectation.name: expectation.within.total_seconds() for expectation in records.expectations}
    ordered = sorted(rows.itertuples(), key=lambda row: (-_order(row.verdict), row.activated_at, str(row.entity_key)))
    return [
        OutOfStep(
            record=str(row.entity_key),
            entity=f"{row.entity_type} of {row.client}" if with_client else str(row.entity_type),
            what=_what(row, thens[row.expectation], within[row.expectation]),
            since=moment(row.activated_at.to_pydatetime(), zone),
            cause=plain_cause(row, records)
            or (f"missing input: {row.missing_input}" if _text(row.missing_input) else "not known"),
            verdict="cannot tell" if row.verdict == "cannot_tell" else "certain",
            next_step=_next_step(row, thens[row.expectation]),
            run_id=_text(row.cause_run_id),
        )
        for row in ordered
    ]


def plain_cause(row: Any, records: Reconciliation) -> str:
    """The cause in words, with automations named as on the page instead of by pattern."""
    text = _text(row.cause)
    for expectation in records.expectations:
        text = text.replace(expectation.then, short(expectation.then))
    return text


def short(pattern: str) -> str:
    """A shell pattern over automation names without its wildcards at the ends: `* / CRM sync` as `CRM sync`."""
    return re.sub(r"^[*?\s/_.-]+|[*?\s/_.-]+$", "", pattern) or pattern


def _order(verdict: str) -> int:
    return {"missing": 2, "late": 1}.get(verdict, 0)


def _what(row: Any, then: str, within_s: float) -> str:
    if row.verdict == "missing":
        return f"never reached {then}"
    if row.verdict == "late":
        return f"reached {then} {lasting(float(row.delay_s) - within_s)} late"
    return f"cannot tell whether it reached {then}"


def _next_step(row: Any, then: str) -> str:
    if row.verdict == "missing":
        return f"look it up in the target of {then}; if it is not there, replay it"
    if row.verdict == "late":
        return "nothing to repair; mend the delay if it comes again"
    return "take in the missing input"


def _missing_inputs(records: Reconciliation) -> dict[str, str]:
    rows = records.table.filter(records.table.verdict == "cannot_tell")
    rows = rows.group_by("expectation").aggregate(
        missing_input=rows.missing_input.min(), kinds=rows.missing_input.nunique()
    )
    return {
        row.expectation: f"{row.missing_input}{f' and {row.kinds - 1} more' if row.kinds > 1 else ''}"
        for row in rows.execute().itertuples()
        if _text(row.missing_input)
    }


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)

"""The failures of a period by error family, and which of them the time before did not know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from aftershock.charts import families as chart
from aftershock.metrics import error_families
from aftershock.metrics.periods import Period
from aftershock.reports.blocks.errors import Family
from aftershock.reports.views.pictures import within

if TYPE_CHECKING:
    from aftershock.reports.views.scope import Scope

_CHARTED: Final = 6


@dataclass(frozen=True)
class Errors:
    """`n` failures, `silent` of them without any message; `days_before` is 0 where no log tells of the time before."""

    families: list[Family]
    figure: Any
    n: int
    silent: int
    days_before: int


def errors_of(scope: Scope, days_before: int) -> Errors:
    """The error families of the period, the most frequent first."""
    last = scope.period.first - timedelta(days=1)
    earlier = Period.parse(f"{last - timedelta(days=days_before - 1)}..{last}", scope.period.time_zone)
    before = within(scope.runs, earlier)
    is_known = bool(before.limit(1).count().execute())
    known = error_families(before) if is_known else None
    found = error_families(within(scope.runs, scope.period), known=known)
    firsts = found.families.set_index("fingerprint")["first_seen"]
    families = [_family(row, firsts[row["fingerprint"]]) for row in found.table.to_dict("records")]
    bars = [
        chart.Family(_label(one), one.n, one.share, row, one.automations, bool(one.is_new))
        for one, row in zip(families[:_CHARTED], found.table["cumulative"], strict=False)
    ]
    n = found.n + found.left_out
    return Errors(families, chart.pareto(bars, n=n), n, found.left_out, days_before if is_known else 0)


def _label(family: Family) -> str:
    return ": ".join(part for part in (family.error_type, family.template) if part)


def _family(row: dict[str, Any], first_seen: Any) -> Family:
    return Family(
        fingerprint=row["fingerprint"],
        tool=row["tool"] or "",
        error_type=row["error_type"] or "",
        template=row["template"] or "",
        n=int(row["n"]),
        share=float(row["share"]),
        low=float(row["low"]),
        high=float(row["high"]),
        automations=_count(row["automations"]),
        clients=_count(row["clients"]),
        first_seen=_moment(first_seen),
        last_seen=_moment(row["last_seen"]),
        is_new=_flag(row["is_new"]),
        returned=_flag(row["returned"]),
    )


def _count(value: Any) -> int:
    return int(value) if value == value and value is not None else 0


def _flag(value: Any) -> bool | None:
    return bool(value) if isinstance(value, bool) or hasattr(value, "item") else None


def _moment(value: Any) -> Any:
    return value.to_pydatetime() if value is not None and value == value else None

"""Each automation's days: the worst that remained after retries, and which days no log covers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from aftershock.metrics import covered_days
from aftershock.reports.blocks.calendar import Cell, Strip
from aftershock.reports.blocks.markup import count, percent
from aftershock.reports.views.work import became

if TYPE_CHECKING:
    import pandas as pd

    from aftershock.metrics.periods import Period
    from aftershock.reports.views.scope import Scope

_WORST = ("failed", "partial", "unknown", "retried", "ok")


def strips_of(scope: Scope, work: pd.DataFrame, stretch: Period) -> list[Strip]:
    """A strip per automation with work in the stretch, those with most failures first. `work` is from `work_of`."""
    covered = {
        (row.source, _date(row.day)): float(row.share)
        for row in covered_days(scope.ledger.coverage, stretch, sources=scope.sources).execute().itertuples()
    }
    days = [day.first for day in stretch.days()]
    strips = []
    for (automation, source), rows in work.groupby(["automation", "source"], sort=True):
        by_day: dict[Any, Counter[str]] = {day: Counter() for day in days}
        for row in rows.itertuples():
            by_day[_date(row.day)][became(row)] += 1
        cells = [_cell(day, by_day[day], covered.get((source, day), 0.0)) for day in days]
        strips.append(Strip(str(automation), cells, _summary(by_day)))
    return sorted(strips, key=lambda strip: -sum(cell.failed for cell in strip.cells))


def _cell(day: Any, counted: Counter[str], covered: float) -> Cell:
    n = sum(amount for state, amount in counted.items() if state != "left_out")
    state = next((state for state in _WORST if counted[state]), None)
    if state is None:
        state = "idle" if covered > 0.999 else "none"
    return Cell(day, state, n, counted["failed"], counted["partial"], counted["retried"])


def _summary(by_day: dict[Any, Counter[str]]) -> str:
    total = sum(by_day.values(), Counter())
    n = sum(total[state] for state in ("ok", "retried", "partial", "failed"))
    return (
        f"{percent(total['failed'] / n)} of {n:,} failed" if n else f"{count(total['unknown'], 'run')}, none finished"
    )


def _date(value: Any) -> Any:
    return value.date() if hasattr(value, "date") else value

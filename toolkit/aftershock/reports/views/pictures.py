"""Any metric's result as a chart with its numbers beside it, for notebooks that walk through many."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from aftershock.charts import strips
from aftershock.charts.draw import draw, marks
from aftershock.charts.failure_rate import Day, Mark, failure_rate_by_day
from aftershock.metrics import covered_days, failure_changes, failure_rate
from aftershock.metrics.units import dated
from aftershock.reports import blocks
from aftershock.reports.blocks.markup import Block, percent, plain, table

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from aftershock.metrics import FailureChanges
    from aftershock.metrics.periods import Period
    from aftershock.reports.blocks.calendar import Strip
    from aftershock.reports.views.scope import Scope

_MOST_VERSIONS: Final = 4
_WORD: Final = 12
_DIGITS: Final = 4


def picture_of(result: Any, name: str, **options: Any) -> Block:
    """The chart of a metric's result; its data frame is the table beside. `options` go to the chart."""
    frame = result.to_pandas()
    head, rows, numeric = _parts(frame)
    return blocks.chart(name, draw(result, **options), head=head, rows=rows, numbers=_numbers(frame), numeric=numeric)


def table_of(frame: pd.DataFrame, name: str) -> Block:
    """A data frame as a table of the page: shares and counts as people read them, what is not known as a dash."""
    head, rows, numeric = _parts(frame)
    return Block(name, table(head, rows, caption=name.replace("_", " "), numeric=numeric), _numbers(frame))


def calendar_of(found: list[Strip]) -> Block:
    """The strips of days as a chart; the table beside it names every day that is not fine."""
    cells = [
        strips.Cell(strip.name, cell.day, cell.state, cell.n, "" if cell.state == "none" else cell.words())
        for strip in found
        for cell in strip.cells
    ]
    rows = [
        (cell.automation, f"{cell.day:%a %d %b}", strips.LOOKS[cell.state].says, cell.n)
        for cell in cells
        if cell.state not in ("ok", "idle")
    ]
    head = ("Automation", "Day", "What remained", "n")
    return blocks.chart("calendar", strips.strips(cells), head=head, rows=rows, numbers={"days": cells}, numeric=(3,))


def marks_of(scope: Scope, automation: str, span: Period, changes: FailureChanges | None = None) -> list[Mark]:
    """When one automation's failure rate changed within `span`, and when its versions began (if they are few)."""
    runs = within(scope.runs, span)
    runs = runs.filter(runs.automation == automation)
    found = changes or failure_changes(runs, span)
    mine = found.table[found.table["automation"] == automation]
    began = (
        runs.filter(runs.version.notnull())
        .group_by("version")
        .aggregate(began=runs.moment.min())
        .order_by("began")
        .execute()
    )
    later = began.iloc[1:] if len(began) <= _MOST_VERSIONS + 1 else began.iloc[:0]
    zone = span.time_zone
    versions = [
        (row.began.tz_convert(zone).date(), f"version {str(row.version)[:_WORD]}") for row in later.itertuples()
    ]
    return marks(mine, versions)


def rate_of(scope: Scope, automation: str, span: Period) -> Block:
    """The chart of one automation's failure rate by day, with its changes and the versions that began."""
    runs = scope.runs.filter(scope.runs.automation == automation)
    shown = days_of(scope, runs, span)
    found = marks_of(scope, automation, span)
    rows = [(str(day.day), day.failures, day.n, percent(day.rate) if day.log else "no log") for day in shown]
    head = ("Day", "Failed", "n", "Share")
    numbers = {"automation": automation, "days": shown, "marks": found}
    return blocks.chart(
        "failure_rate_of", failure_rate_by_day(shown, found), head=head, rows=rows, numbers=numbers, numeric=(1, 2, 3)
    )


def days_of(scope: Scope, runs: ir.Table, span: Period) -> list[Day]:
    """The failure rate of `runs` on each day of `span`; a day that no log of the scope's sources covers says so."""
    rates = failure_rate(runs, by=("day",), period=span).to_pandas()
    by_day = {_date(row.day): row for row in rates.itertuples()}
    covered = covered_days(scope.ledger.coverage, span, sources=scope.sources).execute()
    shares = covered.groupby("day")["share"].max() if len(covered) else {}
    logged = {_date(at) for at, share in dict(shares).items() if share > 0}
    return [_day(period.first, by_day.get(period.first), period.first in logged) for period in span.days()]


def _day(at: Any, row: Any, log: bool) -> Day:
    if row is None or not int(row.n):
        return Day(at, 0, 0, None, None, None, log=log or row is not None)
    return Day(at, int(row.n), int(row.failures), float(row.rate), float(row.low), float(row.high))


def _date(value: Any) -> Any:
    return value.date() if hasattr(value, "date") else value


def within(runs: ir.Table, span: Period) -> ir.Table:
    """The runs of a period, each where it belongs; with their `moment`."""
    runs = dated(runs)
    return runs.filter(span.holds(runs.moment))


def _parts(frame: pd.DataFrame) -> tuple[list[str], list[list[str]], list[int]]:
    """(head, rows, which columns are numbers)."""
    numeric = [place for place, column in enumerate(frame.columns) if pd.api.types.is_numeric_dtype(frame[column])]
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    return [str(column).replace("_", " ") for column in frame.columns], rows, numeric


def _numbers(frame: pd.DataFrame) -> dict[str, Any]:
    return {"rows": [plain(_bare(row)) for row in frame.to_dict("records")]}


def _bare(row: dict[Any, Any]) -> dict[Any, Any]:
    return {key: None if value is None or value is pd.NA or value != value else value for key, value in row.items()}


def _cell(value: Any) -> str:
    """A number with four digits that count, a time to the second, a duration in plain units."""
    if value is None or value is pd.NA or value != value:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.{_DIGITS}g}" if abs(value) < 10**_DIGITS else f"{value:,.0f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, timedelta):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else str(value)

"""When in the week it fails: a field per hour, darker where more of its runs failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import plotly.graph_objects as go

from aftershock.charts.palette import LIGHT
from aftershock.charts.template import axes, blank

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SCALE: Final = ((0.0, LIGHT["wash"]), (0.001, LIGHT["bad-soft"]), (1.0, LIGHT["bad"]))


@dataclass(frozen=True)
class Hour:
    """An hour of the week (0 is Monday's first, in the zone that the caller names): failures of n, with the interval."""

    hour_of_week: int
    n: int
    failures: int
    rate: float | None
    low: float | None
    high: float | None


def hour_of_week(hours: Sequence[Hour], *, zone: str) -> go.Figure:
    """Monday on top, midnight on the left. An hour without runs stays empty; every hover has n and the interval."""
    figure = blank("Share of runs that failed, by hour of the week.", height=270)
    by_hour = {hour.hour_of_week: hour for hour in hours}
    grid = [[by_hour.get(24 * day + at) for at in range(24)] for day in range(7)]
    top = max((hour.rate for hour in hours if hour.rate is not None), default=0.0)
    figure.add_heatmap(
        x=list(range(24)),
        y=list(DAYS),
        z=[[hour.rate if hour and hour.n else None for hour in row] for row in grid],
        text=[[_words(DAYS[day], at, hour) for at, hour in enumerate(row)] for day, row in enumerate(grid)],
        customdata=[[hour.n if hour else 0 for hour in row] for row in grid],
        hovertemplate="%{text}<extra></extra>",
        hoverongaps=True,
        colorscale=[list(stop) for stop in _SCALE],
        zmin=0,
        zmax=max(top, 0.01),
        xgap=2,
        ygap=2,
        colorbar={
            "tickformat": ".0%",
            "thickness": 10,
            "outlinewidth": 0,
            "title": {"text": "failed", "side": "right"},
        },
        name="failure rate",
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(tickvals=[0, 6, 12, 18, 23], ticktext=["00", "06", "12", "18", "23"], showgrid=False)
    figure.update_layout(hovermode="closest")
    axes(figure, x=f"hour of the day, {zone}")
    return figure


def _words(day: str, at: int, hour: Hour | None) -> str:
    when = f"{day} {at:02d}:00 to {at:02d}:59"
    if hour is None or not hour.n or hour.rate is None:
        return f"{when}<br>n = 0: nothing ended"
    return (
        f"{when}<br><b>{hour.rate:.1%}</b> failed: {hour.failures} of n = {hour.n}"
        f"<br>95%: {hour.low or 0:.1%} to {hour.high or 0:.1%}"
    )

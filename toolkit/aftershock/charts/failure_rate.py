"""The failure rate by day, with its interval; days without a log are hatched, not zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, Literal

import plotly.graph_objects as go

from aftershock.charts.palette import LIGHT
from aftershock.charts.template import blank, safe

_CEILINGS: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


@dataclass(frozen=True)
class Day:
    """A day's failure rate: null values and n = 0 where nothing finished; `log` tells that from a day without any log."""

    day: date
    n: int
    failures: int
    rate: float | None
    low: float | None
    high: float | None
    log: bool = True

    def words(self) -> str:
        """What stands in the hover."""
        if not self.log:
            return f"{self.day:%a} {self.day.day} {self.day:%b}<br>no log: cannot tell"
        if not self.n or self.rate is None:
            return f"{self.day:%a} {self.day.day} {self.day:%b}<br>n = 0: nothing finished"
        span = f"{100 * (self.low or 0):.1f} to {100 * (self.high or 0):.1f}%"
        return (
            f"{self.day:%a} {self.day.day} {self.day:%b}<br><b>{100 * self.rate:.1f}%</b> failed: "
            f"{self.failures} of n = {self.n}<br>95%: {span}"
        )


@dataclass(frozen=True)
class Mark:
    """Something that happened: a change of the rate (first to last: where it lies at 95%) or a new version (`kind`)."""

    at: date
    says: str
    kind: Literal["change", "version"] = "change"
    first: date | None = None
    last: date | None = None


def failure_rate_by_day(days: Sequence[Day], marks: Sequence[Mark] = ()) -> go.Figure:
    """Line and band in stretches between gaps; hatched bars where no log is. The axis ends a step above the highest rate.

    A change is a solid line in the field where it may lie, a version a dashed line; each says what it is above the picture.
    The band may leave the picture at its top (a day with few runs has a wide interval): the hover says its numbers.
    """
    figure = blank("Share of finished runs that failed, by day, with its 95% interval. Hatched: no log.")
    if not days:
        return figure
    rates = [day.rate for day in days if day.rate is not None]
    bounds = sorted(day.high for day in days if day.high is not None)
    wanted = max([*rates, bounds[int(0.8 * (len(bounds) - 1))] if bounds else 0.05])
    top = next(ceiling for ceiling in _CEILINGS if ceiling >= min(wanted, 1.0))
    for stretch in _stretches(days):
        _band(figure, stretch)
        _line(figure, stretch)
    _gaps(figure, [day for day in days if not day.log], top)
    for place, mark in enumerate(marks):
        _mark(figure, mark, place, leftwards=mark.at > days[len(days) // 2].day)
    figure.update_yaxes(range=[0, top], tickformat=".0%", nticks=5)
    figure.update_xaxes(type="date", tickformat="%-d %b", range=_edges(days), nticks=7)
    return figure


def _stretches(days: Sequence[Day]) -> list[list[Day]]:
    """Days with a rate that follow one another."""
    found: list[list[Day]] = [[]]
    for day in days:
        if day.rate is None:
            found.append([])
        else:
            found[-1].append(day)
    return [stretch for stretch in found if stretch]


def _band(figure: go.Figure, stretch: Sequence[Day]) -> None:
    xs = [day.day for day in stretch]
    if len(stretch) == 1:  # a band needs a width to be seen
        half = timedelta(hours=9)
        noon = [_noon(xs[0]) - half, _noon(xs[0]) + half]
        lows, highs = [stretch[0].low] * 2, [stretch[0].high] * 2
    else:
        noon = [_noon(x) for x in xs]
        lows, highs = [day.low for day in stretch], [day.high for day in stretch]
    figure.add_scatter(
        x=[*noon, *reversed(noon)],
        y=[*highs, *reversed(lows)],
        fill="toself",
        fillcolor=LIGHT["bad-soft"],
        opacity=0.75,
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        name="95% interval",
    )


def _line(figure: go.Figure, stretch: Sequence[Day]) -> None:
    figure.add_scatter(
        x=[_noon(day.day) for day in stretch],
        y=[day.rate for day in stretch],
        mode="lines+markers",
        line={"color": LIGHT["bad"], "width": 1.8},
        marker={"color": LIGHT["bad"], "size": 4 if len(stretch) > 1 else 7},
        text=[day.words() for day in stretch],
        customdata=[day.n for day in stretch],
        hovertemplate="%{text}<extra></extra>",
        name="failure rate",
    )


def _gaps(figure: go.Figure, gaps: Sequence[Day], top: float) -> None:
    if not gaps:
        return
    figure.add_bar(
        x=[_noon(day.day) for day in gaps],
        y=[top] * len(gaps),
        width=86_400_000,
        marker={
            "color": "rgba(0,0,0,0)",
            "line": {"width": 0},
            "pattern": {
                "shape": "/",
                "fgcolor": LIGHT["none"],
                "bgcolor": "rgba(0,0,0,0)",
                "size": 7,
                "solidity": 0.14,
            },
        },
        text=[day.words() for day in gaps],
        textposition="none",
        customdata=[0] * len(gaps),
        hovertemplate="%{text}<extra></extra>",
        name="no log",
    )


def _mark(figure: go.Figure, mark: Mark, place: int, *, leftwards: bool) -> None:
    """The line, and its words on the side where there is room."""
    colour = LIGHT["partial"] if mark.kind == "change" else LIGHT["link"]
    if mark.first and mark.last:
        start, end = datetime.combine(mark.first, time()), datetime.combine(mark.last + timedelta(days=1), time())
        figure.add_vrect(x0=start, x1=end, fillcolor=LIGHT["partial-soft"], opacity=0.6, line_width=0, layer="below")
    at = datetime.combine(mark.at, time())
    figure.add_shape(
        type="line",
        x0=at,
        x1=at,
        y0=0,
        y1=1,
        yref="paper",
        line={"color": colour, "width": 1.6, "dash": "solid" if mark.kind == "change" else "dash"},
        name=mark.kind,
    )
    figure.add_annotation(
        x=at,
        y=1,
        yref="paper",
        yanchor="bottom",
        yshift=14 * (place % 2),
        xanchor="right" if leftwards else "left",
        text=safe(mark.says),
        showarrow=False,
        font={"size": 12, "color": LIGHT["partial-ink"] if mark.kind == "change" else LIGHT["link"]},
    )
    figure.update_layout(margin={"t": 44})


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12))


def _edges(days: Sequence[Day]) -> list[datetime]:
    return [datetime.combine(days[0].day, time()), datetime.combine(days[-1].day + timedelta(days=1), time())]

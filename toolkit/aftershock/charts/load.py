"""Failure against volume: at how many runs an hour it begins to break."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from aftershock.charts.palette import LIGHT
from aftershock.charts.template import axes, band, blank


@dataclass(frozen=True)
class LoadBin:
    """Runs at about the same load: failures of n, as shares, with the interval."""

    load: float
    n: int
    failures: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class Fitted:
    """The fitted curve: failure probability at some loads, with bounds where they are known."""

    load: Sequence[float]
    rate: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass(frozen=True)
class Knee:
    """The load at which the rate has doubled, with its interval; a bound is null where the data do not give one."""

    at: float
    low: float | None
    high: float | None


def volume_knee(
    bins: Sequence[LoadBin], *, unit: str, fitted: Fitted | None = None, knee: Knee | None = None
) -> go.Figure:
    """A point with its interval per load, the fitted curve where there is one, and the knee only where it is beyond chance."""
    figure = blank(f"Share of runs that failed against load ({unit}), with 95% intervals.", height=320)
    if not bins:
        return figure
    if knee:
        _knee(figure, knee, unit)
    if fitted and fitted.low:
        band(figure, list(fitted.load), list(fitted.low), list(fitted.high), fillcolor=LIGHT["bad-soft"])
    if fitted:
        figure.add_scatter(
            x=list(fitted.load),
            y=list(fitted.rate),
            mode="lines",
            line={"color": LIGHT["bad"], "width": 2},
            hoverinfo="skip",
            name="fitted",
        )
    figure.add_scatter(
        x=[one.load for one in bins],
        y=[one.rate for one in bins],
        mode="markers",
        marker={"color": LIGHT["ink"], "size": 7},
        error_y={
            "type": "data",
            "symmetric": False,
            "thickness": 1.2,
            "width": 3,
            "color": LIGHT["soft"],
            "array": [one.high - one.rate for one in bins],
            "arrayminus": [one.rate - one.low for one in bins],
        },
        text=[_words(one, unit) for one in bins],
        customdata=[one.n for one in bins],
        hovertemplate="%{text}<extra></extra>",
        name="observed",
    )
    tops = [one.rate for one in bins] + [one.high for one in bins if one.n >= 20]
    figure.update_yaxes(range=[0, min(1.0, 1.1 * max(tops))], tickformat=".0%", nticks=6)
    figure.update_xaxes(rangemode="tozero")
    figure.update_layout(hovermode="closest")
    axes(figure, x=unit, y="share that failed")
    return figure


def _words(one: LoadBin, unit: str) -> str:
    return (
        f"about {one.load:,.0f} {unit}<br><b>{one.rate:.1%}</b> failed: {one.failures} of n = {one.n:,}"
        f"<br>95%: {one.low:.1%} to {one.high:.1%}"
    )


def _knee(figure: go.Figure, knee: Knee, unit: str) -> None:
    if knee.low is not None and knee.high is not None:
        figure.add_vrect(
            x0=knee.low, x1=knee.high, fillcolor=LIGHT["partial-soft"], opacity=0.6, line_width=0, layer="below"
        )
    figure.add_vline(x=knee.at, line={"color": LIGHT["partial"], "width": 2})
    figure.add_annotation(
        x=knee.at,
        y=1,
        yref="paper",
        yanchor="bottom",
        showarrow=False,
        text=f"doubled at {knee.at:,.0f} {unit}",
        font={"size": 12, "color": LIGHT["partial-ink"]},
    )
    figure.update_layout(margin={"t": 26})

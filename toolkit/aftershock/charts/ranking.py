"""Automations by failure rate, each with its interval: the raw rate beside what many automations together make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import plotly.graph_objects as go

from aftershock.charts.palette import LIGHT
from aftershock.charts.template import axes, blank, rows, safe

_ROW: Final = 40


@dataclass(frozen=True)
class Ranked:
    """An automation: failures of n, the raw rate, and the estimate with its interval, as shares."""

    name: str
    n: int
    failures: int
    rate: float
    estimate: float
    low: float
    high: float


def ranking(ranked: Sequence[Ranked], *, overall: float | None = None) -> go.Figure:
    """A row each in the order given: a filled dot with its interval for the estimate, a ring for the raw rate."""
    figure = blank(
        "Failure rate of each automation, shrunk towards the fleet's, with its 95% interval.",
        height=70 + _ROW * len(ranked),
    )
    if not ranked:
        return figure
    places = list(range(len(ranked)))
    if overall is not None:
        figure.add_vline(x=overall, line={"color": LIGHT["none"], "width": 1, "dash": "dot"})
    figure.add_scatter(
        x=[one.estimate for one in ranked],
        y=places,
        mode="markers",
        name="estimate",
        marker={"color": LIGHT["bad"], "size": 8},
        error_x={
            "type": "data",
            "symmetric": False,
            "thickness": 1.6,
            "width": 0,
            "color": LIGHT["bad"],
            "array": [one.high - one.estimate for one in ranked],
            "arrayminus": [one.estimate - one.low for one in ranked],
        },
        text=[_words(one) for one in ranked],
        customdata=[one.n for one in ranked],
        hovertemplate="%{text}<extra></extra>",
    )
    figure.add_scatter(
        x=[one.rate for one in ranked],
        y=places,
        mode="markers",
        name="raw rate",
        hoverinfo="skip",
        marker={"symbol": "circle-open", "color": LIGHT["soft"], "size": 9},
    )
    rows(figure, [safe(one.name) for one in ranked])
    figure.update_xaxes(tickformat=".0%", showgrid=True, rangemode="tozero", nticks=6)
    figure.update_layout(hovermode="closest")
    axes(figure, x="share of runs that failed (ring: raw rate)")
    return figure


def _words(one: Ranked) -> str:
    return (
        f"{safe(one.name)}<br><b>{one.estimate:.1%}</b> (95%: {one.low:.1%} to {one.high:.1%})"
        f"<br>raw {one.rate:.1%}: {one.failures} of n = {one.n:,}"
    )

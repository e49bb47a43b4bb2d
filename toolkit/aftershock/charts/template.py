"""One hand for all charts: restrained, direct, the same in light and dark.

Figures carry the palette's light colours; the page's script swaps them for the dark ones. Backgrounds are transparent.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import plotly.graph_objects as go

from aftershock.charts.palette import LIGHT

FONT: Final = 'Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif'


def blank(message: str, *, height: int = 240) -> go.Figure:
    """An empty figure in our template. `message` says in a sentence what the chart shows (read out by screen readers)."""
    axis: dict[str, Any] = {
        "showgrid": True,
        "gridcolor": LIGHT["line"],
        "gridwidth": 1,
        "zeroline": False,
        "linecolor": LIGHT["line"],
        "ticks": "",
        "tickfont": {"size": 12, "color": LIGHT["soft"]},
        "fixedrange": True,
    }
    layout = go.Layout(
        meta=message,
        height=height,
        margin={"l": 44, "r": 12, "t": 14, "b": 30},
        font={"family": FONT, "size": 12, "color": LIGHT["soft"]},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        showlegend=False,
        hovermode="x",
        dragmode=False,
        hoverlabel={
            "bgcolor": LIGHT["paper"],
            "bordercolor": LIGHT["line"],
            "font": {"family": FONT, "size": 13, "color": LIGHT["ink"]},
            "align": "left",
        },
        xaxis={**axis, "showgrid": False},
        yaxis={**axis, "rangemode": "tozero"},
        template="none",
    )
    return go.Figure(layout=layout)


def axes(figure: go.Figure, *, x: str = "", y: str = "") -> None:
    """What the axes measure, with the unit. Room for it is made where it is needed."""
    for axis, words in ((figure.layout.xaxis, x), (figure.layout.yaxis, y)):
        if words:
            axis.title = {"text": words, "font": {"size": 12, "color": LIGHT["soft"]}, "standoff": 6}
            axis.automargin = True


def rows(figure: go.Figure, labels: Sequence[str]) -> None:
    """Horizontal rows from the top, each with its label above it inside the picture: on a phone nothing is lost to a margin."""
    for place, label in enumerate(labels):
        figure.add_annotation(
            x=0,
            xref="paper",
            xanchor="left",
            y=place,
            yanchor="bottom",
            yshift=7,
            text=label,
            showarrow=False,
            font={"size": 12, "color": LIGHT["ink"]},
        )
    figure.update_yaxes(range=[len(labels) - 0.5, -0.7], showticklabels=False, showgrid=False)
    figure.update_layout(margin={"l": 12})


def steps(figure: go.Figure, xs: Sequence[Any], ys: Sequence[float], **line: Any) -> None:
    """A line that stays at each value until the next point."""
    figure.add_scatter(x=list(xs), y=list(ys), mode="lines", **{"line_shape": "hv", **line})


def band(
    figure: go.Figure, xs: Sequence[Any], low: Sequence[float | None], high: Sequence[float | None], **look: Any
) -> None:
    """The field between two lines. Stretches where a bound is missing are left open."""
    shape = look.pop("shape", "linear")
    for start, end in _whole(low, high):
        part = slice(start, end)
        edges = {"mode": "lines", "line": {"width": 0, "shape": shape}, "hoverinfo": "skip", "showlegend": False}
        figure.add_scatter(x=list(xs[part]), y=list(high[part]), name="upper bound", **edges)
        figure.add_scatter(x=list(xs[part]), y=list(low[part]), fill="tonexty", name="lower bound", **{**edges, **look})


def _whole(low: Sequence[float | None], high: Sequence[float | None]) -> list[tuple[int, int]]:
    """(start, end) of the stretches in which both bounds are known."""
    found, start = [], None
    for place, known in enumerate([*(a is not None and b is not None for a, b in zip(low, high, strict=True)), False]):
        if known and start is None:
            start = place
        elif not known and start is not None:
            found.append((start, place))
            start = None
    return found


def safe(text: object) -> str:
    """Text from a log for a label or hover: plotly reads a few HTML tags in there."""
    return escape(str(text), quote=False)

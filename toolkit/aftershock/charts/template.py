"""One hand for all charts: restrained, direct, the same in light and dark.

Figures carry the palette's light colours; the page's script swaps them for the dark ones. Backgrounds are transparent.
"""

from __future__ import annotations

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


def safe(text: object) -> str:
    """Text from a log for a label or hover: plotly reads a few HTML tags in there."""
    return escape(str(text), quote=False)

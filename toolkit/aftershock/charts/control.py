"""A control chart: values with their centre and limits; a sample beyond its limits has another colour and another shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from aftershock.charts.palette import LIGHT
from aftershock.charts.template import axes, blank, safe


@dataclass(frozen=True)
class Sample:
    """A point: its name, its value, and its own limits (null: none on that side)."""

    name: Any
    value: float
    lower: float | None
    upper: float | None
    signal: bool
    excluded: bool = False

    def words(self) -> str:
        """What stands in the hover."""
        ends = ["none" if end is None else f"{end:,.4g}" for end in (self.lower, self.upper)]
        aside = "<br>not in centre and limits" if self.excluded else ""
        return f"{safe(self.name)}: <b>{self.value:,.4g}</b><br>limits {ends[0]} to {ends[1]}{aside}"


def control_chart(samples: Sequence[Sample], centre: float | None, *, unit: str = "") -> go.Figure:
    """The values in order, the centre as a line, limits as steps."""
    figure = blank("Values in order with their centre line and control limits; diamonds lie beyond them.")
    if not samples:
        return figure
    places = [str(sample.name) for sample in samples]
    for name, ends in (
        ("lower limit", [one.lower for one in samples]),
        ("upper limit", [one.upper for one in samples]),
    ):
        if any(end is not None for end in ends):
            line = {"color": LIGHT["soft"], "width": 1, "dash": "dot", "shape": "hvh"}
            figure.add_scatter(x=places, y=ends, mode="lines", line=line, name=name, hoverinfo="skip")
    if centre is not None:
        line = {"color": LIGHT["soft"], "width": 1}
        figure.add_scatter(x=places, y=[centre] * len(places), mode="lines", line=line, name="centre", hoverinfo="skip")
    figure.add_scatter(
        x=places,
        y=[one.value for one in samples],
        mode="lines+markers",
        name="value",
        line={"color": LIGHT["ink"], "width": 1},
        marker={
            "size": [10 if one.signal else 6 for one in samples],
            "symbol": ["diamond" if one.signal else "circle-open" if one.excluded else "circle" for one in samples],
            "color": [LIGHT["bad"] if one.signal else LIGHT["ink"] for one in samples],
        },
        text=[one.words() for one in samples],
        hovertemplate="%{text}<extra></extra>",
    )
    figure.update_xaxes(type="category", nticks=8)
    axes(figure, y=unit)
    return figure

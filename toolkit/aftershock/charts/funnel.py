"""Failure rate against the number of runs: which automations lie outside what chance allows?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import Final

import plotly.graph_objects as go

from aftershock.charts.palette import LIGHT
from aftershock.charts.template import axes, blank, safe

_LABELS: Final = 6
_LIMITS: Final = (("outer", "99.8% limits", "dot"), ("inner", "95% limits", "dash"))


@dataclass(frozen=True)
class Unit:
    """An automation: x failures of n, and how it stands to the limits: `high`, `low` or `inside`."""

    name: str
    x: int
    n: int
    stands: str = "inside"

    @property
    def rate(self) -> float:
        """Its share of failures."""
        return self.x / self.n


@dataclass(frozen=True)
class Limits:
    """The funnel's lines at some numbers of runs, as shares."""

    n: Sequence[float]
    inner_low: Sequence[float]
    inner_high: Sequence[float]
    outer_low: Sequence[float]
    outer_high: Sequence[float]


def funnel(units: Sequence[Unit], limits: Limits, centre: float) -> go.Figure:
    """A point per automation on a logarithmic axis of runs; those above the outer limit are vermilion, larger and named."""
    figure = blank("Failure rate of each automation against its number of runs, with the limits of chance.", height=320)
    units = [unit for unit in units if unit.n]
    if not units:
        return figure
    for ring, name, dash in _LIMITS:
        for side in ("low", "high"):
            line = {"color": LIGHT["none"], "width": 1, "dash": dash}
            figure.add_scatter(
                x=list(limits.n),
                y=list(getattr(limits, f"{ring}_{side}")),
                mode="lines",
                line=line,
                name=name,
                hoverinfo="skip",
            )
    figure.add_hline(y=centre, line={"color": LIGHT["soft"], "width": 1})
    _points(figure, [unit for unit in units if unit.stands == "inside"], "within chance", LIGHT["soft"], 6, "circle")
    _points(figure, [unit for unit in units if unit.stands == "low"], "fewer than chance", LIGHT["ok"], 8, "diamond")
    _points(figure, [unit for unit in units if unit.stands == "high"], "more than chance", LIGHT["bad"], 9, "diamond")
    worst = sorted((unit for unit in units if unit.stands == "high"), key=lambda unit: -unit.rate)[:_LABELS]
    for place, unit in enumerate(worst):
        _label(figure, unit, left=place % 2 == 0)
    top = min(1.0, 1.25 * max(unit.rate for unit in units) + 0.01)
    figure.update_yaxes(range=[0, top], tickformat=".0%", nticks=6)
    figure.update_xaxes(type="log", tickvals=_ticks(units), range=None)
    figure.update_layout(hovermode="closest")
    axes(figure, x="runs that ended (logarithmic)", y="share that failed")
    return figure


def _points(figure: go.Figure, units: Sequence[Unit], name: str, colour: str, size: int, symbol: str) -> None:
    if units:
        figure.add_scatter(
            x=[unit.n for unit in units],
            y=[unit.rate for unit in units],
            mode="markers",
            marker={"color": colour, "size": size, "symbol": symbol, "line": {"color": LIGHT["paper"], "width": 1}},
            text=[f"{safe(unit.name)}<br><b>{unit.rate:.1%}</b> failed: {unit.x} of n = {unit.n:,}" for unit in units],
            customdata=[unit.n for unit in units],
            hovertemplate=f"%{{text}}<br>{name}<extra></extra>",
            name=name,
        )


def _label(figure: go.Figure, unit: Unit, *, left: bool) -> None:
    figure.add_annotation(
        x=log10(unit.n),
        y=unit.rate,
        text=safe(unit.name),
        showarrow=False,
        xanchor="right" if left else "left",
        xshift=-9 if left else 9,
        font={"size": 12, "color": LIGHT["bad"]},
    )


def _ticks(units: Sequence[Unit]) -> list[int]:
    most = max(unit.n for unit in units)
    return [tick for power in range(9) for tick in (10**power, 3 * 10**power) if tick <= 3 * most]

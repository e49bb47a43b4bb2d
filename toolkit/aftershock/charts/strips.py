"""A strip of days for each automation: what remained after retries, and which days no log covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

import plotly.graph_objects as go

from aftershock.charts.palette import LIGHT
from aftershock.charts.template import blank, safe

_CLEAR: Final = "rgba(0,0,0,0)"
_ROW: Final = 26


@dataclass(frozen=True)
class Look:
    """How a state is drawn: colour and pattern, so that neither speaks alone."""

    says: str
    colour: str
    pattern: str = ""
    ink: str = _CLEAR


LOOKS: Final = {
    "ok": Look("ok", LIGHT["ok-soft"]),
    "retried": Look("ok after a retry", LIGHT["ok"]),
    "partial": Look("success with a failed step", LIGHT["partial"], "-", LIGHT["paper"]),
    "failed": Look("failed", LIGHT["bad"], "x", LIGHT["paper"]),
    "missed": Look("expected, did not run", LIGHT["paper"], "+", LIGHT["bad"]),
    "unknown": Look("not finished, or cannot tell", LIGHT["wash"], ".", LIGHT["soft"]),
    "idle": Look("log there, no run", LIGHT["wash"]),
    "none": Look("no log: cannot tell", _CLEAR, "/", LIGHT["none"]),
}


@dataclass(frozen=True)
class Cell:
    """A day of an automation: its state (a key of `LOOKS`), n and what else to say."""

    automation: str
    day: date
    state: str
    n: int
    says: str = ""


def strips(cells: Sequence[Cell]) -> go.Figure:
    """A row per automation in the order given, a cell per day. The hover names the state, n and the rest."""
    names = list(dict.fromkeys(cell.automation for cell in cells))
    figure = blank("A strip of days for each automation: the worst that remained after retries.")
    for state, look in LOOKS.items():
        chosen = [cell for cell in cells if cell.state == state]
        if chosen:
            figure.add_bar(**_bars(chosen, names, look))
    days = sorted({cell.day for cell in cells})
    if days:
        figure.update_xaxes(
            type="date",
            tickformat="%-d %b",
            nticks=8,
            showgrid=False,
            range=[_noon(days[0]) - timedelta(hours=12), _noon(days[-1]) + timedelta(hours=12)],
        )
    figure.update_yaxes(
        tickvals=[place + 0.5 for place in range(len(names))],
        ticktext=[safe(name) for name in reversed(names)],
        showgrid=False,
        range=[0, max(len(names), 1)],
        automargin=True,
        tickfont={"size": 12, "color": LIGHT["ink"]},
    )
    below = {"orientation": "h", "yanchor": "top", "yref": "paper", "x": 0, "font": {"size": 12}}
    columns = {"entrywidth": 0.48, "entrywidthmode": "fraction", "itemclick": False, "itemdoubleclick": False}
    used = {cell.state for cell in cells}
    figure.update_layout(
        barmode="overlay",
        hovermode="closest",
        showlegend=True,
        height=60 + _ROW * len(names) + 22 * ((len(used) + 1) // 2),
        legend={**below, **columns, "y": -26 / max(1, _ROW * len(names))},
    )
    return figure


def _bars(cells: Sequence[Cell], names: Sequence[str], look: Look) -> dict[str, Any]:
    return {
        "x": [_noon(cell.day) for cell in cells],
        "y": [0.8] * len(cells),
        "base": [len(names) - 1 - names.index(cell.automation) + 0.1 for cell in cells],
        "width": 0.86 * 86_400_000,
        "marker": {
            "color": look.colour,
            "line": {"width": 0},
            "pattern": {
                "shape": look.pattern,
                "fgcolor": look.ink,
                "bgcolor": look.colour,
                "size": 6,
                "solidity": 0.25,
            },
        },
        "text": [_words(cell, look) for cell in cells],
        "textposition": "none",
        "customdata": [cell.n for cell in cells],
        "hovertemplate": "%{text}<extra></extra>",
        "name": look.says,
    }


def _words(cell: Cell, look: Look) -> str:
    more = f"<br>{safe(cell.says)}" if cell.says else ""
    return f"{safe(cell.automation)}<br>{cell.day:%a} {cell.day.day} {cell.day:%b}: <b>{look.says}</b><br>n = {cell.n}{more}"


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12))

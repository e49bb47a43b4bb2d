"""Which automations fail together, beyond what their schedules explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import plotly.graph_objects as go

from aftershock.charts.palette import LIGHT
from aftershock.charts.template import blank, safe

_CELL: Final = 34


@dataclass(frozen=True)
class Pair:
    """Two automations: phi of failing in the same time bin, how often both failed, in how many bins both ran, q-value."""

    first: str
    second: str
    phi: float
    both: int
    n: int
    q: float | None
    beyond_chance: bool


def co_failure_matrix(pairs: Sequence[Pair], names: Sequence[str], *, bin_words: str = "hour") -> go.Figure:
    """A field per pair, darker where they fail together; a dot where that is beyond chance. The upper half stays empty."""
    figure = blank("How often two automations failed in the same time bin, as phi.", height=120 + _CELL * len(names))
    if not pairs:
        return figure
    place = {name: at for at, name in enumerate(names)}
    size = len(names) - 1  # the first needs no row and the last no column
    values: list[list[float | None]] = [[None] * size for _ in range(size)]
    texts = [[""] * size for _ in range(size)]
    counts = [[0] * size for _ in range(size)]
    dots = []
    for pair in pairs:
        row, column = max(place[pair.first], place[pair.second]) - 1, min(place[pair.first], place[pair.second])
        values[row][column], counts[row][column] = pair.phi, pair.n
        texts[row][column] = _words(pair, bin_words)
        if pair.beyond_chance:
            dots.append((column, row))
    figure.add_heatmap(
        x=list(range(size)),
        y=list(range(size)),
        z=values,
        text=texts,
        customdata=counts,
        hovertemplate="%{text}<extra></extra>",
        colorscale=[[0, LIGHT["wash"]], [1, LIGHT["bad"]]],
        zmin=0,
        zmax=max(0.3, *(pair.phi for pair in pairs)),
        xgap=3,
        ygap=3,
        hoverongaps=False,
        colorbar={"thickness": 10, "outlinewidth": 0, "title": {"text": "phi", "side": "right"}},
        name="phi",
    )
    if dots:
        figure.add_scatter(
            x=[x for x, _ in dots],
            y=[y for _, y in dots],
            mode="markers",
            hoverinfo="skip",
            name="beyond chance",
            marker={
                "symbol": "circle",
                "size": 8,
                "color": LIGHT["paper"],
                "line": {"color": LIGHT["ink"], "width": 1.5},
            },
        )
    look: dict[str, Any] = {"tickvals": list(range(size)), "showgrid": False, "automargin": True}
    figure.update_xaxes(**look, ticktext=[safe(name) for name in names[:-1]], tickangle=-40)
    figure.update_yaxes(**look, ticktext=[safe(name) for name in names[1:]], autorange="reversed")
    figure.update_layout(hovermode="closest")
    return figure


def _words(pair: Pair, bin_words: str) -> str:
    q = "" if pair.q is None else f", q = {pair.q:.3f}"
    verdict = "beyond chance" if pair.beyond_chance else "within chance"
    return (
        f"{safe(pair.first)}<br>{safe(pair.second)}<br>phi = <b>{pair.phi:.2f}</b>{q}: {verdict}"
        f"<br>both failed in {pair.both} of n = {pair.n:,} {bin_words}s in which both ran"
    )

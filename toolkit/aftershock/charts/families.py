"""Which errors make up most of the failures: bars by family, and their running share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import plotly.graph_objects as go

from aftershock.charts.palette import LIGHT
from aftershock.charts.template import axes, blank, rows, safe

_ROW: Final = 44
_LONGEST: Final = 60


@dataclass(frozen=True)
class Family:
    """Failures with the same error: how many, of how many in all, in how many automations, and whether it is new."""

    template: str
    failures: int
    share: float
    cumulative: float
    automations: int
    is_new: bool = False


def pareto(families: Sequence[Family], *, n: int) -> go.Figure:
    """A bar per family, most failures first; the running share stands in each hover and at the bar's end."""
    figure = blank("Failures by error, most frequent first, with the running share.", height=70 + _ROW * len(families))
    if not families:
        return figure
    for is_new, name, colour, pattern in (
        (False, "known error", LIGHT["bad"], ""),
        (True, "new error", LIGHT["partial"], "/"),
    ):
        chosen = [(place, one) for place, one in enumerate(families) if one.is_new is is_new]
        if chosen:
            figure.add_bar(
                y=[place for place, _ in chosen],
                x=[one.failures for _, one in chosen],
                orientation="h",
                marker={
                    "color": colour,
                    "pattern": {
                        "shape": pattern,
                        "size": 6,
                        "solidity": 0.25,
                        "fgcolor": LIGHT["paper"],
                        "bgcolor": colour,
                    },
                },
                text=[f"{one.cumulative:.0%}" for _, one in chosen],
                textposition="outside",
                textfont={"color": LIGHT["soft"], "size": 12},
                hovertext=[_words(one, n, name) for _, one in chosen],
                customdata=[n] * len(chosen),
                hovertemplate="%{hovertext}<extra></extra>",
                cliponaxis=False,
                name=name,
            )
    rows(figure, [_label(one) for one in families])
    figure.update_xaxes(showgrid=True, rangemode="tozero")
    figure.update_layout(hovermode="closest", bargap=0.62, margin={"r": 44})
    axes(figure, x=f"failures (n = {n:,}); at the end of a bar: running share")
    return figure


def _label(one: Family) -> str:
    text = " ".join(one.template.split())
    return safe(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")


def _words(one: Family, n: int, name: str) -> str:
    wrapped = "<br>".join(safe(one.template[at : at + 70]) for at in range(0, min(len(one.template), 280), 70))
    return (
        f"{wrapped}<br><b>{one.failures}</b> of n = {n:,} failures ({one.share:.0%}), in {one.automations} "
        f"{'automation' if one.automations == 1 else 'automations'}; with those above it {one.cumulative:.0%}<br>{name}"
    )

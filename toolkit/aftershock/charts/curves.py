"""Curves of events over time: how long until it works again, and how failures add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import plotly.graph_objects as go

from aftershock.charts.palette import LIGHT
from aftershock.charts.template import axes, band, blank, safe, steps

_UNITS: Final = ((172_800.0, 86_400.0, "days"), (7_200.0, 3_600.0, "hours"), (120.0, 60.0, "minutes"))


@dataclass(frozen=True)
class Point:
    """A point of a curve: the time (seconds, or whatever the axis measures), the estimate and its bounds, and n at risk."""

    at: float
    value: float
    low: float | None
    high: float | None
    n: int


def recovery_curve(
    points: Sequence[Point],
    *,
    n: int,
    still_open: Sequence[float] = (),
    median_s: float | None = None,
    p90_s: float | None = None,
) -> go.Figure:
    """Share of incidents recovered within a time (1 - Kaplan-Meier), with its interval.

    `points` hold the share that is still down at `at` seconds. Ticks mark incidents whose recovery was not seen (`still_open`,
    seconds they were followed); median and 90th percentile are marked where the curve reaches them.
    """
    figure = blank("Share of incidents that were over within a time, with its 95% interval.", height=300)
    if not points:
        return figure
    scale, unit = _unit(max(point.at for point in points))
    xs = [0.0, *(point.at / scale for point in points)]
    done = [0.0, *(1 - point.value for point in points)]
    lows = [0.0, *(None if point.high is None else 1 - point.high for point in points)]
    highs = [0.0, *(None if point.low is None else 1 - point.low for point in points)]
    band(figure, xs, lows, highs, shape="hv", fillcolor=LIGHT["ok-soft"])
    at_risk = [n, *(point.n for point in points)]
    texts = [
        f"within {x:,.1f} {unit}: <b>{y:.0%}</b> over<br>n = {n}, {risk} still down just before"
        for x, y, risk in zip(xs, done, at_risk, strict=True)
    ]
    steps(
        figure,
        xs,
        done,
        line={"color": LIGHT["ok"], "width": 2, "shape": "hv"},
        text=texts,
        customdata=at_risk,
        hovertemplate="%{text}<extra></extra>",
        name="recovered",
    )
    if still_open:
        ends = [at / scale for at in still_open]
        heights = [max((y for x, y in zip(xs, done, strict=True) if x <= end), default=0.0) for end in ends]
        figure.add_scatter(
            x=ends,
            y=heights,
            mode="markers",
            name="recovery not seen",
            marker={"symbol": "line-ns", "size": 11, "line": {"width": 1.6, "color": LIGHT["ink"]}},
            text=[f"followed for {end:,.1f} {unit}, not over<br>n = {n}" for end in ends],
            customdata=[n] * len(ends),
            hovertemplate="%{text}<extra></extra>",
        )
    for share, at, words in ((0.5, median_s, "median"), (0.9, p90_s, "90th percentile")):
        if at is not None:
            _mark(figure, at / scale, share, f"{words} {at / scale:,.1f} {unit}")
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%", nticks=6)
    figure.update_xaxes(rangemode="tozero")
    figure.update_layout(hovermode="closest")
    axes(figure, x=f"time since the first failure, {unit}", y=f"share of n = {n} incidents")
    return figure


def mean_cumulative(points: Sequence[Point], *, unit: str, of: str = "automation", n: int) -> go.Figure:
    """Mean number of failures up to an age or date, per automation, with its robust interval. Bent upwards is worsening."""
    figure = blank(f"Mean number of failures per {of} that have happened by then, with its 95% interval.", height=300)
    if not points:
        return figure
    xs, ys = [0.0, *(point.at for point in points)], [0.0, *(point.value for point in points)]
    band(
        figure,
        xs,
        [0.0, *[point.low for point in points]],
        [0.0, *[point.high for point in points]],
        shape="hv",
        fillcolor=LIGHT["bad-soft"],
    )
    risk = [n, *(point.n for point in points)]
    texts = [
        f"{x:,.1f} {unit}: <b>{y:,.2f}</b> failures per {of}<br>n = {at_risk} under observation"
        for x, y, at_risk in zip(xs, ys, risk, strict=True)
    ]
    steps(
        figure,
        xs,
        ys,
        line={"color": LIGHT["bad"], "width": 2, "shape": "hv"},
        text=texts,
        customdata=risk,
        hovertemplate="%{text}<extra></extra>",
        name="mean cumulative failures",
    )
    figure.add_scatter(
        x=[xs[0], xs[-1]],
        y=[0, ys[-1]],
        mode="lines",
        line={"color": LIGHT["none"], "width": 1, "dash": "dot"},
        hoverinfo="skip",
        name="a constant rate",
    )
    figure.update_layout(hovermode="closest")
    axes(figure, x=f"time, {unit}", y=f"failures per {of}")
    return figure


def _unit(longest_s: float) -> tuple[float, str]:
    return next(((scale, unit) for least, scale, unit in _UNITS if longest_s >= least), (1.0, "seconds"))


def _mark(figure: go.Figure, x: float, y: float, words: str) -> None:
    line = {"color": LIGHT["soft"], "width": 1, "dash": "dot"}
    figure.add_scatter(x=[0, x, x], y=[y, y, 0], mode="lines", line=line, hoverinfo="skip", name=words)
    figure.add_annotation(
        x=x,
        y=0,
        text=safe(words),
        showarrow=False,
        xanchor="left",
        xshift=6,
        yanchor="bottom",
        font={"size": 12, "color": LIGHT["ink"]},
    )

"""`draw(result)`: the chart of a metric's result, for notebooks.

    from aftershock.charts.draw import draw
    draw(funnel(ledger.runs))

Here a result's columns become what a chart shows; nothing is computed. What more a chart needs goes by keyword.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

from aftershock.charts import co_failure, control, curves, families, funnel, hour_of_week, load, ranking
from aftershock.charts.failure_rate import Mark
from aftershock.metrics import (
    CoFailures,
    ControlChart,
    ErrorFamilies,
    FailureByLoad,
    Funnel,
    HourOfWeekBaseline,
    KaplanMeier,
    MeanCumulativeFunction,
    Ranking,
    RecoveryTimes,
    VolumeKnee,
)

_WITHIN: Final = ("inside", "outside 95 %")


@singledispatch
def draw(result: Any, **_: Any) -> go.Figure:
    """The chart of a metric's result.

    Raises: TypeError for a result that has no chart; the message lists those that have.
    """
    known = ", ".join(sorted(kind.__name__ for kind in draw.registry if kind is not object))
    raise TypeError(f"{type(result).__name__} has no chart of its own. These have: {known}")


@draw.register
def _ranking(result: Ranking, *, most: int = 12) -> go.Figure:
    rows = [row for row in result.table.head(most).to_dict("records") if row["n"]]
    ranked = [
        ranking.Ranked(
            _name(row, result.table),
            row["n"],
            row["failures"],
            row["rate"],
            row["posterior"],
            row["posterior_low"],
            row["posterior_high"],
        )
        for row in rows
    ]
    return ranking.ranking(ranked, overall=result.interval.estimate)


@draw.register
def _funnel(result: Funnel) -> go.Figure:
    rows = result.table[result.table["n"] > 0].to_dict("records")
    units = [funnel.Unit(_name(row, result.table), row["failures"], row["n"], _stands(row)) for row in rows]
    limits = result.limits()
    lines = [limits[name].tolist() for name in ("n", "low_95", "high_95", "low_998", "high_998")]
    inner_low, inner_high, outer_low, outer_high = lines[1:]
    return funnel.funnel(
        units, funnel.Limits(lines[0], inner_low, inner_high, outer_low, outer_high), result.target or 0.0
    )


def _stands(row: dict[str, Any]) -> str:
    """Beyond the outer limits, and on which side."""
    if row["verdict"] in _WITHIN:
        return "inside"
    return "high" if row["z"] > 0 else "low"


@draw.register
def _hours(result: HourOfWeekBaseline) -> go.Figure:
    hours = [
        hour_of_week.Hour(
            int(row["hour_of_week"]),
            int(row["n"]),
            int(row["failures"]),
            *(_number(row[name]) for name in ("rate", "low", "high")),
        )
        for row in result.to_pandas().to_dict("records")
    ]
    return hour_of_week.hour_of_week(hours, zone=result.period.time_zone)


@draw.register
def _recovery(result: KaplanMeier) -> go.Figure:
    rows = result.table.to_dict("records")
    points = [
        curves.Point(row["time"], row["survival"], _number(row["low"]), _number(row["high"]), int(row["at_risk"]))
        for row in rows
    ]
    still_open = [row["time"] for row in rows for _ in range(int(row["censored"]))]
    ends = [result.quantile(share).estimate for share in (0.5, 0.9)]
    return curves.recovery_curve(points, n=result.n, still_open=still_open, median_s=ends[0], p90_s=ends[1])


@draw.register
def _recovery_of_all(result: RecoveryTimes) -> go.Figure:
    if result.by:
        raise ValueError(f"a curve is of one group: recovery_times(..., by=()) after a filter, not by {result.by}")
    rows, told = result.curves.to_pandas().to_dict("records"), result.to_pandas().to_dict("records")
    points = [
        curves.Point(row["duration_s"], row["survival"], _number(row["low"]), _number(row["high"]), int(row["at_risk"]))
        for row in rows
    ]
    still_open = [row["duration_s"] for row in rows for _ in range(int(row["censored"]))]
    ends = [_number(told[0][name]) if told else None for name in ("median_s", "p90_s")]
    return curves.recovery_curve(points, n=result.n, still_open=still_open, median_s=ends[0], p90_s=ends[1])


@draw.register
def _control(result: ControlChart, *, unit: str = "") -> go.Figure:
    samples = [
        control.Sample(
            row["sample"],
            float(row["value"]),
            _number(row["lower"]),
            _number(row["upper"]),
            bool(row["signal"]),
            bool(row["excluded"]),
        )
        for row in result.table.to_dict("records")
        if _number(row["value"]) is not None
    ]
    return control.control_chart(samples, result.centre, unit=unit)


@draw.register
def _mean_cumulative(result: MeanCumulativeFunction, *, unit: str = "days", of: str = "automation") -> go.Figure:
    points = [
        curves.Point(row["time"], row["mcf"], _number(row["low"]), _number(row["high"]), int(row["at_risk"]))
        for row in result.table.to_dict("records")
    ]
    return curves.mean_cumulative(points, unit=unit, of=of, n=result.systems)


@draw.register
def _load(result: FailureByLoad, *, unit: str = "runs an hour", knee: VolumeKnee | None = None) -> go.Figure:
    bins = [
        load.LoadBin(*(row[name] for name in ("load", "n", "failures", "rate", "low", "high")))
        for row in result.table.to_dict("records")
    ]
    fitted = found = None
    if knee is not None and knee.knee is not None:
        fitted = load.Fitted(knee.curve.table["load"].tolist(), knee.curve.table["rate"].tolist())
        found = load.Knee(knee.knee, knee.interval.low, knee.interval.high)
    return load.volume_knee(bins, unit=unit, fitted=fitted, knee=found)


@draw.register
def _families(result: ErrorFamilies, *, most: int = 8) -> go.Figure:
    shown = [
        families.Family(
            " ".join(str(part) for part in (row["error_type"], row["template"]) if part and not pd.isna(part)),
            int(row["n"]),
            row["share"],
            row["cumulative"],
            int(row["automations"]),
            not pd.isna(row["is_new"]) and bool(row["is_new"]),
        )
        for row in result.table.head(most).to_dict("records")
    ]
    return families.pareto(shown, n=result.n + result.left_out)


@draw.register
def _co_failures(result: CoFailures, *, most: int = 12, level: float = 0.05) -> go.Figure:
    rows = result.table.to_dict("records")
    names: list[str] = []
    for row in rows:
        names += [name for name in (row["a"], row["b"]) if name not in names]
    names = names[:most]
    pairs = [
        co_failure.Pair(
            row["a"],
            row["b"],
            row["phi"],
            int(row["both"]),
            int(row["n"]),
            _number(row["q_shift"]),
            row["q_shift"] <= level,
        )
        for row in rows
        if row["a"] in names and row["b"] in names
    ]
    return co_failure.co_failure_matrix(pairs, names)


def marks(changes: pd.DataFrame, versions: Sequence[tuple[Any, str]] = ()) -> list[Mark]:
    """Changes of one failure rate (rows of `FailureChanges.table`) and version starts (day, name), for `failure_rate_by_day`."""
    found = [
        Mark(
            _date(row["day"]),
            f"{row['before']:.0%} to {row['after']:.0%}",
            "change",
            _date(row["low_day"]),
            _date(row["high_day"]),
        )
        for row in changes.to_dict("records")
    ]
    return found + [Mark(_date(day), name, "version") for day, name in versions]


def _name(row: dict[str, Any], table: pd.DataFrame) -> str:
    """The group of a row: its key columns, which stand before n."""
    keys = list(table.columns)[: list(table.columns).index("n")]
    return " · ".join(str(row[key]) for key in keys if row[key] is not None)


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)


def _date(value: Any) -> Any:
    return value.date() if hasattr(value, "date") else value

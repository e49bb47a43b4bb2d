"""Every chart by its figure's data: n in each hover, units on the axes, colours of the palette, text of logs escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import plotly.graph_objects as go
import pytest

from aftershock.charts.co_failure import Pair, co_failure_matrix
from aftershock.charts.curves import Point, mean_cumulative, recovery_curve
from aftershock.charts.failure_rate import Day, Mark, failure_rate_by_day
from aftershock.charts.families import Family, pareto
from aftershock.charts.funnel import Limits, Unit, funnel
from aftershock.charts.hour_of_week import Hour, hour_of_week
from aftershock.charts.load import Fitted, Knee, LoadBin, volume_knee
from aftershock.charts.palette import LIGHT
from aftershock.charts.ranking import Ranked, ranking
from aftershock.charts.strips import LOOKS, Cell, strips

HOSTILE = "<script>alert(1)</script>"
LIMITS = Limits([10, 1000], [0, 0.01], [0.2, 0.05], [0, 0.005], [0.3, 0.06])
POINTS = [Point(3600, 0.8, 0.6, 0.95, 10), Point(7200, 0.4, 0.2, 0.7, 6), Point(9000, 0.1, None, None, 2)]
PAIRS = [Pair("a", "b", 0.7, 6, 400, 0.001, True), Pair("a", HOSTILE, 0.1, 1, 400, 0.6, False)]
BINS = [LoadBin(2, 600, 6, 0.01, 0.004, 0.02), LoadBin(20, 40, 8, 0.2, 0.1, 0.35)]
FIGURES: dict[str, go.Figure] = {
    "failure rate": failure_rate_by_day(
        [Day(date(2026, 11, day), 40, 2, 0.05, 0.01, 0.17) for day in (16, 17)],
        [Mark(date(2026, 11, 17), HOSTILE, "version")],
    ),
    "funnel": funnel([Unit(HOSTILE, 30, 100, "high"), Unit("calm", 2, 100), Unit("idle", 0, 0)], LIMITS, 0.03),
    "strips": strips(
        [Cell(HOSTILE, date(2026, 11, 16), state, 3) for state in LOOKS] + [Cell("calm", date(2026, 11, 17), "ok", 1)]
    ),
    "hour of week": hour_of_week([Hour(33, 20, 5, 0.25, 0.11, 0.47)], zone="Europe/Berlin"),
    "recovery": recovery_curve(POINTS, n=12, still_open=[8000], median_s=7000, p90_s=9000),
    "mean cumulative": mean_cumulative([Point(1, 0.5, 0.2, 0.9, 9), Point(2, 1.5, 0.9, 2.4, 8)], unit="days", n=9),
    "volume knee": volume_knee(
        BINS, unit="runs an hour", fitted=Fitted([0, 20], [0.01, 0.2], [0, 0.1], [0.02, 0.3]), knee=Knee(9, 7, 12)
    ),
    "pareto": pareto([Family(HOSTILE, 60, 0.6, 0.6, 2), Family("new one", 40, 0.4, 1.0, 1, is_new=True)], n=100),
    "co-failure": co_failure_matrix(PAIRS, ["a", "b", HOSTILE]),
    "ranking": ranking([Ranked(HOSTILE, 100, 9, 0.09, 0.07, 0.04, 0.12)], overall=0.03),
}
EMPTY = {
    "funnel": lambda: funnel([Unit("idle", 0, 0)], LIMITS, 0.0),
    "strips": lambda: strips([]),
    "recovery": lambda: recovery_curve([], n=0),
    "mean cumulative": lambda: mean_cumulative([], unit="days", n=0),
    "volume knee": lambda: volume_knee([], unit="runs an hour"),
    "pareto": lambda: pareto([], n=0),
    "co-failure": lambda: co_failure_matrix([], []),
    "ranking": lambda: ranking([]),
}


def words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from words(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from words(item)


def hovers(figure: go.Figure) -> list[str]:
    """What the points of a figure say, where they say anything."""
    spoken = [trace for trace in figure.data if trace.hoverinfo != "skip"]
    return [
        text
        for trace in spoken
        for text in words([trace.hovertext if trace.hovertext is not None else trace.text])
        if text
    ]


def trace(figure: go.Figure, name: str) -> Any:
    (found,) = [trace for trace in figure.data if trace.name == name]
    return found


@pytest.mark.parametrize("name", FIGURES)
def test_every_hover_has_its_n(name: str) -> None:
    said = [text for text in hovers(FIGURES[name]) if "%" in text or "n =" in text or len(text) > 12]
    assert said
    assert [text for text in said if "n = " not in text] == []


@pytest.mark.parametrize("name", FIGURES)
def test_every_colour_is_one_of_the_palette_so_that_dark_can_replace_it(name: str) -> None:
    used = set(re.findall(r'"(#[0-9a-fA-F]{6})"', FIGURES[name].to_json()))
    assert used - {colour.lower() for colour in LIGHT.values()} - set(LIGHT.values()) == set()


@pytest.mark.parametrize("name", FIGURES)
def test_text_of_a_log_is_shown_as_text(name: str) -> None:
    assert "<script" not in json.dumps(json.loads(FIGURES[name].to_json()))


@pytest.mark.parametrize("name", FIGURES)
def test_a_chart_says_in_a_sentence_what_it_shows(name: str) -> None:
    assert FIGURES[name].layout.meta.endswith(".")


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        ("funnel", "runs that ended (logarithmic)", "share that failed"),
        ("hour of week", "hour of the day, Europe/Berlin", None),
        ("recovery", "time since the first failure, hours", "share of n = 12 incidents"),
        ("mean cumulative", "time, days", "failures per automation"),
        ("volume knee", "runs an hour", "share that failed"),
        ("pareto", "failures (n = 100); at the end of a bar: running share", None),
        ("ranking", "share of runs that failed (ring: raw rate)", None),
    ],
)
def test_axes_name_their_unit(name: str, x: str, y: str | None) -> None:
    assert (FIGURES[name].layout.xaxis.title.text, FIGURES[name].layout.yaxis.title.text) == (x, y)


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_to_show_gives_an_empty_chart(name: str) -> None:
    assert len(EMPTY[name]().data) == 0


def test_a_week_without_runs_is_an_empty_field_and_no_zero() -> None:
    (field,) = hour_of_week([], zone="UTC").data
    assert {value for row in field.z for value in row} == {None}


def test_a_version_is_dashed_and_a_change_stands_in_the_field_where_it_may_lie() -> None:
    change = Mark(date(2026, 11, 18), "2% to 9%", first=date(2026, 11, 17), last=date(2026, 11, 19))
    days = [Day(date(2026, 11, day), 40, 2, 0.05, 0.01, 0.17) for day in range(16, 22)]
    figure = failure_rate_by_day(days, [Mark(date(2026, 11, 17), "v2", "version"), change])
    lines = [(shape.name, shape.line.dash) for shape in figure.layout.shapes if shape.type == "line"]
    assert lines == [("version", "dash"), ("change", "solid")]
    (where,) = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert (str(where.x0)[:10], str(where.x1)[:10]) == ("2026-11-17", "2026-11-20")
    assert [(note.text, note.xanchor) for note in figure.layout.annotations] == [("v2", "left"), ("2% to 9%", "left")]


def test_the_words_of_a_late_mark_stand_to_its_left_where_there_is_room() -> None:
    days = [Day(date(2026, 11, day), 40, 2, 0.05, 0.01, 0.17) for day in range(16, 22)]
    figure = failure_rate_by_day(days, [Mark(date(2026, 11, 21), "2% to 9%")])
    assert [note.xanchor for note in figure.layout.annotations] == ["right"]


def test_a_funnel_names_what_lies_above_its_limits_and_leaves_out_who_never_ran() -> None:
    figure = FIGURES["funnel"]
    assert [list(trace(figure, name).x) for name in ("within chance", "more than chance")] == [[100], [100]]
    assert len(figure.layout.annotations) == 1


def test_each_state_of_a_day_has_colour_and_pattern_of_its_own() -> None:
    assert len({(look.colour, look.pattern) for look in LOOKS.values()}) == len(LOOKS)
    drawn = {bar.name: bar.marker.pattern.shape for bar in FIGURES["strips"].data}
    assert (drawn["no log: cannot tell"], drawn["failed"], drawn["ok"]) == ("/", "x", "")


def test_the_first_automation_is_the_uppermost_strip() -> None:
    bases = {bar.base for trace in FIGURES["strips"].data for bar in [trace] if trace.name == "failed"}
    assert bases == {(1.1,)}


def test_a_recovery_curve_rises_from_nothing_and_marks_who_is_still_down() -> None:
    figure = FIGURES["recovery"]
    curve = trace(figure, "recovered")
    assert list(curve.x) == [0.0, 1.0, 2.0, 2.5]
    assert [round(value, 6) for value in curve.y] == [0.0, 0.2, 0.6, 0.9]
    assert (list(trace(figure, "recovery not seen").x), list(trace(figure, "recovery not seen").y)) == (
        [8000 / 3600],
        [0.6],
    )
    assert [note.text for note in figure.layout.annotations] == ["median 1.9 hours", "90th percentile 2.5 hours"]


def test_a_band_ends_where_its_bounds_are_not_known() -> None:
    assert list(trace(FIGURES["recovery"], "upper bound").x) == [0.0, 1.0, 2.0]


def test_no_knee_is_drawn_where_none_was_found() -> None:
    plain = volume_knee(BINS, unit="runs an hour")
    assert (len(plain.layout.shapes), len(plain.layout.annotations), len(plain.data)) == (0, 0, 1)
    assert FIGURES["volume knee"].layout.annotations[0].text == "doubled at 9 runs an hour"


def test_the_axis_of_a_knee_holds_every_observed_rate() -> None:
    rare = [*BINS, LoadBin(24, 3, 2, 0.67, 0.2, 0.95)]
    assert volume_knee(rare, unit="runs an hour").layout.yaxis.range[1] > 0.67


def test_new_errors_are_hatched_and_bars_end_with_the_running_share() -> None:
    new, known = trace(FIGURES["pareto"], "new error"), trace(FIGURES["pareto"], "known error")
    assert (new.marker.pattern.shape, known.marker.pattern.shape) == ("/", "")
    assert (known.text, new.text) == (("60%",), ("100%",))


def test_a_pair_beyond_chance_has_a_dot_in_its_field() -> None:
    figure = FIGURES["co-failure"]
    dots = trace(figure, "beyond chance")
    assert (list(dots.x), list(dots.y)) == ([0], [0])
    assert trace(figure, "phi").z[0][0] == 0.7


def test_a_rank_shows_the_estimate_with_its_interval_and_the_raw_rate_as_a_ring() -> None:
    figure = FIGURES["ranking"]
    assert (list(trace(figure, "estimate").x), list(trace(figure, "raw rate").x)) == ([0.07], [0.09])
    assert round(trace(figure, "estimate").error_x.array[0], 6) == 0.05

"""`draw`: a metric's result becomes its chart, with the result's own numbers."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from tables import at, run, runs

from aftershock.charts.draw import draw, marks
from aftershock.metrics import funnel, kaplan_meier, mean_cumulative_function, p_chart, ranking, recovery_times, wilson

NAMES = ["a", "b", "c", "d", "idle"]
FAILURES = [2, 3, 40, 2, 0]
RUNS = [100, 110, 120, 90, 0]


def trace(figure: Any, name: str) -> Any:
    (found,) = [trace for trace in figure.data if trace.name == name]
    return found


def test_a_ranking_shows_its_estimates_in_its_order() -> None:
    result = ranking(FAILURES, RUNS, names=NAMES)
    estimates = trace(draw(result), "estimate")
    table = result.table[result.table["n"] > 0]
    assert list(estimates.x) == list(table["posterior"])
    assert estimates.text[0].startswith("c<br>")


def test_a_ranking_shows_no_more_than_asked() -> None:
    assert len(trace(draw(ranking(FAILURES, RUNS, names=NAMES), most=2), "estimate").x) == 2


def test_a_funnel_names_who_lies_outside() -> None:
    names = [*(f"calm {i}" for i in range(20)), "wild", "idle"]
    figure = draw(funnel([*(1 + i % 4 for i in range(20)), 40, 0], [*[100] * 20, 120, 0], names=names))
    assert list(trace(figure, "more than chance").customdata) == [120]
    assert [note.text for note in figure.layout.annotations] == ["wild"]


def test_a_survival_curve_becomes_the_share_that_recovered() -> None:
    figure = draw(kaplan_meier([3600, 7200, 7200, 10800], [True, True, False, True]))
    curve = trace(figure, "recovered")
    assert [round(value, 6) for value in curve.y] == [0.0, 0.25, 0.5, 1.0]
    assert len(trace(figure, "recovery not seen").x) == 1


def test_recovery_times_of_one_group_draw_the_curve_of_their_incidents() -> None:
    rows = [
        run(str(i), "a", at(16, i), "failed" if word == "f" else "succeeded") for i, word in enumerate("sfsffsfffsf")
    ]
    whole = recovery_times(runs(*rows), by=(), until=at(16, 12))
    curve = trace(draw(whole), "recovered")
    assert [round(value, 6) for value in curve.y] == [0.0, 0.25, 0.25, 0.625, 1.0]
    assert trace(draw(whole), "recovery not seen").text == ("followed for 2.0 hours, not over<br>n = 4",)
    with pytest.raises(ValueError, match=r"by=\(\)\) after a filter"):
        draw(recovery_times(runs(*rows)))


def test_a_control_chart_marks_what_lies_beyond_its_limits() -> None:
    result = p_chart([3, 4, 2, 30, 3], [100, 110, 90, 100, 100], labels=["Mon", "Tue", "Wed", "Thu", "Fri"])
    figure = draw(result, unit="share failed")
    values = trace(figure, "value")
    assert list(values.x) == ["Mon", "Tue", "Wed", "Thu", "Fri"]
    assert [name for name, shape in zip(values.x, values.marker.symbol, strict=True) if shape == "diamond"] == ["Thu"]
    assert list(trace(figure, "upper limit").y) == pytest.approx(list(result.table["upper"]))
    assert draw(p_chart([], [])).data == ()


def test_mean_cumulative_failures_keep_their_unit() -> None:
    figure = draw(mean_cumulative_function([[5, 10], [7], []], [20, 20, 20]), unit="weeks", of="client")
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("time, weeks", "failures per client")
    assert list(trace(figure, "mean cumulative failures").x) == [0, 5, 7, 10]


def test_changes_become_marks_with_the_field_where_they_may_lie() -> None:
    rows = pd.DataFrame(
        [{"day": pd.Timestamp("2026-11-05"), "low_day": pd.Timestamp("2026-11-01"), "high_day": pd.Timestamp("2026-11-09"), "before": 0.02, "after": 0.18}]
    )  # fmt: skip
    change, version = marks(rows, [(pd.Timestamp("2026-11-05").date(), "v2")])
    assert (change.says, str(change.first), str(change.last), change.kind) == (
        "2% to 18%",
        "2026-11-01",
        "2026-11-09",
        "change",
    )
    assert (version.says, version.kind) == ("v2", "version")


def test_a_result_without_a_chart_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(TypeError, match=r"Interval has no chart of its own\. These have: .*Funnel.*Ranking"):
        draw(wilson(1, 10))

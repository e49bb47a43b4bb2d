"""Charts, by their figures' data."""

from __future__ import annotations

from datetime import date, datetime

from aftershock.charts.failure_rate import Day, failure_rate_by_day
from aftershock.charts.palette import COLOURS
from aftershock.charts.template import safe

GAP = Day(date(2026, 11, 18), 0, 0, None, None, None, log=False)
QUIET = Day(date(2026, 11, 19), 0, 0, None, None, None)


def day(at: int, failures: int = 1, n: int = 20) -> Day:
    return Day(date(2026, 11, at), n, failures, failures / n, 0.01, 0.24)


def named(figure: object, name: str) -> list[object]:
    return [trace for trace in figure.data if trace.name == name]  # type: ignore[attr-defined]


def test_a_gap_in_the_log_breaks_the_line() -> None:
    figure = failure_rate_by_day([day(16), day(17), GAP, day(20)])
    assert [[at.day for at in trace.x] for trace in named(figure, "failure rate")] == [[16, 17], [20]]  # type: ignore[attr-defined]


def test_a_day_without_a_log_is_a_hatched_bar_over_the_whole_height() -> None:
    figure = failure_rate_by_day([day(16), GAP])
    (bar,) = named(figure, "no log")
    assert bar.x == (datetime(2026, 11, 18, 12),)  # type: ignore[attr-defined]  # noqa: DTZ001
    assert bar.y == (figure.layout.yaxis.range[1],)  # type: ignore[attr-defined]
    assert bar.marker.pattern.shape == "/"  # type: ignore[attr-defined]


def test_a_logged_day_on_which_nothing_ran_is_neither_hatched_nor_zero() -> None:
    figure = failure_rate_by_day([day(16), QUIET, day(20)])
    assert named(figure, "no log") == []
    assert [list(trace.y) for trace in named(figure, "failure rate")] == [[0.05], [0.05]]  # type: ignore[attr-defined]


def test_every_point_says_its_n() -> None:
    figure = failure_rate_by_day([day(16, 1, 20), day(17, 0, 31)])
    (line,) = named(figure, "failure rate")
    assert list(line.customdata) == [20, 31]  # type: ignore[attr-defined]
    assert line.text[0] == "Mon 16 Nov<br><b>5.0%</b> failed: 1 of n = 20<br>95%: 1.0 to 24.0%"  # type: ignore[attr-defined]


def test_the_band_goes_up_along_the_upper_bounds_and_back_along_the_lower() -> None:
    (band,) = named(failure_rate_by_day([day(16), day(17)]), "95% interval")
    assert list(band.y) == [0.24, 0.24, 0.01, 0.01]  # type: ignore[attr-defined]


def test_no_days_give_an_empty_chart() -> None:
    assert len(failure_rate_by_day([]).data) == 0


def test_the_colours_of_light_are_told_apart_so_that_dark_can_replace_them() -> None:
    assert len({colour.light.lower() for colour in COLOURS}) == len(COLOURS)


def test_labels_cannot_carry_markup() -> None:
    assert safe("<b>x</b>") == "&lt;b&gt;x&lt;/b&gt;"

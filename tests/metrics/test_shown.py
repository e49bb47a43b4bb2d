"""How an analyst meets results and arguments: short reprs, one name without brackets, errors that say what to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tables import at, run, runs, stretch, table

from aftershock import metrics
from aftershock.metrics import Period
from aftershock.metrics.results import Told

RUNS = [run(str(i), "ab"[i % 2], at(16, i), "failed" if i % 3 == 0 else "succeeded") for i in range(12)]
WEEK = Period.parse("2026-W47", "Europe/Berlin")
LAZY: list[Callable[[Any], Any]] = [
    metrics.concurrency,
    metrics.failure_attributes,
    metrics.failure_pairs,
    metrics.failure_rate,
    metrics.flakiness,
    metrics.incidents,
    metrics.masked_failures,
    metrics.recovery_times,
    metrics.retry_effectiveness,
    metrics.silent_failures,
    metrics.time_between_failures,
    metrics.volumes,
    lambda known: metrics.apdex_of_runs(known, 60),
    lambda known: metrics.burn_alerts(known, 0.9, now=at(17)),
    lambda known: metrics.burn_rates(known, 0.9, now=at(17)),
    lambda known: metrics.daily_counts(known, WEEK),
    lambda known: metrics.error_budgets(known, 0.9),
    lambda known: metrics.failure_control(known, WEEK),
    lambda known: metrics.hour_of_week_baseline(known, WEEK),
]


@pytest.mark.parametrize("metric", LAZY)
def test_a_lazy_result_shows_its_name_and_n_and_no_query(metric: Callable[[Any], Any]) -> None:
    result = metric(runs(*RUNS))
    shown = repr(result)
    assert shown.startswith(f"<{type(result).__name__} n={result.n}, left_out={result.left_out}")
    assert len(shown) < 160


def test_the_main_estimate_is_shown_with_its_bounds() -> None:
    assert "0.3333 (0.1381 to 0.6094 at 95 %)" in repr(metrics.failure_rate(runs(*RUNS)))
    assert repr(metrics.coverage(table("coverage", [stretch(at(16), at(17))]), WEEK)).startswith("<Coverage;")


def test_a_result_that_nobody_answers_for_any_more_still_shows_its_name() -> None:
    class Gone(Told):
        @property
        def n(self) -> int:
            raise OSError("connection closed")

    assert repr(Gone()) == "<Gone>"


@pytest.mark.parametrize(
    "metric",
    [
        metrics.failure_rate,
        metrics.failure_trends,
        metrics.funnel,
        metrics.incidents,
        metrics.learned_schedules,
        metrics.masked_failures,
        metrics.mtbf_by_automation,
        metrics.ranking,
        metrics.recovery_times,
        metrics.retry_ladder,
        metrics.volumes,
    ],
)
def test_one_column_may_stand_without_brackets(metric: Callable[..., Any]) -> None:
    alone = metric(runs(*RUNS), by="client").to_pandas()
    assert alone.equals(metric(runs(*RUNS), by=("client",)).to_pandas())


@pytest.mark.parametrize(
    "metric",
    [
        metrics.daily_counts,
        metrics.failure_changes,
        metrics.failure_control,
        metrics.hour_of_week_baseline,
        lambda known, period: metrics.failure_rate(known, period=period),
        lambda known, period: metrics.error_budgets(known, 0.9, period=period),
        lambda known, period: metrics.apdex_of_runs(known, 60, period=period),
        lambda _, period: metrics.coverage(table("coverage", []), period),
    ],
)
def test_a_period_as_text_is_answered_with_the_line_to_write(metric: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"Period\.parse\('2026-W47', 'Europe/Berlin'\)"):
        metric(runs(*RUNS), "2026-W47")


def test_a_period_may_span_all_runs_in_the_time_zone_of_the_people() -> None:
    late = [run("1", "a", at(16, 23, 30)), run("2", "a", at(18, 1)), run("3", "a", None, "queued")]
    assert Period.spanning(runs(*late), "Europe/Berlin") == Period.parse("2026-11-17..2026-11-18", "Europe/Berlin")
    assert Period.spanning(runs(*late)).name == "2026-11-16..2026-11-18"
    with pytest.raises(ValueError, match="none has a time"):
        Period.spanning(runs())

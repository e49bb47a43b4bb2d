from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from support import SHARED, needs_shared

from aftershock import cross_correlation, learned_schedule, periodicity

BERLIN = ZoneInfo("Europe/Berlin")


def autoregressive(rng: np.random.Generator, memory: float, n: int = 300) -> np.ndarray:
    y = rng.normal(size=n)
    for i in range(1, n):
        y[i] += memory * y[i - 1]
    return y


def test_a_positive_lag_says_that_the_second_series_goes_first() -> None:
    y = np.random.default_rng(0).normal(size=200)
    assert cross_correlation(np.roll(y, 3), y, max_lag=5).peak_lag == 3


def test_neither_unit_nor_offset_change_a_correlation() -> None:
    x, y = np.random.default_rng(1).normal(size=(2, 50))
    one, other = cross_correlation(x, y), cross_correlation(60 * x + 7, y / 1000)
    np.testing.assert_allclose(one.table["correlation"], other.table["correlation"], atol=1e-12)


def test_series_with_memory_have_fewer_values_than_they_show() -> None:
    rng = np.random.default_rng(2)
    result = cross_correlation(autoregressive(rng, 0.9), autoregressive(rng, 0.9))
    assert result.effective_n < 100
    assert result.limit_autocorrelated > result.limit


def test_a_constant_series_has_no_correlation() -> None:
    result = cross_correlation([1.0] * 9, range(9))
    assert (result.peak.estimate, result.n, len(result.table)) == (None, 9, 0)


def test_a_gap_is_an_error_that_names_its_place() -> None:
    with pytest.raises(ValueError, match=r"x\[1\]: nan"):
        cross_correlation([1, float("nan"), 3], [1, 2, 3])


@pytest.mark.parametrize("memory", [0.0, 0.7])
def test_noise_has_a_period_at_the_five_per_cent_level_in_five_of_100(memory: float) -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(1000, 240))
    for i in range(1, 240):
        noise[:, i] += memory * noise[:, i - 1]
    results = [periodicity(series) for series in noise]
    assert np.mean([result.p_value <= 0.05 for result in results]) == pytest.approx(0.05, abs=0.018)
    assert np.mean([result.period.estimate is not None for result in results]) <= 0.06


@needs_shared
@pytest.mark.parametrize(
    ("name", "padded", "plain"), [("sunspot_year", 300 / 27, 289 / 26), ("lynx", 120 / 12, 114 / 12)]
)
def test_the_candidate_equals_rs_padded_periodogram_and_the_peak_the_plain_one(
    name: str, padded: float, plain: float
) -> None:
    rows = (SHARED / "truth" / f"{name}.csv").read_text().splitlines()[1:]
    counts = np.array([float(row.split(",")[-1]) for row in rows])
    result = periodicity(np.sqrt(counts) if name == "sunspot_year" else np.log10(counts))
    assert (result.candidate, result.peak) == (pytest.approx(padded), pytest.approx(plain))
    assert result.period.low <= plain <= result.period.high


@pytest.mark.parametrize("true", [6.5, 11.3, 24.0, 37.7])
def test_the_bounds_of_a_noisy_beat_hold_its_period(true: float) -> None:
    rng, time = np.random.default_rng(8), np.arange(300)
    phases = rng.uniform(0, 2 * np.pi, 60)
    found = [periodicity(np.sin(2 * np.pi * time / true + phase) + rng.normal(size=300)).period for phase in phases]
    assert np.mean([period.low <= true <= period.high for period in found]) >= 0.95


def test_a_daily_beat_is_found_in_units_of_its_step() -> None:
    rng, hour = np.random.default_rng(4), np.arange(24 * 30)
    counts = rng.poisson(5 + 10 * (hour % 24 == 9) + 4 * (hour % 24 > 12))
    assert periodicity(counts, step=3600).period.estimate == pytest.approx(86400, rel=0.01)


def test_short_and_constant_series_have_no_period() -> None:
    assert (periodicity([1, 2, 3]).verdict, periodicity([2] * 50).period.estimate) == ("cannot tell: 3 values", None)


def timetable(kind: str) -> list[datetime]:
    """Ten weeks from Monday 2026-09-21; clocks go back on 25 October."""
    days = [datetime(2026, 9, 21, tzinfo=BERLIN) + timedelta(days=i) for i in range(70)]
    hours = {"daily": [6], "weekdays": [6], "office hours": range(8, 18), "twice a day": [8, 13]}.get(kind)
    if hours is not None:
        every = kind in ("daily", "twice a day")
        slots = [day.replace(hour=hour) for day in days for hour in hours if every or day.weekday() < 5]
        return [slot.astimezone(UTC) for slot in slots]
    minutes = {"every 15 minutes": 15, "every 17 minutes": 17}[kind]
    return [datetime(2026, 9, 21, tzinfo=UTC) + timedelta(minutes=minutes * i) for i in range(3000)]


@pytest.mark.parametrize(
    "kind", ["daily", "weekdays", "office hours", "twice a day", "every 15 minutes", "every 17 minutes"]
)
def test_planted_missed_runs_are_found_across_clock_changes(kind: str) -> None:
    rng, slots = np.random.default_rng(5), timetable(kind)
    missing = rng.random(len(slots)) < 0.03
    missing[[0, 10, -1]] = False, True, False
    starts = [
        slot + timedelta(seconds=float(rng.exponential(20)))
        for slot, gone in zip(slots, missing, strict=True)
        if not gone
    ]
    result = learned_schedule(starts, covered=[(slots[0], slots[-1])], time_zone="Europe/Berlin")
    near = timedelta(minutes=3)
    hit = sum(
        any(
            low - near <= slot <= high + near
            for low, high in zip(result.table["from_slot"], result.table["to_slot"], strict=True)
        )
        for slot, gone in zip(slots, missing, strict=True)
        if gone
    )
    precision, recall = hit / max(result.missed, 1), hit / missing.sum()
    assert (precision, recall) == (pytest.approx(1, abs=0.02), pytest.approx(1, abs=0.02))


def test_without_a_log_that_covers_it_a_gap_cannot_be_told() -> None:
    starts = [slot for i, slot in enumerate(timetable("daily")) if i not in (20, 21, 40)]
    plain = learned_schedule(starts, time_zone="Europe/Berlin")
    half = learned_schedule(starts, time_zone="Europe/Berlin", covered=[(starts[0], starts[30])])
    assert (plain.missed, plain.untold, plain.table["verdict"].unique().tolist()) == (0, 3, ["cannot tell"])
    assert (half.missed, half.untold, half.table["slots"].tolist()) == (2, 1, [2, 1])


def test_runs_that_stop_are_missed_until_the_log_ends() -> None:
    starts = timetable("daily")[:30]
    end = starts[-1] + timedelta(days=5, hours=3)
    result = learned_schedule(starts, until=end, covered=[(starts[0], end)], time_zone="Europe/Berlin")
    assert (result.missed, len(result.table)) == (5, 1)


def test_weeks_without_any_run_are_missed_and_unlearn_no_timetable() -> None:
    slots = timetable("weekdays")
    starts = [slot for i, slot in enumerate(slots) if not 5 <= i < 35]
    result = learned_schedule(starts, covered=[(slots[0], slots[-1])], time_zone="Europe/Berlin")
    assert (result.expected, result.missed, len(result.table)) == (50, 30, 1)


def test_an_extra_run_off_the_timetable_makes_no_slots_to_miss() -> None:
    slots = timetable("office hours")
    late, saturday = slots[9] + timedelta(hours=2), slots[0] + timedelta(days=5, hours=1)
    result = learned_schedule([*slots, late, saturday], covered=[(slots[0], slots[-1])], time_zone="Europe/Berlin")
    assert result.missed == 0


def test_random_times_and_few_runs_have_no_schedule() -> None:
    rng = np.random.default_rng(6)
    random = [datetime(2026, 9, 1, tzinfo=UTC) + timedelta(seconds=float(s)) for s in rng.uniform(0, 1e6, 300)]
    assert learned_schedule(random).verdict.startswith("no schedule")
    assert learned_schedule(random[:3]).verdict == "cannot tell: 3 runs are too few, 6 are needed"

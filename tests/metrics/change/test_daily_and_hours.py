"""Tables over runs: days with and without runs and coverage, hours of the week across clock changes, changes of many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import ibis
import numpy as np
import pandas as pd
import pytest
from tables import run, runs, table

from aftershock.errors import UnknownColumnError, UnknownNameError
from aftershock.metrics import (
    Period,
    change_points,
    changes_inside,
    daily_counts,
    failure_changes,
    failure_control,
    hour_of_week_baseline,
    laney_p_chart,
)

BERLIN = Period.parse("2026-10-20..2026-10-31", "Europe/Berlin")
RNG = np.random.default_rng


def on(day: int, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(2026, 10, day, hour, minute, tzinfo=UTC)


def fleet(seed: int, size: int = 600) -> list[dict]:
    rng = RNG(seed)
    words = ["succeeded", "failed", "partial", "cancelled", "running"]
    return [
        run(
            f"r{i}",
            str(rng.choice(["a", "b", "c"])),
            BERLIN.start + timedelta(seconds=int(rng.integers(0, int(BERLIN.seconds)))),
            str(rng.choice(words, p=[0.6, 0.25, 0.05, 0.05, 0.05])),
            duration_s=float(rng.integers(1, 100)) if rng.random() > 0.1 else None,
        )
        for i in range(size)
    ]


def test_a_day_without_runs_is_a_row_of_zero() -> None:
    found = daily_counts(runs(run("1", "a", on(20)), run("2", "a", on(22), "failed")), BERLIN).to_pandas()
    assert found[["n", "failures"]].head(4).to_numpy().tolist() == [[1, 0], [0, 0], [1, 1], [0, 0]]
    assert len(found) == 12


def test_a_day_without_runs_is_not_a_day_without_coverage() -> None:
    covered = table(
        "coverage", [{"source": "n8n", "covers_from": on(1), "covers_to": on(22, 10), "completeness": "complete"}]
    )
    found = daily_counts(runs(run("1", "a", on(20))), BERLIN, coverage=covered).to_pandas()
    assert found["n"].head(4).tolist() == [1, 0, 0, 0]
    assert found["covered"].head(4).tolist() == [1.0, 1.0, 0.5, 0.0]


def test_what_does_not_count_is_counted_beside() -> None:
    words = ["succeeded", "cancelled", "skipped", "running", "odd"]
    found = daily_counts(runs(*(run(word, "a", on(20), word) for word in words)), BERLIN)
    assert (found.n, found.left_out) == (1, 4)
    assert found.to_pandas().loc[0, ["left_out", "unfinished"]].tolist() == [2, 2]


def test_a_day_is_a_local_day() -> None:
    late = runs(run("1", "a", on(20, 21, 59)), run("2", "a", on(20, 22)))
    assert daily_counts(late, BERLIN, fill=False).to_pandas()["n"].tolist() == [1, 1]


def test_no_runs_give_no_rows() -> None:
    none = runs(run("1", "a", on(1)))
    assert (daily_counts(none, BERLIN).n, len(daily_counts(none, BERLIN).to_pandas())) == (0, 0)
    assert (failure_control(none, BERLIN).n, failure_changes(none, BERLIN).n) == (0, 0)
    assert (hour_of_week_baseline(none, BERLIN).n, len(failure_changes(none, BERLIN).table)) == (0, 0)


def test_many_charts_in_sql_are_the_one_in_numpy() -> None:
    control = failure_control(runs(*fleet(1)), BERLIN)
    for name, rows in control.to_pandas().groupby("automation"):
        chart = laney_p_chart(rows["failures"], rows["n"])
        group = control.groups.execute().set_index("automation").loc[name]
        assert group["sigma_z"] == pytest.approx(chart.sigma_z)
        widen = max(chart.sigma_z, 1) / chart.sigma_z
        reach = (chart.table["upper"].to_numpy() - chart.centre) * widen
        shown = rows["upper"].to_numpy() < 1
        np.testing.assert_allclose((rows["upper"].to_numpy() - rows["centre"])[shown], reach[shown])


def test_an_automation_that_never_fails_has_no_limits_and_no_signal() -> None:
    control = failure_control(runs(*(run(str(day), "a", on(day)) for day in range(20, 30))), BERLIN)
    assert (control.n, control.left_out, control.to_pandas()["signal"].any()) == (0, 10, False)


def test_clocks_that_go_back_give_an_hour_twice() -> None:
    """On 25 October 2026 02:00 comes twice in Berlin: at 00:00 and 01:00 UTC."""
    moments = [on(25, 0, 30), on(25, 1, 30), on(25, 2, 30), on(25, 0) - timedelta(microseconds=1)]
    found = hour_of_week_baseline(runs(*(run(str(i), "a", at) for i, at in enumerate(moments))), BERLIN).to_pandas()
    hours = found.set_index("hour_of_week")
    assert hours["n"].to_dict() == {145: 1, 146: 2, 147: 1}
    assert hours["hours"].to_dict() == {145: 1.0, 146: 2.0, 147: 1.0}


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe"])
def test_hours_of_the_week_are_python_s(zone: str) -> None:
    rows = fleet(2, 300)
    period = Period.parse("2026-03-01..2026-11-30", zone)
    shifted = [{**row, "started_at": row["started_at"] - timedelta(days=200 * (i % 2))} for i, row in enumerate(rows)]
    found = hour_of_week_baseline(runs(*shifted), period, by=()).to_pandas()
    local = [row["started_at"].astimezone(ZoneInfo(zone)) for row in shifted if period.holds(row["started_at"])]
    expected = pd.Series([at.weekday() * 24 + at.hour for at in local]).value_counts().sort_index()
    counted = found.set_index("hour_of_week")[["n", "left_out", "unfinished"]].sum(axis=1)
    assert counted.to_dict() == expected.to_dict()


def test_medians_and_mads_are_those_of_numpy() -> None:
    rows = pd.DataFrame(fleet(3))
    found = hour_of_week_baseline(runs(*fleet(3)), BERLIN).to_pandas().set_index(["automation", "hour_of_week"])
    local = pd.to_datetime(rows["started_at"], utc=True).dt.tz_convert("Europe/Berlin")
    rows = rows.assign(hour=local.dt.day_of_week * 24 + local.dt.hour)
    rows = rows[rows["status"].isin(["succeeded", "failed", "partial"]) & rows["duration_s"].notna()]
    for key, part in rows.groupby(["automation", "hour"])["duration_s"]:
        middle = np.median(part)
        assert found.loc[key, "duration_s_median"] == middle
        assert found.loc[key, "duration_s_mad"] == pytest.approx(1.4826 * np.median(np.abs(part - middle)))
    assert found["duration_s_median"].notna().sum() == rows.groupby(["automation", "hour"]).ngroups


def test_the_order_of_runs_does_not_matter() -> None:
    rows = fleet(4, 200)
    one, other = runs(*rows), runs(*rows[::-1])
    for metric in (daily_counts, failure_control, hour_of_week_baseline, failure_changes):
        pd.testing.assert_frame_equal(metric(one, BERLIN).to_pandas(), metric(other, BERLIN).to_pandas())


def planted(seed: int, automations: int = 12) -> ibis.Table:
    """Even automations begin to fail on 26 October."""
    rng, rows = RNG(seed), []
    for a in range(automations):
        for day in range(20, 32):
            for k in range(20):
                rate = 0.4 if a % 2 == 0 and day >= 26 else 0.02
                word = "failed" if rng.random() < rate else "succeeded"
                rows.append(run(f"{a}-{day}-{k}", f"a{a:02}", on(day, 6, k), word))
    return runs(*rows)


def test_planted_changes_are_found_and_nothing_else() -> None:
    found = failure_changes(planted(5), BERLIN)
    assert found.table["automation"].tolist() == [f"a{a:02}" for a in range(0, 12, 2)]
    assert set(found.table["direction"]) == {"rose"}
    day = pd.Timestamp(2026, 10, 26).date()
    assert ((found.table["low_day"] <= day) & (found.table["high_day"] >= day)).all()
    assert (found.table["probability"] > 0.99).all()


def test_many_series_at_once_are_each_by_itself() -> None:
    found = failure_changes(runs(*fleet(6)), BERLIN, penalty=3.0)
    daily = daily_counts(runs(*fleet(6)), BERLIN).to_pandas()
    assert len(found.table)
    for name, rows in daily.groupby("automation"):
        own = change_points(rows["failures"], n=rows["n"], penalty=3.0)
        days = [rows["day"].iloc[at] for at in own.positions]
        mine = found.table[found.table["automation"] == name]
        assert [str(day)[:10] for day in days] == [str(day)[:10] for day in mine["day"]]


def test_recorded_changes_inside_the_interval_are_named() -> None:
    found = failure_changes(planted(7, 1), BERLIN).table
    recorded = pd.DataFrame(
        {"automation": ["a00", "a00", "a01"], "at": [on(26, 3), on(21), on(26)], "version": ["v2", "v1", "v9"]}
    )
    pairs = changes_inside(found, recorded, time_zone="Europe/Berlin")
    assert pairs[["version", "days_off"]].to_numpy().tolist() == [["v2", 0]]


def test_unknown_names_are_refused() -> None:
    some = runs(run("1", "a", on(20)))
    with pytest.raises(UnknownColumnError):
        daily_counts(some, BERLIN, by=["automaton"])
    with pytest.raises(UnknownColumnError):
        hour_of_week_baseline(some, BERLIN, values=["duration"])
    with pytest.raises(UnknownNameError):
        failure_changes(some, BERLIN, roles=["play"])
    with pytest.raises(ValueError, match="fill=True"):
        daily_counts(some, BERLIN, coverage=some, fill=False)
    with pytest.raises(ValueError, match="no column 'at'"):
        changes_inside(failure_changes(some, BERLIN).table, pd.DataFrame({"automation": ["a"]}))

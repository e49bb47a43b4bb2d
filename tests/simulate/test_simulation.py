"""The simulator: the same arguments, the same files; clocks, texts and truth as promised."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support import ROOT

from aftershock.model import COUNTED, STATUS_WORDS
from aftershock.project import load
from aftershock.simulate import simulate
from aftershock.simulate.faults import Fault, planted
from aftershock.simulate.fleet import AUTOMATIONS, CLIENTS, PROMISES
from aftershock.simulate.rhythm import BERLIN, arrivals, schedule

SAMPLE = ROOT / "data" / "sample"
CLOCK_CHANGE = date(2026, 10, 25)
SEEDED = Random  # a seeded generator is wanted, not a secure one


def contents(folder: Path) -> dict[str, bytes]:
    """What each file of a folder holds, unpacked: compressed bytes differ between versions of zlib."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): gzip.decompress(path.read_bytes())
        if path.suffix == ".gz"
        else path.read_bytes()
        for path in files
    }


def values(path: Path) -> list[Any]:
    """The JSON values of an export, one a line."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in content.decode().splitlines()]


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    """The committed answer sheet."""
    return json.loads((SAMPLE / "truth.json").read_text(encoding="utf-8"))


def test_the_committed_sample_is_what_its_seed_writes(tmp_path: Path) -> None:
    simulate(tmp_path, seed=47, days=42)
    assert contents(tmp_path) == contents(SAMPLE)


def test_the_sample_stays_under_three_megabytes() -> None:
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 3_000_000


def test_the_same_seed_writes_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    for name, seed in (("one", 5), ("same", 5), ("other", 6)):
        simulate(tmp_path / name, seed=seed, days=3)
    raw = {name: {path.name: path.read_bytes() for path in (tmp_path / name).rglob("*") if path.is_file()} for name in
           ("one", "same", "other")}  # fmt: skip
    assert raw["one"] == raw["same"]
    assert raw["one"] != raw["other"]


def test_a_compressed_file_carries_no_time() -> None:
    packed = sorted(SAMPLE.rglob("*.gz"))
    assert packed
    assert {path.read_bytes()[4:8] for path in packed} == {b"\0\0\0\0"}


def test_less_than_a_day_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="days: 0: a simulation needs at least one day"):
        simulate(tmp_path, seed=1, days=0)


@pytest.mark.parametrize("days", [1, 4, 9])
def test_any_length_and_end_makes_a_story(tmp_path: Path, days: int) -> None:
    told = simulate(tmp_path, seed=3, days=days, until=date(2027, 3, 28))
    assert datetime.fromisoformat(told.covers_to) - datetime.fromisoformat(told.covers_from) == timedelta(
        days=days, hours=-1
    )
    assert sum(total["runs"] for total in told.totals.values()) > 80 * days


def test_a_schedule_keeps_local_time_when_the_clocks_change() -> None:
    days = list(schedule(CLOCK_CHANGE - timedelta(days=1), CLOCK_CHANGE + timedelta(days=1), (time(6, 30),)))
    assert [at.hour for at in days] == [4, 5, 5]
    assert [later - sooner for sooner, later in pairwise(days)] == [timedelta(hours=25), timedelta(hours=24)]


def test_arrivals_are_in_order_busier_by_day_and_quieter_at_weekends() -> None:
    times = [at.astimezone(BERLIN) for at in arrivals(SEEDED(1), date(2026, 10, 5), date(2026, 11, 1), 100)]
    assert times == sorted(times)
    hours = Counter(at.hour for at in times)
    assert sum(hours[hour] for hour in range(9, 18)) > 6 * sum(hours[hour] for hour in range(7))
    days = Counter(at.weekday() < 5 for at in times)
    assert days[True] / 20 > 2 * days[False] / 8


def test_no_arrival_falls_out_of_its_local_day_when_the_clocks_change() -> None:
    for day in (CLOCK_CHANGE, date(2026, 3, 29)):
        times = list(arrivals(SEEDED(2), day, day, 3000))
        assert {at.astimezone(BERLIN).date() for at in times} == {day}


def test_another_fault_leaves_the_numbers_of_the_others_alone() -> None:
    first, second = Fault(name="a", what=""), Fault(name="b", what="")
    for fault in (first, second):
        fault.begin(1, date(2026, 11, 22))
    lonely = Fault(name="b", what="")
    lonely.begin(1, date(2026, 11, 22))
    first.random.random()
    assert second.random.random() == lonely.random.random()


def test_every_planted_fault_has_its_own_name_and_strikes_in_the_sample(truth: dict[str, Any]) -> None:
    names = [fault.name for fault in planted()]
    assert len(names) == len(set(names))
    struck = {row["name"] for row in truth["faults"] if row["runs"] or row["orders"]}
    assert set(names) - struck == {"ledgerline log missing"}
    assert truth["gaps"] == [{"source": "ledgerline", "day": "2026-11-03"}]


def test_the_truth_adds_up(truth: dict[str, Any]) -> None:
    for tool, total in truth["totals"].items():
        rows = [row for row in truth["runs"] if row["tool"] == tool]
        assert sum((Counter(row["statuses"]) for row in rows), Counter()) == Counter(total["statuses"])
        assert sum(sum(row["roots"].values()) for row in rows) == total["roots"]
        assert sum(total["statuses"].values()) == total["runs"]
        assert total["counted"] + total["left_out"] + total["error_handlers"] == total["runs"]
    assert {word for row in truth["runs"] for word in row["statuses"]} <= set(STATUS_WORDS)
    assert {row["automation"] for row in truth["runs"]} == {automation.name for automation in AUTOMATIONS}


def test_orders_that_are_not_in_step_are_all_named(truth: dict[str, Any]) -> None:
    named = Counter((row["expectation"], row["client"], row["verdict"]) for row in truth["orders"])
    counted = Counter(
        {
            (row["expectation"], row["client"], verdict): row[verdict]
            for row in truth["promises"]
            for verdict in ("late", "missing", "pending", "cannot_tell")
            if verdict in row
        }
    )
    assert named == counted
    assert {row["verdict"] for row in truth["orders"]} == {"late", "missing", "pending", "cannot_tell"}


def test_no_verdict_hangs_by_a_minute(truth: dict[str, Any]) -> None:
    within = {promise.name: timedelta(minutes=promise.within_minutes) for promise in PROMISES}
    for row in truth["orders"]:
        if row["done_at"]:
            took = datetime.fromisoformat(row["done_at"]) - datetime.fromisoformat(row["begun_at"])
            assert took - within[row["expectation"]] > timedelta(minutes=5), row


def test_the_story_is_one_that_a_client_would_want_to_read(truth: dict[str, Any]) -> None:
    weeks = dict[str, Counter[str]]()
    for row in truth["runs"]:
        if row["role"] == "work":
            weeks.setdefault(row["week"], Counter()).update(row["statuses"])
    rates = {
        week: (count["failed"] + count["crashed"]) / sum(count[word] for word in COUNTED)
        for week, count in weeks.items()
    }
    assert list(rates) == sorted(rates)
    assert all(0.008 < rate < 0.08 for rate in rates.values()), rates
    assert rates.pop("2026-W47") > 1.3 * max(rates.values())
    judged = sum((Counter(row) for row in ({k: v for k, v in r.items() if isinstance(v, int)} for r in truth["promises"])),
                 Counter())  # fmt: skip
    assert 0.95 < judged["in_step"] / (judged["in_step"] + judged["late"] + judged["missing"]) < 0.99


def test_the_project_expects_what_the_truth_is_about() -> None:
    project = load(ROOT)
    expected = [(promise.name, promise.after, promise.then, promise.within_minutes * 60) for promise in PROMISES]
    assert [(e.name, e.after, e.then, e.within.total_seconds()) for e in project.expectations] == expected
    assert [(client.id, client.name) for client in project.clients] == [(client.id, client.name) for client in CLIENTS]


def test_the_planted_texts_are_in_the_exports(truth: dict[str, Any]) -> None:
    everything = b"".join(content for name, content in contents(SAMPLE).items() if name != "truth.json").decode()
    for text in (*truth["secrets"], "<script>alert(1)</script>"):
        assert text in everything


def test_a_run_over_midnight_is_running_in_one_export_and_done_in_the_next() -> None:
    states = [
        [row["state"] for page in values(path) for row in page["dag_runs"] if row["dag_run_id"] == "scheduled__2026-11-08T20:30:00+00:00"]
        for path in sorted((SAMPLE / "airflow").glob("*.dagRuns.json*"))
    ]  # fmt: skip
    assert [state for state in states if state] == [["running"], ["success"]]


def test_pages_are_as_long_as_the_apis_allow() -> None:
    for pattern, key, most in (
        ("n8n/*.executions.json*", "data", 250),
        ("airflow/*.taskInstances.json*", "task_instances", 100),
    ):
        sizes = [len(page[key]) for path in SAMPLE.glob(pattern) for page in values(path)]
        assert max(sizes) == most


def test_bookings_leave_out_the_missing_day_and_give_a_line_twice() -> None:
    rows = [
        row
        for path in sorted((SAMPLE / "ledgerline").glob("*.csv"))
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter=";")
    ]
    days = {datetime.strptime(row["Eingang"], "%d.%m.%Y %H:%M:%S").date() for row in rows}  # noqa: DTZ007
    assert date(2026, 11, 3) not in days
    assert len(days) == 41
    twice = [number for number, count in Counter(row["Belegnr"] for row in rows).items() if count > 1]
    assert len(twice) == 6


def executions(workflow: str) -> list[Any]:
    """n8n's executions of a workflow, oldest first."""
    pages = [page for path in (SAMPLE / "n8n").glob("*.executions.json*") for page in values(path)]
    found = {row["id"]: row for page in pages for row in page["data"] if row["workflowData"]["name"] == workflow}
    return sorted(found.values(), key=lambda row: int(row["id"]))


def test_a_bad_release_fails_only_in_its_version_and_the_workflow_names_the_newest(truth: dict[str, Any]) -> None:
    rows = [row for row in executions("initech / Lead enrichment") if row["workflowVersionId"]]
    first, second = dict.fromkeys(row["workflowVersionId"] for row in rows)
    released = datetime(2026, 11, 5, 12, tzinfo=BERLIN)
    assert {(row["workflowVersionId"] == second, datetime.fromisoformat(row["startedAt"]) >= released) for row in rows} == {
        (False, False),
        (True, True),
    }  # fmt: skip
    struck = next(fault["runs"] for fault in truth["faults"] if fault["name"] == "lead enrichment: bad version")
    assert {row["workflowVersionId"] for row in rows if f"n8n:{row['id']}" in struck} == {second} != {first}
    (page,) = values(SAMPLE / "n8n" / "workflows.json")
    assert [row["versionId"] for row in page["data"] if row["name"] == "initech / Lead enrichment"] == [second]


def test_price_updates_fail_at_volume(truth: dict[str, Any]) -> None:
    rows = [row for row in executions("globex / Price updates") if row["startedAt"] and not row["retryOf"]]
    times = [datetime.fromisoformat(row["startedAt"]) for row in rows]
    load = [sum(at - timedelta(hours=1) < before <= at for before in times[:n]) for n, at in enumerate(times, start=1)]
    struck = next(fault["runs"] for fault in truth["faults"] if fault["name"] == "price updates at volume")
    shares = [
        sum(f"n8n:{row['id']}" in struck for row in chosen) / len(chosen)
        for chosen in ([row for row, n in zip(rows, load, strict=True) if low <= n < high] for low, high in ((0, 10), (25, 99)))
    ]  # fmt: skip
    assert shares[1] > 5 * shares[0]

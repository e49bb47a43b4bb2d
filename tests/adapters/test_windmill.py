"""Windmill: own samples in `windmill/`, written after the vendor's types, and a third party's fixture."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "windmill"
SAMPLES = sorted(file for file in FOLDER.iterdir() if file.name != "SOURCE.md")
FIXTURE = SHARED / "samples" / "windmill" / "fixture_completed_and_queued_job.jsonl"


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """All samples."""
    return ingested(tmp_path_factory.mktemp("night"), SAMPLES)


def test_each_job_has_the_status_that_its_fields_say_together(night: Ledger) -> None:
    assert rows(
        night,
        "select right(native_id, 2), status, error_message from runs where automation <> 'f/stock/sync' order by 1",
    ) == [
        ("01", "succeeded", None),
        ("02", "failed", "409 Conflict: ORD-2 is locked"),
        ("03", "cancelled", "wrong client"),
        ("04", "timed_out", "duration > 300"),
        ("05", "skipped", None),
        (
            "06",
            "crashed",
            "Job timed out after no ping from job since 2026-11-20 06:05:01 UTC (ZOMBIE_JOB_TIMEOUT: 60)",
        ),
        ("07", "running", None),
        ("08", "queued", None),
        ("09", "waiting", None),
        ("10", "waiting", None),
        ("12", "partial", "550 no such mailbox"),
        ("13", "running", None),
        ("23", "failed", "no such order ORD-2"),
        ("32", "succeeded", None),
    ]


def test_every_word_of_an_export_is_known(night: Ledger) -> None:
    assert rows(
        night, "select status_raw, status, duration_s from runs where automation = 'f/stock/sync' order by native_id"
    ) == [
        ("success", "succeeded", 6.5),
        ("failure", "failed", 6.5),
        ("canceled", "cancelled", 6.5),
        ("skipped", "skipped", 6.5),
    ]


def test_a_flow_tells_its_steps_and_their_jobs_add_times_and_errors(night: Ledger) -> None:
    assert rows(
        night,
        """select name, steps.attempt, map_index, steps.status, steps.error_message, steps.duration_s from steps join runs using (run_id)
        where right(native_id, 2) = '12' order by 1, 2, 3""",
    ) == [
        ("a", 1, 0, "failed", "503 from the shop", 2.0),
        ("a", 2, 0, "succeeded", None, 3.0),
        ("b", 1, 0, "succeeded", None, None),
        ("b iteration", 1, 0, "succeeded", None, None),
        ("b iteration", 1, 1, "failed", "no such order ORD-2", 3.0),
        ("c", 1, 0, "failed", "550 no such mailbox", 1.0),
        ("d", 1, 0, "skipped", None, None),
        ("e", 1, 0, "skipped", None, None),
    ]


def test_a_flow_on_its_way_says_where_it_is(night: Ledger) -> None:
    query = "select name, map_index, steps.status from steps join runs using (run_id) where right(native_id, 2) = '13' order by 1, 2"
    assert rows(night, query) == [
        ("a", 0, "succeeded"),
        ("b", 0, "running"),
        ("b iteration", 0, "succeeded"),
        ("b iteration", 1, "running"),
        ("c", 0, "waiting"),
        ("d", 0, "queued"),
        ("e", 0, "queued"),
    ]


def test_jobs_that_are_no_runs_are_set_aside_and_say_why(tmp_path: Path) -> None:
    result = take_in(tmp_path, [FOLDER / "jobs_list.json"])
    assert (result.records_read, result.mapped, result.set_aside, result.rejects) == (20, 15, 5, 0)
    ledger = ingested(tmp_path, [])
    assert rows(ledger, "select reason, count(*) from set_aside group by 1 order by 1") == [
        ("job of a step; its flow tells it", 3),
        ("job that only deploys", 1),
        ("planned, not yet due", 1),
    ]


def test_previews_are_tests_and_error_handlers_stand_below_the_job_that_failed(night: Ledger) -> None:
    assert rows(
        night, "select right(native_id, 2), role, right(parent_run_id, 2) from runs where role <> 'work' order by 1"
    ) == [
        ("31", "test", None),
        ("32", "error_handler", "02"),
    ]


def test_a_golden_run(night: Ledger) -> None:
    assert rows(
        night,
        """select run_id, automation_id, "trigger", version, queued_at::VARCHAR, started_at::VARCHAR, ended_at::VARCHAR, duration_s
        from runs where right(native_id, 2) = '12'""",
    ) == [
        (
            "windmill:018f6c2e-1a2b-4c3d-8e4f-5a6b7c8d9e12",
            "windmill:f/orders/night",
            "schedule",
            "9f3c0a7e1b2d4455",
            "2026-11-20 06:11:00.000123+00",
            "2026-11-20 06:11:01.000123+00",
            "2026-11-20 06:11:41.000123+00",
            40.0,
        )
    ]


@pytest.mark.parametrize("seed", [1])
def test_any_order_of_the_files_gives_the_same_ledger(night: Ledger, tmp_path: Path, seed: int) -> None:
    files = []
    for number, job in enumerate(json.loads((FOLDER / "jobs_list.json").read_text())[:4]):
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(json.dumps(job))  # as /jobs_u/get gives it
    files += SAMPLES
    ledger = ingested(tmp_path / "project", random.Random(seed).sample(files, len(files)))  # noqa: S311  a shuffle, no secret
    for query in ("select * from runs order by run_id", "select * from steps order by step_id"):
        assert rows(ledger, query) == rows(night, query)


def test_a_job_seen_in_the_queue_and_then_completed_has_ended_in_either_order(tmp_path: Path) -> None:
    done = json.loads((FOLDER / "jobs_list.json").read_text())[0]
    queued = {
        name: value
        for name, value in done.items()
        if name not in ("success", "duration_ms", "is_skipped", "started_at")
    }
    files = [tmp_path / "queue.json", tmp_path / "completed.json"]
    files[0].write_text(json.dumps([queued | {"type": "QueuedJob", "running": False}]))
    files[1].write_text(json.dumps({"jobs": [done], "obscured_jobs": []}))
    for number, order in enumerate((files, files[::-1])):
        ledger = ingested(tmp_path / str(number), order)
        assert rows(ledger, "select status, duration_s from runs") == [("succeeded", 4.0)]


@needs_shared
def test_a_third_partys_fixture_is_one_running_job_and_one_failed(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FIXTURE])
    assert rows(ledger, "select automation, status, duration_s from runs order by 1") == [
        ("f/example/night", "failed", 59.0),
        ("u/example/lights", "running", None),
    ]


def test_a_job_is_known_though_its_kind_stands_behind_a_long_result(tmp_path: Path) -> None:
    job = {"type": "CompletedJob", "workspace_id": "acme", "id": "018f6c2e-1a2b-4c3d-8e4f-5a6b7c8d9e60", "created_by": "ann",
           "created_at": "2026-11-20T06:00:00Z", "started_at": "2026-11-20T06:00:01Z", "duration_ms": 10, "success": True,
           "script_path": "f/x", "result": {"rows": ["x" * 80] * 2000}, "job_kind": "script", "is_flow_step": False}  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps(job))
    with ingested(tmp_path / "p", [tmp_path / "job.json"]) as ledger:
        assert rows(ledger, "select status, duration_s from runs") == [("succeeded", 0.01)]

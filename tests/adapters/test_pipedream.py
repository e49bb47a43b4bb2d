"""Pipedream: own samples in `pipedream/`, and the examples of the vendor's API reference."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "pipedream"
SAMPLES = sorted(file for file in FOLDER.iterdir() if file.name != "SOURCE.md")
EXAMPLES = SHARED / "samples" / "pipedream"


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """All samples."""
    return ingested(tmp_path_factory.mktemp("night"), SAMPLES)


def test_each_error_is_a_failed_run_and_its_code_may_say_more(night: Ledger) -> None:
    assert rows(
        night, "select right(native_id, 2), attempt, role, status, error_type, error_message from runs order by 1, 2"
    ) == [
        ("01", 1, "work", "failed", "HttpError", "HttpError: 409 Conflict: ORD-1 is locked"),
        ("02", 1, "work", "timed_out", "TimeoutError", "TimeoutError: Timed out after 30s"),
        ("03", 1, "work", "failed", "Error", "Error: 503 from the shop"),
        ("03", 2, "work", "failed", "Error", "Error: 503 from the shop"),
        ("05", 1, "test", "crashed", "OutOfMemory", "OutOfMemory: Exceeded memory limit"),
        ("11", 1, "work", "failed", "Error", "Error: boom"),
        ("12", 1, "work", "failed", "Error", "Error: boom"),
    ]


def test_tries_of_one_run_share_a_root_and_each_has_the_step_that_failed(night: Ledger) -> None:
    assert rows(
        night,
        """select runs.attempt, right(root_run_id, 2), name, steps.status, steps.ended_at::VARCHAR from runs join steps using (run_id)
        where right(native_id, 2) = '03' order by 1""",
    ) == [
        (1, "03", "c_push01", "failed", "2025-11-20 06:02:01+00"),
        (2, "03", "c_push01", "failed", "2025-11-20 06:02:31+00"),
    ]


def test_a_golden_run(night: Ledger) -> None:
    assert rows(
        night,
        """select run_id, automation_id, "trigger", version, status_raw, started_at::VARCHAR, ended_at::VARCHAR, duration_s
        from runs where right(native_id, 2) = '01'""",
    ) == [
        (
            "pipedream:2kodJIW7jVnKfvB2yp1OoPrtb01",
            "pipedream:p_orders1",
            "HTTP",
            "d_v7abc",
            "error",
            "2025-11-20 06:00:00.652+00",
            "2025-11-20 06:00:12.077+00",
            11.425,
        )
    ]


def test_a_file_of_errors_covers_its_time_as_filtered(night: Ledger) -> None:
    assert rows(night, "select distinct completeness from coverage where covers_from is not null") == [("filtered",)]


def test_an_event_cut_off_is_a_reject_that_says_what_to_do(tmp_path: Path) -> None:
    result = take_in(tmp_path, [FOLDER / "errors_event_summaries.json"])
    assert (result.records_read, result.mapped, result.set_aside, result.rejects) == (7, 6, 0, 1)
    assert rows(ingested(tmp_path, []), "select reason from rejects") == [
        ("the event is cut off: export it again with expand=event",)
    ]


def test_emitted_events_are_set_aside(tmp_path: Path) -> None:
    result = take_in(tmp_path, [FOLDER / "event_summaries.json"])
    assert (result.records_read, result.mapped, result.set_aside) == (1, 0, 1)


@pytest.mark.parametrize("seed", [1])
def test_any_order_of_the_files_gives_the_same_ledger(night: Ledger, tmp_path: Path, seed: int) -> None:
    files = random.Random(seed).sample(SAMPLES, len(SAMPLES))  # noqa: S311  a shuffle, no secret
    ledger = ingested(tmp_path, files[::-1])
    for query in ("select * from runs order by run_id", "select * from steps order by step_id"):
        assert rows(ledger, query) == rows(night, query)


@needs_shared
def test_the_vendors_examples_are_one_failed_run_and_one_emitted_event(tmp_path: Path) -> None:
    files = [EXAMPLES / "errors_event_summaries.json", EXAMPLES / "emits_event_summaries.json"]
    result = take_in(tmp_path, files)
    assert (result.mapped, result.set_aside, result.rejects) == (1, 1, 0)
    assert rows(ingested(tmp_path, []), "select native_id, status, error_type, duration_s from runs") == [
        ("1kodJIW7jVnKfvB2yp1OoPrtbFk", "failed", "InternalFailure", 11.425)
    ]

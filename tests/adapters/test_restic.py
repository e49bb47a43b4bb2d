"""restic against a log captured from 0.14.0, and against the formats of 0.17."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support import ingested, rows, take_in

from aftershock.adapters.base import RecordError
from aftershock.adapters.restic import STATUS, read
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "restic"
FILES = [FOLDER / name for name in ("restic.log", "snapshots.json", "nightly_017.jsonl", "plain.txt")]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("restic"), FILES)


def test_every_invocation_of_the_capture_has_the_status_that_was_caused() -> None:
    found = [record for record in read(FOLDER / "restic.log") if not isinstance(record, RecordError)]
    assert [(record["command"], record["status"]) for record in found if record["kind"] == "run"] == [
        ("init", "succeeded"),
        ("backup", "succeeded"),
        ("backup", "succeeded"),
        ("backup", "partial"),  # a path was missing, and the exit code is 0
        ("snapshots", "succeeded"),
        ("restic", "failed"),  # a wrong password: what it should have done is not said
        ("check", "succeeded"),
    ]


def test_a_backup_and_its_entry_in_the_list_of_snapshots_are_one_run(ledger: Ledger) -> None:
    found = rows(
        ledger,
        "select native_id, status, started_at::VARCHAR, items_in, items_out, error_message from runs where native_id in ('18f9f154', '4732b4d4') order by 1",
    )
    assert found == [
        ("18f9f154", "succeeded", "2026-11-23 02:19:27.295724+00", 3, 3, None),
        ("4732b4d4", "partial", "2026-11-23 02:19:28.833021+00", 3, 0, "/nonexistent/globex does not exist, skipping"),
    ]


def test_from_0_17_on_the_summary_has_times_and_the_end_its_code(ledger: Ledger) -> None:
    found = rows(
        ledger,
        "select status, status_raw, duration_s, ended_at::VARCHAR, error_message from runs where native_id = 'bbf9f154'",
    )
    assert found == [
        ("partial", "exit 3", 4.5, "2026-11-22 03:00:04.6+00", "Warning: at least one source file could not be read")
    ]
    assert rows(ledger, "select status, items_in, items_out, duration_s from runs where native_id = 'aaf9f154'") == [
        ("succeeded", 10, 4, 4.0)
    ]
    assert rows(ledger, "select status, error_message from runs where status_raw = 'exit 12'") == [
        ("failed", "wrong password or no key found")
    ]


def test_a_backup_that_reports_only_progress_has_no_known_end(ledger: Ledger) -> None:
    assert rows(ledger, "select status from runs where status_raw = 'no end'") == [("unknown",)]


def test_plain_text_without_exit_codes(ledger: Ledger) -> None:
    found = rows(
        ledger,
        "select status, status_raw, items_in, items_out, duration_s from runs where automation like 'plain%' order by 1",
    )
    assert found == [("cancelled", "interrupted", None, None, None), ("partial", "with errors", 1249, 1239, 3723.0)]


def test_any_order_of_the_files_gives_the_same_ledger(ledger: Ledger, tmp_path: Path) -> None:
    again = ingested(tmp_path, random.Random(2).sample(FILES, len(FILES)))  # noqa: S311
    query = "select * exclude (first_seen_at, last_seen_at) from runs order by run_id"
    assert rows(again, query) == rows(ledger, query)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 5, 10, 11, 12, 130, 137, 143])
def test_every_exit_code_has_its_status(tmp_path: Path, code: int) -> None:
    log = tmp_path / "restic.log"
    log.write_text(f"using parent snapshot 18f9f154\nrestic exited with code {code}\n")
    [record] = [record for record in read(log) if not isinstance(record, RecordError)]
    expected = STATUS[f"exit {code}"]
    assert record["status"] == ("failed" if expected == "unknown" else expected)


def test_a_line_cut_off_is_a_reject_and_the_rest_is_kept(tmp_path: Path) -> None:
    cut = tmp_path / "cut.jsonl"
    cut.write_text((FOLDER / "nightly_017.jsonl").read_text()[:-20])
    result = take_in(tmp_path / "project", [cut])
    assert (result.mapped, result.rejects) == (2, 1)

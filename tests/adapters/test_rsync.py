"""rsync against what 3.5.0 printed and logged, and against the formats of 3.2."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import ingested, rows

from aftershock.adapters.rsync import STATUS, read_output
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "rsync"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    files = sorted(file for file in FOLDER.iterdir() if file.name != "SOURCE.md")
    return ingested(tmp_path_factory.mktemp("rsync"), files)


def test_every_invocation_has_the_code_that_was_caused(ledger: Ledger) -> None:
    query = "select status, status_raw, error_type, items_in, items_out from runs where automation = '{}' order by native_id"
    assert rows(ledger, query.format("rsync_stdout")) == [
        ("succeeded", "code 0", None, 5, 3),
        ("failed", "code 11", "code 11", None, None),
        ("partial", "code 23", "code 23", None, None),  # printed alone, it does not say that nothing was there
        ("failed", "code 10", "code 10", None, None),
    ]
    assert rows(ledger, query.format("rsync_logfile")) == [
        ("succeeded", "totals", None, 5, 3),
        ("failed", "code 11", "code 11", None, None),
        ("failed", "nothing transferred", "code 23", None, None),
        ("failed", "code 10", "code 10", None, None),
    ]


def test_the_error_is_what_went_wrong_and_not_only_its_code(ledger: Ledger) -> None:
    found = rows(ledger, "select error_message from runs where native_id like '%:15425'")
    assert found == [('[sender] link_stat "/srv/agency/logs/state/nosuch" failed: No such file or directory (2)',)]


def test_log_times_are_local_and_flagged_and_printed_output_has_none(ledger: Ledger) -> None:
    found = rows(ledger, "select started_at::VARCHAR, tz_assumed from runs where native_id like '%:15418'")
    assert found == [("2026-11-23 02:19:32+00", True)]
    assert rows(ledger, "select count(started_at) from runs where automation = 'rsync_stdout'") == [(0,)]


def test_processes_in_one_log_are_told_apart_and_so_are_runs_of_one_process_id(ledger: Ledger) -> None:
    found = rows(ledger, "select native_id, status, status_raw from runs where automation = 'daemon' order by 1")
    assert found == [
        ("2026-11-22T03:00:00Z:501", "succeeded", "totals"),
        ("2026-11-22T03:00:00Z:502", "running", "no end"),
        ("2026-11-22T04:00:00Z:501", "partial", "code 23"),
    ]


def test_printed_invocations_without_exit_codes_end_with_their_totals_or_error(ledger: Ledger) -> None:
    found = rows(
        ledger,
        "select status, status_raw, items_in, items_out from runs where automation = 'printed' order by native_id",
    )
    assert found == [
        ("succeeded", "totals", 1205, 1001),
        ("partial", "code 24", None, None),
        ("timed_out", "code 30", None, None),
        ("cancelled", "code 20", None, None),
    ]


@pytest.mark.parametrize("code", [0, 1, 2, 3, 5, 10, 12, 14, 19, 20, 21, 22, 23, 24, 25, 30, 35, 130, 137, 143])
def test_every_exit_code_has_its_status(tmp_path: Path, code: int) -> None:
    log = tmp_path / "rsync.log"
    log.write_text(f"rsync: [sender] something\nexit={code}\n")
    [record] = read_output(log)
    expected = STATUS[f"code {code}"]
    assert record["status"] == ("failed" if expected == "unknown" else expected)

"""rclone against logs captured from 1.60.1, and against invocations appended to one text log."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import ingested, rows, take_in

from aftershock.adapters.base import RecordError
from aftershock.adapters.rclone import STATUS, read
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "rclone"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    files = sorted(file for file in FOLDER.iterdir() if file.name != "SOURCE.md")
    return ingested(tmp_path_factory.mktemp("rclone"), files)


def test_every_invocation_ends_as_it_did(ledger: Ledger) -> None:
    found = rows(
        ledger,
        "select status, status_raw, error_message, items_in, items_out from runs where automation like 'rclone%'",
    )
    assert sorted(found, key=str) == sorted(
        [
            ("succeeded", "exit 0", None, 3, 3),  # copy
            ("failed", "exit 3", "Failed to copy: directory not found", 0, 0),  # missing source
            ("succeeded", "exit 0", None, 3, 0),  # check
            (
                "failed",
                "exit 1",
                'Failed to create file system for "noremote:acme": didn\'t find section in config file',
                None,
                None,
            ),
            ("succeeded", "no errors", None, 3, 3),  # sync, whose exit code stands alone in the other log
        ],
        key=str,
    )
    assert rows(ledger, "select count(*) from set_aside where reason = 'an exit code without a log'") == [(1,)]


def test_durations_are_those_of_the_statistics_and_only_text_times_are_local(ledger: Ledger) -> None:
    found = rows(ledger, "select duration_s, tz_assumed from runs where items_in = 3 and items_out = 3 order by 1")
    assert found == [(0.1, True), (0.241873396, False)]


def test_invocations_appended_to_one_log_part_where_statistics_begin_anew(ledger: Ledger) -> None:
    found = rows(
        ledger,
        "select started_at::VARCHAR, status, status_raw, items_out, duration_s, error_message from runs where automation = 'appended' order by 1",
    )
    assert found == [
        ("2026-11-21 03:00:00+00", "succeeded", "no errors", 2001, 120.5, None),  # statistics each minute are one run
        ("2026-11-22 03:00:00+00", "succeeded", "no errors", 1, 2.0, None),  # the second attempt succeeded
        ("2026-11-23 03:00:00+00", "failed", "failed to", None, 1.0, "Failed to copy: 403 Forbidden"),
        ("2026-11-24 03:00:00+00", "unknown", "no end", None, None, None),
    ]


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 130, 137, 143])
def test_every_exit_code_has_its_status(tmp_path: Path, code: int) -> None:
    log = tmp_path / "rclone.log"
    log.write_text(f"2026/11/21 03:00:00 INFO  : a.csv: Copied (new)\nexit={code}\n")
    [record] = [record for record in read(log) if not isinstance(record, RecordError)]
    expected = STATUS[f"exit {code}"]
    assert record["status"] == ("failed" if expected == "unknown" else expected)


def test_a_line_cut_off_is_a_reject_and_the_rest_is_kept(tmp_path: Path) -> None:
    cut = tmp_path / "cut.log"
    cut.write_text("\n".join((FOLDER / "rclone_json.log").read_text().splitlines()[:5])[:-30])
    result = take_in(tmp_path / "project", [cut])
    assert (result.mapped, result.rejects) == (1, 1)

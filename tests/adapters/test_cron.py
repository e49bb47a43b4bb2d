"""cron and systemd against logs captured from Debian 12: one machine's 67 firings in eight forms."""

from __future__ import annotations

import gzip
import os
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.adapters._syslog import json_entry, syslog_line
from aftershock.adapters.base import RecordError
from aftershock.adapters.cron import STATUS, read_text
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "cron"
CAPTURED = sorted((FOLDER / "captured").iterdir())
JOURNAL = FOLDER / "captured" / "journal.json.gz"
FULL = SHARED / "captures" / "cron" / "raw"

# SOURCE.md's table for the four minutes in which cron logged ends, and the two in which it did not. A swallowed error, a warning,
# a skip and a success on the third attempt are all exit 0 to cron.
JOBS = {
    "job.sh crm_sync acme ORD-1001 ok": "succeeded",
    "systemd-cat -t journal_job": "succeeded",
    "job.sh crm_sync globex ORD-2002 fail": "failed",
    "job.sh lead_enrichment initech ORD-3001 retry": "succeeded",
    "job.sh nightly_digest globex - skip": "succeeded",
    "job.sh invoice_export acme ORD-1003 timeout": "timed_out",
    "job.sh invoice_export initech ORD-3002 kill": "crashed",
    "job.sh crm_sync initech ORD-3003 warn": "succeeded",
    "job.sh invoice_export globex ORD-2003 swallow": "succeeded",
    "does_not_exist.sh": "failed",
    "logger --rfc5424": "succeeded",
}
COUNTS = {"succeeded": 29, "failed": 8, "timed_out": 4, "crashed": 4, "unknown": 22}


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """The complete journal."""
    return ingested(tmp_path_factory.mktemp("journal"), [JOURNAL])


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """The same machine's log in all forms at once."""
    return ingested(tmp_path_factory.mktemp("everything"), CAPTURED)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("written"), sorted((FOLDER / "written").iterdir()))


def statuses(ledger: Ledger) -> dict[object, object]:
    return dict(rows(ledger, "select status, count(*) from runs group by 1"))


def test_every_firing_has_the_status_that_was_caused_where_cron_logged_ends(journal: Ledger) -> None:
    for job, status in JOBS.items():
        found = rows(
            journal,
            f"""select status, count(*) from runs where contains(automation, '{job}') and started_at < '2026-11-23 02:22:00+00' group by 1""",
        )
        assert found == [(status, 4)], job
    assert rows(journal, "select status from runs where automation like '%boot_check%'") == [("succeeded",)]


def test_by_default_cron_logs_no_end_and_the_runs_are_not_green(journal: Ledger) -> None:
    found = rows(
        journal,
        "select status, count(*), count(ended_at) from runs where started_at >= '2026-11-23 02:22:00+00' group by 1",
    )
    assert found == [("unknown", 22, 22)]  # that they ended is known from the sessions that PAM closed
    assert statuses(journal) == COUNTS


def test_exit_codes_are_those_that_cron_logged(journal: Ledger) -> None:
    found = rows(journal, "select status_raw, count(*) from runs where status_raw like 'exit %' group by 1 order by 1")
    assert found == [("exit 124", 4), ("exit 127", 4), ("exit 137", 4), ("exit 3", 4)]


def test_what_a_job_said_in_the_same_session_is_its_error(journal: Ledger) -> None:
    query = """select error_type, error_message, count(*) from runs where status_raw in ('exit 3', 'exit 137') group by all order by all"""
    assert rows(journal, query) == [
        ("exit status 137", "exit status 137", 4),
        ("exit status 3", "ERROR CrmError: 409 Conflict order_id=ORD-2002 client=globex locked by jdoe", 3),
        ("exit status 3", "exit status 3", 1),  # journald lost the session of this one's lines
    ]


def test_eight_forms_of_one_log_are_the_same_67_runs(everything: Ledger) -> None:
    assert statuses(everything) == COUNTS


def test_any_order_of_the_forms_gives_the_same_ledger(everything: Ledger, tmp_path: Path) -> None:
    files = random.Random(3).sample(CAPTURED, len(CAPTURED))  # noqa: S311
    query = "select * from runs order by run_id"
    assert rows(ingested(tmp_path, files), query) == rows(everything, query)


@pytest.mark.parametrize("name", ["cron.log.gz", "syslog_rfc5424.log.gz"])
def test_a_log_with_holes_claims_no_success_it_cannot_know(tmp_path: Path, name: str) -> None:
    ledger = ingested(tmp_path, [FOLDER / "captured" / name])
    found = statuses(ledger)
    assert set(found) == {"failed", "timed_out", "crashed", "unknown"}
    assert found["failed"] + found["timed_out"] + found["crashed"] == 13  # type: ignore[operator]
    assert rows(ledger, "select count(started_at) from runs") == [(48,)]  # the CMD lines that got through


def test_a_run_that_straddles_two_files_is_one(journal: Ledger, tmp_path: Path) -> None:
    lines = gzip.open(JOURNAL).read().splitlines(keepends=True)  # noqa: SIM115
    query = "select run_id, status, started_at, ended_at, automation from runs order by 1"
    whole = rows(journal, query)
    parts = [tmp_path / f"journal.{number}" for number in range(3)]
    for part, (begin, end) in zip(parts, ((0, 120), (120, 333), (333, None)), strict=True):
        part.write_bytes(b"".join(lines[begin:end]))
    assert rows(ingested(tmp_path / "project", [parts[2], parts[0], parts[1]]), query) == whole


def test_a_start_whose_end_is_yet_to_come_is_running_and_then_ends(tmp_path: Path) -> None:
    start = "Nov 23 02:18:01 vm CRON[77]: (root) CMD ([78] /srv/job/sync.sh acme)\n"
    early, late = tmp_path / "early", tmp_path / "late"
    early.write_text(start)
    late.write_text(start + "Nov 23 02:18:09 vm CRON[77]: (root) END ([78] /srv/job/sync.sh acme)\n")
    query = "select status, duration_s from runs"
    assert rows(ingested(tmp_path / "one", [early]), query) == [("running", None)]
    assert rows(ingested(tmp_path / "two", [late, early]), query) == [("succeeded", 8.0)]


def test_overlapping_runs_of_one_job_are_told_apart_by_their_process(written: Ledger) -> None:
    query = """select substr(started_at::VARCHAR, 12, 8), substr(ended_at::VARCHAR, 12, 8), status from runs
        where native_id like '%:21400' or native_id like '%:21500' order by 1"""
    assert rows(written, query) == [("04:05:01", "04:12:00", "unknown"), ("04:10:01", "04:10:09", "unknown")]


def test_cronie_logs_ends_but_never_how_and_anacron_does(written: Ledger) -> None:
    found = rows(
        written,
        "select automation, status, status_raw from runs where native_id like '%:21347' or native_id like '%:21358'",
    )
    assert sorted(found) == [
        ("cron.daily", "failed", "exit 1"),
        ("run-parts /etc/cron.hourly", "unknown", "end without its status"),
    ]


def test_busybox_logs_starts_only(written: Ledger) -> None:
    found = rows(
        written, "select status, status_raw, count(*) from runs where automation = '/srv/job/digest.sh' group by all"
    )
    assert found == [("unknown", "end is not logged", 2)]


def test_octet_counted_frames_may_hold_line_ends(written: Ledger) -> None:
    found = rows(written, "select status, duration_s from runs where native_id like '%:77-78'")
    assert found == [("failed", 2.000001)]


def test_units_of_systemd_are_runs_with_the_result_that_it_names(written: Ledger) -> None:
    found = rows(
        written,
        "select native_id, status, status_raw, error_message from runs where native_id like '%@2026%' and automation_id not like '%web1%' order by 1",
    )
    assert found == [
        ("Invoice export@2026-11-23T04:00:00Z", "failed", "exit-code", "exit-code"),
        ("Nightly backup@2026-11-23T03:00:00Z", "succeeded", "deactivated successfully", None),
        ("backup.service@2026-11-23T03:00:00Z", "succeeded", "deactivated successfully", None),
        ("crm.service@2026-11-23T06:00:00Z", "timed_out", "timeout", "timeout"),
        (
            "digest.service@2026-11-23T05:00:00Z",
            "crashed",
            "signal-kill",
            "main process exited, code=killed, status=9/KILL",
        ),
        (
            "invoices.service@2026-11-23T04:00:00Z",
            "failed",
            "exit-code",
            "main process exited, code=exited, status=3/NOTIMPLEMENTED",
        ),
        ("report.service@2026-11-23T08:00:00Z", "skipped", "condition", None),
        ("worker.service@2026-11-23T07:00:00Z", "cancelled", "stopped", None),
        ("worker.service@2026-11-23T07:30:01Z", "running", "started", None),
    ]


def test_in_the_journal_a_unit_goes_by_its_invocation_and_bytes_are_text(written: Ledger) -> None:
    found = rows(written, "select status, error_message from runs where native_id = '5b1c0f4e9a3f4f0db6d5f3a1c2e4d6f8'")
    assert found == [("failed", "cannot read ORD-1001 \ufffd")]


def test_a_time_without_a_year_is_the_last_one_that_is_not_in_the_future(tmp_path: Path) -> None:
    cases = [
        (datetime(2027, 1, 4, tzinfo=UTC), "Dec 31 23:59:58", "2026-12-31 23:59:58+00"),
        (datetime(2026, 12, 31, tzinfo=UTC), "Dec 31 23:59:57", "2026-12-31 23:59:57+00"),
        (datetime(2027, 1, 4, tzinfo=UTC), "Jan  3 00:00:01", "2027-01-03 00:00:01+00"),
        (datetime(2029, 1, 1, tzinfo=UTC), "Feb 29 00:00:01", "2028-02-29 00:00:01+00"),
    ]
    files = [tmp_path / f"{number}.log" for number in range(len(cases))]
    for file, (modified, line, _) in zip(files, cases, strict=True):
        file.write_text(f"{line} {file.stem} CRON[77]: (root) CMD (/srv/job/sync.sh)\n")
        os.utime(file, (modified.timestamp(), modified.timestamp()))
    found = rows(
        ingested(tmp_path / "project", files), "select started_at::VARCHAR, tz_assumed from runs order by run_id"
    )
    assert found == [(begun, True) for _, _, begun in cases]


def test_a_new_year_inside_a_log_belongs_to_both_years(tmp_path: Path) -> None:
    log = tmp_path / "cron.log"
    log.write_text(
        "Dec 31 23:59:58 vm CRON[77]: (root) CMD ([78] /srv/job/sync.sh)\n"
        "Jan  1 00:00:03 vm CRON[77]: (root) END ([78] /srv/job/sync.sh)\n"
        "Jul  1 00:00:03 vm CRON[99]: (root) CMD ([98] /srv/job/sync.sh)\n"
    )
    at = datetime(2027, 7, 1, 12, tzinfo=UTC).timestamp()
    os.utime(log, (at, at))
    zone = '[[sources]]\nname = "cron"\ntool = "cron"\ntime_zone = "Europe/Berlin"\n'
    found = rows(
        ingested(tmp_path / "project", [log], zone), "select started_at::VARCHAR, duration_s from runs order by 1"
    )
    assert found == [("2026-12-31 22:59:58+00", 5.0), ("2027-06-30 22:00:03+00", None)]


def test_secrets_in_a_command_do_not_become_part_of_ids(tmp_path: Path) -> None:
    log = tmp_path / "cron.log"
    log.write_text(
        "Nov 23 02:18:01 vm CRON[77]: (root) CMD (curl -H 'Authorization: Bearer abcdef0123456789abcdef' https://x.example)\n"
    )
    ledger = ingested(tmp_path / "project", [log])
    for table in ("runs", "automations"):
        assert "abcdef0123456789abcdef" not in str(rows(ledger, f"select * from {table}"))


def test_a_log_in_which_neither_cron_nor_systemd_speaks_is_claimed_by_nobody(tmp_path: Path) -> None:
    result = take_in(tmp_path, sorted((FOLDER / "not_ours").iterdir()))
    assert [file.outcome for file in result.files] == ["unknown"]


@pytest.mark.parametrize(
    ("text", "app", "pid", "message"),
    [
        ("<78>Nov 23 02:18:01 CRON[77]: (root) CMD (x)", "CRON", "77", "(root) CMD (x)"),
        ("Nov  3 02:18:01 vm /USR/SBIN/CRON[77]: (root) CMD (x)", "/USR/SBIN/CRON", "77", "(root) CMD (x)"),
        ("2026-11-23T02:17:54+0000 vm CRON[77]: hello", "CRON", "77", "hello"),
        ("Mon 2026-11-23 02:17:54 UTC vm CRON[77]: hello", "CRON", "77", "hello"),
        ("Nov 23 02:17:54.358272 vm CRON[77]: hello", "CRON", "77", "hello"),
        ('<78>1 2026-11-23T02:18:01Z vm CRON 77 - [a@1 b="c\\"]"][d] hello', "CRON", "77", "hello"),
        ("<86>1 2015-08-06T21:58:59.694Z 192.168.2.133 inactive - - - hello", "inactive", None, "hello"),
        ("<86>1 - - - - - -", "", None, ""),
    ],
)
def test_lines_of_all_ages_are_taken_apart(text: str, app: str, pid: str | None, message: str) -> None:
    entry = syslog_line(text)
    assert entry is not None
    assert (entry.app, entry.pid, entry.message) == (app, pid, message)


def test_journal_fields_may_be_null_or_several() -> None:
    entry = json_entry(
        {"__REALTIME_TIMESTAMP": "1", "MESSAGE": None, "_PID": ["7", "8"], "PRIORITY": "x", "_HOSTNAME": "vm"}
    )
    assert entry is not None
    assert (entry.message, entry.pid, entry.priority) == ("", "7", None)


@pytest.mark.parametrize(
    "word", ["watchdog", "core-dump", "oom-kill", "resources", "protocol", "start-limit-hit", "exec-condition"]
)
def test_every_result_of_a_unit_has_its_status(tmp_path: Path, word: str) -> None:
    log = tmp_path / "units.log"
    log.write_text(
        "2026-11-23T03:00:00Z db systemd[1]: Starting x.service - X...\n"
        f"2026-11-23T03:00:01Z db systemd[1]: x.service: Failed with result '{word}'.\n"
    )
    [record] = read_text(log)
    assert not isinstance(record, RecordError)
    assert (record["word"], record["status"]) == (word, STATUS[word])
    assert record["status"] != "unknown"


@needs_shared
def test_the_large_forms_are_the_same_runs_too(tmp_path: Path) -> None:
    files = [
        FULL / name
        for name in (
            "syslog_jsonmesg.jsonl",
            "journal_short_iso.txt",
            "journal_short_cron.txt",
            "syslog_rfc3164_traditional.log",
        )
    ]
    assert statuses(ingested(tmp_path, files)) == COUNTS

"""Scripts' own logs against captures whose truth stands in `script_logs/truth_*.tsv`, and against other libraries' formats."""

from __future__ import annotations

import csv
import gzip
import random
from pathlib import Path

import pytest
from support import ingested, rows, take_in

from aftershock.adapters._lines import json_line, logfmt_line, text_line
from aftershock.adapters.script_logs import STATUS, is_end, is_start, verdict
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "script_logs"
CAUSED = {"success": "succeeded", "failed": "failed", "timeout": "timed_out", "skipped": "skipped", "cancelled": "cancelled",
          "(none)": "running"}  # fmt: skip
FORMATS = {"text": "worker_text.log*", "logfmt": "worker.logfmt*", "json": "worker.jsonl*", "default": "worker_default*",
           "rotating": "worker_rotating*"}  # fmt: skip
CLIENTS = """
[[clients]]
id = "globex"
name = "Globex"
runs = [{ source = "script", path = "client", equals = "globex" }]

[[records]]
entity = "order"
pattern = 'ORD-\\d+'
"""


def truth(kind: str) -> dict[str, str]:
    """Run id and status as caused."""
    with (FOLDER / f"truth_{kind}.tsv").open() as table:
        return {row[0]: CAUSED[row[5]] for row in csv.reader(table, delimiter="\t")}


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ledger]:
    """All generations of each format."""
    return {
        kind: ingested(tmp_path_factory.mktemp(kind), sorted(FOLDER.glob(pattern)), CLIENTS)
        for kind, pattern in FORMATS.items()
    }


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("libraries"), sorted((FOLDER / "libraries").iterdir()))


@pytest.mark.parametrize("kind", ["text", "logfmt", "json", "default"])
def test_every_run_has_the_status_that_was_caused(ledgers: dict[str, Ledger], kind: str) -> None:
    assert dict(rows(ledgers[kind], "select native_id, status from runs")) == truth(kind)


@pytest.mark.parametrize("kind", ["text", "logfmt", "json"])
def test_the_counts_are_those_of_the_capture(ledgers: dict[str, Ledger], kind: str) -> None:
    found = dict(rows(ledgers[kind], "select status, count(*) from runs group by 1"))
    assert found == {"succeeded": 24, "failed": 6, "timed_out": 6, "skipped": 6, "cancelled": 6, "running": 1}
    assert rows(ledgers[kind], "select count(*) from rejects") == [(0,)]


def test_of_rotated_logs_every_run_that_survives_is_joined_across_files(ledgers: dict[str, Ledger]) -> None:
    caused = truth("rotating")
    found = dict(rows(ledgers["rotating"], "select native_id, status from runs"))
    text = "".join(file.read_text() for file in FOLDER.glob("worker_rotating*"))
    assert set(found) == {run for run in caused if run in text}
    assert found == {run: caused[run] for run in found}
    straddling = rows(
        ledgers["rotating"], "select count(*) from runs where started_at is null and ended_at is not null"
    )
    assert straddling == [(0,)] or straddling == [(1,)]  # at most the one whose start was rotated away


def test_a_killed_run_is_a_start_without_an_end_and_stays_unfinished(ledgers: dict[str, Ledger]) -> None:
    for kind in ("text", "logfmt", "json"):
        found = rows(ledgers[kind], "select status, status_raw, ended_at from runs where native_id = 'deadbeef'")
        assert found == [("running", "no end", None)]


def test_a_traceback_over_many_lines_is_the_error_of_its_run(ledgers: dict[str, Ledger]) -> None:
    for kind in ("text", "logfmt", "json", "default"):
        found = rows(ledgers[kind], "select distinct error_type, error_message from runs where status = 'failed'")
        assert found == [("CrmError", '409 Conflict: ORD-2002 locked by "jdoe"')]


def test_an_error_that_was_swallowed_is_no_failure(ledgers: dict[str, Ledger]) -> None:
    with (FOLDER / "truth_text.tsv").open() as table:
        swallowed = [row[0] for row in csv.reader(table, delimiter="\t") if row[4] == "swallow"]
    found = rows(
        ledgers["text"],
        f"select status, error_type, count(*) from runs where native_id in {tuple(swallowed)} group by all",
    )
    assert found == [("succeeded", None, 6)]


def test_what_a_timeout_says_before_its_end_is_its_error(ledgers: dict[str, Ledger]) -> None:
    found = rows(
        ledgers["text"], "select distinct error_message from runs where status in ('timed_out', 'cancelled') order by 1"
    )
    assert found == [("cancelled by operator",), ("timed out: deadline of 30s exceeded",)]


def test_the_default_format_has_no_times_and_the_runs_have_none_either(ledgers: dict[str, Ledger]) -> None:
    found = rows(ledgers["default"], "select count(*), count(started_at), count(ended_at), count(duration_s) from runs")
    assert found == [(16, 0, 0, 16)]


def test_naive_times_are_flagged_and_belong_to_the_configured_zone(ledgers: dict[str, Ledger], tmp_path: Path) -> None:
    assert rows(ledgers["text"], "select distinct tz_assumed from runs") == [(True,)]
    assert rows(ledgers["logfmt"], "select distinct tz_assumed from runs") == [(False,)]
    zone = '[[sources]]\nname = "script"\ntool = "script"\ntime_zone = "Europe/Berlin"\n'
    ledger = ingested(tmp_path, [FOLDER / "worker_text.log"], zone)
    found = rows(ledger, "select started_at::VARCHAR from runs where native_id = 'c684ac19'")
    assert found == [("2026-11-23 01:19:10.25+00",)]


def test_fields_give_job_client_order_items_and_duration(ledgers: dict[str, Ledger]) -> None:
    query = """select runs.automation, runs.client, runs.duration_s, runs.items_out, entity_key
        from runs join touches using (run_id) where native_id = '65f6a4db'"""
    assert rows(ledgers["logfmt"], query) == [("crm_sync", "globex", 0.0201, 9, "ORD-2002")]
    found = rows(ledgers["text"], "select automation, client from runs where native_id = 'e4b0b23a'")
    assert found == [("agency.crm_sync", "globex")]


def test_any_order_of_rotated_files_gives_the_same_ledger(ledgers: dict[str, Ledger], tmp_path: Path) -> None:
    files = sorted(FOLDER.glob(FORMATS["rotating"]))
    random.Random(1).shuffle(files)  # noqa: S311
    ledger = ingested(tmp_path, files, CLIENTS)
    query = "select * from runs order by run_id"
    assert rows(ledger, query) == rows(ledgers["rotating"], query)


def test_a_log_read_while_it_grows_and_again_later_tells_of_the_same_runs(tmp_path: Path) -> None:
    lines = (FOLDER / "worker_text.log").read_text().splitlines(keepends=True)
    early, late = tmp_path / "early.log", tmp_path / "late.log"
    early.write_text("".join(lines[:12]))
    late.write_text("".join(lines))
    ledger = ingested(tmp_path / "project", [late, early])
    assert rows(ledger, "select status from runs where native_id = '4abdd1a0'") == [("succeeded",)]
    assert rows(ledger, "select count(*) from runs") == [(17,)]


def test_lines_after_the_end_in_a_newer_file_do_not_open_the_run_again(tmp_path: Path) -> None:
    old, new = tmp_path / "w.log.1", tmp_path / "w.log"
    old.write_text(
        "2026-11-23 02:00:00,000 INFO [job] job started run_id=abcdef01\n2026-11-23 02:00:05,000 INFO [job] job finished status=failed run_id=abcdef01\n"
    )
    new.write_text(
        "2026-11-23 02:00:06,000 INFO [job] temporary files removed run_id=abcdef01\n2026-11-23 02:01:00,000 INFO [job] job started run_id=abcdef02\n"
    )
    ledger = ingested(tmp_path / "project", [old, new])
    found = rows(ledger, "select native_id, status from runs order by 1")
    assert found == [("abcdef01", "failed"), ("abcdef02", "running")]


def test_ids_that_any_log_may_count_are_of_their_log_through_its_rotations(tmp_path: Path) -> None:
    start = "2026-11-23 02:00:00,000 INFO [job] job started run_id=7\n"
    end = "2026-11-23 02:00:05,000 INFO [job] job finished status=ok run_id=7\n"
    for name, text in (
        ("a.log.1", start),
        ("a.log", end),
        ("b.log-20261123-1795400344.gz", start),
        ("b-2026-11-24.log", end),
    ):
        data = text.replace("INFO", "INFO" if name.startswith("a") else "DEBUG").encode()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    ledger = ingested(tmp_path / "project", sorted(tmp_path.glob("*.*")))
    found = rows(ledger, "select run_id, status from runs order by 1")
    assert found == [("script:a.log/7", "succeeded"), ("script:b.log/7", "succeeded")]


LIBRARIES = {
    "5f0c7a52-8d1e-4f7e-9a64-6f0f2f3f1a01": ("lead_enrichment", "partial", None, 2.5),  # winston
    "bun-77aa01": ("invoice_export", "succeeded", None, 3.0),
    "bun-77aa02": ("invoice_export", "timed_out", None, 30.0),
    "ecs-00000001": ("backup", "failed", "IOError", 9.0),
    "lg-000001": ("etl.orders", "succeeded", None, 4.0),
    "17": ("importer", "cancelled", None, 7.0),  # logrus
    "p-0001-aa": ("crm_sync", "failed", "CrmError", 0.011),
    "p-0002-bb": ("crm_sync", "succeeded", None, 0.211),
    "st-20261123-01": ("nightly_digest", "skipped", None, 0.2),
    "st-20261123-02": ("nightly_digest", "failed", "smtplib.SMTPException", 1.2),
    "zap-00000001": ("importer", "succeeded", None, 2.5),
}


def test_libraries_that_carry_a_run_id_in_their_own_way(libraries: Ledger) -> None:
    found = rows(
        libraries, "select native_id, automation, status, error_type, epoch_us(ended_at - started_at) / 1e6 from runs"
    )
    assert {row[0]: row[1:] for row in found if row[0] in LIBRARIES} == LIBRARIES


def test_without_run_ids_a_run_is_what_lies_between_start_and_end_of_a_logger(libraries: Ledger) -> None:
    found = rows(
        libraries,
        "select substr(started_at::VARCHAR, 12, 5), status, error_type from runs where automation = 'crm_sync' and native_id like '%2026%' order by 1",
    )
    assert found == [
        ("03:00", "succeeded", None),
        ("03:10", "failed", "ValueError"),
        ("03:20", "unknown", None),  # started again ten minutes later, and never ended
        ("03:30", "succeeded", None),
        ("03:40", "failed", "ZeroDivisionError"),  # not logged: the traceback alone stands there
    ]


def test_a_shell_script_that_echoes_its_exit_code(libraries: Ledger) -> None:
    found = rows(libraries, "select status, status_raw, duration_s from runs where automation = 'shell' order by 2")
    assert found == [("succeeded", "exit 0", 9.0), ("failed", "exit 2", 2.0)]


def test_logs_that_tell_of_no_runs_are_claimed_by_nobody(tmp_path: Path) -> None:
    result = take_in(tmp_path, sorted((FOLDER / "not_ours").iterdir()))
    assert {file.outcome for file in result.files} == {"unknown"}


def test_a_json_log_cut_off_in_its_last_line_keeps_the_others(tmp_path: Path) -> None:
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(
        b"\x00" * 64 + (FOLDER / "worker.jsonl").read_bytes()[:-40]
    )  # copied and truncated under an open handle
    result = take_in(tmp_path / "project", [cut])
    assert (result.mapped, result.rejects) == (16, 1)  # the last line is the only one of the killed run


@pytest.mark.parametrize(
    ("text", "logger", "level", "message"),
    [
        ("2026-11-23 02:19:10,250 INFO     [a.b] [14250:MainThread] hello", "a.b", "info", "hello"),
        ("2026-11-23 02:19:10,250 - a.b - WARNING - hello - you", "a.b", "warning", "hello - you"),
        ("2026-11-23T02:19:10.250+01:00 [ERROR] a.b: CrmError: no", "a.b", "error", "CrmError: no"),
        ("2026-11-23T02:19:10Z ERROR CrmError: no", None, "error", "CrmError: no"),
        ("[2026-11-23 02:19:10,250: INFO/MainProcess] hello", None, "info", "hello"),
        ("2026/11/23 02:19:10 job started", None, "", "job started"),
        ("2026-11-23 02:19:10 a.b[77]: INFO hello", "a.b", "info", "hello"),
        ("INFO 2026-11-23 02:19:10,250 a.b 77 139 hello", None, "info", "a.b 77 139 hello"),
        ("[2026-11-23 02:19:10 +0000] [77] [INFO] hello", None, "info", "hello"),
        ("2026-11-23 02:19:10,250 INFO [c684ac19] a.b: hello", "a.b", "info", "hello"),
        ("INFO:a.b:hello: you", "a.b", "info", "hello: you"),
        ("2026-11-23 02:19:10.123 | INFO     | etl:main:12 - hello", "etl", "info", "hello"),
    ],
)
def test_text_lines_are_taken_apart(text: str, logger: str | None, level: str, message: str) -> None:
    line = text_line(text)
    assert line is not None
    assert (line.logger, line.level, line.message) == (logger, level, message)


@pytest.mark.parametrize(
    "text", ["", "Traceback (most recent call last):", "    raise", "INFO", "12:00 hello", "a,b,c"]
)
def test_what_is_no_log_line_is_none(text: str) -> None:
    assert text_line(text) is None
    assert logfmt_line(text) is None


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("job started", "start"),
        ("Starting backup of acme", "start"),
        ("Nightly import is starting", "start"),
        ("attempt 1/3 failed: 503, retrying", None),
        ("invoice has no total, ignored", None),
        ("Starting new HTTPS connection (1): crm.example:443", None),
        ("skipping: no new orders", None),
        ("sync completed", "end"),
        ("timed out: deadline of 30s exceeded", "end"),
        ("All done", "end"),
    ],
)
def test_starts_and_ends_are_told_from_what_only_sounds_like_them(message: str, kind: str | None) -> None:
    line = json_line({"message": message})
    assert ("start" if is_start(line) else "end" if is_end(line) else None) == kind


@pytest.mark.parametrize("word", sorted(STATUS.words))
def test_every_word_of_the_status_table_is_read_from_an_end(word: str) -> None:
    line = json_line({"message": "job finished", "status": word, "level": "info"})
    assert STATUS[verdict(line)] == STATUS[word]
    assert verdict(json_line({"message": "job finished", "status": 200})) == "completed"

"""Dagster against what was really caused: 62 runs of Dagster 1.13.27, their events, ticks, a debug export and databases."""

from __future__ import annotations

import csv
import gzip
import json
import random
import re
import sqlite3
from collections import Counter
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "dagster"
PAGES = [*(FOLDER / f"runs.page{number:03d}.json.gz" for number in range(4)), FOLDER / "runs.page004.json"]
EVENTS = sorted(FOLDER.glob("events.*.gz"))
STATUS = {
    "SUCCESS": "succeeded",
    "FAILURE": "failed",
    "CANCELED": "cancelled",
    "CANCELING": "running",
    "STARTED": "running",
    "QUEUED": "queued",
}
CLIENTS = """
[[clients]]
id = "acme"
name = "Acme"
runs = [{ source = "dagster", path = "client", equals = "acme" }]

[[records]]
entity = "order"
pattern = 'ORD-\\d+'
"""
ALL_OF_IT = ("select * from runs order by run_id", "select * from steps order by step_id")


def truth(name: str) -> list[dict[str, str]]:
    """A table of SOURCE.md."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def events_of(run: str) -> Path:
    return next(file for file in EVENTS if file.name.startswith(f"events.{run}"))


def together(file: Path, parts: list[Path]) -> Path:
    """Several answers after one another in one file."""
    texts = (gzip.decompress(part.read_bytes()) if part.suffix == ".gz" else part.read_bytes() for part in parts)
    file.write_bytes(b"\n".join(texts))
    return file


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """All runs with their steps, and nothing else."""
    folder = tmp_path_factory.mktemp("night")
    return ingested(folder, [together(folder / "pages.json", PAGES)], CLIENTS)


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """The events of seven runs, and the runs."""
    folder = tmp_path_factory.mktemp("logged")
    return ingested(folder, [together(folder / "events.json", EVENTS), together(folder / "pages.json", PAGES)], CLIENTS)


def test_every_job_has_as_many_runs_in_every_status_as_were_caused(night: Ledger) -> None:
    found = {
        (job, raw): n for job, raw, n in rows(night, "select automation, status_raw, count(*) from runs group by all")
    }
    assert found == {(row["job"], row["status"]): int(row["runs"]) for row in truth("truth_counts.tsv")}
    assert sum(int(str(n)) for n in found.values()) == 62


def test_every_deliberate_run_has_the_status_that_was_caused(night: Ledger) -> None:
    found = dict(rows(night, "select native_id, status from runs"))
    caused = {row["run"]: STATUS[row["status"]] for row in truth("truth_runs.tsv")}
    assert {run: found[run] for run in caused} == caused
    assert len(caused) == 37


def test_every_deliberate_run_has_the_steps_and_tries_that_were_seen(night: Ledger) -> None:
    last = """select step_key, arg_max(steps.status_raw, steps.attempt) as raw, count(*) as tries, run_id from steps group by step_key, run_id"""
    found: dict[str, dict[str, str]] = {}
    for run, step, raw, tries in rows(
        night, f"select native_id, step_key, raw, tries from ({last}) join runs using (run_id)"
    ):
        found.setdefault(str(run), {})[str(step)] = f"{raw}x{tries}" if tries != 1 else str(raw)
    for row in truth("truth_runs.tsv"):
        expected = dict(part.split("=") for part in row["steps"].split(", ") if part)
        assert found.get(row["run"], {}) == expected, row["order"]


def test_the_153_steps_have_the_statuses_that_the_capture_counted(night: Ledger) -> None:
    assert dict(
        rows(night, "select status_raw, count(*) from steps where status_raw <> 'UP_FOR_RETRY' group by 1")
    ) == {
        "SUCCESS": 107,
        "SKIPPED": 21,
        "FAILURE": 23,
        "IN_PROGRESS": 2,
    }
    assert rows(night, "select count(*) from steps where status_raw = 'UP_FOR_RETRY'") == [
        (14,)
    ]  # as many events say so


def test_retries_and_reexecutions_are_new_runs_that_share_four_roots(night: Ledger) -> None:
    assert rows(night, "select count(*), count(distinct root_run_id) from runs where retry_of is not null") == [(5, 4)]
    found = rows(night, "select count(*) from runs group by root_run_id having count(*) > 1 order by 1")
    assert found == [(2,), (2,), (2,), (3,)]


def test_triggers_are_told_from_tags(night: Ledger) -> None:
    assert dict(rows(night, "select trigger, count(*) from runs group by 1")) == {
        "schedule": 10,
        "sensor": 6,
        "backfill": 7,
        "retry": 2,
        "re-execution": 3,
        None: 34,
    }
    assert rows(night, "select distinct correlation_id from runs where trigger = 'backfill'") == [("navmrdtc",)]


def test_a_run_cancelled_in_the_queue_never_started(night: Ledger) -> None:
    [(started, ended, queued)] = rows(
        night,
        "select started_at, ended_at is not null, queued_at is not null from runs where starts_with(native_id, '53867f8a')",
    )
    assert (started, ended, queued) == (None, True, True)


def test_unfinished_runs_have_no_end_and_finished_ones_have_one(night: Ledger) -> None:
    assert rows(night, "select distinct is_finished, ended_at is not null from runs order by 1") == [
        (False, False),
        (True, True),
    ]


def test_a_step_that_was_tried_three_times_has_three_attempts_with_times_of_their_own(night: Ledger) -> None:
    found = rows(
        night,
        """select steps.attempt, steps.status, round(steps.duration_s, 3) from steps join runs using (run_id)
        where step_key = 'fetch_contacts' and starts_with(native_id, '89310411') order by 1""",
    )
    assert found == [(1, "failed", 0.305), (2, "failed", 0.099), (3, "succeeded", 0.436)]
    assert rows(night, "select status from runs where starts_with(native_id, '89310411')") == [("succeeded",)]


def test_a_step_that_its_killed_worker_left_stays_in_progress(night: Ledger) -> None:
    found = rows(
        night,
        """select runs.status, steps.status, steps.ended_at from steps join runs using (run_id) where starts_with(native_id, '8cfb0192')""",
    )
    assert found == [("failed", "running", None)]


def test_mapped_steps_keep_their_key_and_share_their_name(night: Ledger) -> None:
    found = rows(night, "select distinct step_key, name from steps where name = 'upsert' order by 1")
    assert found[:3] == [("upsert[c0]", "upsert"), ("upsert[c1]", "upsert"), ("upsert[c2]", "upsert")]


def test_tags_give_client_and_order(night: Ledger) -> None:
    found = rows(
        night,
        "select distinct runs.client, entity_key from touches join runs using (run_id) where starts_with(native_id, 'bd32ea2a')",
    )
    assert found == [("acme", "ORD-1002")]


def test_an_orphan_that_logged_on_for_four_minutes_does_not_move_the_end_of_its_run(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [events_of("8cfb0192")])
    assert rows(ledger, "select status, ended_at::varchar, last_seen_at::varchar, error_message from runs") == [
        (
            "failed",
            "2026-11-23 02:32:11.076+00",
            "2026-11-23 02:36:07.86+00",
            "This run has been marked as failed from outside the execution context.",
        )
    ]


def test_events_tell_errors_by_the_users_own_exception(logged: Ledger) -> None:
    found = rows(
        logged,
        "select native_id[:8], status, error_type, split_part(error_message, chr(10), 1) from runs where error_type is not null order by 1",
    )
    assert found == [
        ("014fdb60", "running", "RetryRequested", "Exceeded max_retries of 1"),
        (
            "446b7b2d",
            "failed",
            "DagsterSubprocessError",
            "dagster._core.errors.DagsterSubprocessError: During multiprocess execution errors occurred in child processes:",
        ),
        ("4de69922", "partial", "AssetCheckFailed", "Asset check 'scores_not_empty' on 'scored_leads' did not pass."),
        ("a33a91c0", "failed", "IndexError", "IndexError: list index out of range"),
    ]


def test_a_failed_asset_check_makes_a_success_partial(logged: Ledger) -> None:
    assert rows(logged, "select step_key, status_raw from steps where kind = 'asset check'") == [
        ("check scores_not_empty on scored_leads", "ERROR")
    ]
    assert rows(logged, "select status, status_raw from runs where starts_with(native_id, '4de69922')") == [
        ("partial", "SUCCESS")
    ]


def test_events_alone_give_the_steps_and_attempts_that_the_run_gives(logged: Ledger, tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [events_of("89310411")])
    steps = "select step_key, attempt, status, round(epoch(started_at)), round(epoch(ended_at)) from steps where run_id like '%89310411%' order by 1, 2"
    assert rows(ledger, steps) == rows(logged, steps)


def test_lines_that_a_step_logged_give_keys_and_what_is_inside_a_run_is_set_aside(
    logged: Ledger, tmp_path: Path
) -> None:
    result = take_in(tmp_path, [events_of("a33a91c0")], CLIENTS)
    kinds = Counter(
        event["__typename"]
        for event in json.loads(gzip.decompress(events_of("a33a91c0").read_bytes()))["data"]["logsForRun"]["events"]
    )
    told = sum(
        n
        for kind, n in kinds.items()
        if re.match("LogMessage|Run(?!nable)|ExecutionStep(Start|Success|Failure)Event|Materialization", kind)
    )
    assert (result.mapped, result.set_aside) == (told, sum(kinds.values()) - told)
    assert rows(logged, "select distinct reason from set_aside") == [("event inside a run",)]


@needs_shared
def test_all_events_alone_tell_of_62_runs_of_which_one_had_failed_since_its_page(tmp_path: Path) -> None:
    files = sorted((SHARED / "captures/dagster/raw/graphql").glob("events.*.json"))
    ledger = ingested(tmp_path / "project", [together(tmp_path / "events.json", files)])
    assert dict(rows(ledger, "select status, count(*) from runs group by 1")) == {
        "succeeded": 25,
        "partial": 3,
        "failed": 21,
        "cancelled": 3,
        "running": 2,
        "queued": 8,
    }


def test_ticks_and_backfills_are_set_aside_with_the_reason(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "instigators.json.gz", FOLDER / "backfills.json"])
    assert dict(rows(ledger, "select reason, count(*) from set_aside group by 1")) == {
        "tick: its runs name it": 10 + 6 + 7,
        "tick that launched no run": 4 + 16 + 26,
        "tick that failed": 2,
        "schedule whose job is not told": 1,
        "sensor whose job is not told": 2,
        "backfill: its runs name it": 1,
    }


def test_a_schedule_that_names_its_job_is_the_schedule_of_the_job(tmp_path: Path) -> None:
    answer = json.loads(gzip.decompress((FOLDER / "instigators.json.gz").read_bytes()))
    answer["data"]["repositoriesOrError"]["nodes"][0]["schedules"][0]["pipelineName"] = "crm_sync"
    file = tmp_path / "schedules.json"
    file.write_text(json.dumps(answer))
    ledger = ingested(tmp_path / "project", [file])
    assert rows(ledger, "select name, schedule, enabled from automations") == [
        ("crm_sync", "* * * * * Europe/Berlin", True)
    ]


def test_one_run_with_its_events_and_a_debug_export_tell_the_same_as_pages(night: Ledger, tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "runOrError.json", FOLDER / "debug_export.gz"])
    query = "select native_id, status, status_raw, automation, ended_at, is_finished from runs where native_id[:8] in ('89310411', 'a33a91c0') order by 1"
    assert rows(ledger, query) == rows(night, query)
    steps = "select step_key, attempt, status, status_raw from steps where run_id like '%a33a91c0%' order by 1"
    assert rows(ledger, steps) == rows(night, steps)
    assert rows(ledger, "select error_type from runs where starts_with(native_id, 'a33a91c0')") == [("IndexError",)]


def test_the_command_line_knows_only_that_runs_exist_and_of_which_job(night: Ledger, tmp_path: Path) -> None:
    printed = (FOLDER / "dagster_run_list.txt").read_bytes()
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf" + printed.replace(b"\n", b"\r\n"))  # as PowerShell writes it
    ledger = ingested(tmp_path / "project", [tmp_path / "list.txt"])
    assert rows(ledger, "select distinct status from runs") == [("unknown",)]
    query = "select native_id, automation from runs order by 1"
    assert rows(ledger, query) == rows(night, query)


def test_every_word_of_dagster_has_a_status_and_a_new_one_is_unknown(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "words.pipelineRunsOrError.json"])
    assert dict(rows(ledger, "select status_raw, status from runs")) == {
        "QUEUED": "queued",
        "NOT_STARTED": "queued",
        "MANAGED": "running",
        "STARTING": "queued",
        "STARTED": "running",
        "SUSPENDED": "waiting",
        "SUCCESS": "succeeded",
        "FAILURE": "failed",
        "CANCELING": "running",
        "CANCELED": "cancelled",
        "EXPLODED": "unknown",
    }


def test_the_databases_tell_runs_events_and_what_a_check_found(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "runs_db.sql.gz", FOLDER / "event_logs.sql.gz"])
    assert rows(
        ledger,
        """select automation, status, error_type, had_failed_step, retry_of is not null, tz_assumed, started_at < ended_at
        from runs order by queued_at""",
    ) == [
        ("good", "succeeded", None, False, False, False, True),
        ("bad", "failed", "ValueError", True, False, False, True),
        ("bad", "failed", "ValueError", True, True, False, True),
        ("checked", "partial", "AssetCheckFailed", True, False, False, True),
    ]
    found = rows(
        ledger,
        "select step_key, steps.attempt, steps.status from steps join runs using (run_id) where automation = 'good' order by 2",
    )
    assert found == [("fetch", 1, "failed"), ("fetch", 2, "succeeded")]


def test_a_database_gives_the_ledger_that_its_dump_does(tmp_path: Path) -> None:
    dump = FOLDER / "event_logs.sql.gz"
    database = tmp_path / "events.db"
    connection = sqlite3.connect(database)
    connection.executescript(gzip.decompress(dump.read_bytes()).decode() + "CREATE TABLE asset_keys (id INTEGER);")
    connection.close()
    of_dump, of_database = ingested(tmp_path / "dump", [dump]), ingested(tmp_path / "database", [database])
    for query in ALL_OF_IT:
        assert rows(of_database, query) == rows(of_dump, query)


def test_any_order_of_the_files_gives_the_same_ledger(tmp_path: Path) -> None:
    files = [
        PAGES[0],
        events_of("014fdb60"),
        events_of("89310411"),
        FOLDER / "runOrError.json",
        FOLDER / "debug_export.gz",
    ]
    ledgers = [
        ingested(tmp_path / str(seed), random.Random(seed).sample(files, len(files)))  # noqa: S311  a shuffle, no secret
        for seed in (1, 2)
    ]
    for query in ALL_OF_IT:
        assert rows(ledgers[0], query) == rows(ledgers[1], query)


def test_runs_without_id_are_rejected_and_the_others_kept(tmp_path: Path) -> None:
    page = json.loads(gzip.decompress(PAGES[3].read_bytes()))
    page["data"]["runsOrError"]["results"][0].update(id=None, runId=None)
    file = tmp_path / "page.json"
    file.write_text(json.dumps(page))
    result = take_in(tmp_path / "project", [file])
    assert (result.mapped, result.rejects) == (1, 1)


def test_a_golden_run(night: Ledger) -> None:
    assert rows(
        night,
        """select run_id, tool, automation_id, client, role, status, trigger, queued_at::varchar, started_at::varchar, ended_at::varchar,
        round(duration_s, 3) from runs where starts_with(native_id, '89310411')""",
    ) == [
        (
            "dagster:89310411-d012-4cf6-8d34-5b2510c60a7b",
            "dagster",
            "dagster:crm_sync",
            "acme",
            "work",
            "succeeded",
            None,
            "2026-11-23 02:21:02.810009+00",
            "2026-11-23 02:25:06.661389+00",
            "2026-11-23 02:27:09.460478+00",
            122.799,
        )
    ]


def test_other_versions_tell_times_in_statistics_jobs_as_pipelines_and_runs_in_a_feed_among_backfills(
    tmp_path: Path,
) -> None:
    old = [
        {"runId": "a1", "pipeline": {"name": "etl"}, "status": "SUCCESS", "stats": {"startTime": 1.7e9, "endTime": 1.7e9 + 9}},
        {"runId": "a2", "pipelineName": "etl", "status": "FAILURE", "rootRunId": "a1", "stats": {"message": "PythonError"}},
        {"runId": "a3", "pipelineName": "etl", "status": "STARTED", "tags": {"dagster/schedule_name": "nightly"}},
    ]  # fmt: skip
    feed = [
        {"__typename": "Run", "id": "6dcd2d0a-ff74-4d26-b8e0-ae58ea32bc1d", "runStatus": "FAILURE", "jobName": "etl"},
        {"__typename": "PartitionBackfill", "id": "navmrdtc", "runStatus": "SUCCESS", "jobName": None},
    ]
    events = [
        {"__typename": "PipelineStartEvent", "runId": "a4", "timestamp": "1700000000000", "message": ""},
        {"__typename": "PipelineInitFailureEvent", "runId": "a4", "timestamp": "1700000001000", "message": "no resources"},
    ]  # fmt: skip
    files = []
    for field, part, found in (("pipelineRunsOrError", "results", old), ("runsFeedOrError", "results", feed), ("logsForRun", "events", events)):  # fmt: skip
        files.append(tmp_path / f"{field}.json")
        files[-1].write_text(json.dumps({"data": {field: {part: found}}}))
    ledger = ingested(tmp_path / "one", files)
    told = rows(
        ledger,
        "select native_id[:4], automation, status, duration_s, trigger, retry_of is not null from runs order by native_id",
    )
    assert told == [
        ("6dcd", "etl", "failed", None, None, False),
        ("a1", "etl", "succeeded", 9.0, None, False),
        ("a2", "etl", "failed", None, "re-execution", True),
        ("a3", "etl", "running", None, "schedule", False),
        ("a4", None, "failed", 1.0, None, False),
    ]
    assert rows(ledger, "select reason from set_aside") == [("backfill: its runs name it",)]

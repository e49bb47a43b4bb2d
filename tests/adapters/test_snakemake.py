"""Snakemake's logs and its plugins' files against captures whose truth stands in `snakemake/SOURCE.md`."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.adapters._snakemake import text_workflows
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "snakemake"
CAPTURED = sorted((FOLDER / "captured").iterdir())
LOGS = sorted((FOLDER / "captured").glob("*.snakemake.log.gz"))
EVENTS = sorted((FOLDER / "captured").glob("*.jsonl.gz"))
DATABASE = FOLDER / "captured" / "snkmt.sqlite.gz"

# SOURCE.md's table: status, jobs finished, job errors (of a workflow that was stopped: jobs that the stop ended).
TRUTH = {
    "60dae18e": ("succeeded", 19, 0),  # ok
    "0e05713b": ("skipped", 0, 0),  # ok again: nothing to be done
    "c7c93bb1": ("failed", 10, 1),  # sync_fail
    "74de9865": ("failed", 14, 1),  # sync_fail_keepgoing
    "d17d57b5": ("succeeded", 19, 2),  # retry_ok
    "fcb4b6ae": ("failed", 15, 4),  # retry_exhausted
    "18bf42fe": ("failed", 16, 1),  # python_error
    "74fb2d07": ("failed", 15, 1),  # missing_output
    "fbbe3f0f": ("failed", 17, 1),  # job_killed
    "e74d3e81": ("running", 13, 0),  # stopped_INT, killed while it waited for its job
    "e3b5b231": ("running", 12, 0),  # stopped_TERM, the same
    "900bc686": ("running", 11, 0),  # stopped_KILL
    "9241e4d6": ("cancelled", 12, 2),  # stopped_CTRLC
}
DRYRUN = "a165a5ab"
QUERY = """
    select left(native_id, 8), runs.status, count(*) filter (steps.status = 'succeeded'),
           count(*) filter (steps.status in ('failed', 'crashed', 'cancelled'))
    from runs left join steps using (run_id) group by run_id, 1, 2"""
CLIENTS = """
[[records]]
entity = "order"
pattern = 'ORD-\\d+'
"""


def told(ledger: Ledger) -> dict[object, tuple[object, ...]]:
    return {row[0]: row[1:] for row in rows(ledger, QUERY)}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All logs appended to one file, all events to another: several invocations in one file are read as such, and fast."""
    folder = tmp_path_factory.mktemp("files")
    both = {"logs": folder / "all.log", "events": folder / "all.jsonl"}
    both["logs"].write_bytes(b"".join(gzip.decompress(file.read_bytes()) for file in LOGS))
    both["events"].write_bytes(b"".join(gzip.decompress(file.read_bytes()) for file in EVENTS))
    return both


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory, files: dict[str, Path]) -> Ledger:
    return ingested(tmp_path_factory.mktemp("logs"), [files["logs"]], CLIENTS)


@pytest.fixture(scope="module")
def all_files(files: dict[str, Path]) -> list[Path]:
    return [*files.values(), *(file for file in CAPTURED if file not in LOGS and file not in EVENTS)]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory, all_files: list[Path]) -> Ledger:
    return ingested(tmp_path_factory.mktemp("everything"), all_files, CLIENTS)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("database"), [DATABASE])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("written"), sorted((FOLDER / "written").iterdir()))


def test_every_workflow_and_its_jobs_end_as_they_did(logs: Ledger) -> None:
    assert told(logs) == TRUTH


def test_logs_events_database_and_terminal_together_are_the_same_runs(everything: Ledger) -> None:
    assert told(everything) == TRUTH


def test_any_order_of_all_sources_gives_the_same_ledger(
    everything: Ledger, all_files: list[Path], tmp_path: Path
) -> None:
    ledger = ingested(tmp_path, random.Random(5).sample(all_files, len(all_files)), CLIENTS)  # noqa: S311
    for query in ("select * from runs order by run_id", "select * from steps order by step_id"):
        assert rows(ledger, query) == rows(everything, query)


def test_the_database_alone_tells_a_workflow_that_a_retry_saved_and_cannot_tell_ctrl_c(database: Ledger) -> None:
    found = told(database)
    assert found.pop("9241e4d6") == ("failed", 12, 2)  # its word for a cancelled workflow is ERROR
    assert found == {key: value for key, value in TRUTH.items() if key != "9241e4d6"}


def test_the_events_never_say_that_a_workflow_ended_unless_all_its_steps_did(
    files: dict[str, Path], tmp_path: Path
) -> None:
    found = told(ingested(tmp_path, [files["events"]]))
    expected = {
        key: (status if status == "succeeded" else "unknown", finished, errors)
        for key, (status, finished, errors) in TRUTH.items()
    }
    del expected["60dae18e"]  # overwritten by the second run in the same folder
    assert found == expected


def test_a_dry_run_is_no_run_in_any_source(everything: Ledger) -> None:
    assert rows(everything, f"select * from runs where native_id like '{DRYRUN}%'") == []
    found = rows(everything, "select count(*) from set_aside where reason like 'a dry-run%'")
    assert found == [(3,)]


def test_a_job_that_is_started_again_keeps_its_number_and_counts_attempts(logs: Ledger) -> None:
    query = """select steps.attempt, steps.status from steps join runs using (run_id)
        where native_id like '{}%' and name = 'enrich_lead' and step_id like '%/5%' order by 1"""
    assert rows(logs, query.format("d17d57b5")) == [(1, "failed"), (2, "failed"), (3, "succeeded")]
    assert rows(logs, query.format("fcb4b6ae")) == [(1, "failed"), (2, "failed"), (3, "failed"), (4, "failed")]
    assert rows(logs, "select had_failed_step from runs where native_id like 'd17d57b5%'") == [(False,)]


def test_the_error_is_that_of_the_job_and_a_signal_is_a_crash(everything: Ledger) -> None:
    found = rows(
        everything, "select left(native_id, 8), error_type from runs where status = 'failed' order by started_at"
    )
    assert found == [
        ("c7c93bb1", "CalledProcessError"),
        ("74de9865", "CalledProcessError"),
        ("fcb4b6ae", "CalledProcessError"),
        ("18bf42fe", "ValueError"),
        ("74fb2d07", "MissingOutputException"),
        ("fbbe3f0f", "SIGKILL"),
    ]
    assert rows(everything, "select name, error_type from steps where status = 'crashed'") == [("digest", "SIGKILL")]


def test_a_workflow_stopped_by_hand_is_cancelled_and_so_are_the_jobs_it_was_at(logs: Ledger) -> None:
    found = rows(
        logs,
        "select name, steps.status from steps join runs using (run_id) where native_id like '9241e4d6%' and steps.status <> 'succeeded' order by 1",
    )
    assert found == [("digest", "cancelled"), ("invoice_export", "cancelled")]


def test_wildcards_give_the_orders_that_a_job_was_about(logs: Ledger) -> None:
    found = rows(
        logs,
        """select distinct entity_key from touches join runs using (run_id) where native_id like '60dae18e%' order by 1""",
    )
    assert [key for (key,) in found] == ["ORD-1001", "ORD-1002", "ORD-2001", "ORD-2002", "ORD-3001"]


def test_local_times_are_flagged_and_follow_the_configured_zone(logs: Ledger, tmp_path: Path) -> None:
    assert rows(logs, "select distinct tz_assumed from runs") == [(True,)]
    zone = '[[sources]]\nname = "snakemake"\ntool = "snakemake"\ntime_zone = "Europe/Berlin"\n'
    log = next(file for file in LOGS if file.name.startswith("ok.2026-11-23T022354"))
    ledger = ingested(tmp_path, [log], zone)
    assert rows(ledger, "select started_at::VARCHAR, duration_s from runs") == [("2026-11-23 01:23:54+00", 36.541678)]
    assert rows(ledger, "select min(started_at)::VARCHAR from steps") == [("2026-11-23 01:23:55+00",)]


def test_before_version_9_a_run_goes_by_the_name_of_its_log(written: Ledger) -> None:
    found = rows(
        written, "select native_id, status, status_raw, error_type from runs where native_id like '2026-%' order by 1"
    )
    assert found == [
        ("2026-11-21T030000.000001", "succeeded", "finished", None),
        ("2026-11-21T040000.000001", "skipped", "nothing to be done", None),
        ("2026-11-22T034055.123456", "failed", "error", None),
    ]
    steps = rows(
        written,
        "select name, steps.attempt, steps.status from steps join runs using (run_id) where native_id = '2026-11-22T034055.123456' order by step_id",
    )
    assert steps == [("crm_sync", 1, "succeeded"), ("crm_sync", 1, "failed"), ("crm_sync", 2, "failed")]


def test_a_folder_that_is_locked_and_a_workflow_that_cannot_be_planned_have_failed(written: Ledger) -> None:
    found = rows(
        written, "select status, status_raw, error_type from runs where native_id not like '2026-%' order by 2"
    )
    assert found == [("failed", "error", "MissingInputException"), ("failed", "locked", "LockException")]


def test_records_about_outputs_are_set_aside(everything: Ledger, written: Ledger) -> None:
    assert rows(everything, "select count(*) from set_aside where reason like 'provenance%'") == [(2,)]
    assert rows(written, "select count(*) from set_aside where reason like 'runtimes%'") == [(1,)]


def test_benchmarks_and_summaries_are_claimed_by_nobody(tmp_path: Path) -> None:
    result = take_in(tmp_path, sorted((FOLDER / "not_ours").iterdir()))
    assert {file.outcome for file in result.files} == {"unknown"}


def test_colours_and_a_log_cut_off_change_nothing_that_was_said(tmp_path: Path) -> None:
    text = (FOLDER / "written" / "2026-11-22T034055.123456.snakemake.log").read_text()
    cut = tmp_path / "2026-11-22T034055.123456.snakemake.log"
    cut.write_text("".join(f"\x1b[32m{line}\x1b[0m\n" for line in text.splitlines()[:40]))
    [record] = text_workflows(cut)
    assert (record["word"], record["error_type"]) == ("running", None)
    again = ingested(tmp_path / "again", [FOLDER / "written" / "2026-11-22T034055.123456.snakemake.log", cut])
    assert rows(again, "select native_id, status from runs") == [("2026-11-22T034055.123456", "failed")]


@needs_shared
def test_the_terminal_tells_the_same_as_the_log(tmp_path: Path) -> None:
    terminal = tmp_path / "terminal.txt"
    terminal.write_bytes(
        b"".join(
            file.read_bytes() for file in sorted((SHARED / "captures" / "snakemake" / "raw").glob("*.console.txt"))
        )
    )
    expected = {key: value for key, value in TRUTH.items() if key != "60dae18e"}  # overwritten by the second run
    assert told(ingested(tmp_path / "project", [terminal])) == expected

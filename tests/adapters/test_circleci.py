"""CircleCI: workflows as runs, jobs as steps, pipelines that errored before they had a workflow; and DevLake's real rows."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from devlake import objects, page, raw_rows
from support import ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

HERE = Path(__file__).parent / "circleci"
SAMPLES = sorted(file for file in HERE.iterdir() if file.suffix in (".json", ".jsonl"))
WORKFLOW = "circleci:0000000b-0000-4000-8000-0000000000"
WORKFLOW_WORDS = {
    "success": "succeeded",
    "running": "running",
    "not_run": "skipped",
    "failed": "failed",
    "error": "crashed",
    "failing": "running",
    "on_hold": "waiting",
    "canceled": "cancelled",
    "unauthorized": "failed",
}
JOB_WORDS = {
    "success": "succeeded",
    "running": "running",
    "not_run": "skipped",
    "failed": "failed",
    "retried": "unknown",
    "queued": "queued",
    "not_running": "queued",
    "infrastructure_fail": "crashed",
    "timedout": "timed_out",
    "on_hold": "waiting",
    "terminated-unknown": "crashed",
    "blocked": "queued",
    "canceled": "cancelled",
    "unauthorized": "failed",
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("circleci"), SAMPLES)


def test_every_word_of_a_workflow_has_its_status(ledger: Ledger) -> None:
    found = rows(ledger, "select status_raw, status from runs where automation like '%/words'")
    assert dict(found) == WORKFLOW_WORDS


def test_every_word_of_a_job_has_its_status(ledger: Ledger) -> None:
    found = rows(ledger, f"select status_raw, status from steps where run_id = '{WORKFLOW}16'")
    assert dict(found) == JOB_WORDS


def test_a_pipeline_that_errored_is_a_failed_run_without_a_workflow_and_1970_is_no_time(ledger: Ledger) -> None:
    assert rows(
        ledger,
        """select native_id, automation, status, trigger, error_type, error_message, year(queued_at), version is not null
        from runs where status_raw = 'errored'""",
    ) == [
        (
            "0000000a-0000-4000-8000-000000000003",
            "gh/acme/shop-sync",
            "failed",
            "scheduled_pipeline",
            "config",
            "Unable to parse YAML: line 7",
            2026,
            True,
        )
    ]


def test_other_pipelines_are_set_aside(tmp_path: Path) -> None:
    result = take_in(tmp_path, [HERE / "pipelines.json"])
    assert (result.mapped, result.set_aside, result.rejects) == (1, 5, 0)


def test_a_rerun_is_a_retry_of_the_workflow_of_the_same_name_in_its_pipeline(ledger: Ledger) -> None:
    found = rows(ledger, f"select run_id, root_run_id from runs where run_id between '{WORKFLOW}01' and '{WORKFLOW}03'")
    assert sorted(found) == [
        (f"{WORKFLOW}01", f"{WORKFLOW}01"),
        (f"{WORKFLOW}02", f"{WORKFLOW}01"),
        (f"{WORKFLOW}03", f"{WORKFLOW}03"),
    ]


def test_jobs_are_steps_of_the_workflow_that_the_files_name_gives(ledger: Ledger) -> None:
    found = rows(ledger, f"select name, status, duration_s from steps where run_id = '{WORKFLOW}01' order by name")
    assert found == [
        ("fetch", "succeeded", 115.0),
        ("report", "queued", None),
        ("send orders", "failed", 475.0),
        ("stock", "timed_out", 180.0),  # of the old API
    ]


def test_jobs_of_no_known_workflow_are_rejects_that_say_what_to_do(tmp_path: Path) -> None:
    jobs = tmp_path / "jobs.json"
    jobs.write_text((HERE / "jobs.0000000b-0000-4000-8000-000000000001.json").read_text())
    result = take_in(tmp_path / "project", [jobs])
    assert (result.mapped, result.rejects, result.runs_new) == (0, 3, 0)


def test_insights_give_a_duration_and_a_webhook_trigger_and_version(ledger: Ledger) -> None:
    assert rows(ledger, f"select duration_s, automation from runs where run_id = '{WORKFLOW}02'") == [
        (601.0, "gh/acme/shop-sync/nightly")
    ]
    found = rows(ledger, f"select status, trigger, left(version, 7) from runs where run_id = '{WORKFLOW}08'")
    assert found == [("failed", "scheduled", "4f1c0de")]


def test_builds_outside_of_any_workflow_are_runs_by_themselves(ledger: Ledger) -> None:
    assert rows(
        ledger,
        """select run_id, automation, status, started_at::varchar, duration_s, root_run_id from runs
        where automation = 'bb/acme/legacy' order by 1""",
    ) == [
        (
            "circleci:bb/acme/legacy/41",
            "bb/acme/legacy",
            "failed",
            "2026-11-02 03:00:05+00",
            120.0,
            "circleci:bb/acme/legacy/41",
        ),
        (
            "circleci:bb/acme/legacy/42",
            "bb/acme/legacy",
            "succeeded",
            "2026-11-02 03:10:05+00",
            120.0,
            "circleci:bb/acme/legacy/41",
        ),
    ]


def test_unfinished_workflows_have_no_end(ledger: Ledger) -> None:
    assert rows(ledger, "select count(*) from runs where not is_finished and ended_at is not null") == [(0,)]


def test_an_empty_page_is_circlecis_and_holds_nothing(tmp_path: Path) -> None:
    result = take_in(tmp_path, [HERE / "page.empty.json"])
    assert [(file.outcome, file.records_read) for file in result.files] == [("taken", 0)]


def test_any_order_of_the_files_that_tell_of_one_run_gives_the_same_ledger(ledger: Ledger, tmp_path: Path) -> None:
    names = [
        "workflows.pipeline1.json",
        "jobs.0000000b-0000-4000-8000-000000000001.json",
        "job.102.json",
        "insights.json",
        "v1.builds.json",
    ]
    files = [HERE / name for name in random.Random(3).sample(names, len(names))]  # noqa: S311  a shuffle
    other = ingested(tmp_path, files)
    for table in ("runs", "steps"):
        told = rows(other, f"select * from {table}")
        assert told
        assert set(told) <= set(rows(ledger, f"select * from {table}"))


@needs_shared
def test_of_the_real_pipelines_only_the_one_that_errored_is_a_run(tmp_path: Path) -> None:
    pipelines = objects("circleci", "circleci_api_pipelines")
    ledger = ingested(
        tmp_path / "project", [page(tmp_path / "page.json", {"items": pipelines, "next_page_token": None})]
    )
    assert rows(ledger, "select native_id, status, error_type, error_message, trigger, year(queued_at) from runs") == [
        (
            "d323f088-02fa-4ed5-9696-fc2f89a27150",
            "failed",
            "config-fetch",
            "Failed to fetch config.yml file.",
            "Decoupled Ingestion System",
            2023,
        )
    ]
    assert rows(ledger, "select count(*) from set_aside") == [(9,)]


@needs_shared
def test_real_workflows_and_their_jobs(tmp_path: Path) -> None:
    workflows = objects("circleci", "circleci_api_workflows")
    files = [page(tmp_path / "workflows.json", workflows)]
    for row in raw_rows("circleci", "circleci_api_jobs")[:3]:
        file = tmp_path / f"jobs of {row['input']['id']}.json"
        file.write_text(json.dumps({"items": [row["data"]], "next_page_token": None}))
        files.append(file)
    ledger = ingested(tmp_path / "project", files)
    truth = Counter(WORKFLOW_WORDS[one["status"]] for one in workflows)
    assert dict(rows(ledger, "select status, count(*) from runs group by 1")) == truth
    assert rows(ledger, "select count(*) from steps join runs using (run_id) where automation is not null") == [(3,)]
    # stopped_at lies before created_at in one; one more has empty texts for times
    assert rows(ledger, "select count(*) from runs where duration_s < 0") == [(0,)]
    assert rows(ledger, "select count(*) from runs where queued_at is null") == [(1,)]

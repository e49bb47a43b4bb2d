"""Azure DevOps: builds, runs of pipelines and timelines are one run and its steps; and DevLake's real rows."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from devlake import objects, page, raw_rows
from support import ingested, needs_shared, rows, take_in

from aftershock.adapters import azure_devops
from aftershock.ledger.reader import Ledger

HERE = Path(__file__).parent / "azure_devops"
SAMPLES = sorted(file for file in HERE.iterdir() if file.suffix in (".json", ".jsonl"))
CONFIG = """
[[clients]]
id = "acme"
name = "Acme"
runs = [{ source = "azure_devops", tag = "client:acme" }]

[[records]]
entity = "order"
pattern = 'ORD-\\d+'
"""


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("azure"), SAMPLES, CONFIG)


def test_every_status_and_result_of_a_build_has_its_status(ledger: Ledger) -> None:
    found = rows(ledger, "select status_raw, status from runs where native_id between '110' and '119'")
    assert dict(found) == {
        "completed|succeeded": "succeeded",
        "completed|partiallySucceeded": "partial",
        "completed|failed": "failed",
        "completed|canceled": "cancelled",
        "completed|none": "unknown",
        "inProgress|": "running",
        "cancelling|": "running",
        "postponed|": "waiting",
        "notStarted|": "queued",
        "none|": "unknown",
    }


def test_every_word_of_the_runs_of_pipelines_has_its_status(ledger: Ledger) -> None:
    found = rows(ledger, "select status_raw, status from runs where native_id between '31' and '34'")
    assert dict(found) == {
        "completed|failed": "failed",
        "inProgress|": "running",
        "canceling|": "running",
        "unknown|": "unknown",
    }


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        (("pending", None), "queued"),
        (("inProgress", None), "running"),
        (("completed", "succeededWithIssues"), "partial"),
        (("completed", "skipped"), "skipped"),
        (("completed", "abandoned"), "crashed"),
        (("inProgress", "failed"), "running"),
    ],
)
def test_words_of_timelines(words: tuple[str, str | None], ours: str) -> None:
    assert azure_devops.STATUS[words] == ours


def test_a_stage_that_was_run_again_is_saved_by_its_last_attempt(ledger: Ledger) -> None:
    found = rows(
        ledger,
        """select step_key, attempt, status from steps
        where run_id = 'azure_devops:20' and kind in ('Stage', 'Task') order by 1, 2""",
    )
    assert found == [
        ("Sync", 1, "failed"),
        ("Sync", 2, "succeeded"),
        ("Sync.Send.__default/Fetch", 1, "succeeded"),
        ("Sync.Send.__default/Fetch", 2, "succeeded"),
        ("Sync.Send.__default/Send ORD-1003", 1, "failed"),
        ("Sync.Send.__default/Send ORD-1003", 2, "succeeded"),
    ]
    assert rows(ledger, "select status, had_failed_step from runs where native_id = '20'") == [("succeeded", False)]


def test_issues_tell_timeouts_and_lost_agents(ledger: Ledger) -> None:
    found = rows(ledger, "select name, status, ended_at is null from steps where run_id = 'azure_devops:22' order by 1")
    assert found == [
        ("Going", "running", True),
        ("Lost", "crashed", False),
        ("Pending", "queued", True),
        ("Send", "timed_out", False),
        ("Warned", "partial", False),
    ]


def test_a_build_that_another_triggered_has_it_as_parent(ledger: Ledger) -> None:
    found = rows(ledger, "select run_id, parent_run_id from runs where parent_run_id is not null")
    assert found == [("azure_devops:21", "azure_devops:20")]


def test_service_hooks_of_each_version_give_runs_and_other_events_are_set_aside(ledger: Ledger) -> None:
    found = rows(
        ledger, "select native_id, automation, status, status_raw from runs where native_id in ('41', '42', '43')"
    )
    assert sorted(found) == [
        ("41", "shop/nightly", "succeeded", "completed|succeeded"),
        ("42", "legacy", "failed", "completed|failed"),  # which says only: failed
        ("43", "shop/nightly", "failed", "completed|failed"),
    ]
    assert rows(ledger, "select reason, count(*) from set_aside group by 1") == [("delivery of another event", 1)]


def test_an_invalid_pipeline_says_why(ledger: Ledger) -> None:
    found = rows(ledger, "select status, error_type, left(error_message, 26) from runs where native_id = '23'")
    assert found == [("failed", "validation", "The pipeline is not valid.")]


def test_a_golden_run_from_builds_and_runs_of_pipelines(ledger: Ledger) -> None:
    assert rows(
        ledger,
        """select run_id, automation_id, automation, trigger, version, client, queued_at::varchar, started_at::varchar,
        ended_at::varchar from runs where native_id = '20'""",
    ) == [
        (
            "azure_devops:20",
            "azure_devops:5",
            "shop/nightly",
            "schedule",
            "4f1c0de" + "20".zfill(33),
            "acme",
            "2026-11-02 02:00:00.223762+00",
            "2026-11-02 02:00:10.223762+00",
            "2026-11-02 02:30:00.223762+00",
        )
    ]


def test_parameters_and_names_of_tasks_give_the_orders(ledger: Ledger) -> None:
    found = rows(ledger, "select distinct entity_key from touches where run_id = 'azure_devops:20' order by 1")
    assert found == [("ORD-1001",), ("ORD-1002",), ("ORD-1003",)]


def test_any_order_of_the_files_that_tell_of_one_run_gives_the_same_ledger(ledger: Ledger, tmp_path: Path) -> None:
    names = [
        "builds.page1.json",
        "pipelines.runs.json",
        "timeline.20.json",
        "timeline.20.attempt1.json",
        "timeline.22.json",
    ]
    files = [HERE / name for name in random.Random(4).sample(names, len(names))]  # noqa: S311  a shuffle
    other = ingested(tmp_path, files, CONFIG)
    for table in ("runs", "steps"):
        told = rows(other, f"select * from {table}")
        assert told
        assert set(told) <= set(rows(ledger, f"select * from {table}"))


def test_a_timeline_cut_off_gives_the_records_up_to_there(tmp_path: Path) -> None:
    text = (HERE / "timeline.22.json").read_text()
    file = tmp_path / "cut.json"
    file.write_text(text[: int(len(text) * 0.6)])
    result = take_in(tmp_path / "project", [file])
    assert (result.mapped, result.rejects) == (2, 1)


def test_records_of_a_timeline_that_name_no_build_are_rejects(tmp_path: Path) -> None:
    timeline = json.loads((HERE / "timeline.22.json").read_text())
    records = [{**record, "log": None} for record in timeline["records"]]
    result = take_in(tmp_path / "project", [page(tmp_path / "records.json", records)])
    assert (result.mapped, result.rejects, result.runs_new) == (0, 5, 0)


@needs_shared
def test_real_builds_and_timelines_without_times_that_are_none(tmp_path: Path) -> None:
    builds = objects("azure_devops", "azuredevops_builds")
    files = [page(tmp_path / "builds.json", {"count": len(builds), "value": builds})]
    records = raw_rows("azure_devops", "azuredevops_timeline_records")
    for build in (12, 13):
        inside = [row["data"] for row in records if row["input"]["AzuredevopsId"] == build]
        timeline = {"records": inside, "url": f"https://dev.azure.com/x/y/_apis/build/builds/{build}/Timeline/z"}
        files.append(page(tmp_path / f"timeline{build}.json", timeline))
    ledger = ingested(tmp_path / "project", files)
    found = rows(ledger, "select native_id, status from runs order by 1")
    assert found == [
        *((str(number), "succeeded") for number in (12, 13, 14, 15)),
        ("16", "running"),
        ("17", "queued"),
        ("18", "cancelled"),
    ]
    assert rows(ledger, "select run_id, status, count(*) from steps group by all order by 1, 2") == [
        ("azure_devops:12", "succeeded", 1),
        ("azure_devops:13", "queued", 3),
        ("azure_devops:13", "succeeded", 1),
    ]
    assert {row["data"]["lastModified"] for row in records} == {"0001-01-01T00:00:00"}
    assert rows(ledger, "select min(year(first_seen_at)), bool_or(tz_assumed) from runs") == [(2023, False)]

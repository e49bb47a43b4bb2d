"""CDEvents in the exact format of the specification's examples, and these examples themselves."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

import aftershock
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "cdevents"
FILES = sorted(FOLDER.glob("*.json*"))


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("day"), FILES, '[[records]]\nentity = "order"\nkeys = ["order_id"]\n')


def test_every_outcome_has_a_meaning_and_a_word_never_seen_is_unknown(day: Ledger) -> None:
    assert dict(
        rows(day, "select native_id, status from runs where native_id like 'p-%' and run_id not like '%other%'")
    ) == {
        "p-success": "succeeded",
        "p-failure": "failed",
        "p-error": "crashed",
        "p-cancel": "cancelled",
        "p-timeout": "timed_out",
        "p-skip": "skipped",
        "p-postponed": "unknown",
        "p-open": "running",
        "p-wait": "queued",
        "p-old": "failed",
        "p-cloud": "succeeded",
        "p-one": "failed",
    }


def test_three_events_are_one_run_with_its_times(day: Ledger) -> None:
    assert rows(
        day,
        "select run_id, automation, epoch(started_at) - epoch(queued_at), duration_s, correlation_id from runs where native_id = 'p-failure'",
    ) == [("cdevents:/ci/tekton/p-failure", "release failure", 5, 15, "chain-1")]
    assert rows(day, "select error_message from runs where native_id = 'p-one'") == [
        ("Something went wrong\nWith some more details",)
    ]


def test_the_same_id_in_two_sources_is_two_runs(day: Ledger) -> None:
    assert rows(day, "select automation from runs where native_id = 'p-open' order by 1") == [
        ("release elsewhere",),
        ("release open",),
    ]


def test_tasks_are_steps_of_the_pipeline_run_they_name_else_runs(day: Ledger) -> None:
    assert rows(
        day, "select name, kind, steps.status from steps join runs using (run_id) where native_id = 'p-error'"
    ) == [("build image", "taskrun", "crashed")]
    assert rows(day, "select automation, status, role from runs where native_id = 't-alone'") == [
        ("lint", "succeeded", "work")
    ]


def test_tests_are_steps_of_their_suite_and_count_as_tests(day: Ledger) -> None:
    assert rows(day, "select name, status from steps where run_id like '%/s-1' order by 1") == [
        ("login", "failed"),
        ("logout", "skipped"),
    ]
    assert rows(day, "select native_id, role, status from runs where role = 'test' order by 1") == [
        ("c-3", "test", "succeeded"),
        ("s-1", "test", "failed"),
    ]


def test_a_build_ends_without_saying_how(day: Ledger) -> None:
    assert rows(day, "select status, ended_at is null from runs where native_id = 'b-1'") == [("unknown", False)]


def test_deployments_are_changes(day: Ledger) -> None:
    assert rows(day, 'select kind, version, title from changes order by "at"') == [
        ("service deployed", "pkg:oci/shop@sha256%3A00", "shop deployed prod"),
        ("service upgraded", "pkg:oci/shop@sha256%3A01", "shop upgraded prod"),
        ("service rolledback", "pkg:oci/shop@sha256%3A02", "shop rolledback prod"),
        ("service removed", "pkg:oci/shop@sha256%3A03", "shop removed prod"),
        ("service published", "pkg:oci/shop@sha256%3A04", "shop published prod"),
        ("environment created", None, "prod created"),
        ("artifact published", "pkg:oci/shop@sha256%3A05", "pkg:oci/shop@sha256%3A05 published"),
    ]


def test_an_incident_is_one_notice_from_its_detection_to_its_end(day: Ledger) -> None:
    assert rows(day, "select kind, key, resolved_at - sent_at = interval 70 seconds, title from notices") == [
        ("incident", "inc-1", True, "checkout is fast again")
    ]


def test_custom_data_gives_business_records(day: Ledger) -> None:
    assert rows(day, "select distinct entity_key from touches") == [("ORD-5",)]


def test_what_is_about_no_run_is_set_aside_and_what_has_no_time_or_id_is_a_reject(day: Ledger) -> None:
    assert rows(day, "select reason, count(*) from set_aside group by 1 order by 1") == [
        ("event about no run", 2),
        ("no event of CDEvents", 1),
    ]
    assert rows(day, "select record, seen from rejects order by 1") == [(13, "yesterday"), (14, None)]


def test_any_order_of_files_and_events_gives_the_same_ledger(day: Ledger, tmp_path: Path) -> None:
    chance = random.Random(1)  # noqa: S311
    lines = (FOLDER / "runs.jsonl").read_text().splitlines()
    chance.shuffle(lines)
    parts = [file for file in FILES if file.name != "runs.jsonl"]
    for number in range(2):
        parts.append(tmp_path / f"{number}.jsonl")
        parts[-1].write_text("\n".join(lines[number::2]))
    chance.shuffle(parts)
    ledger = ingested(tmp_path / "project", parts)
    for table, key in (("runs", "run_id"), ("steps", "step_id")):
        assert rows(ledger, f"select * from {table} order by {key}") == rows(
            day, f"select * from {table} order by {key}"
        )


@needs_shared
def test_the_specifications_examples_are_read(tmp_path: Path) -> None:
    files = sorted((SHARED / "samples/cdevents").glob("*.json"))
    together = tmp_path / "examples.json"
    together.write_text(json.dumps([json.loads(file.read_text()) for file in files]))
    result = take_in(tmp_path / "project", [files[0], together])  # one event a file, and an array of them
    assert [(file.records_read, file.set_aside, file.rejects) for file in result.files] == [(1, 1, 0), (12, 1, 0)]
    ledger = aftershock.open(tmp_path / "project")
    assert rows(ledger, "select native_id, status, role from runs order by 1") == [
        ("mySubject123", "failed", "work"),
        ("myTestCaseRun123", "succeeded", "test"),
    ]
    assert rows(ledger, "select count(*) from changes") == [(2,)]
    assert rows(ledger, "select key, resolved_at is null from notices") == [("incident-123", False)]

"""Camunda 8 and 7: own samples in `camunda/`, and records out of a Zeebe tool's tests."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "camunda"
SAMPLES = sorted(file for file in FOLDER.iterdir() if file.name != "SOURCE.md")
RECORDS = SHARED / "samples" / "camunda_zeebe" / "zeebe_process_instance_records.jsonl"


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """All samples."""
    return ingested(tmp_path_factory.mktemp("night"), SAMPLES)


def test_each_instance_is_as_its_records_left_it(night: Ledger) -> None:
    assert rows(
        night,
        """select right(native_id, 3), status, error_type, right(parent_run_id, 3) from runs
        where automation = 'order-process' order by 1""",
    ) == [
        ("349", "succeeded", None, None),
        ("449", "waiting", "JOB_NO_RETRIES", None),
        ("549", "cancelled", "IO_MAPPING_ERROR", "449"),
        ("649", "running", "BLOCKED", None),
        ("749", "succeeded", None, None),
    ]


def test_every_state_of_the_apis_is_known(night: Ledger) -> None:
    assert rows(
        night,
        "select automation, status_raw, status from runs where automation <> 'order-process' order by 1, native_id",
    ) == [
        ("invoice-process", "ACTIVE", "running"),
        ("invoice-process", "INCIDENT CREATED", "waiting"),
        ("invoice-process", "COMPLETED", "succeeded"),
        ("invoice-process", "CANCELED", "cancelled"),
        ("loan", "ACTIVE", "running"),
        ("loan", "SUSPENDED", "waiting"),
        ("loan", "COMPLETED", "succeeded"),
        ("loan", "EXTERNALLY_TERMINATED", "cancelled"),
        ("loan", "INTERNALLY_TERMINATED", "cancelled"),
        ("stock-process", "INCIDENT CREATED", "waiting"),
        ("stock-process", "COMPLETED", "succeeded"),
        ("stock-process", "TERMINATED", "cancelled"),
        ("stock-process", None, "unknown"),
    ]


def test_elements_are_steps_with_the_last_word_on_their_jobs(night: Ledger) -> None:
    assert rows(
        night,
        """select right(run_id, 3), name, system, steps.status, steps.error_message from steps join runs using (run_id)
        where automation <> 'loan' order by 1, 2""",
    ) == [
        ("049", "count", None, "failed", "'qty' is null"),
        ("052", "count", "count-stock", "running", "503 from the shop"),
        ("349", "push", "crm-push", "succeeded", "503 from the CRM"),
        ("449", "push", "crm-push", "failed", "409 Conflict: ORD-2 is locked"),
        ("549", "map", None, "cancelled", "no variable 'amount'"),
        ("649", "check", "crm-push", "failed", "customer is blocked"),
        ("850", "send", None, "failed", None),
        ("851", "send", None, "succeeded", None),
    ]


def test_commands_sequence_flows_and_timers_are_set_aside(tmp_path: Path) -> None:
    result = take_in(tmp_path, [FOLDER / "zeebe_records.jsonl"])
    lines = len((FOLDER / "zeebe_records.jsonl").read_text().splitlines())
    assert (result.records_read, result.set_aside, result.rejects) == (lines, 3, 0)
    assert rows(ingested(tmp_path, []), "select reason from set_aside order by 1") == [
        ("command, and no event",),
        ("record of PROCESS_INSTANCE",),
        ("record of TIMER",),
    ]


def test_a_deployed_version_is_a_change(night: Ledger) -> None:
    assert rows(night, 'select automation_id, version, "at"::VARCHAR from changes') == [
        ("camunda:order-process", "3", "2025-11-20 05:59:55+00")
    ]


def test_variables_name_the_orders(tmp_path: Path) -> None:
    toml = """
    [[records]]
    entity = "order"
    pattern = 'ORD-\\d+'
    """
    ledger = ingested(tmp_path, [FOLDER / "zeebe_records.jsonl"], toml)
    assert rows(ledger, "select right(run_id, 3), entity_key from touches order by 1") == [
        ("349", "ORD-1"),
        ("449", "ORD-2"),
    ]


def test_camunda_7_writes_zones_without_a_colon(night: Ledger) -> None:
    assert rows(
        night,
        "select started_at::VARCHAR, ended_at::VARCHAR, tz_assumed from runs where status_raw = 'EXTERNALLY_TERMINATED'",
    ) == [("2025-11-20 08:00:03+00", "2025-11-20 08:05:03+00", False)]
    assert rows(night, "select name, status from steps where name = 'Charge card' order by 2") == [
        ("Charge card", "cancelled"),
        ("Charge card", "succeeded"),
    ]


def test_a_golden_run(night: Ledger) -> None:
    assert rows(
        night,
        """select run_id, automation_id, version, status_raw, started_at::VARCHAR, ended_at::VARCHAR, duration_s, error_message
        from runs where native_id = '2251799813685349'""",
    ) == [
        (
            "camunda:2251799813685349",
            "camunda:order-process",
            "3",
            "ELEMENT_COMPLETED",
            "2025-11-20 06:00:00.002+00",
            "2025-11-20 06:00:00.093+00",
            0.091,
            None,
        )
    ]


@pytest.mark.parametrize("seed", [6])
def test_any_order_of_the_files_and_their_lines_gives_the_same_ledger(night: Ledger, tmp_path: Path, seed: int) -> None:
    shuffle = random.Random(seed)  # noqa: S311  no secret
    lines = (FOLDER / "zeebe_records.jsonl").read_text().splitlines()
    halves = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    shuffle.shuffle(lines)
    halves[0].write_text("\n".join(lines[:20]))
    halves[1].write_text("\n".join(lines[20:]))
    files = [file for file in SAMPLES if file.name != "zeebe_records.jsonl"] + halves
    ledger = ingested(tmp_path / "project", shuffle.sample(files, len(files)))
    for query in ("select * from runs order by run_id", "select * from steps order by step_id"):
        assert rows(ledger, query) == rows(night, query)


def test_documents_as_a_dump_tool_writes_them_tell_the_same(tmp_path: Path, night: Ledger) -> None:
    hits = json.loads((FOLDER / "elasticsearch_hits.json").read_text())["hits"]["hits"]
    file = tmp_path / "dump.jsonl"
    file.write_text("\n".join(json.dumps(hit) for hit in hits))
    query = "select * from runs where native_id = '2251799813685749'"
    assert rows(ingested(tmp_path / "project", [file]), query) == rows(night, query)


@needs_shared
def test_records_of_a_tools_tests_are_one_instance_without_a_parent(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [RECORDS])
    assert rows(ledger, "select native_id, automation, version, status, parent_run_id from runs") == [
        ("2251799813685252", "process", "1", "running", None)
    ]


def test_an_open_incident_of_camunda_7_makes_its_instance_wait_until_it_ends(tmp_path: Path) -> None:
    incident = {"id": "i1", "processInstanceId": "p1", "processDefinitionKey": "order", "incidentType": "failedJob", "activityId": "Charge",
                "incidentMessage": "boom", "createTime": "2026-11-20T06:00:30.000+0100", "endTime": None, "open": True}  # fmt: skip
    instance = {"id": "p1", "processDefinitionKey": "order", "startTime": "2026-11-20T06:00:00.000+0100", "endTime": None, "state": "ACTIVE",
                "superProcessInstanceId": None}  # fmt: skip
    names = {
        "incidents": incident,
        "active": instance,
        "ended": {**instance, "state": "COMPLETED", "endTime": "2026-11-20T07:00:00.000+0100"},
    }
    for name, told in names.items():
        (tmp_path / f"{name}.json").write_text(json.dumps([told]))
    with ingested(tmp_path / "p", [tmp_path / "incidents.json", tmp_path / "active.json"]) as ledger:
        assert rows(ledger, "select status, started_at::VARCHAR, error_message from runs") == [
            ("waiting", "2026-11-20 05:00:00+00", "boom")
        ]
    with ingested(tmp_path / "q", [tmp_path / "ended.json", tmp_path / "incidents.json"]) as ledger:
        assert rows(ledger, "select status from runs") == [("succeeded",)]

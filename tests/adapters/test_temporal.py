"""Temporal and Cadence: own samples in `temporal/`, and the replay fixtures of Temporal's Go SDK."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "temporal"
SAMPLES = sorted(file for file in FOLDER.iterdir() if file.name != "SOURCE.md")
FIXTURES = SHARED / "samples" / "temporal"
ORDER = "temporal:0190f0a0-0001-7b46-8447-568b05b19367"


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """All samples."""
    return ingested(tmp_path_factory.mktemp("night"), SAMPLES)


@pytest.fixture(scope="module")
def fixtures(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """The replay fixtures."""
    return ingested(tmp_path_factory.mktemp("fixtures"), sorted(FIXTURES.glob("*.json")))


def test_each_run_has_the_status_that_it_closed_with(night: Ledger) -> None:
    assert rows(night, "select native_id[10:13], status from runs order by 1") == [
        ("0001", "partial"),
        ("0002", "failed"),
        ("0003", "succeeded"),
        ("0004", "cancelled"),
        ("0005", "succeeded"),
        ("0006", "running"),
        ("0020", "running"),
        ("0021", "succeeded"),
        ("0022", "failed"),
        ("0023", "cancelled"),
        ("0024", "cancelled"),
        ("0025", "succeeded"),
        ("0026", "timed_out"),
        ("0027", "waiting"),
        ("0030", "running"),
        ("0041", "failed"),
    ]


def test_steps_are_activities_timers_signals_and_children(night: Ledger) -> None:
    assert rows(
        night,
        f"""select kind, name, attempt, status, error_type, error_message from steps where run_id = '{ORDER}'
        order by coalesce(ended_at, '1970-01-01'), name""",
    ) == [
        ("activity", "ChargeCard", 2, "failed", "BankDown", "503 from the bank"),
        ("activity", "ChargeCard", 3, "succeeded", None, None),
        ("activity", "SendMail", 1, "failed", "MailError", "550 no such mailbox"),
        ("timer", "timer cooldown", 1, "succeeded", None, None),
        ("signal received", "approve", 1, "succeeded", None, None),
        ("child workflow", "ShipWorkflow", 1, "failed", "NoCarrier", "no carrier for Malta"),
    ]


def test_a_child_hangs_below_its_parent_whichever_of_them_tells_it(night: Ledger, tmp_path: Path) -> None:
    query = "select status, error_type, parent_run_id, \"trigger\", started_at::VARCHAR from runs where native_id like '%-0002-%'"
    expected = [("failed", "NoCarrier", ORDER, "parent workflow", "2026-11-20 06:00:08.600123+00")]
    assert rows(night, query) == expected
    for name in ("history_order.json", "history_child.json"):
        assert rows(ingested(tmp_path / name, [FOLDER / name]), query) == expected


def test_what_continues_as_new_or_was_reset_shares_a_root(night: Ledger) -> None:
    assert rows(
        night,
        "select native_id[10:13], root_run_id[19:22], retry_of[19:22], status_raw from runs where correlation_id = 'poll' order by 1",
    ) == [
        ("0003", "0003", None, "CONTINUED_AS_NEW"),
        ("0004", "0003", "0003", "TERMINATED"),
        ("0005", "0003", "0004", "COMPLETED"),
    ]


def test_a_cron_run_stands_alone_and_says_why_it_is_stuck(night: Ledger) -> None:
    assert rows(
        night,
        "select \"trigger\", retry_of, root_run_id = run_id, error_type, error_message from runs where correlation_id = 'stuck'",
    ) == [("cron", None, True, "NON_DETERMINISTIC_ERROR", "lookup failed for scheduledEventID to activityID")]


def test_what_a_terminated_run_left_open_is_cancelled(night: Ledger) -> None:
    query = "select name, steps.status, runs.error_message from steps join runs using (run_id) where native_id like '%-0004-%'"
    assert rows(night, query) == [("Ping", "cancelled", "stopped by ops")]


def test_a_described_run_says_what_its_activity_is_tried_again_for(night: Ledger) -> None:
    assert rows(
        night, "select status, error_type, error_message, parent_run_id from runs where correlation_id = 'retrying'"
    ) == [("running", "OpError", "connection refused", ORDER)]


def test_cadence_is_a_tool_of_its_own_with_nanoseconds_and_attempts_from_zero(night: Ledger) -> None:
    assert rows(
        night, "select tool, started_at::VARCHAR, error_type, parent_run_id from runs where native_id like '%-0041-%'"
    ) == [
        (
            "cadence",
            "2025-11-20 06:00:00.934668+00",
            "com.uber.cadence.workflow.ActivityFailureException",
            "cadence:0190f0a0-0040-7b46-8447-568b05b19367",
        )
    ]
    assert rows(
        night, "select attempt, status, error_type, error_message from steps where run_id like 'cadence:%'"
    ) == [(1, "failed", "java.io.IOException", "Hello World!")]


def test_a_dump_that_begins_as_a_script_is_read_whole(tmp_path: Path, night: Ledger) -> None:
    told = (FOLDER / "cadence_child_failed.json").read_text()
    script = tmp_path / "demo.js"
    script.write_text(told.replace("[\n", "module.exports = [\n", 1) + ";\n")
    result = take_in(tmp_path / "project", [script])
    assert (result.mapped, result.rejects) == (1, 0)
    query = "select * from steps where run_id like 'cadence:%'"
    assert rows(ingested(tmp_path / "project", []), query) == rows(night, query)


def test_cadence_tells_of_a_failure_what_failed_first(tmp_path: Path) -> None:
    told = json.loads((FOLDER / "cadence_child_failed.json").read_text())
    details = {
        "detailMessage": "ActivityFailure",
        "cause": {"detailMessage": "Hello World!", "class": "java.io.IOException"},
    }
    told[-1]["workflowExecutionFailedEventAttributes"]["details"] = base64.b64encode(
        json.dumps(details).encode()
    ).decode()
    file = tmp_path / "nested.json"
    file.write_text(json.dumps(told))
    ledger = ingested(tmp_path / "project", [file])
    assert rows(ledger, "select error_type, error_message from runs") == [("java.io.IOException", "Hello World!")]


def test_a_golden_run(night: Ledger) -> None:
    assert rows(
        night,
        f"""select automation_id, native_id, version, correlation_id, status_raw, started_at::VARCHAR, ended_at::VARCHAR, duration_s, error_type
        from runs where run_id = '{ORDER}'""",
    ) == [
        (
            "temporal:OrderWorkflow",
            "0190f0a0-0001-7b46-8447-568b05b19367",
            "a277330db220a2781727bb4745e33c3f",
            "order-ORD-1",
            "COMPLETED",
            "2026-11-20 06:00:00.000123+00",
            "2026-11-20 06:00:09.700123+00",
            9.7,
            "NoCarrier",
        )
    ]


def test_payloads_are_decoded_for_the_keys_in_them(tmp_path: Path) -> None:
    toml = """
    [[records]]
    entity = "charge"
    pattern = 'CH-\\d+'
    """
    ledger = ingested(tmp_path, [FOLDER / "history_order.json"], toml)
    assert rows(ledger, "select entity_key, step_id from touches") == [("CH-77", f"{ORDER}/ChargeCard#3")]


@pytest.mark.parametrize("seed", [2])
def test_any_order_of_the_files_gives_the_same_ledger(night: Ledger, tmp_path: Path, seed: int) -> None:
    files = random.Random(seed).sample(SAMPLES, len(SAMPLES))  # noqa: S311  a shuffle, no secret
    ledger = ingested(tmp_path, files)
    for query in ("select * from runs order by run_id", "select * from steps order by step_id"):
        assert rows(ledger, query) == rows(night, query)


def test_both_encodings_and_numeric_ids_tell_the_same(tmp_path: Path) -> None:
    told = json.loads((FOLDER / "history_order.json").read_text())
    for event in told["events"]:
        event["eventType"] = "".join(
            word.capitalize() for word in event["eventType"].removeprefix("EVENT_TYPE_").split("_")
        )
        event["eventId"] = int(event["eventId"])
    old = tmp_path / "old.json"
    old.write_text(json.dumps({"history": told}))
    query = "select * from steps order by step_id"
    found = rows(ingested(tmp_path / "a", [old]), query)
    assert found == rows(ingested(tmp_path / "b", [FOLDER / "history_order.json"]), query)


def test_a_failed_try_that_an_older_server_closes_as_continued_is_a_failure(tmp_path: Path) -> None:
    told = json.loads((FOLDER / "history_continued.json").read_text())
    told["events"][-1]["workflowExecutionContinuedAsNewEventAttributes"].update(
        initiator="Retry", failure={"message": "disk full", "applicationFailureInfo": {"type": "IOError"}}
    )
    file = tmp_path / "retry.json"
    file.write_text(json.dumps(told))
    ledger = ingested(tmp_path / "project", [file])
    assert rows(ledger, "select status, error_type, error_message from runs") == [("failed", "IOError", "disk full")]


def test_a_page_without_the_beginning_is_a_reject_and_pages_in_one_file_are_one_run(tmp_path: Path) -> None:
    told = json.loads((FOLDER / "history_order.json").read_text())["events"]
    (tmp_path / "second.json").write_text(json.dumps({"events": told[9:]}))
    (tmp_path / "both.json").write_text(json.dumps([{"events": told[:9]}, {"events": told[9:]}]))
    assert take_in(tmp_path / "a", [tmp_path / "second.json"]).rejects == 1
    ledger = ingested(tmp_path / "b", [tmp_path / "both.json"])
    assert rows(ledger, "select status from runs where parent_run_id is null") == [("partial",)]


@pytest.mark.parametrize("keep", [0.3, 0.7])
def test_a_history_cut_off_tells_what_is_whole_and_not_how_it_ended(tmp_path: Path, keep: float) -> None:
    text = (FOLDER / "history_order.json").read_text()
    file = tmp_path / "cut.json"
    file.write_text(text[: int(len(text) * keep)])
    result = take_in(tmp_path / "project", [file])
    assert (result.mapped, result.rejects) == (1, 1)
    with ingested(tmp_path / "again", [file]) as ledger:
        assert rows(ledger, "select distinct status from runs where parent_run_id is null") == [("unknown",)]


@needs_shared
def test_replay_fixtures_have_the_status_of_their_last_event(fixtures: Ledger) -> None:
    found = rows(fixtures, "select automation, status, count(*) from runs group by all order by all")
    assert found == [
        ("CancelTimerAfterActivity", "succeeded", 1),
        ("ChildWorkflowCancelWithUpdate", "succeeded", 1),
        ("ChildWorkflowWaitOnSignal", "running", 1),  # as far as its parent tells
        ("ContinueAsNewWorkflow", "succeeded", 1),
        ("ResetWorkflowWithChild", "succeeded", 1),
        ("TestChildWorkflow", "succeeded", 1),
        ("WorkflowTest", "succeeded", 1),
        ("main.SampleChildWorkflow", "succeeded", 1),
        ("main.SampleChildWorkflow", "unknown", 1),
        ("testReplayWorkflowFromFile", "succeeded", 1),
        ("testReplayWorkflowFromFileParent", "succeeded", 1),
    ]


@needs_shared
def test_the_reset_fixture_is_the_new_run_of_the_one_it_was_reset_from(fixtures: Ledger) -> None:
    assert rows(fixtures, "select native_id, retry_of from runs where automation = 'ResetWorkflowWithChild'") == [
        ("b64f8938-b361-4a06-8821-a5d5ad8c8992", "temporal:01950160-2559-7b46-8447-568b05b19367")
    ]


@needs_shared
def test_the_parent_fixture_names_both_runs_of_its_child(fixtures: Ledger) -> None:
    assert rows(
        fixtures,
        "select native_id[1:8], retry_of[10:17], parent_run_id[10:17] from runs where automation = 'main.SampleChildWorkflow' order by 1",
    ) == [("105dcb3a", None, "0ea65eda"), ("1c4e88cc", "105dcb3a", "0ea65eda")]


def test_tctl_lists_runs_with_numbers_for_statuses(tmp_path: Path) -> None:
    run = {
        "execution": {"workflow_id": "ship-1", "run_id": "r-0"},
        "type": {"name": "Ship"},
        "start_time": "2026-11-20T06:00:00Z",
    }
    listed = [
        {
            **run,
            "execution": {"workflow_id": "ship-1", "run_id": f"r-{n}"},
            "status": n,
            "close_time": "2026-11-20T06:00:05Z",
        }
        for n in range(1, 8)
    ]
    (tmp_path / "list.json").write_text(json.dumps(listed))
    with ingested(tmp_path / "p", [tmp_path / "list.json"]) as ledger:
        assert [status for (status,) in rows(ledger, "select status from runs order by native_id")] == [
            "running", "succeeded", "failed", "cancelled", "cancelled", "succeeded", "timed_out",
        ]  # fmt: skip

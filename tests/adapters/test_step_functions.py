"""AWS Step Functions: own samples in `step_functions/`, and the histories that LocalStack recorded from real AWS."""

from __future__ import annotations

import json
import random
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "step_functions"
SAMPLES = sorted(file for file in FOLDER.iterdir() if file.name != "SOURCE.md")
RECORDED = SHARED / "samples" / "aws_step_functions"
ARN = "arn:aws:states:eu-central-1:123456789012:execution:order-sync:"


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """All samples."""
    return ingested(tmp_path_factory.mktemp("night"), SAMPLES)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Every history among LocalStack's snapshots, whose times all read "timestamp", in one file."""
    folder = tmp_path_factory.mktemp("recorded")
    histories = []
    for test, told in json.loads((RECORDED / "localstack_aws_validated_snapshots.json").read_text()).items():
        for number, answer in enumerate(told.values() if isinstance(told, dict) else ()):
            if isinstance(answer, dict) and answer.get("events"):
                histories.append({"executionArn": f"arn:x:{test}.{number}", **answer})
    file = folder / "histories.json"
    file.write_text("\n".join(map(json.dumps, histories)))
    return ingested(folder / "project", [file])


def test_each_execution_has_the_status_that_aws_gave_it(night: Ledger) -> None:
    found = rows(
        night,
        f"select replace(native_id, '{ARN}', ''), attempt, status from runs where starts_with(native_id, '{ARN}') order by all",
    )
    assert found == [
        ("ord-1001", 1, "succeeded"),
        ("ord-1002", 1, "failed"),
        ("ord-1003", 1, "timed_out"),
        ("ord-1004", 1, "cancelled"),
        ("ord-1005", 1, "running"),
        ("ord-1006", 2, "succeeded"),
        ("ord-1007", 1, "unknown"),  # only its map run was exported
        ("ord-2001", 1, "succeeded"),
        ("ord-3001", 1, "failed"),
        ("ord-3001", 2, "partial"),
    ]  # fmt: skip


def test_a_child_of_a_distributed_map_waits_for_its_redrive(night: Ledger) -> None:
    assert rows(
        night,
        "select automation, status, items_in, started_at::VARCHAR from runs where correlation_id like '%:mapRun:%' order by 2",
    ) == [
        ("order-sync/EachOrder", "queued", 50, "2026-11-20 05:00:02.5+00"),
        ("order-sync/EachOrder", "succeeded", 50, "2026-11-20 05:00:01.5+00"),
    ]


def test_a_map_run_is_a_step_with_its_items(night: Ledger) -> None:
    assert rows(night, "select name, kind, status, items_in, items_out from steps where kind = 'MapRun'") == [
        ("EachOrder", "MapRun", "failed", 100, 50)
    ]


def test_a_retry_is_an_attempt_of_its_step_and_no_partial_success(night: Ledger) -> None:
    assert rows(
        night,
        f"""select attempt, steps.status, steps.error_type, lag(epoch(steps.ended_at)) over (order by attempt)
               - epoch(steps.started_at) between -10.01 and -9.99 from steps where run_id = 'step_functions:{ARN}ord-2001' order by 1""",
    ) == [(1, "failed", "sfncli.CommandTerminated", None), (2, "succeeded", None, True)]


def test_states_of_a_map_carry_their_iteration_and_their_own_failure(night: Ledger) -> None:
    found = rows(
        night,
        f"""select name, kind, system, map_index, attempt, status, error_message from steps
        where run_id = 'step_functions:{ARN}ord-3001' order by started_at, name, map_index""",
    )
    assert found == [
        ("Each order", "Map", None, 0, 1, "succeeded", None),
        ("Push", "Task", "lambda", 0, 1, "succeeded", None),
        ("Push", "Task", "lambda", 1, 1, "failed", "409 Conflict: ORD-2 is locked"),
        ("Note", "Pass", None, 1, 1, "succeeded", None),
        ("Invoice", "Task", "states", 0, 1, "failed", "the month is closed"),
    ]


def test_a_redrive_is_the_next_attempt_with_what_it_ran_again(night: Ledger) -> None:
    again = f"step_functions:{ARN}ord-3001#2"
    assert rows(night, f"select root_run_id, started_at::VARCHAR from runs where run_id = '{again}'") == [
        (f"step_functions:{ARN}ord-3001", "2026-11-20 07:10:00+00")
    ]
    found = rows(night, f"select name, attempt, status from steps where run_id = '{again}' order by started_at")
    assert found == [("Push", 1, "failed"), ("Invoice", 1, "succeeded")]  # caught and so not pushed again


def test_child_executions_are_runs_of_their_own_below_the_one_that_started_them(night: Ledger) -> None:
    assert rows(
        night,
        """select automation, status, error_type, started_at::VARCHAR, parent_run_id from runs
        where native_id like '%:execution:invoice:%' order by native_id""",
    ) == [
        ("invoice", "failed", "Ledger.Closed", "2026-11-20 07:05:05.1+00", f"step_functions:{ARN}ord-3001"),
        ("invoice", "succeeded", None, "2026-11-20 07:15:01+00", f"step_functions:{ARN}ord-3001"),
    ]


def test_events_and_listing_of_one_execution_are_one_run(night: Ledger) -> None:
    assert rows(
        night, f"select status_raw, error_type, error_message, duration_s from runs where native_id = '{ARN}ord-1002'"
    ) == [("FAILED", "CRM.Rejected", "422 no such contact", 2.49)]


def test_a_log_of_express_executions_is_sorted_out_and_its_other_lines_set_aside(tmp_path: Path) -> None:
    result = take_in(tmp_path, [FOLDER / "filter-log-events.json"])
    assert (result.records_read, result.mapped, result.set_aside) == (3, 2, 1)


def test_express_executions_have_steps_and_ends(night: Ledger) -> None:
    assert rows(
        night,
        """select split_part(native_id, ':', 8), runs.status, name, system, steps.status from runs join steps using (run_id)
        where native_id like '%:express:%' order by 1""",
    ) == [
        ("hook-1", "succeeded", "Send", "sqs", "succeeded"),
        ("hook-2", "timed_out", "Send", "sqs", "timed_out"),
        ("hook-3", "succeeded", "Send", "sqs", "succeeded"),  # the same as text
        ("hook-4", "timed_out", "Send", "sqs", "timed_out"),
    ]


def test_what_executions_were_given_names_clients_and_orders(tmp_path: Path) -> None:
    toml = """
    [[records]]
    entity = "order"
    pattern = 'ORD-\\d+'
    """
    ledger = ingested(tmp_path, [FOLDER / "describe-and-history.json", FOLDER / "filter-log-events.json"], toml)
    assert rows(ledger, "select distinct entity_key from touches order by 1") == [("ORD-2001",), ("ORD-9",)]
    assert rows(
        ledger, "select distinct operation, system from touches where entity_key = 'ORD-9' and step_id is not null"
    ) == [("send", "sqs")]


def test_events_that_eventbridge_wrote_to_a_log_tell_the_same_run(tmp_path: Path, night: Ledger) -> None:
    lines = (FOLDER / "eventbridge.jsonl").read_text().splitlines()
    page = tmp_path / "page.json"
    page.write_text(
        json.dumps(
            {
                "events": [
                    {"timestamp": 1763618400000, "ingestionTime": 1763618400001, "message": line} for line in lines
                ]
            }
        )
    )
    query = f"select status, started_at, ended_at, error_type, error_message, automation_id from runs where native_id = '{ARN}ord-1002'"
    assert rows(ingested(tmp_path / "project", [page]), query) == rows(night, query)


def test_a_golden_run(night: Ledger) -> None:
    assert rows(
        night,
        f"""select tool, automation_id, automation, version, attempt, root_run_id, started_at::VARCHAR, ended_at::VARCHAR, duration_s
        from runs where native_id = '{ARN}ord-1006'""",
    ) == [
        (
            "step_functions",
            "step_functions:arn:aws:states:eu-central-1:123456789012:stateMachine:order-sync",
            "order-sync",
            "7",
            2,
            f"step_functions:{ARN}ord-1006",
            "2026-11-20 08:00:00+00",
            "2026-11-20 08:00:30+00",
            30.0,
        )
    ]


@pytest.mark.parametrize("seed", [3])
def test_any_order_of_the_files_gives_the_same_ledger(night: Ledger, tmp_path: Path, seed: int) -> None:
    files = random.Random(seed).sample(SAMPLES, len(SAMPLES))  # noqa: S311  a shuffle, no secret
    ledger = ingested(tmp_path, files)
    for query in ("select * from runs order by run_id", "select * from steps order by step_id"):
        assert rows(ledger, query) == rows(night, query)


def test_a_history_that_nobody_named_is_known_by_when_it_began(tmp_path: Path) -> None:
    whole = json.loads(
        (FOLDER / "arn_aws_states_eu-central-1_123456789012_execution_order-sync_ord-3001.json").read_text()
    )
    early, late = tmp_path / "early.json", tmp_path / "late.json"
    early.write_text(json.dumps({"events": whole["events"][:12]}))
    late.write_text(json.dumps(whole))
    ledger = ingested(tmp_path / "project", [late, early])
    found = rows(
        ledger,
        "select starts_with(native_id, 'history@2026-11-20T07:00:00'), attempt, status from runs where automation is null order by 2",
    )
    assert found == [(True, 1, "failed"), (True, 2, "partial")]


def test_a_history_keeps_its_id_however_its_times_are_written_and_as_far_as_a_cut_off_copy_goes(tmp_path: Path) -> None:
    whole = json.loads(
        (FOLDER / "arn_aws_states_eu-central-1_123456789012_execution_order-sync_ord-3001.json").read_text()
    )
    files = [tmp_path / f"{name}.json" for name in ("cli", "boto", "cli_1", "cut", "cut_array")]
    texts = [json.dumps(whole)]
    for write in (str, datetime.timestamp):
        events = [
            {**event, "timestamp": write(datetime.fromisoformat(event["timestamp"]))} for event in whole["events"]
        ]
        texts.append(json.dumps({"events": events}))
    texts += [json.dumps(whole, indent=1)[:4000], json.dumps(whole["events"], indent=1)[:4000]]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    with ingested(tmp_path / "project", files) as ledger:
        assert rows(ledger, "select count(*), count(distinct native_id) from runs where automation is null") == [(2, 1)]
    with ingested(tmp_path / "cut", files[3:]) as ledger:
        assert rows(ledger, "select status from runs") == [("unknown",)]
        assert rows(ledger, "select count(*) > 1 from steps") == [(True,)]


def test_pages_in_one_file_are_one_history_and_a_page_with_more_to_come_has_not_ended(tmp_path: Path) -> None:
    whole = json.loads(
        (FOLDER / "arn_aws_states_eu-central-1_123456789012_execution_order-sync_ord-3001.json").read_text()
    )
    first, second = {"events": whole["events"][:5], "nextToken": "more"}, {"events": whole["events"][5:27]}
    pages, cut = tmp_path / "pages.json", tmp_path / "first.json"
    pages.write_text(json.dumps(first) + "\n" + json.dumps(second))
    cut.write_text(json.dumps(first))
    for file, status in ((pages, "failed"), (cut, "unknown")):
        ledger = ingested(tmp_path / file.stem, [file])
        assert rows(ledger, "select status from runs where parent_run_id is null") == [(status,)]


def test_events_newest_first_tell_the_same(tmp_path: Path, night: Ledger) -> None:
    sample = FOLDER / "arn_aws_states_eu-central-1_123456789012_execution_order-sync_ord-3001.json"
    turned = tmp_path / sample.name
    told = json.loads(sample.read_text())
    turned.write_text(json.dumps(told["events"][::-1]))  # as --reverse-order gives them, here without the envelope
    query = f"select * exclude (run_seen_at) from steps where run_id like '%{ARN}ord-3001%' order by step_id"
    assert rows(ingested(tmp_path / "project", [turned]), query) == rows(night, query)


def test_a_state_in_a_loop_is_a_step_each_time_and_one_of_a_map_tried_again_an_attempt(tmp_path: Path) -> None:
    def event(number: int, before: int, kind: str, **details: Any) -> dict[str, Any]:
        told = {f"{kind[0].lower()}{kind[1:]}EventDetails": details} if "State" not in kind else {}
        if kind.endswith(("Entered", "Exited")):
            told = {"stateEnteredEventDetails" if kind.endswith("Entered") else "stateExitedEventDetails": details}
        return {"id": number, "previousEventId": before, "type": kind, "timestamp": 1763622000 + number, **told}

    events = [
        event(1, 0, "ExecutionStarted", input="{}"),
        event(2, 0, "MapStateEntered", name="All"),
        event(3, 2, "MapStateStarted"),
        event(4, 3, "MapIterationStarted", name="All", index=0),
        event(5, 4, "TaskStateEntered", name="Push"),
        event(6, 5, "LambdaFunctionScheduled", resource="arn:aws:lambda:x"),
        event(7, 6, "LambdaFunctionFailed", error="Boom", cause=""),
        event(8, 7, "MapIterationFailed", name="All", index=0),
        event(9, 7, "MapStateFailed"),
        event(10, 9, "MapStateStarted"),
        event(11, 10, "MapIterationStarted", name="All", index=0),
        event(12, 11, "TaskStateEntered", name="Push"),
        event(13, 12, "LambdaFunctionScheduled", resource="arn:aws:lambda:x"),
        event(14, 13, "LambdaFunctionSucceeded", output="1"),
        event(15, 14, "TaskStateExited", name="Push"),
        event(16, 15, "MapIterationSucceeded", name="All", index=0),
        event(17, 16, "MapStateSucceeded"),
        event(18, 17, "MapStateExited", name="All"),
        event(19, 18, "WaitStateEntered", name="Wait"),
        event(20, 19, "WaitStateExited", name="Wait"),
        event(21, 20, "WaitStateEntered", name="Wait"),
        event(22, 21, "WaitStateExited", name="Wait"),
        event(23, 22, "ExecutionSucceeded", output="1"),
    ]
    file = tmp_path / "loop.json"
    file.write_text(json.dumps({"events": events}))
    ledger = ingested(tmp_path / "project", [file])
    assert rows(ledger, "select status from runs") == [("succeeded",)]
    found = rows(ledger, "select split_part(step_id, '/', 3), attempt, status from steps order by 1, 2")
    assert found == [
        ("All", 1, "failed"),
        ("All#2", 2, "succeeded"),
        ("Push", 1, "failed"),
        ("Push#2", 2, "succeeded"),
        ("Wait", 1, "succeeded"),
        ("Wait (2)", 1, "succeeded"),
    ]


@pytest.mark.parametrize("damage", ["cut", "no details", "foreign types"])
def test_damaged_histories_are_rejects_or_unknown_and_never_crash(tmp_path: Path, damage: str) -> None:
    sample = FOLDER / "arn_aws_states_eu-central-1_123456789012_execution_order-sync_ord-3001.json"
    text = sample.read_text()
    if damage == "cut":
        text = text[: len(text) // 2]
    else:
        told = json.loads(text)
        for number, event in enumerate(told["events"]):
            for name in [name for name in event if name.endswith("Details")]:
                event[name] = None if damage == "no details" else [1]
            if damage == "foreign types" and number % 3 == 0:
                event.update(id="x", type=7)
        text = json.dumps(told)
    file = tmp_path / sample.name
    file.write_text(text)
    result = take_in(tmp_path / "project", [file])
    assert result.recognised == 1
    assert result.rejects == (1 if damage == "cut" else 0)


@needs_shared
def test_recorded_histories_without_times_are_read_for_all_else(recorded: Ledger) -> None:
    truth = {
        "test_raise_exception_catch.0": "partial",
        "test_map_state_catch.0": "partial",
        "test_invoke_timeout.0": "partial",
        "test_parallel_state_catch.0": "partial",
        "test_catch_states_runtime.0": "failed",
        "test_start_execution_sync.0": "succeeded",
        "test_start_execution_sync_delegate_failure.0": "failed",
        "test_stop_execution.3": "cancelled",
        "test_map_state_label.0": "succeeded",
        "test_service_lambda_map_timeout.0": "failed",
        "test_global_timeout.0": "timed_out",
    }
    found = dict(
        rows(recorded, "select split_part(native_id, ':', 3), status from runs where starts_with(native_id, 'arn:x')")
    )
    wanted = {name: truth[name] for name in truth if name in found}
    assert {name: found[name] for name in wanted} == wanted
    assert len(wanted) >= 10
    assert rows(recorded, "select count(*) from runs where started_at is not null") == [(0,)]
    assert "unknown" not in found.values()


@needs_shared
def test_recorded_steps_that_failed_or_timed_out_say_so(recorded: Ledger) -> None:
    def steps(name: str) -> list[tuple[object, ...]]:
        return rows(
            recorded,
            f"select name, map_index, status, error_type from steps where run_id like '%:{name}.0' order by name, map_index",
        )

    assert steps("test_invoke_timeout") == [
        ("EndWithHandler", 0, "succeeded", None),
        ("Start", 0, "timed_out", "States.Timeout"),
    ]
    assert [row[:3] for row in steps("test_map_state_catch")] == [
        ("FinalCaught", 0, "succeeded"),
        ("HandleItemFail", 0, "failed"),
        ("MapState", 0, "failed"),
        ("StartState", 0, "succeeded"),
    ]
    assert [row[:3] for row in steps("test_service_lambda_map_timeout")] == [
        *(("LambdaInvoke", index, "timed_out") for index in range(4)),
        ("MapWait", 0, "failed"),
    ]
    assert steps("test_catch_states_runtime") == [("RaiseRuntime", 0, "failed", "States.Runtime")]


@needs_shared
def test_recorded_children_hang_below_their_parent(recorded: Ledger) -> None:
    found = rows(
        recorded,
        """select child.status, child.error_type from runs child join runs parent on child.parent_run_id = parent.run_id
        where parent.native_id like '%test_start_execution_sync_delegate_failure%'""",
    )
    assert len(found) <= 1  # the snapshots name every target execution alike
    assert (
        rows(recorded, "select count(*) from runs where native_id like '%:execution:%' and parent_run_id is not null")[
            0
        ][0]
        == 1
    )


@needs_shared
def test_answers_may_stand_in_one_object_under_names_of_ones_own(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [RECORDED / "localstack_aws_validated_snapshots.json"])
    found = dict(rows(ledger, "select status, count(*) from runs group by all"))
    assert found["partial"] >= 5
    assert set(found) == {"succeeded", "partial", "failed", "timed_out", "cancelled"}


@needs_shared
def test_a_recorded_log_and_the_history_beside_it_tell_the_same(tmp_path: Path) -> None:
    snapshots = json.loads((RECORDED / "localstack_sfn_cloudwatch_logs_snapshots.json").read_text())
    told = next(
        value for name, value in snapshots.items() if isinstance(value, dict) and "logged_execution_events" in value
    )
    log, history = tmp_path / "log.json", tmp_path / "history.json"
    log.write_text(json.dumps(told["logged_execution_events"]))
    history.write_text(json.dumps(told["get_execution_history"]))
    query = "select name, kind, steps.status, runs.status from steps join runs using (run_id) order by all"
    found = [rows(ingested(tmp_path / file.stem, [file]), query) for file in (log, history)]
    assert found[0] == found[1] == [("State_1", "Pass", "succeeded", "succeeded")]


def test_an_empty_listing_is_taken_in_and_holds_nothing(tmp_path: Path) -> None:
    file = tmp_path / "empty.json"
    file.write_text('{"executions": []}')
    result = take_in(tmp_path / "project", [file])
    assert (result.recognised, result.records_read) == (1, 0)


def test_a_listing_without_readable_times_is_rejected_by_name(tmp_path: Path) -> None:
    file = tmp_path / "list.json"
    told = json.loads((FOLDER / "list-executions.json").read_text())
    told["executions"][0]["startDate"] = "datetime"
    file.write_text(json.dumps(told))
    result = take_in(tmp_path / "project", [file])
    assert (result.records_read, result.mapped, result.rejects) == (6, 5, 1)


def test_the_name_of_a_history_may_hold_its_arn_in_several_spellings(tmp_path: Path) -> None:
    sample = FOLDER / "arn_aws_states_eu-central-1_123456789012_execution_order-sync_ord-3001.json"
    names = [f"{ARN}ord-3001.json", f"history {ARN.replace(':', '%3A')}ord-3001.jsonl"]
    for number, name in enumerate(names):
        shutil.copy(sample, tmp_path / name)
        ledger = ingested(tmp_path / str(number), [tmp_path / name])
        assert rows(ledger, "select distinct native_id from runs where automation = 'order-sync'") == [
            (f"{ARN}ord-3001",)
        ]

"""AWS Lambda: own samples in `aws_lambda/`, and lines quoted from public READMEs."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "aws_lambda"
SAMPLES = sorted(file for file in FOLDER.iterdir() if file.name != "SOURCE.md")
PUBLIC = SHARED / "samples" / "aws_lambda"


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """All samples."""
    return ingested(tmp_path_factory.mktemp("night"), SAMPLES)


def test_each_invocation_has_the_status_that_was_caused(night: Ledger) -> None:
    assert rows(night, "select right(native_id, 2), attempt, status from runs order by 1, 2") == [
        ("01", 1, "succeeded"),
        ("02", 1, "failed"),
        ("02", 2, "succeeded"),
        ("03", 1, "timed_out"),
        ("04", 1, "crashed"),
        ("05", 1, "running"),
        ("21", 1, "succeeded"),
        ("22", 1, "succeeded"),
        ("31", 1, "failed"),
        ("32", 1, "succeeded"),
        ("41", 1, "succeeded"),
        ("42", 1, "failed"),
        ("43", 1, "timed_out"),
        ("44", 1, "crashed"),
        ("45", 1, "failed"),
        ("61", 1, "succeeded"),
        ("71", 1, "timed_out"),
        ("81", 1, "succeeded"),
    ]


def test_an_error_is_found_before_a_report_that_does_not_name_it(night: Ledger) -> None:
    assert rows(
        night, "select right(native_id, 2), error_type, error_message from runs where error_type is not null order by 1"
    ) == [
        ("02", "ValueError", "409 Conflict: ORD-1002 is locked"),
        ("03", "Task.TimedOut", "Task timed out after 3.00 seconds"),
        ("04", "Runtime.ExitError", "Runtime exited with error: signal: killed"),
        ("31", "HTTPError", "502 from shop for ORD-4001"),
        ("42", "Error", "422 for ORD-5002"),
        ("44", "Runtime.OutOfMemory", None),
        ("45", "Error", None),
    ]


def test_the_same_request_again_is_a_retry_with_one_root(night: Ledger) -> None:
    assert rows(
        night,
        """select attempt, started_at::VARCHAR, root_run_id = first_value(run_id) over (order by attempt) from runs
        where native_id like '%02' order by 1""",
    ) == [(1, "2026-11-20 06:01:00+00", True), (2, "2026-11-20 06:01:58+00", True)]


def test_functions_are_named_where_anything_names_them(night: Ledger) -> None:
    assert rows(night, "select automation, count(*) from runs group by all order by 1 nulls last") == [
        ("invoice-send", 5),
        ("order-push", 6),
        ("stock-sync", 1),
        (None, 6),
    ]


def test_a_golden_run(night: Ledger) -> None:
    assert rows(
        night,
        """select run_id, automation_id, status_raw, version, correlation_id, started_at::VARCHAR, ended_at::VARCHAR, duration_s
        from runs where native_id like '%01'""",
    ) == [
        (
            "aws_lambda:0f3c1d2a-7b4e-4c59-9d10-5a6b7c8d9e01",
            "aws_lambda:order-push",
            "no status",
            "12",
            "1-691ead40-0123456789abcdef01234567",
            "2026-11-20 06:00:00.412+00",
            "2026-11-20 06:00:01.7+00",
            1.28731,
        )
    ]


def test_lines_outside_any_invocation_are_one_set_aside(tmp_path: Path) -> None:
    result = take_in(tmp_path, [FOLDER / "aws-lambda-order-push.log"])
    assert (result.records_read, result.mapped, result.set_aside, result.rejects) == (7, 6, 1, 0)


def test_what_a_function_printed_names_the_orders_it_touched(tmp_path: Path) -> None:
    toml = """
    [[records]]
    entity = "order"
    pattern = 'ORD-\\d+'
    """
    ledger = ingested(tmp_path, [FOLDER / "aws-lambda-order-push.log"], toml)
    assert rows(ledger, "select right(run_id, 2), entity_key from touches order by 1") == [
        ("01", "ORD-1001"),
        ("02", "ORD-1002"),
    ]


@pytest.mark.parametrize("seed", [5])
def test_any_order_of_the_files_gives_the_same_ledger(night: Ledger, tmp_path: Path, seed: int) -> None:
    files = random.Random(seed).sample(SAMPLES, len(SAMPLES))  # noqa: S311  a shuffle, no secret
    assert rows(ingested(tmp_path, files), "select * from runs order by run_id") == rows(
        night, "select * from runs order by run_id"
    )


def test_the_same_log_as_text_and_as_json_tells_the_same_runs(tmp_path: Path) -> None:
    events = []
    for line in (FOLDER / "aws-lambda-order-push.log").read_text().splitlines():
        at, stream, message = line.split(" ", 2)
        events.append(
            {"timestamp": at, "logStreamName": stream, "message": message + "\n", "eventId": str(len(events))}
        )
    page = tmp_path / "aws_lambda_order-push.json"
    page.write_text(json.dumps({"events": events}))
    query = "select * exclude (first_seen_at, last_seen_at) from runs order by run_id"
    one = ingested(tmp_path / "json", [page])
    assert rows(one, query) == rows(ingested(tmp_path / "text", [FOLDER / "aws-lambda-order-push.log"]), query)


def test_a_printed_error_line_without_a_traceback_is_no_failure(tmp_path: Path) -> None:
    request = "0f3c1d2a-7b4e-4c59-9d10-5a6b7c8d9e90"
    log = tmp_path / "x.log"
    log.write_text(
        f"START RequestId: {request} Version: $LATEST\n[ERROR] Nothing: to see here\nEND RequestId: {request}\n"
        f"REPORT RequestId: {request}\tDuration: 1.00 ms\tBilled Duration: 1 ms\tMemory Size: 128 MB\tMax Memory Used: 1 MB\t\n"
    )
    assert rows(ingested(tmp_path / "project", [log]), "select status, error_type from runs") == [("succeeded", None)]


@needs_shared
def test_quoted_report_lines_are_two_invocations(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [PUBLIC / "lambda_report_lines.log"])
    assert rows(ledger, "select left(native_id, 4), status, duration_s, version from runs order by 1") == [
        ("a597", "succeeded", 0.67596, "$LATEST"),
        ("a7f1", "succeeded", 1.16223, None),
    ]


@needs_shared
def test_log_events_of_something_else_are_set_aside(tmp_path: Path) -> None:
    result = take_in(tmp_path, [PUBLIC / "get-log-events.json"])
    assert (result.records_read, result.mapped, result.set_aside) == (1, 0, 1)


@pytest.mark.parametrize("keep", [0.4, 0.8])
def test_cut_off_logs_keep_what_is_whole(tmp_path: Path, keep: float) -> None:
    for name in ("aws-lambda-order-push.log", "filter-log-events.json", "platform.jsonl"):
        text = (FOLDER / name).read_text()
        (tmp_path / name).write_text(text[: int(len(text) * keep)])
    result = take_in(
        tmp_path / "project",
        [tmp_path / name for name in ("aws-lambda-order-push.log", "filter-log-events.json", "platform.jsonl")],
    )
    assert result.recognised == 3
    assert result.mapped >= 2
    assert result.rejects >= 1


@pytest.mark.parametrize("name", ["report_lines.log", "platform.jsonl", "get-query-results.json"])
def test_a_log_that_stands_in_the_file_twice_is_counted_once(tmp_path: Path, name: str) -> None:
    text = (FOLDER / name).read_text().rstrip()
    (tmp_path / name).write_text(f"{text}\n{text}\n")
    query = "select native_id, attempt, status from runs order by all"
    with ingested(tmp_path / "p", [tmp_path / name]) as twice, ingested(tmp_path / "q", [FOLDER / name]) as once:
        assert rows(twice, query) == rows(once, query)

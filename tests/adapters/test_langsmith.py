"""LangSmith: pages, exports and batches in the exact format of its schemas, and a batch that its own SDK's tests recorded."""

from __future__ import annotations

import json
import random
from pathlib import Path

import duckdb
import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "langsmith"
FILES = sorted(FOLDER.glob("*.json*"))
TOML = """
[[records]]
entity = "order"
keys = ["order_id"]
"""


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("week"), FILES, TOML)


def _status(ledger: Ledger, number: int) -> list[tuple[object, ...]]:
    return rows(ledger, f"select status, status_raw from runs where native_id like '%{number:012x}'")


@pytest.mark.parametrize(
    ("number", "status", "raw"),
    [
        (1, "partial", "success"),  # a tool failed in it
        (2, "failed", "error"),
        (3, "running", "pending"),
        (4, "cancelled", "error|CancelledError"),
        (5, "waiting", "error|GraphInterrupt"),
        (6, "cancelled", "error|KeyboardInterrupt"),
        (8, "unknown", "paused by a new word"),
        (21, "succeeded", "success"),
        (22, "failed", "error"),
        (23, "running", "pending"),
    ],
)
def test_status_is_the_tools_word_or_what_error_and_end_say(week: Ledger, number: int, status: str, raw: str) -> None:
    assert _status(week, number) == [(status, raw)]


def test_the_root_of_a_trace_is_the_run_and_all_below_it_are_steps(week: Ledger) -> None:
    assert rows(
        week,
        "select steps.name, kind, steps.status from steps join runs using (run_id) where native_id like '%001' order by 1, 3",
    ) == [("ChatOpenAI", "llm", "succeeded"), ("crm_lookup", "tool", "failed"), ("crm_lookup", "tool", "succeeded")]
    assert rows(week, "select automation, correlation_id, version from runs where native_id like '%001'") == [
        ("order agent", "thread-9", "rev-4")
    ]


def test_an_error_is_told_without_its_traceback(week: Ledger) -> None:
    assert rows(week, "select error_type, error_message from runs where native_id like '%002'") == [
        ("ValueError", "ValueError('no such order ORD-2')")
    ]


def test_runs_over_examples_are_tests(week: Ledger) -> None:
    assert rows(week, "select native_id from runs where role = 'test'") == [("0d1a2b3c-0000-4000-8000-000000000007",)]


def test_only_dotted_order_may_say_which_trace_a_run_is_of_and_without_it_is_a_reject(week: Ledger) -> None:
    assert rows(week, "select native_id from steps join runs using (run_id) where steps.name = 'summarise'") == [
        (f"0d1a2b3c-0000-4000-8000-{22:012x}",)
    ]
    assert rows(week, "select record, field, reason from rejects") == [
        (5, "trace_id", "is inside a trace, and nothing says of which")
    ]


def test_a_trace_whose_root_is_elsewhere_is_known_to_be(week: Ledger) -> None:
    assert _status(week, 26) == [("unknown", None)]


def test_runs_inside_runs_are_read_however_deep(week: Ledger) -> None:
    assert rows(
        week,
        "select steps.name, kind, steps.status from steps join runs using (run_id) where automation = 'planner' order by 1",
    ) == [
        ("embed", "embedding", "failed"),
        ("question", "prompt", "succeeded"),
        ("search", "retriever", "succeeded"),
        ("to JSON", "parser", "succeeded"),
    ]


def test_post_and_patch_are_one_run_though_a_patch_names_nothing(week: Ledger) -> None:
    assert [_status(week, number)[0][0] for number in (41, 43, 44)] == ["succeeded", "failed", "succeeded"]
    assert rows(week, "select automation_id, error_message from runs where native_id like '%02b'") == [
        ("langsmith:crm/agent", "ValueError('bad page')")
    ]
    assert rows(week, f"select name, status from steps where step_key like '%{42:012x}'") == [
        ("ChatOpenAI", "succeeded")
    ]


def test_inputs_give_business_records(week: Ledger) -> None:
    assert rows(week, "select entity_key from touches join runs using (run_id) where native_id like '%002'") == [
        ("ORD-2",)
    ]


def test_any_order_of_the_files_gives_the_same_ledger(week: Ledger, tmp_path: Path) -> None:
    ledger = ingested(tmp_path, random.Random(2).sample(FILES, len(FILES)), TOML)  # noqa: S311
    for table, key in (("runs", "run_id"), ("steps", "step_id")):
        assert rows(ledger, f"select * from {table} order by {key}") == rows(
            week, f"select * from {table} order by {key}"
        )


def test_the_bulk_export_tells_the_same_as_the_page(week: Ledger, tmp_path: Path) -> None:
    page = tmp_path / "page.jsonl"
    page.write_text("\n".join(json.dumps(run) for run in json.loads((FOLDER / "query_page.json").read_text())["runs"]))
    for form in ("parquet", "csv"):
        # as ClickHouse writes it: all of it text, JSON and lists too
        listed = ", ".join(f"to_json({name})::VARCHAR as {name}" for name in ("inputs", "outputs", "extra", "tags"))
        columns = f"* replace ({listed})"
        duckdb.execute(f"copy (select {columns} from read_json('{page}')) to '{tmp_path}/runs.{form}'")
        ledger = ingested(tmp_path / form, [tmp_path / f"runs.{form}"], TOML)
        query = "select native_id, status, started_at, error_type, correlation_id from runs {} order by 1"
        assert rows(ledger, query.format("")) == rows(week, query.format("where automation = 'order agent'"))


@needs_shared
def test_what_the_sdk_recorded_is_one_run_and_other_recordings_are_not_ours(tmp_path: Path) -> None:
    result = take_in(tmp_path, [SHARED / "samples/langsmith/anthropic_managed_custom_tools.jsonl"])
    assert [file.outcome for file in result.files] == ["unknown"]
    ledger = ingested(tmp_path, [SHARED / "samples/langsmith/batch_ingest_wrap_openai.json"])
    assert rows(ledger, "select run_id, automation, status, duration_s > 1.1, epoch_ms(started_at) from runs") == [
        ("langsmith:dc34609e-3eeb-459d-bc2a-6fedb01d2e6e", "ChatOpenAI", "succeeded", True, 1728803137170)
    ]

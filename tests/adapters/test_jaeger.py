"""Jaeger: traces of its API and spans of its storage, made by hand in their exact format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "jaeger"
TOML = """
[[records]]
entity = "order"
keys = ["order_id"]

[[clients]]
id = "acme"
name = "Acme"
runs = [{ source = "jaeger", path = "client", equals = "acme" }]
"""
RUNS = "select right(native_id, 1), automation, status, error_type from runs where native_id not like '%a' order by 1"


@pytest.fixture(scope="module", params=["api_traces.json", "elasticsearch.jsonl"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("told"), [FOLDER / request.param], TOML)


def test_root_spans_are_runs_whether_a_page_or_documents_tell_of_them(told: Ledger) -> None:
    assert rows(told, RUNS) == [
        ("4", "crm_sync", "succeeded", None),
        ("5", "invoice_export", "failed", "CrmError"),
        ("6", "lead_enrichment", "partial", "ConnectionError"),
        ("7", None, "unknown", None),  # its root is elsewhere
        ("8", "import of page", "succeeded", None),
    ]
    assert rows(
        told, "select run_id, automation_id, version, duration_s, client from runs where automation = 'crm_sync'"
    ) == [("jaeger:97b56bccacfc1b5cd6214ac6c3c30504", "jaeger:agency-worker/crm_sync", "2.3.1", 5.0, "acme")]


def test_short_ids_are_filled_up_and_other_spans_are_steps(told: Ledger) -> None:
    assert rows(told, "select count(*) from runs where length(native_id) <> 32") == [(0,)]
    assert rows(
        told,
        "select name, steps.status, steps.kind from steps join runs using (run_id) where runs.automation = 'invoice_export' order by 1",
    ) == [
        ("crm.fetch", "failed", None),
        ("invoice_export", "failed", "root span"),
    ]
    assert rows(told, "select name, kind, system, duration_s from steps where system is not null") == [
        ("crm.fetch", "client", "crm.example", 0.002)
    ]
    assert rows(told, "select entity_key, operation from touches where step_id is not null") == [("ORD-1", "read")]


def test_a_reference_to_another_trace_names_the_parent(told: Ledger) -> None:
    assert rows(told, "select parent_run_id from runs where automation = 'import of page'") == [
        ("jaeger:97b56bccacfc1b5cd6214ac6c3c30504",)
    ]


def test_a_trace_without_spans_is_set_aside_and_a_span_without_id_is_a_reject(tmp_path: Path) -> None:
    result = take_in(tmp_path, [FOLDER / "api_traces.json", FOLDER / "elasticsearch.jsonl"])
    assert [(file.records_read, file.set_aside, file.rejects) for file in result.files] == [(6, 1, 0), (10, 0, 1)]


def test_any_order_of_page_trace_and_documents_gives_the_same_ledger(tmp_path: Path) -> None:
    files = [FOLDER / "api_traces.json", FOLDER / "elasticsearch.jsonl", FOLDER / "one_trace.json"]
    one, other = ingested(tmp_path / "1", files), ingested(tmp_path / "2", files[::-1])
    for table, key in (("runs", "run_id"), ("steps", "step_id")):
        assert rows(one, f"select * from {table} order by {key}") == rows(
            other, f"select * from {table} order by {key}"
        )


def test_an_empty_page_is_taken_and_a_hostile_process_key_harms_nobody(tmp_path: Path) -> None:
    empty = tmp_path / "empty.json"
    empty.write_text('{"data": [], "total": 0, "limit": 0, "offset": 0, "errors": null}')
    page = json.loads((FOLDER / "one_trace.json").read_text())
    page["spans"][0]["processID"] = '"].x[*]'
    hostile = tmp_path / "hostile.json"
    hostile.write_text(json.dumps({"data": [page]}))
    result = take_in(tmp_path / "project", [empty, hostile])
    assert [(file.outcome, file.mapped, file.rejects) for file in result.files] == [("taken", 0, 0), ("taken", 1, 0)]


@needs_shared
def test_what_jaeger_2_keeps_is_otlp(tmp_path: Path) -> None:
    result = take_in(tmp_path, [SHARED / "samples/jaeger/example_trace.json"])
    assert [(file.adapter, file.mapped, file.runs_new) for file in result.files] == [("otlp", 1, 1)]

"""OpenTelemetry traces, captured from the SDK for Python in four exports of the same jobs; what was caused stands in `otlp/SOURCE.md`."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.adapters.otlp import STATUS
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "otlp"
CAPTURED = [
    FOLDER / f"{name}.gz"
    for name in ("otlp_file_simple.jsonl", "otlp_http_proto_as_json.jsonl", "console_exporter.txt")
]
TRUTH = {
    ("crm_sync", "ORD-1001"): "succeeded",
    ("crm_sync", "ORD-2001"): "succeeded",
    ("invoice_export", "ORD-2002"): "failed",
    ("lead_enrichment", "ORD-1002"): "partial",  # a failed step that the job handled
    ("lead_enrichment", "ORD-3001"): "succeeded",  # at the third try
    ("nightly_digest", "ORD-2003"): "failed",
    ("nightly_digest", "ORD-3002"): "cancelled",
    ("crm_sync", "ORD-3003"): "skipped",
    ("invoice_export", "ORD-1003"): "succeeded",  # it called sys.exit(3), of which the span says nothing
    ("digest_agent", "ORD-1004"): "partial",  # a tool of the agent failed
    ("invoice_export", None): "succeeded",
    ("invoice_export retry of failed run", "ORD-2002"): "succeeded",
}
TOML = """
[[clients]]
id = "globex"
name = "Globex"
runs = [{ source = "otlp", path = "client", equals = "globex" }]

[[records]]
entity = "order"
keys = ["order_id"]
"""
STATES = "select native_id, status, automation from runs order by 1"


@pytest.fixture(scope="module", params=CAPTURED, ids=lambda file: file.name.split(".")[0])
def night(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """The twelve jobs as one of the exports tells them."""
    return ingested(tmp_path_factory.mktemp("night"), [request.param], TOML)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """The samples that were made by hand."""
    return ingested(
        tmp_path_factory.mktemp("made"), [file for file in sorted(FOLDER.glob("*.json*")) if file.suffix != ".gz"]
    )


def test_every_job_has_the_status_that_was_caused_whichever_export_tells_of_it(night: Ledger) -> None:
    found = rows(
        night,
        "select automation, (select min(entity_key) from touches where touches.run_id = runs.run_id), status from runs",
    )
    assert {(name, order): status for name, order, status in found} == TRUTH
    assert len(found) == 12


def test_ids_are_in_one_form_and_the_killed_and_the_never_ended_span_are_nowhere(night: Ledger) -> None:
    assert rows(night, "select count(*) from runs where not regexp_full_match(native_id, '[0-9a-f]{32}')") == [(0,)]
    assert rows(night, "select count(*) from runs where automation like '%never ended%'") == [(0,)]


def test_errors_are_those_of_the_exception_event(night: Ledger) -> None:
    assert rows(night, "select automation, error_type, error_message from runs where status = 'failed' order by 1") == [
        ("invoice_export", "__main__.CrmError" if rows(night, "select 1 from runs where error_type like '__main__%'") else "CrmError",
         "409 Conflict: ORD-2002 locked"),
        ("nightly_digest", "TimeoutError", "deadline 0.2s exceeded"),
    ]  # fmt: skip


def test_other_spans_are_steps_and_tries_that_are_numbered_are_attempts_of_one(night: Ledger) -> None:
    assert rows(night, "select count(*) from steps where kind <> 'root span'") == [(12,)]
    assert rows(night, "select attempt, status from steps where name = 'enrich.attempt' order by 1") == [
        (1, "failed"),
        (2, "failed"),
        (3, "succeeded"),
    ]
    assert rows(night, "select count(distinct step_key) from steps where name = 'enrich.attempt'") == [(1,)]


def test_models_and_tools_of_an_agent_and_called_hosts_are_told(night: Ledger) -> None:
    assert rows(
        night,
        "select name, kind, system, status from steps where system is not null or kind = 'execute_tool' order by 1, 2",
    ) == [
        ("chat gpt-4o-mini", "chat", "openai", "succeeded"),
        ("chat gpt-4o-mini", "chat", "openai", "succeeded"),
        ("crm.fetch", "internal", "crm.acme.example", "succeeded"),
        ("crm_lookup", "execute_tool", None, "failed"),
    ]


def test_a_link_that_says_retry_makes_a_chain(night: Ledger) -> None:
    assert rows(
        night,
        """select runs.automation, before.automation, runs.root_run_id = before.run_id
        from runs join runs before on before.run_id = runs.retry_of""",
    ) == [("invoice_export retry of failed run", "invoice_export", True)]


def test_attributes_give_client_order_trigger_and_version(night: Ledger) -> None:
    assert rows(night, "select count(*) from runs where client = 'globex'") == [(4,)]
    assert rows(night, "select distinct trigger from runs order by 1") == [("cron",), (None,)]
    assert rows(night, "select distinct version from runs") == [("2.3.1",)]


def test_two_services_in_one_file_have_automations_of_their_own(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "otlp_file_batch.jsonl.gz"])
    assert rows(ledger, "select split_part(automation_id, '/', 1), count(*) from runs group by 1 order by 1") == [
        ("otlp:agency-digest", 12),
        ("otlp:agency-worker", 12),
    ]


def test_a_trace_whose_root_was_killed_is_known_by_its_steps_only(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "otlp_file_killed.jsonl.gz"])
    assert rows(ledger, "select automation, status, is_finished, started_at is null from runs order by 1") == [
        ("crm_sync", "succeeded", True, False),
        (None, "unknown", False, True),
    ]
    assert rows(ledger, "select count(*) from steps join runs using (run_id) where runs.status = 'unknown'") == [(1,)]


def test_every_line_in_a_file_of_its_own_gives_the_same_ledger_in_any_order(tmp_path: Path) -> None:
    lines = gzip.decompress((FOLDER / "otlp_file_simple.jsonl.gz").read_bytes()).splitlines()
    parts = [lines[start::3] for start in range(3)]  # children and parents apart
    files = []
    for number, part in enumerate(parts):
        files.append(tmp_path / f"{number}.jsonl")
        files[-1].write_bytes(b"\n".join(part))
    tables = []
    for seed in (2, None):
        order = random.Random(seed).sample(files, len(files)) if seed else [FOLDER / "otlp_file_simple.jsonl.gz"]  # noqa: S311
        ledger = ingested(tmp_path / str(seed), order)
        seen = "first_seen_at, last_seen_at"
        tables.append((rows(ledger, f"select * exclude ({seen}) from runs order by run_id"),
                       rows(ledger, "select * exclude (run_seen_at) from steps order by step_id")))  # fmt: skip
    assert tables[0] == tables[1]


def test_every_word_of_the_cicd_conventions_means_what_it_says(made: Ledger) -> None:
    assert dict(
        rows(made, "select replace(automation, 'pipeline ', ''), status from runs where automation like 'pipeline %'")
    ) == {
        "success": "succeeded",
        "failure": "failed",
        "error": "crashed",
        "timeout": "timed_out",
        "cancellation": "cancelled",
        "skip": "skipped",
        "pending": "queued",
        "executing": "running",
        "finalizing": "running",
    }
    assert rows(made, "select distinct name, kind from steps where kind = 'build'") == [("build image", "build")]
    assert rows(made, "select correlation_id from runs where automation = 'pipeline success'") == [("run-1",)]


def test_status_codes_are_known_as_numbers_and_names_and_a_word_never_seen_is_unknown(made: Ledger) -> None:
    assert dict(
        rows(
            made,
            "select automation, status from runs where automation_id like 'otlp:worker/%' and automation not like '%root'",
        )
    ) == {
        "unset": "succeeded",
        "ok": "succeeded",
        "error": "failed",
        "named unset": "succeeded",
        "named ok": "succeeded",
        "named error": "failed",
        "not ended": "running",
        "zero end": "running",
        "new word": "unknown",
        "numbers": "succeeded",
        "zero parent": "succeeded",
        "success, yet an error": "failed",
        "import of page": "succeeded",
    }
    assert STATUS[("UNSET", "timed_out")] == "timed_out"  # the collector's GitHub receiver, in GitHub's words


def test_what_a_step_calls_and_does_there_is_told(made: Ledger) -> None:
    assert rows(
        made, "select name, system from steps join runs using (run_id) where runs.automation = 'unset' order by 1"
    ) == [
        ("GET", "crm.example"),
        ("INSERT orders", "postgresql"),
    ]


def test_a_failed_root_is_not_lost_behind_a_later_one_and_a_link_names_the_parent(made: Ledger) -> None:
    assert rows(made, "select automation, status, error_message from runs where native_id like '%aa01'") == [
        ("second root", "partial", "no such host")
    ]
    assert rows(made, "select parent_run_id like '%aa01' from runs where native_id like '%aa02'") == [(True,)]


def test_one_trace_from_tempo_and_jaeger_is_one_run(made: Ledger) -> None:
    assert rows(made, "select native_id, status, error_message from runs where automation = 'checkout'") == [
        ("0000000000000000beefcafe12345678", "partial", "card declined")
    ]


def test_log_records_metrics_and_lines_without_spans_are_set_aside(made: Ledger) -> None:
    assert rows(made, "select record, reason from set_aside order by 1") == [
        (3, "holds no spans"),
        (4, "holds no spans"),
        (5, "log records, no spans"),
        (6, "metrics, no spans"),
    ]


@pytest.mark.parametrize(
    ("change", "rejects"),
    [
        ({"traceId": ""}, 1),
        ({"spanId": None}, 1),
        ({"traceId": "0" * 32}, 1),
        ({"traceId": "!!! no base64 !!!!!!!!!="}, 0),
        ({"endTimeUnixNano": "99999999999999999999999"}, 0),
        ({"startTimeUnixNano": "yesterday"}, 0),
        ({"attributes": "none"}, 0),
    ],
)
def test_a_damaged_span_rejects_its_line_and_no_other(tmp_path: Path, change: dict[str, object], rejects: int) -> None:
    first, second = gzip.decompress((FOLDER / "otlp_file_killed.jsonl.gz").read_bytes()).splitlines()[1:3]
    damaged = json.loads(first)
    damaged["resourceSpans"][0]["scopeSpans"][0]["spans"][0].update(change)
    (tmp_path / "a.jsonl").write_text(f"{json.dumps(damaged)}\n{second.decode()}\n")
    result = take_in(tmp_path / "project", [tmp_path / "a.jsonl"])
    assert (result.files[0].records_read, result.rejects) == (2, rejects)


@needs_shared
def test_the_vendors_examples_are_read_and_a_parent_elsewhere_is_no_root(tmp_path: Path) -> None:
    examples = SHARED / "samples"
    files = [
        examples / "otlp/trace.json",
        examples / "otlp/logs.json",
        examples / "otel_cicd/github_receiver_expected_spans.json",
    ]
    ledger = ingested(tmp_path, files)
    assert rows(ledger, STATES) == [
        ("5b8efff798038103d269b633813fc60c", "unknown", None),
        ("731ec8a47fd7450f753a812a4a8aa5a0", "unknown", None),
    ]
    assert rows(ledger, "select name, status_raw from steps where run_id like '%5a0' order by started_at, name") == [
        ("queue-test (1.23)", "UNSET|success"),
        ("test (1.23)", "OK|success"),
        ("Set up job", "OK|success"),
    ]

"""dbt against invocations captured from dbt-core 1.11, their files in `target/` and their logs. SOURCE.md tells what is what."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from support import ingested, rows, take_in

from aftershock.adapters.dbt import STATUS
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "dbt"
ARTIFACTS = [
    FOLDER / name
    for name in (
        "run_results.jsonl.gz",
        "03_build.run_results.json",
        "24_sigINT.run_results.json",
        "02_freshness.sources.json",
        "v5.run_results.json",
        "words.run_results.jsonl",
    )
]
LOGS = [
    FOLDER / name
    for name in ("stdout.jsonl.gz", "03_build.stdout.jsonl.gz", "24_sigINT.stdout.jsonl.gz", "killed.stdout.jsonl")
]
SEED, FRESHNESS, BUILD, RUN, RETRY_OF_NOTHING, FAIL_FAST, RUN_OK, TEST, SNAPSHOT, OPERATION, BROKEN_OPERATION = (
    "025dbcc4", "4174b8c0", "e9dafbc7", "4658e065", "55630ff5", "0ff15224", "a6ce7648", "92a382bd", "101d93f1", "84306502",
    "13437f9d",
)  # fmt: skip
BROKEN_TARGET, WARN_ERROR, NOTHING, COMPILE, DOCS, PARSE_ERROR, CONSOLE, RUN_AGAIN, RETRY, RETRY_OK, SIGINT, SIGKILL, SIGTERM, BAD_HOOK = (
    "f21f6d87", "4a1e6c32", "b4ff6cd2", "0fd39926", "1738529c", "0c4e31ee", "e74f6f17", "23ae63b7", "a16820e2", "3f517f38",
    "5667d8bb", "1ae91e34", "be6757cb", "09562650",
)  # fmt: skip

# The exit codes of raw/commands.txt, None where dbt was killed; and whether it was stopped by a person.
EXITS = {
    SEED: 0, FRESHNESS: 1, BUILD: 1, RUN: 1, RETRY_OF_NOTHING: 2, FAIL_FAST: 1, RUN_OK: 0, TEST: 1, SNAPSHOT: 0, OPERATION: 0,
    BROKEN_OPERATION: 1, BROKEN_TARGET: 2, WARN_ERROR: 1, NOTHING: 0, COMPILE: 0, DOCS: 0, PARSE_ERROR: 2, CONSOLE: 1, RUN_AGAIN: 1,
    RETRY: 1, RETRY_OK: 0, BAD_HOOK: 1,
}  # fmt: skip
TRUTH = {run: "failed" if code else "succeeded" for run, code in EXITS.items()}
TRUTH |= {SIGINT: "cancelled", SIGKILL: "running", SIGTERM: "running"}

# SOURCE.md's table of nodes; hooks are dbt's `operation` nodes.
HOOKS = {("operation", "succeeded"): 2}
TESTS = {("test", "succeeded"): 3, ("test", "partial"): 2, ("test", "failed"): 3}
NODES: dict[str, dict[tuple[str, str], int]] = {
    SEED: {("seed", "succeeded"): 2, **HOOKS},
    BUILD: {
        ("seed", "succeeded"): 2, ("model", "succeeded"): 4, ("model", "skipped"): 4, ("test", "succeeded"): 2, ("test", "partial"): 2,
        ("test", "failed"): 2, ("test", "skipped"): 2, ("unit_test", "skipped"): 2, ("snapshot", "skipped"): 1, **HOOKS,
    },
    RUN: {("model", "succeeded"): 5, ("model", "failed"): 1, ("model", "skipped"): 2, **HOOKS},
    FAIL_FAST: {("model", "succeeded"): 4, ("model", "failed"): 1, ("model", "skipped"): 3, **HOOKS},
    RUN_OK: {("model", "succeeded"): 4, **HOOKS},
    TEST: {**TESTS, ("unit_test", "succeeded"): 1, ("unit_test", "failed"): 1, **HOOKS},
    SNAPSHOT: {("snapshot", "succeeded"): 1, **HOOKS},
    OPERATION: {("macro", "succeeded"): 1},
    BROKEN_OPERATION: {("macro", "failed"): 1},
    WARN_ERROR: {("test", "succeeded"): 2, ("test", "failed"): 3, **HOOKS},
    NOTHING: {},
    COMPILE: {("model, compiled only", "succeeded"): 1, ("test, compiled only", "succeeded"): 1},
    RETRY: {("model", "failed"): 1, ("model", "skipped"): 2, **HOOKS},
    RETRY_OK: {("model", "succeeded"): 3, **HOOKS},
    SIGINT: {("model", "succeeded"): 1, ("operation", "succeeded"): 1},
    BAD_HOOK: {("operation", "failed"): 1, ("operation", "succeeded"): 1, ("model", "succeeded"): 1},
}  # fmt: skip
NODES[CONSOLE], NODES[RUN_AGAIN], NODES[DOCS] = NODES[BUILD], NODES[RUN], NODES[COMPILE]
V5 = "5e1f0c1e-0000-4000-8000-000000000175"
WORDS, WARNED = "5e1f0c1e-0000-4000-8000-0000000000aa", "5e1f0c1e-0000-4000-8000-0000000000ab"
CLIENTS = """
[[clients]]
id = "acme"
name = "Acme"
runs = [{ source = "dbt", path = "env.DBT_ENV_CUSTOM_ENV_CLIENT", equals = "acme" }, { source = "dbt", tag = "target:broken" }]

[[records]]
entity = "order"
pattern = 'ORD-\\d+'
"""


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """What `target/` held after each invocation."""
    return ingested(tmp_path_factory.mktemp("artifacts"), ARTIFACTS)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """The JSON logs of all invocations, at level info."""
    return ingested(tmp_path_factory.mktemp("logs"), LOGS, CLIENTS)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Files and logs of the same invocations."""
    files = [*LOGS, FOLDER / "03_build.dbt.log.gz", FOLDER / "03_build.manifest.json.gz", *ARTIFACTS[:4]]
    return ingested(tmp_path_factory.mktemp("both"), files, CLIENTS)


def statuses(ledger: Ledger) -> dict[str, str]:
    """Status by the beginning of the invocation id; the samples written by hand left out."""
    found = rows(ledger, "select left(native_id, 8), status from runs where native_id not like '5e1f0c1e%'")
    return {str(run): str(status) for run, status in found}


def nodes(ledger: Ledger, run: str) -> dict[tuple[object, ...], object]:
    """Count of steps by kind and status."""
    query = f"""select steps.kind, steps.status, count(*) from steps join runs using (run_id)
        where starts_with(native_id, '{run}') group by all"""
    return {tuple(row[:2]): row[2] for row in rows(ledger, query)}


def test_each_invocation_has_the_status_of_its_exit_code_as_far_as_its_file_can_tell(artifacts: Ledger) -> None:
    # run_results.json knows nothing of an interrupt: only the log does
    assert statuses(artifacts) == {run: TRUTH[run] for run in (*NODES, FRESHNESS)} | {SIGINT: "succeeded"}


@pytest.mark.parametrize("run", NODES)
def test_nodes_are_steps_with_the_counts_of_the_truth_table(artifacts: Ledger, run: str) -> None:
    assert nodes(artifacts, run) == NODES[run]


def test_freshness_is_a_run_too_and_knows_only_the_sources_that_answered(artifacts: Ledger) -> None:
    assert nodes(artifacts, FRESHNESS) == {
        ("source", "succeeded"): 1,
        ("source", "partial"): 1,
        ("source", "failed"): 1,
    }
    assert rows(
        artifacts, "select automation, error_message like 'loaded 360047.%' from runs where native_id like '4174b8c0%'"
    ) == [("agency source freshness", True)]


def test_the_log_alone_knows_every_invocation_that_left_no_file(logs: Ledger) -> None:
    # at level info, a command that runs no nodes does not say that it ended
    without_a_word = {COMPILE: "running", OPERATION: "running"}
    assert statuses(logs) == {run: status for run, status in TRUTH.items() if run != CONSOLE} | without_a_word


def test_the_log_alone_gives_the_same_nodes_save_that_fail_fast_is_told_otherwise(logs: Ledger) -> None:
    unlike = {run for run in NODES if run != CONSOLE and nodes(logs, run) != NODES[run]}
    assert unlike == {FAIL_FAST, OPERATION, BROKEN_OPERATION, COMPILE, DOCS, SIGINT}
    assert nodes(logs, SIGINT) == NODES[SIGINT] | {("model", "cancelled"): 1}
    assert nodes(logs, SIGKILL) == {("model", "succeeded"): 1, ("model", "running"): 1, ("operation", "succeeded"): 1}
    assert nodes(logs, SIGTERM) == {("model", "running"): 2, ("operation", "succeeded"): 1}


def test_a_source_that_could_not_be_asked_is_in_the_log_only(both: Ledger) -> None:
    assert rows(
        both,
        """select steps.name, steps.status, steps.status_raw, steps.error_type from steps join runs using (run_id)
        where native_id like '4174b8c0%' and kind = 'source' order by 1""",
    ) == [
        ("contacts", "partial", "warn", None),
        ("deals", "failed", "error", None),
        ("events", "succeeded", "pass", None),
        ("missing_table", "failed", "runtime error", "Runtime Error"),
    ]


def test_file_and_log_of_one_invocation_are_one_run(both: Ledger) -> None:
    assert statuses(both) == TRUTH
    assert rows(both, "select count(*), count(distinct native_id) from runs") == [(25, 25)]
    for run, expected in NODES.items():
        assert nodes(both, run) == expected | ({("model", "cancelled"): 1} if run == SIGINT else {}), run


def test_cancel_lines_say_nothing_of_a_node_that_had_ended(both: Ledger) -> None:
    query = """select steps.name, steps.status from steps join runs using (run_id)
        where kind = 'model' and (native_id like '5667d8bb%' or native_id like '0ff15224%' and steps.name like '%invoice%') order by 1"""
    assert rows(both, query) == [
        ("fct_crm_sync", "succeeded"),
        ("fct_invoice_export", "failed"),
        ("slow_report", "cancelled"),
    ]


def test_any_order_of_the_files_gives_the_same_runs_and_steps(both: Ledger, tmp_path: Path) -> None:
    names = ("24_sigINT.stdout.jsonl.gz", "03_build.manifest.json.gz", "03_build.run_results.json", "03_build.dbt.log.gz",
             "03_build.stdout.jsonl.gz", "24_sigINT.run_results.json")  # fmt: skip
    ledger = ingested(tmp_path, [FOLDER / name for name in names], CLIENTS)
    for table in ("runs", "steps"):
        query = f"select * from {table} where starts_with(run_id, 'dbt:{BUILD}') or starts_with(run_id, 'dbt:{SIGINT}') order by all"
        assert rows(ledger, query) == rows(both, query)


def test_errors_come_from_the_node_or_from_the_command_that_never_got_to_its_nodes(both: Ledger) -> None:
    query = """select left(native_id, 8), error_type, split_part(error_message, chr(10), 1) from runs
        where status = 'failed' and starts_with(native_id, '{}')"""
    expected = {
        RUN: ("Runtime Error", "Runtime Error in model fct_invoice_export (models/marts/fct_invoice_export.sql)"),
        RETRY_OF_NOTHING: ("Runtime Error", "Runtime Error"),
        BROKEN_OPERATION: ("Compilation Error", "Compilation Error in macro broken_op (macros/ops.sql)"),
        BROKEN_TARGET: (
            "IO Error",
            'IO Error: Cannot open file "/nonexistent/dir/x.duckdb": No such file or directory',
        ),
        PARSE_ERROR: ("Compilation Error", "Compilation Error"),
        BAD_HOOK: ("Catalog Error", "agency.on-run-start.0 failed, error:"),
    }
    for run, error in expected.items():
        assert rows(both, query.format(run)) == [(run, *error)]


def test_console_colours_are_no_part_of_a_message(artifacts: Ledger) -> None:
    assert rows(
        artifacts,
        "select left(error_message, 27) from steps where kind = 'unit_test' and status = 'failed'",
    ) == [("actual differs from expecte",)]
    assert rows(artifacts, "select count(*) from steps where contains(error_message, chr(27))") == [(0,)]


def test_the_automation_is_the_project_and_the_command(artifacts: Ledger) -> None:
    found = dict(rows(artifacts, "select automation, count(*) from runs group by all"))
    assert found == {
        "agency seed": 1, "agency source freshness": 1, "agency build": 5, "agency run": 9, "agency test": 2, "agency snapshot": 1,
        "agency run-operation purge_exports": 1, "agency run-operation broken_op": 1, "agency compile": 1, "agency docs generate": 1,
    }  # fmt: skip


def test_the_debug_log_knows_the_command_the_log_for_the_console_only_the_project(logs: Ledger, tmp_path: Path) -> None:
    debug = ingested(tmp_path, [FOLDER / "03_build.dbt.log.gz"])
    query = "select automation, status, status_raw from runs where native_id like 'e9dafbc7%'"
    assert rows(debug, query) == [("agency build", "failed", "exit 1")]
    assert rows(logs, query) == [("agency", "failed", "exit 1")]
    # also of those that died before any node, since the log tells of no other project
    assert rows(logs, "select distinct automation from runs") == [("agency",)]
    assert nodes(debug, BUILD) == NODES[BUILD]


def test_rows_that_a_node_wrote_are_its_items_and_minus_one_is_no_count(artifacts: Ledger) -> None:
    assert rows(
        artifacts,
        """select steps.name, steps.items_out from steps join runs using (run_id)
        where native_id like 'e9dafbc7%' and steps.items_out is not null order by 1""",
    ) == [("leads", 3), ("orders", 6)]
    assert rows(artifacts, f"select count(steps.items_out) from steps where run_id = 'dbt:{WORDS}'") == [(0,)]


def test_every_word_for_a_node_is_known(artifacts: Ledger) -> None:
    found = dict(rows(artifacts, f"select status_raw, status from steps where run_id = 'dbt:{WORDS}'"))
    assert found == {
        "success": "succeeded", "error": "failed", "skipped": "skipped", "partial success": "partial", "no-op": "skipped",
        "reused": "skipped", "pass": "succeeded", "fail": "failed", "warn": "partial", "runtime error": "failed",
    }  # fmt: skip
    assert STATUS["Runtime Error"] == "failed"
    assert STATUS["half done"] == "unknown"


def test_an_invocation_that_only_warned_is_a_success_that_hides_something(artifacts: Ledger) -> None:
    assert rows(artifacts, f"select status, status_raw, error_message from runs where run_id = 'dbt:{WARNED}'") == [
        ("partial", "exit 0", "said warn")
    ]


def test_schema_v5_tells_the_same_without_hooks_and_without_a_start(artifacts: Ledger) -> None:
    hooks = set(HOOKS) | {("unit_test", "skipped")}
    assert nodes(artifacts, V5) == {node: count for node, count in NODES[BUILD].items() if node not in hooks}
    # from its end and elapsed_time 1.9458849430084229
    assert rows(
        artifacts, f"select started_at::VARCHAR, ended_at::VARCHAR, status from runs where native_id = '{V5}'"
    ) == [("2026-11-22 02:14:03.851141+00", "2026-11-22 02:14:05.797026+00", "failed")]


def test_skipped_nodes_have_no_times_save_the_one_that_fail_fast_stopped(both: Ledger) -> None:
    query = "select step_key from steps where status = 'skipped' and coalesce(started_at, ended_at) is not null"
    assert rows(both, query) == [("model.agency.fct_crm_sync",)]
    assert rows(both, "select count(*) from steps where status = 'skipped'") == [(9 + 9 + 2 + 3 + 2 + 2,)]


def test_the_manifest_gives_its_invocation_a_version_that_only_code_changes(both: Ledger, tmp_path: Path) -> None:
    assert rows(both, "select left(native_id, 8), length(version) from runs where version is not null") == [(BUILD, 12)]
    version = rows(both, "select version from runs where version is not null")
    manifest = {
        "metadata": {
            "dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v11.json",
            "generated_at": "2026-11-24T00:00:00Z",
            "invocation_id": "a",
        },
        "nodes": {"model.x.y": {"checksum": {"name": "sha256", "checksum": "1"}}},
    }
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(manifest))
    ledger = ingested(tmp_path / "project", [FOLDER / "03_build.manifest.json.gz", file])
    assert rows(ledger, "select version from runs where native_id like 'e9dafbc7%'") == version
    assert rows(ledger, "select status, started_at from runs where native_id = 'a'") == [("unknown", None)]
    assert len(rows(ledger, "select distinct version from runs")) == 2


def test_business_keys_are_found_in_arguments_in_the_model_s_own_tags_and_in_what_a_macro_printed(both: Ledger) -> None:
    query = (
        "select distinct entity_key from touches join runs using (run_id) where starts_with(native_id, '{}') order by 1"
    )
    assert rows(both, query.format(OPERATION)) == [("ORD-1001",)]
    assert rows(both, query.format(RETRY)) == [("ORD-2002",)]


def test_the_target_and_the_environment_can_name_the_client(logs: Ledger, tmp_path: Path) -> None:
    assert rows(logs, "select left(native_id, 8) from runs where client = 'acme'") == [(BROKEN_TARGET,)]
    ledger = ingested(tmp_path, [FOLDER / "words.run_results.jsonl"], CLIENTS)
    assert rows(ledger, "select distinct client from runs") == [("acme",)]


def test_a_golden_run_and_a_golden_step(both: Ledger) -> None:
    assert rows(
        both,
        """select run_id, automation_id, automation, role, status, status_raw, started_at::VARCHAR, ended_at::VARCHAR, duration_s, tz_assumed
        from runs where native_id like '3f517f38%'""",
    ) == [
        (
            "dbt:3f517f38-f715-4cc5-8a37-64b91b903c18", "dbt:agency run", "agency run", "work", "succeeded", "exit 0",
            "2026-11-23 02:23:42.810077+00", "2026-11-23 02:23:50.816095+00", 8.006018, False,
        )
    ]  # fmt: skip
    assert rows(
        both,
        """select step_id, name, kind, status, status_raw, started_at::VARCHAR, ended_at::VARCHAR, round(duration_s, 6) from steps
        where step_id like 'dbt:e9dafbc7%' and name = 'stg_leads'""",
    ) == [
        (
            "dbt:e9dafbc7-3b9a-4437-bb6e-f1a29f5972bf/model.agency.stg_leads", "stg_leads", "model", "succeeded", "success",
            "2026-11-23 02:14:05.039574+00", "2026-11-23 02:14:05.132959+00", 0.094714,
        )
    ]  # fmt: skip


def test_text_for_a_console_and_other_artifacts_are_set_aside_with_a_reason(tmp_path: Path) -> None:
    files = [FOLDER / "19_build_console.txt", FOLDER / "catalog.json"]
    wrapped = tmp_path / "dbt_ol.txt"
    wrapped.write_text(
        "[2026-11-23 02:25:12,637] [INFO] [openlineage.dbt:151] - Running OpenLineage dbt wrapper version 1.54.0\n"
        "\x1b[0m02:25:22  Running with dbt=1.11.16\n"
    )
    result = take_in(tmp_path / "project", [*files, wrapped])
    assert [(file.adapter, file.set_aside, file.mapped, file.rejects) for file in result.files] == [
        ("dbt_logs", 1, 0, 0),
        ("dbt", 1, 0, 0),
        ("dbt_logs", 1, 0, 0),
    ]


def test_lines_that_others_wrote_into_a_log_are_rejects_and_the_events_around_them_are_kept(tmp_path: Path) -> None:
    result = take_in(tmp_path, [FOLDER / "killed.stdout.jsonl"])
    assert (result.records_read, result.rejects) == (12 + 11 + 4, 4)


def test_a_file_cut_off_is_a_reject_and_no_run(tmp_path: Path) -> None:
    text = (FOLDER / "03_build.run_results.json").read_text()
    cut = tmp_path / "cut.json"
    cut.write_text(text[: len(text) // 2])
    result = take_in(tmp_path / "project", [cut])
    assert (result.mapped, result.rejects) == (0, 1)


def test_a_log_in_two_files_is_the_same_run_whichever_comes_first(both: Ledger, tmp_path: Path) -> None:
    lines = gzip.decompress((FOLDER / "24_sigINT.stdout.jsonl.gz").read_bytes()).splitlines(keepends=True)
    first, second = tmp_path / "dbt.log.1", tmp_path / "dbt.log"
    first.write_bytes(b"".join(lines[:12]))
    second.write_bytes(b"".join(lines[12:]))
    ledger = ingested(tmp_path / "project", [second, first])
    query = "select status, started_at, ended_at from runs where native_id like '5667d8bb%'"
    assert rows(ledger, query) == rows(both, query)
    assert nodes(ledger, SIGINT) == nodes(both, SIGINT)


@pytest.fixture(scope="module")
def text_logs(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """`logs/dbt.log` as text: one of dbt 1.5 or later, which names no day, and an older one, which does."""
    return ingested(tmp_path_factory.mktemp("text"), [FOLDER / "dbt.log.gz", FOLDER / "dated.dbt.log.gz"])


def test_the_text_log_tells_of_each_invocation_how_it_ended(text_logs: Ledger) -> None:
    # of one that was killed on a day unknown, not even that it runs
    assert statuses(text_logs) == {
        BUILD: "failed", PARSE_ERROR: "failed", SIGKILL: "unknown", SIGINT: "cancelled", RUN_OK: "succeeded", SIGTERM: "running",
    }  # fmt: skip
    assert rows(
        text_logs, "select split_part(error_message, chr(10), 2), automation from runs where native_id like '0c4e31ee%'"
    ) == [
        (
            "  Model 'model.agency.tmp_broken' (models/marts/tmp_broken.sql) depends on a node named 'does_not_exist' which was not found",
            "agency",
        )
    ]


def test_the_text_log_gives_the_same_nodes_save_hooks(text_logs: Ledger) -> None:
    assert nodes(text_logs, BUILD) == {node: count for node, count in NODES[BUILD].items() if node not in HOOKS}
    assert nodes(text_logs, SIGINT) == {("model", "succeeded"): 1, ("model", "cancelled"): 1}
    assert nodes(text_logs, SIGTERM) == {("model", "running"): 2}
    assert rows(
        text_logs,
        """select steps.name, split_part(steps.error_message, chr(10), 1) from steps join runs using (run_id)
        where native_id like 'e9dafbc7%' and kind = 'test' and steps.status in ('failed', 'partial') order by 1""",
    ) == [
        ("assert_runtime_error", "Runtime Error in test assert_runtime_error (tests/assert_runtime_error.sql)"),
        ("not_null_stg_leads_email", "Got 1 result, configured to warn if >0"),
        ("not_null_stg_orders_total", "Got 1 result, configured to warn if != 0"),
        ("unique_stg_orders_order_id", "Got 1 result, configured to fail if != 0"),
    ]


def test_a_text_log_that_names_no_day_has_no_times_but_those_of_the_results(text_logs: Ledger, tmp_path: Path) -> None:
    query = "select automation, status, started_at::VARCHAR, ended_at::VARCHAR, duration_s from runs where native_id like 'e9dafbc7%'"
    assert rows(text_logs, query) == [("agency build", "failed", None, None, 8.55)]
    files = [FOLDER / "dbt.log.gz", FOLDER / "03_build.run_results.json"]
    ledger = ingested(tmp_path, files)
    assert rows(ledger, query) == [
        ("agency build", "failed", "2026-11-23 02:13:57.741617+00", "2026-11-23 02:14:05.797026+00", 8.55)
    ]
    assert nodes(ledger, BUILD) == NODES[BUILD]
    assert rows(
        text_logs, "select started_at::VARCHAR, ended_at::VARCHAR from runs where native_id like 'a6ce7648%'"
    ) == [("2026-11-23 02:14:54.32891+00", "2026-11-23 02:15:07.863543+00")]


def test_a_text_log_rotated_in_the_midst_of_an_invocation_is_recognised_far_from_any_header(tmp_path: Path) -> None:
    log = tmp_path / "dbt.log.1"
    line = "02:14:05.{:06d} [debug] [Thread-1 (worker)]: Using duckdb connection model.agency.stg_leads\n"
    text = gzip.decompress((FOLDER / "dated.dbt.log.gz").read_bytes()).decode()
    log.write_text("".join(line.format(number) for number in range(2000)) + text)
    result = take_in(tmp_path / "project", [log])
    assert (result.mapped, result.set_aside, result.rejects) == (3, 1, 0)


def test_a_text_log_counts_on_past_midnight_and_what_began_in_an_older_file_is_set_aside(tmp_path: Path) -> None:
    log = tmp_path / "dbt.log"
    log.write_text(
        "23:00:00.1 [info ] [MainThread]: Done. PASS=1 WARN=0 ERROR=0 SKIP=0 TOTAL=1\n"
        f"{'=' * 30} 2022-03-01 23:59:59.500000 | aaaaaaaa-0000-4000-8000-000000000001 {'=' * 30}\n"
        "23:59:59.500000 [info ] [MainThread]: Running with dbt=1.4.0\n"
        "23:59:59.600000 [debug] [MainThread]: running dbt with arguments {'invocation_command': 'dbt --quiet docs generate'}\n"
        "23:59:59.700000 [debug] [Thread-1  ]: Began running node model.shop.orders\n"
        "00:00:01.000000 [debug] [Thread-1  ]: Finished running node model.shop.orders\n"
        "00:00:02.500000 [debug] [MainThread]: Command `cli docs generate` succeeded at 00:00:02.500000 after 3.00 seconds\n"
    )
    result = take_in(tmp_path / "project", [log])
    assert (result.mapped, result.set_aside) == (1, 1)
    ledger = ingested(tmp_path / "project", [])
    assert rows(ledger, "select automation, status, started_at::VARCHAR, ended_at::VARCHAR, duration_s from runs") == [
        ("shop docs generate", "succeeded", "2022-03-01 23:59:59.5+00", "2022-03-02 00:00:02.5+00", 3.0)
    ]
    assert rows(ledger, "select kind, status, duration_s from steps") == [("model, compiled only", "succeeded", 1.3)]


def events(*told: tuple[str, dict[str, object]]) -> str:
    """A JSON log of dbt 1.7, a second from event to event."""
    return "".join(
        json.dumps(
            {
                "data": data,
                "info": {
                    "category": "", "code": "Z000", "extra": {}, "invocation_id": "bbbbbbbb-0000-4000-8000-000000000017", "level": "info",
                    "msg": "", "name": name, "pid": 1, "thread": "MainThread", "ts": f"2023-11-23T02:00:{second:02d}.000000Z",
                },
            }
        )
        + "\n"
        for second, (name, data) in enumerate(told)
    )  # fmt: skip


def test_an_older_log_names_the_error_but_not_its_node(tmp_path: Path) -> None:
    node = {"unique_id": "model.shop.orders", "node_name": "orders", "resource_type": "model", "node_finished_at": ""}
    log = tmp_path / "old.jsonl"
    log.write_text(
        events(
            ("MainReportVersion", {"log_version": 3, "version": "=1.7.19"}),
            (
                "LogStartLine",
                {"node_info": {**node, "node_status": "started", "node_started_at": "2023-11-23T02:00:01"}},
            ),
            ("LogModelResult", {"status": "error", "node_info": {**node, "node_status": "error"}, "execution_time": 1}),
            ("EndOfRunSummary", {"keyboard_interrupt": False, "num_errors": 1, "num_warnings": 0}),
            ("RunResultFailure", {"node_name": "orders", "path": "models/orders.sql", "resource_type": "model"}),
            ("RunResultError", {"msg": "Database Error in model orders (models/orders.sql)\n  no such column"}),
            ("StatsLine", {"stats": {"error": 1, "pass": 0, "skip": 0, "total": 1, "warn": 0}}),
        )
    )
    ledger = ingested(tmp_path / "project", [log])
    assert rows(ledger, "select automation, status, error_type, ended_at::VARCHAR, duration_s from runs") == [
        ("shop", "failed", "Database Error", "2023-11-23 02:00:06+00", 6.0)
    ]
    assert rows(ledger, "select name, status, started_at::VARCHAR, duration_s from steps") == [
        ("orders", "failed", "2023-11-23 02:00:01+00", 1.0)
    ]


def test_a_quiet_log_has_only_errors_and_that_is_enough_to_know_that_it_failed(tmp_path: Path) -> None:
    log = tmp_path / "quiet.jsonl"
    failure = {"node_name": "orders", "path": "models/orders.sql", "resource_type": "model"}
    log.write_text(events(("RunResultFailure", failure), ("RunResultError", {"msg": "Database Error in model orders"})))
    ledger = ingested(tmp_path / "project", [log])
    assert rows(ledger, "select status, started_at, error_message from runs") == [
        ("failed", None, "Database Error in model orders")
    ]


def test_a_log_of_dbt_1_3_has_codes_for_names_and_tells_as_much(tmp_path: Path) -> None:
    ledger = ingested(tmp_path / "project", [FOLDER / "v13.stdout.jsonl"])
    assert rows(ledger, "select automation, status_raw, duration_s, error_message from runs order by started_at") == [
        ("agency build", "exit 1", 4.0, "Database Error in model deals (models/deals.sql)\n  no such column"),
        ("agency", "exit 2", 1.0, "Runtime Error\n  Could not find profile named 'agency'"),
    ]
    assert rows(ledger, "select name, status, items_out, error_type, duration_s from steps order by name") == [
        ("deals", "failed", None, "Database Error", 1.5),
        ("orders", "succeeded", 5, None, 1.5),
    ]


def test_runs_of_dbt_cloud_have_the_status_of_their_number_and_their_commands_as_steps(tmp_path: Path) -> None:
    ledger = ingested(tmp_path / "project", [FOLDER / "cloud_runs.json", FOLDER / "cloud_webhook.json"])
    found = rows(ledger, "select native_id, status, ended_at is not null, automation from runs order by native_id")
    words = (
        ("succeeded", True),
        ("failed", True),
        ("cancelled", True),
        ("running", False),
        ("queued", False),
        ("queued", False),
    )
    assert found == [(str(501 + n), *word, "Nightly build") for n, word in enumerate(words)]
    assert rows(ledger, "select trigger, version, error_message, tz_assumed from runs where native_id = '502'") == [
        ("scheduled", "4f1c9d2", "ORD-1001: see the log", False)
    ]
    assert rows(ledger, "select name, status, error_message from steps order by step_key") == [
        ("Clone git repository", "succeeded", None),
        ("Invoke dbt with `dbt build`", "failed", "02:00:03  Running\nDone. PASS=1 WARN=0 ERROR=1"),
    ]


def test_one_run_of_dbt_cloud_an_empty_page_and_one_cut_off_are_read(tmp_path: Path) -> None:
    page = json.loads((FOLDER / "cloud_runs.json").read_text())
    whole = json.dumps(page)
    texts = {
        "one": json.dumps(page | {"data": page["data"][0]}),
        "none": json.dumps(page | {"data": []}),
        "cut": whole[: whole.index('"id": 504') + 90],
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    found = take_in(tmp_path / "project", [tmp_path / name for name in texts])
    assert [(file.adapter, file.mapped, file.rejects) for file in found.files] == [
        ("dbt_cloud", n, r) for n, r in ((1, 0), (0, 0), (3, 1))
    ]

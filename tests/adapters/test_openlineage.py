"""OpenLineage against events captured from its Python client and `dbt-ol`, and against the fixtures of Marquez. SOURCE.md tells more."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.adapters.openlineage import STATUS
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "openlineage"
APPENDED = FOLDER / "events_appended.jsonl.gz"
SINGLE = sorted((FOLDER / "one_file_per_event").iterdir())
AGAIN = "01a20635-95ce-7f07-8e7e-2aa6f54d9913"

# truth_append.tsv: what the pipeline caused. OTHER alone is what some teams send for a skipped run, but the event does not say so.
TRUTH = {
    "01a20635-8b68-7c2b-887b-7c9fbfe20790": ("succeeded", "ORD-1001"),
    "01a20635-8bc6-7792-9607-fcc39f88bac7": ("failed", "ORD-2002"),
    "01a20635-8bd1-7bd7-99f8-127cc36b9bc9": ("failed", "ORD-3001"),
    "01a20635-8bd4-739d-8e70-f1bcc35ad2ae": ("failed", "ORD-3001"),
    "01a20635-8bd8-798e-8da6-d92679c7d56b": ("succeeded", "ORD-3001"),
    "01a20635-8bd8-7a03-b884-b9c1ba54e484": ("cancelled", "ORD-1004"),
    "01a20635-8bd9-7987-bcbe-ee3d2f009a1f": ("unknown", "ORD-3003"),
    "01a20635-8bda-7e9c-84af-1c454a0174fa": ("running", "ORD-3002"),
    "01a20635-8bda-734b-9aab-25fb5870e77d": ("succeeded", "ORD-1003"),
    "01a20635-8bdb-79b8-b5cc-82ccc40268b2": ("succeeded", "ORD-2003"),
    "01a20635-8bdf-7439-8d99-aeae8e65bcc3": ("succeeded", None),
    "01a20635-8be3-7433-9d1c-833f7750c02e": ("failed", None),
    "01a20635-8bdf-7a96-af64-97d78ede98a7": ("failed", None),
    "01a20635-8be4-754b-902b-15cbb1679aad": ("succeeded", "ORD-1006"),
}
CLIENTS = """
[[clients]]
id = "acme"
name = "Acme"
runs = [{ source = "openlineage", tag = "client:acme" }]

[[clients]]
id = "globex"
name = "Globex"
runs = [{ source = "openlineage", path = "tags.client", equals = "globex" }]

[[records]]
entity = "order"
pattern = 'ORD-\\d+'
"""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """The captured pipeline, all events in one file."""
    return ingested(tmp_path_factory.mktemp("pipeline"), [APPENDED], CLIENTS)


@pytest.fixture(scope="module")
def edges(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """What the captures do not show."""
    return ingested(tmp_path_factory.mktemp("edges"), [FOLDER / "edges.jsonl"], CLIENTS)


@pytest.fixture(scope="module")
def dbt_ol(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Three invocations of dbt-ol."""
    return ingested(tmp_path_factory.mktemp("dbt_ol"), [FOLDER / "dbt_ol_events.jsonl.gz"], CLIENTS)


def edge(ledger: Ledger, number: int, columns: str) -> tuple[object, ...]:
    """One run of edges.jsonl."""
    [row] = rows(ledger, f"select {columns} from runs where native_id = '0e000000-0000-4000-8000-{number:012d}'")
    return row


def test_every_run_of_the_pipeline_has_the_status_and_the_order_that_were_caused(pipeline: Ledger) -> None:
    found = rows(
        pipeline,
        """select native_id, status, any_value(entity_key) from runs left join touches using (run_id) group by all""",
    )
    assert {run: tuple(facts) for run, *facts in found} == TRUTH
    assert rows(pipeline, "select count(*) from touches") == [(11,)]


def test_events_about_a_job_and_a_dataset_are_set_aside(tmp_path: Path) -> None:
    result = take_in(tmp_path, [APPENDED, *SINGLE[-2:]])
    assert (result.records_read, result.mapped, result.set_aside, result.rejects) == (31 + 2, 29, 2 + 2, 0)


def test_a_complete_that_comes_twice_is_one_run_that_ended_once(pipeline: Ledger) -> None:
    assert rows(pipeline, "select count(*) from status_history where run_id like '%01a20635-8be4-754b%'") == [(2,)]


def test_a_complete_without_a_start_has_an_end_and_no_duration(pipeline: Ledger) -> None:
    query = "select started_at, ended_at::VARCHAR, duration_s, items_out from runs where native_id like '01a20635-8bda-734b%'"
    assert rows(pipeline, query) == [(None, "2026-11-23 02:21:42.235023+00", None, 1)]


def test_a_start_alone_runs_as_far_as_anybody_can_tell(pipeline: Ledger) -> None:
    query = "select status, is_finished, ended_at from runs where native_id like '01a20635-8bda-7e9c%'"
    assert rows(pipeline, query) == [("running", False, None)]


def test_a_run_that_failed_and_was_started_again_under_its_id_is_told_by_its_last_attempt(pipeline: Ledger) -> None:
    query = "select {} where run_id like '%01a20635-8bdb-79b8%'"
    assert rows(pipeline, query.format("status, error_message, started_at < ended_at from runs")) == [
        ("succeeded", None, True)
    ]
    history = query.format("list(status order by seen_at) from status_history")
    assert rows(pipeline, history) == [(["running", "failed", "running", "succeeded"],)]


def test_children_name_their_parent_and_the_root_of_the_tree(pipeline: Ledger) -> None:
    found = rows(
        pipeline,
        """select child.automation, parent.automation, child.correlation_id = parent.native_id
        from runs child join runs parent on child.parent_run_id = parent.run_id order by 1""",
    )
    assert found == [("nightly.crm_sync", "nightly", True), ("nightly.digest", "nightly", True)]


def test_an_error_has_the_message_and_the_type_of_its_trace(pipeline: Ledger) -> None:
    assert rows(
        pipeline,
        "select error_type, error_message, count(*) from runs where error_message is not null group by all order by 1",
    ) == [("ConnectionError", "503 from enrichment API", 2), ("RuntimeError", "409 Conflict: ORD-2002 locked", 1)]


def test_tags_name_the_client_as_tags_and_as_a_payload(pipeline: Ledger) -> None:
    found = dict(rows(pipeline, "select client, count(*) from runs group by all"))
    assert found == {"acme": 4, "globex": 2, None: 8}


def test_a_golden_run_and_its_automation(pipeline: Ledger) -> None:
    assert rows(
        pipeline,
        """select run_id, automation_id, automation, status_raw, trigger, started_at::VARCHAR, ended_at::VARCHAR, duration_s, items_out,
        role, version, tz_assumed from runs where native_id like '01a20635-8b68%'""",
    ) == [
        (
            "openlineage:01a20635-8b68-7c2b-887b-7c9fbfe20790", "openlineage:agency.prod/crm_sync.acme", "crm_sync.acme", "COMPLETE",
            None, "2026-11-23 02:21:42.120545+00", "2026-11-23 02:21:42.21047+00", 0.089925, 12, "work", None, False,
        )
    ]  # fmt: skip
    assert rows(pipeline, "select owner from automations where name = 'crm_sync.acme'") == [("team:ops",)]


def test_one_file_an_event_gives_the_same_runs_in_any_order(tmp_path: Path) -> None:
    runs = [file for file in SINGLE if AGAIN in file.read_text()]
    assert len(runs) == 4
    together = tmp_path / "together.jsonl"
    together.write_text("\n".join(file.read_text().strip() for file in runs))
    query = "select * from runs order by run_id"
    expected = rows(ingested(tmp_path / "together", [together]), query)
    shuffled = random.Random(3).sample(runs, len(runs))  # noqa: S311  a shuffle, no secret
    assert rows(ingested(tmp_path / "shuffled", shuffled), query) == expected
    found = rows(ingested(tmp_path / "together", []), "select native_id, status from runs order by 1")
    assert found == [(AGAIN, "succeeded")]


def test_an_array_and_a_page_of_marquez_hold_the_same_events(tmp_path: Path) -> None:
    for number, name in enumerate(("array.json", "marquez.events_lineage.json")):
        ledger = ingested(tmp_path / str(number), [FOLDER / name])
        assert edge(ledger, 20, "status, duration_s") == ("succeeded", 9.0)


def test_an_empty_page_of_marquez_is_taken_and_one_of_others_is_not(tmp_path: Path) -> None:
    ours, others = tmp_path / "ours.json", tmp_path / "others.json"
    ours.write_text('{"events": [], "totalCount": 0}')
    others.write_text('{"events": [], "nextToken": null}')
    result = take_in(tmp_path / "project", [ours, others])
    assert result.files[0].adapter == "openlineage"
    assert result.files[1].adapter != "openlineage"


def test_nine_digits_of_a_second_lose_the_last_three(edges: Ledger) -> None:
    assert edge(edges, 1, "started_at::VARCHAR, ended_at::VARCHAR, tz_assumed") == (
        "2026-11-23 02:00:00.123456+00",
        "2026-11-23 02:00:01.123456+00",
        False,
    )


def test_other_after_the_end_changes_nothing_and_rows_of_all_datasets_are_counted(edges: Ledger) -> None:
    assert edge(edges, 1, "status, items_in, items_out") == ("succeeded", 7, 7)


def test_a_time_without_a_zone_is_flagged_and_a_schema_need_not_be_named(edges: Ledger) -> None:
    assert edge(edges, 2, "started_at::VARCHAR, tz_assumed") == ("2026-11-23 02:00:00.5+00", True)


def test_an_event_without_a_type_or_with_one_never_seen_leaves_the_status_open(edges: Ledger) -> None:
    assert edge(edges, 3, "status, status_raw") == ("unknown", None)
    assert edge(edges, 9, "status, status_raw") == ("unknown", "PAUSED")


def test_the_type_of_an_error_is_the_first_of_java_and_the_last_of_python(edges: Ledger) -> None:
    assert edge(edges, 4, "error_type, automation") == ("IllegalStateException", "étl 🕷")
    assert edge(edges, 5, "error_type, error_message") == ("SyncError", "gave up")
    assert edge(edges, 6, "error_type, error_message") == (None, "gave up")


def test_the_version_is_that_of_the_source_code(edges: Ledger) -> None:
    assert edge(edges, 7, "status, version, client") == ("running", "3f2a9c1", "acme")


def test_facets_that_are_no_facets_take_nothing_from_the_run(edges: Ledger) -> None:
    assert edge(edges, 11, "status, items_in") == ("succeeded", None)


def test_templates_are_rejects_by_name(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "edges.jsonl"])
    assert rows(ledger, "select record, field, seen, reason from rejects order by 1") == [
        (10, "run.runId", "{{ any(result) }}", "is a template and no id"),
        (12, "eventTime", "{{RUN_START_TIME}}", "is no time"),
    ]


@pytest.mark.parametrize(
    ("word", "status"),
    [("START", "running"), ("RUNNING", "running"), ("COMPLETE", "succeeded"), ("FAIL", "failed"), ("ABORT", "cancelled"), ("OTHER", "unknown")],
)  # fmt: skip
def test_every_type_of_event_is_known(word: str, status: str) -> None:
    assert STATUS[word] == status


def test_dbt_ol_s_invocations_are_parents_of_models_and_of_groups_of_tests(dbt_ol: Ledger) -> None:
    # dbt_ol_commands.txt: exit 1, 0, 1
    assert rows(dbt_ol, "select status from runs where automation = 'dbt-run-agency' order by started_at") == [
        ("failed",),
        ("succeeded",),
        ("failed",),
    ]
    # the build: four models, nothing of those skipped, and every group of tests as failed
    assert rows(
        dbt_ol,
        """select child.automation like '%.run' as is_model, child.status, count(*) from runs child join runs parent on child.parent_run_id = parent.run_id
        where parent.native_id = '01a20638-c1ee-7c72-8214-df45c09c80dc' group by all order by all""",
    ) == [(False, "failed", 5), (True, "succeeded", 4)]


def test_dbt_ol_s_runs_carry_dbt_s_invocation_and_the_version_of_the_project(dbt_ol: Ledger) -> None:
    assert rows(dbt_ol, "select correlation_id, version, count(*) from runs group by all order by 3 desc, 1") == [
        ("56a453fb-c7a7-4ec2-a728-81b342b78dfd", "1.3.0", 10),
        ("8a11a90c-417f-473a-a353-91ab56574581", "1.3.0", 2),
        ("d70975a9-0844-4fbb-8a4a-382193d5196f", "1.3.0", 2),
    ]
    assert rows(dbt_ol, "select distinct entity_key from touches") == [("ORD-2002",)]


def test_an_event_is_recognised_though_its_inputs_are_longer_than_what_is_looked_at(tmp_path: Path) -> None:
    event = json.loads((FOLDER / "array.json").read_text())[0]
    event["inputs"] = [{"namespace": "postgres://crm:5432", "name": f"table_{number}"} for number in range(3000)]
    large = tmp_path / "large.json"
    large.write_text(json.dumps(event, sort_keys=True))
    assert rows(ingested(tmp_path / "project", [large]), "select status from runs") == [("succeeded",)]


def test_a_log_that_breaks_off_keeps_what_was_whole(tmp_path: Path) -> None:
    text = gzip.decompress(APPENDED.read_bytes())
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(text[: text.index(b"\n", 9000) + 200])
    result = take_in(tmp_path / "project", [cut])
    assert (result.rejects, result.mapped > 3) == (1, True)


@needs_shared
def test_fixtures_of_vendors(tmp_path: Path) -> None:
    folder = SHARED / "samples" / "openlineage"
    names = (
        "marquez_event_required_nanoseconds", "marquez_event_required_no_timezone", "marquez_event_unicode", "marquez_event_without_schema_url",
        "marquez_null_nominal_end_time", "marquez_event_full", "serde_example_run_event",
    )  # fmt: skip
    result = take_in(tmp_path / "fixtures", [folder / f"{name}.json" for name in names])
    assert (result.mapped, result.rejects) == (7, 0)
    ledger = ingested(tmp_path / "fixtures", [])
    found = dict(
        rows(
            ledger,
            "select native_id, [automation, status, started_at::VARCHAR, ended_at::VARCHAR, tz_assumed::VARCHAR] from runs",
        )
    )
    assert found["43d7db3b-8984-4cda-b237-8c6919b36670"] == ["myjob", "unknown", None, None, "true"]
    assert found["1d8f4596-b3f2-4ebb-9e75-8ecc955b834a"] == [
        "myjob.buggy_task🕷",
        "succeeded",
        None,
        "2020-12-28 09:52:00.001+00",
        "false",
    ]
    assert found["69f4acab-b87d-4fc0-b27b-8ea950370ff3"] == [
        "name",
        "running",
        "2021-11-03 10:53:52.427343+00",
        None,
        "true",
    ]
    assert rows(ledger, "select parent_run_id from runs where parent_run_id is not null") == [
        ("openlineage:3f5e83fa-3480-44ff-99c5-ff943904e5e8",)
    ]


@needs_shared
def test_dbt_ol_s_own_fixture_names_no_run_and_with_names_is_one_tree(tmp_path: Path) -> None:
    events = json.loads((SHARED / "samples" / "openlineage" / "failed_run_ol_events.json").read_text())
    result = take_in(tmp_path / "as_it_is", [SHARED / "samples" / "openlineage" / "failed_run_ol_events.json"])
    assert (result.mapped, result.rejects) == (0, 8)
    for event in events:
        event["run"]["runId"] = event["job"]["name"]
        if "parent" in event["run"]["facets"]:
            event["run"]["facets"]["parent"]["run"]["runId"] = event["run"]["facets"]["parent"]["job"]["name"]
    named = tmp_path / "named.json"
    named.write_text(json.dumps(events))
    ledger = ingested(tmp_path / "named", [named])
    assert rows(ledger, "select native_id, status, parent_run_id, error_type from runs order by 1") == [
        ("dbt-run-jaffle_shop", "failed", None, None),
        ("model.jaffle_shop.orders", "failed", "openlineage:dbt-run-jaffle_shop", None),
        ("model.jaffle_shop.orders.sql.1", "succeeded", "openlineage:model.jaffle_shop.orders", None),
        ("model.jaffle_shop.orders.sql.2", "failed", "openlineage:model.jaffle_shop.orders", "DbtDatabaseError"),
    ]


def test_a_page_of_marquez_runs_tells_of_the_runs_that_events_tell_of(tmp_path: Path) -> None:
    ids = {"namespace": "agency", "name": "export"}
    run = {"id": "r1", "createdAt": "2026-11-22T02:00:00Z", "updatedAt": "2026-11-22T02:00:09Z", "jobVersion": ids | {"version": "v7"}}  # fmt: skip
    page = {"runs": [run | {"state": "FAILED", "startedAt": "2026-11-22T02:00:00Z", "endedAt": "2026-11-22T02:00:09Z"}]}
    start = {"eventType": "START", "eventTime": "2026-11-22T02:00:00Z", "run": {"runId": "r1"}, "job": ids}
    (tmp_path / "page.json").write_text(json.dumps(page))
    (tmp_path / "event.json").write_text(json.dumps(start))
    ledger = ingested(tmp_path / "project", [tmp_path / "page.json", tmp_path / "event.json"])
    assert rows(ledger, "select native_id, automation, status, duration_s, version from runs") == [
        ("r1", "export", "failed", 9.0, "v7")
    ]

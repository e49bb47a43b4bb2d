"""Prefect against what was really caused: 79 flow runs of Prefect 3.8.8, its events, its command line and a database dump."""

from __future__ import annotations

import csv
import gzip
import json
import random
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.adapters import _prefect
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "prefect"
PAGES = [
    FOLDER / f"{name}.gz"
    for name in (
        "flow_runs.filter.offset00000.json",
        "flow_runs.filter.offset00050.json",
        "task_runs.filter.offset00000.json",
        "task_runs.filter.offset00200.json",
        "deployments.filter.offset00000.json",
    )
] + [FOLDER / "flows.filter.offset00000.json"]
CLIENTS = """
[[clients]]
id = "acme"
name = "Acme"
runs = [{ source = "prefect", tag = "client:acme" }]

[[records]]
entity = "order"
pattern = 'ORD-\\d+'
"""
WORDS = {
    ("COMPLETED", "Completed"): {"succeeded", "partial"},
    ("COMPLETED", "Skipped"): {"skipped"},
    ("FAILED", "Failed"): {"failed"},
    ("FAILED", "Rejected"): {"failed"},
    ("FAILED", "TimedOut"): {"timed_out"},
    ("CRASHED", "Crashed"): {"crashed"},
    ("CANCELLED", "Cancelled"): {"cancelled"},
    ("PAUSED", "Paused"): {"waiting"},
    ("PAUSED", "Suspended"): {"waiting"},
    ("RUNNING", "Running"): {"running"},
    ("SCHEDULED", "AwaitingConcurrencySlot"): {"queued"},
}
ALL_OF_IT = ("select * from runs order by run_id", "select * from steps order by step_id")


def truth(name: str) -> list[dict[str, str]]:
    """A table of SOURCE.md."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def objects(name: str) -> list[dict[str, Any]]:
    """What stands in a compressed sample."""
    with gzip.open(FOLDER / name, "rt", encoding="utf-8") as file:
        found: list[dict[str, Any]] = json.load(file)
        return found


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """All flow runs, task runs, flows and deployments, as the API told of them."""
    return ingested(tmp_path_factory.mktemp("night"), PAGES, CLIENTS)


def test_of_79_flow_runs_60_were_runs_and_19_only_planned(night: Ledger) -> None:
    counts = (
        "select sum(records_read), sum(mapped), sum(set_aside), sum(rejects) from imports where path like '%flow_runs%'"
    )
    assert rows(night, counts) == [(79, 60, 19, 0)]
    assert rows(night, "select reason, count(*) from set_aside group by 1") == [("planned, not started", 19)]


def test_every_flow_has_as_many_runs_in_every_state_as_were_caused(night: Ledger) -> None:
    flow_of = {run["id"]: run["flow_id"] for page in PAGES[:2] for run in objects(page.name)}
    name_of = {flow["id"]: flow["name"] for flow in json.loads(PAGES[-1].read_text())}
    found = Counter(
        (name_of[flow_of[str(run)]], *str(raw).split("|"))
        for run, raw in rows(night, "select native_id, status_raw from runs")
    )
    caused: Counter[tuple[str, ...]] = Counter()
    for row in truth("truth_counts.tsv"):
        if row["state_name"] != "Scheduled":
            caused[row["flow"], row["state_type"], row["state_name"]] += int(row["runs"])
    assert found == caused


def test_every_deliberate_run_has_the_status_that_was_caused(night: Ledger) -> None:
    found = {str(run): str(status) for run, status in rows(night, "select native_id, status from runs")}
    wrong = {}
    for row in truth("truth_runs.tsv"):
        name, _, kind = row["state"].partition(" (")
        expected = WORDS.get((kind.rstrip(")"), name), set()) or {None}
        if found.get(row["flow_run"]) not in expected:
            wrong[row["order"]] = (row["state"], found.get(row["flow_run"]))
    assert not wrong


def test_every_deliberate_run_has_the_task_states_that_were_seen(night: Ledger) -> None:
    found: dict[str, Counter[str]] = {}
    for run, raw in rows(night, "select native_id, steps.status_raw from steps join runs using (run_id)"):
        found.setdefault(str(run), Counter())[str(raw).partition("|")[2]] += 1
    for row in truth("truth_runs.tsv"):
        states = json.loads(row["task_states"].replace("'", '"'))
        assert found.get(row["flow_run"], Counter()) == states, row["order"]


def test_the_205_task_runs_have_the_states_that_the_capture_counted(night: Ledger) -> None:
    assert dict(rows(night, "select status_raw, count(*) from steps group by 1")) == {
        "COMPLETED|Completed": 173,
        "FAILED|Failed": 8,
        "COMPLETED|Cached": 14,
        "COMPLETED|RolledBack": 2,
        "RUNNING|Running": 4,
        "CRASHED|Crashed": 2,
        "PENDING|NotReady": 1,
        "FAILED|TimedOut": 1,
    }


def test_start_and_end_are_set_where_the_run_began_and_ended(night: Ledger) -> None:
    found = {
        str(run): f"{'y' if started else 'n'}/{'y' if ended else 'n'}"
        for run, started, ended in rows(night, "select native_id, started_at, ended_at from runs")
    }
    for row in truth("truth_runs.tsv"):
        # ORD-1207 was cancelled before it started: the tool gives it a start, which is its end
        expected = "n/y" if row["order"] == "ORD-1207" else row["start_end"]
        assert found.get(row["flow_run"], "n/n") == expected, row["order"]


def test_a_retried_or_resumed_run_stays_one_run_whatever_its_run_count(night: Ledger) -> None:
    assert rows(night, "select count(*), count(distinct native_id), max(attempt) from runs") == [(60, 60, 1)]


def test_a_task_that_was_tried_three_times_is_at_its_third_attempt_and_has_no_start_of_the_first(night: Ledger) -> None:
    assert rows(
        night,
        """select steps.status, steps.attempt, steps.started_at is null, steps.error_type from steps join runs using (run_id)
        where step_key = 'fetch_contacts' and starts_with(native_id, '6affaa62')""",
    ) == [("failed", 3, True, "ConnectionError")]


def test_a_subflow_is_a_run_of_its_own_and_knows_its_parent(night: Ledger) -> None:
    found = rows(
        night,
        """select parent.automation, child.automation, child.status, count(*) from runs child
        join runs parent on parent.run_id = child.parent_run_id group by all order by 3""",
    )
    assert found == [("nightly-report", "crm-sync", "failed", 2), ("nightly-report", "crm-sync", "succeeded", 5)]
    assert rows(night, "select count(*) from steps where kind = 'subflow'") == [(7,)]


def test_a_completed_run_whose_subflow_failed_is_partial_and_no_other_is(night: Ledger) -> None:
    found = rows(night, "select native_id, error_type from runs where status = 'partial'")
    assert found == [("e28a77af-4ed0-4fbe-a499-86ad4973caf8", "ConnectionError")]


def test_a_run_is_of_its_deployment_and_without_one_of_its_flow(night: Ledger) -> None:
    assert dict(
        rows(night, "select automation_id, count(*) from runs where automation = 'invoice-export' group by 1")
    ) == {
        "prefect:1232272e-ef0a-4b6d-b1b1-ed9e1a891ba4": 13,
        "prefect:35212f81-1bbe-46b7-9849-dd9a97a06560": 2,
    }


def test_deployments_have_their_schedules_and_whether_they_are_paused(night: Ledger) -> None:
    assert rows(night, "select name, schedule, enabled from automations where schedule is not null order by name") == [
        ("acme-crm-sync", "every 40 s", True),
        ("globex-crm-sync", "every 60 s", True),
        ("initech-crm-sync-paused", "every 3600 s", False),
        ("initech-lead-enrichment", "0 2 * * * America/New_York", True),
        ("nightly-report", "30 1 * * * Europe/Berlin", True),
    ]


def test_a_run_was_queued_when_it_was_made_or_due_and_not_when_it_should_have_run_yesterday(night: Ledger) -> None:
    found = rows(
        night,
        """select count(*), bool_and(queued_at between started_at - interval 1 minute and started_at) from runs
        where native_id[:8] in ('0c2c2c54', '2fe8b4d9', '0cf72a98')""",
    )
    assert found == [(3, True)]
    assert rows(night, "select queued_at <= ended_at from runs where starts_with(native_id, 'e676fdd7')") == [(True,)]


def test_a_pause_counts_for_the_duration_from_start_to_end(night: Ledger) -> None:
    [(duration,)] = rows(night, "select round(duration_s) from runs where starts_with(native_id, '3079daab')")
    assert duration == 226


def test_triggers_say_what_the_tool_says(night: Ledger) -> None:
    assert dict(rows(night, "select trigger, count(*) from runs group by 1")) == {
        None: 38,
        "SCHEDULE": 15,
        "SUBFLOW": 7,
    }


def test_tags_give_the_client_and_parameters_the_order(night: Ledger) -> None:
    assert rows(
        night,
        """select distinct runs.client, entity_key from touches join runs using (run_id)
        where starts_with(native_id, '0cea4845')""",
    ) == [("acme", "ORD-1002")]


def test_errors_are_those_of_the_state(night: Ledger) -> None:
    assert rows(
        night,
        """select error_type, error_message from runs where starts_with(native_id, '4d3851a4')
        or starts_with(native_id, 'a074c84d') order by 2""",
    ) == [
        ("RuntimeError", "Flow run encountered an exception: RuntimeError: ledger rejected ORD-1007"),
        (None, "customer acme blocked by finance"),
    ]


def test_processes_that_were_killed_where_nobody_looked_stay_running(night: Ledger) -> None:
    found = rows(
        night,
        "select status, ended_at is null from runs where native_id[:8] in ('7ebc4098', '6dae3028')",
    )
    assert found == [("running", True)] * 2


def test_the_command_line_a_minute_later_tells_of_the_same_runs(night: Ledger, tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "cli.flow-run_ls.json.gz"])
    known = {run for (run,) in rows(night, "select run_id from runs")}
    found = {run for (run,) in rows(ledger, "select run_id from runs")}
    assert known <= found
    assert len(found - known) == 3  # planned runs whose time had come by then


def test_every_word_of_prefect_2_and_3_and_words_of_the_users_own_have_a_status(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "words.v2.flow_runs.paginate.json.gz"])
    found = {tuple(str(raw).split("|")): status for raw, status in rows(ledger, "select status_raw, status from runs")}
    own = {("COMPLETED", "Nothing to do"): "succeeded", ("FAILED", "Blocked by finance"): "failed"}
    assert found == {**_prefect._BY_NAME, **own, ("EXPLODED", "Exploded"): "unknown"}


def test_prefect_2_tasks_and_deployments_have_the_same_shape(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "v2.task_runs.json", FOLDER / "v2.deployments.json"])
    assert rows(ledger, "select step_key, attempt, map_index, status from steps") == [("fetch", 2, 0, "succeeded")]
    assert rows(ledger, "select automation, status, error_type from runs where status <> 'unknown'") == [
        ("send", "failed", "SMTPException")  # a task in the background is a run of its own
    ]
    assert rows(ledger, "select schedule, owner, enabled from automations where name = 'nightly'") == [
        ("0 2 * * * Europe/Berlin", "ops", False)
    ]


MIXED = [
    *(
        FOLDER / f"{name}.json.gz"
        for name in ("cli.flow-run_ls", "events.filter.page003", "task_runs.filter.offset00000")
    ),
    *FOLDER.glob("flow_run_states.33f*"),
]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """The command line's list, task runs, some events and the states of one run."""
    return ingested(tmp_path_factory.mktemp("mixed"), MIXED)


def test_events_tell_of_tries_that_the_task_run_has_forgotten(mixed: Ledger) -> None:
    found = rows(
        mixed,
        """select steps.attempt, steps.status, steps.started_at is not null from steps join runs using (run_id)
        where step_key = 'fetch_contacts' and starts_with(native_id, '6affaa62') order by 1""",
    )
    assert found == [(1, "failed", True), (2, "failed", True), (3, "failed", True)]


def test_any_order_of_the_files_gives_the_same_ledger(mixed: Ledger, tmp_path: Path) -> None:
    ledger = ingested(tmp_path, random.Random(4).sample(MIXED, len(MIXED)))  # noqa: S311  a shuffle, no secret
    for query in ALL_OF_IT:
        assert rows(ledger, query) == rows(mixed, query)


def test_events_that_tell_of_no_run_are_set_aside_with_the_reason(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "events.filter.page000.json.gz", FOLDER / "events.filter.page016.json.gz"])
    assert {reason for (reason,) in rows(ledger, "select distinct reason from set_aside")} == {
        "planned, not started",
        "heartbeat",
        "not about a run",
        "event inside a run",
    }
    assert rows(ledger, "select kind, count(*) from changes group by 1") == [("created", 9)]


@needs_shared
def test_the_events_alone_give_every_run_the_status_of_its_record(tmp_path: Path) -> None:
    pages = sorted((SHARED / "captures/prefect/raw/api").glob("events.filter.page*.json"))
    whole = tmp_path / "events.json"
    whole.write_text("\n".join(page.read_text() for page in pages))
    ledger = ingested(tmp_path / "project", [whole])
    assert dict(rows(ledger, "select status, count(*) from runs group by 1")) == {
        "succeeded": 36,
        "failed": 10,
        "running": 4,
        "timed_out": 2,
        "crashed": 2,
        "cancelled": 2,
        "waiting": 2,
        "skipped": 1,
        "queued": 1,
    }


def test_logs_and_artifacts_give_keys_and_errors_but_no_status(tmp_path: Path) -> None:
    files = [FOLDER / "logs.filter.offset00000.json.gz", FOLDER / "artifacts.filter.offset00000.json.gz"]
    ledger = ingested(tmp_path, files, CLIENTS)
    assert rows(ledger, "select distinct status from runs") == [("unknown",)]
    assert rows(ledger, "select count(*) from set_aside") == [(14,)]  # of 22 artifacts: stored results
    touched = (
        "select distinct entity_key from touches join runs using (run_id) where starts_with(native_id, 'afc23244')"
    )
    assert rows(ledger, touched) == [("ORD-1302",)]
    assert rows(ledger, "select error_type from runs where starts_with(native_id, '4e47d3fb')") == [("RuntimeError",)]


def test_a_history_of_states_tells_when_the_run_was_what(tmp_path: Path) -> None:
    ledger = ingested(
        tmp_path,
        [*FOLDER.glob("flow_run_states.33f*"), *FOLDER.glob("flow_run.33f*"), *FOLDER.glob("task_run_states.*")],
    )
    assert [status for (status,) in rows(ledger, "select status from status_history order by seen_at")] == [
        "queued",
        "running",
        "waiting",
        "running",
        "succeeded",
    ]
    assert rows(ledger, "select started_at::varchar, count(*) over () from runs") == [
        ("2026-11-23 02:20:39.906781+00", 1)
    ]


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("dump"), [FOLDER / "prefect.sql.gz"])


def test_a_dump_of_the_database_tells_what_the_api_does_and_whose_subflow_a_run_is(dump: Ledger) -> None:
    assert rows(
        dump,
        """select child.automation, child.status, child.status_raw, parent.automation, child.error_message, child.tz_assumed
        from runs child left join runs parent on parent.run_id = child.parent_run_id order by child.started_at""",
    ) == [
        ("parent-flow", "succeeded", "COMPLETED|Nothing to do", None, None, False),
        ("child", "succeeded", "COMPLETED|Completed", "parent-flow", None, False),
        ("retried", "succeeded", "COMPLETED|Completed", None, None, False),
        (
            "broken",
            "failed",
            "FAILED|Failed",
            None,
            "Flow run encountered an exception: ValueError: no 'quote' for ORD-3\nsecond line",
            False,
        ),
    ]


def test_a_task_that_failed_before_its_flow_was_retried_and_passed_does_not_make_the_run_partial(dump: Ledger) -> None:
    found = rows(
        dump,
        """select steps.status, steps.status_raw, count(*) from steps join runs using (run_id) where automation = 'retried'
        group by all order by 2""",
    )
    assert found == [
        ("succeeded", "COMPLETED|Completed", 5),
        ("failed", "FAILED|Failed", 1),
        ("skipped", "flow run retried", 1),
    ]


def test_the_database_itself_gives_the_ledger_that_its_dump_does(dump: Ledger, tmp_path: Path) -> None:
    database = tmp_path / "prefect.db"
    connection = sqlite3.connect(database)
    connection.executescript(gzip.decompress((FOLDER / "prefect.sql.gz").read_bytes()).decode())
    connection.close()
    ledger = ingested(tmp_path / "project", [database])
    for query in ALL_OF_IT:
        assert rows(ledger, query) == rows(dump, query)


def test_a_dump_that_does_more_than_it_should_is_not_obeyed(tmp_path: Path) -> None:
    text = gzip.decompress((FOLDER / "prefect.sql.gz").read_bytes()).decode()
    outside = tmp_path / "outside.db"
    hostile = [
        f"ATTACH DATABASE '{outside}' AS x;",
        "CREATE TABLE x.flow_run AS SELECT * FROM task_run;",
        "INSERT INTO log VALUES((SELECT group_concat(id) FROM flow_run),'','','',1,'','','','');",
        "INSERT INTO log VALUES(zeroblob(100000000),'','','',1,'','','','');",
        "INSERT INTO flow_run SELECT * FROM flow_run;",
        "INSERT INTO flow_run VALUES('cut off",
    ]
    file = tmp_path / "dump.sql"
    file.write_text(text + "\n".join(hostile))
    result = take_in(tmp_path / "project", [file])
    assert not outside.exists()
    assert (result.mapped, result.set_aside, result.rejects) == (34, 29, 5)


def test_a_page_that_is_cut_off_loses_only_the_run_it_was_cut_in(tmp_path: Path) -> None:
    text = gzip.decompress(PAGES[0].read_bytes())
    cut = tmp_path / "cut.json"
    cut.write_bytes(text[: len(text) // 2])
    result = take_in(tmp_path / "project", [cut])
    assert result.rejects == 1
    assert result.mapped > 20


def test_an_empty_page_and_parts_of_another_shape_lose_no_run(tmp_path: Path) -> None:
    run = {"id": "6dcd2d0a-ff74-4d26-b8e0-ae58ea32bc1d", "flow_id": "f", "run_count": 1, "expected_start_time": None}
    odd = [run | {"state_type": "FAILED", "state_name": "Failed", "state": "Failed()", "created_by": "orion"}]
    (tmp_path / "odd.json").write_text(json.dumps(odd))
    (tmp_path / "page.json").write_text(json.dumps({"results": [], "count": 0, "limit": 200, "pages": 0, "page": 1}))
    found = take_in(tmp_path / "one", [tmp_path / "odd.json", tmp_path / "page.json"])
    assert [(file.outcome, file.mapped) for file in found.files] == [("taken", 1), ("taken", 0)]


def test_a_golden_run(night: Ledger) -> None:
    assert rows(
        night,
        """select run_id, tool, automation, client, role, status, status_raw, trigger, version, queued_at::varchar, started_at::varchar,
        ended_at::varchar, duration_s from runs where starts_with(native_id, '9ef8eabe')""",
    ) == [
        (
            "prefect:9ef8eabe-9e3f-4a1b-8941-553c5919a17f",
            "prefect",
            "invoice-export",
            None,
            "work",
            "skipped",
            "COMPLETED|Skipped",
            None,
            "2026.11",
            "2026-11-23 02:19:14.801671+00",
            "2026-11-23 02:19:43.745197+00",
            "2026-11-23 02:19:44.964322+00",
            None,
        )
    ]

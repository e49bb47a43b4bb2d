"""Airflow against a captured night of Airflow 3.3.2: trimmed copies stand in `airflow/` (see SOURCE.md there)."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support import ingested, rows, take_in

from aftershock.adapters.airflow import STATUS
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "airflow"
RUN_PAGES = sorted(FOLDER.glob("dagRuns.offset*.json"))
TASK_PAGES = sorted(FOLDER.glob("taskInstances.*.json"))
TRIES = sorted(FOLDER.glob("tries.*.json"))
IN_FLIGHT = sorted(FOLDER.glob("inflight.*.json"))
EVENTS = [FOLDER / "eventLogs.json"]
LOGS = sorted(FOLDER.glob("logs.*.json"))
REST = [*RUN_PAGES, *TASK_PAGES, *TRIES]
NOBODYS = sorted((FOLDER / "not_ours").iterdir())
CLIENTS = """
[[clients]]
id = "initech"
name = "Initech"
runs = [{ source = "airflow", path = "client", equals = "initech" }]

[[records]]
entity = "order"
keys = ["order_id"]
pattern = 'ORD-\\d+'
"""

# Of SOURCE.md's truth table: the runs whose state is success although a task failed for good.
PARTIAL = {
    "invoice_export/manual__2026-11-23T02:11:30.082942+00:00",  # fail_all
    "invoice_export/manual__2026-11-23T02:11:30.138245+00:00",  # fail_all
    "invoice_export/manual__2026-11-23T02:11:30.189818+00:00",  # fail_all
    "invoice_export/manual__2026-11-23T02:11:30.338430+00:00",  # timeout
    "invoice_export/manual__2026-11-23T02:11:30.402694+00:00",  # timeout
    "invoice_export/manual__2026-11-23T02:11:30.734024+00:00",  # oom
    "invoice_export/manual__2026-11-23T02:12:02.603733+00:00",  # child run, fail_all
    "invoice_export/manual__2026-11-23T02:19:27.244929+00:00",  # child run, timeout
}
RUN_ROWS = "select * exclude (first_seen_at, last_seen_at) from runs order by run_id"
STEP_ROWS = "select * exclude (run_seen_at) from steps order by step_id"


def task_instances(files: Sequence[Path]) -> Iterator[dict[str, object]]:
    """What the files say, read without the adapter."""
    for file in files:
        for page in file.read_text().splitlines():
            yield from json.loads(page)["task_instances"]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Run pages, task pages and tries: what the REST API tells in full."""
    return ingested(tmp_path_factory.mktemp("night"), REST)


@pytest.fixture(scope="module")
def known_causes(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """The same, with the audit log and some task logs."""
    return ingested(tmp_path_factory.mktemp("causes"), [*EVENTS, *LOGS, *REST])


def test_every_run_has_the_status_that_was_caused(night: Ledger) -> None:
    found = dict(rows(night, "select status, count(*) from runs group by status"))
    assert found == {"succeeded": 89, "partial": 8, "failed": 22, "running": 3, "queued": 2}


def test_partial_runs_are_exactly_those_whose_task_failed_under_a_success(night: Ledger) -> None:
    found = {run_id for (run_id,) in rows(night, "select run_id from runs where status = 'partial'")}
    assert found == {f"airflow:{name}" for name in PARTIAL}


def test_runs_per_dag_and_state_equal_the_table_of_the_capture(night: Ledger) -> None:
    found = rows(
        night,
        "select automation, status_raw, count(*) from runs where automation like 'globex%' group by all order by all",
    )
    assert found == [
        ("globex_crm_sync", "failed", 3),
        ("globex_crm_sync", "success", 8),
        ("globex_full_resync", "failed", 2),
        ("globex_full_resync", "queued", 1),
        ("globex_ledger_refresh", "queued", 1),
        ("globex_ledger_refresh", "success", 8),
        ("globex_slow_vendor", "running", 1),
        ("globex_wait_for_feed", "failed", 4),
        ("globex_wait_for_feed", "success", 1),
    ]


def test_every_task_instance_and_every_earlier_try_is_a_step_attempt(night: Ledger) -> None:
    last = {
        (t["dag_id"], t["dag_run_id"], t["task_id"], t["map_index"], max(int(str(t["try_number"])), 1))
        for t in task_instances(TASK_PAGES)
    }
    tried = {
        (t["dag_id"], t["dag_run_id"], t["task_id"], t["map_index"], max(int(str(t["try_number"])), 1))
        for t in task_instances(TRIES)
    }
    assert len(last) == 462
    assert rows(night, "select count(*) from steps") == [(len(last | tried),)]


def test_statuses_of_task_instances_alone_equal_the_states_of_the_capture(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, TASK_PAGES)
    found = dict(rows(ledger, "select coalesce(status_raw, 'none'), count(*) from steps group by all"))
    assert found == Counter(t["state"] or "no_status" for t in task_instances(TASK_PAGES))
    assert dict(rows(ledger, "select status, count(*) from steps group by all")) == {
        "succeeded": 325,
        "skipped": 56 + 43,
        "failed": 28,
        "unknown": 7,
        "waiting": 2,
        "running": 1,
    }


def test_a_page_of_task_instances_alone_names_its_runs_and_claims_nothing_else_of_them(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, TASK_PAGES)
    assert rows(ledger, "select status, count(*), count(started_at), min(automation) from runs group by all") == [
        ("unknown", 124, 0, "acme_bulk_import")
    ]


@pytest.mark.parametrize("seed", range(2))
def test_any_order_of_the_files_gives_the_same_runs_and_steps(known_causes: Ledger, tmp_path: Path, seed: int) -> None:
    files = [*EVENTS, *LOGS, *REST, *IN_FLIGHT, *sorted(FOLDER.glob("cli.*list-runs*"))]
    """Also with snapshots of runs in flight and the command line's word, which add no run and no step."""
    random.Random(seed).shuffle(files)  # noqa: S311  a shuffle, no secret
    ledger = ingested(tmp_path, files)
    assert rows(ledger, RUN_ROWS) == rows(known_causes, RUN_ROWS)
    assert rows(ledger, STEP_ROWS) == rows(known_causes, STEP_ROWS)


def test_in_flight_a_task_that_was_deferred_waits_whichever_snapshot_came_first(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / f"inflight.globex_wait_for_feed.0{n}.json" for n in (2, 1, 0)])
    assert rows(ledger, "select name, status_raw, status, ended_at from steps order by name") == [
        ("consume", "no_status", "unknown", None),
        ("feed_present", "up_for_reschedule", "waiting", None),
        ("optional_feed", "running", "running", None),
        ("settle", "deferred", "waiting", None),
    ]


def test_a_task_cleared_while_it_ended_leaves_its_run_a_success(night: Ledger) -> None:
    run = rows(night, "select status, had_failed_step from runs where native_id = 'bulk-clear'")
    steps = rows(
        night, "select name, attempt, status from steps where run_id = 'airflow:acme_bulk_import/bulk-clear' order by 1"
    )
    assert run == [("succeeded", False)]
    assert steps == [("finish", 1, "succeeded"), ("import_rows", 1, "succeeded")]


def test_a_run_cleared_as_a_whole_keeps_its_id_and_its_tries_go_on(night: Ledger) -> None:
    steps = rows(
        night,
        """select name, list(status order by attempt) from steps
        where run_id = 'airflow:invoice_export/manual__2026-11-23T02:11:29.918800+00:00' group by name order by name""",
    )
    assert steps == [
        ("choose", ["succeeded", "succeeded"]),
        ("cleanup", ["succeeded", "succeeded"]),
        ("export", ["failed", "failed", "succeeded", "succeeded"]),
        ("no_invoices", ["skipped"]),
        ("notify", ["succeeded", "succeeded"]),
        ("validate", ["succeeded", "succeeded"]),
    ]


def test_a_queued_run_that_never_started_has_no_start(night: Ledger) -> None:
    found = rows(
        night, "select automation, queued_at is null, started_at, ended_at from runs where status = 'queued' order by 1"
    )
    assert found == [("globex_full_resync", False, None, None), ("globex_ledger_refresh", False, None, None)]


def test_a_task_that_never_started_has_no_start_though_airflow_gives_one(night: Ledger) -> None:
    assert rows(
        night,
        """select status, status_raw, attempt, started_at, ended_at is null from steps
        where run_id = 'airflow:invoice_export/shop-1001' and name = 'no_invoices'""",
    ) == [("skipped", "skipped", 1, None, False)]


def test_instances_of_a_mapped_task_are_told_apart(night: Ledger) -> None:
    assert rows(
        night,
        """select map_index, status from steps where name = 'sync_contact'
        and run_id = 'airflow:globex_crm_sync/scheduled__2026-11-22T19:00:00+00:00' order by map_index""",
    ) == [(0, "succeeded"), (1, "skipped"), (2, "failed")]


def test_a_triggered_run_knows_its_parent_by_conf_whichever_came_first(night: Ledger, tmp_path: Path) -> None:
    query = """select child.run_id, parent.run_id
        from runs child left join runs parent on child.parent_run_id = parent.run_id
        where starts_with(child.trigger, 'operator_triggered') or child.parent_run_id is not null order by 1"""
    expected = [
        (
            f"airflow:invoice_export/manual__2026-11-23T{child}+00:00",
            f"airflow:nightly_report/manual__2026-11-23T{parent}+00:00",
        )
        for child, parent in (
            ("02:11:58.595581", "02:11:39.233129"),
            ("02:12:00.329599", "02:11:38.817339"),
            ("02:12:02.603733", "02:11:39.024418"),
            ("02:19:27.244929", "02:19:21.934757"),
            ("02:23:30.035027", "02:23:26.266523"),
            ("02:24:20.141944", "02:24:14.819444"),
        )
    ]
    assert rows(night, query) == expected
    assert rows(ingested(tmp_path, RUN_PAGES[::-1]), query) == expected


def test_a_retry_inside_a_run_is_an_attempt_of_a_step_and_no_run_of_its_own(night: Ledger) -> None:
    assert rows(night, "select count(*) from runs where root_run_id <> run_id or attempt <> 1") == [(0,)]
    assert rows(night, "select attempt, count(*) from steps where attempt > 1 group by all order by 1") == [
        (2, len([t for t in _tries() if t == 2])),
        (3, len([t for t in _tries() if t == 3])),
        (4, len([t for t in _tries() if t == 4])),
    ]


def _tries() -> list[int]:
    """The try number of every distinct try above 1."""
    return [
        number
        for *_, number in {
            (t["dag_id"], t["dag_run_id"], t["task_id"], t["map_index"], int(str(t["try_number"])))
            for t in task_instances([*TASK_PAGES, *TRIES])
        }
    ]


def test_workers_that_were_killed_are_told_by_the_audit_log_though_the_task_says_failed_later(tmp_path: Path) -> None:
    query = "select run_id, name, attempt, error_type from steps where status = 'crashed' order by all"
    run = "airflow:invoice_export/manual__2026-11-23T02:11:30.734024+00:00"
    expected = [
        ("airflow:acme_bulk_import/bulk-child2", "import_rows", 1, "TaskStateMismatch"),
        ("airflow:acme_bulk_import/bulk-child3", "import_rows", 1, "TaskStateMismatch"),
        ("airflow:acme_bulk_import/bulk-sup2", "import_rows", 1, "WorkerHeartbeatTimeout"),
        (
            "airflow:globex_wait_for_feed/manual__2026-11-23T02:11:40.652025+00:00",
            "feed_present",
            1,
            "TaskStateMismatch",
        ),
        (
            "airflow:globex_wait_for_feed/manual__2026-11-23T02:19:22.032830+00:00",
            "feed_present",
            1,
            "TaskStateMismatch",
        ),
        (
            "airflow:globex_wait_for_feed/manual__2026-11-23T02:23:26.181513+00:00",
            "feed_present",
            1,
            "TaskStateMismatch",
        ),
        (run, "export", 1, "TaskStateMismatch"),
        (run, "export", 2, "TaskStateMismatch"),
    ]
    assert rows(ingested(tmp_path, [*TASK_PAGES, *TRIES, *EVENTS]), query) == expected


def test_a_task_cleared_by_a_person_while_it_ran_is_no_crash(known_causes: Ledger) -> None:
    assert rows(
        known_causes,
        """select attempt, status from steps
        where run_id = 'airflow:acme_bulk_import/bulk-clear2' and name = 'import_rows'
        order by attempt""",
    ) == [(1, "failed"), (2, "succeeded")]


def test_a_killed_try_that_a_retry_saved_leaves_its_run_a_success(known_causes: Ledger) -> None:
    assert rows(
        known_causes, "select native_id, status from runs where native_id in ('bulk-child2', 'bulk-sup2') order by 1"
    ) == [
        ("bulk-child2", "succeeded"),
        ("bulk-sup2", "succeeded"),
    ]


def test_the_audit_log_changes_no_count_of_runs(known_causes: Ledger) -> None:
    found = dict(rows(known_causes, "select status, count(*) from runs group by status"))
    assert found == {"succeeded": 89, "partial": 8, "failed": 22, "running": 3, "queued": 2}


def test_events_without_a_crash_are_set_aside_and_pauses_are_changes(tmp_path: Path) -> None:
    result = take_in(tmp_path, EVENTS)
    events = json.loads(EVENTS[0].read_text())["event_logs"]
    crashes = [
        e for e in events if e["event"] in ("heartbeat timeout", "state mismatch") and "[restarting]" not in e["extra"]
    ]
    pauses = [e for e in events if e["event"] == "patch_dag"]
    assert (result.mapped, result.set_aside, result.rejects) == (
        len(crashes) + len(pauses),
        len(events) - len(crashes) - len(pauses),
        0,
    )


def test_task_logs_give_the_error_and_what_killed_the_process(known_causes: Ledger) -> None:
    assert rows(
        known_causes,
        """select name, attempt, map_index, status, error_type, error_message[:8] from steps
        where error_type is not null and error_type not in ('TaskStateMismatch', 'WorkerHeartbeatTimeout')
        order by all""",
    ) == [
        ("export", 1, 0, "failed", "RuntimeError", "cannot p"),
        ("import_rows", 1, 0, "crashed", "SIGKILL", "Process "),
        ("import_rows", 2, 0, "crashed", "SIGKILL", "Process "),
        ("sync_contact", 1, 2, "failed", "ValueError", "contact "),
        ("validate", 1, 0, "failed", "AirflowFailException", "order OR"),
    ]


def test_the_command_line_gives_the_same_runs_as_the_api(night: Ledger, tmp_path: Path) -> None:
    """But for the two runs that went on while the command printed them."""
    ledger = ingested(tmp_path, sorted(FOLDER.glob("cli.*list-runs*.json")))
    query = """select run_id, automation, status_raw, started_at, ended_at from runs
        where automation in ('acme_crm_sync', 'invoice_export') order by 1"""
    command_line, api = rows(ledger, query), rows(night, query)
    assert [row[0] for row in command_line] == [row[0] for row in api]
    assert [row for row in command_line if row[2] != "running"] == [
        row for row in api if row[0] not in {row[0] for row in command_line if row[2] == "running"}
    ]
    assert len([row for row in command_line if row[2] == "running"]) == 2


def test_task_states_of_the_command_line_name_no_run_and_are_set_aside(tmp_path: Path) -> None:
    result = take_in(tmp_path, sorted(FOLDER.glob("cli.tasks_states*.json")))
    assert (result.mapped, result.set_aside, result.rejects) == (0, 2, 0)


def test_an_empty_page_is_taken_in_and_says_nothing(tmp_path: Path) -> None:
    result = take_in(tmp_path, [FOLDER / "dagRuns.empty.json"])
    assert [(file.adapter, file.outcome, file.records_read) for file in result.files] == [("airflow", "taken", 0)]


def test_other_files_of_the_api_are_claimed_by_nobody(tmp_path: Path) -> None:
    result = take_in(tmp_path, NOBODYS)
    assert {file.outcome for file in result.files} == {"unknown"}


def test_pages_that_overlap_count_their_runs_once(tmp_path: Path) -> None:
    more = [FOLDER / "dagRuns.invoice_export.offset0000.json", FOLDER / "dagRuns.batch_post.json"]
    ledger = ingested(tmp_path, [*more, *RUN_PAGES])
    assert dict(rows(ledger, "select status_raw, count(*) from runs group by all")) == {
        "success": 97,
        "failed": 22,
        "running": 3,
        "queued": 2,
    }


def test_a_single_run_and_a_single_task_instance_are_read_as_pages_are(tmp_path: Path) -> None:
    run = json.loads(RUN_PAGES[0].read_text())["dag_runs"][4]
    task = next(t for t in task_instances(TASK_PAGES) if t["dag_run_id"] == run["dag_run_id"])
    (tmp_path / "run.json").write_text(json.dumps(run))
    (tmp_path / "task.json").write_text(json.dumps(task))
    ledger = ingested(tmp_path / "project", [tmp_path / "run.json", tmp_path / "task.json"])
    assert rows(ledger, "select run_id, status from runs") == [("airflow:invoice_export/shop-1001", "succeeded")]
    assert rows(ledger, "select count(*) from steps") == [(1,)]


def test_client_and_order_are_found_in_the_conf_of_a_run_and_in_what_a_task_printed(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [*RUN_PAGES, FOLDER / "logs.014.json"], CLIENTS)
    run = "airflow:invoice_export/manual__2026-11-23T02:11:30.082942+00:00"
    assert rows(ledger, f"select client from runs where run_id = '{run}'") == [("initech",)]
    assert rows(ledger, f"select entity_key, step_id is null from touches where run_id = '{run}' order by all") == [
        ("ORD-1010", False),
        ("ORD-1010", True),
    ]


def test_dags_give_owner_schedule_and_whether_they_are_paused(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [RUN_PAGES[0], FOLDER / "dags.json", FOLDER / "cli.dags_list.json"])
    assert rows(
        ledger,
        """select name, owner, schedule, enabled from automations
        where name in ('acme_crm_sync', 'globex_full_resync', 'invoice_export') order by 1""",
    ) == [
        ("acme_crm_sync", "acme-ops", "0 * * * *", True),
        ("globex_full_resync", "airflow", None, False),
        ("invoice_export", "finance", None, True),
    ]


def test_versions_of_a_dag_are_changes_of_the_automation_its_runs_have(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [RUN_PAGES[0], FOLDER / "dagVersions.json"])
    assert rows(
        ledger,
        """select count(*) from changes join runs using (automation_id, version)
        where runs.run_id = 'airflow:invoice_export/shop-1001'""",
    ) == [(1,)]


def test_a_run_cleared_after_it_ended_is_queued_again_in_either_order(tmp_path: Path) -> None:
    ended = next(run for run in json.loads(RUN_PAGES[0].read_text())["dag_runs"] if run["dag_run_id"] == "shop-1001")
    cleared = ended | {"state": "queued", "queued_at": "2026-11-23T03:00:00Z", "end_date": None, "duration": None}
    files = []
    for run in (ended, cleared):
        files.append(tmp_path / f"{run['state']}.json")
        files[-1].write_text(json.dumps({"dag_runs": [run], "total_entries": 1}))
    for number, order in enumerate((files, files[::-1])):
        ledger = ingested(tmp_path / str(number), order)
        assert rows(ledger, "select status, is_finished from runs") == [("queued", False)]


def test_records_with_nulls_where_airflow_2_has_nothing_are_kept(tmp_path: Path) -> None:
    run = {"dag_id": "d", "dag_run_id": "r", "run_type": None, "state": "running", "conf": None}
    task = {"dag_id": "d", "dag_run_id": "r", "task_id": "t", "try_number": None, "state": "success", "map_index": None}
    (tmp_path / "runs.json").write_text(json.dumps({"dag_runs": [run, run | {"dag_run_id": "q", "conf": [1]}]}))
    (tmp_path / "tasks.json").write_text(json.dumps({"task_instances": [task]}))
    ledger = ingested(tmp_path / "project", [tmp_path / "runs.json", tmp_path / "tasks.json"])
    assert rows(ledger, "select run_id, status, trigger from runs order by 1") == [
        ("airflow:d/q", "running", None),
        ("airflow:d/r", "running", None),
    ]
    assert rows(ledger, "select attempt, map_index, status from steps") == [(1, 0, "succeeded")]


def test_a_record_without_its_run_is_a_reject_and_no_run(tmp_path: Path) -> None:
    page = json.loads(RUN_PAGES[2].read_text())
    page["dag_runs"][3]["dag_run_id"] = None
    (tmp_path / "page.json").write_text(json.dumps(page))
    result = take_in(tmp_path / "project", [tmp_path / "page.json"])
    assert (result.records_read, result.mapped, result.rejects) == (24, 23, 1)


def test_every_state_stands_in_the_capture_but_for_three() -> None:
    pages = "".join(file.read_text() for file in FOLDER.glob("*.json")).replace("_", "")
    unseen = {word for word in STATUS.words if f'"state":"{word}"' not in pages}
    assert unseen == {"nostatus", "removed", "restarting"}  # the first is how an empty state is written here


def test_a_golden_run(night: Ledger) -> None:
    assert rows(
        night,
        """select run_id, tool, source, automation_id, automation, native_id, attempt, root_run_id, parent_run_id, role,
        status, status_raw, trigger, version, duration_s, queued_at::VARCHAR, started_at::VARCHAR, ended_at::VARCHAR
        from runs where run_id = 'airflow:invoice_export/shop-1001'""",
    ) == [
        (
            "airflow:invoice_export/shop-1001",
            "airflow",
            "airflow",
            "airflow:invoice_export",
            "invoice_export",
            "shop-1001",
            1,
            "airflow:invoice_export/shop-1001",
            None,
            "work",
            "succeeded",
            "success",
            "manual/rest_api",
            "1",
            40.547531,
            "2026-11-23 02:11:29.527832+00",
            "2026-11-23 02:11:30.018596+00",
            "2026-11-23 02:12:10.566127+00",
        )
    ]


# Callbacks


def _with_callbacks(folder: Path, name: str, *events: str) -> Path:
    """The captured log of a try that failed, as a DAG with callbacks would have written on: each event a line, a second apart."""
    log = json.loads((FOLDER / "logs.014.json").read_text(encoding="utf-8"))
    line = {key: value for key, value in log["content"][-1].items() if key != "logger"}
    lines = [{**line, "timestamp": f"2026-11-23T02:13:1{n}Z", "event": event} for n, event in enumerate(events)]
    file = folder / f"{name}.json"
    file.write_text(json.dumps({**log, "content": log["content"] + lines}), encoding="utf-8")
    return file


def test_a_callback_that_was_executed_for_a_failure_is_a_notice_of_its_run(tmp_path: Path) -> None:
    file = _with_callbacks(
        tmp_path,
        "log",
        "Marking task as UP_FOR_RETRY. dag_id=invoice_export, task_id=export",
        "Executing callback at index 0: notify_slack",
        "Executing callback at index 1: page_somebody",
        "Error in callback at index 1: page_somebody",
    )
    with ingested(tmp_path / "project", [file, FOLDER / "dagRuns.offset0000.json"]) as ledger:
        run = "airflow:invoice_export/manual__2026-11-23T02:11:30.082942+00:00"
        found = rows(ledger, "select run_id, kind, channel, title, sent_at::VARCHAR, joined_by from notices")
        assert found == [(run, "callback", "notify_slack", "retry of export", "2026-11-23 02:13:11+00", "id")]


def test_a_callback_of_a_success_tells_nobody_of_a_failure(tmp_path: Path) -> None:
    file = _with_callbacks(
        tmp_path, "log", "Marking task as SUCCESS. dag_id=x", "Executing callback at index 0: celebrate"
    )
    with ingested(tmp_path / "project", [file]) as ledger:
        assert rows(ledger, "select count(*) from notices") == [(0,)]


def test_the_logs_of_the_capture_tell_of_no_callback(known_causes: Ledger) -> None:
    assert rows(known_causes, "select count(*) from notices") == [(0,)]


def _written(folder: Path, **files: object) -> list[Path]:
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    return [folder / f"{name}.json" for name in files]


def test_airflow_2_tells_runs_and_tasks_by_its_own_names(tmp_path: Path) -> None:
    run = {
        "dag_id": "etl", "dag_run_id": "scheduled__2026-11-19T00:00:00+00:00", "execution_date": "2026-11-19T00:00:00+00:00",
        "external_trigger": False, "conf": {}, "state": "success", "start_date": "2026-11-20T00:00:01+00:00", "end_date": "2026-11-20T00:05:00+00:00",
    }  # fmt: skip
    queued = {
        **run,
        "dag_run_id": "manual__1",
        "external_trigger": True,
        "state": "queued",
        "start_date": None,
        "end_date": None,
    }
    task = {
        "dag_id": "etl", "dag_run_id": run["dag_run_id"], "task_id": "load", "execution_date": run["execution_date"], "map_index": -1,
        "try_number": 2, "state": "failed", "start_date": run["start_date"], "end_date": run["end_date"], "operator": "BashOperator",
    }  # fmt: skip
    dag = {
        "dag_id": "etl", "is_active": True, "is_paused": False, "owners": ["ops"], "fileloc": "/srv/dags/etl.py", "file_token": "x",
        "schedule_interval": {"__type": "CronExpression", "value": "0 0 * * *"},
    }  # fmt: skip
    files = _written(
        tmp_path,
        runs={"dag_runs": [run, queued], "total_entries": 2},
        tasks={"task_instances": [task], "total_entries": 1},
        of_2_1={"task_instances": [{name: task[name] for name in task if name != "dag_run_id"}]},
        dags={"dags": [dag], "total_entries": 1},
        cli=[
            {
                **{name: run[name] for name in ("dag_id", "state", "execution_date", "start_date", "end_date")},
                "run_id": run["dag_run_id"],
            }
        ],
        cli_dags=[{"dag_id": "other", "filepath": "other.py", "owner": "bob", "paused": "True"}],
    )
    result = take_in(tmp_path / "p", files)
    assert {Path(file.path).stem: (file.mapped, file.set_aside) for file in result.files} == {
        "runs": (2, 0), "tasks": (1, 0), "of_2_1": (0, 1), "dags": (1, 0), "cli": (1, 0), "cli_dags": (1, 0),
    }  # fmt: skip
    with ingested(tmp_path / "q", files) as ledger:
        assert rows(ledger, 'select native_id, status, "trigger" from runs order by 1') == [
            ("manual__1", "queued", "external"),
            (run["dag_run_id"], "partial", None),
        ]
        assert rows(ledger, "select name, attempt, map_index, status from steps") == [("load", 2, 0, "failed")]
        assert rows(ledger, "select name, owner, schedule, enabled from automations order by 1") == [
            ("etl", "ops", "0 0 * * *", True),
            ("other", "bob", None, False),
        ]


def test_airflow_1_10_lists_runs_that_end_without_a_time(tmp_path: Path) -> None:
    run = {
        "id": 4, "run_id": "scheduled__2026-11-17", "state": "failed", "dag_id": "etl", "execution_date": "2026-11-17T00:00:00+00:00",
        "start_date": "2026-11-18T00:00:00+00:00", "dag_run_url": "/admin/airflow/graph?dag_id=etl",
    }  # fmt: skip
    with ingested(tmp_path / "p", _written(tmp_path, runs=[run])) as ledger:
        assert rows(ledger, "select run_id, status, ended_at from runs") == [
            ("airflow:etl/scheduled__2026-11-17", "failed", None)
        ]

"""n8n against a captured night of n8n 2.40.7, packed copies of which stand in `n8n/` (see SOURCE.md there)."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support import SHARED as SHARED_FOLDER
from support import ingested, needs_shared, rows, take_in

from aftershock.adapters._n8n import unflatten
from aftershock.adapters.registry import adapters
from aftershock.ingest.containers import opened
from aftershock.ingest.recognise import recognise
from aftershock.ledger.reader import Ledger
from aftershock.model import BY_NAME

FOLDER = Path(__file__).parent / "n8n"
DATABASE = FOLDER / "database.sqlite.gz"
WITH_DATA = sorted(FOLDER.glob("final/executions_includeData.*"))
WITHOUT_DATA = sorted(FOLDER.glob("final/executions.page*"))
BY_STATUS = sorted(FOLDER.glob("final/executions_status_*"))
EDITOR = sorted(FOLDER.glob("final/rest_executions.*"))
WORKFLOWS = FOLDER / "final" / "workflows.page01.json.gz"
EVENTS = sorted(FOLDER.glob("logs/*"))
EXPORTS = [DATABASE, *sorted(FOLDER.glob("running/*")), *sorted(FOLDER.glob("final/*")), *EVENTS]
MIXED = [DATABASE, *sorted(FOLDER.glob("running/executions_*.page*")), WITH_DATA[2], EDITOR[0], *EVENTS]
FEW = [DATABASE, FOLDER / "running" / "executions_includeData.page01.json.gz", EDITOR[1], BY_STATUS[-1], EVENTS[0]]
ORDERS = """
[[records]]
entity = "order"
keys = ["order_id"]
"""

# SOURCE.md's truth table: what was really caused, by execution id.
SILENT = {45, 46, 47, 48, 49, 51, 53, 54, 55}  # success, and an item carries an error
SILENT_WITHOUT_TRACE = {20, 21, 70, 120}  # success, and nothing in the data says otherwise
FAILED = {13, 15, 17, 31, 32, 35, 36, 61, 64, 66, 71, 90, 98, 99, 117, 121}
CANCELLED = {73, 76, 79}
CRASHED = {103, 104}
NOT_SAVED = {58, 59, 60}
WAITING = {75}
RUNNING = {124, 125}
QUEUED = set(range(126, 159))
HANDLERS = {14, 16, 19, 33, 34, 37, 38, 62, 67, 72, 91, 101, 108, 109, 114, 115, 118, 122}
REPORTED = {13, 15, 17, 31, 32, 35, 36, 61, 66, 71, 90, 99, 103, 104, 117, 121}  # 31 and 35 beside their children
RETRIES = {88: 17, 89: 64, 92: 31, 90: 66}
PARENTS = {24: 23, 26: 25, 28: 27, 30: 29, 32: 31, 36: 35, 41: 40, 69: 68, 71: 70, 93: 92}
DELETED = 3

# What the API and the database both know of a run.
SHARED = """select run_id, tool, source, automation_id, automation, root_run_id, parent_run_id, role, status, status_raw, trigger,
    started_at, ended_at, duration_s, items_out, error_type, error_message, fingerprint, had_failed_step from runs"""


def every_row(ledger: Ledger, table: str, key: str) -> list[tuple[object, ...]]:
    """A table whole, but for the numbers of the writes that stored its rows."""
    columns = ", ".join(f'"{name}"' for name in BY_NAME[table].names if "write" not in name)
    return rows(ledger, f"select {columns} from {table} order by {key}")


def ids(ledger: Ledger, condition: str) -> set[int]:
    """The execution ids of the runs of which this holds."""
    return {int(str(row[0])) for row in rows(ledger, f"select native_id from runs where {condition}")}


def outcome(ledger: Ledger) -> dict[str, set[int]]:
    """Execution ids by status."""
    found = rows(ledger, "select status, list(native_id::INT) from runs group by status")
    return {str(status): set(numbers) for status, numbers in found}  # type: ignore[call-overload]


def read(file: Path) -> Any:
    """A JSON file, packed or not."""
    return json.loads(gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes())


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("database"), [DATABASE], ORDERS)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Pages with data, and the pages by status: only there does n8n list what is running."""
    return ingested(tmp_path_factory.mktemp("api"), [*WITH_DATA, *BY_STATUS])


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("everything"), MIXED)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("events"), EVENTS)


# Outcomes


def test_the_database_tells_every_outcome_of_the_night(database: Ledger) -> None:
    every = set(range(1, 159)) - {DELETED}
    rest = every - SILENT - FAILED - CANCELLED - CRASHED - NOT_SAVED - WAITING - RUNNING - QUEUED
    assert outcome(database) == {
        "succeeded": rest,
        "partial": SILENT,
        "failed": FAILED,
        "cancelled": CANCELLED,
        "crashed": CRASHED,
        "unknown": NOT_SAVED,
        "waiting": WAITING,
        "running": RUNNING,
        "queued": QUEUED,
    }


def test_a_success_that_hides_an_item_error_is_partial_by_the_step_that_caused_it(database: Ledger) -> None:
    steps = rows(database, "select run_id, name from steps where status = 'partial' order by run_id")
    names = ["Enrich lead"] * 5 + ["Save to CRM", "Register order", "Register order", "Update price"]
    assert steps == [(f"n8n:{number}", name) for number, name in zip(sorted(SILENT), names, strict=True)]


def test_a_success_that_shows_nothing_stays_a_success(database: Ledger) -> None:
    assert ids(database, "status = 'succeeded'") >= SILENT_WITHOUT_TRACE


def test_a_success_that_was_not_saved_is_no_running_run_and_a_success_where_the_event_log_says_so(
    everything: Ledger,
) -> None:
    assert ids(everything, "status = 'unknown'") == set()
    assert ids(everything, "status = 'succeeded'") >= NOT_SAVED


def test_all_files_together_agree_on_every_outcome_and_still_know_the_deleted_run(
    everything: Ledger, database: Ledger
) -> None:
    more = {
        status: found | ({DELETED} | NOT_SAVED if status == "succeeded" else set())
        for status, found in outcome(database).items()
        if status != "unknown"  # the event log knows these
    }
    assert outcome(everything) == more


def test_pages_without_data_cannot_see_item_errors_and_say_success(tmp_path: Path) -> None:
    bare = ingested(tmp_path, WITHOUT_DATA)
    assert ids(bare, "status = 'succeeded'") >= SILENT | SILENT_WITHOUT_TRACE
    assert rows(bare, "select count(*) from steps") == [(0,)]


def test_the_editors_list_tells_the_same_status_of_the_same_runs_as_the_public_api(tmp_path: Path, api: Ledger) -> None:
    query = "select run_id, status_raw, started_at, ended_at, automation_id from runs order by run_id"
    assert rows(ingested(tmp_path, EDITOR), query) == rows(api, query)


def test_a_waiting_run_has_no_end(database: Ledger) -> None:
    assert rows(database, "select ended_at, duration_s, is_finished from runs where native_id = '75'") == [
        (None, None, False)
    ]


def test_a_queued_run_is_known_by_when_it_was_queued(database: Ledger) -> None:
    queued = rows(database, "select queued_at, started_at, is_finished from runs where native_id = '126'")
    assert queued == [(datetime(2026, 11, 23, 2, 36, 50, 274000, tzinfo=UTC), None, False)]


# The API and the database are the same runs


def test_the_api_and_the_database_give_the_same_runs(api: Ledger, database: Ledger) -> None:
    later = "where native_id not in ('58', '59', '60', '158') order by run_id"  # unsaved; and started after the pages were fetched
    assert rows(api, f"{SHARED} {later}") == rows(database, f"{SHARED} {later}")
    assert ids(api, "true") == ids(database, "true") - NOT_SAVED - {158}


def test_the_api_and_the_database_give_the_same_steps(api: Ledger, database: Ledger) -> None:
    assert every_row(api, "steps", "step_id") == every_row(database, "steps", "step_id")


def test_the_api_and_the_database_give_the_same_notices(api: Ledger, database: Ledger) -> None:
    assert every_row(api, "notices", "notice_id") == every_row(database, "notices", "notice_id")


def test_workflow_definitions_are_the_same_in_the_api_and_the_database(tmp_path: Path, database: Ledger) -> None:
    query = "select automation_id, name, native_id, schedule, enabled from automations order by automation_id"
    assert rows(ingested(tmp_path, [WORKFLOWS]), query) == rows(database, query)


def test_any_order_of_the_files_gives_the_same_ledger(tmp_path: Path) -> None:
    orders = [FEW, FEW[::-1], FEW[2:] + FEW[:2]]
    ledgers = [ingested(tmp_path / str(number), order) for number, order in enumerate(orders)]
    for table, key in (("runs", "run_id"), ("steps", "step_id"), ("notices", "notice_id")):
        first, *others = (every_row(ledger, table, key) for ledger in ledgers)
        assert others == [first, first]


@pytest.mark.parametrize("direction", [1, -1])
def test_a_later_page_tells_how_a_waiting_run_went_on(tmp_path: Path, direction: int) -> None:
    files = [FOLDER / "running" / "executions_status_waiting.json", *WITHOUT_DATA, BY_STATUS[-1]][::direction]
    ledger = ingested(tmp_path, files)
    history = (
        "select native_id, status from status_history join runs using (run_id) where native_id in ('74', '75', '76')"
    )
    words = [("74", "waiting"), ("74", "succeeded"), ("75", "waiting"), ("76", "waiting"), ("76", "cancelled")]
    changed = rows(ledger, history.replace(", status", ", status_history.status") + " order by native_id, seen_at")
    assert changed == words


# Roots, parents, roles, notices


def test_a_retry_shares_the_root_of_what_it_retries(database: Ledger) -> None:
    roots = rows(database, "select native_id, root_run_id from runs where root_run_id != run_id order by native_id")
    assert roots == [(str(retry), f"n8n:{first}") for retry, first in sorted(RETRIES.items())]


def test_a_sub_workflow_run_has_the_parent_that_called_it(database: Ledger) -> None:
    found = rows(database, "select native_id::INT, parent_run_id from runs where parent_run_id is not null order by 1")
    assert found == [(child, f"n8n:{parent}") for child, parent in PARENTS.items()]


def test_the_parents_own_data_names_its_children_too(tmp_path: Path) -> None:
    records = [record for file in WITH_DATA for record in read(file)["data"] if record["mode"] != "integrated"]
    file = tmp_path / "parents.json"
    file.write_text(json.dumps({"data": records, "nextCursor": None}))
    found = rows(
        ingested(tmp_path / "p", [file]),
        "select native_id::INT, parent_run_id from runs where parent_run_id is not null order by 1",
    )
    failed_before_naming_it = {32, 36}
    assert found == [
        (child, f"n8n:{parent}") for child, parent in PARENTS.items() if child not in failed_before_naming_it
    ]


def test_error_workflow_runs_are_handlers_and_runs_by_hand_are_manual(database: Ledger) -> None:
    assert ids(database, "role = 'error_handler'") == HANDLERS
    assert ids(database, "role = 'manual'") == {97, 98}
    assert ids(database, "trigger = 'cli'") == {95, 99}


def test_every_error_workflow_run_is_a_notice_of_the_run_it_reports(database: Ledger) -> None:
    assert rows(database, "select count(*), count(distinct notice_id) from notices") == [(18, 18)]
    assert {int(str(row[0]).removeprefix("n8n:")) for row in rows(database, "select run_id from notices")} == REPORTED


def test_a_notice_says_when_and_by_which_system_it_went_out(database: Ledger) -> None:
    notice = rows(database, "select kind, channel, sent_at, joined_by from notices where run_id = 'n8n:13'")
    assert notice == [("error workflow", "127.0.0.1:18080", datetime(2026, 11, 23, 2, 27, 8, 80000, tzinfo=UTC), "id")]


@needs_shared
def test_the_notices_are_the_alerts_that_the_called_system_received(database: Ledger) -> None:
    log = (SHARED_FOLDER / "captures" / "n8n" / "raw" / "backend_requests.jsonl").read_text(encoding="utf-8")
    requests = [json.loads(line) for line in log.splitlines()]
    received = [one for one in requests if one["path"] == "/alerts"]
    sent = rows(database, "select run_id, title, sent_at from notices order by sent_at")
    expected = [
        (f"n8n:{one['body']['execution']}", f"{one['body']['workflow']}: {one['body']['error']}") for one in received
    ]
    assert [row[:2] for row in sent] == expected
    for row, one in zip(sent, received, strict=True):
        assert isinstance(row[2], datetime)
        assert 0 <= (row[2] - datetime.fromisoformat(one["ts"])).total_seconds() < 1


def test_a_crash_was_alerted_again_at_the_next_start(database: Ledger) -> None:
    assert rows(
        database, "select run_id, count(*) from notices group by run_id having count(*) > 1 order by run_id"
    ) == [
        ("n8n:103", 2),
        ("n8n:104", 2),
    ]


# Golden rows


def test_a_failed_run_keeps_its_error_version_and_times(database: Ledger) -> None:
    columns = """automation, role, status, status_raw, trigger, queued_at, started_at, ended_at, duration_s, items_out, version, error_type,
        error_message, had_failed_step, tz_assumed"""
    assert rows(database, f"select {columns} from runs where run_id = 'n8n:13'") == [
        (
            "acme / CRM sync",
            "work",
            "failed",
            "error",
            "webhook",
            datetime(2026, 11, 23, 2, 27, 4, 957000, tzinfo=UTC),
            datetime(2026, 11, 23, 2, 27, 4, 960000, tzinfo=UTC),
            datetime(2026, 11, 23, 2, 27, 8, 8000, tzinfo=UTC),
            3.048,
            None,
            "e87d45a7-8ef7-46cd-af8f-ffb04e95e5be",
            "NodeApiError",
            "The service was not able to process your request",
            True,
            False,
        )
    ]


def test_steps_tell_system_items_times_and_the_error_of_one_item_in_three(database: Ledger) -> None:
    columns = (
        "name, kind, system, map_index, status, status_raw, duration_s, items_in, items_out, error_type, error_message"
    )
    message = (
        '500 - "{\\"error\\": \\"internal_error\\", \\"message\\": \\"deadlock detected while upserting record\\"}"'
    )
    assert rows(database, f"select {columns} from steps where run_id = 'n8n:55' order by started_at") == [
        ("Webhook", "n8n-nodes-base.webhook", None, 0, "succeeded", "success", 0.001, None, 1, None, None),
        ("Split", "n8n-nodes-base.code", None, 0, "succeeded", "success", 0.056, 1, 3, None, None),
        (
            "Update price",
            "n8n-nodes-base.httpRequest",
            "127.0.0.1:18080",
            0,
            "partial",
            "success",
            0.111,
            3,
            3,
            "AxiosError",
            message,
        ),
    ]


def test_a_success_counts_the_items_of_its_last_node(database: Ledger) -> None:
    assert rows(
        database, "select native_id, items_out from runs where native_id in ('21', '29', '120') order by 1"
    ) == [
        ("120", 0),
        ("21", 0),
        ("29", 3),
    ]


def test_a_run_touches_the_orders_that_started_it_and_a_step_those_it_put_out(database: Ledger) -> None:
    query = "select step_id, operation, system from touches where run_id = 'n8n:11' and entity_key = 'ACME-4007' order by 1 nulls first"
    assert rows(database, query) == [
        (None, "unknown", "n8n"),
        ("n8n:11/Check result", "unknown", "n8n"),
        ("n8n:11/Upsert contact", "create", "127.0.0.1:18080"),
        ("n8n:11/Webhook", "unknown", "n8n"),
    ]


def test_a_step_does_not_touch_the_record_of_an_item_that_failed(database: Ledger) -> None:
    assert rows(database, "select count(*) from touches where step_id = 'n8n:53/Register order'") == [(0,)]


def test_schedules_are_cron_and_an_inactive_workflow_is_not_enabled(database: Ledger) -> None:
    scheduled = rows(database, "select name, schedule from automations where schedule is not null order by name")
    assert scheduled == [
        ("acme / Nightly digest", "*/20 * * * * *"),
        ("globex / Stock sync (every minute)", "0 8 31 11 *"),
    ]
    assert rows(database, "select name from automations where not enabled") == [
        ("globex / Backfill invoices (manual)",)
    ]


# What is an item error, and what only looks like one


def node(items: Sequence[Any], *, source: str | None = "Webhook", at: int = 0, **more: Any) -> dict[str, Any]:
    """A node's run that put out these items' JSON on its first branch."""
    inputs = [{"previousNode": source}] if source else []
    data = {"main": [[{"json": item, "pairedItem": {"item": 0}} for item in items]]}
    return {
        "startTime": 1795400000000 + at,
        "executionTime": 5,
        "executionStatus": "success",
        "source": inputs,
        "data": data,
    } | more


WEBHOOK = node([{"a": 1}], source=None)
ALERT = {"execution": {"id": "failing item 0", "error": {"message": "boom"}}}
BROUGHT = {"error": "disk full", "host": "web-1"}
FAILED_ITEM = {"json": {"order_id": "A-1", "error": {"message": "boom"}}}
WITH_ERROR: list[tuple[Any, str]] = [
    ({"error": {"message": "timeout of 4000ms exceeded", "name": "AxiosError"}}, "timeout of 4000ms exceeded"),
    ({"error": "Invalid JSON in response body"}, "Invalid JSON in response body"),
    ({"order_id": "A-1", "error": {"message": "boom"}}, "boom"),
    ({"error": True, "message": "not found"}, "not found"),
    ({"error": {"code": 17}}, '{"code":17}'),
]
NO_ERROR: list[Any] = [None, False, "", " ", "false", "none", 0, {}, []]
URLS = [
    ("https://api.hubapi.com/crm/v3/objects", "api.hubapi.com"),
    ("=https://Api.Stripe.com/v1/{{ $json.id }}", "api.stripe.com"),
    ("https://user:secret@erp.example:8443/x", "erp.example:8443"),
    ("={{ $json.url }}", None),
    ("=https://{{ $json.tenant }}.example/x", None),
]
MADE: dict[str, dict[str, list[dict[str, Any]]]] = {
    **{
        f"failing item {n}": {"Webhook": [WEBHOOK], "Call": [node([{"a": 1}, item])]}
        for n, (item, _) in enumerate(WITH_ERROR)
    },
    **{f"no error {n}": {"Webhook": [WEBHOOK], "Call": [node([{"error": word}])]} for n, word in enumerate(NO_ERROR)},
    **{f"url {n}": {"Webhook": [WEBHOOK], f"Call {n}": [node([{"a": 1}])]} for n in range(len(URLS))},
    "brought": {
        "Webhook": [node([BROUGHT], source=None)],
        "Set": [node([BROUGHT])],
        "Next": [node([BROUGHT], source="Set", at=9)],
    },
    "error output": {
        "Webhook": [WEBHOOK],
        "Call": [node([], data={"main": [[], [FAILED_ITEM]]})],
        "Ignore": [node([FAILED_ITEM["json"]], source="Call", at=9)],
    },
    "beside json": {
        "Webhook": [WEBHOOK],
        "Tool": [node([], data={"ai_tool": [[{"json": {"a": 1}, "error": {"message": "no quota"}}]]})],
    },
    "told to go on": {
        "Webhook": [WEBHOOK],
        "Call": [node([{"a": 1}], executionStatus="error", error={"name": "NodeOperationError", "message": "boom"})],
    },
    "loop": {
        "Webhook": [WEBHOOK],
        "Loop": [
            node([{"n": 0}], at=1),
            node([{"n": 1}], source="Call", at=3),
            node([{"n": 2}], source="Call", at=5),
            node([{"error": "boom"}, {"n": 1}, {"error": "boom"}], source="Call", at=7),
        ],
        "Call": [
            node([{"error": "boom"}], source="Loop", at=2),
            node([{"n": 1}], source="Loop", at=4),
            node([{"error": "boom"}], source="Loop", at=6),
        ],
        "Done": [node([{"error": "boom"}], source="Loop", at=8)],
    },
    "refused alert": {
        "Error Trigger": [node([ALERT], source=None)],
        "Post": [node([{"error": "refused"}], source="Error Trigger")],
    },
    "posted alert": {
        "Error Trigger": [node([ALERT], source=None)],
        "Post": [node([{"ok": True}], source="Error Trigger")],
    },
    "app": {"Webhook": [WEBHOOK], "Sheet": [node([{"order_id": "A-1"}])]},
}
NODES = [
    {"name": "Sheet", "type": "n8n-nodes-base.googleSheets", "parameters": {"operation": "append"}},
    *(
        {"name": f"Call {n}", "type": "n8n-nodes-base.httpRequest", "parameters": {"url": url}}
        for n, (url, _) in enumerate(URLS)
    ),
]


def execution(name: str, run_data: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """A successful execution as the public API gives it, with data."""
    return {
        "id": name,
        "finished": True,
        "mode": "error" if "alert" in name else "webhook",
        "status": "success",
        "startedAt": "2026-11-23T02:27:04.961Z",
        "stoppedAt": "2026-11-23T02:27:08.006Z",
        "workflowId": "w1",
        "workflowData": {"id": "w1", "name": "One", "nodes": NODES},
        "data": {"resultData": {"runData": run_data, "lastNodeExecuted": list(run_data)[-1]}},
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """The executions of `MADE`, a line each."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "executions.jsonl").write_text("\n".join(json.dumps(execution(*case)) for case in MADE.items()))
    return ingested(folder / "project", [folder / "executions.jsonl"], ORDERS)


def charged(ledger: Ledger, name: str) -> tuple[object, list[tuple[object, ...]]]:
    """The status of a run, and which steps bear an error: name, map index, message."""
    run = rows(ledger, f"select status from runs where native_id = '{name}'")[0][0]
    steps = (
        f"select name, map_index, error_message from steps where run_id = 'n8n:{name}' and error_message is not null"
    )
    return run, rows(ledger, f"{steps} order by started_at")


@pytest.mark.parametrize("n", range(len(WITH_ERROR)))
def test_an_item_that_carries_an_error_makes_its_step_and_run_partial(made: Ledger, n: int) -> None:
    assert charged(made, f"failing item {n}") == ("partial", [("Call", 0, WITH_ERROR[n][1])])


@pytest.mark.parametrize("n", range(len(NO_ERROR)))
def test_an_error_field_that_says_there_is_none_is_no_error(made: Ledger, n: int) -> None:
    assert charged(made, f"no error {n}") == ("succeeded", [])


def test_an_error_that_a_trigger_brought_and_nodes_passed_on_is_no_failure_of_theirs(made: Ledger) -> None:
    assert charged(made, "brought") == ("succeeded", [])


def test_an_error_output_is_charged_to_the_node_it_left_and_not_to_those_behind(made: Ledger) -> None:
    assert charged(made, "error output") == ("partial", [("Call", 0, "boom")])


def test_an_error_beside_the_json_of_an_item_counts_too(made: Ledger) -> None:
    assert charged(made, "beside json") == ("partial", [("Tool", 0, "no quota")])


def test_a_node_that_failed_and_was_told_to_go_on_makes_the_run_partial(made: Ledger) -> None:
    assert charged(made, "told to go on") == ("partial", [("Call", 0, "boom")])


def test_only_the_failing_rounds_of_a_loop_are_charged(made: Ledger) -> None:
    assert charged(made, "loop") == ("partial", [("Call", 0, "boom"), ("Call", 2, "boom")])


def test_an_alert_that_could_not_be_posted_is_no_notice(made: Ledger) -> None:
    assert charged(made, "refused alert") == ("partial", [("Post", 0, "refused")])
    assert rows(made, "select run_id, notice_id like '%posted alert%' from notices") == [("n8n:failing item 0", True)]


@pytest.mark.parametrize("n", range(len(URLS)))
def test_the_system_of_a_request_is_the_host_that_stands_in_its_address(made: Ledger, n: int) -> None:
    assert rows(made, f"select system from steps where name = 'Call {n}'") == [(URLS[n][1],)]


def test_the_system_of_an_apps_node_is_the_app(made: Ledger) -> None:
    touched = rows(made, "select operation, system, entity_key from touches where step_id = 'n8n:app/Sheet'")
    assert touched == [("create", "googleSheets", "A-1")]


# The event log


def test_the_event_log_alone_tells_how_runs_ended(events: Ledger) -> None:
    assert ids(events, "status = 'failed'") == FAILED - {99}  # its command line process kept no event log
    assert ids(events, "status = 'cancelled'") == CANCELLED
    assert ids(events, "status = 'queued'") == QUEUED
    assert ids(events, "status = 'waiting'") == WAITING
    assert ids(events, "status = 'running'") == RUNNING | CRASHED | {
        102
    }  # resumed after a restart, which it does not say


def test_the_event_log_gives_way_to_the_tools_own_record(everything: Ledger, events: Ledger) -> None:
    assert ids(events, "status = 'succeeded'") >= SILENT | NOT_SAVED
    assert ids(everything, "status = 'crashed'") == CRASHED


def test_publishing_and_unpublishing_are_changes(events: Ledger) -> None:
    assert rows(events, "select kind, count(*) from changes group by kind order by kind") == [
        ("activated", 18),
        ("deactivated", 1),
        ("updated", 1),
    ]


def test_event_lines_that_tell_of_no_run_are_set_aside_with_the_reason(events: Ledger) -> None:
    assert rows(events, "select reason, count(*) from set_aside group by reason order by reason") == [
        ("confirmation", 1163),
        ("event inside a run", 740),
        ("not about a run", 5),
    ]


# Recognition and damage


@pytest.mark.parametrize("file", EXPORTS, ids=lambda file: str(file.relative_to(FOLDER)))
def test_exactly_one_adapter_claims_each_file(file: Path) -> None:
    with opened(file) as inside:
        verdicts = [
            recognise(found.samples, adapters().values()) for found in inside if not isinstance(found, Exception)
        ]
    wanted = "n8n_database" if file == DATABASE else "n8n_events" if file in EVENTS else "n8n"
    assert [verdict.claim and verdict.claim.adapter.name for verdict in verdicts] == [wanted], verdicts


def test_logs_that_lie_beside_the_executions_are_claimed_by_nobody(tmp_path: Path) -> None:
    result = take_in(tmp_path, sorted(FOLDER.glob("not_ours/*")))
    assert [file.outcome for file in result.files] == ["unknown", "unknown"]


def test_an_empty_page_is_n8ns_and_holds_nothing(tmp_path: Path) -> None:
    result = take_in(
        tmp_path,
        [FOLDER / "final" / "executions_status_unknown.json", FOLDER / "running" / "rest_executions.page02.json"],
    )
    assert [(file.adapter, file.outcome, file.records_read) for file in result.files] == [("n8n", "taken", 0)] * 2


def test_no_status_word_of_the_capture_is_unknown_to_us(everything: Ledger) -> None:
    assert rows(everything, "select distinct status_raw from runs where status = 'unknown'") == []


def test_an_execution_whose_data_is_damaged_is_still_a_run_and_the_damage_a_reject(tmp_path: Path) -> None:
    file = tmp_path / "database.sqlite"
    file.write_bytes(gzip.decompress(DATABASE.read_bytes()))
    with sqlite3.connect(file) as connection:
        connection.execute('update execution_data set data = \'[{"resultData":"99"}]\' where executionId = 55')
    connection.close()
    ledger = ingested(tmp_path / "p", [file])
    assert rows(ledger, "select status from runs where native_id = '55'") == [("succeeded",)]
    assert rows(ledger, "select field, reason from rejects") == [
        ("data", "its data cannot be read: list index out of range")
    ]


def test_flatted_text_unfolds_and_what_contains_itself_is_cut() -> None:
    assert unflatten('[{"a":"1","n":7,"me":"0"},["2","2"],"x"]') == {"a": ["x", "x"], "n": 7, "me": None}


@pytest.mark.parametrize(
    "text", ["{}", "[]", "7", '[{"a":"5"}]', "not json", json.dumps([[str(n + 1)] for n in range(5000)] + ["x"])]
)
def test_text_that_is_not_flatted_or_nested_without_end_is_refused(text: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        unflatten(text)


OLD = {"id": "231", "finished": True, "mode": "webhook", "startedAt": "2026-11-20T06:00:00.000Z",
       "stoppedAt": "2026-11-20T06:00:02.000Z", "workflowId": "15", "waitTill": None}  # fmt: skip


def test_executions_without_a_status_tell_it_by_whether_they_finished(tmp_path: Path) -> None:
    told = [OLD, {**OLD, "id": 232, "finished": False}, {**OLD, "id": 233, "finished": False, "stoppedAt": None},
            {**OLD, "id": 234, "finished": False, "waitTill": "2026-11-21T00:00:00.000Z"}]  # fmt: skip
    page, editor = tmp_path / "page.json", tmp_path / "editor.json"
    page.write_text(json.dumps({"data": told, "nextCursor": None}))
    editor.write_text(
        json.dumps({"data": {"count": 1, "estimated": False, "results": [{**OLD, "id": 235, "workflowName": "x"}]}})
    )
    with ingested(tmp_path / "p", [page, editor]) as ledger:
        assert rows(ledger, "select native_id, status, ended_at is null from runs order by 1") == [
            ("231", "succeeded", False), ("232", "failed", False), ("233", "running", True), ("234", "waiting", True), ("235", "succeeded", False),
        ]  # fmt: skip


FLATTED = [{"resultData": "1"}, {"runData": "2", "lastNodeExecuted": "3"}, {"Hook": "4"}, "Hook", ["5"],
           {"startTime": 1795154400000, "executionTime": 5, "executionStatus": "6", "data": "7"}, "success", {"main": "8"},
           ["9"], ["10"], {"json": "11"}, {"order": "12"}, "ORD-9"]  # fmt: skip


def test_one_execution_as_the_editor_gets_it_tells_its_steps_and_a_damaged_one_is_still_a_run(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.json" for number in range(3)]
    whole = {**OLD, "status": "success", "data": json.dumps(FLATTED), "workflowData": {"name": "Orders", "nodes": []}}
    files[0].write_text(json.dumps({"data": whole}))
    files[1].write_text(json.dumps({**whole, "id": "232", "workflowData": json.dumps(whole["workflowData"])}))
    files[2].write_text(json.dumps({"data": {**whole, "id": "233", "data": '[{"a":"5"}]'}}))
    assert [(file.mapped, file.rejects) for file in take_in(tmp_path / "p", files).files] == [(1, 0), (1, 0), (1, 1)]
    with ingested(tmp_path / "q", files) as ledger:
        assert rows(ledger, "select run_id, name, items_out from steps order by 1") == [
            ("n8n:231", "Hook", 1),
            ("n8n:232", "Hook", 1),
        ]
        assert rows(ledger, "select distinct automation_id is not null, status from runs") == [(True, "succeeded")]


def test_a_database_of_before_1_0_keeps_the_data_beside_the_execution(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "database.sqlite") as old:
        old.execute("""create table execution_entity (id integer primary key, data text, finished boolean, mode varchar, "retryOf" varchar,
            "startedAt" datetime, "stoppedAt" datetime, "workflowData" text, "workflowId" varchar, "waitTill" datetime)""")
        old.execute(
            "create table workflow_entity (id integer primary key, name varchar, active boolean, nodes text, connections text)"
        )
        old.execute("insert into workflow_entity values (15, 'Orders', 1, '[]', '{}')")
        old.execute(
            "insert into execution_entity values (7, ?, 0, 'trigger', null, '2022-01-02 03:04:05.000', '2022-01-02 03:04:06.000', ?, '15', null)",
            (json.dumps(FLATTED), json.dumps({"name": "Orders", "nodes": []})),
        )
    with ingested(tmp_path / "p", [tmp_path / "database.sqlite"]) as ledger:
        assert rows(ledger, "select run_id, status, started_at::VARCHAR from runs") == [
            ("n8n:7", "failed", "2022-01-02 03:04:05+00")
        ]
        assert rows(ledger, "select name, status from steps") == [("Hook", "succeeded")]


def test_an_execution_that_begins_with_long_data_is_known_by_them(tmp_path: Path) -> None:
    items = [{"json": {"text": "x" * 500, "n": n}} for n in range(200)]
    data = {
        "resultData": {
            "lastNodeExecuted": "Hook",
            "runData": {
                "Hook": [{"startTime": 1795154400000, "executionTime": 5, "source": [], "data": {"main": [items]}}]
            },
        }
    }
    long = {"id": "231", "data": data, **OLD}
    files = [tmp_path / "page.json", tmp_path / "single.json"]
    for file, value in zip(files, ({"data": [long], "nextCursor": None}, {**long, "id": "232"}), strict=True):
        file.write_text(json.dumps(value))
    with ingested(tmp_path / "p", files) as ledger:
        assert rows(ledger, "select run_id, status, items_out from runs order by 1") == [
            ("n8n:231", "succeeded", 200),
            ("n8n:232", "succeeded", 200),
        ]

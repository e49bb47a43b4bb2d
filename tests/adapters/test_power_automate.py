"""Power Automate and Logic Apps against runs that pnp's command line keeps in its tests (in ../shared) and samples in their form."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

import aftershock
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "power_automate"
FILES = sorted(file for file in FOLDER.iterdir() if file.suffix in (".json", ".csv"))
VENDOR = SHARED / "samples" / "power_automate"
SIGNATURE = "EXAMPLE-SIGNATURE"
RECORDS = """
[[records]]
entity = "order"
pattern = 'O-7\\d{3}'
"""


def name_of(number: int) -> str:
    return f"0858665353676{number:04d}00319026785874CU62"


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Every sample."""
    return ingested(tmp_path_factory.mktemp("tenant"), FILES, RECORDS)


def one(ledger: Ledger, number: int, columns: str) -> tuple[object, ...]:
    [found] = rows(ledger, f"select {columns} from runs where native_id = '{name_of(number)}'")
    return found


def test_every_word_of_the_vendors_list(tenant: Ledger) -> None:
    found = {int(str(name)[13:17]): status for name, status in rows(tenant, "select native_id, status from runs")}
    assert [found[number] for number in range(2, 14)] == [
        "failed",
        "failed",
        "crashed",
        "timed_out",
        "cancelled",
        "skipped",
        "skipped",
        "running",
        "waiting",
        "waiting",
        "waiting",
        "unknown",
    ]


def test_a_running_run_has_no_end_whether_it_says_none_or_one(tenant: Ledger) -> None:
    assert one(tenant, 22, "status, ended_at, duration_s") == ("running", None, None)
    assert one(tenant, 23, "status, ended_at, duration_s") == ("running", None, None)


def test_a_resubmitted_run_is_a_retry_of_the_run_with_its_tracking_id_and_a_test_is_a_test(tenant: Ledger) -> None:
    assert one(tenant, 20, "role, root_run_id") == ("work", f"power_automate:{name_of(2)}")
    assert one(tenant, 21, "role, root_run_id") == ("test", f"power_automate:{name_of(21)}")


def test_a_success_whose_action_failed_is_partial_and_its_actions_are_steps_with_their_tries(tenant: Ledger) -> None:
    assert one(tenant, 30, "status, had_failed_step, error_message") == ("partial", True, "Bad gateway")
    found = rows(
        tenant,
        f"select step_key, attempt, status, error_type from steps where run_id = 'power_automate:{name_of(30)}' order by all",
    )
    assert found == [
        ("Create_invoice", 1, "failed", "BadGateway"),
        ("Create_invoice", 2, "failed", "502"),
        ("Get_items", 1, "succeeded", None),
        ("Otherwise", 1, "skipped", None),
        ("Send_mail_on_failure", 1, "succeeded", None),
    ]
    assert rows(tenant, "select entity_key from touches where step_id like '%Get_items'") == [("O-7001",)]


def test_a_map_of_actions_belongs_to_the_run_that_its_links_name(tenant: Ledger) -> None:
    assert one(tenant, 1, "status, error_type") == ("partial", "NotFound")
    found = rows(tenant, f"select step_key, status from steps where run_id = 'power_automate:{name_of(1)}' order by 1")
    assert found == [("Compose", "succeeded"), ("Get_items", "failed")]


def test_logic_apps_give_runs_actions_and_the_turns_of_a_loop(tenant: Ledger) -> None:
    run = "power_automate:08586676746934337772206998657CU22"
    assert rows(tenant, f"select automation_id, version, status, \"trigger\" from runs where run_id = '{run}'") == [
        ("power_automate:billing/nightly", "08586676754160363885", "partial", "Recurrence")
    ]
    assert rows(tenant, f"select step_key, map_index, status from steps where run_id = '{run}' order by all") == [
        ("For_each", 0, "succeeded"),
        ("HTTP", 0, "succeeded"),
        ("HTTP repetition", 0, "succeeded"),
        ("HTTP repetition", 1, "failed"),
    ]


def test_flows_have_names_and_states(tenant: Ledger) -> None:
    found = rows(
        tenant, "select name, enabled from automations where schedule is null and name not like '%/%' order by 1"
    )
    assert found == [("Invoices from SharePoint", True), ("Orders", False)]
    assert one(tenant, 40, "automation") == ("Invoices from SharePoint",)  # PowerShell's wrapping


def test_the_dataverse_table_knows_parents_and_starts_that_are_only_dates(tenant: Ledger) -> None:
    assert one(tenant, 61, "status, error_type, error_message, parent_run_id") == (
        "failed",
        "InvalidTemplate",
        "O-7002 has no price",
        f"power_automate:{name_of(60)}",
    )
    assert one(tenant, 60, 'status, "trigger", duration_s') == ("succeeded", "Automated", 20.0)
    assert one(tenant, 62, "status, started_at::varchar, duration_s") == ("cancelled", "2026-11-02 18:10:00+00", 30.0)
    assert one(tenant, 63, "status, ended_at") == ("running", None)


def test_an_exported_table_has_the_same_runs_with_times_of_the_users_zone(tenant: Ledger) -> None:
    assert one(tenant, 70, "status, automation, started_at::varchar, tz_assumed") == (
        "succeeded",
        "Orders",
        "2026-11-03 09:00:00+00",
        True,
    )
    assert one(tenant, 71, "status, error_message") == ("failed", "An action failed, twice")


def test_no_signature_is_kept_anywhere(tmp_path: Path) -> None:
    page = json.loads((FOLDER / "runs.json").read_text())
    page["value"].append({**page["value"][0], "name": "", "id": ""})  # a reject
    del page["value"][0]["properties"]["status"]
    file = tmp_path / "runs.json"
    file.write_text(json.dumps(page) + json.dumps({"value": [{"odd": page["value"][0]["properties"]["trigger"]}]}))
    ledger = ingested(tmp_path / "p", [file], RECORDS)
    assert rows(ledger, "select count(*) from rejects")[0][0] == 2
    [(message,)] = rows(ledger, f"select error_message from runs where native_id = '{name_of(2)}'")
    assert "sig=[redacted]" in str(message)
    kept = [one for one in (tmp_path / "p").rglob("*") if one.is_file() and SIGNATURE.encode() in one.read_bytes()]
    assert kept == []


def test_any_order_of_the_files_gives_the_same_ledger(tenant: Ledger, tmp_path: Path) -> None:
    files = random.Random(3).sample(FILES, len(FILES))  # noqa: S311  a shuffle, no secret
    with ingested(tmp_path, files, RECORDS) as ledger:
        for table, by in (("runs", "run_id"), ("steps", "step_id")):
            query = f"select * from {table} order by {by}"
            assert rows(ledger, query) == rows(tenant, query)


def test_actions_that_name_no_run_are_a_reject(tmp_path: Path) -> None:
    actions = json.loads((FOLDER / "actions.json").read_text())
    for action in actions.values():
        del action["inputsLink"], action["outputsLink"]
    file = tmp_path / "actions.json"
    file.write_text(json.dumps(actions))
    result = take_in(tmp_path / "p", [file])
    assert (result.mapped, result.rejects) == (0, 1)


def test_fired_triggers_are_no_runs(tmp_path: Path) -> None:
    [file] = take_in(tmp_path, [FOLDER / "not_ours" / "trigger_histories.json"]).files
    assert file.outcome == "unknown"


@needs_shared
def test_the_vendors_runs(tmp_path: Path) -> None:
    result = take_in(tmp_path, sorted(VENDOR.glob("*.json")))
    assert [(file.outcome, file.mapped, file.rejects) for file in result.files] == [
        ("taken", 1, 0),
        ("taken", 1, 0),
        ("taken", 1, 0),
        ("taken", 2, 0),
        ("taken", 1, 0),
    ]
    with aftershock.open(tmp_path) as ledger:
        # `name` names the run, though the id of the one that runs ends with another's.
        found = rows(ledger, "select native_id, status, role, ended_at is null from runs order by 1")
        assert found == [
            ("08586652586741142222645090602CU35", "unknown", "work", True),  # known only by its actions
            ("08586653536760200319026785874CU62", "running", "test", True),
            ("08586653539691313445320015404CU49", "succeeded", "work", False),
            ("08586676746934337772206998657CU22", "succeeded", "work", False),
        ]
        assert rows(ledger, "select step_key, status from steps order by 1") == [
            ("Compose", "succeeded"),
            ("Get_items", "succeeded"),
        ]

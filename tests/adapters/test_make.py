"""Make against the fixtures of its own SDK (in ../shared) and samples in their form."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

import aftershock
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "make"
FILES = sorted(file for file in FOLDER.iterdir() if file.suffix in (".json", ".jsonl"))
VENDOR = SHARED / "samples" / "make"
EXECUTION = {n: f"{n * 8}4b1f4c0d9f0e5a6b{at:08x}" for at, n in enumerate("1234567890")}
RECORDS = """
[[records]]
entity = "invoice"
pattern = 'R-\\d+'
"""


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Every sample."""
    return ingested(tmp_path_factory.mktemp("account"), FILES, RECORDS)


def test_every_status_of_a_log_means_what_make_says(account: Ledger) -> None:
    found = dict(rows(account, "select native_id, status from runs"))
    assert {n: found[EXECUTION[n]] for n in "12345689"} == {
        "1": "succeeded",
        "2": "partial",
        "3": "failed",
        "4": "running",
        "5": "succeeded",
        "6": "succeeded",
        "8": "succeeded",
        "9": "succeeded",
    }


def test_the_scenario_stands_in_the_imt_id_and_its_name_in_the_list(account: Ledger) -> None:
    found = rows(account, "select automation_id, name, owner, schedule, enabled from automations order by 1")
    assert found == [
        ("make:1229", "Invoices to the books", "R. Lee", "indefinitely every 900 s", True),
        ("make:1230", "Leads", "R. Lee", "immediately", False),
    ]
    assert rows(account, f"select automation from runs where native_id = '{EXECUTION['1']}'") == [
        ("Invoices to the books",)
    ]


def test_the_end_is_start_and_duration_and_a_running_one_has_none(account: Ledger) -> None:
    ids = f"'{EXECUTION['1']}', '{EXECUTION['4']}'"
    assert rows(account, f"select started_at::varchar, ended_at::varchar, duration_s from runs where native_id in ({ids}) order by 1") == [
        ("2026-11-02 08:00:00.12+00", "2026-11-02 08:00:04.32+00", 4.2),
        ("2026-11-02 08:45:00.12+00", None, None),
    ]  # fmt: skip


def test_run_once_is_manual_and_the_tries_to_complete_a_run_are_work(account: Ledger) -> None:
    found = rows(account, 'select native_id, role, "trigger" from runs where "trigger" <> \'auto\' order by 1')
    assert found == [
        (EXECUTION["5"], "manual", "manual"),
        (EXECUTION["6"], "work", "auto/instant"),
        (EXECUTION["9"], "work", "manual"),
    ]


def test_an_incomplete_execution_tells_why_its_run_failed_whether_its_id_has_dashes_or_not(account: Ledger) -> None:
    found = rows(account, f"select status, error_type, error_message from runs where native_id = '{EXECUTION['3']}'")
    assert found == [("failed", "DataError", "R-2003 is closed")]


def test_tries_to_complete_a_run_are_one_chain_and_carry_the_id_of_the_incomplete_execution(account: Ledger) -> None:
    found = rows(
        account,
        """select native_id, correlation_id, root_run_id from runs
        where correlation_id = 'ada87173334b44d1907270064edbd7dd' order by started_at""",
    )
    chain = "make:dlq.ada87173334b44d1907270064edbd7dd"
    assert [(native, root) for native, _, root in found] == [
        (EXECUTION["3"], f"make:{EXECUTION['3']}"),
        (EXECUTION["0"], chain),
        (EXECUTION["9"], chain),
    ]


def test_a_run_known_only_as_an_incomplete_execution_has_failed(account: Ledger) -> None:
    assert rows(account, "select status, status_raw, error_message from runs where native_id like '0f0f%'") == [
        ("failed", "incomplete", "gone")
    ]


def test_a_list_of_incomplete_executions_without_executions_is_set_aside(tmp_path: Path) -> None:
    [file] = take_in(tmp_path, [FOLDER / "dlqs.json"]).files
    assert (file.mapped, file.set_aside, file.rejects) == (1, 1, 0)


def test_a_detail_belongs_to_the_execution_that_its_file_is_named_after(account: Ledger, tmp_path: Path) -> None:
    assert rows(account, "select entity_key from touches where run_id = 'make:" + EXECUTION["1"] + "'") == [("R-2001",)]
    assert rows(account, "select run_id, name, system, status, error_message from steps") == [
        (f"make:{EXECUTION['3']}", "Create an invoice", "xero", "failed", "R-2003 is closed")
    ]
    nameless = tmp_path / "detail.json"
    nameless.write_text((FOLDER / f"{EXECUTION['3']}.json").read_text())
    assert take_in(tmp_path / "p", [nameless]).rejects == 1


@pytest.mark.parametrize(
    ("word", "status"), [("RUNNING", "running"), ("SUCCESS", "succeeded"), ("WARNING", "partial"), ("ERROR", "failed")]
)
def test_the_words_of_a_detail(word: str, status: str, tmp_path: Path) -> None:
    file = tmp_path / f"{EXECUTION['1']}.json"
    file.write_text(json.dumps({"status": word, "outputs": {}}))
    assert rows(ingested(tmp_path / "p", [file]), "select status from runs") == [(status,)]


def test_what_is_no_execution_is_a_change_of_the_scenario(account: Ledger) -> None:
    found = rows(account, 'select automation_id, "at"::varchar, "by", kind from changes order by 1, 2')
    assert found == [
        ("make:1229", "2026-10-13 13:27:45.109+00", "S. Moss", "edited"),
        ("make:1229", "2026-11-02 08:57:00.12+00", "5", "modify"),
        ("make:1230", "2026-10-13 13:27:45.109+00", "S. Moss", "edited"),
    ]


def test_any_order_of_the_files_gives_the_same_ledger(account: Ledger, tmp_path: Path) -> None:
    files = random.Random(2).sample(FILES, len(FILES))  # noqa: S311  a shuffle, no secret
    with ingested(tmp_path, files, RECORDS) as ledger:
        for table, by in (("runs", "run_id"), ("steps", "step_id")):
            query = f"select * from {table} order by {by}"
            assert rows(ledger, query) == rows(account, query)


def test_a_page_that_breaks_off_keeps_its_whole_records(tmp_path: Path) -> None:
    text = (FOLDER / "scenario_logs.json").read_text()
    cut = tmp_path / "cut.json"
    cut.write_text(text[: int(len(text) * 0.6)])
    [file] = take_in(tmp_path / "p", [cut]).files
    assert file.mapped >= 3
    assert file.rejects == 1


def test_a_bundle_is_claimed_by_nobody(tmp_path: Path) -> None:
    [file] = take_in(tmp_path, [FOLDER / "not_ours" / "bundle.json"]).files
    assert file.outcome == "unknown"


def test_the_status_of_a_run_seen_pending_and_then_ended_is_the_last_in_either_order(tmp_path: Path) -> None:
    ended = json.loads((FOLDER / "scenario_log.json").read_text())
    early, late = tmp_path / "early.json", tmp_path / "late.json"
    late.write_text(json.dumps(ended))
    ended["scenarioLog"].update(status=0, duration=0)
    early.write_text(json.dumps(ended))
    for number, files in enumerate(([early, late], [late, early])):
        assert rows(ingested(tmp_path / str(number), files), "select status, duration_s from runs") == [
            ("succeeded", 4.2)
        ]


@needs_shared
def test_the_vendors_fixtures(tmp_path: Path) -> None:
    result = take_in(tmp_path, sorted(VENDOR.glob("*.json")))
    assert {Path(file.path).name: (file.outcome, file.mapped, file.set_aside, file.rejects) for file in result.files} == {
        "executions-list.json": ("taken", 1, 0, 0),
        "executions-get.json": ("taken", 1, 0, 0),
        "executions-get-detail.json": ("taken", 0, 0, 1),  # it names no execution, nor does its file
        "executions-dlq-list.json": ("taken", 2, 0, 0),
        "executions-dlq-get.json": ("taken", 1, 0, 0),
        "incomplete-executions-list.json": ("taken", 0, 2, 0),
        "incomplete-executions-get.json": ("taken", 1, 0, 0),
        "incomplete-executions-bundle.json": ("unknown", 0, 0, 0),
        "scenarios-list.json": ("taken", 2, 0, 0),
    }  # fmt: skip
    with aftershock.open(tmp_path) as ledger:
        assert rows(ledger, "select native_id, automation, status from runs where native_id like '55602700%'") == [
            ("55602700e84045bfb18c0aef214dd967", "DLQS test", "failed")
        ]
        assert rows(ledger, "select duration_s, ended_at::varchar from runs where native_id like 'da518adc%'") == [
            (19.979, "2021-09-23 04:36:04.476+00")
        ]

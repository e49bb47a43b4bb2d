"""Workato against the examples of its documentation (in ../shared) and samples in their form."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

import aftershock
from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "workato"
FILES = sorted(FOLDER.glob("*.json"))
VENDOR = SHARED / "samples" / "workato"
RECORDS = """
[[records]]
entity = "contact"
pattern = 'C-88\\d'
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Every sample."""
    return ingested(tmp_path_factory.mktemp("workspace"), FILES, RECORDS)


def test_every_job_has_the_status_that_its_record_tells(workspace: Ledger) -> None:
    assert rows(workspace, "select native_id, status from runs order by 1") == [
        ("100", "partial"),  # completed, after a line that failed
        ("1001", "failed"),
        ("j-1", "failed"),
        ("j-2", "succeeded"),
        ("j-3", "succeeded"),
        ("j-4", "running"),
        ("j-5", "succeeded"),
        ("j-AAAAAAAA-aaaaaa", "succeeded"),
        ("j-BBBBBBBB-bbbbbb", "failed"),
        ("j-CCCCCCCC-cccccc", "failed"),
        ("j-DDDDDDDD-dddddd", "failed"),
        ("j-EEEEEEEE-eeeeee", "running"),
    ]


def test_errors_as_text_as_json_text_and_as_an_object_without_their_input(workspace: Ledger) -> None:
    query = "select native_id, error_type, error_message from runs where error_message is not null order by 1"
    assert rows(workspace, query) == [
        ("100", None, "quota exceeded"),
        ("1001", None, "Error"),
        ("j-1", "NotFound", "no such invoice"),
        ("j-BBBBBBBB-bbbbbb", "Bad request", "Custom field SICCode__c is not present"),
        (
            "j-CCCCCCCC-cccccc",
            None,
            "Bad request: Custom field 'SICCode__c' is not present; Error ID 058ea58e-fcd5-4206-b93f-c1dcfbf95a32",
        ),
        ("j-DDDDDDDD-dddddd", "Unauthorized", "expired"),
    ]


def test_the_input_of_an_error_is_searched_for_keys(workspace: Ledger) -> None:
    found = rows(workspace, "select distinct run_id, entity_key from touches where entity_key <> 'C-881' order by 1, 2")
    assert found == [
        ("workato:100", "C-883"),
        ("workato:100", "C-884"),
        ("workato:j-BBBBBBBB-bbbbbb", "C-882"),
        ("workato:j-CCCCCCCC-cccccc", "C-882"),
    ]


def test_a_poll_error_is_a_failed_trigger(workspace: Ledger) -> None:
    assert rows(workspace, "select step_key, kind, system, status from steps where run_id like '%DDDDDDDD%'") == [
        ("0", "trigger", "salesforce", "failed")
    ]


def test_a_repetition_is_a_retry_of_the_first_job_and_a_called_job_has_its_caller_as_parent(workspace: Ledger) -> None:
    query = "select native_id, role, root_run_id, parent_run_id from runs where native_id in ('j-2', 'j-3', 'j-5') order by 1"
    assert rows(workspace, query) == [
        ("j-2", "work", "workato:j-1", None),
        ("j-3", "work", "workato:j-3", "workato:j-2"),
        ("j-5", "test", "workato:j-5", None),
    ]


def test_lines_are_steps_and_turns_of_a_loop_are_told_apart(workspace: Ledger) -> None:
    query = "select step_key, map_index, name, system, status, error_message from steps where run_id = 'workato:100' order by 1, 2"
    assert rows(workspace, query) == [
        ("0", 0, "clock: timer", "clock", "succeeded", None),
        ("2", 0, "salesforce: search_sobjects", "salesforce", "succeeded", None),
        ("2", 1, "salesforce: search_sobjects", "salesforce", "succeeded", None),
        ("3", 0, "gmail: send_mail", "gmail", "failed", "quota exceeded"),
    ]
    assert rows(workspace, "select operation from touches where entity_key = 'C-884'") == [("read",)]


def test_the_recipe_is_that_of_the_record_or_of_the_files_name(workspace: Ledger) -> None:
    found = rows(workspace, "select automation, count(*) from runs group by 1 order by 1")
    assert found == [("Contacts to Salesforce", 7), ("Invoices", 5)]
    assert rows(workspace, "select native_id, enabled from automations order by 1") == [("234", True), ("235", False)]


def test_any_order_of_the_files_gives_the_same_ledger(workspace: Ledger, tmp_path: Path) -> None:
    files = random.Random(5).sample(FILES, len(FILES))  # noqa: S311  a shuffle, no secret
    with ingested(tmp_path, files, RECORDS) as ledger:
        for table, by in (("runs", "run_id"), ("steps", "step_id")):
            query = f"select * from {table} order by {by}"
            assert rows(ledger, query) == rows(workspace, query)


@needs_shared
def test_the_documentations_examples(tmp_path: Path) -> None:
    result = take_in(tmp_path, sorted(VENDOR.glob("*.json")))
    assert [(file.outcome, file.mapped, file.rejects) for file in result.files] == [("taken", 1, 0), ("taken", 4, 0)]
    with aftershock.open(tmp_path) as ledger:
        assert rows(ledger, "select native_id, status, error_type, error_message from runs order by 1") == [
            ("1001", "failed", None, "Error"),
            ("1002", "succeeded", None, None),
            ("1003", "failed", "Bad request", "Custom field 'SICCode__c' is not present"),
            ("1004", "failed", "Bad request", "Custom field SICCode__c is not present"),
            ("j-KGAKfhsz-GYoLe", "succeeded", None, None),
        ]

"""Zapier against the example of its API's specification (in ../shared) and samples in its form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "zapier"
EARLY, LATER, NAMES = FOLDER / "zap_runs_in_a_list.json", FOLDER / "zap_runs_later.json", FOLDER / "Zapfile.json"
RECORDS = """
[[records]]
entity = "deal"
keys = ["deal"]
"""


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Every sample."""
    return ingested(tmp_path_factory.mktemp("account"), [EARLY, LATER, NAMES], RECORDS)


def of(number: int) -> str:
    return f"123e4567-e89b-12d3-a456-{0x426614174000 + number:012x}"


def test_every_word_of_the_vendors_list(tmp_path: Path) -> None:
    found = dict(rows(ingested(tmp_path, [EARLY]), "select status_raw, any_value(status) from runs group by 1"))
    assert found == {
        "success": found["success"],
        "error": "failed",
        "error_handled": "partial",
        "halted": "skipped",
        "filtered": "skipped",
        "skipped": "skipped",
        "held": "waiting",
        "throttled": "waiting",
        "delayed": "waiting",
        "scheduled": "waiting",
        "pending": "queued",
        "brand_new": "unknown",
    }


def test_a_success_with_a_failed_step_is_partial_and_has_no_name_of_its_own(account: Ledger) -> None:
    found = rows(account, f"select status, automation from runs where native_id = '{of(11)}'")
    assert found == [("partial", "Paths")]


def test_steps_are_numbered(account: Ledger) -> None:
    found = rows(account, f"select step_key, name, status from steps where run_id = 'zapier:{of(2)}' order by 1")
    assert found == [("1", "step 1", "succeeded"), ("2", "step 2", "partial"), ("3", "step 3", "succeeded")]


def test_held_runs_have_no_steps_and_no_end(account: Ledger) -> None:
    assert rows(account, f"select is_finished, ended_at from runs where native_id = '{of(6)}'") == [(False, None)]
    assert rows(account, f"select count(*) from steps where run_id = 'zapier:{of(6)}'") == [(0,)]


def test_a_replayed_run_is_the_same_run_whichever_export_is_read_first(account: Ledger, tmp_path: Path) -> None:
    query = f"select status, ended_at::varchar from runs where native_id = '{of(1)}'"
    assert rows(account, query) == [("succeeded", "2026-11-02 09:00:00+00")]
    other = ingested(tmp_path, [NAMES, LATER, EARLY], RECORDS)
    for table, by in (("runs", "run_id"), ("steps", "step_id")):
        everything = f"select * from {table} order by {by}"
        assert rows(other, everything) == rows(account, everything)
    history = rows(account, f"select status from status_history where run_id = 'zapier:{of(1)}' order by seen_at")
    assert history == [("failed",), ("succeeded",)]


def test_the_newest_title_names_the_zap(account: Ledger) -> None:
    assert rows(account, "select native_id, name, enabled from automations order by 1") == [
        ("104445735", "Leads to HubSpot", True),
        ("7", "Paths", False),
    ]


def test_what_went_in_is_searched_for_keys(account: Ledger) -> None:
    assert rows(account, "select run_id, entity_key from touches") == [(f"zapier:{of(0)}", "D-501")]


@needs_shared
def test_the_specifications_example_in_its_list_and_out_of_it(tmp_path: Path) -> None:
    document = json.loads((SHARED / "samples" / "zapier" / "zapier-get-zap-runs-example.json").read_text())
    example = document["responseExamples"][0]["example"]
    for number, content in enumerate((example, example[0], example[0]["data"])):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(content))
        ledger = ingested(tmp_path / str(number), [file])
        assert rows(ledger, "select run_id, automation, status, duration_s from runs") == [
            ("zapier:123e4567-e89b-12d3-a456-426614174000", "My Awesome Zap", "succeeded", 0.0)
        ]


def test_an_error_page_is_claimed_by_nobody(tmp_path: Path) -> None:
    file = tmp_path / "429.json"
    file.write_text('{"errors": [{"status": 429}]}')
    assert [one.outcome for one in take_in(tmp_path / "p", [file]).files] == ["unknown"]

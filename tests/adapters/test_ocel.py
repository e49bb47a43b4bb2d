"""OCEL: one log in five formats, made by hand, and the standard's own example."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "ocel"
FILES = sorted(file for file in FOLDER.iterdir() if file.name != "SOURCE.md")
TOML = """
[[records]]
entity = "invoice"
keys = ["Invoice"]

[[records]]
entity = "order"
keys = ["Purchase Order"]
"""


@pytest.fixture(scope="module", params=FILES, ids=lambda file: file.name)
def log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("log"), [request.param], TOML)


def test_an_event_is_a_run_of_its_type(log: Ledger) -> None:
    assert rows(
        log, "select native_id, automation, status, strftime(started_at, '%m-%d %H:%M') from runs order by 1"
    ) == [
        ("e1", "Create Purchase Order", "succeeded", "11-02 08:15"),
        ("e2", "Insert Invoice", "succeeded", "11-03 09:00"),
        ("e3", "Insert Payment", "running", "11-04 10:00"),
        ("e4", "Insert Payment", "failed", "11-05 10:00"),
        ("e5", "Set Payment Block", "succeeded", "11-06 10:00"),
        ("e6", "Archive", "succeeded", "11-07 10:00"),
    ]


def test_its_objects_are_the_records_it_touched_however_many_of_a_type(log: Ledger) -> None:
    assert rows(
        log, "select native_id, entity_type, entity_key from touches join runs using (run_id) order by all"
    ) == [
        ("e1", "order", "PO-1"),
        ("e2", "invoice", "INV-1"),
        ("e2", "invoice", "INV-2"),
        ("e2", "order", "PO-1"),
        ("e3", "invoice", "INV-1"),
        ("e4", "invoice", "INV-1"),
    ]


def test_one_log_in_three_formats_is_one_and_another_version_of_it_another(tmp_path: Path) -> None:
    ledger = ingested(tmp_path / "1", FILES)
    assert rows(ledger, "select split_part(run_id, '/', 1), count(*) from runs group by 1 order by 1") == [
        ("ocel:first_version", 6),
        ("ocel:purchasing", 6),
    ]
    again = ingested(tmp_path / "2", FILES[::-1])
    assert rows(ledger, "select * from runs order by run_id") == rows(again, "select * from runs order by run_id")


def test_times_without_a_zone_are_flagged(tmp_path: Path) -> None:
    for form, assumed in (("jsonocel", False), ("xmlocel", True), ("sqlite", True)):
        ledger = ingested(tmp_path / form, [FOLDER / f"purchasing.{form}"])
        assert rows(ledger, "select distinct tz_assumed from runs") == [(assumed,)]


def test_a_damaged_event_is_a_reject_and_so_is_a_file_cut_off(tmp_path: Path) -> None:
    log = json.loads((FOLDER / "purchasing.jsonocel").read_text())
    log["events"][1]["relationships"] = [{"qualifier": "to nothing"}]
    log["events"][2] = "no event"
    log["events"][3]["id"] = None
    log["events"][4]["time"] = "yesterday"
    damaged = tmp_path / "damaged.json"
    damaged.write_text(json.dumps(log))
    cut = tmp_path / "cut.json"
    cut.write_text((FOLDER / "purchasing.jsonocel").read_text()[:1500])
    broken = tmp_path / "broken.xml"
    broken.write_text((FOLDER / "purchasing.xmlocel").read_text().partition('<event id="e3"')[0])
    result = take_in(tmp_path / "project", [damaged, cut, broken])
    assert [(file.mapped, file.rejects) for file in result.files] == [(2, 4), (0, 1), (2, 1)]


def test_lists_in_another_order_are_recognised_and_a_list_of_events_alone_is_not(tmp_path: Path) -> None:
    log = json.loads((FOLDER / "purchasing.jsonocel").read_text())
    turned = tmp_path / "turned.json"
    turned.write_text(json.dumps({name: log[name] for name in ("events", "objects", "eventTypes", "objectTypes")}))
    events = tmp_path / "events.json"
    events.write_text(json.dumps({"events": [{"id": "1", "type": "login", "time": "2026-11-02T08:15:00Z"}]}))
    result = take_in(tmp_path / "project", [turned, events])
    assert [file.adapter for file in result.files] == ["ocel", None]


@needs_shared
def test_the_standards_example_tells_the_same_in_each_format(tmp_path: Path) -> None:
    logs = SHARED / "samples/ocel"
    told = []
    for form in ("jsonocel", "xmlocel", "sqlite"):
        ledger = ingested(tmp_path / form, [logs / f"ocel20_example.{form}"], TOML)
        told.append((rows(ledger, "select native_id, automation, status from runs order by 1"),
                     rows(ledger, "select run_id, entity_key from touches order by all")))  # fmt: skip
    assert told[0] == told[1] == told[2]
    assert (len(told[0][0]), len(told[0][1])) == (13, 14)  # nine of invoices, five of orders

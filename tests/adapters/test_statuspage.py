"""Statuspage: the samples in `statuspage/` were written for these tests; 22 real incidents are read from the shared folder."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from devlake import page
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "statuspage"
FILES = [FOLDER / name for name in ("incidents.json", "scheduled_maintenances.json", "summary.json", "webhooks.jsonl")]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("statuspage"), FILES)


def test_times_are_the_pages_own_with_the_offset_of_the_day(ledger: Ledger) -> None:
    [(sent, resolved)] = rows(ledger, "select sent_at, resolved_at from notices where title = 'Login fails'")
    assert (sent, resolved) == (
        datetime(2026, 3, 8, 6, 30, tzinfo=UTC),
        datetime(2026, 3, 8, 8, 30, tzinfo=UTC),
    )  # 2 hours, not 3


def test_only_what_the_page_calls_over_has_an_end(ledger: Ledger) -> None:
    found = rows(ledger, "select title, resolved_at from notices where kind = 'status page' order by sent_at")
    assert found == [
        ("Postmortem of the outage", datetime(2026, 3, 1, 19, tzinfo=UTC)),  # from its updates
        ("Reports are slow", None),
        ("Login fails", datetime(2026, 3, 8, 8, 30, tzinfo=UTC)),
        ("Sending is delayed", datetime(2026, 3, 9, 14, tzinfo=UTC)),
    ]


def test_a_planned_maintenance_is_a_notice_of_another_kind(ledger: Ledger) -> None:
    found = rows(ledger, "select title, resolved_at is not null from notices where kind = 'maintenance' order by title")
    assert found == [
        ("Database move 0", False),
        ("Database move 1", False),
        ("Database move 2", False),
        ("Database move 3", True),
    ]


def test_nobody_acknowledges_on_a_status_page(ledger: Ledger) -> None:
    assert rows(ledger, "select count(acknowledged_at), count(distinct notice_id), count(*) from notices") == [
        (0, 8, 8)
    ]


def test_what_was_posted_and_the_components_are_in_the_text(ledger: Ledger) -> None:
    [(text,)] = rows(ledger, "select text from notices where title = 'Sending is delayed'")
    assert "We look into it." in str(text)
    assert "Mail API" in str(text)


def test_a_components_state_is_set_aside(ledger: Ledger) -> None:
    assert rows(ledger, "select reason from set_aside") == [("a component's state",)]


def test_any_order_of_files_gives_the_same_notices(tmp_path: Path, ledger: Ledger) -> None:
    with ingested(tmp_path, FILES[::-1]) as other:
        query = "select * exclude (client) from notices order by notice_id"
        assert rows(other, query) == rows(ledger, query)


def test_a_page_without_incidents_is_known_and_holds_nothing(tmp_path: Path) -> None:
    (result,) = take_in(tmp_path, [FOLDER / "unresolved_none.json"]).files
    assert (result.outcome, result.adapter, result.records_read) == ("taken", "statuspage", 0)


@needs_shared
def test_the_22_real_incidents_of_a_page_that_changed_its_clocks(tmp_path: Path) -> None:
    file = SHARED / "samples" / "statuspage" / "emma_incidents.json"
    incidents = json.loads(file.read_text(encoding="utf-8"))
    assert Counter(one["created_at"][-6:] for one in incidents) == {"-05:00": 18, "-06:00": 4}
    wrapped = page(tmp_path / "incidents.json", {"page": {"id": "4lzycl8t1x0c"}, "incidents": incidents})
    for name, given in (("bare", file), ("page", wrapped)):
        with ingested(tmp_path / name, [given]) as ledger:
            assert rows(ledger, "select count(*), count(resolved_at), count(acknowledged_at) from notices") == [
                (22, 22, 0)
            ]
            assert rows(ledger, "select count(*) from notices where resolved_at < sent_at") == [(0,)]
            [newest] = rows(
                ledger,
                "select title, sent_at::VARCHAR, resolved_at::VARCHAR from notices order by sent_at desc limit 1",
            )
            assert newest == (
                "Intermittent navigation/sending trouble for some users",
                "2019-02-20 18:00:19.418+00",
                "2019-02-20 19:40:58.572+00",
            )

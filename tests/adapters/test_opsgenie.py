"""Opsgenie: the samples in `opsgenie/` were written for these tests; the two real incidents are read from the shared folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from devlake import objects, page
from support import ingested, needs_shared, rows

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "opsgenie"
FILES = [FOLDER / name for name in ("alerts.json", "alert.json", "incidents.json", "webhooks.jsonl")]


def at(hour: int, minute: int, second: int = 0, day: int = 16, microsecond: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, second, microsecond, tzinfo=UTC)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("opsgenie"), FILES)


def times(ledger: Ledger, title: str) -> tuple[object, ...]:
    [found] = rows(ledger, f"select sent_at, acknowledged_at, resolved_at from notices where title = '{title}'")
    return found


def test_the_report_counts_milliseconds_from_the_beginning(ledger: Ledger) -> None:
    assert times(ledger, "acme / CRM sync failed") == (at(8, 2, 10), at(8, 5, 10), at(8, 40))


@pytest.mark.parametrize("title", ["Invoice export failed", "Nightly digest failed", "globex / Billing failed"])
def test_without_a_time_in_the_report_nothing_was_acknowledged_at_any(ledger: Ledger, title: str) -> None:
    assert times(ledger, title)[1] is None


def test_a_newer_word_on_an_alert_adds_to_it_and_secrets_are_taken_out(ledger: Ledger) -> None:
    [(key, text)] = rows(ledger, "select \"key\", text from notices where title = 'Invoice export failed'")
    assert key == "invoice-export"
    assert "manual__2026-11-16T09:14:00+00:00" in str(text)
    assert "hunter2" not in str(text)


def test_incidents_end_with_their_impact_else_with_their_last_update(ledger: Ledger) -> None:
    found = rows(
        ledger, "select title, resolved_at, acknowledged_at from notices where kind = 'incident' order by sent_at desc"
    )
    assert found == [
        ("Invoices missing", None, None),
        ("CRM is stale", at(18, 21, 21, day=15, microsecond=490000), None),
        ("Digest late", at(18, 25, day=14), None),
    ]


def test_a_webhook_tells_of_an_alert_event_by_event_in_milli_and_nanoseconds(ledger: Ledger) -> None:
    assert times(ledger, "initech / Contract check failed") == (at(11, 0), at(11, 2), at(11, 30))


def test_any_order_of_files_gives_the_same_notices(tmp_path: Path, ledger: Ledger) -> None:
    with ingested(tmp_path, FILES[::-1]) as other:
        query = "select * exclude (client) from notices order by notice_id"
        assert rows(other, query) == rows(ledger, query)


@needs_shared
def test_the_two_real_incidents(tmp_path: Path) -> None:
    file = page(
        tmp_path / "incidents.json", {"data": objects("opsgenie", "opsgenie_incidents"), "took": 0.1, "requestId": "1"}
    )
    with ingested(tmp_path / "project", [file]) as ledger:
        found = rows(
            ledger, "select title, epoch(resolved_at - sent_at), acknowledged_at, kind from notices order by title"
        )
        assert found == [("Incident#1", None, None, "incident"), ("Incident#2", 53.487, None, "incident")]

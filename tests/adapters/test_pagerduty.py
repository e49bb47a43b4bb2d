"""PagerDuty: the samples in `pagerduty/` were written for these tests; the real incidents are read from the shared folder."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from devlake import objects, page
from support import ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "pagerduty"


def at(hour: int, minute: int, second: float = 0) -> datetime:
    return datetime(2026, 11, 16, hour, minute, int(second), round(second % 1 * 1e6), tzinfo=UTC)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """What the REST API gives, taken in together."""
    names = ("incidents", "log_entries", "alerts", "change_events")
    return ingested(tmp_path_factory.mktemp("pagerduty"), [FOLDER / f"{name}.json" for name in names])


def times(ledger: Ledger, notice: str) -> tuple[object, ...]:
    [found] = rows(
        ledger,
        f"select sent_at, acknowledged_at, resolved_at from notices where notice_id = 'pagerduty:notice/{notice}'",
    )
    return found


def test_the_first_acknowledgement_in_the_log_counts_not_a_later_one(ledger: Ledger) -> None:
    assert times(ledger, "Q1CRM0000000AA") == (at(8, 2, 10), at(8, 5, 10), at(8, 40))


def test_what_nobody_acknowledged_has_no_time_of_it_whatever_else_happened(ledger: Ledger) -> None:
    assert times(ledger, "Q1CRM0000000BB") == (at(9, 15), None, None)


def test_an_acknowledgement_that_still_holds_stands_in_the_incident(ledger: Ledger) -> None:
    assert times(ledger, "Q1CRM0000000CC") == (at(10, 0), at(10, 6), None)


def test_who_was_notified_is_the_recipient_else_who_it_is_assigned_to(ledger: Ledger) -> None:
    found = rows(ledger, "select title, recipient, kind from notices where kind like 'incident%' order by sent_at")
    assert found == [
        ("acme / CRM sync failed", "Ann Berger, Bo Lindqvist", "incident"),
        ("Invoice export: ORD-1002 was not invoiced", "Ann Berger", "incident"),
        ("Customers cannot log in", "Bo Lindqvist", "incident by hand"),
    ]


def test_an_alert_is_a_notice_with_its_dedup_key_and_a_suppressed_one_is_none(ledger: Ledger) -> None:
    found = rows(ledger, "select \"key\", resolved_at from notices where kind = 'alert' order by sent_at")
    assert found == [("manual__2026-11-16T08:00:00+00:00", at(8, 40)), ("acme-crm-sync", None)]
    assert rows(ledger, "select count(*) from set_aside where reason like 'suppressed%'") == [(1,)]


def test_secrets_in_the_details_of_an_alert_are_taken_out(ledger: Ledger) -> None:
    [(text,)] = rows(ledger, "select text from notices where notice_id = 'pagerduty:notice/PT1A'")
    assert "sk_live_51Hq" not in str(text)
    assert "acme_crm_sync" in str(text)


def test_a_change_event_is_a_change_and_its_routing_key_is_not_kept(ledger: Ledger) -> None:
    assert rows(ledger, 'select title, version, "at", "by", kind from changes') == [
        ("Invoice export 1.4.2 deployed", "1.4.2", at(7, 55), "acme-build-pipeline", "change event")
    ]


def test_log_entries_that_say_nothing_of_who_was_told_are_set_aside_by_type(ledger: Ledger) -> None:
    found = Counter(
        dict(rows(ledger, "select reason, count(*) from set_aside where reason like 'log entry%' group by 1"))
    )
    words = (
        "annotate assign delegate escalate exhaust_escalation_path reach_ack_limit reach_trigger_limit repeat_escalation_path snooze "
        "urgency_change field_value_change custom_field_value_change unacknowledge"
    )
    assert found == Counter(
        {f"log entry: {word}": 2 if word in ("assign", "escalate") else 1 for word in words.split()}
    )


def test_any_order_of_files_gives_the_same_notices(tmp_path: Path, ledger: Ledger) -> None:
    files = [FOLDER / f"{name}.json" for name in ("incidents", "log_entries", "alerts", "change_events", "incident")]
    random.Random(1).shuffle(files)  # noqa: S311
    with ingested(tmp_path, files) as other:
        for table in ("notices", "changes"):
            query = f"select * exclude ({'client' if table == 'notices' else 'import_id'}) from {table} order by all"
            assert rows(other, query) == rows(ledger, query)


def test_webhooks_tell_of_an_incident_event_by_event(tmp_path: Path) -> None:
    with ingested(tmp_path, [FOLDER / "webhooks_v3.jsonl", FOLDER / "webhooks_v2.json"]) as ledger:
        assert times(ledger, "Q1CRM0000000DD") == (at(11, 0), at(11, 3, 0.12), at(11, 30))
        assert times(ledger, "Q2OLD000000000") == (at(12, 0), at(12, 5), None)
        assert rows(ledger, "select reason from set_aside") == [("event that is no incident's",)]


def test_the_analytics_know_the_seconds_to_the_first_acknowledgement_and_none_is_never(tmp_path: Path) -> None:
    with ingested(tmp_path, [FOLDER / "analytics_raw.json"]) as ledger:
        found = rows(ledger, "select sent_at, acknowledged_at, resolved_at from notices order by 1")
        assert found == [(at(8, 2, 10), at(8, 5, 10), at(8, 40)), (at(9, 15), None, None), (at(13, 0), None, None)]


def test_the_table_of_incidents_gives_the_same_in_the_accounts_own_time(tmp_path: Path) -> None:
    with ingested(tmp_path, [FOLDER / "incidents.csv"]) as ledger:
        assert times(ledger, "Q1CRM0000000AA") == (at(8, 2, 10), at(8, 5, 10), at(8, 40))
        assert times(ledger, "Q1CRM0000000BB") == (at(9, 15), None, None)


@needs_shared
def test_the_three_real_incidents_were_acknowledged_as_their_log_entries_say(tmp_path: Path) -> None:
    incidents = objects("pagerduty", "pagerduty_incidents")
    file = page(
        tmp_path / "incidents.json", {"incidents": incidents, "limit": 25, "offset": 0, "total": None, "more": False}
    )
    with ingested(tmp_path / "project", [file]) as ledger:
        query = "select title, epoch(acknowledged_at - sent_at), epoch(resolved_at - sent_at), kind from notices order by sent_at"
        assert rows(ledger, query) == [
            # 31 log entries; triggered again since, so its own acknowledgements are empty
            ("Crash reported", 1.0, None, "incident by hand"),
            ("Slow startup", 9.0, None, "incident by hand"),
            ("Spamming logs", 10.0, 368.0, "incident by hand"),
        ]
    without = [{**one, "log_entries": [], "acknowledgements": []} for one in incidents]
    with ingested(tmp_path / "never", [page(tmp_path / "never.json", {"incidents": without})]) as ledger:
        assert rows(ledger, "select count(*), count(acknowledged_at) from notices") == [(3, 0)]


@needs_shared
def test_real_log_entries_on_their_own_tell_the_same_times(tmp_path: Path) -> None:
    incidents = objects("pagerduty", "pagerduty_incidents")
    entries = [entry for one in incidents for entry in one["log_entries"]]
    file = page(tmp_path / "log_entries.json", {"log_entries": entries, "limit": 100, "offset": 0, "more": False})
    with ingested(tmp_path / "project", [file]) as ledger:
        found = rows(
            ledger,
            "select title, epoch(acknowledged_at - sent_at), epoch(resolved_at - sent_at) from notices order by sent_at",
        )
        assert found == [("Crash reported", 1.0, None), ("Slow startup", 9.0, None), ("Spamming logs", 10.0, 368.0)]


def test_hostile_values_are_rejects_or_nulls_and_stop_nothing(tmp_path: Path) -> None:
    incident = {
        "id": "Q1",
        "incident_number": 1,
        "status": "resolved",
        "service": None,
        "created_at": "2026-11-16T08:00:00Z",
    }
    bad = [
        incident,
        {**incident, "id": None},
        {**incident, "id": "Q2", "created_at": "yesterday", "assignments": "none"},
        "text",
        None,
    ]
    file = page(tmp_path / "bad.json", {"incidents": bad})
    (result,) = take_in(tmp_path / "project", [file]).files
    assert (result.records_read, result.mapped, result.rejects) == (5, 1, 4)

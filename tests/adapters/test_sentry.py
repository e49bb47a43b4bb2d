"""Sentry: the samples in `sentry/` were written for these tests; the vendor's own examples are read from the shared folder."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from devlake import page
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "sentry"
NAMES = (
    "issues.json",
    "issue.json",
    "events.json",
    "checkins-acme-crm-sync.json",
    "monitors.json",
    "releases.json",
    "deploys.json",
    "webhooks.jsonl",
)
FILES = [FOLDER / name for name in NAMES]
LATER = FOLDER / "checkins-acme-crm-sync.page2.json"
CHECK_IN = "sentry:01234567-89ab-4cde-8f01-2345678900"


def at(hour: int, minute: int, second: float = 0, day: int = 16) -> datetime:
    return datetime(2026, 11, day, hour, minute, int(second), round(second % 1 * 1e6), tzinfo=UTC)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("sentry"), FILES)


def test_every_word_of_a_check_in_has_its_status(ledger: Ledger) -> None:
    found = dict(rows(ledger, "select status_raw, status from runs"))
    assert found == {
        "ok": "succeeded",
        "error": "failed",
        "timeout": "timed_out",
        "missed": "skipped",
        "in_progress": "running",
        "unknown": "unknown",
    }


def test_a_check_in_is_a_run_of_the_job_that_the_monitor_watches(ledger: Ledger) -> None:
    run = rows(
        ledger,
        f"select automation, queued_at, started_at, ended_at, duration_s from runs where run_id = '{CHECK_IN}02'",
    )
    assert run == [("acme-crm-sync", at(9, 0), at(9, 0, 2.25), at(9, 1, 3.75), 61.5)]
    assert rows(ledger, "select name, schedule, enabled, owner from automations order by name") == [
        ("acme-crm-sync", "0 * * * *", True, "Ops"),
        ("globex-billing", "every 2 hour", False, "Ops"),
    ]


def test_a_missed_check_in_never_began_and_is_in_no_rate(ledger: Ledger) -> None:
    run = rows(ledger, f"select status, queued_at, started_at, ended_at from runs where run_id = '{CHECK_IN}04'")
    assert run == [("skipped", at(11, 0), None, None)]


def test_one_in_progress_ends_in_a_later_page_in_whatever_order(tmp_path: Path) -> None:
    for name, files in (("on", [FILES[3], LATER]), ("back", [LATER, FILES[3]])):
        with ingested(tmp_path / name, files) as ledger:
            run = rows(ledger, f"select status, ended_at, duration_s from runs where run_id = '{CHECK_IN}06'")
            assert run == [("succeeded", at(13, 0, 47), 45.0)]


def test_a_file_whose_name_names_no_monitor_gives_runs_of_no_automation(tmp_path: Path) -> None:
    file = tmp_path / "sentry_checkins_page2.json"
    file.write_bytes(FILES[3].read_bytes())
    with ingested(tmp_path / "project", [file]) as ledger:
        assert rows(ledger, "select count(*), count(automation) from runs") == [(6, 0)]


def test_an_issue_is_a_notice_told_when_it_was_first_seen(ledger: Ledger) -> None:
    found = rows(
        ledger,
        "select notice_id, title, sent_at, resolved_at, acknowledged_at, recipient from notices order by notice_id",
    )
    assert found == [
        (
            "sentry:notice/4501",
            "HTTPError: 500 from crm.example in invoice_export.tasks.export",
            at(8, 1, 55),
            None,
            None,
            None,
        ),
        ("sentry:notice/4502", "Cron failure: acme-crm-sync", at(8, 5), at(9, 0), None, "Ann Berger"),
        ("sentry:notice/4503", "KeyError: 'amount' in contract_check in main", at(8, 5, day=15), None, None, None),
        ("sentry:notice/4504", "ValueError: no e-mail in lead_enrichment", at(14, 0), None, None, None),
        ("sentry:notice/4505", "TimeoutError in nightly_digest", at(15, 0), None, None, None),
    ]


def test_events_add_their_tags_and_their_monitor_to_the_issue(ledger: Ledger) -> None:
    [(key,)] = rows(ledger, "select \"key\" from notices where notice_id = 'sentry:notice/4502'")
    assert key == "acme-crm-sync"
    [(text,)] = rows(ledger, "select text from notices where notice_id = 'sentry:notice/4505'")
    assert "nightly-2026-11-16-0007" in str(text)
    assert rows(ledger, "select reason from set_aside") == [("event of no issue",)]


def test_a_monitors_issue_is_joined_to_the_check_in_that_failed(tmp_path: Path) -> None:
    issue = json.loads(FILES[1].read_text(encoding="utf-8")) | {
        "firstSeen": "2026-11-16T09:01:10Z",
        "lastSeen": "2026-11-16T09:01:10Z",
    }
    with ingested(tmp_path / "project", [page(tmp_path / "issue.json", issue), FILES[3]]) as ledger:
        assert rows(ledger, "select run_id, joined_by from notices") == [(f"{CHECK_IN}02", "text")]


def test_releases_and_deploys_are_changes(ledger: Ledger) -> None:
    assert rows(ledger, 'select kind, version, title, "at" from changes order by "at"') == [
        ("release", "invoice-export@1.4.1", "invoice-export invoice-export@1.4.1", at(7, 0)),
        ("release", "invoice-export@1.4.2", "invoice-export invoice-export@1.4.2", at(7, 30)),
        ("deploy", None, "deploy 7 to production", at(7, 31)),
    ]


def test_any_order_of_files_gives_the_same_notices(tmp_path: Path, ledger: Ledger) -> None:
    with ingested(tmp_path, FILES[::-1]) as other:
        query = "select * exclude (client) from notices order by notice_id"
        assert rows(other, query) == rows(ledger, query)


VENDOR = SHARED / "samples" / "sentry"
READ = [
    "organizations_organization_id_or_slug_issues",
    "organizations_organization_id_or_slug_issues_issue_id",
    "projects_organization_id_or_slug_project_id_or_slug_issues",
    "organizations_organization_id_or_slug_issues_issue_id_events",
    "projects_organization_id_or_slug_project_id_or_slug_events_event_id",
    "organizations_organization_id_or_slug_releases",
    "organizations_organization_id_or_slug_releases_version",
]


def _answers(name: str) -> list[Any]:
    """The answers in a file of the vendor's description: bare, or each under its title as `value`."""
    content = json.loads((VENDOR / f"api_0_{name}.json").read_text(encoding="utf-8"))
    wrapped = isinstance(content, dict) and all(isinstance(one, dict) and "value" in one for one in content.values())
    return [one["value"] for one in content.values()] if wrapped else [content]


@needs_shared
def test_the_vendors_own_examples_are_read_whole(tmp_path: Path) -> None:
    for name in READ:
        for number, answer in enumerate(_answers(name)):
            (result,) = take_in(tmp_path / "project", [page(tmp_path / f"{name}-{number}.json", answer)]).files
            assert (result.adapter, result.mapped, result.rejects, result.set_aside) == ("sentry", 1, 0, 0), name


def test_check_ins_of_older_releases_know_no_expected_time(tmp_path: Path) -> None:
    told = {
        "id": "c2",
        "status": "error",
        "duration": 1200,
        "dateCreated": "2026-11-20T06:00:00Z",
        "attachmentId": None,
    }
    (tmp_path / "checkins-nightly.json").write_text(json.dumps([told]))
    with ingested(tmp_path / "p", [tmp_path / "checkins-nightly.json"]) as ledger:
        assert rows(ledger, "select run_id, status, duration_s from runs") == [("sentry:c2", "failed", 1.2)]

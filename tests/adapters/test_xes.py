"""XES event logs: every word of the standard life cycle, made by hand, and two public logs."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "xes"
CASE = "run_id = 'xes:Invoice approval/{}'"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(
        tmp_path_factory.mktemp("log"),
        [FOLDER / "approval.xes"],
        '[[records]]\nentity = "order"\nkeys = ["order_id"]\n',
    )


def test_every_transition_gives_its_activity_a_status_and_the_case_what_follows(log: Ledger) -> None:
    found = rows(
        log,
        """select replace(native_id, 'word-', ''), steps.status, runs.status from steps join runs using (run_id)
        where step_key = 'check' and native_id like 'word-%'""",
    )
    assert {word: (step, case) for word, step, case in found} == {
        "schedule": ("queued", "running"),
        "assign": ("queued", "running"),
        "reassign": ("queued", "running"),
        "start": ("running", "running"),
        "resume": ("running", "running"),
        "suspend": ("waiting", "running"),
        "complete": ("succeeded", "succeeded"),
        "autoskip": ("skipped", "succeeded"),
        "manualskip": ("skipped", "succeeded"),
        "withdraw": ("cancelled", "succeeded"),
        "ate_abort": ("failed", "partial"),
        "unknown": ("unknown", "unknown"),
        "dreamt up": ("unknown", "unknown"),
    }
    assert rows(log, f"select status, status_raw from runs where {CASE.format('aborted')}") == [
        ("cancelled", "pi_abort")
    ]
    assert rows(log, f"select step_key, status from steps where {CASE.format('bpaf')} order by 1") == [
        ("file", "running"),
        ("scan", "failed"),
    ]


def test_transitions_are_paired_by_instance_else_in_order_and_repetition_is_an_attempt(log: Ledger) -> None:
    query = "select step_key, attempt, status, duration_s from steps where {} order by 1, 2"
    assert rows(log, query.format(CASE.format("INV-1"))) == [
        ("check", 1, "failed", 6 * 60.0),
        ("check", 2, "succeeded", 2 * 60.0),
        ("pay", 1, "succeeded", 12 * 60.0),
        ("pay", 2, "succeeded", 3 * 60.0),
    ]
    assert rows(log, query.format(CASE.format("parallel"))) == [
        ("scan", 1, "succeeded", 180.0),
        ("scan", 2, "succeeded", 420.0),
    ]
    assert rows(log, f"select status, automation, duration_s from runs where {CASE.format('INV-1')}") == [
        ("succeeded", "Invoice approval", 14 * 60.0)
    ]


def test_a_lone_completion_has_an_end_and_no_duration(log: Ledger) -> None:
    assert rows(log, "select distinct started_at is null, duration_s from steps where step_key = 'register'") == [
        (True, None)
    ]


def test_defaults_for_writers_are_no_events(log: Ledger) -> None:
    assert rows(log, "select count(*) from steps where name = 'UNKNOWN' or ended_at < '2000-01-01'") == [(0,)]
    assert rows(log, "select count(*) from runs where native_id = 'UNKNOWN'") == [(0,)]


def test_times_without_a_zone_are_flagged_and_offsets_are_kept(log: Ledger) -> None:
    assert rows(log, "select native_id, duration_s from runs where tz_assumed") == [("naive", 29 * 60.0)]
    assert rows(log, f"select duration_s from runs where {CASE.format('offsets')}") == [(1800.0,)]
    assert rows(log, f"select started_at, ended_at from runs where {CASE.format('timeless')}") == [(None, None)]


def test_attributes_in_lists_and_of_events_give_business_records(log: Ledger) -> None:
    assert rows(log, f"select entity_key, step_id is null from touches where {CASE.format('INV-1')} order by 1") == [
        ("ORD-7", True),
        ("ORD-8", False),
        ("ORD-9", True),
    ]


def test_a_case_without_events_and_an_event_without_a_case_are_set_aside(log: Ledger) -> None:
    assert rows(log, "select reason from set_aside order by 1") == [("case without events",), ("event of no case",)]
    assert rows(log, "select field, reason from rejects") == [("native_id, native_id", "has no id")]


def test_cases_of_two_nameless_logs_are_told_apart_by_their_files(tmp_path: Path) -> None:
    other = tmp_path / "other.xes"
    other.write_text((FOLDER / "nameless.xes").read_text().replace("decide", "pay"))
    ledger = ingested(tmp_path / "1", [FOLDER / "nameless.xes", other])
    assert rows(ledger, "select automation, count(*), min(status) from runs group by 1 order by 1") == [
        ("nameless", 3, "succeeded"),
        ("other", 3, "succeeded"),
    ]
    assert rows(ledger, "select max(attempt) from steps where step_key = 'pay'") == [(2,)]
    again = ingested(tmp_path / "2", [other, FOLDER / "nameless.xes"])
    assert rows(ledger, "select * from steps order by step_id") == rows(again, "select * from steps order by step_id")


def test_a_log_that_breaks_off_keeps_its_whole_cases_and_entities_are_refused(tmp_path: Path) -> None:
    text = (FOLDER / "approval.xes").read_text()
    cut = tmp_path / "cut.xes"
    cut.write_text(text[: text.index("INV-1") + 400])
    bomb = tmp_path / "bomb.xes"
    bomb.write_text(
        '<!DOCTYPE log [<!ENTITY a "aaaa">]>' + text[text.index("<log") :].replace('value="pay"', 'value="&a;"', 1)
    )
    result = take_in(tmp_path / "project", [cut, bomb])
    assert [(file.mapped, file.rejects) for file in result.files] == [(14, 1), (0, 1)]


@needs_shared
def test_public_logs_are_read_whole(tmp_path: Path) -> None:
    logs = SHARED / "samples/xes"
    ledger = ingested(tmp_path, [logs / "running-example.xes", logs / "roadtraffic100traces.xes"])
    assert rows(ledger, "select automation, count(*) from runs group by 1 order by 1") == [
        ("Road Traffic Fine Management Process", 100),
        ("running-example", 6),
    ]
    assert rows(ledger, "select count(*) from steps where run_id like 'xes:Road%'") == [
        (390,)
    ]  # as many as the file has events
    assert rows(
        ledger,
        "select step_key, max(attempt) from steps where run_id = 'xes:running-example/3' group by 1 having max(attempt) > 1 order by 1",
    ) == [
        ("check ticket", 2),
        ("decide", 2),
    ]

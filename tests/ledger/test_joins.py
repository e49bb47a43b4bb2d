"""Notices and changes find the run they are about, across tools, by id, key, text or time; where two runs fit, none is taken."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from observed import Observed, Record, Row, at, job, run, step, touch
from support import SHARED, ingested, needs_shared, rows

from aftershock.ledger import joins
from aftershock.ledger.settle import automation_spans, prepare, settle

HOUR = 60


HERE = Path(__file__).parent
ALERTED = SHARED / "captures" / "n8n" / "raw" / "backend_requests.jsonl"


def notice(name: str, minute: float | None, **facts: Any) -> Record:
    """A notice of another tool, sent so many minutes into the night."""
    sent = None if minute is None else at(0) + timedelta(minutes=minute)
    row = {
        "notice_id": f"pager:{name}",
        "source": "pager",
        "kind": "incident",
        "sent_at": sent,
        "observed_at": sent or at(0),
    }
    return "notice_observations", row | facts


def change(name: str, minute: int, **facts: Any) -> Record:
    """A change that another tool tells of."""
    row = {
        "change_id": f"deploys:{name}",
        "source": "deploys",
        "kind": "deployment",
        "at": at(minute),
        "observed_at": at(minute),
    }
    return "change_observations", row | facts


def failed(number: int | str, minute: int, *, tool: str = "toy", lasted: int = 1, **facts: Any) -> Record:
    """A run that failed, `minute` minutes into the night."""
    ids = {"run_id": f"{tool}:{number}", "tool": tool, "source": tool}
    times = {"started_at": at(minute - lasted), "ended_at": at(minute)}
    return run(number, minute, **(ids | times | {"status": "failed"} | facts))


def of(name: str, source: str = "toy") -> Row:
    """The automation of a run, by its name."""
    return {"automation_id": f"{source}:{name}"}


def named(name: str, shown: str | None = None, source: str = "toy") -> Record:
    """An automation as its tool's own list tells it."""
    facts = {"automation_id": f"{source}:{name}", "source": source, "native_id": name, "name": shown or name}
    return "automation_observations", job(0, 0, **facts)[1]


class Joined(Observed):
    """A store in memory whose files may hold notices and changes, and which is joined after each ingestion."""

    def take_files(self, *files: Sequence[Record]) -> None:
        """One ingestion of these files."""
        for records in files:
            own = [record for record in records if record[0] in ("notice_observations", "change_observations")]
            names = [record for record in records if record[0] == "automation_observations"]
            self._file([record for record in records if record not in own and record not in names], own, names)
        automation_spans(self.con)
        if joins.are_due(self.con):
            self.con.begin()
            joins.join(self.con)
            self.con.commit()

    def _file(self, records: Sequence[Record], own: Sequence[Record], names: Sequence[Record]) -> None:
        self.files += 1
        self.con.begin()
        prepare(self.con)
        known = {row["automation_id"] for _, row in names}
        ids = {(row["automation_id"], row["source"]) for _, row in records if row.get("automation_id")}
        said = [named(one.partition(":")[2], source=source) for one, source in sorted(ids) if one not in known]
        for _, row in said:
            row["name"] = None  # a run knows its automation's id
        for table, row in (*records, *own, *said, *names):
            row = row | {"import_id": f"i{self.files:04d}"}
            if table in ("told_now", "step_observations", "touch_observations"):
                row["write_no"] = self.rows("select getvariable('write_no')")[0][0]
            columns, values = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
            self.con.execute(f"insert into {table} ({columns}) values ({values})", list(row.values())).fetchall()
            word = {
                "notice_observations": "notice",
                "change_observations": "change",
                "automation_observations": "automation",
            }.get(table, "run")
            self.con.execute(f"insert into touched_{word}s values (?)", [row[f"{word}_id"]]).fetchall()
        settle(self.con)
        self.con.execute(
            f"insert into imports (import_id, write_no) values ('i{self.files:04d}', getvariable('write_no'))"
        )
        self.con.execute("update ledger_state set commits = commits + 1").fetchall()
        self.con.commit()

    def joins(self) -> dict[str, tuple[str | None, str | None]]:
        """Notice -> its run and how that was found."""
        found = self.rows("select notice_id, run_id, joined_by from notices order by 1")
        return {name.removeprefix("pager:"): (run_id, how) for name, run_id, how in found}

    def everything(self) -> list[list[tuple[Any, ...]]]:
        """All that joining writes."""
        return [
            self.rows("select * from notices order by notice_id"),
            self.rows("select * exclude (import_id) from changes order by change_id"),
        ]


def joined(*records: Record, rules: Sequence[tuple[str, str | None]] = ()) -> Joined:
    """A store that took in one file with these records."""
    store = emptied(rules)
    store.take_files(records)
    return store


def emptied(rules: Sequence[tuple[str, str | None]] = ()) -> Joined:
    """An empty store; making one anew takes longer than most tests."""
    store = one_store()
    store.clear()
    store.con.execute(
        "update ledger_state set commits = 0, joins_from = null, joins_to = null, joins_names = null"
    ).fetchall()
    store.con.execute("delete from client_rules").fetchall()
    for client, automation in rules:
        store.con.execute("insert into client_rules values ($1, $1, null, $2, false)", [client, automation]).fetchall()
    return store


@cache
def one_store() -> Joined:
    return Joined()


NOBODY = (None, None)
ODD = "manual__2026-11-16T00:09:00+00:00"


# By id


@pytest.mark.parametrize(
    "text",
    [
        f"run {ODD} failed",
        f"Failed: dag_id=export run_id={ODD}.",
        "see http://airflow.example/dags/export/runs/manual__2026-11-16T00%3A09%3A00%2B00%3A00?tab=logs",
        '{"run": "' + ODD + '", "state": "failed"}',
        f"airflow:{ODD}",
    ],
)
def test_a_long_id_in_the_text_is_the_run(text: str) -> None:
    store = joined(failed(ODD, 10, tool="airflow"), failed("other-run-7", 10), notice("a", 11, text=text))
    assert store.joins()["a"] == (f"airflow:{ODD}", "id")


def test_an_id_means_a_run_that_did_not_fail_too() -> None:
    store = joined(failed("nightly-2026-417", 10, status="succeeded"), notice("a", 11, key="nightly-2026-417"))
    assert store.joins()["a"] == ("toy:nightly-2026-417", "id")


@pytest.mark.parametrize(
    "text", ["acme-crm-sync: execution 13 failed", "http://n8n/workflow/acme-crm-sync/executions/13"]
)
def test_a_short_id_counts_after_its_word_beside_its_automation(text: str) -> None:
    store = joined(failed(13, 10, **of("acme-crm-sync")), notice("a", 11, text=text))
    assert store.joins()["a"] == ("toy:13", "id")


@pytest.mark.parametrize(
    "text",
    [
        "HTTP 500 after 3 tries",
        "execution 500 of something failed",
        "order 500",
        "2026-11-16 00:10:00",
        "globex-billing: execution 500",
    ],
)
def test_a_number_that_may_be_anything_is_no_id(text: str) -> None:
    runs = [failed(500, 10, **of("acme-crm-sync")), failed("2026-11-16", 10), failed(3, 9)]
    assert joined(*runs, notice("a", 11, text=text)).joins()["a"] == NOBODY


def test_an_id_that_two_tools_use_is_narrowed_by_the_automations_name_else_left() -> None:
    runs = [failed(ODD, 10, tool=tool, **of(f"{tool}-invoices", tool)) for tool in ("east", "west")]
    texts = [notice("named", 11, text=f"{ODD} of west-invoices"), notice("bare", 11, text=f"{ODD} failed")]
    store = joined(*runs, *texts)
    assert store.joins() == {"named": (f"west:{ODD}", "id"), "bare": NOBODY}


def test_of_the_attempts_under_one_id_it_is_the_newest_that_had_begun() -> None:
    attempts = [failed("1234567890", 10), failed("1234567890", 20, run_id="toy:1234567890#2", attempt=2)]
    store = joined(*attempts, notice("early", 12, text="run 1234567890"), notice("late", 21, text="run 1234567890"))
    assert store.joins() == {"early": ("toy:1234567890", "id"), "late": ("toy:1234567890#2", "id")}


def test_an_id_from_long_ago_or_from_later_is_another_run() -> None:
    store = joined(
        failed("1234567890", 10),
        notice("before", 5, text="1234567890"),
        notice("week later", 8 * 24 * HOUR, text="1234567890"),
    )
    assert set(store.joins().values()) == {NOBODY}


def test_what_names_its_run_itself_is_left_alone() -> None:
    store = joined(failed(1, 10), failed(2, 10), notice("a", 11, run_id="toy:1", joined_by="id", text="toy:2"))
    assert store.joins()["a"] == ("toy:1", "id")


# By key


def test_a_key_that_names_an_automation_means_its_newest_failed_run() -> None:
    runs = [failed(number, minute, **of("acme / CRM sync")) for number, minute in ((1, 10), (2, 30), (3, 60))]
    others = [failed(9, 39, **of("globex / CRM sync"))]
    store = joined(*runs, *others, notice("a", 40, key="acme-crm-sync"))
    assert store.joins()["a"] == ("toy:2", "key")


def test_a_short_name_counts_where_it_is_the_whole_key() -> None:
    runs = [failed(1, 10, **of("sync")), failed(2, 10, **of("digest"))]
    store = joined(*runs, notice("key", 12, key="sync"), notice("text", 12, text="sync went wrong"))
    assert store.joins() == {"key": ("toy:1", "key"), "text": NOBODY}


def test_a_business_record_means_the_failed_run_that_touched_it() -> None:
    runs = [failed(number, 10 + number, **of("Invoice export")) for number in (1, 2, 3)]
    touches = [touch(number, f"ORD-{number}") for number in (1, 2, 3)]
    records = notice("a", 15, title="Invoice export failed", record_keys=["order|ORD-2"])
    assert joined(*runs, *touches, records).joins()["a"] == ("toy:2", "key")


def test_a_record_that_runs_of_two_automations_touched_decides_nothing_unless_one_is_named() -> None:
    runs = [failed(1, 10, **of("Invoice export")), failed(2, 10, **of("Nightly report"))]
    touches = [touch(number, "ORD-7") for number in (1, 2)]
    bare = notice("bare", 12, text="ORD-7 is stuck", record_keys=["order|ORD-7"])
    told = notice("told", 12, text="Nightly report: ORD-7 is stuck", record_keys=["order|ORD-7"])
    store = joined(*runs, *touches, bare, told)
    assert store.joins() == {"bare": NOBODY, "told": ("toy:2", "key")}


def test_a_record_does_not_outvote_the_automation_that_is_named() -> None:
    runs = [failed(1, 10, **of("CRM sync")), failed(2, 10, **of("Invoice export"), status="succeeded")]
    told = notice("a", 12, text="Invoice export: ORD-7 is stuck", record_keys=["order|ORD-7"])
    assert joined(*runs, touch(1, "ORD-7"), told).joins()["a"] == NOBODY


def test_a_monitors_own_alert_is_about_the_monitor_though_a_job_has_the_same_name() -> None:
    runs = [failed(1, 10, **of("acme-crm-sync")), failed(2, 10, tool="pager", **of("acme-crm-sync", "pager"))]
    assert joined(*runs, notice("a", 11, key="acme-crm-sync")).joins()["a"] == ("pager:2", "key")


# By text


@pytest.mark.parametrize(
    "text", ["[FIRING] acme / CRM sync", "Acme CRM Sync is down!", "job=acme_crm_sync state=failed", "ACME-CRM-SYNC"]
)
def test_a_name_in_the_text_means_the_newest_failed_run(text: str) -> None:
    runs = [failed(1, 10, **of("acme / CRM sync")), failed(2, 11, **of("globex / CRM sync"))]
    assert joined(*runs, notice("a", 12, title=text)).joins()["a"] == ("toy:1", "text")


def test_of_a_name_inside_another_only_the_longer_is_meant() -> None:
    runs = [failed(1, 10, **of("invoice export")), failed(2, 10, **of("invoice export EU"))]
    texts = [
        notice("long", 12, text="invoice export EU failed"),
        notice("short", 12, text="invoice export failed"),
        notice("both", 12, text="invoice export EU and invoice export failed"),
    ]
    store = joined(*runs, *texts)
    assert store.joins() == {"long": ("toy:2", "text"), "short": ("toy:1", "text"), "both": NOBODY}


def test_names_that_are_words_of_the_language_are_none() -> None:
    runs = [failed(1, 10, **of("deploy")), failed(2, 10, **of("main"))]
    assert joined(*runs, notice("a", 12, text="deploy of main went wrong")).joins()["a"] == NOBODY


def test_a_name_means_no_run_that_succeeded_nor_one_of_long_ago() -> None:
    runs = [failed(1, 10, **of("invoice export")), failed(2, 120, status="succeeded", **of("invoice export"))]
    store = joined(*runs, notice("a", 125, text="invoice export failed"))
    assert store.joins()["a"] == NOBODY
    assert store.rows("select automation_id from notices") == [("toy:invoice export",)]


def test_a_run_that_went_on_after_it_was_reported_is_meant_too() -> None:
    store = joined(
        failed(1, 90, lasted=80, **of("invoice export")), notice("a", 15, text="invoice export: a task failed")
    )
    assert store.joins()["a"] == ("toy:1", "text")


def test_a_silent_failure_can_be_what_a_notice_is_about() -> None:
    bad = step(1, "send", 10, status="failed")
    store = joined(
        failed(1, 10, status="succeeded", **of("invoice export")), bad, notice("a", 12, text="invoice export")
    )
    assert store.joins()["a"] == ("toy:1", "text")


def test_of_several_failed_runs_it_is_the_one_that_ended_nearest_and_not_one_that_began_later() -> None:
    runs = [failed(number, minute, **of("invoice export")) for number, minute in ((1, 10), (2, 12))]
    store = joined(*runs, failed(3, 13, lasted=0, **of("invoice export")), notice("a", 12.8, text="invoice export"))
    assert store.joins()["a"] == ("toy:2", "text")


def test_two_runs_of_it_that_ended_together_leave_it_open() -> None:
    runs = [failed(number, 10, **of("invoice export")) for number in (1, 2)]
    store = joined(*runs, notice("a", 12, text="invoice export"))
    assert store.joins()["a"] == NOBODY
    assert store.rows("select automation_id from notices") == [("toy:invoice export",)]


# By time


def test_the_only_run_that_failed_just_before_is_meant() -> None:
    store = joined(
        failed(1, 10), failed(2, 10, status="succeeded"), failed(3, 30), notice("a", 12, text="Webhook failed")
    )
    assert store.joins()["a"] == ("toy:1", "time")


def test_two_that_failed_just_before_leave_it_open_whatever_the_tool() -> None:
    store = joined(failed(1, 10), failed(2, 11, tool="airflow"), notice("a", 12, text="Webhook failed"))
    assert store.joins()["a"] == NOBODY


def test_time_does_not_join_what_names_another_automation() -> None:
    store = joined(
        failed(1, 10, **of("CRM sync")), named("Invoice export"), notice("a", 12, text="Invoice export failed")
    )
    assert store.joins()["a"] == NOBODY


@pytest.mark.parametrize("kind", joins.WRITTEN_BY_PEOPLE)
def test_what_a_person_wrote_is_not_joined_by_time(kind: str) -> None:
    assert joined(failed(1, 10), notice("a", 12, kind=kind)).joins()["a"] == NOBODY


@pytest.mark.parametrize(("minute", "is_joined"), [(8.9, False), (9.1, True), (14.9, True), (15.1, False)])
def test_the_window_is_five_minutes_and_one_for_clocks_that_differ(minute: float, is_joined: bool) -> None:
    store = joined(failed(1, 10), notice("a", minute))
    assert (store.joins()["a"] == ("toy:1", "time")) is is_joined


def test_a_notice_without_a_time_is_kept_and_not_joined() -> None:
    assert joined(failed(1, 10), notice("a", None, text="toy:1")).joins()["a"] == NOBODY


@pytest.mark.parametrize(
    "text",
    [
        "%ff%fe",
        "run %E4%B8 /%zz?%=&#",
        "http://[::1/\x00/executions/13",
        "execution 1' or '1'='1",
        "\\" * 4000,
        "run 1 " * 700,
        "🤖" * 900,
        "-" * 4000,
    ],
)
def test_hostile_texts_join_nothing_and_stop_nothing(text: str) -> None:
    runs = [failed(1, 10, **of("--")), failed(13, 10, **of("'; drop table runs; --")), failed(2, 200)]
    assert joined(*runs, notice("a", 11, key=text, title=text, text=text)).joins()["a"] == NOBODY


def test_hostile_times_stop_nothing() -> None:
    far, early = datetime(9999, 12, 31, tzinfo=UTC), datetime(1, 1, 2, tzinfo=UTC)
    runs = [failed(1, 10), failed(2, 20, started_at=early, ended_at=far), failed(3, 20, started_at=far, ended_at=early)]
    store = joined(*runs, notice("a", 12, sent_at=far), notice("b", 12, sent_at=early), notice("c", 12))
    assert store.joins() == {"a": NOBODY, "b": NOBODY, "c": ("toy:1", "time")}


# Notices themselves


def test_the_client_is_the_runs_and_nobodys_without_a_run() -> None:
    runs = [failed(1, 10, **of("acme import")), failed(2, 40, **of("globex import"))]
    texts = [
        notice("a", 12, text="acme import"),
        notice("b", 42, text="globex import"),
        notice("c", 200, text="acme import"),
    ]
    store = joined(*runs, *texts, rules=[("acme", "acme*"), ("globex", "globex*")])
    found = store.rows("select notice_id, client from notices order by 1")
    assert found == [("pager:a", "acme"), ("pager:b", "globex"), ("pager:c", None)]


def test_it_was_acknowledged_when_it_first_was_and_the_newest_word_on_its_end_counts() -> None:
    told = [
        notice("a", 10),
        notice("a", 10, acknowledged_at=at(30)),
        notice("a", 10, acknowledged_at=at(20), resolved_at=at(50)),
    ]
    store = joined(*told, notice("b", 10))
    found = store.rows("select acknowledged_at, resolved_at from notices order by notice_id")
    assert found == [(at(20), at(50)), (None, None)]


# Changes


def test_a_change_finds_its_run_by_id_and_takes_that_runs_automation() -> None:
    store = joined(
        failed("9876543210", 10, status="succeeded", lasted=5, **of("Deploy")),
        change("a", 9, text="https://github.example/acme/shop/actions/runs/9876543210/job/7"),
    )
    assert store.rows("select run_id, automation_id, joined_by from changes") == [
        ("toy:9876543210", "toy:Deploy", "id")
    ]


def test_a_change_finds_its_automation_by_name_and_no_run_by_time() -> None:
    store = joined(
        failed(1, 10, **of("Invoice export")),
        change("a", 11, title="invoice-export 1.4 deployed"),
        change("b", 11, title="Shop 2.0"),
    )
    found = store.rows("select run_id, automation_id, joined_by from changes order by change_id")
    assert found == [(None, "toy:Invoice export", "text"), (None, None, None)]


def test_a_change_that_names_its_automation_keeps_it() -> None:
    own = change("a", 11, automation_id="toy:CRM sync", title="Invoice export")
    store = joined(failed(1, 10, **of("Invoice export")), failed(2, 10, **of("CRM sync")), own)
    assert store.rows("select automation_id, joined_by from changes") == [("toy:CRM sync", None)]


# Any order, and only what can have changed

NIGHT: list[list[Record]] = [
    [
        failed(1, 10, **of("acme / CRM sync")),
        failed(2, 12, **of("globex / CRM sync")),
        failed(13, 14, **of("wf1", "n8n"), tool="n8n"),
    ],
    [named("wf1", "Monthly ledger close", "n8n")],
    [run(1, 20, status="failed", ended_at=at(11)), failed(3, 15, **of("acme / CRM sync"), status="running")],
    [failed(3, 18, **of("acme / CRM sync")), touch(3, "ORD-9"), failed(ODD, 300, tool="airflow")],
    [
        notice("text", 13, text="acme / CRM sync is down"),
        notice("ledger", 16, title="Monthly Ledger Close: execution 13"),
    ],
    [notice("record", 19, text="ORD-9 stuck", record_keys=["order|ORD-9"]), notice("time", 301, text="webhook")],
    [
        notice("text", 13, acknowledged_at=at(15)),
        notice("none", 13, text="something"),
        notice("id", 320, text=f"run {ODD}"),
    ],
    [change("a", 13, title="Monthly ledger close v2"), failed(4, 302, tool="late", status="running")],
    [failed(4, 303, tool="late", status="succeeded", observed_at=at(310))],
]


def test_any_order_of_files_and_any_split_into_ingestions_joins_the_same() -> None:
    store = emptied()
    store.take_files(*NIGHT)
    assert store.joins() == {
        "id": (f"airflow:{ODD}", "id"),
        "ledger": ("n8n:13", "id"),
        "none": NOBODY,
        "record": ("toy:3", "key"),
        "text": ("toy:1", "text"),
        "time": (f"airflow:{ODD}", "time"),
    }
    expected = store.everything()
    for seed in range(3):
        order = random.Random(seed)  # noqa: S311
        files = order.sample(NIGHT, len(NIGHT))
        store = emptied()
        while files:
            n = order.randint(1, len(files))
            store.take_files(*files[:n])
            files = files[n:]
        assert store.everything() == expected, f"seed {seed}"


def test_a_run_that_comes_later_makes_a_join_by_time_doubtful() -> None:
    store = joined(failed(1, 10), notice("a", 12))
    assert store.joins()["a"] == ("toy:1", "time")
    store.take_files([failed(2, 11)])
    assert store.joins()["a"] == NOBODY


def test_an_automation_that_becomes_known_later_takes_a_join_by_time_away() -> None:
    store = joined(failed(1, 10), notice("a", 12, text="Invoice export failed"))
    assert store.joins()["a"] == ("toy:1", "time")
    store.take_files([named("Invoice export")])
    assert store.joins()["a"] == NOBODY


def test_joining_that_was_killed_is_made_up_for_by_the_next_ingestion(monkeypatch: pytest.MonkeyPatch) -> None:
    store = emptied()
    with monkeypatch.context() as killed:
        killed.setattr(joins, "are_due", lambda _: False)
        store.take_files([failed(1, 10)], [notice("a", 12)])
    assert store.joins()["a"] == NOBODY
    store.take_files([failed(2, 9 * 24 * HOUR)])
    assert store.joins()["a"] == ("toy:1", "time")


def test_nothing_is_read_again_where_nothing_changed() -> None:
    store = joined(failed(1, 10), notice("a", 12))
    assert not joins.are_due(store.con)
    store.take_files([])
    assert not joins.are_due(store.con)


def test_a_ledger_without_notices_is_never_joined() -> None:
    assert not joins.are_due(joined(failed(1, 10)).con)


def test_only_notices_near_what_changed_are_looked_at_again() -> None:
    store = joined(failed(1, 10), notice("a", 12), failed(2, 30 * 24 * HOUR), notice("b", 30 * 24 * HOUR + 1))
    store.take_files([failed(3, 30 * 24 * HOUR - 10)])
    assert store.rows("select item from items") == [("pager:b",)]


# What another system wrote down of a real night: n8n's alerts as the called API received them, each with the execution it was about


def _as_alerts(file: Path, **parts: Callable[[dict[str, Any]], str]) -> dict[str, str]:
    """The alerts as PagerDuty would list them, each once for every way of telling; alert -> the run that n8n told it about."""
    sent = [
        line for line in map(json.loads, ALERTED.read_text(encoding="utf-8").splitlines()) if line["path"] == "/alerts"
    ]
    alerts = [
        {
            "id": f"{name}-{number}",
            "alert_key": None,
            "status": "triggered",
            "created_at": line["ts"],
            "summary": told(line["body"]),
        }
        for name, told in parts.items()
        for number, line in enumerate(sent)
    ]
    file.write_text(json.dumps({"alerts": alerts}), encoding="utf-8")
    return {
        f"{name}-{number}": f"n8n:{line['body']['execution']}" for name in parts for number, line in enumerate(sent)
    }


@needs_shared
def test_eighteen_real_alerts_find_their_runs_by_id_and_address_and_never_a_wrong_one_by_name(tmp_path: Path) -> None:
    about = _as_alerts(
        tmp_path / "alerts.json",
        address=lambda body: body["url"],
        words=lambda body: f"{body['workflow']}: execution {body['execution']} failed at {body['node']}",
        name=lambda body: f"{body['workflow']} failed: {body['error']}",
        error=lambda body: str(body["error"]),
    )
    database = HERE.parent / "adapters" / "n8n" / "database.sqlite.gz"
    with ingested(tmp_path / "project", [tmp_path / "alerts.json", database]) as ledger:
        found = rows(
            ledger,
            "select replace(notice_id, 'pagerduty:notice/', ''), run_id, joined_by from notices where kind = 'alert'",
        )
    verdicts = Counter(
        (str(name).partition("-")[0], how, run_id and run_id == about[str(name)]) for name, run_id, how in found
    )
    assert verdicts == {
        ("address", "id", True): 18,
        ("words", "id", True): 18,
        ("name", "text", True): 14,
        ("name", None, None): 4,  # of the two runs of one workflow that crashed together
        ("error", None, None): 18,  # never only one run failed just before
    }


def test_a_record_named_in_an_alert_is_found_among_what_the_runs_of_another_tool_touched(tmp_path: Path) -> None:
    toml = '[[records]]\nentity = "order"\npattern = "ORD-[0-9]+"\n'
    alert = {"alert_key": "7", "status": "triggered", "created_at": "2026-11-23T02:20:00Z"}
    texts = {"A": "Invoice export: ORD-1013 was not invoiced", "B": "Invoice export: ORD-1014 was not invoiced"}
    file = tmp_path / "alerts.json"
    file.write_text(
        json.dumps({"alerts": [{**alert, "id": one, "summary": text} for one, text in texts.items()]}), encoding="utf-8"
    )
    runs = sorted((HERE.parent / "adapters" / "airflow").glob("dagRuns.offset*.json"))
    with ingested(tmp_path / "project", [file, *runs], toml) as ledger:
        found = rows(
            ledger,
            "select right(notice_id, 1), joined_by, entity_key from notices join touches using (run_id) where entity_type = 'order' order by 1",
        )
    assert found == [("A", "key", "ORD-1013"), ("B", "key", "ORD-1014")]

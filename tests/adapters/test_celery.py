"""Celery against what was captured from 5.7.0: events, result backends, dump and logs of the same tasks, in `celery/`."""

from __future__ import annotations

import gzip
import json
import pickle
import random
import sqlite3
from pathlib import Path

import pytest
from support import ingested, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "celery"
BACKENDS = [FOLDER / name for name in ("results_extended.sqlite.gz", "redis_backend_values.jsonl")]
LOGS = sorted(FOLDER.glob("worker_*.log.gz"))
EVENTS = FOLDER / "events_raw.jsonl.gz"
EVERYTHING = [EVENTS, *BACKENDS, *LOGS, FOLDER / "state_tasks.jsonl.gz", FOLDER / "redis_queue_nobody_message.json"]
CALLS = [
    call
    for name in ("calls", "orphan", "pending", "partB")
    for call in json.loads((FOLDER / f"truth_{name}.json").read_text())
    if isinstance(call[1], str)
]

# What was caused -> what its run has to be. A group is no task and has no run.
TRUTH = {
    "success": "succeeded",
    "success kwargs": "succeeded",
    "failure": "failed",
    "failure ValueError": "failed",
    "failure ValueError unicode": "failed",
    "failure TypeError bad call": "failed",
    "retry then success": "succeeded",
    "retry x1 then success": "succeeded",
    "retry x2 then success": "succeeded",
    "retries exhausted": "failed",
    "manual retry exhausted CrmError": "failed",
    "soft time limit -> failure": "timed_out",
    "soft time limit handled -> success": "partial",  # it returned {"status": "error", "error": ...}
    "hard time limit -> failure": "timed_out",
    "revoked": "cancelled",
    "revoked before start": "cancelled",
    "expired -> revoked": "cancelled",
    "terminated while running": "cancelled",
    "worker child killed": "crashed",
    "rejected": "failed",
    "ignored (Ignore raised)": "running",
    "fire and forget": "succeeded",
    "progress": "succeeded",
    "progress custom state": "succeeded",
    "unknown task": "failed",
    "eta success": "succeeded",
    "unserializable result": "failed",
    "chain ok (last)": "succeeded",
    "chain broken: 2nd never runs": "skipped",
    "  its failing parent": "failed",
    "group of 3": None,
    "chord ok": "succeeded",
    "chord with failing member": "skipped",
    "acks_late, longer than visibility_timeout=8s: delivered twice": "succeeded",
    "running when the worker was SIGKILLed": "running",
    "published, no worker ever takes it": "queued",
}
WITHOUT_EVENTS = ("chain broken: 2nd never runs", "chord with failing member")
WITHOUT_A_ROW = ("fire and forget", "published, no worker ever takes it")

CLIENTS = """
[[clients]]
id = "acme"
name = "Acme"
runs = [{ source = "celery", path = "client", equals = "acme" }]

[[records]]
entity = "order"
pattern = 'ORD-\\d+'
"""


def id_of(caused: str) -> str:
    """The task that this was caused with."""
    return next(task for what, task in CALLS if what == caused)


def became(ledger: Ledger) -> dict[str, object]:
    return {str(task): status for task, status in rows(ledger, "select native_id, status from runs")}


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("events"), [EVENTS], CLIENTS)


@pytest.fixture(scope="module")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("backends"), BACKENDS)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("everything"), EVERYTHING)


@pytest.mark.parametrize("what", sorted(TRUTH))
def test_events_tell_what_was_caused(events: Ledger, what: str) -> None:
    found = became(events)
    expected = None if what in WITHOUT_EVENTS else TRUTH[what]
    assert {found.get(task) for caused, task in CALLS if caused == what} == {expected}


@pytest.mark.parametrize("what", sorted(TRUTH))
def test_result_backends_tell_what_was_caused(backends: Ledger, what: str) -> None:
    found = became(backends)
    expected = None if what in WITHOUT_A_ROW else TRUTH[what]
    assert {found.get(task) for caused, task in CALLS if caused == what} == {expected}


def test_all_files_together_tell_what_was_caused_and_each_task_once(everything: Ledger) -> None:
    found = became(everything)
    wrong = {what: found.get(task) for what, task in CALLS if found.get(task) != TRUTH[what]}
    assert wrong == {}
    assert rows(everything, "select count(*) from runs") == [(51,)]  # 49 have events, two only a row


def test_the_backend_counts_what_it_said_itself(backends: Ledger) -> None:
    found = rows(
        backends, "select split_part(status_raw, '|', 1), count(*) from runs where ended_at::VARCHAR < '2026-11-23 03:15' or ended_at is null group by 1 order by 1"
    )  # fmt: skip
    assert found == [("FAILURE", 15 + 2), ("REVOKED", 3 + 1), ("STARTED", 2), ("SUCCESS", 20 + 4)]


def test_every_event_is_mapped_but_those_of_workers_and_a_task_of_its_own(tmp_path: Path) -> None:
    result = take_in(tmp_path, [EVENTS])
    assert (result.records_read, result.set_aside, result.rejects) == (304, 77 + 11, 0)
    assert result.mapped == 56 + 54 + 51 + 27 + 16 + 7 + 4 + 1


def test_a_retry_is_another_attempt_of_the_same_run_though_its_events_come_out_of_order(events: Ledger) -> None:
    def attempts(caused: str) -> list[tuple[object, ...]]:
        return rows(
            events,
            f"select steps.attempt, steps.status from steps join runs using (run_id) where native_id = '{id_of(caused)}' order by 1",
        )

    assert attempts("retry x1 then success") == [(1, "failed"), (2, "succeeded")]
    assert attempts("retry x2 then success") == [(1, "failed"), (2, "failed"), (3, "succeeded")]
    assert attempts("retries exhausted") == [(1, "failed"), (2, "failed"), (3, "failed")]
    assert attempts("retry then success") == [(1, "failed"), (2, "succeeded")]
    followed = "select 1 from steps later where later.run_id = steps.run_id and later.attempt > steps.attempt"
    assert rows(events, f"select status, count(*) from steps where exists ({followed}) group by 1") == [("failed", 7)]


def test_attempts_have_their_own_times_and_the_run_those_of_the_first_start_and_the_last_end(events: Ledger) -> None:
    task = id_of("retry x1 then success")
    query = f"""select epoch(min(steps.started_at)) = epoch(min(runs.started_at)), epoch(max(steps.ended_at)) = epoch(max(runs.ended_at)),
        bool_and(steps.ended_at > steps.started_at) from steps join runs using (run_id) where native_id = '{task}'"""
    assert rows(events, query) == [(True, True, True)]


def test_a_hard_time_limit_fails_twice_and_is_one_timeout(events: Ledger) -> None:
    task = id_of("hard time limit -> failure")
    query = f"select status, error_type, error_message, ended_at::VARCHAR from runs where native_id = '{task}'"
    assert rows(events, query) == [("timed_out", "TimeLimitExceeded", "2", "2026-11-23 02:13:48.102043+00")]
    assert rows(events, f"select count(*) from steps join runs using (run_id) where native_id = '{task}'") == [(1,)]


def test_never_run_links_of_a_chain_are_skipped_and_carry_no_failure_of_their_own(backends: Ledger) -> None:
    query = (
        f"""select status, error_type, had_failed_step from runs where native_id in ('{id_of(WITHOUT_EVENTS[0])}')"""
    )
    assert rows(backends, query) == [("skipped", None, None)]


def test_what_never_started_has_no_attempt(events: Ledger) -> None:
    for caused in ("revoked before start", "expired -> revoked", "published, no worker ever takes it"):
        query = f"select started_at, (select count(*) from steps where steps.run_id = runs.run_id) from runs where native_id = '{id_of(caused)}'"
        assert rows(events, query) == [(None, 0)]


def test_a_retried_task_is_not_its_own_parent_and_a_link_of_a_chain_has_the_one_before(everything: Ledger) -> None:
    assert rows(everything, "select count(*) from runs where parent_run_id = run_id") == [(0,)]
    link = id_of("chain ok (last)")
    query = f"select parent.automation from runs join runs parent on parent.run_id = runs.parent_run_id where runs.native_id = '{link}'"
    assert rows(everything, query) == [("agency.crm_sync",)]


def test_the_backend_knows_the_children_of_a_task(backends: Ledger) -> None:
    assert rows(
        backends, f"select parent_run_id is not null from runs where native_id = '{id_of('chain ok (last)')}'"
    ) == [(True,)]


def test_events_and_backend_word_an_error_alike(events: Ledger, backends: Ledger) -> None:
    query = "select native_id, error_type, error_message from runs where status in ('failed', 'timed_out', 'crashed')"
    by_events, by_backend = ({row[0]: row[1:] for row in rows(ledger, query)} for ledger in (events, backends))
    assert len(by_backend) == 15  # with those of Redis, without the two that never ran
    different = {task for task, error in by_backend.items() if by_events[task] != error}
    assert different == {
        id_of("rejected")
    }  # events carry the warning of the worker, the backend the arguments of Reject


def test_a_time_without_zone_gives_way_to_that_of_an_event_and_is_flagged(everything: Ledger, backends: Ledger) -> None:
    task = id_of("failure ValueError")
    query = f"select ended_at::VARCHAR, tz_assumed from runs where native_id = '{task}'"
    assert rows(backends, query) == [("2026-11-23 03:13:45.127527+00", True)]
    assert rows(everything, query)[0][0] == "2026-11-23 02:13:45.214156+00"


def test_the_zone_of_the_source_corrects_a_database(tmp_path: Path) -> None:
    toml = '[[sources]]\nname = "celery"\ntool = "celery"\ntime_zone = "Europe/Berlin"\n'
    ledger = ingested(tmp_path, BACKENDS[:1], toml)
    task = id_of("failure ValueError")
    assert rows(ledger, f"select ended_at::VARCHAR from runs where native_id = '{task}'") == [
        ("2026-11-23 02:13:45.127527+00",)
    ]


def test_any_order_of_the_files_gives_the_same_ledger(everything: Ledger, tmp_path: Path) -> None:
    files = random.Random(3).sample(EVERYTHING, len(EVERYTHING))  # noqa: S311  a shuffle, no secret
    ledger = ingested(tmp_path, files)
    for query in ("select * from runs order by run_id", "select * from steps order by step_id"):
        assert rows(ledger, query) == rows(everything, query)


def test_the_dump_of_events_tells_the_same_as_the_events(events: Ledger, tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "celery_events_dump.txt.gz"], CLIENTS)
    query = "select native_id, automation, status, error_type, error_message, round(duration_s, 3), parent_run_id, client from runs order by 1"
    assert rows(ledger, query) == rows(events, query)
    assert rows(ledger, "select step_id, status from steps order by 1") == rows(
        events, "select step_id, status from steps order by 1"
    )


def test_arguments_and_results_give_client_and_order(events: Ledger) -> None:
    assert rows(events, f"select client from runs where native_id = '{id_of('success')}'") == [("acme",)]
    assert ("ORD-1001",) in rows(events, "select distinct entity_key from touches")


def test_workers_logs_know_what_was_ignored_but_not_which_process_was_lost(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [*LOGS, FOLDER / "beat.log"])
    found = became(ledger)
    differ = {what: found.get(task) for what, task in CALLS if found.get(task) != TRUTH[what]}
    assert differ == {
        "ignored (Ignore raised)": "skipped",
        "worker child killed": "queued",
        "running when the worker was SIGKILLed": "queued",
        "published, no worker ever takes it": None,
        **dict.fromkeys(WITHOUT_EVENTS),
    }
    assert rows(ledger, "select distinct reason from set_aside") == [("lines outside any task",)]
    assert rows(ledger, "select bool_and(tz_assumed), count(*) from steps right join runs using (run_id)")[0][0] is True


def test_a_task_that_flower_keeps_has_its_last_state_only(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "flower_tasks.json"])
    found = rows(
        ledger,
        "select status, (select max(attempt) from steps where steps.run_id = runs.run_id) from runs order by native_id",
    )
    assert sorted(found, key=str) == sorted(
        [("failed", 1), ("failed", 3), ("cancelled", None), ("queued", None), ("succeeded", 1)], key=str
    )


def test_every_state_has_its_word_and_a_tasks_own_is_unknown(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "words.jsonl"])
    assert dict(rows(ledger, "select status_raw, status from runs")) == {
        "PENDING": "queued",
        "RECEIVED": "queued",
        "STARTED": "running",
        "PROGRESS": "running",
        "RETRY": "waiting",
        "SUCCESS": "succeeded",
        "FAILURE": "failed",
        "FAILURE|SoftTimeLimitExceeded": "timed_out",
        "FAILURE|TimeLimitExceeded": "timed_out",
        "FAILURE|WorkerLostError": "crashed",
        "FAILURE|ChordError": "skipped",
        "REVOKED": "cancelled",
        "REJECTED": "failed",
        "IGNORED": "skipped",
        "MY_OWN": "unknown",
    }


OLD = [FOLDER / f"old536_{name}.gz" for name in ("results.sqlite", "events.jsonl", "worker.log")]
OLD_OUTCOMES = [
    ("cancelled", None, "revoked"),
    ("failed", "ValueError", "invoice for ORD-2 of globex has no positive total: None"),
    ("succeeded", None, None),
    ("succeeded", None, None),
    ("timed_out", "TimeLimitExceeded", "2"),
]


def test_pickled_results_are_read_without_loading_them(tmp_path: Path) -> None:
    toml = CLIENTS.replace(r"ORD-\d+", r"ORD-\d")
    ledger = ingested(tmp_path, OLD[:1], toml)
    assert rows(ledger, "select status, error_type, error_message from runs order by all") == OLD_OUTCOMES
    assert rows(ledger, "select distinct entity_key from touches order by 1") == [("ORD-1",), ("ORD-2",), ("ORD-3",)]
    assert rows(ledger, "select bool_and(tz_assumed), min(ended_at)::VARCHAR from runs") == [
        (True, "2026-11-23 07:47:11.183288+00")
    ]


def test_celery_5_3_tells_the_same_of_its_tasks_and_with_its_events_the_attempts(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, OLD)
    assert rows(ledger, "select status, error_type, error_message from runs order by all") == OLD_OUTCOMES
    query = "select list(steps.status order by steps.attempt) from steps join runs using (run_id) where automation = 'agency.enrich_lead'"
    assert rows(ledger, query) == [(["failed", "succeeded"],)]


def test_the_table_as_csv_tells_the_same_as_the_database(tmp_path: Path) -> None:
    query = "select * exclude (first_seen_at, last_seen_at) from runs order by run_id"
    by_csv = ingested(tmp_path / "csv", [FOLDER / "old536_results.csv"])
    assert rows(by_csv, query) == rows(ingested(tmp_path / "database", OLD[:1]), query)


class Bomb:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.mkdir, (self.folder,)  # type: ignore[return-value]


def test_a_hostile_pickle_does_nothing_and_a_broken_one_costs_no_record(tmp_path: Path) -> None:
    database = tmp_path / "results.sqlite"
    database.write_bytes(gzip.decompress((FOLDER / "old536_results.sqlite.gz").read_bytes()))
    connection = sqlite3.connect(database)
    connection.execute("update celery_taskmeta set result = ? where id = 1", (pickle.dumps(Bomb(tmp_path / "loaded")),))
    connection.execute("update celery_taskmeta set result = ? where id = 4", (b"\x80\x05\x95\xff\xff",))
    connection.commit()
    connection.close()
    ledger = ingested(tmp_path / "project", [database])
    assert not (tmp_path / "loaded").exists()
    found = [status for (status,) in rows(ledger, "select status from runs order by 1")]
    assert found == [
        "cancelled",
        "failed",
        "failed",
        "succeeded",
        "succeeded",
    ]  # the time limit cannot be read any more


def test_the_results_of_django_have_starts_too(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "django_results.sqlite.gz"])
    assert rows(ledger, "select automation, status, duration_s, error_message from runs order by 1") == [
        ("agency.crm_sync", "succeeded", 0.5, None),
        ("agency.invoice_export", "failed", 0.15, "no total"),
    ]


def test_keys_of_redis_tell_the_same_as_their_values(tmp_path: Path) -> None:
    by_key = ingested(tmp_path / "keys", [FOLDER / "redis_keys.json"])
    by_value = ingested(tmp_path / "values", BACKENDS[1:])
    assert rows(by_key, "select * from runs order by run_id") == rows(by_value, "select * from runs order by run_id")


def lines_of_events() -> list[str]:
    return gzip.decompress(EVENTS.read_bytes()).decode().splitlines()


def test_files_cut_between_attempts_count_them_on(tmp_path: Path) -> None:
    task = id_of("retry x2 then success")
    lines = [line for line in lines_of_events() if task in line]
    first_retry = next(number for number, line in enumerate(lines) if "task-retried" in line)
    for name, part in (("early", lines[: first_retry + 1]), ("late", lines[first_retry + 1 :])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(part))
    for order in (["early", "late"], ["late", "early"]):
        ledger = ingested(tmp_path / "-".join(order), [tmp_path / f"{name}.jsonl" for name in order])
        assert rows(ledger, "select status, (select list(status order by attempt) from steps) from runs") == [
            ("succeeded", ["failed", "failed", "succeeded"])
        ]


def test_a_late_word_of_sending_and_a_foreign_clock_change_no_outcome(tmp_path: Path) -> None:
    task = id_of("success")
    told = [json.loads(line) for line in lines_of_events() if task in line]
    for event in told:
        event["utcoffset"] = -1  # of the worker's zone: the time is an epoch anyway
        if event["type"] == "task-sent":
            event["timestamp"] += 5
    (tmp_path / "events.jsonl").write_text("\n".join(json.dumps(event) for event in told))
    ledger = ingested(tmp_path / "project", [tmp_path / "events.jsonl"])
    assert rows(ledger, "select status, started_at::VARCHAR from runs") == [
        ("succeeded", "2026-11-23 02:13:44.817216+00")
    ]


def test_damaged_lines_are_rejects_and_an_event_without_its_task_too(tmp_path: Path) -> None:
    lines = lines_of_events()[:40]
    nameless = json.loads(next(line for line in lines if "task-started" in line))
    del nameless["uuid"]
    (tmp_path / "events.jsonl").write_text("\n".join([*lines, json.dumps(nameless), lines[5][:80]]))
    result = take_in(tmp_path / "project", [tmp_path / "events.jsonl"])
    assert (result.records_read, result.rejects) == (42, 2)


def test_a_golden_run(events: Ledger) -> None:
    assert rows(
        events,
        f"""select run_id, tool, automation_id, role, attempt, queued_at::VARCHAR, started_at::VARCHAR, ended_at::VARCHAR, duration_s,
        correlation_id, tz_assumed from runs where native_id = '{id_of("success")}'""",
    ) == [
        (
            "celery:24b69342-f4a4-4903-b9aa-9cbe89701584",
            "celery",
            "celery:agency.crm_sync",
            "work",
            1,
            "2026-11-23 02:13:44.75338+00",
            "2026-11-23 02:13:44.817216+00",
            "2026-11-23 02:13:45.583006+00",
            0.782031821000146,
            "24b69342-f4a4-4903-b9aa-9cbe89701584",
            False,
        )
    ]


def test_the_result_that_flower_shows_of_a_task_has_its_state(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(
        json.dumps({"task-id": "c60be250", "state": "FAILURE", "result": "ValueError('x')"})
    )
    ledger = ingested(tmp_path / "project", [tmp_path / "result.json"])
    assert rows(ledger, "select native_id, status, error_message from runs") == [
        ("c60be250", "failed", "ValueError('x')")
    ]


@pytest.mark.parametrize(("name", "before"), [("flower_tasks.json", 3), ("redis_keys.json", 4)])
def test_an_object_of_tasks_that_is_cut_off_gives_those_before_the_cut(name: str, before: int, tmp_path: Path) -> None:
    whole = (FOLDER / name).read_text()
    (tmp_path / name).write_text(whole[: len(whole) * 2 // 3])
    [file] = take_in(tmp_path / "project", [tmp_path / name]).files
    assert (file.mapped, file.rejects) == (before, 1)

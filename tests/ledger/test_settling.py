"""Settling: any order, any split and any repetition of the same records gives the same ledger."""

from __future__ import annotations

import itertools
import json
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observed import TOLD, Observed, Record, at, job, run, step, touch
from support import take_in

import aftershock

LONG = bool(os.environ.get("AFTERSHOCK_LONG"))
RULES = [("acme", "acme *"), ("globex", "globex *"), ("initech", None), ("hooli", "* both")]

few_times = st.integers(0, 4)
maybe_time = st.none() | few_times.map(at)
statuses = st.sampled_from([None, "succeeded", "failed", "running", "queued", "unknown"])
numbers = st.integers(1, 4)
facts = st.fixed_dictionaries(
    {},
    optional={
        "rank": st.sampled_from([0, 0, 1]),
        "status": statuses,
        "status_raw": st.sampled_from([None, "ok", "OK", "err"]),
        "attempt": st.sampled_from([None, 1, 2]),
        "role": st.sampled_from([None, "work", "manual"]),
        "trigger": st.sampled_from([None, "cron", "api"]),
        "queued_at": maybe_time,
        "started_at": maybe_time,
        "ended_at": maybe_time,
        "duration_s": st.sampled_from([None, 1.0, 2.0]),
        "items_in": st.sampled_from([None, 0, 1]),
        "items_out": st.sampled_from([None, 0, 1]),
        "version": st.sampled_from([None, "1", "2"]),
        "correlation_id": st.sampled_from([None, "c"]),
        "error_type": st.sampled_from([None, "E", "F"]),
        "error_message": st.sampled_from([None, "boom", "bang"]),
        "fingerprint": st.sampled_from([None, "f1", "f2"]),
        "tz_assumed": st.sampled_from([None, True, False]),
        "clients": st.sampled_from([None, [], ["initech"]]),
        "job": st.integers(1, 2),
        "parent_run_id": st.sampled_from([None, 1, 2, "*/1", "*/3", "*/gone"]),
    },
)
run_records = st.builds(
    lambda number, seen, more, retry: run(number, seen, **more, retry_of=retry if retry != number else None),
    numbers,
    few_times,
    facts,
    st.none() | numbers,
)
step_facts = st.fixed_dictionaries(
    {},
    optional={
        "rank": st.sampled_from([0, 0, 1]),
        "status": statuses,
        "started_at": maybe_time,
        "ended_at": maybe_time,
        "duration_s": st.sampled_from([None, 1.0]),
        "items_in": st.sampled_from([None, 0, 1]),
        "items_out": st.sampled_from([None, 0, 1]),
        "system": st.sampled_from([None, "crm", "erp"]),
        "kind": st.sampled_from([None, "http"]),
        "error_message": st.sampled_from([None, "boom", "bang"]),
    },
)
step_records = st.builds(
    lambda number, key, seen, attempt, more: [run(number, seen), step(number, key, seen, attempt=attempt, **more)],
    numbers,
    st.sampled_from(["a", "b"]),
    few_times,
    st.integers(1, 2),
    step_facts,
)
touch_records = st.builds(
    lambda number, key, seen, moment, client: [
        run(number, seen),
        touch(number, f"{key} {client}", at=moment, client=client, found_by="key order"),
    ],
    numbers,
    st.sampled_from(["o1", "o2"]),
    few_times,
    maybe_time,
    st.sampled_from([None, "globex"]),
)
job_records = st.builds(
    lambda number, seen, name, owner: job(number, seen, name=name, owner=owner),
    st.integers(1, 2),
    few_times,
    st.sampled_from([None, "acme sync", "globex sync", "acme both"]),
    st.sampled_from([None, "ann"]),
)
# What an adapter gives stays together: a step or a touch comes with its run.
pieces = st.lists(
    run_records.map(lambda record: [record]) | step_records | touch_records | job_records.map(lambda record: [record]),
    min_size=1,
    max_size=10,
)


@pytest.fixture(scope="module")
def stores() -> tuple[Observed, Observed]:
    return Observed(RULES), Observed(RULES)


@settings(max_examples=1500 if LONG else 20)
@given(pieces=pieces, chance=st.randoms(use_true_random=False))
def test_any_order_split_and_repetition_settles_the_same(
    stores: tuple[Observed, Observed], pieces: list[list[Record]], chance: random.Random
) -> None:
    once, often = stores
    once.clear()
    often.clear()
    once.take(*itertools.chain(*pieces))
    shuffled = chance.sample(pieces, len(pieces))
    shuffled += chance.sample(pieces, min(2, len(pieces)))
    while shuffled:
        count = chance.randint(1, 5)
        often.take(*itertools.chain(*shuffled[:count]))
        shuffled = shuffled[count:]
    assert often.told() == once.told()


def in_any_order(records: Sequence[Record | Sequence[Record]], query: str) -> list[Any]:
    """The one answer to a query after each order of these records (or groups of them), a file each."""
    store = Observed(RULES)
    answers = []
    for order in itertools.permutations(records):
        store.clear()
        for one in order:
            store.take(*([one] if isinstance(one, tuple) else one))
        answers.append(store.rows(query))
    assert all(answer == answers[0] for answer in answers), answers
    return answers[0]


ROOTS = "select native_id, root_run_id from runs order by 1"


def test_a_queued_run_with_no_start_time_that_is_seen_three_times_is_one_run() -> None:
    store = Observed()
    settled = [store.take(run(1, seen, status="queued", queued_at=at(0))) for seen in (1, 2, 3)]
    assert [one.runs_new for one in settled] == [1, 0, 0]
    assert store.rows("select run_id, status, started_at, is_finished from runs") == [("toy:1", "queued", None, False)]
    assert store.rows("select status, seen_at from status_history") == [("queued", at(1))]


def test_a_chain_of_three_shares_its_root_in_any_order() -> None:
    records = [run(1, 1), run(2, 2, retry_of=1), run(3, 3, retry_of=2)]
    assert in_any_order(records, ROOTS) == [("1", "toy:1"), ("2", "toy:1"), ("3", "toy:1")]


def test_two_retries_of_one_run_share_its_root() -> None:
    records = [run(1, 1), run(2, 2, retry_of=1), run(3, 3, retry_of=1)]
    assert in_any_order(records, ROOTS) == [("1", "toy:1"), ("2", "toy:1"), ("3", "toy:1")]


def test_retries_of_a_run_that_no_file_holds_share_a_root_nevertheless() -> None:
    records = [run(2, 2, retry_of=1), run(3, 3, retry_of=2)]
    assert in_any_order(records, ROOTS) == [("2", "toy:1"), ("3", "toy:1")]


@pytest.mark.timeout(60)
def test_runs_that_retry_one_another_in_a_circle_are_taken_in() -> None:
    records = [run(1, 1, retry_of=3), run(2, 2, retry_of=1), run(3, 3, retry_of=2)]
    assert [native for native, _ in in_any_order(records, ROOTS)] == ["1", "2", "3"]


def test_a_run_that_is_no_retry_after_all_becomes_its_own_root() -> None:
    store = Observed()
    store.take(run(1, 1), run(2, 1, retry_of=1))
    store.con.execute("update run_observations set retry_of = null").fetchall()
    store.take(run(2, 2))
    assert store.rows(ROOTS) == [("1", "toy:1"), ("2", "toy:2")]


def test_an_automation_renamed_later_renames_its_runs() -> None:
    records = [run(1, 1, job=1), job(1, 1, name="Sync"), job(1, 5, name="Sync orders")]
    assert in_any_order(records, "select automation from runs") == [("Sync orders",)]


def test_a_client_rule_applies_when_the_name_arrives_later() -> None:
    records = [run(1, 1, job=1), job(1, 1), job(1, 5, name="ACME sync")]
    query = "select runs.client, automations.client from runs join automations using (automation_id)"
    assert in_any_order(records, query) == [("acme", "acme")]


def test_a_run_that_fits_two_clients_is_shared_and_its_touches_keep_their_client() -> None:
    records = [
        run(1, 1, job=1),
        job(1, 1, name="acme both"),
        [run(1, 2), touch(1, "o1", client="globex"), touch(1, "o2")],
    ]
    query = "select runs.client, shared, entity_key, touches.client from runs join touches using (run_id) order by 3"
    assert in_any_order(records, query) == [(None, True, "o1", "globex"), (None, True, "o2", None)]


def test_of_words_of_the_same_moment_the_finished_one_stands() -> None:
    records = [run(1, 3, status="running"), run(1, 3, status="succeeded"), run(1, 3, status="waiting")]
    assert in_any_order(records, "select status, is_finished from runs") == [("succeeded", True)]


def test_the_newest_word_stands_though_it_be_unfinished() -> None:
    records = [run(1, 1, status="failed"), run(1, 2, status="running")]
    assert in_any_order(records, "select status, is_finished from runs") == [("running", False)]


def test_a_newer_record_that_does_not_say_leaves_what_an_older_one_said() -> None:
    records = [run(1, 1, status="failed", items_out=3, started_at=at(0)), run(1, 2, status="failed")]
    assert in_any_order(records, "select items_out, started_at from runs") == [(3, at(0))]


def test_a_tools_own_record_goes_before_a_newer_word_of_a_secondary_source() -> None:
    records = [run(1, 1, status="succeeded"), run(1, 9, rank=1, status="crashed", error_message="from the log")]
    assert in_any_order(records, "select status, error_message from runs") == [("succeeded", None)]


def test_a_record_that_cannot_say_how_a_run_ended_gives_way_to_one_that_can() -> None:
    records = [run(1, 9, status="unknown"), run(1, 1, rank=1, status="running"), run(1, 2, rank=1, status="succeeded")]
    assert in_any_order(records, "select status, is_finished from runs") == [("succeeded", True)]
    assert in_any_order(records[:2], "select status from runs") == [("unknown",)]


def test_a_success_whose_last_attempt_of_a_step_failed_is_partial() -> None:
    records = [
        run(1, 1, status="succeeded"),
        [run(1, 1), step(1, "a", 1, status="succeeded")],
        [run(1, 1), step(1, "b", 1, status="failed")],
    ]
    assert in_any_order(records, "select status, had_failed_step from runs") == [("partial", True)]


def test_a_success_whose_failed_step_was_saved_by_its_second_attempt_stays_a_success() -> None:
    records = [
        run(1, 1, status="succeeded"),
        [run(1, 1), step(1, "a", 1, status="failed")],
        [run(1, 2), step(1, "a", 2, attempt=2, status="succeeded")],
    ]
    assert in_any_order(records, "select status, had_failed_step from runs") == [("succeeded", False)]


def test_each_change_of_status_is_one_row_of_history() -> None:
    again = [run(1, 2, status="running"), run(1, 3, status="running")]
    records = [run(1, 1, status="queued"), again, run(1, 4, status="failed")]
    query = "select status, seen_at from status_history order by seen_at"
    assert in_any_order(records, query) == [("queued", at(1)), ("running", at(2)), ("failed", at(4))]


def test_a_parent_named_without_its_scope_is_found_if_only_one_run_has_that_id() -> None:
    records = [run("x/7", 1, native_id="7"), run(2, 1, parent_run_id="*/7")]
    assert in_any_order(records, "select parent_run_id from runs where native_id = '2'") == [("toy:x/7",)]


def test_a_parent_named_without_its_scope_stays_unknown_if_two_runs_have_that_id() -> None:
    records = [run("x/7", 1, native_id="7"), run("y/7", 1, native_id="7"), run(2, 1, parent_run_id="*/7")]
    assert in_any_order(records, "select parent_run_id from runs where native_id = '2'") == [(None,)]


def test_a_run_that_is_told_again_unchanged_does_not_count_as_changed() -> None:
    store = Observed()
    store.take(run(1, 1, status="failed"))
    again = store.take(run(1, 2, status="failed"))
    assert (again.runs_new, again.runs_changed) == (0, 0)


def test_a_run_whose_status_changed_counts_as_changed() -> None:
    store = Observed()
    store.take(run(1, 1, status="running"), run(2, 1, status="failed"))
    again = store.take(run(1, 2, status="failed"), run(2, 2, status="failed"), run(3, 2))
    assert (again.runs_new, again.runs_changed) == (1, 1)


def test_an_automation_of_which_no_file_speaks_any_more_is_gone() -> None:
    store = Observed()
    store.take(job(1, 1, name="Sync"))
    store.con.execute("delete from automation_observations").fetchall()
    store.take(touched_automations=["toy:job1"])
    assert store.rows("from automations") == []


def dag_run(number: int, state: str, minute: int) -> dict[str, Any]:
    """A DAG run as Airflow's API gives it, `minute` minutes into the night; queued ones have not started."""
    started = at(minute).isoformat() if state != "queued" else None
    return {
        "dag_id": f"dag_{number % 2}",
        "dag_run_id": f"run-{number}",
        "state": state,
        "run_type": "manual",
        "triggered_by": "rest_api",
        "queued_at": at(0).isoformat(),
        "start_date": started,
        "end_date": at(minute + 1).isoformat() if state in ("success", "failed") else None,
        "conf": {"order_id": f"ORD-{number}", "parent_run_id": f"run-{number - 1}"},
    }


def task(number: int, key: str, attempt: int, state: str) -> dict[str, Any]:
    """A task instance of a DAG run."""
    times = {"start_date": at(attempt).isoformat(), "end_date": at(attempt + 1).isoformat()}
    names = {"dag_id": f"dag_{number % 2}", "dag_run_id": f"run-{number}", "task_id": key}
    return names | times | {"map_index": -1, "try_number": attempt, "state": state, "operator": "PythonOperator"}


DAG_RUNS = [
    dag_run(number, state, minute)
    for number in range(6)
    for minute, state in enumerate(("queued", "running", "failed" if number == 3 else "success"))
]
TASKS = [
    task(number, key, attempt, "failed" if attempt < tries else last)
    for number in range(6)
    for key, tries, last in (("extract", 2, "success"), ("load", 1, "failed" if number == 4 else "success"))
    for attempt in range(1, tries + 1)
]
PROJECT = """
[[clients]]
id = "acme"
name = "Acme"
runs = [{ automation = "dag_1" }]
[[records]]
entity = "order"
keys = ["order_id"]
"""


def exported(folder: Path, name: str, records: Sequence[dict[str, Any]]) -> Path:
    """An export file; `dag_runs` or `task_instances`, as its records are."""
    kind = "task_instances" if "task_id" in records[0] else "dag_runs"
    file = folder / f"{name}.json"
    file.write_text(json.dumps({kind: records, "total_entries": len(records)}), encoding="utf-8")
    os.utime(file, (at(600).timestamp(), at(600).timestamp()))
    return file


def told_by(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    with aftershock.open(folder) as ledger:
        return {
            table: ledger.sql(f"select {what} from {table} order by all").fetchall() for table, what in TOLD.items()
        }


@pytest.mark.parametrize("seed", range(12 if LONG else 3))
def test_files_in_any_order_and_split_give_the_same_ledger(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  a seeded one is wanted
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    take_in(whole, [exported(tmp_path, "runs", DAG_RUNS), exported(tmp_path, "tasks", TASKS)], PROJECT)
    files = []
    for records in (DAG_RUNS, TASKS):
        shuffled = chance.sample(records, len(records))
        cuts = sorted(chance.sample(range(1, len(records)), 2))
        parts = [shuffled[begin:end] for begin, end in itertools.pairwise([0, *cuts, len(records)])]
        parts.append(chance.sample(records, 4))
        files += [exported(tmp_path, f"part-{len(files) + i}", part) for i, part in enumerate(parts)]
    chance.shuffle(files)
    for file in files:
        take_in(parted, [file], PROJECT)
    take_in(parted, files, PROJECT)
    assert told_by(parted) == told_by(whole)


def test_files_read_again_under_another_configuration_replace_what_they_said(tmp_path: Path) -> None:
    files = [exported(tmp_path, "runs", DAG_RUNS), exported(tmp_path, "tasks", TASKS)]
    take_in(tmp_path / "changed", files, PROJECT)
    take_in(tmp_path / "changed", files, PROJECT.replace("dag_1", "dag_0").replace("order_id", "parent_run_id"))
    take_in(tmp_path / "fresh", files, PROJECT.replace("dag_1", "dag_0").replace("order_id", "parent_run_id"))
    assert told_by(tmp_path / "changed") == told_by(tmp_path / "fresh")
    for query in ("select count(*) from imports", "select source, covers_from, covers_to from coverage"):
        with aftershock.open(tmp_path / "changed") as changed, aftershock.open(tmp_path / "fresh") as fresh:
            assert changed.sql(query).fetchall() == fresh.sql(query).fetchall()


IN_FULL = "select run_id from run_observations order by 1"
FACTS_OF_ONE: tuple[dict[str, Any], ...] = (
    {"status": "succeeded"},
    {"status": "succeeded", "attempt": 1, "role": "work", "duration_s": 2.0},
    {"status": "failed", "error_message": "boom", "fingerprint": "f1", "rank": 1},
    {"status": "running", "started_at": at(1)},
)
FACTS_OF_OTHERS: tuple[dict[str, Any], ...] = (
    {},  # its word is unknown
    {"status": "succeeded", "error_message": "boom", "fingerprint": "f1"},  # an earlier attempt's
    {"status": "running", "ended_at": at(1)},
    {"status": "succeeded", "clients": ["initech"]},
    {"status": "succeeded", "parent_run_id": "*/2"},
)


@pytest.mark.parametrize("facts", FACTS_OF_ONE)
def test_what_one_file_told_of_a_run_is_not_stored_twice(facts: dict[str, Any]) -> None:
    store = Observed()
    store.take(run(1, 1, **facts))
    assert store.rows(IN_FULL) == []
    assert store.rows("select status, seen_at, import_id from status_history") == [(facts["status"], at(1), "i0001")]


@pytest.mark.parametrize("facts", FACTS_OF_OTHERS)
def test_what_settles_otherwise_than_it_was_told_is_stored_as_it_was_told(facts: dict[str, Any]) -> None:
    store = Observed(RULES)
    store.take(run(1, 1, **facts))
    assert store.rows(IN_FULL) == [("toy:1",)]


@pytest.mark.parametrize("first", [*FACTS_OF_ONE, *FACTS_OF_OTHERS])
@pytest.mark.parametrize("role", ["work", "manual"])
def test_a_second_file_finds_the_words_of_the_first(first: dict[str, Any], role: str) -> None:
    later = run(1, 2, role=role, attempt=2, duration_s=7.0, status="failed", version="2")
    once, often = Observed(RULES), Observed(RULES)
    once.take(run(1, 1, **first), later)
    often.take(run(1, 1, **first))
    often.take(later)
    assert often.told() == once.told()
    told = "select * exclude (import_id, write_no) from run_observations order by all"
    assert often.rows(told) == once.rows(told)


def test_of_a_file_with_known_and_new_runs_only_the_known_are_stored_as_they_were_told() -> None:
    store = Observed()
    store.take(run(1, 1, status="succeeded"), run(2, 1, status="succeeded"))
    store.take(run(2, 2, status="failed"), run(3, 2, status="failed"))
    assert store.rows(IN_FULL) == [("toy:2",), ("toy:2",)]
    history = (
        "select native_id, history.status from status_history history join runs using (run_id) order by 1, seen_at"
    )
    assert store.rows(history) == [("1", "succeeded"), ("2", "succeeded"), ("2", "failed"), ("3", "failed")]


def test_a_run_whose_automation_is_renamed_is_still_told_once() -> None:
    store = Observed()
    store.take(run(1, 1, job=1, status="succeeded"), job(1, 1, name="Sync"))
    for seen, name in ((5, "Sync orders"), (6, "Sync invoices")):
        store.take(job(1, seen, name=name))
        assert store.rows("select automation, status from runs") == [(name, "succeeded")]
        assert store.rows(IN_FULL) == [("toy:1",)]

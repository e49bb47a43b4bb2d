"""BullMQ against what was captured from 6.7.0: jobs, queue events and Redis keys of one queue, in `bullmq/`."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from support import ingested, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "bullmq"
JOBS, EARLIER, EVENTS = (FOLDER / f"{name}.jsonl.gz" for name in ("jobs_final", "jobs_before_kill", "queue_events"))
KEYS = FOLDER / "redis_keys_final.json.gz"
EVERYTHING = [JOBS, EARLIER, EVENTS, KEYS]

NOT_SUCCEEDED = {
    "14": "failed",
    "20": "failed",
    "21": "failed",
    "de1f5ef7-2187-473a-bcec-b718598c6aba": "failed",
    "e6a32dcd-0535-405f-9e75-e8fb57ef8bff": "failed",
    "837163c4-1a83-492e-bff2-bc9c07247706": "failed",
    "44": "crashed",  # stalled more often than allowed
    "16": "partial",  # returned an error
    "42": "waiting",
    "45": "running",
    "a5feddef-ef46-4f82-9007-24b7a664d621": "waiting",
}
CLIENTS = """
[[clients]]
id = "globex"
name = "Globex"
runs = [{ source = "bullmq", path = "data.client", equals = "globex" }]

[[records]]
entity = "order"
pattern = '[A-Z]+-3\\d{3}'
"""


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("jobs"), [JOBS], CLIENTS)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("events"), [EVENTS])


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("everything"), EVERYTHING)


def became(ledger: Ledger) -> dict[object, object]:
    return dict(rows(ledger, "select native_id, status from runs"))  # type: ignore[arg-type]


def attempts(ledger: Ledger, job: str) -> list[object]:
    query = f"""select steps.attempt, steps.status from steps join runs using (run_id) where native_id = '{job}' order by 1"""
    found = rows(ledger, query)
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    return [status for _, status in found]


def test_jobs_count_as_bullmq_counts_them(jobs: Ledger) -> None:
    found = rows(jobs, "select split_part(status_raw, '|', 1), count(*) from runs group by 1 order by 1")
    assert found == [("active", 1), ("completed", 31), ("delayed", 1), ("failed", 7), ("waiting-children", 1)]


@pytest.mark.parametrize("name", ["jobs", "events", "everything"])
def test_every_export_tells_what_became_of_each_job(name: str, request: pytest.FixtureRequest) -> None:
    found = became(request.getfixturevalue(name))
    assert {job: status for job, status in found.items() if status != "succeeded"} == NOT_SUCCEEDED


def test_the_same_job_of_jobs_events_and_keys_is_one_run(everything: Ledger) -> None:
    assert rows(everything, "select count(*) from runs") == [(43,)]  # the 41 that are kept, 26 and 27


def test_jobs_that_were_removed_at_once_are_known_from_their_events(jobs: Ledger, events: Ledger) -> None:
    assert became(events).keys() - became(jobs).keys() == {"26", "27"}


def test_each_time_a_worker_takes_a_job_up_is_an_attempt(everything: Ledger, events: Ledger) -> None:
    for ledger in (everything, events):
        assert attempts(ledger, "13") == ["failed", "failed", "succeeded"]
        assert attempts(ledger, "14") == ["failed", "failed", "failed"]
        assert attempts(ledger, "15") == ["failed", "succeeded"]  # retried by hand, 25 s later
        assert attempts(ledger, "43") == ["crashed", "succeeded"]  # stalled once
        assert attempts(ledger, "44") == ["crashed", "crashed", "crashed"]


def test_jobs_alone_know_earlier_attempts_by_their_stacks_but_not_those_that_stalled(jobs: Ledger) -> None:
    query = "select steps.attempt, steps.error_type, steps.error_message from steps join runs using (run_id) where native_id = '{}' order by 1"
    assert rows(jobs, query.format("14")) == [
        (1, "Error", "HTTP 500 from /crm/acme/contacts for ACME-3010"),
        (2, "Error", "HTTP 429 from /crm/acme/contacts for ACME-3010"),
        (3, "Error", "HTTP 500 from /crm/acme/contacts for ACME-3010"),
    ]
    assert [row[0] for row in rows(jobs, query.format("43"))] == [2]
    assert [row[0] for row in rows(jobs, query.format("44"))] == [3]


def test_a_failure_that_a_later_attempt_saved_is_no_error_of_the_run(everything: Ledger) -> None:
    assert rows(everything, "select error_message from runs where native_id in ('13', '15', '43')") == [(None,)] * 3


def test_a_success_that_returned_an_error_is_partial_and_one_that_only_says_so_in_its_own_words_is_not(
    jobs: Ledger,
) -> None:
    assert rows(
        jobs, "select native_id, status, error_message from runs where native_id in ('16', '17', '18') order by 1"
    ) == [
        ("16", "partial", "DUPLICATE_VALUE: email already exists"),
        ("17", "succeeded", None),
        ("18", "succeeded", None),
    ]


def test_children_have_their_parents_and_a_stuck_parent_stays_unfinished(jobs: Ledger) -> None:
    query = """select split_part(parent.native_id, '-', 1), parent.status, list(child.status order by child.status)
        from runs child join runs parent on parent.run_id = child.parent_run_id group by all order by 1"""
    assert rows(jobs, query) == [
        ("57c5ed9b", "succeeded", ["succeeded", "succeeded"]),
        ("a5feddef", "waiting", ["failed"]),
        ("e6a32dcd", "failed", ["failed", "succeeded"]),
    ]


def test_a_second_adding_is_no_second_run_and_a_planned_job_is_none(tmp_path: Path, jobs: Ledger) -> None:
    result = take_in(tmp_path, [EVENTS])
    assert (result.records_read, result.set_aside, result.rejects) == (266, 43 + 14 + 8 + 1 + 3, 0)
    assert rows(
        jobs, "select count(*) from runs where starts_with(native_id, 'repeat:') and trigger = 'scheduler'"
    ) == [(5,)]
    assert rows(jobs, "select count(*) from runs where native_id in ('24', '25', 'evt_acme_3013')") == [(3,)]


def test_reasons_of_what_was_set_aside_are_told(everything: Ledger) -> None:
    assert {reason for (reason,) in rows(everything, "select distinct reason from set_aside")} == {
        "progress",
        "retries-exhausted",
        "of the queue",
        "added again, which the queue ignored",
        "planned by a scheduler, not begun",
        "a key that is neither job nor event",
    }


def test_a_run_begins_with_its_first_attempt_and_ends_with_its_last(everything: Ledger, jobs: Ledger) -> None:
    query = (
        "select queued_at < started_at, ended_at - started_at > interval 25 seconds from runs where native_id = '15'"
    )
    assert rows(everything, query) == [(True, True)]
    assert rows(jobs, "select started_at from runs where native_id = '15'") == [
        (None,)
    ]  # jobs keep the last start alone


def test_any_order_of_the_files_gives_the_same_ledger(everything: Ledger, tmp_path: Path) -> None:
    ledger = ingested(tmp_path, EVERYTHING[::-1])
    for query in ("select * from runs order by run_id", "select * from steps order by step_id"):
        assert rows(ledger, query) == rows(everything, query)


def test_an_older_export_and_the_events_behind_it_agree_on_the_end(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [EVENTS, EARLIER])
    assert became(ledger)["43"] == "succeeded"
    assert became(ingested(tmp_path / "earlier", [EARLIER]))["43"] == "running"


def test_data_and_results_give_client_and_order(jobs: Ledger) -> None:
    assert rows(jobs, "select count(*) from runs where client = 'globex'") == [(10,)]
    assert rows(jobs, "select count(*) from touches where entity_key = 'ACME-3014'") == [(2,)]


def test_every_state_has_its_word(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "words.jsonl"])
    assert rows(ledger, "select status_raw, status from runs order by native_id::INTEGER") == [
        ("waiting", "queued"),
        ("wait", "queued"),
        ("prioritized", "queued"),
        ("delayed", "waiting"),
        ("paused", "waiting"),
        ("waiting-children", "waiting"),
        ("active", "running"),
        ("completed", "succeeded"),
        ("failed", "failed"),
        ("failed|job stalled more than allowable limit", "crashed"),
        ("stuck", "unknown"),
        ("unknown", "unknown"),
        ("hibernating", "unknown"),
    ]
    assert rows(ledger, "select reason from set_aside") == [("planned by a scheduler, not begun",)]


def test_a_job_without_its_state_tells_it_by_its_fields_or_not_at_all(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "jobs_without_state.json"])
    assert rows(ledger, "select native_id, status from runs order by 1") == [
        ("1", "queued"),
        ("2", "waiting"),
        ("3", "succeeded"),
        ("4", "failed"),
        ("5", "succeeded"),
        ("6", "unknown"),  # two attempts, one stack, nothing returned
        ("7", "running"),  # taken up, and nothing went wrong so far
    ]


def test_a_job_that_was_removed_before_it_began_is_cancelled(tmp_path: Path) -> None:
    told = [
        {"event": "added", "streamId": "1795410000000-0", "jobId": "7", "name": "sync"},
        {"event": "delayed", "streamId": "1795410000000-1", "jobId": "7", "delay": 1795410060000},
        {"event": "removed", "streamId": "1795410003000-0", "jobId": "7", "prev": "delayed"},
    ]
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, told)))
    ledger = ingested(tmp_path / "project", [tmp_path / "events.jsonl"])
    assert rows(ledger, "select status, started_at, ended_at from runs") == [("cancelled", None, None)]


def test_a_file_of_several_queues_keeps_their_equal_ids_apart(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in gzip.decompress(JOBS.read_bytes()).splitlines()[:3]]
    other = [{**line, "queueQualifiedName": "bull:billing", "name": "bill"} for line in lines]
    (tmp_path / "jobs.jsonl").write_text("\n".join(json.dumps(line) for line in [*lines, *other]))
    ledger = ingested(tmp_path / "project", [tmp_path / "jobs.jsonl"])
    assert rows(ledger, "select run_id, automation from runs order by 1")[0] == ("bullmq:agency/1", "crm-sync")
    assert rows(ledger, "select count(*) from runs") == [(6,)]


def test_schedulers_tell_when_an_automation_is_due(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "job_schedulers.json"])
    assert rows(ledger, "select name, schedule from automations order by 1") == [
        ("digest", "every 3 s"),
        ("report", "0 7 * * 1 Europe/Berlin"),
    ]


def test_damaged_entries_and_lines_are_rejects(tmp_path: Path) -> None:
    keys = json.loads(gzip.decompress(KEYS.read_bytes()))
    keys["bull:agency:events"]["value"][3] = ["1795400213304-0", "no fields"]
    keys["bull:agency:1"]["value"]["processedOn"] = "soon"
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    lines = gzip.decompress(EVENTS.read_bytes()).decode().splitlines()
    (tmp_path / "events.jsonl").write_text("\n".join([*lines[:20], lines[20][:40]]))
    assert take_in(tmp_path / "a", [tmp_path / "keys.json"]).rejects == 2
    assert take_in(tmp_path / "b", [tmp_path / "events.jsonl"]).rejects == 1


def test_a_golden_run(everything: Ledger) -> None:
    assert rows(
        everything,
        """select run_id, automation_id, automation, role, attempt, status_raw, trigger, queued_at::VARCHAR, started_at::VARCHAR, ended_at::VARCHAR,
        error_type, error_message, tz_assumed from runs where native_id = '20'""",
    ) == [
        (
            "bullmq:20",
            "bullmq:invoice",
            "invoice",
            "work",
            1,
            "failed",
            None,
            "2026-11-23 02:17:02.976+00",
            "2026-11-23 02:17:02.977+00",
            "2026-11-23 02:17:02.998+00",
            "Error",
            "invoice without amount for GLOBEX-3105",
            False,
        )
    ]


def test_bull_keeps_the_words_of_an_earlier_failure_which_do_not_make_the_last_attempt_fail(tmp_path: Path) -> None:
    job = {"name": "__default__", "data": {}, "opts": {"attempts": 3}, "timestamp": 1795410001000, "stacktrace": ["Error: no"], "failedReason": "no"}  # fmt: skip
    ended = {"processedOn": 1795410001100, "finishedOn": 1795410001200, "returnvalue": None}
    jobs = [
        {"id": 1, "attemptsMade": 1, **job, **ended},  # two attempts left: it may have passed since
        {"id": 2, "attemptsMade": 3, **job, **ended, "stacktrace": ["Error: no"] * 3},
        {"id": 3, "attemptsMade": 2, "attemptsStarted": 2, **job, **ended},  # BullMQ: a stack for each failure
    ]
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    ledger = ingested(tmp_path / "project", [tmp_path / "jobs.json"])
    found = rows(ledger, "select native_id, status from runs order by native_id")
    assert found == [("1", "unknown"), ("2", "failed"), ("3", "succeeded")]


def test_bull_board_tells_of_jobs_by_queue_and_of_one_job_with_its_state(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FOLDER / "bull_board_queues.json", FOLDER / "bull_board_job.json"])
    assert rows(ledger, "select native_id, status, error_type from runs order by run_id") == [
        ("9", "failed", "Error"),
        ("1", "failed", "Error"),
        ("2", "succeeded", None),
        ("1", "running", None),
    ]
    assert rows(ledger, "select count(*) from steps") == [(5,)]


def test_a_dump_of_keys_that_is_cut_off_gives_the_jobs_before_the_cut(tmp_path: Path) -> None:
    whole = gzip.decompress((FOLDER / "redis_keys_final.json.gz").read_bytes())
    (tmp_path / "keys.json").write_bytes(whole[: len(whole) * 2 // 3])
    [file] = take_in(tmp_path / "project", [tmp_path / "keys.json"]).files
    assert (file.mapped > 20, file.rejects) == (True, 1)

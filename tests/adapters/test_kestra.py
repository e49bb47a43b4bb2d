"""Kestra: own samples in `kestra/`, and the vendor's fixture."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

FOLDER = Path(__file__).parent / "kestra"
SAMPLES = sorted(file for file in FOLDER.iterdir() if file.name != "SOURCE.md")
FIXTURE = SHARED / "samples" / "kestra" / "execution_each-sequential.json"


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """All samples."""
    return ingested(tmp_path_factory.mktemp("night"), SAMPLES)


def test_every_state_means_what_it_does(night: Ledger) -> None:
    assert rows(night, "select status_raw, status from runs where automation = 'words' order by native_id") == [
        ("CREATED", "queued"),
        ("RUNNING", "running"),
        ("PAUSED", "waiting"),
        ("RESTARTED", "queued"),
        ("KILLING", "running"),
        ("SUCCESS", "succeeded"),
        ("WARNING", "partial"),
        ("FAILED", "failed"),
        ("KILLED", "cancelled"),
        ("CANCELLED", "cancelled"),
        ("QUEUED", "queued"),
        ("RETRYING", "waiting"),
        ("RETRIED", "failed"),
        ("SKIPPED", "skipped"),
        ("BREAKPOINT", "waiting"),
    ]


def test_task_runs_are_steps_with_their_attempts_and_loop_items(night: Ledger) -> None:
    assert rows(
        night,
        """select name, map_index, attempt, status, duration_s from steps where run_id = 'kestra:5OrDerSyncMainExecution'
        order by started_at""",
    ) == [
        ("each", 0, 1, "succeeded", 8.3),
        ("push", 0, 1, "failed", 0.4),
        ("push", 0, 2, "succeeded", 0.9),
        ("push", 1, 1, "succeeded", 1.9),
        ("notify", 0, 1, "partial", 0.3),
    ]


def test_a_subflow_hangs_below_its_caller_and_its_log_says_why_it_failed(night: Ledger) -> None:
    assert rows(
        night,
        """select status, "trigger", parent_run_id, error_message from runs where native_id = '6ChildOfMainExecution'""",
    ) == [("failed", "Subflow", "kestra:5OrDerSyncMainExecution", "409 Conflict: the month is closed")]


def test_a_replay_shares_the_root_of_what_it_repeats(night: Ledger) -> None:
    assert rows(night, "select status, root_run_id, parent_run_id from runs where native_id = '7ReplayOfChild'") == [
        ("succeeded", "kestra:6ChildOfMainExecution", None)
    ]


def test_what_is_only_planned_is_set_aside(tmp_path: Path) -> None:
    result = take_in(tmp_path, [FOLDER / "executions_search.json"])
    assert (result.records_read, result.mapped, result.set_aside) == (3, 2, 1)


def test_lines_about_no_execution_are_set_aside_and_the_others_name_what_was_touched(tmp_path: Path) -> None:
    toml = """
    [[records]]
    entity = "invoice"
    pattern = 'INV-\\d+'
    """
    result = take_in(tmp_path, [FOLDER / "logs_search.json"], toml)
    assert (result.records_read, result.mapped, result.set_aside) == (3, 2, 1)
    ledger = ingested(tmp_path, [FOLDER / "execution.json"], toml)
    assert rows(ledger, "select entity_key, step_id from touches") == [
        ("INV-77", "kestra:6ChildOfMainExecution/tr9book")
    ]


def test_a_golden_run(night: Ledger) -> None:
    assert rows(
        night,
        """select automation_id, automation, "trigger", version, status_raw, status, queued_at::VARCHAR, started_at::VARCHAR, duration_s
        from runs where native_id = '5OrDerSyncMainExecution'""",
    ) == [
        (
            "kestra:company.orders/sync",
            "sync",
            "Schedule",
            "12",
            "WARNING",
            "partial",
            "2026-11-20 06:30:00+00",
            "2026-11-20 06:30:00.4+00",
            10.1,
        )
    ]


@pytest.mark.parametrize("seed", [4])
def test_any_order_of_the_files_gives_the_same_ledger(night: Ledger, tmp_path: Path, seed: int) -> None:
    files = random.Random(seed).sample(SAMPLES, len(SAMPLES))  # noqa: S311  a shuffle, no secret
    ledger = ingested(tmp_path, files)
    for query in ("select * from runs order by run_id", "select * from steps order by step_id"):
        assert rows(ledger, query) == rows(night, query)


def test_an_execution_seen_before_its_restart_and_after_it_is_one_run(tmp_path: Path) -> None:
    before = json.loads((FOLDER / "execution.json").read_text())
    after = json.loads((FOLDER / "execution.json").read_text())
    history = after["state"]["histories"]
    history += [
        {"state": word, "date": f"2026-11-20T07:0{n}:00Z"} for n, word in enumerate(("RESTARTED", "RUNNING", "SUCCESS"))
    ]
    after["state"].update(current="SUCCESS", endDate="2026-11-20T07:02:00Z")
    task = after["taskRunList"][0]
    task["attempts"].append(
        {"state": {"current": "SUCCESS", "histories": history[-2:], "endDate": "2026-11-20T07:02:00Z"}}
    )
    task["state"] = after["state"]
    files = [tmp_path / "before.json", tmp_path / "after.json"]
    for file, told in zip(files, (before, after), strict=True):
        file.write_text(json.dumps(told))
    for number, order in enumerate((files, files[::-1])):
        ledger = ingested(tmp_path / str(number), order)
        assert rows(ledger, "select status, ended_at::VARCHAR from runs") == [("succeeded", "2026-11-20 07:02:00+00")]
        assert rows(ledger, "select attempt, status from steps order by 1") == [(1, "failed"), (2, "succeeded")]


@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_a_page_cut_off_keeps_its_whole_executions(tmp_path: Path, keep: float) -> None:
    text = (FOLDER / "executions_search_words.json").read_text()
    file = tmp_path / "cut.json"
    file.write_text(text[: int(len(text) * keep)])
    result = take_in(tmp_path / "project", [file])
    assert result.rejects == 1
    assert result.mapped == result.records_read - 1 >= 6


@needs_shared
def test_the_vendors_fixture_is_a_loop_of_three_over_two_tasks(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [FIXTURE])
    assert rows(
        ledger, "select status, started_at - queued_at = interval '327482 microseconds', duration_s from runs"
    ) == [("succeeded", True, 5.68296)]
    assert rows(ledger, "select name, map_index, status, attempt from steps order by started_at") == [
        ("1_each", 0, "succeeded", 1),
        *((task, index, "succeeded", 1) for index in range(3) for task in ("1-1", "1-2")),
        ("2_end", 0, "succeeded", 1),
    ]


def test_a_list_of_task_runs_is_steps_and_no_runs_of_its_own(tmp_path: Path) -> None:
    execution = json.loads((FOLDER / "execution.json").read_text())
    of = {name: execution[name] for name in ("namespace", "flowId")} | {"executionId": execution["id"]}
    (tmp_path / "tasks.json").write_text(
        json.dumps({"results": [{**task, **of} for task in execution["taskRunList"]], "total": 1})
    )
    with (
        ingested(tmp_path / "p", [tmp_path / "tasks.json", FOLDER / "execution.json"]) as both,
        ingested(tmp_path / "q", [FOLDER / "execution.json"]) as alone,
    ):
        for query in (
            "select run_id, status from runs",
            "select step_key, attempt, status, started_at from steps order by all",
        ):
            assert rows(both, query) == rows(alone, query)


def test_an_execution_is_known_though_its_state_stands_far_behind(tmp_path: Path) -> None:
    execution = json.loads((FOLDER / "execution.json").read_text())
    state = execution.pop("state")
    execution["taskRunList"][0]["outputs"] = {"rows": ["x" * 80] * 2000}
    (tmp_path / "long.json").write_text(json.dumps({"results": [{**execution, "state": state}], "total": 1}))
    assert take_in(tmp_path / "p", [tmp_path / "long.json"]).mapped == 1

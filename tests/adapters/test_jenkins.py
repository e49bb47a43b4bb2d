"""Jenkins: builds and pipeline runs are the same runs, whichever way they were asked for; and the vendor's fixtures."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from devlake import objects, page
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.ledger.reader import Ledger

HERE = Path(__file__).parent / "jenkins"
SAMPLES = [*sorted(HERE.glob("*.json")), HERE / "build.xml"]
VENDOR = SHARED / "samples" / "jenkins"
KEYS = """
[[records]]
entity = "order"
pattern = 'ORD-\\d+'
"""


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("jenkins"), SAMPLES, KEYS)


def test_every_result_has_its_status(ledger: Ledger) -> None:
    found = rows(ledger, "select native_id::int as n, status from runs where automation = 'acme/shop sync' and n < 30")
    assert dict(found) == {
        1: "succeeded",
        2: "failed",
        3: "succeeded",
        4: "partial",
        5: "skipped",
        6: "cancelled",
        7: "timed_out",
        8: "crashed",
        9: "running",
        10: "running",
        11: "waiting",
    }


def test_a_build_that_goes_on_has_no_end_though_it_has_a_result_already_or_wfapi_gives_one(ledger: Ledger) -> None:
    found = rows(ledger, "select native_id, ended_at, duration_s from runs where not is_finished")
    assert sorted(found) == [(number, None, None) for number in ("10", "11", "36", "37", "38", "9")]


def test_what_upstream_started_has_its_build_as_parent(ledger: Ledger) -> None:
    found = rows(ledger, "select run_id, parent_run_id, trigger from runs where parent_run_id like '%/3' order by 1")
    assert found == [
        ("jenkins:acme/warehouse/1", "jenkins:acme/shop sync/3", "UpstreamCause"),
        ("jenkins:acme/warehouse/2", "jenkins:acme/shop sync/3", "UpstreamCause"),
        ("jenkins:queue 4711@1793700000120", "jenkins:acme/shop sync/3", "UpstreamCause"),  # build.xml
    ]


def test_a_replayed_build_is_a_retry_of_the_first(ledger: Ledger) -> None:
    found = rows(ledger, "select root_run_id from runs where run_id = 'jenkins:acme/shop sync/3'")
    assert found == [("jenkins:acme/shop sync/2",)]


def test_api_and_wfapi_tell_of_one_run(ledger: Ledger) -> None:
    assert rows(
        ledger,
        """select run_id, automation_id, status, trigger, version, queued_at::varchar, started_at::varchar, ended_at::varchar,
        duration_s, error_type, error_message from runs where run_id = 'jenkins:acme/shop sync/2'""",
    ) == [
        (
            "jenkins:acme/shop sync/2",
            "jenkins:acme/shop sync",
            "failed",
            "UserIdCause",
            "4f1c0de" + "2".zfill(33),
            "2026-11-02 06:00:00.25+00",
            "2026-11-02 06:00:00+00",
            "2026-11-02 06:01:30+00",
            90.0,
            "hudson.AbortException",
            "script returned exit code 1",
        )
    ]


def test_stages_are_steps_and_those_not_executed_have_no_time(ledger: Ledger) -> None:
    found = rows(
        ledger,
        """select name, status, started_at is null, duration_s from steps
        where run_id = 'jenkins:acme/shop sync/3' order by name""",
    )
    assert found == [("Fetch", "skipped", True, None), ("Send", "succeeded", False, 87.0)]


def test_a_step_that_ran_again_with_the_same_argument_is_another_attempt(ledger: Ledger) -> None:
    found = rows(
        ledger,
        "select attempt, status from steps where kind = 'step' and run_id like '%/1' order by step_key, attempt",
    )
    assert sorted(found) == [(1, "failed"), (1, "succeeded"), (2, "succeeded")]
    assert rows(ledger, "select status from runs where run_id = 'jenkins:acme/shop sync/1'") == [("succeeded",)]


def test_builds_inside_jobs_and_folders_have_the_path_of_their_job(ledger: Ledger) -> None:
    found = rows(ledger, "select run_id from runs where automation in ('backup', 'globex/invoices') order by 1")
    assert found == [("jenkins:backup/77",), ("jenkins:globex/invoices/3",), ("jenkins:globex/invoices/4",)]


def test_a_build_of_no_known_job_is_not_mixed_with_others_of_its_number(ledger: Ledger) -> None:
    found = rows(ledger, "select native_id, automation, status from runs where automation is null")
    assert sorted(found) == [("4@1793595600000", None, "succeeded"), ("queue 4711@1793700000120", None, "timed_out")]


def test_blue_oceans_states_and_results_have_their_status(ledger: Ledger) -> None:
    found = rows(ledger, "select native_id::int as n, status from runs where automation = 'acme/shop sync' and n > 30")
    assert dict(found) == {
        31: "succeeded",
        32: "partial",
        33: "failed",
        34: "skipped",
        35: "cancelled",
        36: "running",
        37: "waiting",
        38: "queued",
    }
    assert rows(ledger, "select status from runs where run_id = 'jenkins:acme/multi/feature%2Fx/1'") == [("succeeded",)]
    found = rows(ledger, "select name, kind, status from steps where run_id = 'jenkins:acme/shop sync/33' order by 1")
    assert found == [("Fetch", "stage", "succeeded"), ("Report", "stage", "queued"), ("Send", "stage", "failed")]


def test_parameters_and_arguments_give_the_orders(ledger: Ledger) -> None:
    found = rows(ledger, "select distinct run_id, entity_key from touches order by 1")
    assert found == [
        ("jenkins:acme/shop sync/1", "ORD-1002"),
        ("jenkins:acme/shop sync/2", "ORD-1001"),
        ("jenkins:queue 4711@1793700000120", "ORD-1003"),
    ]


def test_any_order_of_the_files_that_tell_of_one_run_gives_the_same_ledger(ledger: Ledger, tmp_path: Path) -> None:
    names = ["build.words.json", "wfapi.runs.json", "wfapi.describe.2.json", "wfapi.stage.1.json"]
    files = [HERE / name for name in random.Random(5).sample(names, len(names))]  # noqa: S311  a shuffle
    other = ingested(tmp_path, files, KEYS)
    for table in ("runs", "steps"):
        told = rows(other, f"select * from {table}")
        assert told
        assert set(told) <= set(rows(ledger, f"select * from {table}"))


def test_a_job_cut_off_gives_the_builds_up_to_there(tmp_path: Path) -> None:
    text = (HERE / "job.api.json").read_text()
    file = tmp_path / "cut.json"
    file.write_text(text[:-120])
    result = take_in(tmp_path / "project", [file])
    assert (result.mapped, result.rejects) == (1, 1)


def test_builds_of_which_a_tree_gave_only_the_id_are_known_by_it(tmp_path: Path) -> None:
    value = {
        "name": "nightly",
        "builds": [{"id": "5", "result": "SUCCESS", "timestamp": 1793595600000, "duration": 9}],
    }
    ledger = ingested(tmp_path / "project", [page(tmp_path / "job.json", value)])
    assert rows(ledger, "select run_id, status from runs") == [("jenkins:nightly/5", "succeeded")]


@needs_shared
def test_a_restart_from_a_checkpoint_succeeds_over_stages_that_were_not_executed(tmp_path: Path) -> None:
    ledger = ingested(tmp_path, [VENDOR / "wfapi_03_rest_api_runs_checkpoint_rerun.json"])
    assert rows(ledger, "select native_id, status from runs order by 1") == [("1", "succeeded"), ("2", "succeeded")]
    found = rows(ledger, "select status, count(*), count(started_at) from steps where run_id like '%/2' group by 1")
    assert sorted(found) == [("skipped", 3, 0), ("succeeded", 1, 1)]


@needs_shared
@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("07_rest_api_runs_in_progress", ("running", True)),  # with an endTimeMillis
        ("08_rest_api_unstable_run", ("partial", False)),
        ("04_rest_api_runs_failed", ("failed", False)),
    ],
)
def test_the_plugins_own_run_in_each_state(tmp_path: Path, name: str, truth: tuple[str, bool]) -> None:
    ledger = ingested(tmp_path, [VENDOR / f"wfapi_{name}.json"])
    assert rows(ledger, "select status, ended_at is null from runs order by native_id::int desc limit 1") == [truth]


@needs_shared
def test_runs_that_name_no_job_are_told_apart_by_their_start(tmp_path: Path) -> None:
    result = take_in(tmp_path, [VENDOR / "wfapi_03_rest_api_runs.json", VENDOR / "wfapi_01_rest_api_jobHistory.json"])
    assert (result.rejects, result.runs_new) == (0, 3)


@needs_shared
def test_real_builds_keep_apart_though_six_have_one_time_and_building_is_often_missing(tmp_path: Path) -> None:
    builds = objects("jenkins", "jenkins_api_builds")
    assert Counter(one["timestamp"] for one in builds).most_common(1) == [(1650017177939, 6)]
    ledger = ingested(tmp_path / "project", [page(tmp_path / "page.json", {"_class": "x", "allBuilds": builds})])
    found = rows(ledger, "select status, count(*) from runs group by 1")
    # 8 are SUCCESS and not building, 3 have a result and are building
    assert dict(found) == {"succeeded": 8, "running": 3, "cancelled": 1, "skipped": 1, "partial": 1}
    assert rows(ledger, "select distinct automation from runs order by 1") == [
        ("Test-jenkins-dir/test-jenkins-sub-dir/test-sub-sub-dir/devlake",),
        ("pipeline-test2",),
    ]


@needs_shared
def test_real_stages_are_steps_of_the_runs_that_their_links_name(tmp_path: Path) -> None:
    stages = objects("jenkins", "jenkins_api_stages")
    result = take_in(tmp_path / "project", [page(tmp_path / "page.json", stages)])
    assert (result.records_read, result.mapped, result.rejects) == (24, 24, 0)
    links = {one["_links"]["self"]["href"].split("/execution")[0] for one in stages}
    assert result.runs_new == len(links)

"""GitHub Actions: runs, attempts and jobs, however they were exported, are the same runs.

The samples in `github_actions/` were written for these tests (the vendor's own, and DevLake's real rows, are
read from the shared folder where it is there).
"""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support import SHARED, ingested, needs_shared, rows, take_in

from aftershock.adapters import github_actions
from aftershock.adapters.registry import adapters
from aftershock.ledger.reader import Ledger

HERE = Path(__file__).parent / "github_actions"
SAMPLES = sorted(file for file in HERE.iterdir() if file.is_file() and file.name != "golden.json")
DEPLOYMENTS = sorted((HERE / "deployments").glob("*.json*"))
GOLDEN: dict[str, Any] = json.loads((HERE / "golden.json").read_text(encoding="utf-8"))
VENDOR = SHARED / "samples" / "github_actions"
RUN = {
    "id": 1,
    "run_number": 1,
    "workflow_id": 7,
    "head_sha": "abc",
    "event": "push",
    "run_attempt": 1,
    "name": "CI",
    "created_at": "2026-11-02T01:00:00Z",
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("github"), SAMPLES)


def _table(ledger: Ledger, table: str) -> list[dict[str, Any]]:
    """Rows as the golden file writes them."""
    columns = list(GOLDEN[table][0])
    found = ledger.sql(f"select {', '.join(columns)} from {table} order by {columns[0]}").fetchall()
    plain = [
        [value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value for value in row] for row in found
    ]
    return [dict(zip(columns, row, strict=True)) for row in plain]


def _dump(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    queries = {
        "runs": "select * from runs order by run_id",
        "steps": "select * from steps order by step_id",
        "history": "select * exclude (import_id) from status_history order by all",
        "automations": "select * from automations order by automation_id",
    }
    return {name: rows(ledger, query) for name, query in queries.items()}


def _words(folder: Path, pairs: list[tuple[str | None, str | None]]) -> list[tuple[object, ...]]:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "runs.json"
    file.write_text(
        json.dumps(
            [
                {**RUN, "id": n, "status": status, "conclusion": conclusion}
                for n, (status, conclusion) in enumerate(pairs, 1)
            ]
        )
    )
    with ingested(folder / "project", [file]) as ledger:
        return rows(ledger, "select status from runs order by native_id::bigint")


@pytest.mark.parametrize("table", ["runs", "steps"])
def test_the_samples_give_the_golden_rows(ledger: Ledger, table: str) -> None:
    assert _table(ledger, table) == GOLDEN[table]


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.name)
def test_every_sample_is_taken_in_whole(file: Path, tmp_path: Path) -> None:
    (result,) = take_in(tmp_path, [file]).files
    assert (result.outcome, result.adapter, result.rejects) == ("taken", "github_actions", 0)


def test_every_status_word_stands_in_a_sample(ledger: Ledger) -> None:
    seen = {
        github_actions.STATUS.key(tuple(raw.split("|")))
        for (raw,) in rows(ledger, "select status_raw from runs where status_raw is not null")
    }
    assert set(github_actions.STATUS.words) - seen == set()


def test_a_word_never_seen_is_unknown(ledger: Ledger) -> None:
    assert rows(ledger, "select status, status_raw from runs where native_id = '5201'") == [("unknown", "exploded|")]


def test_no_conclusion_and_an_empty_one_are_the_same(tmp_path: Path) -> None:
    pairs: list[tuple[str | None, str | None]] = [
        ("in_progress", None),
        ("in_progress", ""),
        ("queued", None),
        ("QUEUED", ""),
    ]
    assert _words(tmp_path, pairs) == [("running",), ("running",), ("queued",), ("queued",)]


def test_a_run_has_one_id_in_every_export(tmp_path: Path) -> None:
    with ingested(tmp_path, [HERE / "runs.page2.json", HERE / "jobs.json", HERE / "gh.run-list.json"]) as ledger:
        assert rows(ledger, "select run_id from runs where native_id = '4001' order by 1") == [
            ("github_actions:acme/shop/4001",),
            ("github_actions:acme/shop/4001#2",),
        ]


def test_a_second_attempt_is_rooted_in_the_first(ledger: Ledger) -> None:
    assert rows(ledger, "select attempt, status, root_run_id from runs where native_id = '4001' order by 1") == [
        (1, "failed", "github_actions:acme/shop/4001"),
        (2, "succeeded", "github_actions:acme/shop/4001"),
    ]


def test_a_second_attempt_has_no_queue_time_and_its_own_duration(ledger: Ledger) -> None:
    assert rows(ledger, "select queued_at, duration_s from runs where run_id like '%4001#2'") == [(None, 80.0)]


def test_only_a_finished_run_has_an_end(ledger: Ledger) -> None:
    assert rows(ledger, "select count(*) from runs where is_finished <> (ended_at is not null)") == [(0,)]


def test_a_job_that_may_fail_makes_a_succeeded_run_partial(ledger: Ledger) -> None:
    assert rows(ledger, "select status, status_raw from runs where native_id = '4004'") == [
        ("partial", "completed|success")
    ]


def test_two_jobs_of_one_name_stay_two(ledger: Ledger) -> None:
    found = rows(
        ledger,
        "select name, status from steps where run_id = 'github_actions:acme/shop/4001' and kind = 'job' order by step_id",
    )
    assert found == [("sync", "failed"), ("sync", "succeeded")]


def test_step_times_with_an_offset_are_those_of_their_job(ledger: Ledger) -> None:
    found = rows(
        ledger,
        "select epoch(started_at - (select started_at from steps where step_id like '%4001/51'))::int from steps where step_id like '%4001/51/_' order by step_id",
    )
    assert found == [(0,), (2,), (110,)]


def test_a_job_that_has_not_begun_has_no_start(ledger: Ledger) -> None:
    assert rows(ledger, "select status, started_at from steps where step_key = '82'") == [("waiting", None)]


def test_jobs_alone_know_their_run_but_not_how_it_went(tmp_path: Path) -> None:
    with ingested(tmp_path, [HERE / "jobs.json"]) as ledger:
        assert rows(ledger, "select distinct status, is_finished from runs") == [("unknown", False)]


def test_the_workflow_and_not_the_name_of_the_run_is_the_automation(ledger: Ledger) -> None:
    found = rows(
        ledger,
        "select distinct automation_id, automation from runs where native_id in ('4001', '4004', '4005', '4007')",
    )
    assert found == [("github_actions:7002", "Order sync")]


def test_a_list_without_addresses_is_taken_in_without_a_repository(tmp_path: Path) -> None:
    with ingested(tmp_path, [HERE / "gh.run-list.bare.json"]) as ledger:
        assert rows(ledger, "select run_id, automation_id, status from runs") == [
            ("github_actions:4006", "github_actions:Order sync", "failed")
        ]


def test_a_list_without_attempts_rejects_the_re_run_of_which_nobody_says_the_number(tmp_path: Path) -> None:
    first = {"databaseId": 1, "status": "completed", "conclusion": "success", "event": "push", "createdAt": "2026-11-20T06:00:00Z",
             "startedAt": "2026-11-20T06:00:00Z"}  # fmt: skip
    again = {**first, "databaseId": 2, "startedAt": "2026-11-21T06:00:00Z"}
    (tmp_path / "list.json").write_text(json.dumps([first, again]))
    (result,) = take_in(tmp_path / "project", [tmp_path / "list.json"]).files
    assert (result.mapped, result.rejects) == (1, 1)


def test_a_delivery_of_another_event_is_set_aside(tmp_path: Path) -> None:
    result = take_in(tmp_path, [HERE / "webhooks.jsonl"])
    assert (result.records_read, result.mapped, result.set_aside) == (8, 7, 1)


def test_deliveries_tell_a_runs_history(ledger: Ledger) -> None:
    found = rows(
        ledger, "select status from status_history where run_id = 'github_actions:acme/shop/4007' order by seen_at"
    )
    assert found == [("queued",), ("running",), ("succeeded",)]


def test_deliveries_in_an_array_are_the_same(tmp_path: Path, ledger: Ledger) -> None:
    deliveries = [json.loads(line) for line in (HERE / "webhooks.jsonl").read_text(encoding="utf-8").splitlines()]
    (tmp_path / "hooks.json").write_text(json.dumps(deliveries, indent=1))
    query = "select * exclude (first_seen_at, last_seen_at) from runs where native_id = '4007'"
    with ingested(tmp_path / "project", [tmp_path / "hooks.json"]) as other:
        assert rows(other, query) == rows(ledger, query)


@pytest.mark.parametrize("name", ["workflow_runs", "jobs"])
def test_an_empty_page_is_ours(name: str, tmp_path: Path) -> None:
    (tmp_path / "page.json").write_text(json.dumps({"total_count": 0, name: []}))
    (result,) = take_in(tmp_path / "project", [tmp_path / "page.json"]).files
    assert (result.outcome, result.adapter, result.records_read) == ("taken", "github_actions", 0)


def test_pages_in_one_array_are_read_as_gh_slurps_them(tmp_path: Path) -> None:
    pages = [json.loads((HERE / f"runs.page{n}.json").read_text(encoding="utf-8")) for n in (1, 2)]
    (tmp_path / "slurped.json").write_text(json.dumps(pages))
    assert take_in(tmp_path / "project", [tmp_path / "slurped.json"]).mapped == 19


def test_a_title_gives_the_order_it_names(tmp_path: Path) -> None:
    toml = "[[records]]\nentity = 'order'\npattern = 'ORD-\\d+'\n"
    with ingested(tmp_path, [HERE / "runs.page2.json", HERE / "webhooks.jsonl"], toml) as ledger:
        assert rows(ledger, "select run_id, entity_key from touches order by 2") == [
            ("github_actions:acme/shop/4001#2", "ORD-1001"),
            ("github_actions:acme/shop/4002", "ORD-1002"),
            ("github_actions:acme/shop/4007", "ORD-1003"),
        ]


def test_a_client_is_found_by_its_repository(tmp_path: Path) -> None:
    toml = "[[clients]]\nid = 'acme'\nname = 'Acme'\nruns = [{ path = 'repository.full_name', equals = 'acme/shop' }]\n"
    with ingested(tmp_path, SAMPLES, toml) as ledger:
        found = rows(
            ledger, "select distinct client from runs where status_raw is not null and run_id like '%acme/shop%'"
        )
        assert found == [("acme",)]


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_the_files_gives_the_same_ledger(seed: int, tmp_path: Path, ledger: Ledger) -> None:
    files = list(SAMPLES)
    random.Random(seed).shuffle(files)  # noqa: S311  an order, not a secret
    with ingested(tmp_path, files) as other:
        assert _dump(other) == _dump(ledger)


def test_one_file_each_gives_the_same_runs_as_one_file_for_all(tmp_path: Path) -> None:
    lines = (HERE / "webhooks.jsonl").read_text(encoding="utf-8").splitlines()
    for n, line in enumerate(lines):
        (tmp_path / f"delivery{n}.json").write_text(line)
    query = "select * from runs"
    with (
        ingested(tmp_path / "split", sorted(tmp_path.glob("delivery*.json"))) as split,
        ingested(tmp_path / "whole", [HERE / "webhooks.jsonl"]) as whole,
    ):
        assert rows(split, query) == rows(whole, query)


def test_the_adapter_is_registered_with_its_docs() -> None:
    assert adapters()["github_actions"].tool == "github_actions"


def _devlake(what: str, folder: Path) -> Path:
    """DevLake keeps each API record as text in a column of a CSV: back to the records."""
    csv.field_size_limit(1 << 30)
    with (VENDOR / f"devlake_raw_github_api_{what}.csv").open(encoding="utf-8", newline="") as handle:
        records = [row["data"] for row in csv.DictReader(handle)]
    file = folder / f"{what}.jsonl"
    file.write_text("\n".join(records), encoding="utf-8")
    return file


@needs_shared
def test_devlakes_real_runs(tmp_path: Path) -> None:
    with ingested(tmp_path / "project", [_devlake("runs", tmp_path)]) as ledger:
        counts = Counter(dict(rows(ledger, "select status, count(*) from runs group by 1")))
        assert counts == Counter(
            succeeded=19, failed=3, crashed=1, timed_out=1, cancelled=1, skipped=2, running=3, queued=3, waiting=2
        )
        second = rows(
            ledger,
            "select started_at::varchar, queued_at, version from runs where run_id = 'github_actions:panjf2000/ants/2589885639#2'",
        )
        assert second == [
            (
                "2022-07-01 13:34:14+00",
                None,
                rows(ledger, "select version from runs where native_id = '2589885639'")[0][0],
            )
        ]
        assert rows(ledger, "select count(*) from runs where attempt = 2 and root_run_id not like '%#2'") == [(21,)]


@needs_shared
def test_devlakes_real_jobs(tmp_path: Path) -> None:
    with ingested(tmp_path / "project", [_devlake("jobs", tmp_path)]) as ledger:
        assert rows(ledger, "select count(*), count(distinct run_id) from steps where kind = 'job'") == [(35, 10)]
        early = rows(ledger, "select count(*) from steps step join steps job on step.run_id = job.run_id and step.step_key like job.step_key || '/%' "
                             "where step.started_at < job.started_at - interval 1 hour")  # fmt: skip
        assert early == [(0,)]


@needs_shared
@pytest.mark.parametrize("name", ["webhook_workflow_run_examples", "webhook_workflow_job_examples", "openapi_example_job", "openapi_example_job-paginated",
                                  "openapi_example_workflow-run", "openapi_example_workflow-run-paginated"])  # fmt: skip
def test_the_vendors_own_examples_are_taken_in_whole(name: str, tmp_path: Path) -> None:
    (result,) = take_in(tmp_path, [VENDOR / f"{name}.json"]).files
    assert (result.outcome, result.adapter, result.rejects, result.set_aside) == ("taken", "github_actions", 0, 0)


@needs_shared
@pytest.mark.parametrize(
    "name",
    [
        "artifact-paginated",
        "check-run",
        "workflow-run-usage",
        "workflow-usage",
    ],
)
def test_the_vendors_other_examples_are_not_ours(name: str, tmp_path: Path) -> None:
    (result,) = take_in(tmp_path, [VENDOR / f"openapi_example_{name}.json"]).files
    assert result.outcome == "unknown"


@needs_shared
def test_a_webhooks_job_may_start_after_its_first_step(tmp_path: Path) -> None:
    with ingested(tmp_path, [VENDOR / "webhook_workflow_job_examples.json"]) as ledger:
        pairs = "steps step join steps job on step.run_id = job.run_id and step.step_key like job.step_key || '/%'"
        found = rows(ledger, f"select count(*) > 0 from {pairs} where step.started_at < job.started_at")
        assert found == [(True,)]


# Deployments


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return ingested(tmp_path_factory.mktemp("deployments"), DEPLOYMENTS)


def test_a_deployment_is_one_change_of_the_workflow_whose_run_made_it(deployed: Ledger) -> None:
    query = """select change_id, kind, version[:7], "at"::VARCHAR, "by", title, run_id, joined_by, automation_id from changes order by change_id"""
    run, workflow = "github_actions:acme/shop/98765432", "github_actions:77"
    assert rows(deployed, query) == [
        ("github_actions:change/acme/shop/701", "deployment", "16c5286", "2026-11-16 07:52:00+00", "ann-berger", "production main",
         f"{run}10", "id", workflow),
        ("github_actions:change/acme/shop/702", "failed deployment", "16c5286", "2026-11-16 09:02:00+00", "ann-berger", "staging main",
         f"{run}11#2", "id", workflow),
        ("github_actions:change/acme/shop/703", "deployment", "16c5286", "2026-11-10 09:02:00+00", "ann-berger", "production main by hand",
         None, None, None),
    ]  # fmt: skip


def test_a_delivery_about_a_deployment_tells_of_its_run_too(deployed: Ledger) -> None:
    found = rows(deployed, "select run_id, status from runs order by run_id")
    run = "github_actions:acme/shop/98765432"
    assert found == [(f"{run}10", "succeeded"), (f"{run}11#2", "failed")]


def test_any_order_of_files_gives_the_same_deployments(deployed: Ledger, tmp_path: Path) -> None:
    for seed in range(2):
        files = random.Random(seed).sample(DEPLOYMENTS, len(DEPLOYMENTS))  # noqa: S311
        with ingested(tmp_path / str(seed), files) as other:
            query = "select * exclude (import_id) from changes order by change_id"
            assert rows(other, query) == rows(deployed, query)


@needs_shared
def test_the_vendors_example_of_a_deployments_status_is_a_change(tmp_path: Path) -> None:
    with ingested(tmp_path, [VENDOR / "openapi_example_deployment-status.json"]) as ledger:
        found = rows(ledger, "select change_id, kind, run_id from changes")
        assert found == [("github_actions:change/octocat/example/42", "deployment", None)]


def test_what_gh_tells_without_an_attempt_is_the_first_and_its_jobs_meet_it(tmp_path: Path) -> None:
    """`gh run list --json databaseId,status,...` and `gh run view --json jobs`, where only the address of a job names the run."""
    page = "https://github.acme.example/acme/shop/actions/runs/9001"
    run = {"databaseId": 9001, "status": "completed", "conclusion": "success", "workflowName": "CI", "event": "push", "url": page,
           "createdAt": "2026-11-20T06:00:00Z", "startedAt": "2026-11-20T06:00:01Z", "updatedAt": "2026-11-20T06:03:00Z"}  # fmt: skip
    step = {"name": "make", "number": 1, "status": "completed", "conclusion": "failure",
            "startedAt": "2026-11-20T06:00:06Z", "completedAt": "2026-11-20T06:02:00Z"}  # fmt: skip
    job = {"databaseId": 5555, "name": "build", "status": "completed", "conclusion": "failure", "url": f"{page}/job/5555",
           "startedAt": "2026-11-20T06:00:05Z", "completedAt": "2026-11-20T06:02:59Z", "steps": [step]}  # fmt: skip
    for name, value in {"list": [run], "jobs": {"jobs": [job]}}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    with ingested(tmp_path / "p", [tmp_path / "jobs.json", tmp_path / "list.json"]) as ledger:
        assert rows(ledger, "select run_id, attempt, status from runs") == [
            ("github_actions:acme/shop/9001", 1, "partial")
        ]
        assert rows(ledger, "select name, kind, status from steps order by 1") == [
            ("build", "job", "failed"),
            ("build / make", "step", "failed"),
        ]


def test_a_workflow_that_github_disabled_is_not_enabled_and_runs_of_concatenated_pages_are_all_there(
    tmp_path: Path,
) -> None:
    of = "https://github.acme.example/api/v3/repos/acme/shop"
    workflow = {
        "id": 77,
        "name": "CI",
        "path": ".github/workflows/ci.yml",
        "state": "disabled_inactivity",
        "url": f"{of}/actions/workflows/77",
    }
    (tmp_path / "workflows.json").write_text(json.dumps({"total_count": 1, "workflows": [workflow]}))
    pages = [
        {"total_count": 2, "workflow_runs": [
            {"id": number, "name": "CI", "run_number": number, "workflow_id": 77, "head_sha": "abc", "event": "push", "status": "completed",
             "conclusion": "success", "url": f"{of}/actions/runs/{number}", "created_at": "2026-11-20T06:00:00Z", "updated_at": "2026-11-20T06:03:00Z"}
        ]} for number in (1, 2)
    ]  # fmt: skip
    (tmp_path / "runs.json").write_text("".join(map(json.dumps, pages)))
    with ingested(tmp_path / "p", [tmp_path / "workflows.json", tmp_path / "runs.json"]) as ledger:
        assert rows(ledger, "select run_id from runs order by 1") == [
            ("github_actions:acme/shop/1",),
            ("github_actions:acme/shop/2",),
        ]
        assert rows(ledger, "select name, enabled from automations") == [("CI", False)]

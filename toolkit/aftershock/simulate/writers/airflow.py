"""Airflow 3 as its REST API gives it out: `dagRuns`, `taskInstances` and `.../tries`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from aftershock.simulate.fleet import Automation
from aftershock.simulate.world import Run, StepRun, Try
from aftershock.simulate.writers.files import Week, pages, uuid, write_json, z

_STATE: Final = {
    "succeeded": "success",
    "partial": "success",
    "failed": "failed",
    "queued": "queued",
    "running": "running",
}
_PAGE: Final = 100
_MADE: Final = "2026-08-31T09:12:44.634103Z"


def write(folder: Path, runs: Sequence[Run], week: Week) -> None:
    """One week: pages of runs, pages of their task instances, and the tries of those that were tried more than once."""
    shown = [run for run in runs if run.automation.tool == "airflow" and week.takes(run)]
    bodies = [
        {"dag_runs": [_dag_run(run, week.end) for run in rows], **_envelope(shown)} for rows in pages(shown, _PAGE)
    ]
    write_json(folder / f"{week.label}.dagRuns.json", *bodies)
    instances = [(run, step) for run in shown for step in _planned(run, week.end)]
    bodies = [
        {"task_instances": [_instance(run, step, week.end) for run, step in part], **_envelope(instances)}
        for part in pages(instances, _PAGE)
    ]
    write_json(folder / f"{week.label}.taskInstances.json", *bodies)
    again = [(run, step, count) for run, step in instances if (count := _tries(step, week.end)) > 1]
    if again:
        bodies = [
            {"task_instances": [_try(run, step, n) for n in range(count)], "total_entries": count}
            for run, step, count in again
        ]
        write_json(folder / f"{week.label}.tries.json", *bodies)


def _envelope(rows: Sequence[object]) -> dict[str, Any]:
    return {"total_entries": len(rows), "total_entries_limit": None, "next_cursor": None, "previous_cursor": None}


def _planned(run: Run, moment: datetime) -> list[StepRun]:
    """A run's task instances at `moment`: Airflow makes all of them when the run starts."""
    if run.status_at(moment) == "queued":
        return [StepRun(step, "none") for step in run.automation.steps]
    played = {step.step.name: step for step in run.steps}
    return [played.get(step.name, StepRun(step, "none")) for step in run.automation.steps]


def _dag_run(run: Run, moment: datetime) -> dict[str, Any]:
    state = _STATE[run.status_at(moment) or "queued"]
    over = state in ("success", "failed")
    started = run.started_at if state != "queued" else None
    ended = run.ended_at if over else None
    scheduled = run.trigger == "schedule"
    minute = run.queued_at.replace(second=0, microsecond=0)
    logical = z(minute, 0) if scheduled else None
    return {
        "dag_run_id": run.native_id,
        "dag_id": run.automation.native_id,
        "logical_date": logical,
        "queued_at": z(run.queued_at, 6),
        "start_date": z(started, 6),
        "end_date": z(ended, 6),
        "duration": round((ended - started).total_seconds(), 6) if ended and started else None,
        "data_interval_start": logical,
        "data_interval_end": logical,
        "run_after": logical if scheduled else z(run.queued_at, 6),
        "last_scheduling_decision": z(ended or started, 6),
        "run_type": "scheduled" if scheduled else "manual",
        "state": state,
        "triggered_by": "timetable" if scheduled else "rest_api",
        "triggering_user_name": None if scheduled else "n8n",
        "conf": {"client": run.client, "order_id": run.order.number, "amount": run.order.amount} if run.order else {},
        "note": None,
        "dag_versions": [_version(run.automation)],
        "bundle_version": None,
        "dag_display_name": run.automation.native_id,
        "partition_key": None,
        "partition_date": None,
    }


def _tries(step: StepRun, moment: datetime) -> int:
    return sum(one.started_at < moment for one in step.tries)


def _instance(run: Run, step: StepRun, moment: datetime) -> dict[str, Any]:
    """A task instance: its last try."""
    count = _tries(step, moment)
    state: str | None
    if count:
        last = step.tries[count - 1]
        state = "running" if last.ended_at >= moment or last.status == "running" else _word(last, step, count)
        row = _common(run, step, count, last.started_at, None if state == "running" else last.ended_at, state)
    else:
        over = run.status_at(moment) in ("succeeded", "partial", "failed")
        state = "upstream_failed" if over else None
        row = _common(run, step, 0, run.ended_at if over else None, run.ended_at if over else None, state)
    logical = z(run.queued_at.replace(second=0, microsecond=0), 0) if run.trigger == "schedule" else None
    return {
        "id": uuid("task", run.run_id, step.step.name),
        **row,
        "logical_date": logical,
        "run_after": logical or z(run.queued_at, 6),
        "note": None,
        "rendered_map_index": None,
        "rendered_fields": {"templates_dict": None, "op_args": [], "op_kwargs": {}} if count else {},
        "trigger": None,
        "triggerer_job": None,
    }


def _word(last: Try, step: StepRun, count: int) -> str:
    if last.status == "succeeded":
        return "success"
    return "failed" if count == len(step.tries) else "up_for_retry"


def _try(run: Run, step: StepRun, n: int) -> dict[str, Any]:
    one = step.tries[n]
    return _common(run, step, n + 1, one.started_at, one.ended_at, "success" if one.status == "succeeded" else "failed")


def _common(
    run: Run, step: StepRun, number: int, started: datetime | None, ended: datetime | None, state: str | None
) -> dict[str, Any]:
    """The fields that task instances and tries share."""
    return {
        "task_id": step.step.name,
        "dag_id": run.automation.native_id,
        "dag_run_id": run.native_id,
        "map_index": -1,
        "start_date": z(started, 6),
        "end_date": z(ended, 6),
        "duration": round((ended - started).total_seconds(), 6) if started and ended else None,
        "state": state,
        "try_number": number,
        "max_tries": step.step.retries,
        "task_display_name": step.step.name,
        "dag_display_name": run.automation.native_id,
        "hostname": "airflow-worker-1" if number else "",
        "unixname": "airflow",
        "pool": "default_pool",
        "pool_slots": 1,
        "queue": "default",
        "priority_weight": 1,
        "operator": step.step.kind,
        "operator_name": "@task",
        "queued_when": z(started, 6) if number else None,
        "scheduled_when": z(started, 6) if number else None,
        "pid": 20000 + run.serial if number else None,
        "executor": None,
        "executor_config": "{}",
        "dag_version": _version(run.automation),
    }


def _version(automation: Automation) -> dict[str, Any]:
    return {
        "id": uuid("dag", automation.native_id),
        "version_number": 1,
        "dag_id": automation.native_id,
        "bundle_name": "dags-folder",
        "bundle_version": None,
        "created_at": _MADE,
        "dag_display_name": automation.native_id,
        "bundle_url": None,
    }

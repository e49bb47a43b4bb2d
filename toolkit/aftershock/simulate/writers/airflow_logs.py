"""The logs of Airflow tasks: `GET .../taskInstances/{task}/logs/{try}?full_content=true`, for the tries that failed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from aftershock.simulate.world import Run, StepRun, Try
from aftershock.simulate.writers.files import Week, uuid, write_json, z


def write(folder: Path, runs: Sequence[Run], week: Week) -> None:
    """One week: a log for each failed try of a task."""
    tries = [
        (run, step, number, one)
        for run in runs
        if run.automation.tool == "airflow" and week.takes(run)
        for step in run.steps
        for number, one in enumerate(step.tries, start=1)
        if one.status == "failed" and one.ended_at < week.end
    ]
    write_json(folder / f"{week.label}.logs.json", *(_log(run, step, number, one) for run, step, number, one in tries))


def _log(run: Run, step: StepRun, number: int, one: Try) -> dict[str, Any]:
    dag, task = run.automation.native_id, step.step.name
    file = f"/opt/airflow/logs/dag_id={dag}/run_id={run.native_id}/task_id={task}/attempt={number}.log"
    whose = {
        "task_id": task,
        "ti_id": uuid("task", run.run_id, task),
        "try_number": number,
        "run_id": run.native_id,
        "map_index": -1,
        "dag_id": dag,
        "logger": "task",
        "filename": "task_runner.py",
    }
    error = step.error
    detail = {
        "exc_type": error.kind if error else "AirflowException",
        "exc_value": error.message if error else "the task failed",
        "exc_notes": [],
        "syntax_error": None,
        "is_cause": False,
        "frames": [{"filename": f"/opt/airflow/dags/{dag}.py", "lineno": 41, "name": task}],
        "is_group": False,
        "exceptions": [],
    }
    begun = z(one.started_at + timedelta(seconds=0.1), 6)
    failed = {"timestamp": z(one.ended_at, 6), "event": "Task failed with exception", "level": "error", **whose}
    return {
        "content": [
            {"event": "::group::Log message source details"},
            {"event": file},
            {"event": "::endgroup::"},
            {"timestamp": begun, "event": "Worker startup parse complete", "level": "info", **whose, "lineno": 1073},
            {**failed, "lineno": 1676, "error_detail": [detail]},
        ],
        "continuation_token": None,
    }

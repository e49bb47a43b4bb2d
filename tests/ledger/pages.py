"""Export files to take in: pages of Airflow task instances, each with so many new runs of so many steps."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

RUNS = 20
STEPS = 3
BEGIN = datetime(2026, 11, 16, tzinfo=UTC)


def task_page(folder: Path, number: int, *, runs: int = RUNS, steps: int = STEPS) -> Path:
    """Page `number`: its own `runs` runs, with `steps` task instances each."""
    path = folder / f"page-{number:04d}.json"
    tasks = [_task(number * runs + run, step) for run in range(runs) for step in range(steps)]
    path.write_text(json.dumps({"task_instances": tasks, "total_entries": len(tasks)}), encoding="utf-8")
    return path


def _task(run: int, step: int) -> dict[str, object]:
    begin = BEGIN + timedelta(minutes=run, seconds=step)
    return {
        "dag_id": "nightly",
        "dag_run_id": f"run-{run:06d}",
        "task_id": f"task_{step}",
        "map_index": -1,
        "try_number": 1,
        "state": "success",
        "operator": "PythonOperator",
        "start_date": begin.isoformat(),
        "end_date": (begin + timedelta(seconds=1)).isoformat(),
    }

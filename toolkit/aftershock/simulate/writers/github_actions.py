"""GitHub Actions' REST API: `/actions/runs`, `/runs/{id}/attempts/{n}` and `/runs/{id}/jobs?filter=all`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from aftershock.simulate.fleet import ORG
from aftershock.simulate.world import Run, StepRun
from aftershock.simulate.writers.files import Week, pages, token, write_json, z

_API: Final = "https://api.github.com/repos"
_CONCLUSION: Final = {
    "succeeded": "success",
    "failed": "failure",
    "cancelled": "cancelled",
    "skipped": "skipped",
}
_EVENT: Final = {"schedule": "schedule", "pull_request": "pull_request"}
_PAGE: Final = 100


def write(folder: Path, runs: Sequence[Run], week: Week) -> None:
    """The runs of every repository, the attempts before the last, and the jobs."""
    shown = [run for run in runs if run.automation.tool == "github_actions" and week.takes(run)]
    newest = sorted(shown, key=lambda run: (run.automation.repository, -int(run.native_id), -run.attempt))
    listed = [run for run in newest if run.retried_by not in shown]
    bodies = list[dict[str, Any]]()
    for repository in sorted({run.automation.repository for run in listed}):
        there = [run for run in listed if run.automation.repository == repository]
        for rows in pages(there, _PAGE):
            bodies.append({"total_count": len(there), "workflow_runs": [_run(run, week.end) for run in rows]})
    write_json(folder / "runs.json", *bodies)
    write_json(folder / "attempts.json", *(_run(run, week.end) for run in newest if run not in listed))
    jobs = [_jobs([run for run in shown if run.native_id == last.native_id], week.end) for last in listed]
    write_json(folder / "jobs.json", *jobs)


def _run(run: Run, moment: datetime) -> dict[str, Any]:
    status = run.status_at(moment) or "queued"
    going = status in ("queued", "running", "waiting")
    repository = run.automation.repository
    base = f"{_API}/{repository}/actions/runs/{run.native_id}"
    sha = token("commit", run.root.serial, size=20)
    slug = run.automation.name.partition(" / ")[2].lower().replace(" ", "-")
    pull = run.trigger == "pull_request"
    actor = _actor("lena-hartwig" if pull else "northwind-bot")
    began = run.started_at or run.queued_at
    moved = run.ended_at if not going and run.ended_at else began
    return {
        "id": int(run.native_id),
        "name": run.automation.name,
        "node_id": f"WFR_{token('node', run.native_id)}",
        "head_branch": f"feature/{run.number}" if pull else "main",
        "head_sha": sha,
        "path": f".github/workflows/{slug}.yml",
        "display_title": f"Check change {run.number}" if pull else run.automation.name.partition(" / ")[2],
        "run_number": run.number,
        "event": _EVENT[run.root.trigger],
        "status": {"running": "in_progress", "queued": "queued", "waiting": "waiting"}.get(status, "completed"),
        "conclusion": _CONCLUSION.get(status),
        "workflow_id": int(run.automation.native_id),
        "check_suite_id": int(run.native_id) + 7,
        "url": base,
        "html_url": f"https://github.com/{repository}/actions/runs/{run.native_id}",
        "pull_requests": [],
        "created_at": z(run.root.queued_at, 0),
        "updated_at": z(moved, 0),
        "actor": actor,
        "run_attempt": run.attempt,
        "referenced_workflows": [],
        "run_started_at": z(began, 0),
        "triggering_actor": actor,
        "jobs_url": f"{base}/jobs",
        "logs_url": f"{base}/logs",
        "cancel_url": f"{base}/cancel",
        "rerun_url": f"{base}/rerun",
        "previous_attempt_url": f"{base}/attempts/{run.attempt - 1}" if run.attempt > 1 else None,
        "workflow_url": f"{_API}/{repository}/actions/workflows/{run.automation.native_id}",
        "head_commit": {
            "id": sha,
            "tree_id": token("tree", run.root.serial, size=20),
            "message": f"Check change {run.number}" if pull else "Update dependencies",
            "timestamp": z(run.root.queued_at, 0),
            "author": {"name": "Lena Hartwig", "email": "lena@northwind.example"},
            "committer": {"name": "Lena Hartwig", "email": "lena@northwind.example"},
        },
        "repository": {
            "id": int(run.automation.native_id) * 3,
            "name": repository.partition("/")[2],
            "full_name": repository,
            "private": True,
            "owner": _actor(ORG),
        },
    }


def _actor(login: str) -> dict[str, Any]:
    kind = "Organization" if login == ORG else "User"
    return {"login": login, "id": 1000 + len(login), "type": kind, "site_admin": False}


def _jobs(attempts: list[Run], moment: datetime) -> dict[str, Any]:
    jobs = [_job(run, step, n, moment) for run in attempts for n, step in enumerate(run.steps)]
    return {"total_count": len(jobs), "jobs": jobs}


def _job(run: Run, step: StepRun, n: int, moment: datetime) -> dict[str, Any]:
    job_id = int(run.native_id) * 3 + run.attempt * 10 + n
    began = step.started_at or run.ended_at or run.queued_at
    ended = step.ended_at or run.ended_at or run.queued_at
    done = ended < moment and step.status != "running"
    conclusion = _CONCLUSION[step.status] if done else None
    base = f"{_API}/{run.automation.repository}/actions"
    work = {"succeeded": "success", "failed": "failure", "cancelled": "cancelled"}.get(step.status)
    names = ["Set up job", f"Run {step.step.name}", "Complete job"] if work else []
    words = ["success", work, "success"]
    times = [began, began, ended, ended]
    return {
        "id": job_id,
        "run_id": int(run.native_id),
        "workflow_name": run.automation.name,
        "head_branch": f"feature/{run.number}" if run.trigger == "pull_request" else "main",
        "run_url": f"{base}/runs/{run.native_id}",
        "run_attempt": run.attempt,
        "node_id": f"CR_{token('job', job_id)}",
        "head_sha": token("commit", run.root.serial, size=20),
        "url": f"{base}/jobs/{job_id}",
        "html_url": f"https://github.com/{run.automation.repository}/actions/runs/{run.native_id}/job/{job_id}",
        "status": "completed" if done else "in_progress",
        "conclusion": conclusion,
        "created_at": z(run.queued_at, 0),
        "started_at": z(began, 0),
        "completed_at": z(ended, 0) if done else None,
        "name": step.step.name,
        "steps": [
            {
                "name": name,
                "status": "completed" if done else "in_progress",
                "conclusion": words[i] if done else None,
                "number": i + 1,
                "started_at": z(times[i], 0),
                "completed_at": z(times[i + 1], 0) if done else None,
            }
            for i, name in enumerate(names)
        ],
        "check_run_url": f"{_API}/{run.automation.repository}/check-runs/{job_id}",
        "labels": ["ubuntu-latest"],
        "runner_id": 4 if work else None,
        "runner_name": "GitHub Actions 4" if work else None,
        "runner_group_id": 2 if work else None,
        "runner_group_name": "GitHub Actions" if work else None,
    }

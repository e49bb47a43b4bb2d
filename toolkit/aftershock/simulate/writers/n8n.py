"""n8n as its public API gives it out: `GET /api/v1/executions?includeData=true`."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from aftershock.simulate.world import GOOD, Run, StepRun
from aftershock.simulate.writers import n8n_workflows
from aftershock.simulate.writers.files import Week, ms, pages, token, write_json, z
from aftershock.simulate.writers.n8n_items import HOST, items_of

_STATUS: Final = {
    "succeeded": "success",
    "partial": "success",
    "failed": "error",
    "cancelled": "canceled",
    "crashed": "crashed",
    "queued": "new",
    "running": "running",
    "waiting": "waiting",
}
_MODE: Final = {"webhook": "webhook", "schedule": "trigger", "error": "error", "retry": "retry"}
_PAGE: Final = 250
_REDACTION: Final = {"version": 2, "production": False, "manual": False}


def write(folder: Path, runs: Sequence[Run], week: Week) -> None:
    """One week: pages of executions, newest first, those still running, and the workflows."""
    shown = sorted(
        (run for run in runs if run.automation.tool == "n8n" and week.takes(run)), key=lambda run: -int(run.native_id)
    )
    full = [run for run in shown if run.status_at(week.end) != "running"]
    bodies = [_page(rows, week) for rows in pages(full, _PAGE)]
    write_json(folder / f"{week.label}.executions.json", *bodies)
    going = [_head(run, week.end) for run in shown if run.status_at(week.end) == "running"]
    if going:
        write_json(folder / f"{week.label}.executions_running.json", {"data": going, "nextCursor": None})


def _page(rows: Sequence[Run], week: Week) -> dict[str, Any]:
    last = rows[-1].native_id if rows else "0"
    cursor = json.dumps({"lastId": last, "limit": _PAGE}, separators=(",", ":"))
    data = [execution(run, week.end) for run in rows]
    return {"data": data, "nextCursor": base64.b64encode(cursor.encode()).decode()}


def execution(run: Run, moment: datetime) -> dict[str, Any]:
    """An execution with its data, as the API shows it at `moment`."""
    data = _data(run)
    return {
        **_head(run, moment),
        "storedAt": "db",
        "jsonSizeBytes": len(json.dumps(data, separators=(",", ":"))),
        "workflowVersionId": None if run.retry_of else n8n_workflows.version(run.automation, run.version),
        "data": data,
        "workflowData": {
            "id": run.automation.native_id,
            "name": run.automation.name,
            "nodes": n8n_workflows.nodes(run.automation),
            "connections": n8n_workflows.connections(run.automation),
            "settings": n8n_workflows.settings(run.automation),
            "nodeGroups": [],
        },
        "customData": {},
    }


def _head(run: Run, moment: datetime) -> dict[str, Any]:
    status = run.status_at(moment) or "queued"
    retried = run.retried_by
    saved = retried is not None and retried.status in GOOD and retried.status_at(moment) in GOOD
    return {
        "id": run.native_id,
        "finished": status in GOOD,
        "mode": _MODE[run.trigger],
        "retryOf": run.retry_of.native_id if run.retry_of else None,
        "retrySuccessId": retried.native_id if saved and retried else None,
        "status": _STATUS[status],
        "startedAt": None if status == "queued" else z(run.started_at),
        "stoppedAt": None if status in ("queued", "running") else z(run.ended_at),
        "workflowId": run.automation.native_id,
        "waitTill": None,
    }


def _data(run: Run) -> dict[str, Any]:
    played = [step for step in run.steps if step.tries and step.status != "cancelled"]
    results = {step.step.name: [_task(run, step, i, played)] for i, step in enumerate(played)}
    result: dict[str, Any] = {"runData": results, "lastNodeExecuted": played[-1].step.name if played else ""}
    if run.status == "failed" and run.error:
        result = {"error": _error(run, played[-1]), **result}
    elif run.status == "crashed" and run.error and run.ended_at:
        error = {"message": run.error.message, "timestamp": ms(run.ended_at), "name": run.error.kind, "context": {}}
        result = {**result, "error": error}
    elif run.status == "cancelled" and run.ended_at:
        result["error"] = {
            "level": "warning",
            "shouldReport": False,
            "tags": {},
            "extra": {"executionId": run.native_id},
            "timestamp": ms(run.ended_at),
            "context": {},
            "functionality": "regular",
            "name": "ManualExecutionCancelledError",
            "reason": "manual",
            "message": "The execution was cancelled manually",
        }
    source = _MODE[run.root.trigger]
    first = run.automation.steps[0]
    context: dict[str, Any] = {
        "version": 1,
        "establishedAt": ms(run.queued_at),
        "source": source,
        "triggerNode": {"name": first.name, "type": first.kind},
        "redaction": _REDACTION,
    }
    data: dict[str, Any] = {
        "version": 1,
        "startData": {},
        "resultData": result,
        "executionData": {
            "contextData": {},
            "nodeExecutionStack": [],
            "metadata": {},
            "waitingExecution": {},
            "waitingExecutionSource": {},
            "runtimeData": context,
        },
    }
    if run.about:
        context["parentExecutionId"] = run.about.native_id
        data["parentExecution"] = _parent(run.about)
    data["resumeToken"] = token("resume", run.native_id, size=32)
    return data


def _task(run: Run, step: StepRun, index: int, played: list[StepRun]) -> dict[str, Any]:
    """What one node did."""
    began, ended = step.tries[0].started_at, step.tries[-1].ended_at
    source = (
        [{"previousNode": played[index - 1].step.name, "previousNodeOutput": 0, "previousNodeRun": 0}] if index else []
    )
    word = {"failed": "error", "crashed": "crashed"}.get(step.status, "success")
    task: dict[str, Any] = {
        "startTime": ms(began),
        "executionIndex": index,
        "source": source,
        "hints": [],
        "executionTime": max(0, ms(ended) - ms(began)),
    }
    if index == 0 and run.about:
        task["metadata"] = {"parentExecution": _parent(run.about)}
    task["executionStatus"] = word
    if word == "error":
        task["error"] = _error(run, step)
    elif word == "crashed":
        cause = {"name": "Error", "message": "Node crashed, possible out-of-memory issue"}
        task["error"] = {
            "message": "Execution stopped at this node",
            "timestamp": ms(ended),
            "name": "NodeCrashedError",
            "description": "n8n may have run out of memory while running this execution.",
            "context": {},
            "cause": cause,
        }
    elif word == "success":
        task["data"] = {
            "main": [[{"json": item, "pairedItem": {"item": n}} for n, item in enumerate(_handed_on(run, step))]]
        }
    return task


def _handed_on(run: Run, step: StepRun) -> list[dict[str, Any]]:
    if run.about and step.step.kind.endswith(".errorTrigger"):
        return [_error_report(run.about)]
    return items_of(run, step)


def _error(run: Run, step: StepRun) -> dict[str, Any]:
    """An error as n8n stores it, with the node in it."""
    error, ended = step.error, step.tries[-1].ended_at
    if error is None:
        return {}
    wrong: dict[str, Any] = {
        "level": "warning",
        "shouldReport": True,
        "description": error.detail,
        "tags": {},
        "timestamp": ms(ended),
        "context": {"itemIndex": 0, "request": {"method": step.step.method, "uri": step.step.url, "timeout": 8000}},
        "functionality": "regular",
        "name": error.kind,
        "node": n8n_workflows.node(run.automation, step.step),
        "messages": [error.detail],
    }
    if error.code:
        wrong["httpCode"] = str(error.code)
    return {**wrong, "message": error.message, "stack": f"{error.kind}: {error.message}\n    at ExecuteContext.execute"}


def _error_report(about: Run) -> dict[str, Any]:
    """What the error trigger hands to the error workflow."""
    played = [step for step in about.steps if step.tries]
    error = _error(about, played[-1])
    if about.status == "crashed" and about.error:
        error = {"message": about.error.message, "name": about.error.kind}
    return {
        "execution": {
            "id": about.native_id,
            "url": f"{HOST}/workflow/{about.automation.native_id}/executions/{about.native_id}",
            "error": error,
            "lastNodeExecuted": played[-1].step.name,
            "mode": _MODE[about.trigger],
        },
        "workflow": {"id": about.automation.native_id, "name": about.automation.name},
    }


def _parent(about: Run) -> dict[str, Any]:
    first = about.automation.steps[0]
    context = {
        "version": 1,
        "establishedAt": ms(about.queued_at),
        "source": _MODE[about.root.trigger],
        "triggerNode": {"name": first.name, "type": first.kind},
        "redaction": _REDACTION,
    }
    return {
        "executionId": about.native_id,
        "workflowId": about.automation.native_id,
        "executionContext": context,
        "shouldResume": False,
    }

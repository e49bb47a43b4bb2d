"""n8n as its public API gives it out: `GET /api/v1/executions?includeData=true` and `GET /api/v1/workflows`."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from aftershock.simulate import fleet
from aftershock.simulate.fleet import Automation, Step
from aftershock.simulate.rhythm import BERLIN
from aftershock.simulate.world import GOOD, Run, StepRun
from aftershock.simulate.writers.files import Week, ms, pages, token, uuid, write_json, z

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
_HOST: Final = "https://n8n.northwind.example"
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


def write_workflows(folder: Path, made: datetime) -> None:
    """The definitions of all workflows."""
    rows = [
        {
            "id": automation.native_id,
            "name": automation.name,
            "active": True,
            "activeVersionId": _version(automation),
            "createdAt": z(made),
            "updatedAt": z(made),
            "isArchived": False,
            "versionId": _version(automation),
            "triggerCount": 1,
            "nodes": _nodes(automation),
            "connections": _connections(automation),
            "nodeGroups": [],
            "settings": _settings(automation),
            "staticData": None,
            "pinData": {},
            "meta": None,
            "tags": [],
        }
        for automation in fleet.AUTOMATIONS
        if automation.tool == "n8n"
    ]
    write_json(folder / "workflows.json", {"data": rows, "nextCursor": None})


def execution(run: Run, moment: datetime) -> dict[str, Any]:
    """An execution with its data, as the API shows it at `moment`."""
    data = _data(run)
    return {
        **_head(run, moment),
        "storedAt": "db",
        "jsonSizeBytes": len(json.dumps(data, separators=(",", ":"))),
        "workflowVersionId": None if run.retry_of else _version(run.automation),
        "data": data,
        "workflowData": {
            "id": run.automation.native_id,
            "name": run.automation.name,
            "nodes": _nodes(run.automation),
            "connections": _connections(run.automation),
            "settings": _settings(run.automation),
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
            "main": [[{"json": item, "pairedItem": {"item": n}} for n, item in enumerate(_items(run, step))]]
        }
    return task


def _items(run: Run, step: StepRun) -> list[dict[str, Any]]:
    """The items that a node gave out."""
    kind, name, key = step.step.kind, step.step.name, run.root.serial
    order = run.order
    if kind.endswith(".webhook"):
        url = f"{_HOST}/webhook/{step.step.url}"
        headers = {"host": "n8n.northwind.example", "user-agent": "shop-hooks/2.4", "content-type": "application/json"}
        return [
            {
                "headers": headers,
                "params": {},
                "query": {},
                "body": _body(run),
                "webhookUrl": url,
                "executionMode": "production",
            }
        ]
    if kind.endswith(".scheduleTrigger"):
        return [_clock(step.tries[0].started_at)]
    if kind.endswith(".errorTrigger") and run.about:
        return [_error_report(run.about)]
    if name == "Check order" and order:
        return [{"order_id": order.number, "valid": True, "amount": order.amount, "email": order.email}]
    if name == "Store order" and order:
        return [{"ok": True, "order_id": order.number, "state": "accepted"}]
    if name == "Upsert contact" and order:
        contact = {"id": f"c_{token('contact', order.number, size=4)}", "email": order.email, "created": False}
        return [{"ok": True, "contact": contact, "order_id": order.number}]
    if name == "Create deal" and order:
        return [
            {
                "ok": True,
                "deal": {"id": f"d_{token('deal', key, size=4)}", "amount": order.amount},
                "order_id": order.number,
            }
        ]
    if name == "Enrich lead":
        return [
            _failed_item(step) if step.status == "errored_item" else {"company_size": 10 + key % 240, "country": "DE"}
        ]
    if name == "Save lead":
        return [{"ok": True, "lead_id": run.lead}]
    if name in ("Read warehouse", "Update shop"):
        return _stock(step, key)
    if name == "Open invoices":
        return [{"invoice": f"RE-{60000 + key * 3 + n}", "open_days": (key + n * 5) % 31} for n in range(1 + key % 3)]
    if name == "Mark paid":
        return [{"ok": True, "paid": key % 3}]
    return [{"ok": True, "alert_id": f"al_{token('alert', key, size=4)}"}]


def _stock(step: StepRun, key: int) -> list[dict[str, Any]]:
    articles = [f"OUT-{3100 + (key * 7 + n * 13) % 400}" for n in range(3 + key % 4)]
    if step.step.name == "Read warehouse":
        return [{"sku": article, "stock": (key + n * 17) % 90} for n, article in enumerate(articles)]
    items: list[dict[str, Any]] = [{"ok": True, "sku": article} for article in articles]
    if step.status == "errored_item":
        items[-1] = _failed_item(step)
    return items


def _failed_item(step: StepRun) -> dict[str, Any]:
    """What a node that continues on fail hands on for an item that failed."""
    error = step.error
    message = error.detail if error else ""
    return {
        "error": {
            "message": message,
            "name": "AxiosError",
            "code": "ERR_BAD_RESPONSE",
            "status": error.code if error else 500,
        }
    }


def _body(run: Run) -> dict[str, Any]:
    if run.order:
        return {"order_id": run.order.number, "email": run.order.email, "amount": run.order.amount, "currency": "EUR"}
    return {"lead_id": run.lead, "company": f"Company {run.lead[5:]} GmbH", "email": f"{run.lead.lower()}@mail.example"}


def _clock(at: datetime) -> dict[str, Any]:
    there = at.astimezone(BERLIN)
    offset = there.isoformat()[-6:]
    return {
        "timestamp": there.isoformat(timespec="milliseconds"),
        "Day of week": f"{there:%A}",
        "Hour": f"{there:%H}",
        "Minute": f"{there:%M}",
        "Timezone": f"Europe/Berlin (UTC{offset})",
    }


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
        "node": _node(run.automation, step.step),
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
            "url": f"{_HOST}/workflow/{about.automation.native_id}/executions/{about.native_id}",
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


def _version(automation: Automation) -> str:
    return uuid("version", automation.native_id)


def _settings(automation: Automation) -> dict[str, Any]:
    settings = {"executionOrder": "v1"}
    return settings if automation is fleet.ALERTS else {**settings, "errorWorkflow": fleet.ALERTS.native_id}


def _nodes(automation: Automation) -> list[dict[str, Any]]:
    return [_node(automation, step) for step in automation.steps]


def _node(automation: Automation, step: Step) -> dict[str, Any]:
    index = automation.steps.index(step)
    if step.kind.endswith(".webhook"):
        parameters: dict[str, Any] = {
            "httpMethod": "POST",
            "path": step.url,
            "responseMode": "onReceived",
            "options": {},
        }
    elif step.kind.endswith(".httpRequest"):
        parameters = {"method": step.method, "url": step.url, "options": {"timeout": 8000}}
    elif step.kind.endswith(".code"):
        parameters = {"jsCode": "return $input.all();"}
    elif step.kind.endswith(".scheduleTrigger"):
        hours = ",".join(str(moment.hour) for moment in automation.at)
        parameters = {
            "rule": {
                "interval": [{"field": "cronExpression", "expression": f"{automation.at[0].minute} {hours} * * *"}]
            }
        }
    else:
        parameters = {}
    node: dict[str, Any] = {
        "name": step.name,
        "type": step.kind,
        "typeVersion": 4.2 if step.kind.endswith(".httpRequest") else 2,
        "parameters": parameters,
        "id": f"{automation.native_id[:8]}-0000-4000-8000-{index:012d}",
        "position": [220 * index, 0],
    }
    if step.tolerates:
        node["onError"] = "continueRegularOutput"
    return node


def _connections(automation: Automation) -> dict[str, Any]:
    names = [step.name for step in automation.steps]
    return {name: {"main": [[{"node": after, "type": "main", "index": 0}]]} for name, after in pairwise(names)}

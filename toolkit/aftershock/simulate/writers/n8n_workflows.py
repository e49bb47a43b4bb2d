"""n8n's workflow definitions: `GET /api/v1/workflows`, and what an execution repeats of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from aftershock.simulate import fleet
from aftershock.simulate.fleet import Automation, Step
from aftershock.simulate.writers.files import uuid, write_json, z


def write(folder: Path, made: datetime, newest: Mapping[str, int]) -> None:
    """The definitions of all workflows, each in the version that `newest` says (else the first)."""
    rows = [
        {
            "id": automation.native_id,
            "name": automation.name,
            "active": True,
            "activeVersionId": version(automation, newest.get(automation.name, 1)),
            "createdAt": z(made),
            "updatedAt": z(made),
            "isArchived": False,
            "versionId": version(automation, newest.get(automation.name, 1)),
            "triggerCount": 1,
            "nodes": nodes(automation),
            "connections": connections(automation),
            "nodeGroups": [],
            "settings": settings(automation),
            "staticData": None,
            "pinData": {},
            "meta": None,
            "tags": [],
        }
        for automation in fleet.AUTOMATIONS
        if automation.tool == "n8n"
    ]
    write_json(folder / "workflows.json", {"data": rows, "nextCursor": None})


def version(automation: Automation, number: int) -> str:
    return uuid("version", automation.native_id, *([number] if number > 1 else []))


def settings(automation: Automation) -> dict[str, Any]:
    settings = {"executionOrder": "v1"}
    return settings if automation is fleet.ALERTS else {**settings, "errorWorkflow": fleet.ALERTS.native_id}


def nodes(automation: Automation) -> list[dict[str, Any]]:
    return [node(automation, step) for step in automation.steps]


def node(automation: Automation, step: Step) -> dict[str, Any]:
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


def connections(automation: Automation) -> dict[str, Any]:
    names = [step.name for step in automation.steps]
    return {name: {"main": [[{"node": after, "type": "main", "index": 0}]]} for name, after in pairwise(names)}

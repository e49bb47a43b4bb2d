"""Argo Workflows: `Workflow` objects with their nodes, as kubectl, `argo` and the server give them.

`kubectl get wf -o json|yaml` (one, a List, or watched), `argo get|list -o json|yaml`, `GET /api/v1/workflows/{ns}`,
`/api/v1/archived-workflows`; CronWorkflows beside them give schedules. A run is known by its uid. Its automation is the workflow template
it refers to, else the cron workflow, else what its name was generated from, within the namespace. Nodes that do something (pods, suspends,
HTTP, plugins) are steps; nodes that only group others are none, and the children of a Retry node are the attempts of one step, also where
what is retried is a whole DAG. `Failed` is a cancellation where somebody stopped it, and a timeout where a deadline was exceeded. An exit
handler that succeeded does not make a workflow that failed a success. `argo retry` goes on under the same uid and moves its start. Nodes that
were compressed are read; those that the controller offloaded to its database are not in the object.
"""

import base64
import binascii
import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from aftershock.adapters._documents import CutOff, values
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable

TOOL = "argo_workflows"
DOCS = "https://argo-workflows.readthedocs.io/en/latest/fields/"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=True,
    versions=True,
    parents=True,
    keys=True,
    evidence="vendor fixture",
    retention="as the workflow's ttlStrategy and the archive's archiveTTL say",
    inferred="cancelled, timed out, out of memory from messages; version: a hash of the workflow's spec without its arguments",
)
_PHASES: Final[Mapping[Any, str]] = {
    None: "queued",  # just created, not yet looked at
    "Pending": "queued",
    "Running": "running",
    "Succeeded": "succeeded",
    "Failed": "failed",
    "Error": "crashed",
    # Nodes only.
    "Skipped": "skipped",
    "Omitted": "skipped",
}
STATUS = StatusTable(
    {
        **_PHASES,
        **{(phase, "suspended"): "waiting" for phase in (None, "Pending", "Running")},
        **{(phase, "stopped"): "cancelled" for phase in ("Failed", "Error")},
        **{(phase, "deadline"): "timed_out" for phase in ("Failed", "Error")},
        **{(phase, "out of memory"): "crashed" for phase in ("Failed", "Error")},
    }
)

_MESSAGES: Final = (
    ("stopped", re.compile(r"(?:stopped|shutdown) with strategy", re.IGNORECASE)),
    ("deadline", re.compile(r"exceeded its deadline|longer than (?:the )?specified deadline|max duration limit exceeded", re.IGNORECASE)),
    ("out of memory", re.compile(r"^OOMKilled")),
)  # fmt: skip
_GROUPS: Final = ("Steps", "StepGroup", "DAG", "TaskGroup", "Retry")
_LABEL: Final = "workflows.argoproj.io/"
_INDEX: Final = re.compile(r"\((\d+)\)")
_LOOPED: Final = re.compile(r"\((\d+):[^()]*(?:\([^()]*\)[^()]*)*\)")
_MAX_NODES_BYTES: Final = 256 * 1024**2
_MAX_DEPTH: Final = 100
_MAX_ALIASES: Final = 100
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FIRST_LINE: Final = re.compile(
    r"\A(?:[ \t]*(?:#.*|---.*)?\r?\n)*(?:- )?(?:apiVersion|items|kind|metadata|spec|status):"
)
_IS_ARGO: Final = re.compile(r"apiVersion: [\"']?argoproj\.io/|workflows\.argoproj\.io/(?:phase|completed)")
_IS_WORKFLOW: Final = re.compile(
    r"kind: [\"']?(?:Cron)?Workflow[\"']?[ \t\r]*$|workflows\.argoproj\.io/(?:phase|completed)", re.MULTILINE
)


def read_json(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The workflows of a JSON file: one, several, a List, or what a watch says."""
    for value in values(path):
        found = value.items("items") if isinstance(value, CutOff) else [value]
        for one in found:
            yield from _records(one)


def read_yaml(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The workflows of a YAML file: documents, Lists. Where one is broken, each item of it by itself, so that it harms no other."""
    for document in re.split(r"^---.*$", path.read_text(encoding="utf-8", errors="replace"), flags=re.MULTILINE):
        whole = list(_loaded(document))
        if any(isinstance(one, RecordError) for one in whole) and (parts := _parts(document)):
            whole = [one for part in parts for one in _loaded(part)]
        for one in whole:
            if not (isinstance(one, Mapping) and "items" in one and not one["items"]):  # the head of a List
                yield from _records(one)


def _loaded(text: str) -> Iterator[Any]:
    """The value of a YAML text, or the items of the list that it is."""
    try:
        _check(text)
        value = yaml.load(text, Loader=_LOADER)  # noqa: S506  the safe one, or the same in C
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        yield RecordError(f"is no YAML or cut off: {' '.join(str(error).split())[:200]}", text[:1000])
        return
    yield from value if isinstance(value, list) else [] if value is None else [value]


def _parts(document: str) -> list[str]:
    """The items of a List, apart; what stands at the margin before and behind them belongs to the List."""
    _, *items = re.split(r"^(?=- )", document, flags=re.MULTILINE)
    return [re.split(r"^(?=[^\s-])", item, maxsplit=1, flags=re.MULTILINE)[0] for item in items]


def _check(text: str) -> None:
    """Few aliases and none inside another, which would unfold without end; no depth that a parser written in C falls into."""
    anchored: list[bool] = []
    aliases = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            aliases += 1
            if any(anchored) or aliases > _MAX_ALIASES:
                raise ValueError("has too many aliases, or aliases of aliases")
        elif isinstance(event, yaml.CollectionStartEvent):
            anchored.append(event.anchor is not None)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchored.pop()
        if len(anchored) > _MAX_DEPTH:
            raise ValueError("is nested too deeply")


def _records(value: Any) -> Iterator[Mapping[str, Any] | RecordError]:
    if isinstance(value, RecordError):
        yield value
        return
    inner = value
    for name in ("result", "object"):  # of a watch
        if isinstance(inner, Mapping) and isinstance(inner.get(name), Mapping) and "metadata" not in inner:
            inner = inner[name]
    if isinstance(inner, Mapping) and isinstance(inner.get("items"), list):
        for item in inner["items"]:
            yield from _records(item)
        return
    try:
        yield _record(inner)
    except (AttributeError, KeyError, TypeError, ValueError, zlib.error) as error:
        yield RecordError(f"is no workflow that can be read: {type(error).__name__}: {error}", str(value)[:1000])


def _record(workflow: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata, spec, status = (workflow.get(part) or {} for part in ("metadata", "spec", "status"))
    labels = metadata.get("labels") or {}
    kind = workflow.get("kind") or ("Workflow" if "nodes" in status or "phase" in status else "")
    inner = (spec.get("workflowSpec") or {}) if kind == "CronWorkflow" else spec
    nodes = _nodes(status)
    generated = str(metadata.get("generateName") or "").rstrip("-.")
    refers = (inner.get("workflowTemplateRef") or {}).get("name") or labels.get(f"{_LABEL}workflow-template")
    cron = metadata["name"] if kind == "CronWorkflow" else labels.get(f"{_LABEL}cron-workflow")
    owners = [one for one in metadata.get("ownerReferences") or [] if one.get("kind") == "Workflow"]
    schedules = spec.get("schedules") or ([spec["schedule"]] if spec.get("schedule") else [])
    steps = _steps(str(metadata.get("name")), nodes)
    times = [str(time) for node in nodes.values() for time in (node.get("startedAt"), node.get("finishedAt")) if time]
    return {
        "kind": kind,
        "uid": metadata.get("uid"),
        "name": metadata.get("name"),
        "namespace": metadata.get("namespace"),
        "automation": "/".join(str(part) for part in (metadata.get("namespace"), refers or cron or generated or metadata.get("name")) if part),
        "phase": status.get("phase") or None,
        "word": _word(status, suspended=_is_suspended(spec, nodes), stopped=bool(spec.get("shutdown"))),
        "message": status.get("message"),
        "trigger": _trigger(labels, cron),
        "created": metadata.get("creationTimestamp"),
        "started": status.get("startedAt"),
        "finished": status.get("finishedAt"),
        "times": times,
        "version": _version(status.get("storedWorkflowTemplateSpec") or spec),
        "resubmitted_from": labels.get(f"{_LABEL}resubmitted-from-workflow"),
        "parent": owners[0].get("uid") if owners else None,
        "tags": [f"{key}={value}" for key, value in labels.items() if not key.startswith(_LABEL)],
        "payload": {"namespace": metadata.get("namespace"), "arguments": spec.get("arguments"), "labels": labels,
                    "annotations": metadata.get("annotations"), "outputs": status.get("outputs")},
        "schedule": "; ".join(str(one) for one in schedules) or None,
        "suspended": bool(spec.get("suspend")),
        "steps": steps,
    }  # fmt: skip


def _nodes(status: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The nodes by id, also where the controller compressed them to fit into the object."""
    nodes = status.get("nodes")
    packed = status.get("compressedNodes")
    if not nodes and packed:
        try:
            unpack = zlib.decompressobj(wbits=47)
            nodes = json.loads(unpack.decompress(base64.b64decode(packed), _MAX_NODES_BYTES))
        except (binascii.Error, RecursionError) as error:
            raise ValueError(f"compressedNodes: {error}") from error
    found = {str(key): node for key, node in (nodes or {}).items() if isinstance(node, Mapping)}
    return {key: {**node, "name": str(node.get("name") or key)} for key, node in found.items()}


def _is_suspended(spec: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]]) -> bool:
    return bool(spec.get("suspend")) or any(
        node.get("type") == "Suspend" and node.get("phase") == "Running" for node in nodes.values()
    )


def _word(status: Mapping[str, Any], *, suspended: bool, stopped: bool = False) -> str | None:
    """The second word that makes more of a phase: why it failed, or that it waits."""
    phase = status.get("phase") or None
    if phase in (None, "Pending", "Running"):
        return "suspended" if suspended else None
    if phase not in ("Failed", "Error"):
        return None
    message = str(status.get("message") or "")
    return next((word for word, pattern in _MESSAGES if pattern.search(message)), "stopped" if stopped else None)


def _trigger(labels: Mapping[str, Any], cron: Any) -> str | None:
    if cron:
        return "cron"
    for label in (f"{_LABEL}resubmitted-from-workflow", f"{_LABEL}workflow-event-binding", "events.argoproj.io/sensor"):
        if label in labels:
            return label.rpartition("/")[2]
    return None


def _version(spec: Mapping[str, Any]) -> str | None:
    """The same for the same templates, whatever the arguments and whoever suspended or stopped it."""
    code = {key: value for key, value in spec.items() if key not in ("arguments", "shutdown", "suspend")}
    if not code.get("templates"):
        return None
    return hashlib.sha256(json.dumps(code, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _steps(name: str, nodes: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the nodes that do something tell, attempts of one step numbered in their order."""
    if not nodes:
        return []
    names = {node["name"] for node in nodes.values()}
    root = name if name in names else min(names, key=lambda one: (len(one), one))
    retries = {node["name"] for node in nodes.values() if node.get("type") == "Retry"}
    steps: list[dict[str, Any]] = []
    for node in nodes.values():
        if node.get("type") in _GROUPS and any(str(child) in nodes for child in node.get("children") or []):
            continue
        path, tries = _without_tries(node["name"], retries)
        looped = _LOOPED.search(path)
        is_last = looped is not None and looped.end() == len(path)
        key = path[: looped.start()] if looped and is_last else path
        key = _LOOPED.sub(r"(\1)", key).removeprefix(root).lstrip(".") or str(node.get("templateName") or "main")
        hooked = bool((node.get("nodeFlag") or {}).get("hooked")) or key == "onExit"
        word = _word(node, suspended=node.get("type") == "Suspend")
        steps.append({
            "key": key,
            "name": _shown(node, key, root, tries),
            "kind": f"{node.get('type')} hook" if hooked else node.get("type"),
            "map_index": int(looped[1]) if looped and is_last else 0,
            "tries": tries,
            "phase": node.get("phase") or None,
            "word": word,
            "message": node.get("message"),
            "started": node.get("startedAt"),
            "finished": node.get("finishedAt"),
            "payload": {"name": node.get("displayName"), "inputs": node.get("inputs"), "outputs": node.get("outputs")},
        })  # fmt: skip
    steps.sort(key=lambda step: (step["key"], step["map_index"], step["tries"], str(step["started"])))
    last: tuple[Any, Any] | None = None
    attempt = 0
    for step in steps:
        attempt = attempt + 1 if (step["key"], step["map_index"]) == last else 1
        last = (step["key"], step["map_index"])
        step["attempt"] = attempt
        del step["tries"]
    return steps


def _shown(node: Mapping[str, Any], key: str, root: str, tries: list[int]) -> str:
    """A node's name for people: without the item of a loop, and of a try without its number."""
    if key == "onExit" or _without_tries(node["name"], {root})[0] == root:
        return key
    name = str(node.get("displayName") or key)
    return _LOOPED.sub(r"(\1)", name.removesuffix(f"({tries[-1]})") if tries else name)


def _without_tries(name: str, retries: set[str]) -> tuple[str, list[int]]:
    """`wf.sync(1).fetch` as `wf.sync.fetch` and [1], where `wf.sync` is a Retry node; `(0:item)` of a loop stays."""
    tries, kept, at = [], "", 0
    for found in _INDEX.finditer(name):
        if name[: found.start()] in retries:
            tries.append(int(found[1]))
            kept, at = kept + name[at : found.start()], found.end()
    return kept + name[at:], tries


def _is_workflow(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    if isinstance(value.get("items"), list):
        return any(_is_workflow(item) for item in value["items"][:5])
    for name in ("result", "object"):
        if isinstance(value.get(name), Mapping) and "metadata" not in value:
            return _is_workflow(value[name])
    metadata, spec, status = (value.get(part) for part in ("metadata", "spec", "status"))
    if not isinstance(metadata, Mapping):
        return False
    if str(value.get("apiVersion", "")).startswith("argoproj.io/"):
        return value.get("kind") in ("Workflow", "CronWorkflow")
    labels = metadata.get("labels")
    if isinstance(labels, Mapping) and any(key in labels for key in (f"{_LABEL}phase", f"{_LABEL}completed")):
        return True
    # items of the server's lists say neither what they are nor, out of the archive, always have labels
    is_run = isinstance(status, Mapping) and {"phase", "startedAt"} <= status.keys()
    return (
        is_run
        and isinstance(spec, Mapping)
        and any(name in spec for name in ("entrypoint", "templates", "workflowTemplateRef"))
    )


def _claims_json(sample: Sample) -> bool:
    return any(_is_workflow(value) for value in (sample.top if isinstance(sample.top, list) else [sample.top])[:5])


def _claims_yaml(sample: Sample) -> bool:
    return all(pattern.search(sample.text) for pattern in (_FIRST_LINE, _IS_ARGO, _IS_WORKFLOW))


_IS_RUN: Final = "kind = 'Workflow' and (uid is not null or phase is not null)"
_ID: Final = "coalesce(uid, concat_ws('/', namespace, name, strftime(created, '%Y-%m-%dT%H:%M:%SZ')))"
_CHANGED: Final = "coalesce(greatest(list_max([as_time(one) for one in times]), started, finished), created)"
_HAS_ENDED: Final = "phase in ('Succeeded', 'Failed', 'Error', 'Skipped', 'Omitted')"
_SELECT: Final = {
    # A resubmitted workflow names the one before, whose uid is known where the file holds it too.
    "runs": f"""
        select place, {_ID} as native_id, automation as automation_native_id, automation,
               if(word is null, [coalesce(phase, '')], [coalesce(phase, ''), word]) as status_raw,
               "trigger", created as queued_at, started as started_at, case when {_HAS_ENDED} then finished end as ended_at, version,
               case when phase in ('Failed', 'Error') and message not like 'child %failed' then message end as error_message,  -- else its steps' own
               (select min(first.uid) from records first where first.name = records.resubmitted_from
                and first.namespace is not distinct from records.namespace) as retry_of,
               parent as parent_native_id, tags, payload, {_CHANGED} as updated_at
        from records where {_IS_RUN}
    """,
    "steps": f"""
        select place, native_id, step.key as key, step.name as name, step.kind as kind, step.attempt as attempt, step.map_index as map_index,
               if(step.word is null, [coalesce(step.phase, '')], [coalesce(step.phase, ''), step.word]) as status_raw, as_time(step.started) as started_at,
               case when {_HAS_ENDED.replace("phase", "step.phase")} then as_time(step.finished) end as ended_at,
               case when step.phase in ('Failed', 'Error') then step.message end as error_message, step.payload as payload,
               coalesce(as_time(step.finished), as_time(step.started), changed_at) as updated_at
        from (select place, {_ID} as native_id, {_CHANGED} as changed_at, unnest(steps) as step from records where {_IS_RUN})
    """,
    "automations": """
        select place, automation as native_id, automation as name, schedule, not suspended as enabled
        from records where kind = 'CronWorkflow'
    """,
    "set_aside": f"""
        select place, if(kind = 'Workflow', 'a manifest, never submitted', 'no workflow: ' || kind) as reason
        from records where not coalesce({_IS_RUN}, false) and kind not in ('', 'CronWorkflow')
    """,
}
_COLUMNS: Final = {
    "kind": "VARCHAR",
    "uid": "VARCHAR",
    "name": "VARCHAR",
    "namespace": "VARCHAR",
    "automation": "VARCHAR",
    "phase": "VARCHAR",
    "word": "VARCHAR",
    "message": "VARCHAR",
    "trigger": "VARCHAR",
    "created": TIME,
    "started": TIME,
    "finished": TIME,
    "times": "VARCHAR[]",
    "version": "VARCHAR",
    "resubmitted_from": "VARCHAR",
    "parent": "VARCHAR",
    "tags": "VARCHAR[]",
    "payload": "JSON",
    "schedule": "VARCHAR",
    "suspended": "BOOLEAN",
    "steps": 'STRUCT("key" VARCHAR, "name" VARCHAR, kind VARCHAR, attempt INTEGER, map_index INTEGER, phase VARCHAR, word VARCHAR,'
    ' message VARCHAR, "started" VARCHAR, finished VARCHAR, payload VARCHAR)[]',
}

EXPORTS = (
    Export(
        name="workflows as JSON", form="json", claims=_claims_json, reader=read_json, columns=_COLUMNS, select=_SELECT
    ),
    Export(
        name="workflows as YAML", form="text", claims=_claims_yaml, reader=read_yaml, columns=_COLUMNS, select=_SELECT
    ),
)

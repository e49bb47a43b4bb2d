"""Azure DevOps: builds with their timelines, and runs of pipelines, as the REST API and `az pipelines` give them.

`GET _apis/build/builds` and one build, `_apis/build/builds/{id}/timeline` and the timelines of earlier attempts (which
`previousAttempts` name), `_apis/pipelines/{id}/runs` and one run; `az pipelines runs list|show`, `az pipelines build list`; deliveries of the service hooks
`build.complete` and `ms.vss-pipelines.run-state-changed-event`.
A build is a run, the stages, phases, jobs, tasks and checkpoints of its timeline are steps; a stage that was run again has a higher
attempt, and its earlier one stands in a timeline of its own. Records of a timeline name their build only in the addresses of the
timeline and of logs: keep the envelope. `0001-01-01` is no time. A build that was canceled for taking too long says so only in the issues
of its timeline. Not to be known: that somebody queued a build to repeat another.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._documents import CutOff, values
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable

TOOL = "azure_devops"
DOCS = "https://learn.microsoft.com/en-us/rest/api/azure/devops/build/builds/list"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=True,
    versions=True,
    parents=True,
    keys=True,
    evidence="vendor fixture",
    retention="30 days unless the project's retention policy says otherwise",
    inferred="timeouts and lost agents of jobs, from the words of their issues",
)
_UNFINISHED: Final = {
    "none": "unknown",
    "notStarted": "queued",
    "postponed": "waiting",
    "inProgress": "running",
    "cancelling": "running",
    "canceling": "running",  # the runs of pipelines spell it so
    "pending": "queued",  # timeline
    "unknown": "unknown",
}
_RESULTS: Final = {
    "none": "unknown",
    "unknown": "unknown",
    None: "unknown",
    "succeeded": "succeeded",
    "partiallySucceeded": "partial",
    "failed": "failed",
    "canceled": "cancelled",
    # Timeline only.
    "succeededWithIssues": "partial",
    "skipped": "skipped",
    "abandoned": "crashed",
    "manuallyQueued": "waiting",
    "dependentOnManualQueue": "waiting",
}
STATUS = StatusTable(
    {
        **{(state, result): ours for state, ours in _UNFINISHED.items() for result in _RESULTS},
        **{("completed", result): ours for result, ours in _RESULTS.items()},
        **{("completed", result, "timeout"): "timed_out" for result in ("failed", "canceled", "abandoned")},
        **{("completed", result, "lost"): "crashed" for result in ("failed", "canceled", "abandoned")},
    }
)

_BUILD_OF: Final = re.compile(r"/_apis/build/builds/(\d+)(?:[/?]|$)", re.IGNORECASE)
_TIMED_OUT: Final = re.compile(r"ran longer than the maximum time|exceeded the maximum|has timed out", re.IGNORECASE)
_LOST: Final = re.compile(r"stopped hearing from agent|lost communication|lost contact with", re.IGNORECASE)
_MAX_DEPTH: Final = 50


def read_timelines(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The records of timelines, each with its `build`, its `key` in it, its attempt and its number among its likes."""
    loose: list[Mapping[str, Any]] = []
    for value in values(path):
        if isinstance(value, CutOff):
            found = list(value.items("records"))
            yield from _steps([one for one in found if isinstance(one, Mapping)], None)
            yield from (one for one in found if isinstance(one, RecordError))
        elif isinstance(value, Mapping) and isinstance(value.get("records"), list):
            yield from (RecordError("is no object", str(one)[:1000]) for one in value["records"] if not _is_object(one))
            yield from _steps([one for one in value["records"] if _is_object(one)], value.get("url"))
        elif isinstance(value, Mapping):
            loose.append(value)
        else:
            yield RecordError("is no object", str(value)[:1000])
    yield from _steps(loose, None)


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


def _steps(records: Sequence[Mapping[str, Any]], address: Any) -> Iterator[Mapping[str, Any] | RecordError]:
    """One timeline's records."""
    named = _BUILD_OF.search(str(address))
    builds = {found for record in records if (found := _build(record))}
    only = named[1] if named else next(iter(builds)) if len(builds) == 1 else None
    by_id = {str(record.get("id")): record for record in records}
    likes: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for record in sorted(records, key=lambda one: (_number(one.get("order"), 0), str(one.get("id")))):
        likes.setdefault((_key(record, by_id), _attempt(record, by_id)), []).append(record)
    named_as = {id(one): (*name, number) for name, same in likes.items() for number, one in enumerate(same)}
    for record in records:
        build = _build(record) or only
        if build is None:
            text = str(dict(record))[:1000]
            yield RecordError("names no build: keep the timeline's own address, or its logs'", text, field="url")
            continue
        key, attempt, number = named_as[id(record)]
        yield {**record, "build": build, "key": key, "attempt": attempt, "map_index": number, **_issue(record)}


def _build(record: Mapping[str, Any]) -> str | None:
    """The build that the address of a record's log names."""
    log = record.get("log")
    found = _BUILD_OF.search(str(log.get("url"))) if isinstance(log, Mapping) else None
    return found[1] if found else None


def _chain(record: Mapping[str, Any], by_id: Mapping[str, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The record and those it lies in, outermost last, up to the first that has an identifier: tasks have none."""
    chain = [record]
    while not chain[-1].get("identifier") and len(chain) < _MAX_DEPTH:
        parent = by_id.get(str(chain[-1].get("parentId")))
        if parent is None:
            break
        chain.append(parent)
    return chain


def _key(record: Mapping[str, Any], by_id: Mapping[str, Mapping[str, Any]]) -> str:
    """What stays the same from run to run: the identifier, or the names from the job's identifier down."""
    names = [str(one.get("identifier") or one.get("name") or one.get("id")) for one in _chain(record, by_id)]
    return "/".join(reversed(names))


def _attempt(record: Mapping[str, Any], by_id: Mapping[str, Mapping[str, Any]]) -> int:
    """A task belongs to its job's attempt. A job does not to its stage's: those that succeeded are not run again with it."""
    return max(_number(one.get("attempt"), 1) for one in _chain(record, by_id))


def _number(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


def _issue(record: Mapping[str, Any]) -> dict[str, Any]:
    """The first error of a record, and the word that its issues add to the result."""
    listed = record.get("issues")
    issues = [issue for issue in listed if isinstance(issue, Mapping)] if isinstance(listed, list) else []
    texts = " ".join(str(issue.get("message")) for issue in issues)
    error = next((issue for issue in issues if issue.get("type") == "error"), {})
    word = None
    if record.get("result") in ("failed", "canceled", "abandoned"):
        word = "timeout" if _TIMED_OUT.search(texts) else "lost" if _LOST.search(texts) else None
    return {"word": word, "error_type": error.get("category"), "error_message": error.get("message")}


def _is_timeline(sample: Sample) -> bool:
    """A timeline, or records of one by themselves."""
    tops = sample.top if isinstance(sample.top, list) else [sample.top]
    records = [
        record
        for top in tops[:5]
        if isinstance(top, Mapping)
        for record in (top["records"] if isinstance(top.get("records"), list) else [top])[:5]
    ]
    return any(
        isinstance(record, Mapping) and {"id", "parentId", "type", "state", "result", "attempt"} <= record.keys()
        for record in records
    )


def _automation(definition: str, folder: str) -> str:
    r"""`acme/nightly` for a definition `nightly` in the folder `\acme`."""
    return f"concat_ws('/', nullif(trim(replace({definition}.{folder}, '\\', '/'), '/'), ''), {definition}.name)"


_BUILDS: Final = """
    select place, id as native_id, definition.id::VARCHAR as automation_native_id, {automation} as automation,
           if(lower(status) in ({results}), ['completed', status], [status, result]) as status_raw,
           reason as "trigger", queueTime as queued_at, startTime as started_at,
           case when status = 'completed' or lower(status) in ({results}) then finishTime end as ended_at, sourceVersion as version,
           case when wrong.message is not null then 'validation' end as error_type, wrong.message as error_message,
           triggeredByBuild.id as parent_native_id, tags,
           json_object('project', json_object('name', project.name), 'definition', definition.name, 'buildNumber', buildNumber, 'sourceBranch', sourceBranch,
                       'parameters', parameters, 'templateParameters', templateParameters, 'triggerInfo', triggerInfo,
                       'requestedFor', requestedFor.displayName) as payload,
           coalesce(lastChangedDate, finishTime, startTime, queueTime) as updated_at
    from (select *, list_filter(validationResults, lambda one: one.result = 'error')[1] as wrong from {builds})
"""
_PIPELINE_RUNS: Final = """
    select place, id as native_id, pipeline.id::VARCHAR as automation_native_id, {automation} as automation,
           [state, result] as status_raw, createdDate as queued_at, case when state = 'completed' then finishedDate end as ended_at,
           json_object('pipeline', pipeline.name, 'name', "name", 'templateParameters', templateParameters, 'variables', variables) as payload,
           coalesce(finishedDate, createdDate) as updated_at
    from {runs}
"""
_TIMELINE: Final = {
    "runs": """
        select min(place) as place, build as native_id, max(coalesce(finishTime, startTime)) as updated_at
        from records group by build
    """,
    "steps": """
        select place, build as native_id, key, name, "type" as kind, attempt, map_index,
               if(word is null, [state, result], [state, result, word]) as status_raw, startTime as started_at,
               case when state = 'completed' then finishTime end as ended_at, error_type, error_message,
               concat_ws(' ', name, error_message) as payload,
               coalesce(as_time(lastModified), finishTime, startTime, timestamptz '2000-01-01 00:00:00+00') as updated_at
        from records
    """,
}

_BUILD_COLUMNS: Final = {
    "id": "BIGINT",
    "buildNumber": "VARCHAR",
    "status": "VARCHAR",
    "result": "VARCHAR",
    "queueTime": TIME,
    "startTime": TIME,
    "finishTime": TIME,
    "lastChangedDate": TIME,
    "reason": "VARCHAR",
    "definition": 'STRUCT(id BIGINT, "name" VARCHAR, "path" VARCHAR)',
    "project": 'STRUCT("name" VARCHAR)',
    "sourceBranch": "VARCHAR",
    "sourceVersion": "VARCHAR",
    "parameters": "JSON",
    "templateParameters": "JSON",
    "triggerInfo": "JSON",
    "requestedFor": "STRUCT(displayName VARCHAR)",
    "tags": "VARCHAR[]",
    "validationResults": "STRUCT(result VARCHAR, message VARCHAR)[]",
    "triggeredByBuild": "STRUCT(id BIGINT)",
}
_RUN_COLUMNS: Final = {
    "id": "BIGINT",
    "name": "VARCHAR",
    "state": "VARCHAR",
    "result": "VARCHAR",
    "createdDate": TIME,
    "finishedDate": TIME,
    "pipeline": 'STRUCT(id BIGINT, "name" VARCHAR, folder VARCHAR)',
    "templateParameters": "JSON",
    "variables": "JSON",
}


def _builds(source: str) -> str:
    # the first version of the hook has only the result, as the status
    results = ", ".join(f"'{word.lower()}'" for word, ours in _RESULTS.items() if word and ours != "unknown")
    return _BUILDS.format(builds=source, automation=_automation("definition", "path"), results=results)


def _pipeline_runs(source: str) -> str:
    return _PIPELINE_RUNS.format(runs=source, automation=_automation("pipeline", "folder"))


def _struct(columns: Mapping[str, str]) -> str:
    """Columns as the fields of a STRUCT, in which times are still text."""
    kinds = {name: "VARCHAR" if kind == TIME else kind for name, kind in columns.items()}
    return f"STRUCT({', '.join(f'{chr(34)}{name}{chr(34)} {kind}' for name, kind in kinds.items())})"


def _times(columns: Mapping[str, str]) -> str:
    return ", ".join(f"as_time({name}) as {name}" for name, kind in columns.items() if kind == TIME)


def _has_deliveries(sample: Sample) -> bool:
    found = sample.top if isinstance(sample.top, list) else [sample.top]
    return any(
        isinstance(one, Mapping) and one.get("eventType") in _EVENTS and isinstance(one.get("resource"), Mapping)
        for one in found
    )


_EVENTS: Final = ("build.complete", "ms.vss-pipelines.run-state-changed-event")
_HOOK_BUILDS: Final = f"""
    (select * replace ({_times(_BUILD_COLUMNS)}) from (select place, unnest(resource) from records where eventType = '{_EVENTS[0]}'))
"""
_HOOK_RUNS: Final = f"""
    (select * replace ({_times(_RUN_COLUMNS)}, inner_pipeline as pipeline)
     from (select place, unnest(resource.run), resource.pipeline as inner_pipeline from records where eventType = '{_EVENTS[1]}'))
"""

_IS_BUILD: Final = frozenset({"id", "buildNumber", "status", "definition.id"})
_IS_RUN: Final = frozenset({"id", "state", "createdDate", "pipeline.id"})

EXPORTS = (
    Export(
        name="builds",
        form="json",
        records="value",
        requires=_IS_BUILD,
        columns=_BUILD_COLUMNS,
        select={"runs": _builds("records")},
    ),
    Export(name="build", form="json", requires=_IS_BUILD, columns=_BUILD_COLUMNS, select={"runs": _builds("records")}),
    Export(
        name="runs of pipelines",
        form="json",
        records="value",
        requires=_IS_RUN,
        columns=_RUN_COLUMNS,
        select={"runs": _pipeline_runs("records")},
    ),
    Export(
        name="run of a pipeline",
        form="json",
        requires=_IS_RUN,
        columns=_RUN_COLUMNS,
        select={"runs": _pipeline_runs("records")},
    ),
    Export(
        name="timeline",
        form="json",
        claims=_is_timeline,
        reader=read_timelines,
        columns={
            "build": "BIGINT",
            "key": "VARCHAR",
            "name": "VARCHAR",
            "type": "VARCHAR",
            "attempt": "INTEGER",
            "map_index": "INTEGER",
            "state": "VARCHAR",
            "result": "VARCHAR",
            "word": "VARCHAR",
            "startTime": TIME,
            "finishTime": TIME,
            "lastModified": "VARCHAR",  # 0001-01-01T00:00:00 as a rule
            "error_type": "VARCHAR",
            "error_message": "VARCHAR",
        },
        select=_TIMELINE,
    ),
    Export(
        name="service hooks",
        form="json",
        claims=_has_deliveries,
        columns={
            "eventType": "VARCHAR",
            "resource": _struct({**_BUILD_COLUMNS, "run": _struct(_RUN_COLUMNS), "pipeline": _RUN_COLUMNS["pipeline"]}),
        },
        select={
            "runs": f"{_builds(_HOOK_BUILDS)} union all by name {_pipeline_runs(_HOOK_RUNS)}",
            "set_aside": f"""
                select place, 'delivery of another event' as reason from records where coalesce(eventType not in {_EVENTS}, true)
            """,
        },
    ),
)

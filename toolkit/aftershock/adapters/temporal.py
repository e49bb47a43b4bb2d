"""Temporal, and Cadence before it: histories and listings of workflow executions.

`temporal workflow show -o json` (the web UI's "Download" gives the same), `GetWorkflowExecutionHistory`, in both encodings
(`EVENT_TYPE_TIMER_FIRED` and `TimerFired`); a bare array of events, as Cadence and `tctl` write it, also as a script
(`module.exports = [...]`); `temporal workflow list -o json`, `describe -o json`, `ListWorkflowExecutions`; `tctl workflow list
--print_json`, which writes names with underscores and statuses as numbers.

The run id identifies a run: a workflow id is used again by the next one. Few histories name it outright; it is the
`originalExecutionRunId`, after a reset the `newRunId`. Runs that continue as new, are retried or reset belong to the run before
them; runs of a cron schedule stand alone. Of an activity's tries a history keeps the last, and what the one before it failed of.
Workflow tasks are the engine's own affair and no steps.
"""

from typing import Any, Final

from aftershock.adapters._documents import as_dict
from aftershock.adapters._temporal import ENDS, SCRIPT, event_of, pages, read, read_script
from aftershock.adapters.base import TIME, Export, Fidelity, Sample, StatusTable

TOOL = "temporal"
DOCS = "https://docs.temporal.io/cli/workflow"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=True,
    versions=True,
    parents=True,
    keys=True,
    evidence="vendor fixture",
    retention="the namespace's retention period after a run closed, 3 days by default",
    inferred="activities and timers that were open when their run closed: cancelled",
)

STATUS = StatusTable(
    {
        "RUNNING": "running",
        "PAUSED": "waiting",
        "COMPLETED": "succeeded",
        "FAILED": "failed",
        "CANCELED": "cancelled",
        "TERMINATED": "cancelled",
        "TIMED_OUT": "timed_out",
        "CONTINUED_AS_NEW": "succeeded",
        # Steps: the last event about them.
        **ENDS,
        "ActivityTaskScheduled": "queued",
        "ActivityTaskStarted": "running",
        "StartChildWorkflowExecutionInitiated": "queued",
        "ChildWorkflowExecutionStarted": "running",
        "TimerStarted": "waiting",
        "SignalExternalWorkflowExecutionInitiated": "running",
        "RequestCancelExternalWorkflowExecutionInitiated": "running",
        "NexusOperationScheduled": "queued",
        "NexusOperationStarted": "running",
        # Pending activities, as `describe` gives them.
        "SCHEDULED": "queued",
        "STARTED": "running",
        "CANCEL_REQUESTED": "running",
        "PAUSE_REQUESTED": "running",
        "BACKOFF": "waiting",
    }
)


def _first_events(sample: Sample) -> list[dict[str, Any]]:
    values = sample.top if isinstance(sample.top, list) else [sample.top]
    return [as_dict(told) for value in values[:5] if isinstance(value, dict) for told in pages(value)[:5]]


def _is_history(sample: Sample) -> bool:
    """Events numbered and named as these two do; Amazon's SWF, the ancestor, writes `eventTimestamp`."""
    return any(
        event_of(told) is not None
        and {"eventTime", "timestamp"} & told.keys()
        and any(name.endswith("EventAttributes") or name == "attributes" for name in told)
        for told in _first_events(sample)
    )


def _is_list(sample: Sample) -> bool:
    """Not the empty list of somebody else's executions."""
    first: Any = sample.top[0] if isinstance(sample.top, list) and sample.top else sample.top
    return isinstance(first, dict) and (bool(first.get("executions")) or "nextPageToken" in first)


def _tool(sample: Sample) -> str | None:
    is_cadence = any("timestamp" in told and "eventTime" not in told for told in _first_events(sample))
    return "cadence" if is_cadence else None


def _is_script(sample: Sample) -> bool:
    """A dump that somebody made a script of, for a viewer or a test."""
    return bool(SCRIPT.match(sample.text)) and all(
        name in sample.text for name in ('"eventId"', '"eventType"', 'EventAttributes"')
    )


_UUID: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_HISTORY: Final = {
    "runs": """
with named as (select *, coalesce(id, nullif(regexp_extract(file_name, '{uuid}'), ''), otherwise) as run_id from records),
below as (select place, run_id as parent, unnest(children) as child from named)
select place, run_id as native_id, automation, status, raw as status_raw, "trigger", started_at, ended_at, version, workflow_id as correlation_id,
       error_type, error_message, parent as parent_native_id, retry_of, concat_ws(' ', workflow_id, payload) as payload,
       changed_at + to_microseconds(if(status is null, 0, 1)) as updated_at  -- a listing of the same moment knows less
from named
union all by name
select place, child.id as native_id, child.automation as automation, child.raw as status_raw, 'parent workflow' as "trigger",
       as_time(child.started_at) as started_at, as_time(child.ended_at) as ended_at, child.workflow_id as correlation_id,
       child.error_type as error_type, child.error_message as error_message, parent as parent_native_id,
       child.retry_of as retry_of, child.workflow_id as payload, as_time(child.changed_at) as updated_at
from below
""".replace("{uuid}", _UUID),
    "steps": """
with named as (select *, coalesce(id, nullif(regexp_extract(file_name, '{uuid}'), ''), otherwise) as run_id from records),
told as (select place, run_id, unnest(steps) as step from named)
select place, run_id as native_id, step.key as key, step.name as name, step.kind as kind, step.attempt as attempt, step.map_index as map_index,
       step.status as status, step.raw as status_raw, as_time(step.started_at) as started_at, as_time(step.ended_at) as ended_at,
       step.error_type as error_type, step.error_message as error_message, step.payload as payload, as_time(step.changed_at) as updated_at
from told
""".replace("{uuid}", _UUID),
}

_RUNS: Final = {
    "id": "VARCHAR",
    "otherwise": "VARCHAR",
    "workflow_id": "VARCHAR",
    "automation": "VARCHAR",
    "status": "VARCHAR",
    "raw": "VARCHAR",
    "trigger": "VARCHAR",
    "started_at": TIME,
    "ended_at": TIME,
    "changed_at": TIME,
    "version": "VARCHAR",
    "error_type": "VARCHAR",
    "error_message": "VARCHAR",
    "parent": "VARCHAR",
    "retry_of": "VARCHAR",
    "payload": "VARCHAR",
    "steps": "STRUCT(key VARCHAR, name VARCHAR, kind VARCHAR, attempt INTEGER, map_index INTEGER, status VARCHAR, raw VARCHAR,"
    " started_at VARCHAR, ended_at VARCHAR, error_type VARCHAR, error_message VARCHAR, payload VARCHAR, changed_at VARCHAR)[]",
    "children": "STRUCT(id VARCHAR, workflow_id VARCHAR, automation VARCHAR, raw VARCHAR, started_at VARCHAR, ended_at VARCHAR,"
    " error_type VARCHAR, error_message VARCHAR, retry_of VARCHAR, changed_at VARCHAR)[]",
}
_INFO: Final = {
    "execution": "STRUCT(workflowId VARCHAR, runId VARCHAR)",
    "type": 'STRUCT("name" VARCHAR)',
    "startTime": TIME,
    "closeTime": TIME,
    "status": "VARCHAR",
    "closeStatus": "VARCHAR",
    "parentExecution": "STRUCT(workflowId VARCHAR, runId VARCHAR)",
    "memo": "JSON",
    "searchAttributes": "JSON",
    "mostRecentWorkerVersionStamp": "STRUCT(buildId VARCHAR)",
}


def _listed(
    source: str, failure: str = 'null::STRUCT(message VARCHAR, applicationFailureInfo STRUCT("type" VARCHAR))'
) -> str:
    """Runs as listings know them: neither retries nor errors, but for those that pending activities are tried again for."""
    return f"""
select place, execution.runId as native_id, "type"."name" as automation,
       coalesce(nullif(regexp_replace(coalesce(status, closeStatus), '^WORKFLOW_EXECUTION_(CLOSE_)?STATUS_', ''), ''),
                case when closeTime is null then 'RUNNING' end) as status_raw,
       case when json_exists(searchAttributes, '$.indexedFields.TemporalScheduledById') then 'schedule'
            when parentExecution.runId <> '' then 'parent workflow' end as "trigger",
       startTime as started_at, closeTime as ended_at, mostRecentWorkerVersionStamp.buildId as version,
       execution.workflowId as correlation_id, nullif(parentExecution.runId, '') as parent_native_id,
       failure.applicationFailureInfo."type" as error_type, failure.message as error_message,
       concat_ws(' ', execution.workflowId, memo, searchAttributes) as payload, coalesce(closeTime, startTime) as updated_at
from (select *, {failure} as failure from ({source}))
"""


# tctl leaves out what is zero, and a run still going may close in the year 1
_NUMBERED: Final = "['RUNNING', 'COMPLETED', 'FAILED', 'CANCELED', 'TERMINATED', 'CONTINUED_AS_NEW', 'TIMED_OUT']"
_TCTL: Final = f"""
select place, {{'workflowId': execution.workflow_id, 'runId': execution.run_id}} as execution, "type", start_time as startTime, close_time as closeTime,
       coalesce({_NUMBERED}[try_cast(status as INTEGER)], status) as status, null::VARCHAR as closeStatus,
       {{'workflowId': parent_execution.workflow_id, 'runId': parent_execution.run_id}} as parentExecution, null::JSON as memo,
       null::JSON as searchAttributes, null::STRUCT(buildId VARCHAR) as mostRecentWorkerVersionStamp
from records
"""
_IS_INFO: Final = frozenset({"execution.runId", "type.name", "startTime"})
_LISTED: Final = {"runs": _listed("from records")}
_FIELDS: Final = ", ".join(f'"{name}" {"VARCHAR" if kind == TIME else kind}' for name, kind in _INFO.items())
_DESCRIBED: Final = """
select * replace (as_time(startTime) as startTime, as_time(closeTime) as closeTime)
from (select place, unnest(workflowExecutionInfo), pendingActivities from records)
"""
_PENDING: Final = "list_filter(pendingActivities, lambda activity: activity.lastFailure is not null)[1].lastFailure"

EXPORTS = (
    Export(
        name="history",
        form="json",
        claims=_is_history,
        tool_of=_tool,
        reader=read,
        columns=_RUNS,
        select=_HISTORY,
    ),
    Export(
        name="history in a script",
        form="text",
        claims=_is_script,
        tool_of=lambda sample: None if '"eventTime"' in sample.text else "cadence",
        reader=read_script,
        columns=_RUNS,
        select=_HISTORY,
    ),
    Export(
        name="workflow list",
        form="json",
        requires=_IS_INFO,
        one_of=frozenset({"status", "closeStatus", "historyLength"}),
        columns=_INFO,
        select=_LISTED,
    ),
    Export(
        name="tctl workflow list",
        form="json",
        requires=frozenset({"execution.run_id", "type.name", "start_time"}),
        columns={
            "execution": "STRUCT(workflow_id VARCHAR, run_id VARCHAR)",
            "type": 'STRUCT("name" VARCHAR)',
            "start_time": TIME,
            "close_time": TIME,
            "status": "VARCHAR",
            "parent_execution": "STRUCT(workflow_id VARCHAR, run_id VARCHAR)",
        },
        select={"runs": _listed(_TCTL)},
    ),
    Export(
        name="ListWorkflowExecutions",
        form="json",
        records="executions",
        requires=_IS_INFO,
        claims=_is_list,
        columns=_INFO,
        select=_LISTED,
    ),
    Export(
        name="workflow describe",
        form="json",
        requires=frozenset({"workflowExecutionInfo.execution", "workflowExecutionInfo.type"}),
        columns={
            "workflowExecutionInfo": f"STRUCT({_FIELDS})",
            "pendingActivities": 'STRUCT(activityId VARCHAR, activityType STRUCT("name" VARCHAR), state VARCHAR, attempt INTEGER,'
            ' lastStartedTime VARCHAR, lastFailure STRUCT(message VARCHAR, applicationFailureInfo STRUCT("type" VARCHAR)))[]',
        },
        select={"runs": _listed(_DESCRIBED, _PENDING)},
    ),
)

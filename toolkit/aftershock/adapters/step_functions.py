"""AWS Step Functions: executions, their histories and their logs.

`aws stepfunctions list-executions`, `describe-execution`, `get-execution-history` (one page or all, also `--reverse-order`) and
`describe-map-run`, as the CLI (v1, v2), boto3 or the API write them; EventBridge events "Step Functions Execution Status Change";
the state machine's log in CloudWatch, lines with or without a prefix, or as `aws logs get-log-events` and `filter-log-events`
wrap them. Express workflows are told by their logs only.

A history does not name its execution. Its ARN is taken from `describe-execution` in the same file (put one behind the other) or
an `executionArn` beside the events, else from the ARN under which it starts child executions, else from the file's name where
that holds the ARN (`:` may be `_`).
Without any of these the run is known by when it began and what it was given, and does not meet its listing.

A redrive goes on under the same ARN: it is the next attempt of the run. Retries of a state are attempts of its step. A failure
that a `Catch` took over leaves a failed step in a run that succeeded. A step starts when it is scheduled, waiting for a worker
included.
"""

import re
from typing import Final

from aftershock.adapters._documents import as_dict
from aftershock.adapters._step_functions import STARTED_BY, WORDS, answers, read, read_lines
from aftershock.adapters.base import TIME, Export, Fidelity, Sample, StatusTable

TOOL = "step_functions"
DOCS = "https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=True,
    trigger=False,
    versions=True,
    parents=True,
    keys=True,
    evidence="vendor fixture",
    retention="90 days after an execution ended; histories of 25,000 events; express workflows only in CloudWatch",
    inferred="states still open when their execution or their map ended: cancelled, or failed where the failure came from them",
)

STATUS = StatusTable(WORDS)


def _has_events(sample: Sample) -> bool:
    """A history, or a state machine's log: in either every event names its type and the one before it."""
    values = sample.top if isinstance(sample.top, list) else [sample.top]
    for value in (answer for top in values if isinstance(top, dict) for answer in answers(top)):
        events = value.get("events")
        for event in [e for e in (events if isinstance(events, list) else [value]) if isinstance(e, dict)][:20]:
            inner = as_dict(event["message"]) if "message" in event else event
            is_status = inner.get("source") == "aws.states" and "executionArn" in as_dict(inner.get("detail"))
            if {"previousEventId", "type"} <= inner.keys() or {"previous_event_id", "execution_arn"} <= inner.keys():
                return True
            if "message" in event and is_status:
                return True
    return False


def _is_text(sample: Sample) -> bool:
    """Its log with something before each event."""
    return bool(re.search(r'(?m)^[^{\[\n][^{\n]*\{[^\n]*"previous_event_id"[^\n]*"execution_arn"', sample.text))


# `arn:aws:states:region:account:execution:machine:name` in a file's name, where `:` may have become `_`.
_STEM: Final = r"regexp_replace(replace(file_name, '%3A', ':'), '([.](json|jsonl|ndjson|txt|log))+$', '')"
_FROM_NAME: Final = rf"""coalesce(
    nullif(regexp_extract({_STEM}, 'arn:aws[a-z-]*:states:[^:]+:\d+:(execution|express):.+$'), ''),
    nullif(regexp_replace(regexp_extract({_STEM}, 'arn_aws[a-z-]*_states_[a-z0-9-]+_\d+_(execution|express)_.+_[^_]+$'),
        '^arn_(aws[a-z-]*)_states_([a-z0-9-]+)_(\d+)_(execution|express)_(.+)_([^_]+)$', 'arn:\1:states:\2:\3:\4:\5:\6'), ''))"""


def _automation(arn: str, machine: str = "null::VARCHAR") -> str:
    """The state machine: its ARN, else from the execution's."""
    told = f"case when {arn} like 'arn:%' then regexp_replace({arn}, ':(execution|express):([^:]+):.*$', ':stateMachine:\\2') end"
    return (
        f"coalesce({machine}, {told}) as automation_native_id,"
        f" nullif(regexp_extract(coalesce({machine}, {told}), ':stateMachine:(.*)$', 1), '') as automation"
    )


def _listed(source: str) -> str:
    """Executions as listings, descriptions and EventBridge tell them: the last attempt of each."""
    return f"""
select place, executionArn as native_id, coalesce(redriveCount, 0) + 1 as attempt, {_automation("executionArn", "stateMachineArn")},
       status as status_raw, case when coalesce(redriveCount, 0) > 0 then coalesce(redriveDate, startDate) else startDate end as started_at,
       stopDate as ended_at, itemCount as items_in, regexp_extract(coalesce(stateMachineVersionArn, ''), ':([0-9]+)$', 1) as version,
       mapRunArn as correlation_id, error as error_type, cause as error_message,
       case when redriveCount > 0 then executionArn end as retry_of, case when redriveCount > 0 then redriveCount end as retry_of_attempt,
       case when json_valid("input") then "input" ->> '$.{STARTED_BY}' end as parent_native_id,
       concat_ws(' ', name, "input", "output") as payload, coalesce(stopDate, redriveDate, startDate, told_at) as updated_at
from ({source})
"""


_EXECUTION: Final = {
    "executionArn": "VARCHAR",
    "stateMachineArn": "VARCHAR",
    "stateMachineVersionArn": "VARCHAR",
    "mapRunArn": "VARCHAR",
    "name": "VARCHAR",
    "status": "VARCHAR",
    "startDate": TIME,
    "stopDate": TIME,
    "redriveCount": "INTEGER",
    "redriveDate": TIME,
    "itemCount": "BIGINT",
    "error": "VARCHAR",
    "cause": "VARCHAR",
    "input": "VARCHAR",
    "output": "VARCHAR",
}
_TIMES: Final = ", ".join(f"as_time({name}) as {name}" for name, kind in _EXECUTION.items() if kind == TIME)
_DETAIL: Final = ", ".join(f'"{name}" {"VARCHAR" if kind == TIME else kind}' for name, kind in _EXECUTION.items())
_LISTED: Final = {"runs": _listed("select *, null::TIMESTAMPTZ as told_at from records")}
_NAMED: Final = f"""
named as (select *, coalesce(arn, case when alone then {_FROM_NAME} end, otherwise) as id from records where reason is null)
"""
_HISTORY: Final = {
    "runs": f"""
with {_NAMED}, told as (select *, unnest(runs) as run from named), started as (select place, id, machine, unnest(children) as child from named)
select place, id as native_id, run.attempt as attempt, {_automation("id", "machine")}, run.raw as status_raw,
       as_time(run.started_at) as started_at, as_time(run.ended_at) as ended_at, items_in,
       nullif(regexp_extract(coalesce(version, ''), ':([0-9]+)$', 1), '') as version, map_run as correlation_id,
       run.error as error_type, run.cause as error_message,
       case when run.attempt > 1 then id end as retry_of, case when run.attempt > 1 then run.attempt - 1 end as retry_of_attempt,
       run.parent as parent_native_id, run.payload as payload, as_time(run.changed_at) as updated_at
from told
union all by name
select place, child.arn as native_id, 1 as attempt, {_automation("child.arn")}, child.raw as status_raw,
       as_time(child.started_at) as started_at, as_time(child.ended_at) as ended_at, child.error as error_type,
       child.cause as error_message, id as parent_native_id, child.payload as payload,
       coalesce(as_time(child.ended_at), as_time(child.changed_at)) as updated_at
from started
""",
    "steps": f"""
with {_NAMED}, told as (select place, id, unnest(steps) as step from named)
select place, id as native_id, step.segment as run_attempt, step.key as key, step.name as name, step.kind as kind,
       step.system as system, step.operation as operation, step.attempt as attempt, step.map_index as map_index,
       step.status as status, step.raw as status_raw, as_time(step.started_at) as started_at, as_time(step.ended_at) as ended_at,
       step.error as error_type, step.cause as error_message, step.payload as payload, as_time(step.changed_at) as updated_at
from told
""",
    "set_aside": "select place, reason from records where reason is not null",
}
_EXECUTIONS: Final = {
    "arn": "VARCHAR",
    "otherwise": "VARCHAR",
    "alone": "BOOLEAN",
    "machine": "VARCHAR",
    "version": "VARCHAR",
    "items_in": "BIGINT",
    "map_run": "VARCHAR",
    "runs": "STRUCT(attempt INTEGER, raw VARCHAR, started_at VARCHAR, ended_at VARCHAR, error VARCHAR, cause VARCHAR,"
    " parent VARCHAR, payload VARCHAR, changed_at VARCHAR)[]",
    "steps": "STRUCT(segment INTEGER, key VARCHAR, name VARCHAR, kind VARCHAR, system VARCHAR, operation VARCHAR,"
    " attempt INTEGER, map_index INTEGER, status VARCHAR, raw VARCHAR, started_at VARCHAR, ended_at VARCHAR, error VARCHAR,"
    " cause VARCHAR, payload VARCHAR, changed_at VARCHAR)[]",
    "children": "STRUCT(arn VARCHAR, raw VARCHAR, started_at VARCHAR, ended_at VARCHAR, error VARCHAR, cause VARCHAR,"
    " payload VARCHAR, changed_at VARCHAR)[]",
    "reason": "VARCHAR",
}
_MAP_RUN: Final = {
    "mapRunArn": "VARCHAR",
    "executionArn": "VARCHAR",
    "stateMachineArn": "VARCHAR",
    "status": "VARCHAR",
    "startDate": TIME,
    "stopDate": TIME,
    "itemCounts": "STRUCT(total BIGINT, succeeded BIGINT)",
}
_MAP_RUNS: Final = {
    "runs": f"""
select place, executionArn as native_id, {_automation("executionArn")}, coalesce(stopDate, startDate) as updated_at from records
""",
    "steps": """
select place, executionArn as native_id, regexp_extract(mapRunArn, '[^/]*$') as key, regexp_extract(mapRunArn, '/([^/:]*):', 1) as name,
       'MapRun' as kind, status as status_raw, startDate as started_at, stopDate as ended_at,
       itemCounts.total as items_in, itemCounts.succeeded as items_out, coalesce(stopDate, startDate) as updated_at
from records
""",
}

EXPORTS = (
    Export(
        name="list-executions",
        form="json",
        records="executions",
        requires=frozenset({"executionArn", "status", "startDate"}),
        claims=lambda sample: (
            not isinstance(sample.top, dict) or "nextPageToken" not in sample.top
        ),  # Temporal's empty page
        columns=_EXECUTION,
        select=_LISTED,
    ),
    Export(
        name="describe-execution",
        form="json",
        requires=frozenset({"executionArn", "stateMachineArn", "status", "startDate"}),
        claims=lambda sample: not _has_events(sample),
        columns=_EXECUTION,
        select=_LISTED,
    ),
    Export(
        name="status change",
        form="json",
        requires=frozenset({"source", "detail-type", "detail.executionArn", "detail.status"}),
        columns={"time": TIME, "detail": f"STRUCT({_DETAIL})"},
        select={
            "runs": _listed(
                f"select * replace ({_TIMES}) from (select place, time as told_at, unnest(detail) from records where detail.executionArn is not null)"
            ),
            "set_aside": "select place, 'event of another kind' as reason from records where detail.executionArn is null",
        },
    ),
    Export(
        name="histories and logs",
        form="json",
        claims=_has_events,
        reader=read,
        columns=_EXECUTIONS,
        select=_HISTORY,
    ),
    Export(name="log lines", form="text", claims=_is_text, reader=read_lines, columns=_EXECUTIONS, select=_HISTORY),
    Export(
        name="describe-map-run",
        form="json",
        requires=frozenset({"mapRunArn", "executionArn", "executionCounts", "status"}),
        columns=_MAP_RUN,
        select=_MAP_RUNS,
    ),
    Export(
        name="list-map-runs",
        form="json",
        records="mapRuns",
        requires=frozenset({"mapRunArn", "executionArn", "startDate"}),
        columns=_MAP_RUN,
        select=_MAP_RUNS,
    ),
)

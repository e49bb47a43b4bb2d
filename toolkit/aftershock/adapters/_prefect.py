"""What the Prefect adapters share: the vocabulary, the columns of its objects and the SELECTs over them.

An object is the same wherever it is told: a page of the REST API, the command line's JSON, a row of the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aftershock.adapters.base import TIME, Fidelity, StatusTable

TOOL: Final = "prefect"

FIDELITY: Final = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=True,
    versions=True,
    parents=True,
    keys=True,
    evidence="captured",
    retention="until somebody deletes them (Prefect Cloud: by plan)",
    inferred="the status of a state with a name of the user's own: from its type",
)

_BY_TYPE: Final[dict[str | tuple[str | None, ...] | None, str]] = {
    "SCHEDULED": "queued",
    "PENDING": "queued",
    "RUNNING": "running",
    "PAUSED": "waiting",
    "CANCELLING": "running",
    "CANCELLED": "cancelled",
    "COMPLETED": "succeeded",
    "FAILED": "failed",
    "CRASHED": "crashed",
}
# The type is the class of a state, the name its meaning. Anybody may name a state as they like: such a name says nothing
# here, and the type decides.
_BY_NAME: Final[dict[str | tuple[str | None, ...] | None, str]] = {
    ("SCHEDULED", "Scheduled"): "queued",
    ("SCHEDULED", "Late"): "queued",
    ("SCHEDULED", "AwaitingConcurrencySlot"): "queued",
    ("SCHEDULED", "AwaitingRetry"): "waiting",
    ("SCHEDULED", "Resuming"): "queued",
    ("PENDING", "Pending"): "queued",
    ("PENDING", "Submitting"): "queued",
    ("PENDING", "InfrastructurePending"): "queued",
    ("PENDING", "NotReady"): "skipped",  # what it needs from upstream failed: it never runs and never ends
    ("RUNNING", "Running"): "running",
    ("RUNNING", "Retrying"): "running",
    ("PAUSED", "Paused"): "waiting",
    ("PAUSED", "Suspended"): "waiting",
    ("CANCELLING", "Cancelling"): "running",
    ("CANCELLED", "Cancelled"): "cancelled",
    ("COMPLETED", "Completed"): "succeeded",
    ("COMPLETED", "Cached"): "succeeded",
    ("COMPLETED", "Skipped"): "skipped",
    ("COMPLETED", "RolledBack"): "cancelled",  # it was done, and undone again with its transaction
    ("FAILED", "Failed"): "failed",
    ("FAILED", "Rejected"): "failed",
    ("FAILED", "TimedOut"): "timed_out",
    ("CRASHED", "Crashed"): "crashed",
}
STATUS: Final = StatusTable({**_BY_TYPE, **_BY_NAME})

_SHARED: Final = {
    "id": "VARCHAR",
    "created": TIME,
    "updated": TIME,
    "name": "VARCHAR",
    "tags": "VARCHAR[]",
    "state_type": "VARCHAR",
    "state_name": "VARCHAR",
    "state": "JSON",
    "run_count": "INTEGER",
    "expected_start_time": TIME,
    "start_time": TIME,
    "end_time": TIME,
}
FLOW_RUN: Final = {
    **_SHARED,
    "flow_id": "VARCHAR",
    "deployment_id": "VARCHAR",
    "deployment_version": "VARCHAR",
    "flow_version": "VARCHAR",
    "parameters": "JSON",
    "parent_task_run_id": "VARCHAR",
    "auto_scheduled": "BOOLEAN",
    "created_by": "JSON",
    "parent_flow_run_id": "VARCHAR",  # the database reader's: the API knows only the task run in between
}
TASK_RUN: Final = {
    **_SHARED,
    "flow_run_id": "VARCHAR",
    "flow_run_run_count": "INTEGER",
    "task_key": "VARCHAR",
    "dynamic_key": "VARCHAR",
}
FLOW: Final = {"id": "VARCHAR", "name": "VARCHAR", "updated": TIME}
DEPLOYMENT: Final = {
    "id": "VARCHAR",
    "name": "VARCHAR",
    "updated": TIME,
    "paused": "BOOLEAN",
    "is_schedule_active": "BOOLEAN",
    "schedule": "JSON",
    "schedules": "STRUCT(schedule JSON, active BOOLEAN)[]",
    "created_by": "JSON",
}
STATE: Final = {
    "type": "VARCHAR",
    "name": "VARCHAR",
    "timestamp": TIME,
    "message": "VARCHAR",
    "state_details": "STRUCT(flow_run_id VARCHAR, task_run_id VARCHAR)",
}
LOG: Final = {
    "flow_run_id": "VARCHAR",
    "level": "INTEGER",
    "message": "VARCHAR",
    "timestamp": TIME,
}
ARTIFACT: Final = {
    "flow_run_id": "VARCHAR",
    "key": "VARCHAR",
    "type": "VARCHAR",
    "description": "VARCHAR",
    "data": "JSON",
    "updated": TIME,
}

_NAMED: Final = ", ".join(f"'{StatusTable.key(raw)}'" for raw in _BY_NAME)
_TYPED: Final = " ".join(f"when '{raw}' then '{word}'" for raw, word in _BY_TYPE.items())


def status(kind: str, name: str) -> str:
    """`status` and `status_raw` of a state's type and name, as SQL columns."""
    return f"""case when {name} is not null and translate(lower(concat_ws('|', {kind}, {name})), '_- ', '') not in ({_NAMED})
            then case upper({kind}) {_TYPED} end end as status,
       case when {kind} is not null or {name} is not null
            then list_filter([{kind}, {name}], lambda word: word is not null) end as status_raw"""


def error(kind: str, message: str) -> str:
    """`error_type` and `error_message` of a state's type and message, as SQL columns."""
    failed = f"upper({kind}) in ('FAILED', 'CRASHED')"
    raised = rf"nullif(regexp_extract({message}, 'encountered an exception:? ([A-Za-z_][\w.]*)', 1), '')"
    return f"""case when {failed} then {raised} end as error_type,
       case when {failed} then nullif({message}, '') end as error_message"""


def step_key(task_key: str) -> str:
    """The name of a task's function, as SQL: a task key is that and a hash of its file, or in Prefect 2 its module before it."""
    return rf"regexp_extract(regexp_replace({task_key}, '-[0-9a-f]{{8}}$', ''), '[^.]+$')"


def step_number(dynamic_key: str) -> str:
    """What tells the calls of one task in a run apart, as SQL: a count in Prefect 2 and for subflows, else made of a random id."""
    return f"coalesce(try_cast({dynamic_key} as INTEGER), ('0x' || left(md5({dynamic_key}), 8))::BIGINT % 2147483647)"


def flow_runs(source: str) -> Mapping[str, str]:
    """`runs` and `set_aside` of flow runs. A run whose time has not come is no run yet."""
    states = f"""(select * replace (coalesce(state_type, state ->> '$.type') as state_type,
            coalesce(state_name, state ->> '$.name') as state_name) from {source})"""
    planned = """coalesce(upper(state_type) = 'SCHEDULED' and coalesce(state_name, 'Scheduled') = 'Scheduled'
        and start_time is null and coalesce(run_count, 0) = 0, false)"""
    return {
        # Cancelled before it started, it has the time of its cancellation as its start. total_run_time is no duration:
        # it leaves pauses out, and the estimate goes on while a run does.
        "runs": f"""
select place, id as native_id, coalesce(deployment_id, flow_id) as automation_native_id, {status("state_type", "state_name")},
       coalesce(created_by ->> '$.type', case when auto_scheduled then 'SCHEDULE' when parent_task_run_id is not null then 'SUBFLOW' end) as trigger,
       greatest(created, case when expected_start_time <= coalesce(start_time, end_time, expected_start_time)
                              then expected_start_time end) as queued_at,
       case when run_count is distinct from 0 then start_time end as started_at, end_time as ended_at,
       coalesce(deployment_version, flow_version) as version,
       {error("state_type", "(state ->> '$.message')")}, parent_flow_run_id as parent_native_id, tags,
       json_merge_patch(case when json_type(parameters) = 'OBJECT' then parameters else json_object('parameters', parameters) end,
                        json_object('flow_run_name', "name", 'state_message', state ->> '$.message'))::VARCHAR as payload,
       coalesce(updated, as_time(state ->> '$.timestamp'), created) as updated_at
from {states} where not {planned}
""",
        "set_aside": f"select place, 'planned, not started' as reason from {states} where {planned}",
    }


def task_runs(source: str) -> Mapping[str, str]:
    """`runs` and `steps` of task runs. A subflow stands in its parent as a task run that names the child.

    A task that runs in the background belongs to no flow run: it is a run of its own. When a flow is retried, all its
    tasks run anew under other ids: a failed one of an earlier try gets a last attempt that says so, lest its failure
    count against a run that its retry has saved. It cannot be told which of the later ones stands for it.
    """
    failed = "upper(state_type) in ('FAILED', 'CRASHED')"
    newest = "max(flow_run_run_count) over (partition by flow_run_id)"
    states = f"""(select * replace (coalesce(state_type, state ->> '$.type') as state_type,
            coalesce(state_name, state ->> '$.name') as state_name), state ->> '$.state_details.child_flow_run_id' as child,
            coalesce(updated, as_time(state ->> '$.timestamp'), created) as updated_at from {source})"""
    return {
        "runs": f"""
select place, flow_run_id as native_id, updated_at from {states} where flow_run_id is not null
union all by name
select place, child as native_id, flow_run_id as parent_native_id, updated_at
from {states} where child is not null and flow_run_id is not null
union all by name
select place, id as native_id, {step_key("task_key")} as automation, status, status_raw, created as queued_at, start_time as started_at,
       end_time as ended_at, error_type, error_message, tags, "name" as payload, updated_at
from (select *, {status("state_type", "state_name")}, {error("state_type", "(state ->> '$.message')")}
      from {states} where flow_run_id is null)
""",
        # The first try's start is no start of the third; and a try that waits for the next one has failed.
        "steps": f"""
select place, flow_run_id as native_id, {step_key("task_key")} as key, {step_number("dynamic_key")} as map_index,
       case when child is null then 'task' else 'subflow' end as kind, greatest(run_count, 1) as attempt,
       raw.status_raw, if(state_name = 'AwaitingRetry', 'failed', raw.status) as status,
       case when run_count = 1 then start_time end as started_at, end_time as ended_at, error_type, error_message,
       concat_ws(' ', "name", state ->> '$.message') as payload, updated_at
from (select *, {{'status': status, 'status_raw': status_raw}} as raw
      from (select *, {status("state_type", "state_name")}, {error("state_type", "(state ->> '$.message')")} from {states}))
where flow_run_id is not null
union all by name
select place, flow_run_id as native_id, {step_key("task_key")} as key, {step_number("dynamic_key")} as map_index,
       'task' as kind, greatest(run_count, 1) + 1 as attempt, 'skipped' as status, ['flow run retried'] as status_raw, updated_at
from (select *, bool_or(failed and last_try) over (partition by flow_run_id) as failed_again
      from (select *, coalesce({failed}, false) as failed, flow_run_run_count = {newest} as last_try from {states}))
where flow_run_id is not null and flow_run_run_count > 0 and failed and not last_try and not failed_again
""",
    }


def flows(source: str) -> Mapping[str, str]:
    """`automations` of flows: what subflows and runs without a deployment are runs of."""
    return {"automations": f'select place, id as native_id, "name", updated as updated_at from {source}'}


def deployments(source: str) -> Mapping[str, str]:
    """`automations` of deployments: a flow with its schedule, its parameters and its client."""
    every = r"'every ' || regexp_replace(one ->> '$.interval', '\.0+$', '') || ' s'"
    zone = "coalesce(' ' || nullif(one ->> '$.timezone', 'UTC'), '')"
    text = f"coalesce(coalesce(one ->> '$.cron', one ->> '$.rrule', {every}) || {zone}, '?')"
    return {
        "automations": f"""
select place, id as native_id, "name", created_by ->> '$.display_value' as owner, coalesce(not paused, is_schedule_active) as enabled,
       nullif(array_to_string(list_transform(
           case when len(schedules) > 0 then list_transform(schedules, lambda one: one.schedule)
                when schedule is not null then [schedule] end, lambda one: {text}), '; '), '') as schedule, updated as updated_at
from {source}
"""
    }


def states(source: str) -> Mapping[str, str]:
    """`runs` and `set_aside` of a run's history of states: what it was when.

    A subflow's states name the task run in between and look like those of a task: neither is taken.
    """
    reason = """case when coalesce(state_details.task_run_id, '') <> '' then 'state of a task run or of a subflow'
            when coalesce(state_details.flow_run_id, '') = '' then 'state that names no run'
            when upper("type") = 'SCHEDULED' and coalesce("name", 'Scheduled') = 'Scheduled' then 'planned, not started' end"""
    return {
        "runs": f"""
select place, run as native_id, {status('"type"', '"name"')}, {error('"type"', "message")},
       min(case when upper("type") = 'RUNNING' then "timestamp" end) over (
           partition by run order by "timestamp", place rows unbounded preceding) as started_at,
       case when upper("type") in ('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED') then "timestamp" end as ended_at,
       "timestamp" as updated_at
from (select *, state_details.flow_run_id as run from {source} where {reason} is null)
""",
        "set_aside": f"select place, {reason} as reason from {source} where {reason} is not null",
    }


def logs(source: str) -> Mapping[str, str]:
    """`runs` and `set_aside` of log lines: the keys they name, and what went wrong."""
    return {
        "runs": f"""
select place, flow_run_id as native_id, case when level >= 40 then split_part(message, chr(10), 1) end as error_message,
       case when level >= 40 then nullif(regexp_extract(message, 'exception(?: during execution)?: ([A-Za-z_][\\w.]*)', 1), '') end as error_type,
       message as payload, "timestamp" as updated_at
from {source} where flow_run_id is not null
""",
        "set_aside": f"select place, 'log line of no flow run' as reason from {source} where flow_run_id is null",
    }


def artifacts(source: str) -> Mapping[str, str]:
    """`runs` and `set_aside` of artifacts: the keys that a run showed. A stored result is only a reference to a file."""
    shown = 'flow_run_id is not null and "type" is not null and "type" <> \'result\''
    return {
        "runs": f"""
select place, flow_run_id as native_id, concat_ws(' ', key, description, data) as payload, updated as updated_at
from {source} where {shown}
""",
        "set_aside": f"select place, 'result or artifact of no run' as reason from {source} where not coalesce({shown}, false)",
    }

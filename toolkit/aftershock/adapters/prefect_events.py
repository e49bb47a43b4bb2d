"""Prefect's event feed: `POST /api/events/filter` with its next pages, and `prefect event stream -o json`, an event a line.

Every change of state of a flow run or a task run, in order: tries that the task run's own record has forgotten, and when
each began. A secondary source, which gives way to the runs' own records; events are kept for days only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from aftershock.adapters import _prefect
from aftershock.adapters._prefect import STATUS as STATUS
from aftershock.adapters.base import TIME, Export, Sample

TOOL = "prefect"
DOCS = "https://docs.prefect.io/v3/concepts/events"
FIDELITY = replace(
    _prefect.FIDELITY,
    parents=False,
    versions=False,
    retention="7 days (PREFECT_SERVER_EVENTS_RETENTION_PERIOD)",
)

_ABOUT: Final = '"prefect.resource.id" VARCHAR, "prefect.resource.name" VARCHAR'
_COLUMNS: Final = {
    "event": "VARCHAR",
    "occurred": TIME,
    "resource": f'STRUCT({_ABOUT}, "prefect.run-count" VARCHAR, "prefect.state-type" VARCHAR, "prefect.state-name" VARCHAR,'
    ' "prefect.state-message" VARCHAR)',
    "related": f'STRUCT({_ABOUT}, "prefect.resource.role" VARCHAR)[]',
    "payload": "STRUCT(task_run STRUCT(task_key VARCHAR, dynamic_key VARCHAR))",
}


def _related(role: str, part: str) -> str:
    """The id or the name of the first related resource of a role, as SQL; ids come without their kind."""
    found = (
        f"""list_filter(related, lambda one: one."prefect.resource.role" = '{role}')[1]."prefect.resource.{part}" """
    )
    return f"substr({found}, {len(f'prefect.{role}.') + 1})" if part == "id" else found


_EVENTS: Final = f"""
select place, occurred, event, split_part(event, '.', 2) as about, split_part(event, '.', 3) as what,
       substr(resource."prefect.resource.id", length(about) + 10) as id, resource."prefect.resource.name" as "name",
       resource."prefect.state-type" as state_type, resource."prefect.state-name" as state_name,
       resource."prefect.state-message" as message, try_cast(resource."prefect.run-count" as INTEGER) as run_count,
       payload.task_run.task_key as task_key, payload.task_run.dynamic_key as dynamic_key, {_related("flow-run", "id")} as flow_run_id,
       coalesce({_related("deployment", "id")}, {_related("flow", "id")}) as automation_native_id,
       case when {_related("deployment", "id")} is not null then {_related("deployment", "name")}
            else {_related("flow", "name")} end as automation,
       list_transform(list_filter(related, lambda one: one."prefect.resource.role" = 'tag'),
                      lambda one: substr(one."prefect.resource.id", 13)) as tags,
       case when state_type is null then null
            when about = 'task-run' and task_key is not null then if(flow_run_id is null, 'task alone', 'task')
            when about = 'flow-run' and not (upper(state_type) = 'SCHEDULED' and state_name = 'Scheduled' and coalesce(run_count, 0) = 0)
            then 'run' end as kind,
       case when upper(state_type) = 'RUNNING' then occurred end as began_at,
       case when upper(state_type) in ('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED') or state_name = 'AwaitingRetry'
            then occurred end as over_at
from records
"""
_IS_CHANGE: Final = "coalesce(event in ('prefect.deployment.created', 'prefect.deployment.updated', 'prefect.deployment.deleted'), false)"

# A run begins with its first start; a try that waits for the next one has failed and is over, but its run is not.
_SELECT: Final = {
    "runs": f"""
select place, if(kind = 'run', id, coalesce(flow_run_id, id)) as native_id, automation_native_id,
       case when kind = 'task alone' then {_prefect.step_key("task_key")} else automation end as automation, tags,
       case when kind <> 'task' then state.status end as status, case when kind <> 'task' then state.status_raw end as status_raw,
       case when kind <> 'task' and run_count = 1 then began_at end as started_at,
       case when kind <> 'task' and state_name <> 'AwaitingRetry' then over_at end as ended_at,
       case when kind <> 'task' then state.error_type end as error_type, case when kind <> 'task' then state.error_message end as error_message,
       case when kind <> 'task' then concat_ws(' ', "name", message) end as payload, occurred as updated_at
from (select *, {{'status': status, 'status_raw': status_raw, 'error_type': error_type, 'error_message': error_message}} as state
      from (select *, {_prefect.status("state_type", "state_name")}, {_prefect.error("state_type", "message")} from ({_EVENTS})))
where kind is not null
""",
    "steps": f"""
select place, flow_run_id as native_id, {_prefect.step_key("task_key")} as key, {_prefect.step_number("dynamic_key")} as map_index,
       'task' as kind, greatest(run_count, 1) as attempt, state.status_raw,
       if(state_name = 'AwaitingRetry', 'failed', state.status) as status, began_at as started_at, over_at as ended_at,
       error_type, error_message, concat_ws(' ', "name", message) as payload, occurred as updated_at
from (select *, {{'status': status, 'status_raw': status_raw}} as state
      from (select * exclude (kind), {_prefect.status("state_type", "state_name")}, {_prefect.error("state_type", "message")}
      from ({_EVENTS}) where kind = 'task'))
""",
    "changes": f"""
select place, id as automation_native_id, "name" as automation, what as kind, occurred as "at" from ({_EVENTS}) where {_IS_CHANGE}
""",
    "automations": f"""
select place, id as native_id, "name", occurred as updated_at from ({_EVENTS}) where {_IS_CHANGE}
""",
    "set_aside": f"""
select place, case when what = 'heartbeat' then 'heartbeat' when about = 'flow-run' and state_type is not null then 'planned, not started'
                   when about in ('flow-run', 'task-run') or flow_run_id is not null then 'event inside a run' else 'not about a run' end as reason
from ({_EVENTS}) where kind is null and not {_IS_CHANGE}
""",
}


def _is_prefect(event: Mapping[str, Any]) -> bool:
    return "prefect.resource.id" in event["resource"]


def _is_page(sample: Sample) -> bool:
    """Events, or an envelope without any that is Prefect's: what stands behind the events may lie beyond the sample."""
    first = sample.top[0] if isinstance(sample.top, list) and sample.top else sample.top
    return isinstance(first, Mapping) and (bool(first.get("events")) or "next_page" in first)


_REQUIRES: Final = frozenset({"event", "occurred", "resource", "related"})

EXPORTS = (
    Export(
        name="events by page",
        form="json",
        records="events",
        requires=_REQUIRES,
        where=_is_prefect,
        claims=_is_page,
        columns=_COLUMNS,
        select=_SELECT,
        rank=1,
    ),
    Export(name="events", form="json", requires=_REQUIRES, where=_is_prefect, columns=_COLUMNS, select=_SELECT, rank=1),
)

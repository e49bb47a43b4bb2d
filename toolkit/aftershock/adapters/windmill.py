"""Windmill: jobs, queued and completed.

`GET /api/w/{workspace}/jobs/list`, `/jobs/completed/list`, `/jobs/queue/list`, `/jobs_u/get/{id}`, and the admin's
`/jobs/completed/export` and `/jobs/queue/export`: arrays, single jobs or a job a line.

Lists mix flows with the jobs of their steps. A flow is a run, and its `flow_status` tells its steps; the jobs of the steps add
their times and errors where they stand in the same file, and are no runs. A flow inside a flow, an iteration of a loop and a
script that a script started are runs below their parent. Previews are tests. Jobs that only resolve dependencies are set aside,
as is a schedule's next job before it is due.
"""

from collections.abc import Mapping
from typing import Any, Final

from aftershock.adapters.base import TIME, Export, Fidelity, StatusTable

TOOL = "windmill"
DOCS = "https://app.windmill.dev/openapi.html"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=True,
    versions=True,
    parents=True,
    keys=True,
    evidence="documented",
    retention="30 days on the community edition, else as the instance is set",
    inferred="timed_out from who or what cancelled a job; crashed from a worker that gave no more sign; a missing end from start and duration",
)

STATUS = StatusTable(
    {
        # Completed jobs: status of an export, and what the booleans of a list say.
        "success": "succeeded",
        "failure": "failed",
        "canceled": "cancelled",
        "skipped": "skipped",
        "canceled by timeout": "timed_out",
        "failure: no ping": "crashed",
        # Queued jobs.
        "running": "running",
        "queued": "queued",
        "suspended": "waiting",
        "scheduled": "waiting",
        # Modules of a flow. (`WaitingForPriorSteps` of a flow that has ended was never reached.)
        "WaitingForPriorSteps": "queued",
        "WaitingForEvents": "waiting",
        "WaitingForExecutor": "queued",
        "InProgress": "running",
    }
)

_MODULE: Final = (
    'STRUCT("type" VARCHAR, id VARCHAR, job VARCHAR, flow_jobs VARCHAR[], flow_jobs_success BOOLEAN[],'
    " failed_retries VARCHAR[], skipped BOOLEAN)"
)
_COLUMNS: Final = {
    "type": "VARCHAR",
    "id": "VARCHAR",
    "parent_job": "VARCHAR",
    "created_by": "VARCHAR",
    "created_at": TIME,
    "scheduled_for": TIME,
    "started_at": TIME,
    "completed_at": TIME,
    "duration_ms": "DOUBLE",
    "status": "VARCHAR",
    "success": "BOOLEAN",
    "canceled": "BOOLEAN",
    "canceled_by": "VARCHAR",
    "canceled_reason": "VARCHAR",
    "is_skipped": "BOOLEAN",
    "running": "BOOLEAN",
    "suspend": "INTEGER",
    "job_kind": "VARCHAR",
    "is_flow_step": "BOOLEAN",
    "script_path": "VARCHAR",
    "script_hash": "VARCHAR",
    "schedule_path": "VARCHAR",
    "trigger_kind": "VARCHAR",
    "permissioned_as": "VARCHAR",
    "email": "VARCHAR",
    "labels": "VARCHAR[]",
    "args": "JSON",
    "result": "JSON",
    "flow_status": f"STRUCT(modules {_MODULE}[], failure_module {_MODULE})",
}

# What a job is, once: `word` is its status, `sort` whether it is a run.
_JOBS: Final = """
jobs as (
    select *, result ->> '$.error.name' as error_name, coalesce(result ->> '$.error.message', result ->> '$.error') as error_text,
           coalesce("type" = 'CompletedJob', completed_at is not null or success is not null or status is not null) as is_completed,
           coalesce(completed_at, started_at + to_milliseconds(duration_ms)) as ended_at,
           case when job_kind similar to '(flow|app)?dependencies|deploymentcallback' then 'job that only deploys'
                when is_flow_step and parent_job is not null and job_kind not similar to '(single(script|step))?flow|flowpreview|flownode' then 'step' end as sort
    from records where id is not null
), told as (
    select *, case when not is_completed and coalesce(running, false) then 'running'
                   when not is_completed and suspend > 0 then 'suspended'
                   when not is_completed then case when scheduled_for > created_at + interval 2 second then 'scheduled' else 'queued' end
                   when coalesce(canceled, status = 'canceled', false)
                        then case when lower(canceled_by) = 'timeout' then 'canceled by timeout' else 'canceled' end
                   when is_skipped then 'skipped'
                   when coalesce(status, case when success then 'success' when not success then 'failure' end) = 'failure'
                        then case when contains(lower(error_text), 'no ping') then 'failure: no ping' else 'failure' end
                   else coalesce(status, case when success then 'success' end) end as word
    from jobs
), sorted as (
    select * replace (case when sort is null and word = 'scheduled' and schedule_path is not null then 'planned, not yet due' else sort end as sort)
    from told
)"""
_RUNS: Final = f"""
with {_JOBS}
select place, id as native_id, script_path as automation, word as status_raw,
       case when email like '%error_handler%' or created_by like '%error_handler%' then 'error_handler'
            when job_kind in ('preview', 'flowpreview') then 'test' end as role,
       coalesce(trigger_kind, case when schedule_path is not null then 'schedule' when parent_job is not null then 'parent job' end) as "trigger",
       greatest(created_at, scheduled_for) as queued_at, started_at, case when is_completed then ended_at end as ended_at,
       case when is_completed then duration_ms / 1000 end as duration_s, script_hash as version,
       case when word <> 'success' then coalesce(error_name, case when canceled_by is not null then 'canceled by ' || canceled_by end) end as error_type,
       case when word <> 'success' then coalesce(error_text, canceled_reason) end as error_message,
       parent_job as parent_native_id, labels as tags, json_object('args', args, 'result', result) as payload,
       case when is_completed then coalesce(ended_at, started_at, created_at) else coalesce(started_at, created_at) end as updated_at
from sorted where sort is null
"""
# Tries, iterations, then the module itself: its last try. Where a job's own record is at hand it knows times and errors.
_STEPS: Final = f"""
with {_JOBS}, modules as (
    select place, id as flow, is_completed, ended_at as flow_ended_at, coalesce(ended_at, started_at, created_at) as told_at,
           unnest(list_concat(flow_status.modules, case when flow_status.failure_module."type" not in ('WaitingForPriorSteps')
                                                        then [flow_status.failure_module] else [] end)) as module
    from sorted where sort is null and flow_status is not null
), tries as (
    select * exclude (module), module.id as key, 0 as map_index, unnest(module.failed_retries) as job, unnest(range(len(module.failed_retries))) + 1 as attempt,
           'Failure' as said, false as skipped
    from modules where len(module.failed_retries) > 0
    union all by name
    select * exclude (module), module.id || ' iteration' as key, unnest(range(len(module.flow_jobs))) as map_index, unnest(module.flow_jobs) as job, 1 as attempt,
           unnest(list_transform(range(len(module.flow_jobs)), lambda i: case when module.flow_jobs_success[i + 1] then 'Success'
                                 when not module.flow_jobs_success[i + 1] then 'Failure' else 'InProgress' end)) as said, false as skipped
    from modules where len(module.flow_jobs) > 0
    union all by name
    select * exclude (module), module.id as key, 0 as map_index, module.job as job, coalesce(len(module.failed_retries), 0) + 1 as attempt,
           module."type" as said, coalesce(module.skipped, false) as skipped
    from modules
)
select tries.place, flow as native_id, tries.key, coalesce(own.job_kind, 'module') as kind, attempt, tries.map_index,
       case when skipped or (said = 'WaitingForPriorSteps' and tries.is_completed) then 'skipped'
            when said in ('WaitingForEvents', 'WaitingForExecutor', 'InProgress') and tries.is_completed then 'cancelled'
            when own.word in ('canceled by timeout', 'failure: no ping')
                 then case own.word when 'failure: no ping' then 'crashed' else 'timed_out' end end as status,
       said as status_raw, own.started_at, case when own.is_completed then own.ended_at end as ended_at,
       case when said = 'Failure' then own.error_name end as error_type, case when said = 'Failure' then own.error_text end as error_message,
       case when own.id is not null then json_object('args', own.args, 'result', own.result) end as payload, told_at as updated_at
from tries left join sorted own on own.id = tries.job
"""
_SELECT: Final = {
    "runs": _RUNS,
    "steps": _STEPS,
    "set_aside": f"""
with {_JOBS}
select place, case sort when 'step' then 'job of a step; its flow tells it' else sort end as reason from sorted where sort is not null
""",
}
_IS_JOB: Final = frozenset({"id", "created_by", "created_at"})
_TOO: Final = frozenset({"is_flow_step", "permissioned_as", "script_path", "script_hash", "schedule_path"})


def _is_job(job: Mapping[str, Any]) -> bool:
    """By its type where that is told: the kind may stand behind arguments, results and logs of any length."""
    return job.get("type") in ("CompletedJob", "QueuedJob") or ("job_kind" in job and bool(_TOO & job.keys()))


EXPORTS = (
    Export(name="jobs", form="json", requires=_IS_JOB, where=_is_job, columns=_COLUMNS, select=_SELECT),
    Export(
        name="jobs and obscured jobs",
        form="json",
        records="jobs",
        requires=_IS_JOB,
        where=_is_job,
        columns=_COLUMNS,
        select=_SELECT,
    ),
)

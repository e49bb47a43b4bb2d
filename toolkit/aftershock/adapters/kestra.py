"""Kestra: executions and their logs.

`GET /api/v1/{tenant}/executions/search` (one page or many), `/executions/{id}`, `/executions/by-ids`; `/taskruns/search`;
`/logs/search` and `/logs/{execution}`.

An execution tells all its states with their times, so it also says how long it waited: queued from `CREATED` to the first
`RUNNING`. Kestra's own duration begins with `CREATED`; ours begins where it ran. A restart goes on under the same id, with more
attempts of the task runs that failed; a replay is a new execution and names the one it repeats as `parentId`. What an error
said stands only in the logs.
"""

from typing import Final

from aftershock.adapters.base import TIME, Export, Fidelity, StatusTable

TOOL = "kestra"
DOCS = "https://kestra.io/docs/api-reference/open-source"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=True,
    versions=True,
    parents=True,
    keys=True,
    evidence="vendor fixture",
    retention="until a flow of `plugin-core`'s Purge deletes them",
    inferred="nothing",
)

STATUS = StatusTable(
    {
        "CREATED": "queued",
        "SUBMITTED": "queued",
        "QUEUED": "queued",
        "RESTARTED": "queued",
        "RESUBMITTED": "queued",
        "RUNNING": "running",
        "KILLING": "running",
        "PAUSED": "waiting",
        "BREAKPOINT": "waiting",
        "RETRYING": "waiting",
        "SUCCESS": "succeeded",
        "WARNING": "partial",
        "FAILED": "failed",
        "RETRIED": "failed",  # and followed by another execution
        "KILLED": "cancelled",
        "CANCELLED": "cancelled",
        "SKIPPED": "skipped",
    }
)

_STATE: Final = (
    'STRUCT("current" VARCHAR, histories STRUCT(state VARCHAR, "date" VARCHAR)[], startDate VARCHAR, endDate VARCHAR)'
)
_TASK_RUN: Final = (
    f'STRUCT(id VARCHAR, taskId VARCHAR, parentTaskRunId VARCHAR, "value" VARCHAR, iteration INTEGER, attempts STRUCT(state {_STATE})[],'
    f" outputs JSON, state {_STATE})"
)
_EXECUTION: Final = {
    "id": "VARCHAR",
    "tenantId": "VARCHAR",
    "namespace": "VARCHAR",
    "flowId": "VARCHAR",
    "flowRevision": "VARCHAR",
    "state": _STATE,
    "taskRunList": f"{_TASK_RUN}[]",
    "inputs": "JSON",
    "outputs": "JSON",
    "labels": "JSON",
    "variables": "JSON",
    "parentId": "VARCHAR",
    "originalId": "VARCHAR",
    "trigger": 'STRUCT(id VARCHAR, "type" VARCHAR, variables STRUCT(executionId VARCHAR))',
    "loopRun": "JSON",
    "scheduleDate": TIME,
}


def _last(state: str) -> str:
    """When a state was last changed."""
    return f'greatest(list_max([as_time(h."date") for h in {state}.histories]), as_time({state}.startDate), as_time({state}.endDate))'


def _ran(state: str) -> str:
    """When it first ran."""
    return f"list_min([as_time(h.\"date\") for h in {state}.histories if h.state = 'RUNNING'])"


_FINISHED: Final = "('SUCCESS', 'WARNING', 'FAILED', 'KILLED', 'CANCELLED', 'RETRIED', 'SKIPPED')"


def _ended(state: str) -> str:
    """When it ended: some releases leave the field out."""
    return f'case when {state}."current" in {_FINISHED} then coalesce(as_time({state}.endDate), {_last(state)}) end'


_AUTOMATION: Final = (
    "concat_ws('/', nullif(tenantId, 'main'), namespace, flowId) as automation_native_id, flowId as automation"
)
_PLANNED: Final = "coalesce(state.\"current\" = 'CREATED' and scheduleDate is not null, false)"
_RUNS: Final = f"""
select place, id as native_id, {_AUTOMATION}, state."current" as status_raw,
       regexp_extract("trigger"."type", '[^.]+$') as "trigger",
       coalesce(list_min([as_time(h."date") for h in state.histories]), as_time(state.startDate)) as queued_at,
       {_ran("state")} as started_at, {_ended("state")} as ended_at, flowRevision as version,
       case when loopRun is null then coalesce(parentId, nullif(originalId, id)) end as retry_of,
       coalesce("trigger".variables.executionId, case when loopRun is not null then parentId end) as parent_native_id,
       json_object('labels', labels, 'inputs', inputs, 'outputs', outputs, 'variables', variables, 'trigger', "trigger") as payload,
       {_last("state")} as updated_at
from records where id is not null and not {_PLANNED}
"""
# A loop runs a task several times: its task runs stand beside each other in the order in which they were made. The last
# attempt has the task run's word, which knows whether a failure was allowed, but not while that waits for the next one.
_STEPS_OF: Final = f"""
with tasks as ({{tasks}}), tries as (
    select *, unnest(range(1, greatest(len(task.attempts), 1) + 1)) as attempt, greatest(len(task.attempts), 1) as attempts
    from tasks
), told as (
    select * exclude (task), task, coalesce(task.attempts[attempt].state, task.state) as state from tries
)
select place, native_id, task.id as key, task.taskId as name, attempt, map_index,
       case when attempt = attempts and task.state."current" not in ('RETRYING', 'RETRIED', 'RESTARTED')
            then task.state."current" else state."current" end as status_raw,
       {_ran("state")} as started_at, {_ended("state")} as ended_at,
       case when attempt = attempts then json_object('value', task."value", 'outputs', task.outputs) end as payload,
       greatest({_last("state")}, case when attempt = attempts then {_last("task.state")} end) as updated_at
from told
"""
_STEPS: Final = _STEPS_OF.format(
    tasks=f"""
    select place, id as native_id, task, row_number() over (partition by place, task.taskId order by number) - 1 as map_index
    from (select place, id, unnest(taskRunList) as task, unnest(range(len(taskRunList))) as number
          from records where id is not null and not {_PLANNED})
"""
)
# The list of task runs, until Kestra 0.24: without the executions, and so without their place in a loop.
_TASK_RUNS: Final = {
    "runs": f"""
select place, executionId as native_id, {_AUTOMATION}, {_last("state")} as updated_at from records where executionId is not null
""",
    "steps": _STEPS_OF.format(
        tasks="""
    select place, executionId as native_id, null::INTEGER as map_index, {'id': id, 'taskId': taskId, 'value': "value", 'attempts': attempts,
           'outputs': outputs, 'state': state} as task
    from records where executionId is not null
"""
    ),
}
_SELECT: Final = {
    "runs": _RUNS,
    "steps": _STEPS,
    "set_aside": f"select place, 'planned, not yet due' as reason from records where {_PLANNED}",
}
_TASK_RUN_COLUMNS: Final = {
    **dict.fromkeys(("id", "tenantId", "namespace", "flowId", "executionId", "taskId", "value"), "VARCHAR"),
    "attempts": f"STRUCT(state {_STATE})[]",
    "outputs": "JSON",
    "state": _STATE,
}
_LOG: Final = {
    "tenantId": "VARCHAR",
    "namespace": "VARCHAR",
    "flowId": "VARCHAR",
    "taskId": "VARCHAR",
    "executionId": "VARCHAR",
    "taskRunId": "VARCHAR",
    "attemptNumber": "INTEGER",
    "timestamp": TIME,
    "level": "VARCHAR",
    "message": "VARCHAR",
}
# Only what an error said: the state is the execution's to tell.
_LOGS: Final = {
    "runs": f"""
select place, executionId as native_id, {_AUTOMATION}, case when taskRunId is null and level = 'ERROR' then message end as error_message,
       case when taskRunId is null then message end as payload, "timestamp" as updated_at
from records where executionId is not null
""",
    "steps": """
select place, executionId as native_id, taskRunId as key, taskId as name, coalesce(attemptNumber, 0) + 1 as attempt,
       case when level = 'ERROR' then message end as error_message, message as payload, "timestamp" as updated_at
from records where executionId is not null and taskRunId is not null
""",
    "set_aside": "select place, 'line about no execution' as reason from records where executionId is null",
}
_IS_EXECUTION: Final = frozenset({"id", "namespace", "flowId"})
_EARLY: Final = frozenset(
    {"flowRevision", "taskRunList", "state.current"}
)  # the state stands behind outputs of any length
_IS_TASK_RUN: Final = frozenset({"taskId", "executionId"})
_IS_LOG: Final = frozenset({"namespace", "flowId", "executionId", "timestamp", "level", "message"})

EXPORTS = (
    Export(
        name="executions",
        form="json",
        records="results",
        requires=_IS_EXECUTION,
        one_of=_EARLY,
        forbids=_IS_TASK_RUN,
        columns=_EXECUTION,
        select=_SELECT,
    ),
    Export(
        name="execution",
        form="json",
        requires=_IS_EXECUTION,
        one_of=_EARLY,
        forbids=_IS_TASK_RUN,
        columns=_EXECUTION,
        select=_SELECT,
    ),
    Export(
        name="task runs",
        form="json",
        records="results",
        requires=_IS_EXECUTION | _IS_TASK_RUN,
        columns=_TASK_RUN_COLUMNS,
        select=_TASK_RUNS,
    ),
    Export(name="logs", form="json", records="results", requires=_IS_LOG, columns=_LOG, select=_LOGS, rank=1),
    Export(name="log lines", form="json", requires=_IS_LOG, columns=_LOG, select=_LOGS, rank=1),
)

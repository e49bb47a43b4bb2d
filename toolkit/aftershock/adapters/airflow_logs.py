"""Apache Airflow 3, stable REST API (`/api/v2`): why a try ended. The audit log and the tasks' own logs.

`GET /eventLogs` knows the tries whose worker died: the task instance itself says only `failed`. `GET .../logs/{try}`
(JSON) has the exception, or the signal that killed the process, and what the task printed.
Callbacks of a failure or a retry are notices where the log tells that one was executed and went well: Airflow 2 writes it, Airflow 3 writes
only those that failed, so there its silence says nothing. Callbacks of a whole DAG run stand in the scheduler's own logs.
"""

from typing import Final

from aftershock.adapters.airflow import STATUS as STATUS
from aftershock.adapters.base import TIME, Export, Fidelity, Sample

TOOL = "airflow"
DOCS = "https://airflow.apache.org/docs/apache-airflow/stable/troubleshooting.html"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=False,
    versions=False,
    parents=False,
    keys=True,
    evidence="captured",
    retention="audit log: until `airflow db clean`; task logs: as long as the log files",
    inferred="crashed from a heartbeat timeout, a state mismatch or a kill signal; timed_out from the exception's type",
)

# A try that these events name was alive to Airflow, so it ends as a plain `failed`, a moment after the event (under
# load many moments). The event knows more, so it has to stand as the later word. Nothing else can come of the same try,
# but for a task that a person cleared while it ran, which reads [restarting] and is no crash. The task's own log knows
# best: its word stands later still.
_LATER: Final = "interval 2 minutes"
_IS_CRASH: Final = (
    "dag_id is not null and run_id is not null and task_id is not null and try_number is not null and"
    " (event = 'heartbeat timeout' or (event = 'state mismatch' and not contains(coalesce(extra, ''), '[restarting]')))"
)
_PAUSED: Final = "case when event = 'patch_dag' and json_valid(extra) then extra ->> '$.is_paused' end"
_IS_PAUSE: Final = f"dag_id is not null and {_PAUSED} in ('true', 'false')"

EVENTS: Final = {
    "runs": f"""
select min(place) as place, dag_id as scope, run_id as native_id, dag_id as automation_native_id,
       coalesce(max(dag_display_name), dag_id) as automation, max("when") as updated_at
from records where {_IS_CRASH} group by dag_id, run_id
""",
    # Both events may name one try: the heartbeat's word is the better one.
    "steps": f"""
select place, dag_id as scope, run_id as native_id, task_id as key, coalesce(task_display_name, task_id) as name,
       greatest(try_number, 1) as attempt, greatest(map_index, 0) as map_index,
       'crashed' as status, event as status_raw,
       case event when 'heartbeat timeout' then 'WorkerHeartbeatTimeout' else 'TaskStateMismatch' end as error_type,
       extra as error_message,
       "when" + {_LATER} + to_minutes(case event when 'heartbeat timeout' then 1 else 0 end) as updated_at
from records where {_IS_CRASH}
""",
    "changes": f"""
select place, dag_id as automation_scope, dag_id as automation_native_id,
       coalesce(dag_display_name, dag_id) as automation, "when" as "at", owner as "by",
       case {_PAUSED} when 'true' then 'paused' else 'resumed' end as kind
from records where {_IS_PAUSE}
""",
    "set_aside": f"""
select place, 'audit event: ' || coalesce(event, 'no name') as reason
from records where not coalesce({_IS_CRASH}, false) and not coalesce({_IS_PAUSE}, false)
""",
}

# One record is one log. Most lines name the task instance; where none does, the path of the log file tells it.
_OF_THE_TRY: Final = r"""
with lines as (
    select place, unnest(content) as line, unnest(range(len(content))) as number from records
), named as (
    select *, regexp_extract(line.event,
        '/dag_id=([^/]+)/run_id=([^/]+)/task_id=([^/]+)/(?:map_index=(\d+)/)?attempt=(\d+)\.log',
        ['dag_id', 'run_id', 'task_id', 'map_index', 'try_number']) as file
    from lines
), tries as (
    select place,
        coalesce(any_value(line.dag_id), any_value(nullif(file.dag_id, ''))) as dag_id,
        coalesce(any_value(line.run_id), any_value(nullif(file.run_id, ''))) as run_id,
        coalesce(any_value(line.task_id), any_value(nullif(file.task_id, ''))) as task_id,
        coalesce(any_value(line.map_index), any_value(try_cast(file.map_index as integer)), 0) as map_index,
        coalesce(any_value(line.try_number), any_value(try_cast(file.try_number as integer))) as try_number,
        max(as_time(line."timestamp")) as last_at,
        arg_max(line.error_detail[1], number) filter (line.event = 'Task failed with exception') as error,
        arg_max(line, number) filter (starts_with(line.event, 'Process terminated by signal')) as kill,
        string_agg(line.event, chr(10) order by number) filter (line.logger like 'task.std%') as printed
    from named group by place
)
"""
_STATUS_OF_LOG: Final = """case when kill is not null then 'crashed'
            when error.exc_type in ('AirflowTaskTimeout', 'AirflowSensorTimeout', 'TaskDeferralTimeout')
            then 'timed_out' end"""

TASK_LOG: Final = {
    "runs": f"""{_OF_THE_TRY}
select min(place) as place, dag_id as scope, run_id as native_id, dag_id as automation_native_id, dag_id as automation,
       max(last_at) as updated_at
from tries where dag_id is not null and run_id is not null and task_id is not null and try_number is not null
group by dag_id, run_id
""",
    "steps": f"""{_OF_THE_TRY}
select place, dag_id as scope, run_id as native_id, task_id as key,
       greatest(try_number, 1) as attempt, greatest(map_index, 0) as map_index,
       {_STATUS_OF_LOG} as status, coalesce(error.exc_type, kill.signal_name) as error_type,
       coalesce(error.exc_value, kill.event) as error_message, printed as payload,
       case when {_STATUS_OF_LOG} is null then last_at else last_at + 2 * {_LATER} end as updated_at
from tries where dag_id is not null and run_id is not null and task_id is not null and try_number is not null
""",
}


# "Marking task as FAILED. ...", then "Executing callback at index 0: notify_slack", and no "Error in callback at index 0: ..." after it.
_CALLBACKS: Final = rf"""{_OF_THE_TRY}, marked as (
    select place, number, as_time(line."timestamp") as told_at, line.event as event,
           regexp_extract(line.event, '^Executing callback at index ([0-9]+): (.+)$', ['index', 'name']) as callback,
           regexp_extract(line.event, '^Error in callback at index ([0-9]+):', 1) as error,
           last_value(nullif(regexp_extract(line.event, '^Marking task as ([A-Z_]+)', 1), '') ignore nulls) over (partition by place order by number) as mark
    from lines
)
select place, dag_id as scope, run_id as native_id, 'callback' as kind, callback.name as channel, told_at as sent_at, 'id' as joined_by,
       concat_ws('/', dag_id, run_id, task_id, map_index, try_number, callback.index) as notice,
       case mark when 'FAILED' then 'failure' else 'retry' end || ' of ' || task_id as title, told_at as updated_at
from marked join tries using (place)
where callback.index <> '' and mark in ('FAILED', 'UP_FOR_RETRY') and dag_id is not null and run_id is not null and task_id is not null
  and not exists (from marked failed where failed.place = marked.place and failed.number > marked.number and failed.error = marked.callback.index)
"""


def _is_task_log(sample: Sample) -> bool:
    return '"content"' in sample.text and "::group::Log message source details" in sample.text


EXPORTS = (
    Export(
        name="event logs",
        form="json",
        records="event_logs",
        requires=frozenset({"event_log_id", "when", "event", "extra"}),
        columns={
            "event_log_id": "BIGINT",
            "when": TIME,
            "dag_id": "VARCHAR",
            "dag_display_name": "VARCHAR",
            "task_id": "VARCHAR",
            "task_display_name": "VARCHAR",
            "run_id": "VARCHAR",
            "map_index": "INTEGER",
            "try_number": "INTEGER",
            "event": "VARCHAR",
            "owner": "VARCHAR",
            "extra": "VARCHAR",
        },
        select=EVENTS,
    ),
    Export(
        name="task log",
        form="json",
        claims=_is_task_log,
        columns={
            "content": "STRUCT(event VARCHAR, logger VARCHAR, dag_id VARCHAR, run_id VARCHAR, task_id VARCHAR,"
            ' map_index INTEGER, try_number INTEGER, "timestamp" VARCHAR, signal_name VARCHAR,'
            " error_detail STRUCT(exc_type VARCHAR, exc_value VARCHAR)[])[]",
        },
        select={**TASK_LOG, "notices": _CALLBACKS},
    ),
)

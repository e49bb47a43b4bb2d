"""Apache Airflow, stable REST API (3: `/api/v2`, 2: `/api/v1`): what ran.

`GET /dags/{dag}/dagRuns` and `POST .../dagRuns/list`, `.../taskInstances` with `/listMapped` and `/{task}/tries` (all
three give `task_instances`), `GET /dags` and `GET /dags/{dag}/dagVersions`; one page, many, a single run or task
instance. With `~` for the DAG and the run the API gives all of them. A page of task instances holds only each task's
last try: earlier ones are in `/tries`, whose order is not sorted. Airflow 2 tells no queue times, versions and `triggered_by`;
before 2.2 its task instances name no run and are set aside. Of 1.10's `/api/experimental`, `.../dag_runs` is read: no ends.
"""

from typing import Final

from aftershock.adapters.base import TIME, Export, Fidelity, StatusTable

TOOL = "airflow"
DOCS = "https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=True,
    versions=True,
    parents=True,
    keys=True,
    evidence="captured",
    retention="until somebody runs `airflow db clean`",
    inferred="parents from conf.parent_run_id (and conf.parent_dag_id), if the DAGs hand them on",
)

STATUS = StatusTable(
    {
        # Runs and tasks. A run is a success when its leaves are, though a task failed: the ledger calls it partial.
        "queued": "queued",
        "running": "running",
        "success": "succeeded",
        "failed": "failed",
        # Tasks only. "No status" is a task not yet looked at, or one cleared while it ended.
        "no_status": "unknown",
        "scheduled": "queued",
        "restarting": "running",
        "up_for_retry": "waiting",
        "up_for_reschedule": "waiting",
        "deferred": "waiting",
        "awaiting_input": "waiting",
        "skipped": "skipped",
        "upstream_failed": "skipped",
        "removed": "skipped",
    }
)

# The API gives no time of last change. It is the newest of a record's times, plus a microsecond for each state further
# on: a task that was deferred has the very times it had while it ran, and one cleared those it ended with.
_UNFINISHED: Final = (
    "['no_status', 'scheduled', 'queued', 'restarting', 'running', 'up_for_reschedule', 'deferred', 'awaiting_input',"
    " 'up_for_retry']"
)
PROGRESS: Final = f"to_microseconds(coalesce(list_position({_UNFINISHED}, coalesce(state, 'no_status')), 20))"
_IS_UNFINISHED: Final = f"list_contains({_UNFINISHED}, state)"  # not so for no state: such a task keeps its end

_RUN_COLUMNS: Final = {
    "dag_id": "VARCHAR",
    "dag_run_id": "VARCHAR",
    "dag_display_name": "VARCHAR",
    "state": "VARCHAR",
    "run_type": "VARCHAR",
    "triggered_by": "VARCHAR",
    "external_trigger": "BOOLEAN",
    "run_after": TIME,
    "execution_date": TIME,
    "queued_at": TIME,
    "start_date": TIME,
    "end_date": TIME,
    "last_scheduling_decision": TIME,
    "duration": "DOUBLE",
    "conf": "JSON",
    "dag_versions": "STRUCT(version_number INTEGER)[]",
    "bundle_version": "VARCHAR",
}

# logical_date is the period a run is about: weeks before it starts in a backfill, null where the API triggered it.
# Role stays the default, work: `manual` is how other systems start a DAG over the API, not only a person who tries it.
_RUNS: Final = f"""
select place, dag_id as scope, dag_run_id as native_id, dag_id as automation_native_id,
       coalesce(dag_display_name, dag_id) as automation, state as status_raw,
       coalesce(nullif(concat_ws('/', run_type, triggered_by), ''), case when external_trigger then 'external' end) as trigger,
       queued_at, start_date as started_at, end_date as ended_at, duration as duration_s,
       coalesce(list_max([v.version_number for v in dag_versions])::varchar, bundle_version) as version,
       case when conf ->> '$.parent_run_id' is not null
            then coalesce(conf ->> '$.parent_dag_id', '*') end as parent_scope,
       conf ->> '$.parent_run_id' as parent_native_id,
       conf as payload,
       coalesce(greatest(queued_at, start_date, end_date, last_scheduling_decision), run_after, execution_date) + {PROGRESS} as updated_at
from records where dag_id is not null and dag_run_id is not null
"""

_TASK_COLUMNS: Final = {
    "dag_id": "VARCHAR",
    "dag_run_id": "VARCHAR",
    "dag_display_name": "VARCHAR",
    "task_id": "VARCHAR",
    "task_display_name": "VARCHAR",
    "map_index": "INTEGER",
    "try_number": "INTEGER",
    "state": "VARCHAR",
    "operator": "VARCHAR",
    "operator_name": "VARCHAR",
    "run_after": TIME,
    "scheduled_when": TIME,
    "queued_when": TIME,
    "start_date": TIME,
    "end_date": TIME,
    "duration": "DOUBLE",
    "rendered_fields": "JSON",
}

# try_number 0: never started. The same instance becomes try 1 when it starts, so it is attempt 1 here, and the time at
# which Airflow decided to skip it is no start. Without any time it is older than every other word about it.
_TASKS: Final = f"""
select place, dag_id as scope, dag_run_id as native_id, task_id as key,
       coalesce(task_display_name, task_id) as name, coalesce(operator_name, operator) as kind,
       greatest(try_number, 1) as attempt, greatest(map_index, 0) as map_index,
       coalesce(state, 'no_status') as status_raw,
       case when try_number is distinct from 0 then start_date end as started_at,
       case when not coalesce({_IS_UNFINISHED}, false) then end_date end as ended_at,
       case when not coalesce({_IS_UNFINISHED}, false) then duration end as duration_s,
       rendered_fields as payload,
       coalesce(greatest(scheduled_when, queued_when, start_date, end_date), timestamptz '2000-01-01 00:00:00+00')
           + {PROGRESS} as updated_at
from records where dag_id is not null and dag_run_id is not null and task_id is not null
"""

# A page of task instances also says that their runs exist, and nothing more of them.
_RUNS_OF_TASKS: Final = """
select min(place) as place, dag_id as scope, dag_run_id as native_id, dag_id as automation_native_id,
       coalesce(max(dag_display_name), dag_id) as automation,
       max(greatest(run_after, scheduled_when, queued_when, start_date, end_date)) as updated_at
from records where dag_id is not null and dag_run_id is not null and task_id is not null
group by dag_id, dag_run_id
"""

_RUN_NAMES: Final = frozenset({"dag_id", "dag_run_id", "state"})
_RUN_TYPES: Final = frozenset({"run_type", "external_trigger"})  # the first since 2.2, the second until 3
_TASK_NAMES: Final = frozenset({"dag_id", "task_id", "try_number", "state"})
_TASK_DATES: Final = frozenset({"dag_run_id", "execution_date"})
_RUN_SELECT: Final = {"runs": _RUNS}
_TASK_SELECT: Final = {
    "runs": _RUNS_OF_TASKS,
    "steps": _TASKS,
    "set_aside": "select place, 'names no run: Airflow does so since 2.2' as reason from records where dag_run_id is null and dag_id is not null",
}

EXPORTS = (
    Export(
        name="dag runs",
        form="json",
        records="dag_runs",
        requires=_RUN_NAMES,
        one_of=_RUN_TYPES,
        columns=_RUN_COLUMNS,
        select=_RUN_SELECT,
    ),
    Export(
        name="dag run", form="json", requires=_RUN_NAMES, one_of=_RUN_TYPES, columns=_RUN_COLUMNS, select=_RUN_SELECT
    ),
    Export(
        name="experimental dag runs",
        form="json",
        requires=frozenset({"dag_id", "run_id", "state", "execution_date", "dag_run_url"}),
        columns={
            "dag_id": "VARCHAR",
            "run_id": "VARCHAR",
            "state": "VARCHAR",
            "execution_date": TIME,
            "start_date": TIME,
        },
        select={
            "runs": f"""
select place, dag_id as scope, run_id as native_id, dag_id as automation_native_id, dag_id as automation, state as status_raw,
       start_date as started_at, coalesce(start_date, execution_date) + {PROGRESS} as updated_at
from records where dag_id is not null and run_id is not null
"""
        },
    ),
    Export(
        name="task instances",
        form="json",
        records="task_instances",
        requires=_TASK_NAMES,
        one_of=_TASK_DATES,
        columns=_TASK_COLUMNS,
        select=_TASK_SELECT,
    ),
    Export(
        name="task instance",
        form="json",
        requires=_TASK_NAMES,
        one_of=_TASK_DATES,
        columns=_TASK_COLUMNS,
        select=_TASK_SELECT,
    ),
    Export(
        name="dags",
        form="json",
        records="dags",
        requires=frozenset({"dag_id", "is_paused", "owners"}),
        one_of=frozenset({"fileloc", "file_token", "last_parsed_time"}),
        columns={
            "dag_id": "VARCHAR",
            "dag_display_name": "VARCHAR",
            "is_paused": "BOOLEAN",
            "is_stale": "BOOLEAN",
            "is_active": "BOOLEAN",
            "timetable_summary": "VARCHAR",
            "schedule_interval": "JSON",
            "owners": "VARCHAR[]",
            "last_parsed_time": TIME,
        },
        select={
            "automations": """
select place, dag_id as scope, dag_id as native_id, coalesce(dag_display_name, dag_id) as name,
       array_to_string(owners, ', ') as owner,
       coalesce(timetable_summary, schedule_interval ->> '$.value') as schedule,
       not (is_paused or coalesce(is_stale, not is_active, false)) as enabled, last_parsed_time as updated_at
from records where dag_id is not null
"""
        },
    ),
    Export(
        name="dag versions",
        form="json",
        records="dag_versions",
        claims=lambda sample: "dag_run_id" not in sample.top,  # a single run holds its versions under the same name
        requires=frozenset({"dag_id", "version_number", "created_at"}),
        columns={
            "dag_id": "VARCHAR",
            "dag_display_name": "VARCHAR",
            "version_number": "INTEGER",
            "created_at": TIME,
        },
        select={
            "changes": """
select place, dag_id as automation_scope, dag_id as automation_native_id,
       coalesce(dag_display_name, dag_id) as automation,
       version_number::varchar as version, created_at as "at", 'version' as kind
from records where dag_id is not null
"""
        },
    ),
)

"""Apache Airflow's command line with `-o json`: `airflow dags list-runs`, `dags list` and `tasks states-for-dag-run`.

Its JSON may come after plain-text warnings, as the command really prints it. It knows less than the REST API
(`airflow`): no queue time, trigger, version or conf. The same runs get the same ids.
"""

from aftershock.adapters.airflow import PROGRESS
from aftershock.adapters.airflow import STATUS as STATUS
from aftershock.adapters.base import TIME, Export, Fidelity

TOOL = "airflow"
DOCS = "https://airflow.apache.org/docs/apache-airflow/stable/cli-and-env-variables-ref.html"
FIDELITY = Fidelity(
    attempts=False,
    steps=False,
    items=False,
    trigger=False,
    versions=False,
    parents=False,
    keys=False,
    evidence="captured",
    retention="until somebody runs `airflow db clean`",
)

EXPORTS = (
    Export(
        name="dags list-runs",
        form="json",
        requires=frozenset({"dag_id", "run_id", "state", "start_date", "end_date"}),
        one_of=frozenset({"run_after", "execution_date"}),
        forbids=frozenset({"task_id"}),
        columns={
            "dag_id": "VARCHAR",
            "run_id": "VARCHAR",
            "state": "VARCHAR",
            "run_after": TIME,
            "execution_date": TIME,
            "start_date": TIME,
            "end_date": TIME,
        },
        select={
            "runs": f"""
select place, dag_id as scope, run_id as native_id, dag_id as automation_native_id, dag_id as automation,
       state as status_raw, start_date as started_at, end_date as ended_at,
       coalesce(greatest(run_after, start_date, end_date), execution_date) + {PROGRESS} as updated_at
from records where dag_id is not null and run_id is not null
"""
        },
    ),
    Export(
        name="dags list",
        form="json",
        requires=frozenset({"dag_id", "fileloc", "owners", "is_paused"}),
        forbids=frozenset({"last_parsed_time", "is_active", "file_token"}),
        columns={"dag_id": "VARCHAR", "owners": "JSON", "is_paused": "VARCHAR"},
        select={
            "automations": """
select place, dag_id as scope, dag_id as native_id, dag_id as name,
       case json_type(owners) when 'ARRAY' then array_to_string(json_extract_string(owners, '$[*]'), ', ') else owners ->> '$' end as owner,
       case lower(is_paused) when 'true' then false when 'false' then true end as enabled
from records where dag_id is not null
"""
        },
    ),
    Export(
        name="dags list of Airflow 2",
        form="json",
        requires=frozenset({"dag_id", "filepath", "owner", "paused"}),
        columns={"dag_id": "VARCHAR", "owner": "VARCHAR", "paused": "VARCHAR"},
        select={
            "automations": """
select place, dag_id as scope, dag_id as native_id, dag_id as name, owner,
       case lower(paused) when 'true' then false when 'false' then true end as enabled
from records where dag_id is not null
"""
        },
    ),
    Export(
        name="tasks states-for-dag-run",
        form="json",
        requires=frozenset({"dag_id", "task_id", "state", "start_date", "end_date"}),
        one_of=frozenset({"logical_date", "execution_date"}),
        forbids=frozenset({"dag_run_id", "run_id", "try_number"}),
        columns={"dag_id": "VARCHAR", "task_id": "VARCHAR"},
        select={
            "set_aside": """
select place, 'names no run: take GET /api/v2/dags/{dag}/dagRuns/{run}/taskInstances instead' as reason from records
"""
        },
    ),
)

"""OpenLineage: run events, as Airflow, Spark, Flink, dbt (`dbt-ol`) and others send them: one a file, a line each, an array,
or a page of Marquez (`GET /api/v1/events/lineage`; also `GET /api/v1/namespaces/{namespace}/jobs/{job}/runs`).

All events of one `runId` are one run, in whatever files and order. Its status is that of the latest `eventTime`, so a run that
failed and was started again under the same id is running again, with the start of its last attempt; an event of type OTHER, or
of none, says nothing of it. A run of which only such events are known is `unknown`: OpenLineage has no word for skipped.
A retry under a new `runId` is a run of its own that nothing links to the one before. Each child (a task, a dbt model) is a run
too, its parent from the `parent` facet; the root of a tree, or dbt's invocation, is the `correlation_id`.
Events about jobs and datasets tell of no run and are set aside. Templates (`{{ any(result) }}` for an id, as in vendors' tests) are rejects.

`dbt-ol` sends nothing about skipped models, and FAIL for a model's tests though they only warned or were skipped: where dbt's
own files (`dbt`) are at hand, they know better.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aftershock.adapters.base import TIME, Export, Fidelity, Sample, StatusTable

TOOL = "openlineage"
DOCS = "https://openlineage.io/docs/spec/run-cycle"
FIDELITY = Fidelity(
    attempts=False,
    steps=False,
    items=True,
    trigger=False,
    versions=True,
    parents=True,
    keys=True,
    evidence="captured",
    retention="as long as the event log is kept; Marquez: until its retention job deletes them",
    inferred="error types from the last line of a stack trace. Items, owners, versions and tags only where the producer sends their facets",
)

STATUS = StatusTable(
    {
        "START": "running",
        "RUNNING": "running",
        "COMPLETE": "succeeded",
        "FAIL": "failed",
        "ABORT": "cancelled",
        # Marquez' words for the same.
        "NEW": "queued",
        "COMPLETED": "succeeded",
        "FAILED": "failed",
        "ABORTED": "cancelled",
        # OTHER is no state: it adds facets before, while or after a run goes on.
    }
)

_TYPES: Final = ("START", "RUNNING", "COMPLETE", "FAIL", "ABORT", "OTHER")
_IS_RUN: Final = "(run is not null and coalesce(trim(run.runId), '') <> '')"
_IS_TEMPLATE: Final = f"({_IS_RUN} and regexp_matches(run.runId, '[{{}}]'))"


def _facet(of: str, path: str) -> str:
    """SQL: the text at a path of the facets of `run` or `job`."""
    return f"({of}.facets ->> '$.{path}')"


def _rows(datasets: str, facets: str, statistics: str) -> str:
    """SQL: rows of all datasets of an event together, null where none is counted."""
    return f"""try_cast(list_sum(list_transform(json_extract_string({datasets}, '$[*].{facets}.{statistics}.rowCount'),
                   lambda counted: try_cast(counted as BIGINT))) as BIGINT)"""


_TAGS: Final = """list_filter(try(json_transform(run.facets -> '$.tags.tags', '[{"key": "VARCHAR", "value": "VARCHAR"}]')),
                   lambda tag: tag.key is not null)"""
_TRACE: Final = _facet("run", "errorMessage.stackTrace")
# Java begins with the exception, Python ends with it.
_ERROR_TYPE: Final = rf"""nullif(regexp_extract(coalesce(
               nullif(regexp_extract({_TRACE}, '^([A-Za-z_][\w.$]*(?:Error|Exception))\b', 1), ''),
               regexp_extract({_TRACE}, '(?s)^.*\n([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning))\b', 1)), '[^.$]*$'), '')"""

_RUNS: Final = f"""
    select place, run.runId as native_id, concat_ws('/', job.namespace, job.name) as automation_native_id, job.name as automation,
           case when upper(eventType) <> 'OTHER' then eventType end as status_raw,
           case when upper(eventType) = 'START' then eventTime end as started_at,
           case when upper(eventType) in ('COMPLETE', 'FAIL', 'ABORT') then eventTime end as ended_at,
           {_rows("inputs", "inputFacets", "inputStatistics")} as items_in,
           {_rows("outputs", "outputFacets", "outputStatistics")} as items_out,
           coalesce({_facet("job", "sourceCodeLocation.version")}, {_facet("run", "dbt_run.project_version")}) as version,
           coalesce({_facet("run", "dbt_run.invocation_id")}, {_facet("run", "parent.root.run.runId")}) as correlation_id,
           {_facet("run", "errorMessage.message")} as error_message, {_ERROR_TYPE} as error_type,
           nullif(coalesce({_facet("run", "parent.run.runId")}, {_facet("run", "parentRun.run.runId")}), run.runId) as parent_native_id,
           list_concat(list_transform(tags, lambda tag: concat_ws(':', tag.key, tag.value)),
                       list_transform(list_filter(tags, lambda tag: tag.value = 'true'), lambda tag: tag.key)) as tags,
           json_object('tags', ('{{' || array_to_string(list_transform(tags,
                           lambda tag: to_json(tag.key)::VARCHAR || ':' || coalesce(to_json(tag.value)::VARCHAR, 'null')), ',') || '}}')::JSON,
                       'run', run.facets, 'job', json_object('namespace', job.namespace, 'name', job.name, 'facets', job.facets),
                       'inputs', inputs, 'outputs', outputs) as payload,
           eventTime as updated_at
    from (select *, {_TAGS} as tags from records where {_IS_RUN} and not {_IS_TEMPLATE})
"""
_AUTOMATIONS: Final = f"""
    select place, concat_ws('/', job.namespace, job.name) as native_id, job.name as name,
           array_to_string(json_extract_string(job.facets, '$.ownership.owners[*].name'), ', ') as owner, eventTime as updated_at
    from records
    where {_IS_RUN} and not {_IS_TEMPLATE} and job.name is not null and len(json_extract_string(job.facets, '$.ownership.owners[*].name')) > 0
"""
_SET_ASIDE: Final = f"""
    select place, case when job is not null then 'event about a job' when dataset is not null then 'event about a dataset' else 'event about no run' end as reason
    from records where not coalesce({_IS_RUN}, false)
"""
_REJECTS: Final = f"""
    select place, 'run.runId' as field, run.runId as seen, 'is a template and no id' as reason from records where {_IS_TEMPLATE}
"""
_COLUMNS: Final = {
    "eventType": "VARCHAR",
    "eventTime": TIME,
    "run": "STRUCT(runId VARCHAR, facets JSON)",
    "job": 'STRUCT("namespace" VARCHAR, "name" VARCHAR, facets JSON)',
    "dataset": "JSON",
    "inputs": "JSON",
    "outputs": "JSON",
}
_SELECT: Final = {"runs": _RUNS, "automations": _AUTOMATIONS, "set_aside": _SET_ASIDE, "rejects": _REJECTS}


def _is_event(event: Mapping[str, Any]) -> bool:
    """A run event by its parts, since its schema is not always named; one about a job or a dataset by its schema."""
    if "run" not in event and event.get("eventType") in _TYPES and isinstance(event.get("inputs"), list):
        return True  # names in alphabetical order: its inputs may be longer than what recognition sees
    if _has(event.get("run"), "runId"):
        return _has(event.get("job"), "namespace", "name")
    about = event.get("job", event.get("dataset"))
    return _has(about, "namespace", "name") and "openlineage" in str(event.get("schemaURL")).casefold()


def _has(part: Any, *names: str) -> bool:
    return isinstance(part, Mapping) and all(name in part for name in names)


def _is_page(sample: Sample) -> bool:
    first = sample.top[0] if isinstance(sample.top, list) and sample.top else sample.top
    return _has(first, "events", "totalCount")


EXPORTS = (
    Export(
        name="events",
        form="json",
        requires=frozenset({"eventTime"}),
        where=_is_event,
        columns=_COLUMNS,
        select=_SELECT,
    ),
    Export(
        name="Marquez page of events",
        form="json",
        records="events",
        claims=_is_page,
        requires=frozenset({"eventTime"}),
        where=_is_event,
        columns=_COLUMNS,
        select=_SELECT,
    ),
    Export(
        name="Marquez page of runs",
        form="json",
        records="runs",
        requires=frozenset({"id", "state", "createdAt", "updatedAt"}),
        one_of=frozenset({"jobVersion", "durationMs", "nominalStartTime"}),
        columns={
            "id": "VARCHAR",
            "state": "VARCHAR",
            **dict.fromkeys(("createdAt", "updatedAt", "startedAt", "endedAt"), TIME),
            "jobVersion": 'STRUCT("namespace" VARCHAR, "name" VARCHAR, version VARCHAR)',
            "args": "JSON",
            "facets": "JSON",
        },
        select={
            "runs": """
    select place, id as native_id, concat_ws('/', jobVersion.namespace, jobVersion.name) as automation_native_id, jobVersion.name as automation,
           state as status_raw, createdAt as queued_at, startedAt as started_at, endedAt as ended_at, jobVersion.version as version,
           facets ->> '$.errorMessage.message' as error_message, facets ->> '$.parent.run.runId' as parent_native_id,
           json_object('args', args, 'facets', facets) as payload, updatedAt as updated_at
    from records where id is not null
""",
            "rejects": "select place, 'id' as field, null::VARCHAR as seen, 'has no id' as reason from records where id is null",
        },
    ),
)

"""dbt Cloud (the dbt platform): `GET /api/v2/accounts/{account}/runs/`, `.../runs/{run}/`, and its webhooks.

A run is a run of a job, a step each of its commands where `include_related=["run_steps"]` asked for them; the nodes that a command
built are told by its artifacts (`dbt`): each command is an invocation, a run of its own whose `correlation_id` is the job's run
where its `metadata.env` names that. `include_related=["job", "trigger"]` tells the job's name and what started the run; without it
the job is known by its number. A run that is tried again is a new one, and nothing names the one before.
A webhook (`job.run.started`, `job.run.completed`, `job.run.errored`) tells of the same runs, its times without a zone being UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._documents import CutOff, values
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable
from aftershock.adapters.dbt import plain

TOOL = "dbt"
DOCS = "https://docs.getdbt.com/dbt-cloud/api-v2#/operations/List%20Runs"
FIDELITY = Fidelity(
    attempts=False,
    steps=True,
    items=False,
    trigger=True,
    versions=True,
    parents=False,
    keys=True,
    evidence="documented",
    retention="a year",
)

STATUS = StatusTable(
    {
        # The numbers of runs and of their steps, and the words beside them.
        "1": "queued",
        "2": "queued",
        "3": "running",
        "10": "succeeded",
        "20": "failed",
        "30": "cancelled",
        "Queued": "queued",
        "Starting": "queued",
        "Running": "running",
        "Success": "succeeded",
        "Error": "failed",
        "Errored": "failed",
        "Cancelled": "cancelled",
        "Skipped": "skipped",
    }
)

_RUN: Final = {
    **dict.fromkeys(("id", "status", "status_humanized", "status_message", "job_definition_id", "git_sha", "git_branch"), "VARCHAR"),
    **dict.fromkeys(("created_at", "updated_at", "started_at", "finished_at"), TIME),
    "job": "JSON",
    "trigger": "JSON",
    "environment": "JSON",
    "run_steps": """STRUCT(id VARCHAR, "index" INTEGER, status VARCHAR, "name" VARCHAR, logs VARCHAR, started_at VARCHAR, finished_at VARCHAR,
        updated_at VARCHAR)[]""",
}  # fmt: skip
# The last lines of a failed command's log say what was wrong; the log itself is searched for keys.
_RUNS: Final = {
    "runs": """
select place, id as native_id, job_definition_id as automation_native_id, job ->> '$.name' as automation,
       coalesce(status, status_humanized) as status_raw, trigger ->> '$.cause' as trigger, created_at as queued_at, started_at,
       case when status in ('10', '20', '30') then finished_at end as ended_at, id as correlation_id,
       coalesce(git_sha, trigger ->> '$.git_sha') as version, case when status in ('20', '30') then nullif(status_message, '') end as error_message,
       json_object('job', job, 'trigger', trigger, 'environment', environment, 'branch', git_branch) as payload,
       coalesce(updated_at, finished_at, started_at, created_at) as updated_at
from records where id is not null
""",
    "steps": f"""
select place, id as native_id, coalesce(step."index", n)::VARCHAR || ' ' || step."name" as key, step."name" as name, 'command' as kind, step.status as status_raw,
       as_time(step.started_at) as started_at, as_time(step.finished_at) as ended_at,
       case when step.status = '20' then {plain("nullif(right(step.logs, 1000), '')")} end as error_message, step.logs as payload,
       coalesce(as_time(step.updated_at), as_time(step.finished_at), as_time(step.started_at)) as updated_at
from (select place, id, unnest(run_steps) as step, generate_subscripts(run_steps, 1) as n from records where id is not null)
where step."name" is not null
""",
    "rejects": "select place, 'id' as field, null::VARCHAR as seen, 'has no id' as reason from records where id is null",
}
_WEBHOOK: Final = {
    "runs": """
select place, data.runId as native_id, data.jobId as automation_native_id, data.jobName as automation,
       coalesce(data.runStatusCode, data.runStatus) as status_raw, data.runReason as trigger, as_time(data.runStartedAt) as started_at,
       case when data.runStatusCode in ('10', '20', '30') then as_time(data.runFinishedAt) end as ended_at, data.runId as correlation_id,
       case when data.runStatusCode in ('20', '30') then nullif(data.runStatusMessage, 'None') end as error_message,
       concat_ws(' ', data.projectName, data.environmentName, data.jobName) as payload, "timestamp" as updated_at
from records where data.runId is not null
""",
    "set_aside": "select place, 'about no run' as reason from records where data.runId is null",
}


def _read(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The runs of pages, and single ones, with and without their envelope."""
    for value in values(path):
        if isinstance(value, CutOff):
            yield from value.items("data")
            continue
        inside = value.get("data", value) if isinstance(value, Mapping) else value
        for run in inside if isinstance(inside, list) else [inside]:
            yield run if isinstance(run, Mapping) else RecordError("is no object", str(run)[:1000])


def _are_runs(sample: Sample) -> bool:
    """A run, or an envelope without any that is dbt's."""
    first = sample.top[0] if isinstance(sample.top, list) and sample.top else sample.top
    if not isinstance(first, Mapping):
        return False
    inside = first.get("data", first)
    if inside == [] and isinstance(first.get("status"), Mapping):
        return {"code", "is_success", "developer_message"} <= set(first["status"])
    run = inside[0] if isinstance(inside, list) and inside else inside
    return (
        isinstance(run, Mapping)
        and {"id", "job_definition_id", "status"} <= set(run)
        and bool({"project_id", "dbt_version"} & set(run))
    )


EXPORTS = (
    Export(name="runs", form="json", claims=_are_runs, reader=_read, columns=_RUN, select=_RUNS),
    Export(
        name="webhooks",
        form="json",
        requires=frozenset({"eventType", "eventId", "data.runId", "data.jobId", "data.runStatusCode"}),
        columns={
            "timestamp": TIME,
            "data": "STRUCT("
            + ", ".join(
                f"{name} VARCHAR"
                for name in (
                    "runId",
                    "jobId",
                    "jobName",
                    "projectName",
                    "environmentName",
                    "runStatus",
                    "runStatusCode",
                    "runStatusMessage",
                    "runReason",
                    "runStartedAt",
                    "runFinishedAt",
                )
            )
            + ")",
        },
        select=_WEBHOOK,
    ),
)

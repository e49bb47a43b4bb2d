"""CircleCI: workflows and their jobs as the API v2, webhooks and the API v1.1 give them.

`GET /pipeline/{id}/workflow`, `/workflow/{id}`, `/workflow/{id}/job`, `/project/{slug}/job/{number}`, `/project/{slug}/pipeline`,
`/insights/{slug}/workflows/{name}`; deliveries of `workflow-completed` and `job-completed`; v1.1 `/project/{slug}` (builds).
A workflow is a run, its jobs are steps; pages (`items`, `next_page_token`) or what was taken out of them. A list of a workflow's
jobs does not say whose they are: keep the workflow's id in the file's name (`jobs.<id>.json`), else they are rejects. A pipeline has
no outcome of its own and is set aside, but one that errored never got a workflow: it is a failed run that no other list shows.
A rerun is a new workflow of the same name in the same pipeline. A build of v1.1 that belongs to no workflow is
a run by itself. Not to be known from workflows: what triggered them and which commit they built (webhooks tell). Insights come up to
a day late and name no project.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from aftershock.adapters.base import TIME, Export, Fidelity, Sample, StatusTable
from aftershock.model import FINISHED

TOOL = "circleci"
DOCS = "https://circleci.com/docs/api/v2/"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=True,
    versions=True,
    parents=False,
    keys=False,
    evidence="vendor fixture",
    retention="as the plan says; Insights 90 days",
    inferred="reruns, from the order of workflows of one name in one pipeline; a workflow's start, from its creation",
)
_WORDS: Final[Mapping[Any, str]] = {
    "success": "succeeded",
    "running": "running",
    "failing": "running",  # a job has failed, others go on
    "on_hold": "waiting",
    "not_run": "skipped",
    "failed": "failed",
    "unauthorized": "failed",
    "error": "crashed",
    "canceled": "cancelled",
    # Jobs only.
    "queued": "queued",
    "not_running": "queued",
    "blocked": "queued",
    "timedout": "timed_out",
    "infrastructure_fail": "crashed",
    "terminated-unknown": "crashed",
    "retried": "unknown",  # what became of it stands with the job that took its place
    "scheduled": "queued",  # v1.1, as the next two
    "fixed": "succeeded",
    "no_tests": "succeeded",
    # Pipelines.
    "errored": "failed",
    "created": "queued",
    "pending": "queued",
    "setup-pending": "queued",
    "setup": "running",
}
STATUS = StatusTable(_WORDS)

_HAS_ENDED: Final = f"lower(status) in {tuple(word for word, ours in _WORDS.items() if ours in FINISHED)}"

# Real rows hold workflows that stopped before they were created: their start is not known then.
_RUNS: Final = f"""
    select place, id as native_id, coalesce(project_slug || '/' || name, project_slug) as automation_native_id,
           coalesce(project_slug || '/' || name, project_slug) as automation, status as status_raw, "trigger", created_at as queued_at,
           case when began is not null then began when stopped_at is null or stopped_at >= created_at then created_at end as started_at,
           case when {_HAS_ENDED} then stopped_at end as ended_at, case when {_HAS_ENDED} then duration end as duration_s,
           version, pipeline_id as correlation_id, retry_of, error_type, error_message, payload, coalesce(changed_at, stopped_at, created_at) as updated_at
    from (select null::TIMESTAMPTZ as began where false union all by name ({{runs}}))
"""
_STEPS: Final = f"""
    select place, workflow_id as native_id, coalesce(name, id) as key, name, coalesce(kind, 'job') as kind,
           dense_rank() over (partition by workflow_id, coalesce(name, id) order by job_number, id) as attempt,
           status as status_raw, started_at, case when {_HAS_ENDED} then stopped_at end as ended_at,
           case when {_HAS_ENDED} then duration end as duration_s, error_message, name as payload,
           coalesce(stopped_at, started_at, created_at, timestamptz '2000-01-01 00:00:00+00') as updated_at
    from ({{jobs}}) where workflow_id is not null
"""
_RUNS_OF_JOBS: Final = """
    select min(place) as place, workflow_id as native_id, max(coalesce(stopped_at, started_at, created_at)) as updated_at
    from ({jobs}) where workflow_id is not null group by workflow_id
"""
_NO_WORKFLOW: Final = """
    select place, 'workflow' as field, file_name as seen,
           'names no workflow: keep its id in the file''s name (jobs.<id>.json), or take the jobs one by one' as reason
    from ({jobs}) where workflow_id is null
"""
_UUID: Final = "'(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'"

_WORKFLOWS: Final = """
    select place, id, project_slug, name, status, null::VARCHAR as "trigger", created_at, stopped_at, null::DOUBLE as duration, null::VARCHAR as version,
           pipeline_id, lag(id) over (partition by pipeline_id, project_slug, name order by created_at, id) as retry_of,
           null::VARCHAR as error_type, null::VARCHAR as error_message, null::TIMESTAMPTZ as changed_at,
           json_object('project', project_slug, 'name', "name", 'tag', tag) as payload
    from records
"""
_ERRORED: Final = """
    select place, id, project_slug, null::VARCHAR as name, state as status, "trigger".type as "trigger", created_at, updated_at as stopped_at,
           null::DOUBLE as duration, coalesce(vcs.revision, trigger_parameters.git.checkout_sha) as version, id as pipeline_id, null::VARCHAR as retry_of,
           errors[1].type as error_type, array_to_string([error.message for error in errors], '; ') as error_message, updated_at as changed_at,
           json_object('project', project_slug, 'branch', vcs.branch, 'commit', vcs.commit.subject) as payload
    from records where state = 'errored'
"""
_INSIGHTS: Final = """
    select place, id, null::VARCHAR as project_slug, null::VARCHAR as name, status, null::VARCHAR as "trigger", created_at, stopped_at, duration,
           null::VARCHAR as version, null::VARCHAR as pipeline_id, null::VARCHAR as retry_of, null::VARCHAR as error_type,
           null::VARCHAR as error_message, null::TIMESTAMPTZ as changed_at, json_object('branch', branch) as payload
    from records
"""
_JOBS: Final = f"""
    select place, file_name, coalesce(workflow_id, nullif(regexp_extract(file_name, {_UUID}), '')) as workflow_id, id, job_number, name, type as kind, status,
           coalesce(created_at, started_at) as created_at, started_at, stopped_at, null::DOUBLE as duration, null::VARCHAR as error_message
    from records
"""
_JOB: Final = """
    select place, file_name, latest_workflow.id as workflow_id, "number"::VARCHAR as id, "number" as job_number, name, null::VARCHAR as kind, status,
           created_at, started_at, stopped_at, duration / 1000.0 as duration, messages[1].message as error_message
    from records
"""
_BUILDS: Final = """
    select place, file_name, workflows.workflow_id as workflow_id, build_num::VARCHAR as id, build_num as job_number,
           workflows.job_name as name, null::VARCHAR as kind, status, queued_at as created_at, start_time as started_at, stop_time as stopped_at,
           build_time_millis / 1000.0 as duration, null::VARCHAR as error_message
    from records
"""
# A build of v1.1 that belongs to no workflow is a run by itself; its number is its project's own.
_SLUG: Final = (
    "if(vcs_type = 'bitbucket' or vcs_url like '%//bitbucket.org/%', 'bb/', 'gh/') || username || '/' || reponame"
)
_LONE_BUILDS: Final = f"""
    select place, slug || '/' || build_num as id, slug as project_slug, null::VARCHAR as name, status, why as "trigger", queued_at as created_at,
           start_time as began, stop_time as stopped_at, build_time_millis / 1000.0 as duration, vcs_revision as version, null::VARCHAR as pipeline_id,
           slug || '/' || retry_of as retry_of, null::VARCHAR as error_type, null::VARCHAR as error_message, null::TIMESTAMPTZ as changed_at,
           json_object('project', slug, 'branch', branch, 'commit', subject, 'parameters', build_parameters) as payload
    from (select *, {_SLUG} as slug from records) where workflows.workflow_id is null
"""
_RUNS_OF_BUILDS: Final = f"""
    select place, id as native_id, coalesce(slug || '/' || name, slug) as automation_native_id, coalesce(slug || '/' || name, slug) as automation,
           version, updated_at
    from (
        select min(place) as place, workflows.workflow_id as id, min({_SLUG}) as slug, min(workflows.workflow_name) as name,
               min(vcs_revision) as version, max(coalesce(stop_time, start_time, queued_at)) as updated_at
        from records where workflows.workflow_id is not null group by workflows.workflow_id
    )
"""
_HOOK_RUNS: Final = """
    select place, workflow.id as id, project.slug as project_slug, workflow.name as name, workflow.status as status, pipeline.trigger.type as "trigger",
           as_time(workflow.created_at) as created_at, as_time(workflow.stopped_at) as stopped_at, null::DOUBLE as duration, pipeline.vcs.revision as version,
           pipeline.id as pipeline_id, null::VARCHAR as retry_of, null::VARCHAR as error_type, null::VARCHAR as error_message, happened_at as changed_at,
           json_object('project', project.slug, 'name', workflow.name, 'branch', pipeline.vcs.branch, 'commit', pipeline.vcs.commit.subject,
                       'parameters', pipeline.trigger_parameters) as payload
    from records where workflow.id is not null
"""
_HOOK_JOBS: Final = """
    select place, file_name, workflow.id as workflow_id, job.id as id, job.number as job_number, job.name as name, null::VARCHAR as kind, job.status as status,
           as_time(job.started_at) as created_at, as_time(job.started_at) as started_at, as_time(job.stopped_at) as stopped_at, null::DOUBLE as duration,
           null::VARCHAR as error_message
    from records where job.id is not null
"""


def _is_page(sample: Sample) -> bool:
    """One of CircleCI's pages, or a page of which only the records were kept; an empty one must say that it is a page."""
    first = sample.top[0] if isinstance(sample.top, list) and sample.top else sample.top
    return isinstance(first, Mapping) and (bool(first.get("items")) or "next_page_token" in first)


def _has_deliveries(sample: Sample) -> bool:
    values: list[Any] = sample.top if isinstance(sample.top, list) else [sample.top]
    return any(
        isinstance(value, Mapping)
        and value.get("type") in ("workflow-completed", "job-completed")
        and "happened_at" in value
        for value in values
    )


def _of_jobs(jobs: str) -> Mapping[str, str]:
    return {
        "runs": _RUNS_OF_JOBS.format(jobs=jobs),
        "steps": _STEPS.format(jobs=jobs),
        "rejects": _NO_WORKFLOW.format(jobs=jobs),
    }


def _both(export: Export) -> tuple[Export, Export]:
    """Pages of records, and records by themselves."""
    return replace(export, records="items", claims=_is_page), replace(export, name=f"single {export.name}")


EXPORTS = (
    *_both(
        Export(
            name="workflows",
            form="json",
            requires=frozenset({"id", "name", "status", "pipeline_id", "project_slug"}),
            columns={
                "id": "VARCHAR",
                "name": "VARCHAR",
                "status": "VARCHAR",
                "pipeline_id": "VARCHAR",
                "project_slug": "VARCHAR",
                "tag": "VARCHAR",
                "created_at": TIME,
                "stopped_at": TIME,
            },
            select={"runs": _RUNS.format(runs=_WORKFLOWS)},
        )
    ),
    *_both(
        Export(
            name="pipelines",
            form="json",
            requires=frozenset({"id", "state", "number", "project_slug"}),
            one_of=frozenset({"trigger", "vcs", "errors"}),
            columns={
                "id": "VARCHAR",
                "state": "VARCHAR",
                "project_slug": "VARCHAR",
                "created_at": TIME,
                "updated_at": TIME,
                "errors": 'STRUCT("type" VARCHAR, message VARCHAR)[]',
                "trigger": 'STRUCT("type" VARCHAR)',  # its received_at is 1970 where nobody sent anything
                "vcs": 'STRUCT(revision VARCHAR, branch VARCHAR, "commit" STRUCT(subject VARCHAR))',
                "trigger_parameters": "STRUCT(git STRUCT(checkout_sha VARCHAR))",
            },
            select={
                "runs": _RUNS.format(runs=_ERRORED),
                "set_aside": """
                select place, 'a pipeline: its workflows tell how it went' as reason from records where state is distinct from 'errored'
            """,
            },
        )
    ),
    *_both(
        Export(
            name="insights",
            form="json",
            requires=frozenset({"id", "status", "duration", "created_at", "credits_used"}),
            columns={
                "id": "VARCHAR",
                "branch": "VARCHAR",
                "duration": "DOUBLE",
                "created_at": TIME,
                "stopped_at": TIME,
                "status": "VARCHAR",
            },
            select={"runs": _RUNS.format(runs=_INSIGHTS)},
        )
    ),
    *_both(
        Export(
            name="jobs of a workflow",
            form="json",
            requires=frozenset({"id", "name", "status", "type", "project_slug"}),
            one_of=frozenset({"dependencies", "job_number", "approval_request_id"}),
            forbids=frozenset({"pipeline_id"}),
            columns={
                "id": "VARCHAR",
                "workflow_id": "VARCHAR",
                "job_number": "BIGINT",
                "name": "VARCHAR",
                "type": "VARCHAR",
                "status": "VARCHAR",
                "created_at": TIME,
                "started_at": TIME,
                "stopped_at": TIME,
            },
            select=_of_jobs(_JOBS),
        )
    ),
    Export(
        name="job",
        form="json",
        requires=frozenset({"number", "name", "status", "latest_workflow.id"}),
        columns={
            "number": "BIGINT",
            "name": "VARCHAR",
            "status": "VARCHAR",
            "created_at": TIME,
            "started_at": TIME,
            "stopped_at": TIME,
            "duration": "DOUBLE",
            "latest_workflow": "STRUCT(id VARCHAR)",
            "messages": 'STRUCT("type" VARCHAR, message VARCHAR)[]',
        },
        select=_of_jobs(_JOB),
    ),
    Export(
        name="builds of v1.1",
        form="json",
        requires=frozenset({"build_num", "status", "reponame", "username"}),
        one_of=frozenset({"workflows", "lifecycle", "build_time_millis"}),
        columns={
            "build_num": "BIGINT",
            "status": "VARCHAR",
            "vcs_type": "VARCHAR",
            "vcs_url": "VARCHAR",
            "username": "VARCHAR",
            "reponame": "VARCHAR",
            "branch": "VARCHAR",
            "vcs_revision": "VARCHAR",
            "subject": "VARCHAR",
            "why": "VARCHAR",
            "retry_of": "BIGINT",
            "build_parameters": "JSON",
            "queued_at": TIME,
            "start_time": TIME,
            "stop_time": TIME,
            "build_time_millis": "BIGINT",
            "workflows": "STRUCT(workflow_id VARCHAR, workflow_name VARCHAR, job_name VARCHAR)",
        },
        select={
            "runs": f"{_RUNS.format(runs=_LONE_BUILDS)} union all by name {_RUNS_OF_BUILDS}",
            "steps": _STEPS.format(jobs=_BUILDS),
        },
    ),
    Export(
        name="webhooks",
        form="json",
        claims=_has_deliveries,
        columns={
            "type": "VARCHAR",
            "happened_at": TIME,
            "workflow": 'STRUCT(id VARCHAR, "name" VARCHAR, status VARCHAR, created_at VARCHAR, stopped_at VARCHAR)',
            "pipeline": 'STRUCT(id VARCHAR, "trigger" STRUCT("type" VARCHAR), trigger_parameters JSON,'
            ' vcs STRUCT(revision VARCHAR, branch VARCHAR, "commit" STRUCT(subject VARCHAR)))',
            "project": "STRUCT(slug VARCHAR)",
            "job": 'STRUCT(id VARCHAR, "number" BIGINT, "name" VARCHAR, status VARCHAR, started_at VARCHAR, stopped_at VARCHAR)',
        },
        select={
            "runs": _RUNS.format(runs=_HOOK_RUNS),
            "steps": _STEPS.format(jobs=_HOOK_JOBS),
            "set_aside": "select place, 'delivery of another event' as reason from records where workflow.id is null",
        },
    ),
)

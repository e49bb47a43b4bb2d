"""GitLab CI: pipelines and their jobs as the REST API v4, `glab` and webhooks give them.

`GET /projects/:id/pipelines` (also of a merge request, `/latest`, one pipeline), `.../pipelines/:id/jobs` and `/bridges`,
`/projects/:id/jobs`, one job; `glab ci list -F json`, `glab ci get -F json`; deliveries of pipeline and job events; pipelines by GraphQL, as deep as they lie.
A pipeline is a run, its jobs are steps, a project's path names the automation. A job that is retried is a new job with the
same name: jobs of one name are attempts, in the order of their ids. The API hides all but the last one unless it is asked
with `include_retried=true`: take jobs always with it, or always without. A list of pipelines does not tell when they began and
ended; and a pipeline's duration is the time that its jobs ran, without the hours for which it waited for somebody.
A pipeline that succeeded over a failed job (`allow_failure: true`) is partial. Not to be known: which earlier pipeline of
the same commit a new one repeats.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aftershock.adapters._documents import CutOff, values
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable
from aftershock.model import FINISHED

TOOL = "gitlab_ci"
DOCS = "https://docs.gitlab.com/api/pipelines/"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=True,
    versions=True,
    parents=True,
    keys=True,
    evidence="vendor fixture",
    retention="until they are deleted, or as long as the project's CI/CD settings say",
    inferred="the end of a pipeline of a list, from its last update. Keys as far as refs, variables, titles and names of jobs hold them",
)

_WORDS: Final[Mapping[Any, str]] = {
    "created": "queued",
    "waiting_for_resource": "queued",
    "preparing": "queued",
    "pending": "queued",
    "running": "running",
    "canceling": "running",
    "success": "succeeded",
    "failed": "failed",
    "canceled": "cancelled",
    "skipped": "skipped",
    "manual": "waiting",  # for somebody to start it, for ever if need be
    "scheduled": "waiting",
    "waiting_for_callback": "waiting",
}
# Why a job failed, where that makes it more than failed. GitLab splits these words again and again.
_TIMED_OUT: Final = (
    "job_execution_timeout",
    "job_execution_server_timeout",
    "server_timeout_running",
    "server_timeout_canceling",
    "stuck_or_timeout_failure",
    "stuck_pending_with_matching_runners",
    "stuck_pending_no_matching_runners",
    "no_updates_running",
    "no_updates_canceling",
)
_CRASHED: Final = ("runner_system_failure", "runner_interrupted")
STATUS = StatusTable(
    {
        **_WORDS,
        **{("failed", reason): "timed_out" for reason in _TIMED_OUT},
        **{("failed", reason): "crashed" for reason in _CRASHED},
    }
)

_HAS_ENDED: Final = f"lower(status) in {tuple(word for word, ours in _WORDS.items() if ours in FINISHED)}"


def _path(url: str) -> str:
    """`group/project` out of the address of a pipeline or a job, on any host and below any path."""
    return rf"nullif(regexp_extract({url}, '^[a-z]+://[^/]+/(.+?)(?:/-)?/(?:pipelines|jobs)/[0-9]', 1), '')"


# A list's last update stands for the end; a microsecond makes it give way to the end that a single pipeline tells.
_RUNS: Final = f"""
    select place, id as native_id, coalesce(path, project_id::VARCHAR) as automation_native_id, path as automation,
           status as status_raw, source as "trigger", created_at as queued_at, started_at,
           case when {_HAS_ENDED} then coalesce(finished_at, updated_at) end as ended_at,
           case when {_HAS_ENDED} then duration end as duration_s, sha as version,
           case when yaml_errors <> '' then 'yaml_errors' end as error_type, nullif(yaml_errors, '') as error_message,
           parent as parent_native_id, payload,
           coalesce(updated_at, finished_at, started_at, created_at) - if(finished_at is null, to_microseconds(1), to_microseconds(0)) as updated_at
    from ({{runs}})
"""
_STEPS: Final = f"""
    select place, pipeline_id as native_id, coalesce(name, id::VARCHAR) as key, name, kind,
           dense_rank() over (partition by pipeline_id, coalesce(name, id::VARCHAR) order by id) as attempt,
           case when status = 'failed' and failure_reason in {(*_TIMED_OUT, *_CRASHED)} then [status, failure_reason] else [status] end as status_raw,
           started_at, case when {_HAS_ENDED} then finished_at end as ended_at, case when {_HAS_ENDED} then duration end as duration_s,
           case when failure_reason not in ('', 'unknown_failure') then failure_reason end as error_type, payload,
           coalesce(greatest(created_at, started_at, finished_at), pipeline_changed_at) as updated_at
    from ({{jobs}})
"""

_JOB: Final = (
    'STRUCT(id BIGINT, status VARCHAR, stage VARCHAR, "name" VARCHAR, ref VARCHAR, created_at VARCHAR, started_at VARCHAR,'
    " finished_at VARCHAR, duration DOUBLE, queued_duration DOUBLE, failure_reason VARCHAR, tag_list VARCHAR[])"
)
_PIPELINE: Final = (
    "STRUCT(id BIGINT, project_id BIGINT, sha VARCHAR, ref VARCHAR, status VARCHAR, source VARCHAR,"
    " created_at VARCHAR, updated_at VARCHAR, web_url VARCHAR)"
)

_REST_RUNS: Final = f"""
    select *, {_path("web_url")} as path, null::VARCHAR as parent,
           json_object('project', {_path("web_url")}, 'name', "name", 'ref', ref, 'source', source, 'user', "user".username,
                       'variables', variables) as payload
    from records
"""
# `glab ci get` puts the jobs into the pipeline.
_JOBS_INSIDE: Final = """
    select place, run as pipeline_id, pipeline_changed_at, 'job' as kind, job.id, job.name, job.status, job.failure_reason, job.duration,
           as_time(job.created_at) as created_at, as_time(job.started_at) as started_at, as_time(job.finished_at) as finished_at,
           json_object('name', job.name, 'ref', job.ref, 'tags', job.tag_list) as payload
    from (select place, id as run, coalesce(updated_at, created_at) as pipeline_changed_at, unnest(jobs) as job from records)
    where job.id is not null
"""
_REST_JOBS: Final = """
    select place, pipeline.id as pipeline_id, coalesce(as_time(pipeline.updated_at), as_time(pipeline.created_at)) as pipeline_changed_at,
           if(downstream_pipeline is null, 'job', 'bridge') as kind, id, "name", status, failure_reason, duration, created_at, started_at, finished_at,
           json_object('name', "name", 'stage', stage, 'ref', ref, 'tags', tag_list, 'commit', commit.title, 'environment', environment) as payload
    from records
"""


def _runs_inside(pipeline: str, parent: str, otherwise: str) -> str:
    """The pipelines that jobs carry with them, their own and, of bridges, the one they started; `otherwise` an address in the project."""
    path = f"coalesce({_path('pipe.web_url')}, {_path('address')})"
    return f"""
        select min(place) as place, pipe.id, pipe.project_id, {path} as path, pipe.sha, pipe.status, pipe.source,
               as_time(pipe.created_at) as created_at, null::TIMESTAMPTZ as started_at, null::TIMESTAMPTZ as finished_at,
               as_time(pipe.updated_at) as updated_at, null::DOUBLE as duration, null::VARCHAR as yaml_errors, parent,
               json_object('project', {path}, 'ref', pipe.ref) as payload
        from (select place, {pipeline} as pipe, {parent} as parent, {otherwise} as address from records where {pipeline}.id is not null)
        group by all
    """


_HOOK_RUNS: Final = f"""
    select place, run.id, project.id as project_id, coalesce(project.path_with_namespace, {_path("run.url")}) as path, run.sha, run.status,
           run.source, as_time(run.created_at) as created_at, null::TIMESTAMPTZ as started_at, as_time(run.finished_at) as finished_at,
           greatest(as_time(run.created_at), as_time(run.finished_at), list_max(list_transform(builds, lambda job:
               greatest(as_time(job.created_at), as_time(job.started_at), as_time(job.finished_at))))) as updated_at,
           run.duration, null::VARCHAR as yaml_errors, source_pipeline.pipeline_id as parent,
           json_object('project', project.path_with_namespace, 'name', run.name, 'ref', run.ref, 'user', "user".username,
                       'variables', run.variables, 'commit', commit.title) as payload
    from (select *, object_attributes as run from records where object_kind = 'pipeline')
    union all by name
    select place, pipeline_id as id, coalesce(project.id, project_id) as project_id, project.path_with_namespace as path, sha,
           commit.status as status, null::VARCHAR as source, null::TIMESTAMPTZ as created_at, as_time(commit.started_at) as started_at,
           as_time(commit.finished_at) as finished_at,
           greatest(build_created_at, build_started_at, build_finished_at, as_time(commit.finished_at)) as updated_at,
           null::DOUBLE as duration, null::VARCHAR as yaml_errors, null::BIGINT as parent,
           json_object('project', project.path_with_namespace, 'ref', ref) as payload
    from records where object_kind in ('build', 'job')
"""
_HOOK_JOBS: Final = """
    select place, run as pipeline_id, null::TIMESTAMPTZ as pipeline_changed_at, 'job' as kind, job.id, job.name, job.status,
           job.failure_reason, job.duration, as_time(job.created_at) as created_at, as_time(job.started_at) as started_at,
           as_time(job.finished_at) as finished_at, json_object('name', job.name, 'stage', job.stage) as payload
    from (select place, object_attributes.id as run, unnest(builds) as job from records where object_kind = 'pipeline') where job.id is not null
    union all by name
    select place, pipeline_id, null::TIMESTAMPTZ as pipeline_changed_at, 'job' as kind, build_id as id, build_name as name,
           build_status as status, build_failure_reason as failure_reason, build_duration as duration, build_created_at as created_at,
           build_started_at as started_at, build_finished_at as finished_at, json_object('name', build_name, 'stage', build_stage, 'ref', ref) as payload
    from records where object_kind in ('build', 'job')
"""


def _is_pipeline(record: Any) -> bool:
    """A commit, a status of a commit and a deployment have a `sha`, a `ref` and a `status` too."""
    return "/pipelines/" in str(record.get("web_url")) or "source" in record or "detailed_status" in record


def _has_deliveries(sample: Sample) -> bool:
    """A pipeline or job event among the first values: a log of deliveries holds other events too."""
    values: list[Any] = sample.top if isinstance(sample.top, list) else [sample.top]
    return any(
        isinstance(value, dict)
        and (
            (value.get("object_kind") == "pipeline" and "object_attributes" in value)
            or (value.get("object_kind") in ("build", "job") and "build_status" in value)
        )
        for value in values
    )


def read_graphql(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The pipelines of an answer to a GraphQL query, as the REST API would give them, with what jobs it asked for."""
    for value in values(path):
        if isinstance(value, CutOff):
            yield RecordError("is cut off", value.text[:1000])
            continue
        for pipeline, project in _graphql_pipelines(value):
            number = _number(pipeline["id"])
            own = pipeline.get("project")
            project = (str(own.get("fullPath") or "") if isinstance(own, Mapping) else "") or project
            jobs = pipeline.get("jobs")
            nodes = (
                (jobs.get("nodes") or [_dict(edge).get("node") for edge in jobs.get("edges") or []])
                if isinstance(jobs, Mapping)
                else []
            )
            yield {
                **_snake(pipeline),
                "id": number,
                "user": _dict(pipeline.get("user")),
                "web_url": f"https://gitlab/{project}/-/pipelines/{number}" if project else None,
                "jobs": [{**_snake(job), "id": _number(job.get("id"))} for job in nodes if isinstance(job, Mapping)],
            }


def _graphql_pipelines(value: Any) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Every pipeline in an answer, with the project that it was found in."""
    waiting: list[tuple[Any, str, int]] = [(value, "", 0)]
    while waiting:
        part, project, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            continue
        if isinstance(part, list):
            waiting += [(one, project, depth + 1) for one in reversed(part)]
        elif isinstance(part, Mapping):
            if str(part.get("id")).startswith(_PIPELINE_ID) and "status" in part:
                yield part, project
                continue
            project = str(part.get("fullPath") or project)
            waiting += [(one, project, depth + 1) for one in list(part.values())[::-1] if isinstance(one, (list, dict))]


def _snake(part: Mapping[str, Any]) -> dict[str, Any]:
    """`startedAt` as `started_at`; words of enums as the REST API writes them. Objects are left out."""
    named = {
        re.sub("[A-Z]", lambda found: "_" + found[0].lower(), name): told
        for name, told in part.items()
        if not isinstance(told, (list, dict))
    }
    return {**named, "status": str(part.get("status") or "").lower() or None}


def _number(gid: Any) -> int | None:
    """9001 of `gid://gitlab/Ci::Pipeline/9001`."""
    found = re.fullmatch(r"gid://gitlab/[\w:]+/(\d{1,18})", str(gid))
    return int(found[1]) if found else None


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_graphql(sample: Sample) -> bool:
    return _PIPELINE_ID in sample.text and next(_graphql_pipelines(sample.top), None) is not None


_PIPELINE_ID: Final = "gid://gitlab/Ci::Pipeline/"
_MAX_DEPTH: Final = 12
_PIPELINE_COLUMNS: Final = {
    "id": "BIGINT",
    "project_id": "BIGINT",
    "sha": "VARCHAR",
    "ref": "VARCHAR",
    "status": "VARCHAR",
    "source": "VARCHAR",
    "name": "VARCHAR",
    "created_at": TIME,
    "updated_at": TIME,
    "started_at": TIME,
    "finished_at": TIME,
    "duration": "DOUBLE",
    "yaml_errors": "VARCHAR",
    "web_url": "VARCHAR",
    "user": "STRUCT(username VARCHAR)",
    "variables": "JSON",
    "jobs": f"{_JOB}[]",
}
_PIPELINES: Final = {"runs": _RUNS.format(runs=_REST_RUNS), "steps": _STEPS.format(jobs=_JOBS_INSIDE)}

EXPORTS = (
    Export(
        name="pipelines",
        form="json",
        requires=frozenset({"id", "sha", "ref", "status"}),
        one_of=frozenset({"web_url", "project_id", "detailed_status"}),
        forbids=frozenset({"stage", "pipeline", "deployable", "environment"}),
        where=_is_pipeline,
        columns=_PIPELINE_COLUMNS,
        select=_PIPELINES,
    ),
    Export(
        name="pipelines by GraphQL",
        form="json",
        claims=_is_graphql,
        reader=read_graphql,
        columns=_PIPELINE_COLUMNS,
        select=_PIPELINES,
    ),
    Export(
        name="jobs and bridges",
        form="json",
        requires=frozenset({"id", "status", "stage", "name", "pipeline.id"}),
        columns={
            "id": "BIGINT",
            "status": "VARCHAR",
            "stage": "VARCHAR",
            "name": "VARCHAR",
            "ref": "VARCHAR",
            "created_at": TIME,
            "started_at": TIME,
            "finished_at": TIME,
            "duration": "DOUBLE",
            "failure_reason": "VARCHAR",
            "tag_list": "VARCHAR[]",
            "web_url": "VARCHAR",
            "commit": "STRUCT(title VARCHAR)",
            "environment": "JSON",
            "pipeline": _PIPELINE,
            "downstream_pipeline": _PIPELINE,
        },
        select={
            "runs": _RUNS.format(
                runs=f"{_runs_inside('pipeline', 'null::BIGINT', 'web_url')} union all by name {_runs_inside('downstream_pipeline', 'pipeline.id', 'null::VARCHAR')}"
            ),
            "steps": _STEPS.format(jobs=_REST_JOBS),
        },
    ),
    Export(
        name="webhooks",
        form="json",
        claims=_has_deliveries,
        columns={
            "object_kind": "VARCHAR",
            "object_attributes": 'STRUCT(id BIGINT, "name" VARCHAR, ref VARCHAR, sha VARCHAR, source VARCHAR, status VARCHAR, created_at VARCHAR,'
            " finished_at VARCHAR, duration DOUBLE, url VARCHAR, variables JSON)",
            "source_pipeline": "STRUCT(pipeline_id BIGINT)",
            "project": "STRUCT(id BIGINT, path_with_namespace VARCHAR)",
            "user": "STRUCT(username VARCHAR)",
            "commit": "STRUCT(title VARCHAR, status VARCHAR, started_at VARCHAR, finished_at VARCHAR)",
            "builds": f"{_JOB}[]",
            "pipeline_id": "BIGINT",
            "project_id": "BIGINT",
            "sha": "VARCHAR",
            "ref": "VARCHAR",
            "build_id": "BIGINT",
            "build_name": "VARCHAR",
            "build_stage": "VARCHAR",
            "build_status": "VARCHAR",
            "build_failure_reason": "VARCHAR",
            "build_duration": "DOUBLE",
            "build_created_at": TIME,
            "build_started_at": TIME,
            "build_finished_at": TIME,
        },
        select={
            "runs": _RUNS.format(runs=_HOOK_RUNS),
            "steps": _STEPS.format(jobs=_HOOK_JOBS),
            "set_aside": """
                select place, 'delivery of another event' as reason from records
                where coalesce(object_kind not in ('pipeline', 'build', 'job'), true)
            """,
        },
    ),
)

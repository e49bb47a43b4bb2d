"""GitHub Actions: runs and jobs as the REST API, `gh` and webhooks give them.

`GET /repos/{owner}/{repo}/actions/runs` (also of one workflow, one run, one attempt), `GET .../runs/{id}/jobs` and one job;
`gh run list --json` and `gh run view --json` with at least `databaseId,status,workflowName` (better `databaseId,attempt,status,conclusion,
url,workflowDatabaseId` and times: what names no attempt is taken for the first, unless its times tell of a re-run), `gh run view
--json jobs`; deliveries of the webhooks `workflow_run` and `workflow_job`; `GET .../actions/workflows`, which knows those that GitHub or somebody disabled.
Deployments are changes: `GET .../deployments`, `GET .../deployments/{id}/statuses`, webhooks `deployment` and `deployment_status`. The webhooks
name the run that deploys; of the others only a status's `log_url` may.
The list shows each run's last attempt only: earlier ones are at `.../runs/{id}/attempts/{n}`.
"""

from collections.abc import Mapping
from typing import Any, Final

from aftershock.adapters.base import TIME, Export, Fidelity, Sample, StatusTable
from aftershock.model import FINISHED

TOOL = "github_actions"
DOCS = "https://docs.github.com/en/rest/actions/workflow-runs"
FIDELITY = Fidelity(
    attempts=True,
    steps=True,
    items=False,
    trigger=True,
    versions=True,
    parents=False,
    keys=False,
    evidence="vendor fixture",
    retention="runs until they are deleted, logs 90 days unless the repository says otherwise",
    inferred="a run's end: GitHub tells only its last update. Keys only as far as titles, branches and names of jobs hold them",
)

_UNFINISHED: Final = {
    "queued": "queued",
    "requested": "queued",
    "pending": "queued",
    "waiting": "waiting",
    "in_progress": "running",
}
_CONCLUSIONS: Final = {
    "success": "succeeded",
    "neutral": "succeeded",
    "failure": "failed",
    "startup_failure": "crashed",
    "timed_out": "timed_out",
    "cancelled": "cancelled",
    "skipped": "skipped",
    "stale": "skipped",  # GitHub gave it up after weeks in a queue
    "action_required": "waiting",  # for somebody to approve it
}
STATUS = StatusTable(
    {
        **{(word, None): ours for word, ours in _UNFINISHED.items()},
        **{("completed", word): ours for word, ours in _CONCLUSIONS.items()},
        **{
            (word, word): ours for word, ours in _CONCLUSIONS.items()
        },  # tables made from the API that hold one word twice
        **{
            (word, None): ours for word, ours in _CONCLUSIONS.items()
        },  # or once: it is also what `gh run list --status` takes
        ("completed", None): "unknown",
    }
)

_ENDED: Final = ", ".join(f"'{word.replace('_', '')}'" for word, ours in _CONCLUSIONS.items() if ours in FINISHED)
_HAS_ENDED: Final = f"translate(lower(coalesce(nullif(conclusion, ''), status)), '_- ', '') in ({_ENDED})"
_NOT_BEGUN: Final = "lower(status) in ('queued', 'requested', 'pending', 'waiting')"


def _repository(*urls: str) -> str:
    """`owner/name` out of the address of a run or a job, of the API or of a page, on any host."""
    return (
        rf"nullif(regexp_extract(coalesce({', '.join(urls)}), '([^/]+/[^/]+)/(?:actions/)?(?:runs|jobs)/[0-9]', 1), '')"
    )


# The workflow's id identifies the automation: names change, two workflows may share one, and with `run-name` or in GitHub's
# own workflows (`dynamic/...`) each run has another. Job records know no workflow id, so they do not name the automation.
_RUNS: Final = """
    select place, repository as scope, id as native_id, coalesce(run_attempt, 1) as attempt,
           coalesce(workflow_id::VARCHAR, repository || '/' || workflow_name) as automation_native_id,
           case when file like 'dynamic/%' then file else coalesce(nullif(workflow_name, ''), file) end as automation,
           [status, conclusion] as status_raw, event as "trigger",
           case when coalesce(run_attempt, 1) = 1 then created_at end as queued_at,  -- of a re-run: when the first one was
           coalesce(run_started_at, created_at) as started_at,
           case when {ended} then updated_at end as ended_at,  -- the nearest there is; it moves when logs are deleted
           head_sha as version,
           case when run_attempt > 1 then id::VARCHAR end as retry_of, case when run_attempt > 1 then run_attempt - 1 end as retry_of_attempt,
           json_object('repository', json_object('full_name', repository), 'name', workflow_name, 'path', path,
                       'display_title', display_title, 'head_branch', head_branch, 'event', event, 'run_number', run_number,
                       'actor', json_object('login', login), 'head_commit', json_object('message', message)) as payload,
           updated_at
    from (select *, nullif(split_part(path, '@', 1), '') as file from ({runs}))
"""
# A job is a step of its run's attempt; its own steps stand beside it. The key is the job's id: names repeat within one run.
_STEPS: Final = """
    with jobs as (
        select *, greatest(created_at, started_at, completed_at, list_max(list_transform(steps, lambda step:
                      greatest(as_time(step.started_at), as_time(step.completed_at))))) as changed_at
        from ({jobs}))
    select place, repository as scope, run_id as native_id, coalesce(run_attempt, 1) as run_attempt, id::VARCHAR as key, name, 'job' as kind,
           [status, conclusion] as status_raw, case when not ({not_begun}) then started_at end as started_at,  -- GitHub fills it in before
           case when {ended} then completed_at end as ended_at,
           json_object('name', name, 'head_branch', head_branch, 'labels', labels) as payload, changed_at as updated_at
    from jobs
    union all by name
    select place, scope, native_id, run_attempt, job || '/' || coalesce(step.number::VARCHAR, step.name) as key, job_name || ' / ' || step.name as name,
           'step' as kind, [step.status, step.conclusion] as status_raw, as_time(step.started_at) as started_at,
           as_time(step.completed_at) as ended_at, json_object('name', step.name) as payload, changed_at as updated_at
    from (select place, repository as scope, run_id as native_id, coalesce(run_attempt, 1) as run_attempt, id::VARCHAR as job, name as job_name,
                 changed_at, unnest(steps) as step from jobs)
"""
# What jobs tell of their run: nothing of how it went, and nothing that depends on which of its jobs a file holds.
_RUNS_OF_JOBS: Final = """
    select place, repository as scope, run_id as native_id, coalesce(run_attempt, 1) as attempt, head_sha as version,
           greatest(created_at, started_at, completed_at) as updated_at
    from ({jobs})
"""


def _runs(source: str) -> str:
    return _RUNS.format(runs=source, ended=_HAS_ENDED)


def _steps(source: str) -> str:
    return _STEPS.format(jobs=source, not_begun=_NOT_BEGUN, ended=_HAS_ENDED)


def _runs_of_jobs(source: str) -> str:
    return _RUNS_OF_JOBS.format(jobs=source)


_RUN: Final = {
    "id": "BIGINT",
    "name": "VARCHAR",
    "path": "VARCHAR",
    "display_title": "VARCHAR",
    "head_branch": "VARCHAR",
    "head_sha": "VARCHAR",
    "run_number": "BIGINT",
    "run_attempt": "INTEGER",
    "event": "VARCHAR",
    "status": "VARCHAR",
    "conclusion": "VARCHAR",
    "workflow_id": "BIGINT",
    "url": "VARCHAR",
    "html_url": "VARCHAR",
    "created_at": TIME,
    "run_started_at": TIME,
    "updated_at": TIME,
    "actor": "STRUCT(login VARCHAR)",
    "head_commit": "STRUCT(message VARCHAR)",
}
_STEP_LIST: Final = (
    'STRUCT("name" VARCHAR, status VARCHAR, conclusion VARCHAR, "number" INTEGER, {0} VARCHAR, {1} VARCHAR)[]'
)
_JOB: Final = {
    "id": "BIGINT",
    "run_id": "BIGINT",
    "run_attempt": "INTEGER",
    "run_url": "VARCHAR",
    "url": "VARCHAR",
    "html_url": "VARCHAR",
    "name": "VARCHAR",
    "head_branch": "VARCHAR",
    "head_sha": "VARCHAR",
    "status": "VARCHAR",
    "conclusion": "VARCHAR",
    "created_at": TIME,
    "started_at": TIME,
    "completed_at": TIME,
    "labels": "VARCHAR[]",
    "steps": _STEP_LIST.format("started_at", "completed_at"),
}
_GH: Final = {
    "databaseId": "BIGINT",
    "attempt": "INTEGER",
    "number": "BIGINT",
    "name": "VARCHAR",
    "workflowName": "VARCHAR",
    "workflowDatabaseId": "BIGINT",
    "displayTitle": "VARCHAR",
    "headBranch": "VARCHAR",
    "headSha": "VARCHAR",
    "event": "VARCHAR",
    "status": "VARCHAR",
    "conclusion": "VARCHAR",
    "url": "VARCHAR",
    "createdAt": TIME,
    "startedAt": TIME,
    "updatedAt": TIME,
    "jobs": 'STRUCT(databaseId BIGINT, "name" VARCHAR, status VARCHAR, conclusion VARCHAR, startedAt VARCHAR, completedAt VARCHAR, '
    f"steps {_STEP_LIST.format('startedAt', 'completedAt')})[]",
}


_GH_JOB: Final = {
    **dict.fromkeys(("name", "status", "conclusion", "url"), "VARCHAR"),
    "databaseId": "BIGINT",
    "startedAt": TIME,
    "completedAt": TIME,
    "steps": _STEP_LIST.format("startedAt", "completedAt"),
}


def _struct(columns: Mapping[str, str]) -> str:
    """Columns as the fields of a STRUCT, in which times are still text."""
    return (
        "STRUCT(" + ", ".join(f'"{name}" {"VARCHAR" if kind == TIME else kind}' for name, kind in columns.items()) + ")"
    )


def _times(columns: Mapping[str, str]) -> str:
    return ", ".join(f"as_time({name}) as {name}" for name, kind in columns.items() if kind == TIME)


_REST_RUNS: Final = f"""
    select * exclude (repository), case when repository.full_name is not null then repository.full_name  -- cheaper than coalesce: no regex
               else {_repository("url", "html_url")} end as repository,
           name as workflow_name, actor.login as login, head_commit.message as message from records
"""
_REST_JOBS: Final = f"select *, {_repository('run_url', 'url', 'html_url')} as repository from records"
# A first attempt starts when the run is made.
_NAMELESS_RERUN: Final = "coalesce(attempt is null and startedAt > createdAt + interval 1 minute, false)"
_GH_RUNS: Final = f"""
    select place, {_repository("url")} as repository, databaseId as id, attempt as run_attempt, workflowDatabaseId as workflow_id,
           coalesce(workflowName, name) as workflow_name, null::VARCHAR as path, "number" as run_number, displayTitle as display_title,
           headBranch as head_branch, headSha as head_sha, event, status, conclusion, createdAt as created_at, startedAt as run_started_at,
           updatedAt as updated_at, null::VARCHAR as login, null::VARCHAR as message from records where not {_NAMELESS_RERUN}
"""
_GH_STEPS: Final = """list_transform({0}, lambda step: {{'name': step.name, 'status': step.status, 'conclusion': step.conclusion,
               'number': step.number, 'started_at': step.startedAt, 'completed_at': step.completedAt}})"""
_GH_JOBS: Final = f"""
    select place, {_repository("run_page")} as repository, run_id, run_attempt, head_branch, job.databaseId as id, job.name, job.status,
           job.conclusion, null::TIMESTAMPTZ as created_at, as_time(job.startedAt) as started_at, as_time(job.completedAt) as completed_at,
           null::VARCHAR[] as labels, {_GH_STEPS.format("job.steps")} as steps
    from (select place, url as run_page, databaseId as run_id, attempt as run_attempt, headBranch as head_branch, unnest(jobs) as job
          from records where not {_NAMELESS_RERUN})
"""
# `gh run view --json jobs`: only the address of a job names its run.
_GH_BARE_JOBS: Final = f"""
    select place, {_repository("url")} as repository, try_cast(regexp_extract(url, '/runs/([0-9]+)/', 1) as BIGINT) as run_id,
           null::INTEGER as run_attempt, null::VARCHAR as head_branch, null::VARCHAR as head_sha, databaseId as id, name, status, conclusion,
           null::TIMESTAMPTZ as created_at, startedAt as started_at, completedAt as completed_at, null::VARCHAR[] as labels,
           {_GH_STEPS.format("steps")} as steps
    from records where contains(url, '/runs/')
"""
_HOOK_RUNS: Final = f"""
    select * replace ({_times(_RUN)}), coalesce(workflow.name, name) as workflow_name, actor.login as login, head_commit.message as message
    from (select place, repository.full_name as repository, workflow, unnest(workflow_run) from records where workflow_run is not null)
"""
_HOOK_JOBS: Final = f"""
    select * replace ({_times(_JOB)})
    from (select place, repository.full_name as repository, unnest(workflow_job) from records where workflow_job is not null)
"""


_DEPLOYMENT: Final = {
    "id": "BIGINT",
    "sha": "VARCHAR",
    "ref": "VARCHAR",
    "environment": "VARCHAR",
    "description": "VARCHAR",
    "creator": "STRUCT(login VARCHAR)",
    "created_at": TIME,
    "updated_at": TIME,
    "url": "VARCHAR",
    "repository_url": "VARCHAR",
}
_DEPLOYMENT_STATUS: Final = {
    "id": "BIGINT",
    "state": "VARCHAR",
    "environment": "VARCHAR",
    "creator": "STRUCT(login VARCHAR)",
    "created_at": TIME,
    "updated_at": TIME,
    "target_url": "VARCHAR",
    "log_url": "VARCHAR",
    "deployment_url": "VARCHAR",
    "repository_url": "VARCHAR",
}


def _deployed_in(url: str) -> str:
    """`owner/name` out of the address of a deployment, of one of its statuses or of the repository."""
    return rf"nullif(regexp_extract({url}, '/repos/([^/]+/[^/]+)', 1), '')"


_DEPLOYMENTS: Final = """
    select place, coalesce(repository, '') || '/' || id as change, 'deployment' as kind, sha as version, created_at as "at", creator.login as "by",
           concat_ws(' ', environment, ref, nullif(description, '')) as title, updated_at
    from ({deployments}) where id is not null
"""
# A status says how its deployment went, and perhaps where it can be watched. An address is where its run may be found by.
_DEPLOYMENT_STATUSES: Final = r"""
    select place, coalesce(repository, '') || '/' || deployment as change, created_at as "at",
           case when lower(state) in ('failure', 'error') then 'failed deployment' else 'deployment' end as kind,
           concat_ws(' ', nullif(log_url, ''), nullif(target_url, '')) as text, coalesce(updated_at, created_at) as updated_at
    from (select *, coalesce(nullif(regexp_extract(deployment_url, '/deployments/([0-9]+)', 1), ''), named) as deployment from ({statuses}))
    where deployment is not null
"""


def _is_page(sample: Sample) -> bool:
    """The envelope of GitHub's lists, of which one or more (`--paginate --slurp`) stand in the file."""
    first = sample.top[0] if isinstance(sample.top, list) and sample.top else sample.top
    return isinstance(first, Mapping) and "total_count" in first


_HOOK_DEPLOYMENTS: Final = f"""
    select * replace ({_times(_DEPLOYMENT)})
    from (select place, repository.full_name as repository, unnest(deployment) from records where deployment is not null)
"""
_HOOK_STATUSES: Final = f"""
    select * replace ({_times(_DEPLOYMENT_STATUS)})
    from (select place, repository.full_name as repository, deployment.id::VARCHAR as named, unnest(deployment_status)
          from records where deployment_status is not null and deployment is not null)
"""
# Without its attempt the run is looked for by its id.
_HOOK_CHANGES: Final = f"""
    with runs as (
        select place, repository.full_name as scope, coalesce(workflow_run.id, workflow_job.run_id) as run_id, workflow.id::VARCHAR as workflow,
               coalesce(workflow_run.run_attempt, workflow_job.run_attempt) as run_attempt
        from records
    )
    select told.* exclude (text), runs.workflow as automation_native_id, concat_ws(' ', told.text, run_id) as text,
           case when run_attempt is not null then scope end as scope, case when run_attempt is not null then run_id end as native_id,
           run_attempt, case when run_attempt is not null and run_id is not null then 'id' end as joined_by
    from (
        {_DEPLOYMENTS.format(deployments=_HOOK_DEPLOYMENTS)}
        union all by name
        {_DEPLOYMENT_STATUSES.format(statuses=_HOOK_STATUSES)}
    ) told left join runs using (place)
"""
_EVENTS: Final = ("workflow_run", "workflow_job", "deployment", "deployment_status")


def _has_deliveries(sample: Sample) -> bool:
    """A delivery of one of these webhooks among the first values: a log of deliveries holds other events too."""
    values: list[Any] = sample.top if isinstance(sample.top, list) else [sample.top]
    return any(
        isinstance(value, Mapping)
        and "action" in value
        and any(isinstance(value.get(event), Mapping) for event in _EVENTS)
        for value in values
    )


_IS_RUN: Final = frozenset({"id", "run_number", "workflow_id", "head_sha", "event", "status"})
_IS_JOB: Final = frozenset({"id", "run_id", "name", "status", "conclusion", "started_at"})
_REST_RUN: Final = {**_RUN, "repository": "STRUCT(full_name VARCHAR)"}
_JOB_SELECT: Final = {"runs": _runs_of_jobs(_REST_JOBS), "steps": _steps(_REST_JOBS)}

EXPORTS = (
    Export(
        name="runs",
        form="json",
        records="workflow_runs",
        requires=_IS_RUN,
        claims=_is_page,
        columns=_REST_RUN,
        select={"runs": _runs(_REST_RUNS)},
    ),
    Export(
        name="run",
        form="json",
        requires=_IS_RUN | {"run_attempt"},
        columns=_REST_RUN,
        select={"runs": _runs(_REST_RUNS)},
    ),
    Export(
        name="jobs",
        form="json",
        records="jobs",
        requires=_IS_JOB,
        claims=_is_page,
        columns=_JOB,
        select=_JOB_SELECT,
    ),
    Export(
        name="job",
        form="json",
        requires=_IS_JOB,
        one_of=frozenset({"run_url", "check_run_url"}),
        columns=_JOB,
        select=_JOB_SELECT,
    ),
    Export(
        name="gh run",
        form="json",
        requires=frozenset({"databaseId", "status"}),
        one_of=frozenset({"attempt", "workflowName", "workflowDatabaseId", "headSha", "event"}),
        columns=_GH,
        select={
            "runs": _runs(_GH_RUNS),
            "steps": _steps(_GH_JOBS),
            "rejects": f"""
select place, 'attempt' as field, null as seen, 'a re-run, and nobody says which: ask gh for attempt too' as reason
from records where {_NAMELESS_RERUN}
""",
        },
    ),
    Export(
        name="jobs of a gh run",
        form="json",
        records="jobs",
        requires=frozenset({"databaseId", "name", "status", "conclusion", "url"}),
        claims=lambda sample: (
            isinstance(sample.top, Mapping) and bool(sample.top.get("jobs")) and "databaseId" not in sample.top
        ),
        columns=_GH_JOB,
        select={
            "runs": _runs_of_jobs(_GH_BARE_JOBS),
            "steps": _steps(_GH_BARE_JOBS),
            "set_aside": "select place, 'job that names no run' as reason from records where not coalesce(contains(url, '/runs/'), false)",
        },
    ),
    Export(
        name="workflows",
        form="json",
        records="workflows",
        requires=frozenset({"id", "name", "path", "state", "url"}),
        claims=_is_page,
        columns={**dict.fromkeys(("id", "name", "path", "state", "url"), "VARCHAR"), "updated_at": TIME},
        select={
            "automations": f"""
select place, {_deployed_in("url")} as scope, id as native_id, coalesce(nullif(name, ''), path) as name,
       lower(state) = 'active' as enabled, updated_at
from records where id is not null
"""
        },
    ),
    Export(
        name="deployments",
        form="json",
        requires=frozenset({"id", "sha", "ref", "task", "environment", "statuses_url"}),
        columns=_DEPLOYMENT,
        select={
            "changes": _DEPLOYMENTS.format(
                deployments=f"select *, {_deployed_in('coalesce(repository_url, url)')} as repository from records"
            )
        },
    ),
    Export(
        name="deployment statuses",
        form="json",
        requires=frozenset({"id", "state", "deployment_url", "created_at"}),
        columns=_DEPLOYMENT_STATUS,
        select={
            "changes": _DEPLOYMENT_STATUSES.format(
                statuses=f"select *, null::VARCHAR as named, {_deployed_in('coalesce(repository_url, deployment_url)')} as repository from records"
            )
        },
    ),
    Export(
        name="webhooks",
        form="json",
        claims=_has_deliveries,
        columns={
            "repository": "STRUCT(full_name VARCHAR)",
            "workflow": 'STRUCT(id BIGINT, "name" VARCHAR)',
            "workflow_run": _struct(_RUN),
            "workflow_job": _struct(_JOB),
            "deployment": _struct(_DEPLOYMENT),
            "deployment_status": _struct(_DEPLOYMENT_STATUS),
        },
        select={
            "runs": f"{_runs(_HOOK_RUNS)} union all by name {_runs_of_jobs(_HOOK_JOBS)}",
            "steps": _steps(_HOOK_JOBS),
            "changes": _HOOK_CHANGES,
            "set_aside": "select place, 'delivery of another event' as reason from records"
            " where workflow_run is null and workflow_job is null and deployment is null",
        },
    ),
)

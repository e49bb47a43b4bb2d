"""Jenkins: builds of `api/json`, pipeline runs with their stages of `wfapi` or Blue Ocean, `build.xml`.

`GET /job/<a>/job/<b>/<n>/api/json`, and whatever holds builds: a job's or a folder's `api/json?tree=...builds[...]` or
`allBuilds[...]`, `jobs[...builds[...]]`, `lastBuild`; `/job/x/wfapi/runs`, `/job/x/<n>/wfapi/describe` and
`.../execution/node/<id>/wfapi/describe`; `/blue/rest/.../runs/` and `.../runs/<n>/nodes/`; `builds/<n>/build.xml` of the controller's disk,
which names neither its job nor (since 1.597) its number. A build's number is its job's own, so a job's path is the scope: ask for `url` or
`fullDisplayName`, else builds that only their number and time tell apart are runs of no known job. A job that is made anew
counts from 1 again, and its builds take the place of the old ones. `ABORTED` is a timeout where Jenkins says that one was
exceeded. A result is not final while `building`; none, and not building, is a crash of the controller. `retry { }` inside a
pipeline stays invisible but for steps that ran again; a build that replays, restarts or rebuilds another is a retry of it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element

from aftershock.adapters._documents import CutOff, values
from aftershock.adapters._xml import each
from aftershock.adapters.base import TIME, Export, Fidelity, RecordError, Sample, StatusTable

TOOL = "jenkins"
DOCS = "https://www.jenkins.io/doc/book/using/remote-access-api/"
FIDELITY = Fidelity(
    attempts=False,
    steps=True,
    items=False,
    trigger=True,
    versions=True,
    parents=True,
    keys=True,
    evidence="vendor fixture",
    retention="until `Discard old builds` of the job takes them",
    inferred="crashed where there is no result and nothing is building; the end of a build of api/json, from its duration",
)

_RESULTS: Final[Mapping[Any, str]] = {
    "SUCCESS": "succeeded",
    "UNSTABLE": "partial",
    "FAILURE": "failed",
    "ABORTED": "cancelled",
    "NOT_BUILT": "skipped",
    "NOT_BUILD": "skipped",  # as other tools' tables spell it
}
_STATES: Final = {
    "QUEUED": "queued",
    "RUNNING": "running",
    "PAUSED": "waiting",
    "SKIPPED": "skipped",
    "NOT_BUILT": "skipped",
}
STATUS = StatusTable(
    {
        **_RESULTS,
        **{(result, "building"): "running" for result in (None, *_RESULTS)},  # a first word, not the last one
        (None, "not building"): "crashed",
        ("ABORTED", "timeout"): "timed_out",
        ("FAILURE", "timeout"): "timed_out",
        # wfapi's words for runs and stages, where they are others.
        "FAILED": "failed",
        ("FAILED", "timeout"): "timed_out",
        "NOT_EXECUTED": "skipped",
        "IN_PROGRESS": "running",
        "PAUSED_PENDING_INPUT": "waiting",
        # Blue Ocean's: a state and a result.
        **{(state, result): ours for state, ours in _STATES.items() for result in (None, "UNKNOWN", *_RESULTS)},
        **{("FINISHED", result): ours for result, ours in _RESULTS.items()},
        ("FINISHED", "UNKNOWN"): "unknown",
        (None, None): "queued",  # a stage that was not come to yet
    }
)

_LISTS: Final = ("builds", "allBuilds")
_SINGLE: Final = (
    "lastBuild",
    "lastCompletedBuild",
    "lastFailedBuild",
    "lastStableBuild",
    "lastSuccessfulBuild",
    "lastUnstableBuild",
    "lastUnsuccessfulBuild",
)
_MAX_DEPTH: Final = 20
_ROOTS: Final = (
    "flow-build",
    "build",
    "matrix-build",
    "matrix-run",
    "maven2-module-set-build",
    "hudson.maven.MavenModuleSetBuild",
)


def read_jobs(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The builds inside jobs and folders, each with the `job` that holds it where that says its name."""
    for value in values(path):
        if isinstance(value, CutOff):
            name = value.word("fullName")
            for build in value.items(*_LISTS):
                yield {**build, "job": name} if isinstance(build, Mapping) else build
        else:
            yield from _builds(value, "", 0)


def _builds(value: Any, folder: str, depth: int) -> Iterator[Mapping[str, Any] | RecordError]:
    if not isinstance(value, Mapping) or depth > _MAX_DEPTH:
        yield RecordError("is no job that can be read", str(value)[:1000])
        return
    name = value.get("fullName") or "/".join(part for part in (folder, str(value.get("name") or "")) if part)
    lists = [value[key] for key in _LISTS if isinstance(value.get(key), list)]
    single = [value[key] for key in _SINGLE if _is_build(value.get(key))]
    for build in [*(build for one in lists for build in one), *single]:
        if isinstance(build, Mapping):
            yield {**build, "job": name or None, "job_url": value.get("url")}
        else:
            yield RecordError("is no build", str(build)[:1000])
    for job in value["jobs"] if isinstance(value.get("jobs"), list) else []:
        yield from _builds(job, name, depth + 1)


def _is_build(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and ("number" in value or "id" in value)
        and ("result" in value or "building" in value)
    )


def _holds_builds(sample: Sample) -> bool:
    """A job with builds, or a folder of such jobs; a job's own answer without `tree` names only numbers and addresses."""
    waiting: list[tuple[Any, int]] = [(sample.top, 0)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, list) and depth < _MAX_DEPTH:
            waiting += [(one, depth + 1) for one in value[:5] if isinstance(one, Mapping) and "number" not in one]
        elif isinstance(value, Mapping) and depth < _MAX_DEPTH:
            builds = [build for key in _LISTS if isinstance(value.get(key), list) for build in value[key][:5]]
            if any(_is_build(build) and ("timestamp" in build or "duration" in build) for build in builds):
                return True
            if any(_is_build(value.get(key)) and "timestamp" in value[key] for key in _SINGLE):
                return True
            if isinstance(value.get("jobs"), list):
                waiting += [(job, depth + 1) for job in value["jobs"][:20]]
    return False


def _is_jenkins_build(record: Mapping[str, Any]) -> bool:
    told = " ".join(str(record.get(name)) for name in ("_class", "url"))
    return "hudson." in told or "jenkins" in told or "/job/" in told or "fullDisplayName" in record


def read_build_xml(path: Path) -> Iterator[Mapping[str, Any] | RecordError]:
    """The build of a `build.xml`, as `api/json` would give it."""
    yield from each(path, _ROOTS, _build_of_xml)


def _build_of_xml(element: Element) -> Mapping[str, Any]:
    def text(name: str) -> str | None:
        return (element.findtext(name) or "").strip() or None

    causes, interruptions = [], []
    for one in element.iter():
        kind = str(one.tag).replace("_-", "$")
        if kind.endswith("Cause") and kind != "cause":
            causes.append({
                "_class": kind,
                "upstreamProject": one.findtext("upstreamProject"),
                "upstreamBuild": one.findtext("upstreamBuild"),
                "originalNumber": one.findtext("originalNumber"),
            })  # fmt: skip
        elif kind.endswith(("Interruption", "ExceededTimeout")):
            interruptions.append({"_class": kind, "shortDescription": kind.rpartition("$")[2]})
    parameters = [
        {"name": one.findtext("name"), "value": one.findtext("value")}
        for one in element.iter()
        if str(one.tag).endswith("ParameterValue")
    ]
    commit = element.find(".//lastBuild/*/sha1")
    return {
        "number": text("number"),
        "queueId": text("queueId"),
        "result": text("result"),
        "timestamp": text("startTime") or text("timestamp"),
        "duration": text("duration"),
        "displayName": text("displayName"),
        "description": text("description"),
        "actions": [
            {"_class": "hudson.model.CauseAction", "causes": causes, "parameters": parameters,
             "lastBuiltRevision": {"SHA1": commit.text if commit is not None else None}},
            {"_class": "jenkins.model.InterruptedBuildAction", "causes": interruptions},
        ],
    }  # fmt: skip


def _is_build_xml(sample: Sample) -> bool:
    return (
        sample.root in _ROOTS
        and "<startTime>" in sample.text
        and ("<queueId>" in sample.text or "<result>" in sample.text)
    )


def _is_blue(record: Mapping[str, Any]) -> bool:
    return "/runs/" in str(record["_links"]) and "/organizations/" in str(record["_links"])


def _is_stage(record: Mapping[str, Any]) -> bool:
    return "/wfapi/" in str(record["_links"])


_CAUSE: Final = (
    "STRUCT(_class VARCHAR, shortDescription VARCHAR, upstreamProject VARCHAR, upstreamBuild BIGINT, originalNumber BIGINT,"
    " sourceBuildNumber BIGINT)"
)
_BUILD: Final = {
    "number": "BIGINT",
    "id": "VARCHAR",
    "queueId": "BIGINT",
    "url": "VARCHAR",
    "displayName": "VARCHAR",
    "fullDisplayName": "VARCHAR",
    "description": "VARCHAR",
    "result": "VARCHAR",
    "building": "BOOLEAN",
    "timestamp": TIME,
    "duration": "BIGINT",
    "actions": f"STRUCT(_class VARCHAR, causes {_CAUSE}[], parameters JSON, lastBuiltRevision STRUCT(SHA1 VARCHAR))[]",
    "changeSet": "JSON",
}

# `/job/a/job/b/12/` is build 12 of `a/b`, wherever Jenkins is installed. Names are escaped once in addresses.
_JOB_OF: Final = "url_decode(replace(ltrim(nullif(regexp_extract({address}, '(/job/[^/]+(?:/job/[^/]+)*)', 1), ''), '/')[5:], '/job/', '/'))"

# `building` with a result: a first word of a pipeline that goes on. Why it was interrupted stands among the causes of an action.
_BUILDS: Final = """
    with builds as (
        select *, coalesce({job}, nullif(replace(regexp_extract(fullDisplayName, '^(.*) #[0-9]+', 1), ' » ', '/'), '')) as path,
               coalesce("number", try_cast(id as BIGINT))::VARCHAR as numbered,
               coalesce(numbered, if(path is null, 'queue ' || queueId, null)) as build,
               flatten([coalesce(action.causes, []) for action in actions if coalesce(action._class, '') not like '%InterruptedBuildAction']) as causes,
               flatten([coalesce(action.causes, []) for action in actions if action._class like '%InterruptedBuildAction']) as interruptions,
               case when building or result is null and building is null and coalesce(duration, 0) = 0 then 'building'
                    when result is null and not building then 'not building'
                    when list_bool_or([regexp_matches(concat_ws(' ', cause._class, cause.shortDescription), '(?i)time ?out|timed out')
                                       for cause in interruptions]) and result in ('ABORTED', 'FAILURE') then 'timeout' end as second_word,
               [cause for cause in causes if regexp_matches(cause._class, '(Replay|RestartDeclarativePipeline|Rebuild|Naginator)Cause$')][1] as again,
               [cause for cause in causes if cause.upstreamProject is not null and cause._class not like '%RebuildCause'][1] as parent
        from records
    )
    select place, path as scope, build || if(path is null, '@' || epoch_ms("timestamp"), '') as native_id,
           path as automation_native_id, path as automation, if(second_word is null, [result], [result, second_word]) as status_raw,
           nullif(coalesce(regexp_extract(causes[1]._class, '[^.$]+$'), causes[1].shortDescription), '') as "trigger", "timestamp" as started_at,
           case when second_word is distinct from 'building' then "timestamp" + to_milliseconds(nullif(duration, 0)) end as ended_at,
           case when second_word is distinct from 'building' then nullif(duration, 0) / 1000.0 end as duration_s,
           [action.lastBuiltRevision.SHA1 for action in actions if action.lastBuiltRevision.SHA1 is not null][1] as version,
           interruptions[1].shortDescription as error_message,
           case when path is not null then coalesce(again.originalNumber, again.sourceBuildNumber, again.upstreamBuild,
                try_cast(regexp_extract(again.shortDescription, '#([0-9]+)', 1) as BIGINT))::VARCHAR end as retry_of,
           parent.upstreamProject as parent_scope, parent.upstreamBuild::VARCHAR as parent_native_id,
           json_object('job', path, 'displayName', displayName, 'description', description, 'parameters', to_json([action.parameters for action in actions]),
                       'causes', to_json([cause.shortDescription for cause in causes]), 'changeSet', changeSet) as payload,
           "timestamp" + to_milliseconds(if(second_word is distinct from 'building', coalesce(duration, 0), 0)) as updated_at
    from builds
"""

_ERROR: Final = 'STRUCT(message VARCHAR, "type" VARCHAR)'
_NODE: Final = (
    'id VARCHAR, "name" VARCHAR, status VARCHAR, startTimeMillis BIGINT, durationMillis BIGINT, error ' + _ERROR
)
_FLOW_NODES: Final = f"STRUCT({_NODE}, parameterDescription VARCHAR)[]"
_LINKS: Final = "STRUCT(self STRUCT(href VARCHAR))"
_OWNER: Final = f"""
    {_JOB_OF.format(address="_links.self.href")} as path,
    nullif(regexp_extract(_links.self.href, '/([0-9]+)/(?:wfapi|execution)/', 1), '') as build
"""
_GOING_ON: Final = "in ('IN_PROGRESS', 'PAUSED_PENDING_INPUT')"

_WFAPI_RUNS: Final = f"""
    select place, path as scope,
           coalesce(build, regexp_extract(name, '[0-9]+') || '@' || startTimeMillis) as native_id,
           path as automation_native_id, path as automation,
           case when status = 'ABORTED' and list_bool_or([regexp_matches(stage.error.message, '(?i)timeout has been exceeded|timed out') for stage in stages])
                then [status, 'timeout'] else [status] end as status_raw,
           epoch_time(startTimeMillis) - to_milliseconds(nullif(queueDurationMillis, 0)) as queued_at, epoch_time(startTimeMillis) as started_at,
           case when not status {_GOING_ON} then epoch_time(endTimeMillis) end as ended_at,
           case when not status {_GOING_ON} then durationMillis / 1000.0 end as duration_s,
           json_object('job', path, 'name', "name") as payload,
           coalesce(epoch_time(endTimeMillis), epoch_time(startTimeMillis) + to_milliseconds(coalesce(durationMillis, 0))) as updated_at
    from (select *, {_OWNER} from records)
"""
# Two stages of one name are two of them; a step that ran again in its stage with the same argument is another attempt.
_WFAPI_STEPS: Final = f"""
    with stages as ({{stages}}), nodes as (
        select place, scope, native_id, stage.id as stage_id, stage.name as stage_name, unnest(stage.stageFlowNodes) as node from stages
    ), steps as (
        select place, scope, native_id, stage.name as key, stage.name, 'stage' as kind, 1 as attempt,
               dense_rank() over (partition by scope, native_id, stage.name order by try_cast(stage.id as BIGINT), stage.id, stage.startTimeMillis) - 1 as map_index,
               stage.status as word, stage.startTimeMillis as start, stage.durationMillis as duration, stage.error as error, null::VARCHAR as payload
        from stages
        union all by name
        select place, scope, native_id, concat_ws('/', stage_name, concat_ws(' ', node.name, left(md5(node.parameterDescription), 8))) as key,
               concat_ws(' / ', stage_name, node.name) as name, 'step' as kind,
               dense_rank() over (partition by scope, native_id, stage_name, node.name, node.parameterDescription
                                  order by try_cast(node.id as BIGINT), node.id, node.startTimeMillis) as attempt,
               0 as map_index, node.status as word, node.startTimeMillis as start, node.durationMillis as duration, node.error as error,
               node.parameterDescription as payload
        from nodes
    )
    select * exclude (word, start, duration, error),
           case when word in ('ABORTED', 'FAILED') and regexp_matches(error.message, '(?i)timeout has been exceeded|timed out')
                then [word, 'timeout'] else [word] end as status_raw,
           epoch_time(start) as started_at,
           case when not coalesce(word, 'IN_PROGRESS') {_GOING_ON} then epoch_time(start) + to_milliseconds(duration) end as ended_at,
           case when not coalesce(word, 'IN_PROGRESS') {_GOING_ON} and start > 0 then duration / 1000.0 end as duration_s,
           error.type as error_type, error.message as error_message,
           coalesce(epoch_time(start) + to_milliseconds(coalesce(duration, 0)), timestamptz '2000-01-01 00:00:00+00') as updated_at
    from steps
"""
_STAGES_OF_RUNS: Final = f"""
    select * exclude (stages), unnest(stages) as stage
    from (select place, path as scope, coalesce(build, regexp_extract(name, '[0-9]+') || '@' || startTimeMillis) as native_id, stages
          from (select *, {_OWNER} from records))
"""
_STAGES: Final = f"""
    select place, path as scope, build as native_id,
           {{{{'id': id, 'name': name, 'status': status, 'startTimeMillis': startTimeMillis, 'durationMillis': durationMillis, 'error': error,
               'stageFlowNodes': stageFlowNodes}}}} as stage
    from (select *, {_OWNER} from records)
"""

# Blue Ocean's addresses go down through `pipelines` and `branches`.
_BLUE_OWNER: Final = """
    nullif(url_decode(array_to_string(regexp_extract_all(regexp_extract(_links.self.href, '^.*?/runs/'), '/(?:pipelines|branches)/([^/]+)', 1), '/')), '') as path,
    nullif(regexp_extract(_links.self.href, '/runs/([0-9]+)/', 1), '') as build
"""
_BLUE_RUNS: Final = f"""
    select place, path as scope, build as native_id, path as automation_native_id, path as automation, [state, result] as status_raw,
           nullif(nullif(regexp_extract(causes[1]._class, '[^.$]+$'), ''), 'BlueCauseImpl') as "trigger", enQueueTime as queued_at, startTime as started_at,
           case when state in ('FINISHED', 'SKIPPED', 'NOT_BUILT') then endTime end as ended_at,
           case when state in ('FINISHED', 'SKIPPED', 'NOT_BUILT') then durationInMillis / 1000.0 end as duration_s, commitId as version,
           json_object('job', path, 'name', "name", 'description', description, 'causes', to_json([cause.shortDescription for cause in causes])) as payload,
           coalesce(endTime, startTime, enQueueTime) as updated_at
    from (select *, {_BLUE_OWNER} from records)
"""
_BLUE_NODES: Final = f"""
    select place, path as scope, build as native_id, displayName as key, displayName as name, lower("type") as kind, 1 as attempt,
           dense_rank() over (partition by path, build, displayName order by try_cast(id as BIGINT), id) - 1 as map_index,
           [state, result] as status_raw, startTime as started_at,
           case when state in ('FINISHED', 'SKIPPED', 'NOT_BUILT') then startTime + to_milliseconds(durationInMillis) end as ended_at,
           displayDescription as payload, coalesce(startTime + to_milliseconds(coalesce(durationInMillis, 0)), timestamptz '2000-01-01 00:00:00+00') as updated_at
    from (select *, {_BLUE_OWNER} from records)
"""

EXPORTS = (
    Export(
        name="builds of jobs",
        form="json",
        claims=_holds_builds,
        reader=read_jobs,
        columns={**_BUILD, "job": "VARCHAR", "job_url": "VARCHAR"},
        select={"runs": _BUILDS.format(job=f"{_JOB_OF.format(address='coalesce(url, job_url)')}, job")},
    ),
    Export(
        name="builds",
        form="json",
        requires=frozenset({"number", "timestamp"}),
        one_of=frozenset({"result", "building"}),
        where=_is_jenkins_build,
        columns=_BUILD,
        select={"runs": _BUILDS.format(job=_JOB_OF.format(address="url"))},
    ),
    Export(
        name="pipeline runs",
        form="json",
        requires=frozenset({"name", "status", "startTimeMillis", "durationMillis", "stages"}),
        columns={
            "_links": _LINKS,
            "id": "VARCHAR",
            "name": "VARCHAR",
            "status": "VARCHAR",
            "startTimeMillis": "BIGINT",
            "endTimeMillis": "BIGINT",
            "durationMillis": "BIGINT",
            "queueDurationMillis": "BIGINT",
            "stages": f"STRUCT({_NODE}, stageFlowNodes {_FLOW_NODES})[]",
        },
        select={"runs": _WFAPI_RUNS, "steps": _WFAPI_STEPS.format(stages=_STAGES_OF_RUNS)},
    ),
    Export(
        name="stages",
        form="json",
        requires=frozenset({"_links", "name", "status", "startTimeMillis", "durationMillis"}),
        forbids=frozenset({"stages"}),
        where=_is_stage,
        columns={
            "_links": _LINKS,
            "id": "VARCHAR",
            "name": "VARCHAR",
            "status": "VARCHAR",
            "startTimeMillis": "BIGINT",
            "durationMillis": "BIGINT",
            "error": _ERROR,
            "stageFlowNodes": _FLOW_NODES,
        },
        select={
            "runs": f"""
                select min(place) as place, path as scope, build as native_id, path as automation_native_id, path as automation,
                       max(epoch_time(startTimeMillis)) as updated_at
                from (select *, {_OWNER} from records) group by path, build
            """,
            "steps": _WFAPI_STEPS.format(stages=_STAGES.format()),
        },
    ),
    Export(
        name="build.xml",
        form="xml",
        claims=_is_build_xml,
        reader=read_build_xml,
        columns=_BUILD,
        select={"runs": _BUILDS.format(job="null::VARCHAR")},
    ),
    Export(
        name="Blue Ocean runs",
        form="json",
        requires=frozenset({"_links", "id", "pipeline", "state", "result", "startTime"}),
        where=_is_blue,
        columns={
            "_links": _LINKS,
            "name": "VARCHAR",
            "description": "VARCHAR",
            "state": "VARCHAR",
            "result": "VARCHAR",
            "enQueueTime": TIME,
            "startTime": TIME,
            "endTime": TIME,
            "durationInMillis": "BIGINT",
            "commitId": "VARCHAR",
            "causes": "STRUCT(_class VARCHAR, shortDescription VARCHAR)[]",
        },
        select={"runs": _BLUE_RUNS},
    ),
    Export(
        name="Blue Ocean nodes",
        form="json",
        requires=frozenset({"_links", "id", "displayName", "state", "result", "startTime"}),
        forbids=frozenset({"pipeline"}),
        where=_is_blue,
        columns={
            "_links": _LINKS,
            "id": "VARCHAR",
            "displayName": "VARCHAR",
            "displayDescription": "VARCHAR",
            "type": "VARCHAR",
            "state": "VARCHAR",
            "result": "VARCHAR",
            "startTime": TIME,
            "durationInMillis": "BIGINT",
        },
        select={
            "runs": f"""
                select min(place) as place, path as scope, build as native_id, path as automation_native_id, path as automation,
                       max(startTime) as updated_at
                from (select *, {_BLUE_OWNER} from records) group by path, build
            """,
            "steps": _BLUE_NODES,
        },
    ),
)

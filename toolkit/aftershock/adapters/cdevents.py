"""CDEvents (https://cdevents.dev): what pipelines, tasks, tests, deployments and incidents tell of themselves, as Tekton, Jenkins, Spinnaker, Keptn
and others send it: one event a file, a line each or an array; bare, or as the `data` of a CloudEvent.

An event's type carries the version of its schema, which nobody waits for to change: only its subject and predicate are looked at.

- `pipelinerun` queued, started, finished is a run; `taskrun` a step of the pipeline run that it names, else a run of its own; `testsuiterun` a run
  with role test, `testcaserun` a step of its suite run, else a run with role test. `build` queued, started, finished is a run.
- An id is only unique in its source, so the source is its scope; a source left out of the subject is that of the event.
- `service` deployed, upgraded, rolledback, removed and published, `environment` created, modified and deleted and `artifact` published are changes.
  The chain of an event is no proof of which run did it, so none is named.
- `incident` detected, reported, resolved are one notice; it is about the service it names.
- Everything else (repositories, branches, changes, tickets, approvals) is about no run and is set aside.
"""

from collections.abc import Mapping
from typing import Any, Final

from aftershock.adapters.base import TIME, Export, Fidelity, StatusTable

TOOL = "cdevents"
DOCS = "https://github.com/cdevents/spec/blob/main/continuous-integration.md"
FIDELITY = Fidelity(
    attempts=False,
    steps=True,
    items=False,
    trigger=False,
    versions=False,
    parents=False,
    keys=True,
    evidence="vendor fixture",
    retention="as long as whoever listens keeps the events",
    inferred="nothing",
)
STATUS = StatusTable(
    {
        "queued": "queued",
        "started": "running",
        "skipped": "skipped",
        ("finished", None): "unknown",  # a build's end does not say how it went
        ("finished", "success"): "succeeded",
        ("finished", "failure"): "failed",
        ("finished", "error"): "crashed",
        ("finished", "cancel"): "cancelled",
        ("finished", "cancelled"): "cancelled",
        ("finished", "canceled"): "cancelled",
        ("finished", "timeout"): "timed_out",
        ("finished", "skip"): "skipped",
        ("finished", "skipped"): "skipped",
        # Versions before 0.3.
        ("finished", "pass"): "succeeded",
        ("finished", "fail"): "failed",
    }
)

_CONTEXT: Final = 'STRUCT(id VARCHAR, source VARCHAR, "type" VARCHAR, "timestamp" VARCHAR, chainId VARCHAR)'
_SUBJECT: Final = "STRUCT(id VARCHAR, source VARCHAR, content JSON)"
_PREFIX: Final = "dev.cdevents."

# Each event in one shape: what it is about, what happened, when.
_EVENTS: Final = """
    select place, event, split_part(event."type", '.', 3) as about, split_part(event."type", '.', 4) as what,
           nullif(subject.id, '') as subject_id, coalesce(nullif(subject.source, ''), event.source) as scope, subject.content as content,
           as_time(event."timestamp") as moment, body
    from ({source})
"""
_BARE: Final = """select place, context as event, subject, json_object('subject', subject, 'customData', customData) as body from records"""
_WRAPPED: Final = """
    select place, data.context as event, data.subject as subject, json_object('subject', data.subject, 'customData', data.customData) as body from records
"""


def _in(path: str) -> str:
    """SQL: the text at a path of the content."""
    return f"(content ->> '$.{path}')"


def _reference(path: str) -> str:
    """SQL: the id of a reference, which is an object or (in old versions) the id itself."""
    return f"coalesce({_in(path + '.id')}, case when json_type(content, '$.{path}') = 'VARCHAR' then {_in(path)} end)"


_RUN: Final = "('pipelinerun', 'taskrun', 'testsuiterun', 'testcaserun', 'build')"
_STATE: Final = "('queued', 'started', 'finished', 'skipped')"
# The run that a task or a test belongs to; its source is left out where it is the same.
_OWNER: Final = f"case about when 'taskrun' then {_reference('pipelineRun')} when 'testcaserun' then {_reference('testSuiteRun')} end"
_OWNERS_SCOPE: Final = (
    f"case about when 'taskrun' then {_in('pipelineRun.source')} else {_in('testSuiteRun.source')} end"
)
_TOLD: Final = f"""
    select *, {_OWNER} as owner, coalesce(nullif({_OWNERS_SCOPE}, ''), scope) as owners_scope,
           coalesce({_in("pipelineName")}, {_in("taskName")}, {_in("testCase.name")}, {_in("testSuite.name")}, {_in("testCase.id")}, {_in("testSuite.id")}) as name,
           case when what = 'finished' then concat_ws('|', what, coalesce({_in("outcome")}, '')) else what end as state,
           case when what = 'queued' then moment end as queued_at, case when what = 'started' then moment end as started_at,
           case when what in ('finished', 'skipped') then moment end as ended_at,
           case when what = 'finished' and {_in("outcome")} <> 'success' then coalesce({_in("errors")}, {_in("reason")}) end as error_message
    from ({_EVENTS}) where about in {_RUN} and what in {_STATE} and moment is not null
"""
_RUNS: Final = f"""
    select place, scope, subject_id as native_id, case when name is not null then concat_ws('/', scope, name) end as automation_native_id, name as automation,
           case when starts_with(about, 'test') then 'test' end as role, state as status_raw, {_in("trigger.type")} as "trigger",
           queued_at, started_at, ended_at, error_message, event.chainId as correlation_id, body as payload, moment as updated_at
    from ({_TOLD}) where owner is null
    union all by name
    select min(place) as place, owners_scope as scope, owner as native_id, max(moment) as updated_at from ({_TOLD}) where owner is not null group by all
"""
_STEPS: Final = f"""
    select place, owners_scope as scope, owner as native_id, subject_id as key, coalesce(name, max(name) over (partition by scope, subject_id)) as name,
           about as kind, state as status_raw, started_at, ended_at, error_message, body as payload, moment as updated_at
    from ({_TOLD}) where owner is not null
"""
_IS_CHANGE: Final = """(about = 'service' and what in ('deployed', 'upgraded', 'rolledback', 'removed', 'published')
    or about = 'environment' and what in ('created', 'modified', 'deleted') or about = 'artifact' and what = 'published')"""
_CHANGES: Final = f"""
    select place, concat_ws('/', event.source, event.id, what) as change, about || ' ' || what as kind,
           coalesce({_in("artifactId")}, case when about = 'artifact' then subject_id end) as version,
           moment as "at", concat_ws(' ', subject_id, what, {_reference("environment")}) as title, concat_ws(' ', subject_id, {_in("url")}, event.chainId) as text,
           case when about = 'service' then subject_id end as key, moment as updated_at
    from ({_EVENTS}) where {_IS_CHANGE} and moment is not null
"""
_NOTICES: Final = f"""
    select place, concat_ws('/', scope, subject_id) as notice, 'incident' as kind,
           case when what in ('detected', 'reported') then moment end as sent_at, case when what = 'resolved' then moment end as resolved_at,
           coalesce({_in("description")}, subject_id) as title,
           concat_ws(' ', {_reference("service")}, {_reference("environment")}, {_in("artifactId")}, {_in("ticketURI")}) as text,
           subject_id as key, body as payload, moment as updated_at
    from ({_EVENTS}) where about = 'incident' and what in ('detected', 'reported', 'resolved') and subject_id is not null and moment is not null
"""
_REJECTS: Final = f"""
    select place, case when moment is null then 'context.timestamp' else 'subject.id' end as field,
           case when moment is null then event."timestamp" end as seen, case when moment is null then 'is no time' else 'has no id' end as reason
    from ({_EVENTS}) where (about in {_RUN} and what in {_STATE} or {_IS_CHANGE} or about = 'incident') and (moment is null or subject_id is null)
"""
_SET_ASIDE: Final = f"""
    select place, case when starts_with(event."type", '{_PREFIX}') then 'event about no run' else 'no event of CDEvents' end as reason
    from ({_EVENTS}) where not coalesce(starts_with(event."type", '{_PREFIX}') and (about in {_RUN} and what in {_STATE} or {_IS_CHANGE}
        or about = 'incident' and what in ('detected', 'reported', 'resolved')), false)
"""


def _selects(source: str) -> dict[str, str]:
    return {
        table: query.format(source=source)
        for table, query in (
            ("runs", _RUNS), ("steps", _STEPS), ("changes", _CHANGES), ("notices", _NOTICES), ("rejects", _REJECTS), ("set_aside", _SET_ASIDE)
        )
    }  # fmt: skip


def _is_event(event: Any) -> bool:
    about = event.get("context") if isinstance(event, Mapping) else None
    return isinstance(about, Mapping) and str(about.get("type")).startswith(_PREFIX)


EXPORTS = (
    Export(
        name="events",
        form="json",
        requires=frozenset({"context.type", "context.id", "subject"}),
        where=_is_event,
        columns={"context": _CONTEXT, "subject": _SUBJECT, "customData": "JSON"},
        select=_selects(_BARE),
    ),
    Export(
        name="CloudEvents",
        form="json",
        requires=frozenset({"specversion", "type", "data"}),
        where=lambda event: _is_event(event["data"]),
        columns={
            "type": "VARCHAR",
            "time": TIME,
            "data": f"STRUCT(context {_CONTEXT}, subject {_SUBJECT}, customData JSON)",
        },
        select=_selects(_WRAPPED),
    ),
)

"""Sentry, web API: issues and their events, cron monitors and check-ins, releases and deploys; webhooks.

`GET /organizations/{org}/issues/` (or a project's, or one), `.../issues/{id}/events/` (or a project's, or one), `.../monitors/` and
`.../monitors/{slug}/checkins/`, `.../releases/` and `.../releases/{version}/deploys/`; deliveries of issue and alert webhooks.

A check-in is a run of the job that the monitor watches, as far as Sentry was told; a page of them does not say of which monitor, so the
name of the file does (`checkins-acme-crm-sync.page2.json`). A missed one is `skipped`: nothing ran, and a rate of failures is no place for it.
An issue is a notice, told when it was first seen: its events only add what they say, most of all tags with ids of runs. Sentry knows no
acknowledgement, and when an issue was resolved only in the issue's own page. Releases and deploys are changes.
"""

from typing import Final

from aftershock.adapters.base import TIME, Export, Fidelity, StatusTable

TOOL = "sentry"
DOCS = "https://docs.sentry.io/api/"
FIDELITY = Fidelity(
    attempts=False,
    steps=False,
    items=False,
    trigger=False,
    versions=False,
    parents=False,
    keys=True,
    evidence="vendor fixture",
    retention="events and check-ins 90 days (30 on the free plan)",
    inferred="the run an issue is about; the end of a check-in: its beginning and its duration",
)
STATUS = StatusTable(
    {
        "in_progress": "running",
        "ok": "succeeded",
        "error": "failed",
        "missed": "skipped",
        "timeout": "timed_out",
        "unknown": "unknown",
    }
)

_ISSUE: Final = {
    **dict.fromkeys(("id", "shortId", "title", "culprit", "status", "level", "permalink"), "VARCHAR"),
    **dict.fromkeys(("firstSeen", "lastSeen"), TIME),
    "metadata": "JSON",
    "assignedTo": "STRUCT(name VARCHAR)",
    "activity": 'STRUCT("type" VARCHAR, dateCreated VARCHAR)[]',
}
_RESOLVED: Final = """case when lower(status) = 'resolved' then
    list_max([as_time(one.dateCreated) for one in activity if starts_with(one."type", 'set_resolved')]) end"""
# The events' own words stand in the text; an issue gives none, or a newer page of issues would cover them up.
_ISSUES: Final = f"""
select place, id as notice, 'sentry' as channel, 'issue' as kind, assignedTo.name as recipient, firstSeen as sent_at, {_RESOLVED} as resolved_at,
       concat_ws(' in ', title, nullif(culprit, '')) as title, concat_ws(' ', title, culprit, metadata::VARCHAR) as payload,
       coalesce(lastSeen, firstSeen) as updated_at
from records where id is not null
"""
_EVENTS: Final = """
select place, groupID as notice, 'sentry' as channel, 'issue' as kind, dateCreated as sent_at, concat_ws(' in ', title, nullif(culprit, '')) as title,
       list_filter(tags, lambda tag: tag.key = 'monitor.slug')[1].value as "key",
       concat_ws(' ', nullif(message, ''), metadata ->> '$.value', array_to_string([tag.key || '=' || tag.value for tag in tags], ' ')) as text,
       concat_ws(' ', message, metadata::VARCHAR, to_json(tags)::VARCHAR, context::VARCHAR, contexts::VARCHAR) as payload, dateCreated as updated_at
from records where groupID is not null
"""
_HOOKS: Final = """
select place, coalesce(data.issue.id, data.event.issue_id, data.event.event_id) as notice, 'sentry' as channel,
       case when data.issue.id is null then 'alert' else 'issue' end as kind,
       as_time(coalesce(data.issue.firstSeen, data.event.datetime)) as sent_at, data.issue.assignedTo.name as recipient,
       concat_ws(' in ', coalesce(data.issue.title, data.event.title), nullif(coalesce(data.issue.culprit, data.event.culprit), '')) as title,
       concat_ws(' ', data.event.message, data.event.tags::VARCHAR, data.triggered_rule) as text,
       coalesce(as_time(data.issue.lastSeen), as_time(data.event.datetime)) as updated_at
from records where coalesce(data.issue.id, data.event.issue_id, data.event.event_id) is not null
"""

# "checkins-acme-crm-sync.page2.json" -> acme-crm-sync; nothing where the file's name names no monitor
_MONITOR: Final = r"""coalesce(monitorSlug, monitor_slug, monitor.slug, nullif(regexp_replace(regexp_replace(regexp_replace(
    file_name, '\.[a-z]+$', ''), '[-_. ]*(?:check[-_]?ins?|page[-_]?[0-9]+)*$', ''), '(?i)^(?:(?:sentry|monitors?|check[-_]?ins?)(?:[-_. ]+|$))+', ''), ''))"""
_CHECK_INS: Final = f"""
with check_ins as (
    select *, {_MONITOR} as slug, coalesce(dateInProgress, dateCreated, dateAdded) as began, lower(status) not in ('in_progress', 'missed', 'unknown') as has_ended
    from records where id is not null
)
select place, id as native_id, slug as automation_native_id, slug as automation, status as status_raw, 'schedule' as "trigger",
       expectedTime as queued_at, case when lower(status) <> 'missed' then began end as started_at,
       case when has_ended then coalesce(began + to_microseconds((duration * 1000)::BIGINT), dateUpdated, began) end as ended_at,
       case when has_ended then duration / 1000 end as duration_s, case when environment <> '' then [environment] end as tags,
       coalesce(dateUpdated, case when has_ended then began + to_microseconds((coalesce(duration, 0) * 1000)::BIGINT) end, began)
           + to_microseconds(case lower(status) when 'in_progress' then 0 else 1 end) as updated_at
from check_ins
"""

EXPORTS = (
    Export(
        name="issues",
        form="json",
        requires=frozenset({"id", "shortId", "firstSeen", "lastSeen", "status"}),
        columns=_ISSUE,
        select={"notices": _ISSUES},
    ),
    Export(
        name="events",
        form="json",
        requires=frozenset({"eventID", "groupID", "dateCreated"}),
        columns={
            **dict.fromkeys(("eventID", "groupID", "title", "culprit", "message"), "VARCHAR"),
            "dateCreated": TIME,
            "tags": 'STRUCT("key" VARCHAR, "value" VARCHAR)[]',
            "metadata": "JSON",
            "context": "JSON",
            "contexts": "JSON",
        },
        select={
            "notices": _EVENTS,
            "set_aside": "select place, 'event of no issue' as reason from records where groupID is null",
        },
    ),
    Export(
        name="check-ins",
        form="json",
        requires=frozenset({"id", "status", "duration", "dateCreated"}),
        one_of=frozenset({"monitorConfig", "dateInProgress", "expectedTime", "attachmentId"}),
        columns={
            **dict.fromkeys(("id", "status", "environment", "monitorSlug", "monitor_slug"), "VARCHAR"),
            **dict.fromkeys(("dateCreated", "dateAdded", "dateUpdated", "dateInProgress", "expectedTime"), TIME),
            "duration": "DOUBLE",
            "monitor": "STRUCT(slug VARCHAR)",
        },
        select={"runs": _CHECK_INS},
    ),
    Export(
        name="monitors",
        form="json",
        requires=frozenset({"slug", "name", "config.schedule_type", "config.schedule"}),
        columns={
            **dict.fromkeys(("slug", "name", "status"), "VARCHAR"),
            "dateCreated": TIME,
            "config": "STRUCT(schedule_type VARCHAR, schedule JSON)",
            "owner": "STRUCT(name VARCHAR)",
        },
        select={
            "automations": """
select place, slug as native_id, slug as name, owner.name as owner, lower(status) <> 'disabled' as enabled,
       case when json_type(config.schedule) = 'ARRAY' then 'every ' || array_to_string(json_extract_string(config.schedule, '$[*]'), ' ')
            else config.schedule ->> '$' end as schedule
from records where slug is not null
"""
        },
    ),
    Export(
        name="releases",
        form="json",
        requires=frozenset({"version", "shortVersion", "dateCreated", "dateReleased"}),
        columns={
            **dict.fromkeys(("version", "shortVersion", "ref", "url"), "VARCHAR"),
            **dict.fromkeys(("dateCreated", "dateReleased"), TIME),
            "projects": "STRUCT(slug VARCHAR)[]",
            "owner": "STRUCT(name VARCHAR)",
            "lastDeploy": "STRUCT(url VARCHAR, environment VARCHAR)",
        },
        select={
            "changes": """
select place, 'release/' || version as change, version, coalesce(dateReleased, dateCreated) as "at", owner.name as "by", 'release' as kind,
       concat_ws(' ', array_to_string([one.slug for one in projects], ', '), shortVersion) as title, concat_ws(' ', url, lastDeploy.url) as text
from records where version is not null
"""
        },
    ),
    Export(
        name="deploys",
        form="json",
        requires=frozenset({"id", "environment", "dateStarted", "dateFinished"}),
        forbids=frozenset({"status"}),
        columns={
            **dict.fromkeys(("id", "name", "environment", "url"), "VARCHAR"),
            **dict.fromkeys(("dateStarted", "dateFinished"), TIME),
        },
        select={
            "changes": """
select place, 'deploy/' || id as change, coalesce(dateFinished, dateStarted) as "at", 'deploy' as kind,
       concat_ws(' to ', coalesce(name, 'deploy'), environment) as title, url as text
from records where id is not null
"""
        },
    ),
    Export(
        name="webhooks",
        form="json",
        requires=frozenset({"action", "data", "installation"}),
        one_of=frozenset({"data.issue", "data.event"}),
        columns={
            "data": "STRUCT(issue STRUCT(id VARCHAR, title VARCHAR, culprit VARCHAR, firstSeen VARCHAR, lastSeen VARCHAR, assignedTo STRUCT(name VARCHAR)),"
            " event STRUCT(event_id VARCHAR, issue_id VARCHAR, datetime VARCHAR, title VARCHAR, culprit VARCHAR, message VARCHAR, tags JSON),"
            " triggered_rule VARCHAR)"
        },
        select={"notices": _HOOKS},
    ),
)

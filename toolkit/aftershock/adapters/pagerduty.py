"""PagerDuty, REST API v2: incidents, their log entries and alerts, change events; webhooks; the raw incident analytics.

`GET /incidents` (also one, also with `include[]=first_trigger_log_entries`), `GET /log_entries` and `/incidents/{id}/log_entries`,
`GET /incidents/{id}/alerts`, `GET /change_events`, deliveries of webhooks v2 and v3, `POST /analytics/raw/incidents` and the incidents CSV.

An incident is a notice; when it was first acknowledged stands in its log entries (or in the analytics). An incident's own
`acknowledgements` lose those of incidents that were resolved or triggered again: without log entries "never acknowledged" may be wrong.
An alert is a notice of its own, acknowledged with its incident, and its `alert_key` is the best word on the run it is about; one that was
suppressed told nobody and is set aside. Change events become changes.
"""

from collections.abc import Mapping
from typing import Any, Final

from aftershock.adapters.base import TIME, Export, Fidelity, Sample, StatusTable

TOOL = "pagerduty"
DOCS = "https://developer.pagerduty.com/api-reference/9d0b4b12e36f9-list-incidents"
FIDELITY = Fidelity(
    attempts=False,
    steps=False,
    items=False,
    trigger=False,
    versions=False,
    parents=False,
    keys=True,
    evidence="vendor fixture",
    retention="for ever; a request reaches back six months at most",
    inferred="the run a notice is about",
)
STATUS = StatusTable({})  # it runs nothing

_ENTRY: Final = 'STRUCT("type" VARCHAR, created_at VARCHAR, summary VARCHAR, channel JSON, "user" STRUCT(summary VARCHAR), event_details JSON)'
_INCIDENT: Final = {
    **dict.fromkeys(("id", "title", "summary", "description", "status", "incident_key", "html_url"), "VARCHAR"),
    **dict.fromkeys(("created_at", "updated_at", "last_status_change_at", "resolved_at"), TIME),
    "service": "STRUCT(summary VARCHAR)",
    "assignments": "STRUCT(assignee STRUCT(summary VARCHAR))[]",
    "acknowledgements": 'STRUCT("at" VARCHAR)[]',
    "first_trigger_log_entry": _ENTRY,
    "body": "JSON",
    "log_entries": f"{_ENTRY}[]",
    "alerts": "JSON",
}
_BY_HAND: Final = "{0} in ('website', 'web_trigger', 'mobile')"
# "Notified Keon Amini by email."
_NOTIFIED: Final = "coalesce(entry.\"user\".summary, nullif(regexp_extract(entry.summary, '^Notified (.+?) (?:by|via|through) ', 1), ''))"
_TITLE: Final = r"coalesce({0}title, regexp_replace({0}summary, '^\[#\d+\] ', ''))"

_INCIDENTS: Final = f"""
with incidents as ({{incidents}}), entries as (
    select place, unnest(log_entries) as entry from incidents
), told as (
    select place, min(as_time(entry.created_at)) filter (starts_with(entry."type", 'acknowledge')) as first_acknowledged_at,
           max(as_time(entry.created_at)) filter (starts_with(entry."type", 'resolve')) as last_resolved_at, max(as_time(entry.created_at)) as newest_at,
           string_agg(distinct {_NOTIFIED}, ', ' order by {_NOTIFIED}) filter (starts_with(entry."type", 'notify')) as notified,
           bool_or({_BY_HAND.format("entry.channel ->> '$.type'")}) filter (starts_with(entry."type", 'trigger')) as is_by_hand,
           string_agg(entry.event_details::VARCHAR, ' ') filter (starts_with(entry."type", 'trigger')) as details
    from entries group by place
)
select place, id as notice, 'pagerduty' as channel,
       case when coalesce(is_by_hand, {_BY_HAND.format("first_trigger_log_entry.channel ->> '$.type'")},
                          contains(first_trigger_log_entry.summary, 'through the website')) then 'incident by hand' else 'incident' end as kind,
       coalesce(notified, nullif(array_to_string(list_sort(list_distinct([one.assignee.summary for one in assignments])), ', '), '')) as recipient,
       created_at as sent_at,
       least(first_acknowledged_at, list_min([as_time(one."at") for one in acknowledgements])) as acknowledged_at,
       case when lower(status) = 'resolved' then coalesce(resolved_at, last_resolved_at, last_status_change_at) end as resolved_at,
       {_TITLE.format("")} as title, incident_key as "key",
       concat_ws(' ', description, 'service: ' || service.summary, body ->> '$.details', details, first_trigger_log_entry.channel::VARCHAR,
                 nullif(alerts::VARCHAR, '[]')) as text,
       greatest(last_status_change_at, updated_at, resolved_at, created_at, newest_at) as updated_at
from incidents left join told using (place) where id is not null
"""

_OF_AN_INCIDENT: Final = (
    "incident.id is not null and regexp_matches(\"type\", '^(trigger|acknowledge|resolve|notify)_')"
)
_LOG_ENTRIES: Final = f"""
with entries as (select place, incident, created_at, summary, "type", channel, event_details,
                        struct_pack("user" := "user", summary := summary) as entry from records where {_OF_AN_INCIDENT}),
notified as (
    select incident.id as id, string_agg(distinct {_NOTIFIED}, ', ' order by {_NOTIFIED}) as names
    from entries where starts_with("type", 'notify') group by incident.id
)
select place, incident.id as notice, 'pagerduty' as channel,
       case when starts_with("type", 'trigger') then case when {_BY_HAND.format("channel ->> '$.type'")} then 'incident by hand' else 'incident' end end as kind,
       names as recipient, {_TITLE.format("incident.")} as title,
       case when starts_with("type", 'trigger') then event_details::VARCHAR end as text,
       case when starts_with("type", 'trigger') then created_at end as sent_at,
       case when starts_with("type", 'acknowledge') then created_at end as acknowledged_at,
       case when starts_with("type", 'resolve') then created_at end as resolved_at,
       created_at as updated_at
from entries left join notified on notified.id = incident.id
"""

_HOOK: Final = 'STRUCT(id VARCHAR, "type" VARCHAR, title VARCHAR, summary VARCHAR, status VARCHAR, incident_key VARCHAR, created_at VARCHAR,'
_IS_HOOK: Final = "event.data.\"type\" = 'incident' and event.data.id is not null"
_HOOKS: Final = f"""
select place, event.data.id as notice, 'pagerduty' as channel, 'incident' as kind,
       nullif(array_to_string(list_sort([one.summary for one in event.data.assignees]), ', '), '') as recipient,
       as_time(event.data.created_at) as sent_at,
       case when event.event_type = 'incident.acknowledged' then as_time(event.occurred_at) end as acknowledged_at,
       case when event.event_type = 'incident.resolved' then as_time(event.occurred_at) end as resolved_at,
       {_TITLE.format("event.data.")} as title, event.data.incident_key as "key", 'service: ' || event.data.service.summary as text,
       as_time(event.occurred_at) as updated_at
from records where {_IS_HOOK}
"""

_RAW: Final = {
    **dict.fromkeys(("id", "description", "service_name", "assigned_to_user_names", "urgency"), "VARCHAR"),
    **dict.fromkeys(("created_at", "resolved_at", "created_on", "resolved_on"), TIME),
    "seconds_to_first_ack": "DOUBLE",
    "seconds_to_resolve": "DOUBLE",
}
# no seconds, or none at all: never
_ANALYTICS: Final = """
select place, id as notice, 'pagerduty' as channel, 'incident' as kind, assigned_to_user_names as recipient, began as sent_at,
       began + to_microseconds((nullif(seconds_to_first_ack, 0) * 1e6)::BIGINT) as acknowledged_at,
       coalesce(resolved_at, resolved_on, began + to_microseconds((nullif(seconds_to_resolve, 0) * 1e6)::BIGINT)) as resolved_at,
       description as title, 'service: ' || service_name as text, coalesce(resolved_at, resolved_on, began) as updated_at
from (select *, coalesce(created_at, created_on) as began from records) where id is not null
"""


def _incidents(source: str) -> dict[str, str]:
    return {"notices": _INCIDENTS.format(incidents=source)}


def _top(sample: Sample) -> Mapping[str, Any]:
    """The envelope; of several pages the first."""
    first = sample.top[0] if isinstance(sample.top, list) and sample.top else sample.top
    return first if isinstance(first, Mapping) else {}


def _is_hook(record: Mapping[str, Any]) -> bool:
    event = record["event"]
    return isinstance(event, Mapping) and str(event.get("event_type")).split(".")[0] in ("incident", "service", "pagey")


def _struct(columns: Mapping[str, str]) -> str:
    """Columns as the fields of a STRUCT, in which times are still text."""
    return (
        "STRUCT(" + ", ".join(f'"{name}" {"VARCHAR" if kind == TIME else kind}' for name, kind in columns.items()) + ")"
    )


_TIMES: Final = ", ".join(f"as_time({name}) as {name}" for name, kind in _INCIDENT.items() if kind == TIME)
_OWN: Final = frozenset({"id", "incident_number", "status", "created_at"})
_BARE: Final = f"""
    select * replace ({_TIMES}) from (select place, unnest(incident) from records where incident is not null)
"""
_IN_MESSAGES: Final = f"""
    select * replace ({_TIMES}, entries as log_entries)
    from (select place, unnest(incident), log_entries as entries from records where incident is not null)
"""

EXPORTS = (
    Export(
        name="incidents",
        form="json",
        records="incidents",
        requires=_OWN | {"service"},
        claims=lambda sample: "page" not in _top(sample),  # an empty page of a status page
        columns=_INCIDENT,
        select=_incidents("from records"),
    ),
    Export(
        name="bare incidents",
        form="json",
        requires=_OWN | {"service"},
        columns=_INCIDENT,
        select=_incidents("from records"),
    ),
    Export(
        name="single incident",
        form="json",
        requires=frozenset({"incident.incident_number", "incident.created_at"}),
        forbids=frozenset({"event"}),
        columns={"incident": _struct(_INCIDENT)},
        select=_incidents(_BARE),
    ),
    Export(
        name="log entries",
        form="json",
        records="log_entries",
        requires=frozenset({"id", "type", "created_at"}),
        where=lambda entry: str(entry["type"]).endswith("_log_entry"),
        columns={
            "type": "VARCHAR",
            "created_at": TIME,
            "summary": "VARCHAR",
            "channel": "JSON",
            "event_details": "JSON",
            "user": "STRUCT(summary VARCHAR)",
            "incident": "STRUCT(id VARCHAR, title VARCHAR, summary VARCHAR)",
        },
        select={
            "notices": _LOG_ENTRIES,
            "set_aside": f"""
select place, case when incident.id is null then 'log entry that names no incident' else 'log entry: ' || replace("type", '_log_entry', '') end as reason
from records where not coalesce({_OF_AN_INCIDENT}, false)
""",
        },
    ),
    Export(
        name="alerts",
        form="json",
        records="alerts",
        requires=frozenset({"id", "alert_key", "created_at", "status"}),
        columns={
            **dict.fromkeys(("id", "alert_key", "status", "summary", "severity"), "VARCHAR"),
            **dict.fromkeys(("created_at", "resolved_at", "updated_at"), TIME),
            "suppressed": "BOOLEAN",
            "body": "JSON",
            "service": "STRUCT(summary VARCHAR)",
            "incident": "STRUCT(id VARCHAR, summary VARCHAR)",
        },
        select={
            "notices": """
select place, id as notice, 'pagerduty' as channel, 'alert' as kind, created_at as sent_at, summary as title, alert_key as "key",
       case when lower(status) = 'resolved' then resolved_at end as resolved_at,
       concat_ws(' ', body::VARCHAR, 'service: ' || service.summary) as text, coalesce(updated_at, resolved_at, created_at) as updated_at
from records where id is not null and not coalesce(suppressed, false)
""",
            "set_aside": "select place, 'suppressed alert: it told nobody' as reason from records where suppressed",
        },
    ),
    Export(
        name="change events",
        form="json",
        records="change_events",
        requires=frozenset({"summary", "timestamp"}),
        one_of=frozenset({"services", "source", "integration"}),
        columns={
            "id": "VARCHAR",
            "summary": "VARCHAR",
            "timestamp": TIME,
            "source": "VARCHAR",
            "services": "STRUCT(summary VARCHAR)[]",
            "custom_details": "JSON",
            "links": "STRUCT(href VARCHAR, text VARCHAR)[]",
        },
        select={
            "changes": """
select place, id as change, "timestamp" as "at", 'change event' as kind, summary as title, source as "by",
       coalesce(custom_details ->> '$.version', custom_details ->> '$.build_number', custom_details ->> '$.commit') as version,
       concat_ws(' ', array_to_string([one.summary for one in services], ' '), array_to_string([one.href for one in links], ' '), custom_details::VARCHAR) as text
from records where "timestamp" is not null
"""
        },
    ),
    Export(
        name="webhooks v3",
        form="json",
        requires=frozenset({"event.event_type", "event.data", "event.occurred_at"}),
        where=_is_hook,
        columns={
            "event": 'STRUCT(event_type VARCHAR, occurred_at VARCHAR, "data" '
            + _HOOK
            + " service STRUCT(summary VARCHAR), assignees STRUCT(summary VARCHAR)[]))"
        },
        select={
            "notices": _HOOKS,
            "set_aside": f"select place, 'event that is no incident''s' as reason from records where not coalesce({_IS_HOOK}, false)",
        },
    ),
    Export(
        name="webhooks v2",
        form="json",
        records="messages",
        requires=frozenset({"event", "incident.incident_number"}),
        claims=lambda sample: bool(_top(sample).get("messages")),
        columns={"incident": _struct(_INCIDENT), "log_entries": f"{_ENTRY}[]"},
        select=_incidents(_IN_MESSAGES),
    ),
    Export(
        name="raw analytics",
        form="json",
        records="data",
        requires=frozenset({"id", "incident_number", "seconds_to_first_ack"}),
        columns=_RAW,
        select={"notices": _ANALYTICS},
    ),
    Export(
        name="incidents table",
        form="csv",
        requires=frozenset({"id", "incident_number", "seconds_to_first_ack"}),
        columns=_RAW,
        select={"notices": _ANALYTICS},
    ),
)

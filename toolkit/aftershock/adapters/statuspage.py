"""Atlassian Statuspage: `/api/v2/incidents.json`, `/scheduled-maintenances.json`, `/summary.json` of a page, and its webhooks.

What a page tells its readers is a notice: an incident, or a planned maintenance. Times are in the page's own time zone, with the offset of
the day: it changes inside one file. A page knows no acknowledgement. `monitoring_at` is often empty; only `resolved_at`, else the update
that says so, is an end. People write these, often about somebody else's system, so they are never joined to a run by time alone.
"""

from collections.abc import Mapping
from typing import Any, Final

from aftershock.adapters.base import TIME, Export, Fidelity, Sample, StatusTable

TOOL = "statuspage"
DOCS = "https://developer.statuspage.io/"
FIDELITY = Fidelity(
    attempts=False,
    steps=False,
    items=False,
    trigger=False,
    versions=False,
    parents=False,
    keys=False,
    evidence="vendor fixture",
    retention="the newest 50 incidents and maintenances",
    inferred="the run a notice is about",
)
STATUS = StatusTable({})  # it runs nothing

_POST: Final = {
    **dict.fromkeys(("id", "name", "status", "impact", "shortlink"), "VARCHAR"),
    **dict.fromkeys(("created_at", "updated_at", "resolved_at", "scheduled_for"), TIME),
    "incident_updates": "STRUCT(status VARCHAR, body VARCHAR, created_at VARCHAR)[]",
    "components": 'STRUCT("name" VARCHAR)[]',
}
_FIELDS: Final = (
    "STRUCT(" + ", ".join(f'"{name}" {"VARCHAR" if kind == TIME else kind}' for name, kind in _POST.items()) + ")"
)
_TIMES: Final = ", ".join(f"as_time({name}) as {name}" for name, kind in _POST.items() if kind == TIME)
_ENDS: Final = "('resolved', 'completed', 'postmortem')"

_NOTICES: Final = f"""
with posts as ({{posts}}), ends as (
    select place, id, max(as_time(one.created_at)) filter (lower(one.status) in ('resolved', 'completed')) as ended_at
    from (select place, id, unnest(incident_updates) as one from posts) group by place, id
)
select place, id as notice, 'statuspage' as channel,
       case when scheduled_for is not null or lower(impact) = 'maintenance' then 'maintenance' else 'status page' end as kind,
       created_at as sent_at, case when lower(status) in {_ENDS} then coalesce(resolved_at, ended_at) end as resolved_at, name as title,
       concat_ws(chr(10), array_to_string([one.body for one in incident_updates], chr(10)), array_to_string([one.name for one in components], ', '),
                 shortlink) as text,
       coalesce(updated_at, resolved_at, created_at) as updated_at
from posts left join ends using (place, id) where id is not null
"""
_UNNESTED: Final = f"""
    select * replace ({_TIMES}) from (select place, unnest(post) from (select place, unnest({{list}}) as post from records))
"""


def _notices(posts: str) -> str:
    return _NOTICES.format(posts=posts)


def _top(sample: Sample) -> Mapping[str, Any]:
    """The envelope; of several pages the first."""
    first = sample.top[0] if isinstance(sample.top, list) and sample.top else sample.top
    return first if isinstance(first, Mapping) else {}


def _is_page(sample: Sample) -> bool:
    """A page of one kind of post; the summary holds both."""
    top = _top(sample)
    return isinstance(top.get("page"), Mapping) and not {"incidents", "scheduled_maintenances"} <= top.keys()


_IS: Final = frozenset({"id", "name", "status", "impact", "created_at", "incident_updates"})


def _page(name: str, records: str) -> Export:
    return Export(
        name=name,
        form="json",
        records=records,
        requires=_IS,
        claims=_is_page,
        columns=_POST,
        select={"notices": _notices("from records")},
    )


EXPORTS = (
    _page("incidents", "incidents"),
    _page("scheduled maintenances", "scheduled_maintenances"),
    Export(
        name="summary",
        form="json",
        requires=frozenset({"page.id", "incidents", "scheduled_maintenances"}),
        columns={"incidents": f"{_FIELDS}[]", "scheduled_maintenances": f"{_FIELDS}[]"},
        select={
            "notices": _notices(_UNNESTED.format(list="list_concat(incidents, scheduled_maintenances)")),
            "set_aside": """
select place, 'page without incident or maintenance' as reason from records where coalesce(len(incidents), 0) + coalesce(len(scheduled_maintenances), 0) = 0
""",
        },
    ),
    Export(
        name="bare incidents", form="json", requires=_IS, columns=_POST, select={"notices": _notices("from records")}
    ),
    Export(
        name="webhooks",
        form="json",
        requires=frozenset({"page.id", "meta"}),
        one_of=frozenset({"incident", "component_update"}),
        columns={"incident": _FIELDS, "component_update": "JSON"},
        select={
            "notices": _notices(_UNNESTED.format(list="[incident]")),
            "set_aside": "select place, 'a component''s state' as reason from records where incident.id is null and component_update is not null",
        },
    ),
)

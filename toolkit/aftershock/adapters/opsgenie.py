"""Opsgenie, REST API: alerts (`GET /v2/alerts`, also one), incidents (`GET /v1/incidents`), and deliveries of its webhooks.

Each alert and each incident is a notice. When an alert was acknowledged stands in its `report`, in milliseconds from its beginning; an alert
that was acknowledged without a report has no time of it, and an incident never has one. `alias` is the dedup key. The product is being
retired: expect exports made once, at the move.
"""

from collections.abc import Mapping
from typing import Final

from aftershock.adapters.base import TIME, Export, Fidelity, Sample, StatusTable

TOOL = "opsgenie"
DOCS = "https://docs.opsgenie.com/docs/alert-api"
FIDELITY = Fidelity(
    attempts=False,
    steps=False,
    items=False,
    trigger=False,
    versions=False,
    parents=False,
    keys=True,
    evidence="vendor fixture",
    retention="the newest 20,000 can be listed",
    inferred="the run a notice is about; the end of what was closed without a report: its last update",
)
STATUS = StatusTable({})  # it runs nothing

_COMMON: Final = {
    **dict.fromkeys(("id", "tinyId", "message", "description", "status", "priority"), "VARCHAR"),
    **dict.fromkeys(("createdAt", "updatedAt"), TIME),
    "tags": "VARCHAR[]",
    "responders": 'STRUCT("type" VARCHAR, id VARCHAR, "name" VARCHAR, username VARCHAR)[]',
}
_ALERT: Final = {
    **_COMMON,
    **dict.fromkeys(("alias", "source", "owner", "entity"), "VARCHAR"),
    "acknowledged": "BOOLEAN",
    "details": "JSON",
    "integration": 'STRUCT("name" VARCHAR)',
    "report": "STRUCT(ackTime DOUBLE, closeTime DOUBLE, acknowledgedBy VARCHAR)",
}
_INCIDENT: Final = {
    **_COMMON,
    **dict.fromkeys(("impactStartDate", "impactEndDate"), TIME),
    "extraProperties": "JSON",
    "impactedServices": "VARCHAR[]",
}
_RESPONDERS: Final = (
    "nullif(array_to_string(list_sort([coalesce(one.name, one.username, one.id) for one in responders]), ', '), '')"
)
_HAS_ENDED: Final = "lower(status) in ('closed', 'resolved')"


def _after(milliseconds: str) -> str:
    return f"createdAt + to_microseconds(({milliseconds} * 1000)::BIGINT)"


_ALERTS: Final = f"""
select place, id as notice, 'opsgenie' as channel, 'alert' as kind, coalesce(nullif(owner, ''), {_RESPONDERS}) as recipient, createdAt as sent_at,
       case when report.ackTime > 0 or report.acknowledgedBy <> '' then {_after("coalesce(report.ackTime, 0)")} end as acknowledged_at,
       case when {_HAS_ENDED} then coalesce({_after("nullif(report.closeTime, 0)")}, updatedAt) end as resolved_at,
       message as title, alias as "key",
       concat_ws(' ', description, entity, source, integration.name, array_to_string(tags, ' '), nullif(details::VARCHAR, '{{{{}}}}')) as text,
       coalesce(updatedAt, createdAt) as updated_at
from {{records}} where id is not null
"""
_INCIDENTS: Final = f"""
select place, id as notice, 'opsgenie' as channel, 'incident' as kind, {_RESPONDERS} as recipient, createdAt as sent_at,
       case when {_HAS_ENDED} then coalesce(impactEndDate, updatedAt) end as resolved_at, message as title,
       concat_ws(' ', description, array_to_string(tags, ' '), nullif(extraProperties::VARCHAR, '{{{{}}}}')) as text,
       coalesce(updatedAt, createdAt) as updated_at
from {{records}} where id is not null
"""
_HOOKS: Final = """
select place, alert.alertId as notice, 'opsgenie' as channel, 'alert' as kind, as_time(alert.createdAt) as sent_at, alert.message as title,
       alert.alias as "key", concat_ws(' ', alert.description, alert.entity, alert.source, array_to_string(alert.tags, ' '),
                                       nullif(alert.details::VARCHAR, '{}')) as text,
       case when lower(action) = 'acknowledge' then as_time(alert.updatedAt) end as acknowledged_at,
       case when lower(action) = 'close' then as_time(alert.updatedAt) end as resolved_at,
       coalesce(as_time(alert.updatedAt), as_time(alert.createdAt)) as updated_at
from records where alert.alertId is not null
"""


def _is_page(sample: Sample) -> bool:
    """A list of them (the answer for a single one has the same envelope), or an empty one that looks like Opsgenie's."""
    first = sample.top[0] if isinstance(sample.top, list) and sample.top else sample.top
    data = first.get("data") if isinstance(first, Mapping) else None
    return (
        isinstance(first, Mapping) and isinstance(data, list) and (bool(data) or {"took", "requestId"} <= first.keys())
    )


def _exports(name: str, mark: str, columns: Mapping[str, str], select: str) -> tuple[Export, ...]:
    """A page, the answer for a single one, and bare objects."""
    names = {"id", "tinyId", "message", "status", "createdAt", mark}
    fields = ", ".join(f'"{one}" {"VARCHAR" if kind == TIME else kind}' for one, kind in columns.items())
    times = ", ".join(f"as_time({one}) as {one}" for one, kind in columns.items() if kind == TIME)
    single = f"(select * replace ({times}) from (select place, unnest(data) from records where data is not null))"
    return (
        Export(
            name=name,
            form="json",
            records="data",
            requires=frozenset(names),
            claims=_is_page,
            columns=columns,
            select={"notices": select.format(records="records")},
        ),
        Export(
            name=f"single of {name}",
            form="json",
            requires=frozenset(f"data.{one}" for one in names),
            columns={"data": f"STRUCT({fields})"},
            select={"notices": select.format(records=single)},
        ),
        Export(
            name=f"bare {name}",
            form="json",
            requires=frozenset(names),
            columns=columns,
            select={"notices": select.format(records="records")},
        ),
    )


EXPORTS = (
    *_exports("alerts", "acknowledged", _ALERT, _ALERTS),
    *_exports("incidents", "impactStartDate", _INCIDENT, _INCIDENTS),
    Export(
        name="webhooks",
        form="json",
        requires=frozenset({"action", "alert.alertId", "alert.message"}),
        columns={
            "action": "VARCHAR",
            "alert": "STRUCT(alertId VARCHAR, message VARCHAR, description VARCHAR, alias VARCHAR, entity VARCHAR, source VARCHAR, createdAt VARCHAR,"
            " updatedAt VARCHAR, tags VARCHAR[], details JSON)",
        },
        select={"notices": _HOOKS},
    ),
)
